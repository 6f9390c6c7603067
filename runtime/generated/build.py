"""From the IR to running code: generated files written, imported, given their first weights, and tied together."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ...backends.pytorch.load import empty
from ...backends.pytorch.module import class_name, module_source
from ...backends.pytorch.parameter_groups import NetFunction
from ...backends.pytorch.recipe import recipe_functions, recipe_source
from ...compiler.ir.model import CallNode, Model, Spec
from ...compiler.ir.train import Train
from . import initialize
from .functions import Evaluation, Loss, Program, Shared

_numbers = itertools.count()


def build(
    spec: Spec,
    train: Train,
    folder: Path | None,
    device: torch.device,
    *,
    initial: bool = True,
    records: int | None = None,
    given: Collection[str] = (),
) -> Program:
    """The program of a section. Generated files lie in `folder` (else in a temporary one), so that a stack trace points
    at lines one can read; weights are the initial ones unless `initial` is false, and those at the paths `given` are left
    for whoever has them. `records` of the train split are needed to train: lengths of schedules follow from them."""
    files = sources(spec, train, records)
    with tempfile.TemporaryDirectory() as temporary:
        home = folder if folder is not None else Path(temporary)
        for name, text in files.items():
            if not (home / name).exists() or (home / name).read_text("utf-8") != text:
                (home / name).write_text(text, "utf-8", newline="\n")
        modules = {name: load(home / name) for name in files}
    nets: dict[str, nn.Module] = {}
    for net in train.nets:
        model = spec.models[net.model]
        made = construct(modules[file_of(net.name)], model)
        if initial:
            prefix = f"{net.name}." if net.name else ""
            initialize.fill(made, spec, model, train.seed, prefix, given)
        nets[net.name] = made.to(device)
    recipe = modules["recipe.py"]
    functions = recipe_functions(spec, train, records)
    return Program(
        nets,
        [[Loss(recipe, function, nets) for function in row] for row in functions.losses],
        Evaluation(recipe, functions.evaluation, nets),
        functions.evaluation.parts,
        [term.name for term in train.evaluation.terms],
        files,
        [None if f is None else Shared(_bound(recipe, f, nets), f.nets) for f in functions.shared],
        [None if f is None else _bound(recipe, f, nets) for f in functions.logged],
        [[_bound(recipe, function, nets) for function in row] for row in functions.groups],
    )


def _bound(recipe: ModuleType, function: NetFunction, nets: Mapping[str, nn.Module]) -> Callable[..., Any]:
    """A function of the recipe with its nets."""
    return partial(getattr(recipe, function.name), *(nets[name] for name in function.nets))


def file_of(net: str) -> str:
    """The generated file of a net."""
    return f"model_{net}.py" if net else "model.py"


def sources(spec: Spec, train: Train, records: int | None = None) -> dict[str, str]:
    """The generated files of a section by name."""
    found = {
        file_of(net.name): module_source(
            spec, spec.models[net.model], extra_outputs=extra_outputs(spec, train, net.name)
        )
        for net in train.nets
    }
    return {**found, "recipe.py": recipe_source(spec, train, records)}


def extra_outputs(spec: Spec, train: Train, net: str) -> tuple[str, ...]:
    """The taps and emits of a net that the expressions of the section read, beyond its declared outputs."""
    bodies = {train.evaluation.body, *(update.body for phase in train.phases for update in phase.updates)}
    bodies |= {body for phase in train.phases for body in (phase.shared, phase.log.body) if body is not None}
    model = spec.models[next(item.model for item in train.nets if item.name == net)]
    declared = len(spec.body_of(model).outputs)
    found: dict[str, None] = {}
    for index in sorted(bodies):
        for node in spec.bodies[index].nodes:
            if isinstance(node, CallNode) and node.instance == (net or "model"):
                found.update(dict.fromkeys(value.name for value in node.outputs[declared:]))
    return tuple(found)


def construct(module: ModuleType, model: Model) -> nn.Module:
    """The generated class, made without drawing PyTorch's default weights: all of them have to be filled."""
    return empty(getattr(module, class_name(model)))


def initial_module(spec: Spec, model: Model, seed: int) -> nn.Module:
    """A model with its initial weights."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "model.py"
        file.write_text(module_source(spec, model, resizable=False), "utf-8")
        module = load(file)
    made = construct(module, model)
    initialize.fill(made, spec, model, seed)
    return made


def load(file: Path) -> ModuleType:
    """Imports a generated file under a name of its own."""
    name = f"_dlc_generated_{next(_numbers)}_{file.stem}"
    found = importlib.util.spec_from_file_location(name, file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # NamedTuple looks its module up
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        found.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = bytecode
    return module
