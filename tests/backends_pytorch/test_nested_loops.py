"""Loops and groups in each other, with and without labels: every accepted nesting has names that are all its own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch

from dlc.backends.pytorch.load import load_source
from dlc.backends.pytorch.module import module_source
from dlc.compiler.analysis.verify import verify
from dlc.compiler.check import check
from dlc.compiler.ir.expand import parameters
from dlc.compiler.ir.model import Spec
from dlc.tests.programs_run import differences, unshared_source

LABELS = ("a", "b", "c.d", "linear_2")


def stages(chance: random.Random, depth: int) -> str:
    return " -> ".join(stage(chance, depth) for _ in range(chance.randint(1, 3)))


def stage(chance: random.Random, depth: int) -> str:
    kinds = (
        ("layer", "layer", "function", "block")
        if depth == 0
        else ("layer", "function", "block", "group", "loop", "loop", "if")
    )
    label = f"{chance.choice(LABELS)}: " if chance.random() < 0.3 else ""
    match chance.choice(kinds):
        case "layer":
            return f"{label}Linear(8)"
        case "function":
            return "relu"
        case "block":
            return f"{label}Unit"
        case "group":
            return f"{label}{{ {stages(chance, depth - 1)} }}"
        case "if":
            return f"{label}if {chance.choice(('training', 'd > 4'))} {{ {stages(chance, depth - 1)} }}"
        case _:
            head = chance.choice(("repeat 1", "repeat 2", "repeat 3", "for n in [8, 8]", "for n in [8, 6, 8]"))
            inner = stages(chance, depth - 1)
            return f"{label}{head} {{ {inner}{' -> Linear(n) -> Linear(8)' if 'for' in head else ''} }}"


def program(chance: random.Random) -> str:
    return (
        "dlspec 1\n"
        "block Unit(x: [B, D]) -> [B, D] { x -> fc: Linear(D) -> tanh }\n"
        f"model M(d = 8)(x: [B, 8]) -> (y: [B, 8]) {{\n  h = x -> {stages(chance, 3)}\n  y = h -> {stages(chance, 3)}\n}}\n"
    )


def compared(spec: Spec, text: str) -> None:
    assert verify(spec) == [], text
    (model,) = spec.models
    source = module_source(spec, model)
    with torch.device("meta"):
        module: Any = load_source(source).M()
    entries = list(parameters(spec, model))
    assert set(module.state_dict()) == {entry.path for entry in entries}, text
    assert not differences(spec, model, [unshared_source(spec, model), source]), text


def test_every_accepted_nesting(tmp_path: Path, sizes: Any) -> None:
    seed, accepted = random.randrange(2**32), 0
    for case in range(3000 if sizes.full else 30):
        text = program(random.Random(seed + case))
        path = tmp_path / "nested.dlspec"
        path.write_text(text, "utf-8")
        checked = check(path)
        if checked.spec is not None:
            accepted += 1
            try:
                compared(checked.spec, text)
            except Exception as failure:
                raise AssertionError(f"seed {seed + case}: {failure!r}\n{text}") from failure
    assert accepted > (300 if sizes.full else 0)


def test_a_loop_in_a_group_in_a_loop(tmp_path: Path) -> None:
    """Each level counts for itself."""
    path = tmp_path / "vgg.dlspec"
    path.write_text(
        "dlspec 1\nmodel M(x: [B, 3, 16, 16]) -> (y: [B, 8]) {\n"
        "  y = x -> features: for w in [4, 8] { { repeat 2 { Conv(w, 3, pad = 1) -> relu } -> max_pool(2) } }"
        " -> global_avg_pool\n}\n",
        "utf-8",
    )
    spec = check(path).spec
    assert spec is not None
    names = [entry.path for entry in parameters(spec, spec.models[0]) if entry.leaf == "weight"]
    assert names == ["features.0.0.weight", "features.0.2.weight", "features.1.0.weight", "features.1.2.weight"]
    compared(spec, "")
