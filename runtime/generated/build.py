"""From the IR to running code: source generated, run as modules, given first weights, and tied together.

What runs is generated now from the IR, which a run keeps in `ir.json`. The files `model.py` and `recipe.py` of a run are records: nothing
here writes them, and they are executed only where they hold the very text that is generated, or where the user asks for
the edited ones. A run that came from elsewhere can thus be evaluated without running code that came with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ...backends.pytorch.load import empty, load_source
from ...backends.pytorch.module import class_name, module_source
from ...backends.pytorch.recipe import recipe_functions, recipe_source
from ...backends.pytorch.signatures import NetFunction
from ...compiler.catalogue import balanced
from ...compiler.ir.model import CallNode, Model, Spec
from ...compiler.ir.train import Train
from ...compiler.messages import training as errors
from ...compiler.messages.diagnostics import Failed
from . import initialize
from .functions import Evaluation, Loss, Program, Shared


def build(
    spec: Spec,
    train: Train,
    folder: Path | None,
    device: torch.device,
    *,
    initial: bool = True,
    records: int | None = None,
    given: Collection[str] = (),
    files: Mapping[str, str] | None = None,
) -> Program:
    """The program of a section. Nothing is written: where `folder` holds the same text, a stack trace points at its file.

    Weights are the initial ones unless `initial` is false, and those at the paths `given` are left to the caller.
    `records` of the train split are needed to train: lengths of schedules follow from them. `files` are run
    instead of what `sources` gives."""
    files = sources(spec, train, records) if files is None else files
    modules = {name: load_source(text, name, _place(folder, name, text)) for name, text in files.items()}
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


def _place(folder: Path | None, name: str, text: str) -> Path | None:
    """The file in the folder, if it holds this text."""
    if folder is None:
        return None
    try:
        return folder / name if (folder / name).read_text("utf-8") == text else None
    except (OSError, UnicodeDecodeError):
        return None


def file_of(net: str) -> str:
    """The generated file of a net."""
    return f"model_{net}.py" if net else "model.py"


def sources(spec: Spec, train: Train, records: int | None = None, *, resizable: bool = True) -> dict[str, str]:
    """The generated files of a section by name; sizes in them are numbers where they need not be `resizable`. Raises Failed where the
    classes of a loss are yet to be counted."""
    for index in balanced.bodies_of(train):
        for node in balanced.balanced_losses(spec.bodies[index]):
            raise Failed(errors.balance_uncounted(node.span))
    found = {
        file_of(net.name): module_source(
            spec, spec.models[net.model], extra_outputs=extra_outputs(spec, train, net.name), resizable=resizable
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
    made = construct(load_source(module_source(spec, model, resizable=False)), model)
    initialize.fill(made, spec, model, seed)
    return made
