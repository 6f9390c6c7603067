"""Every entry of the catalogue with the wrong arguments ends in coded messages: too many, of another kind, unknown ones, none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.catalogue import (
    CLIPS,
    DRAWS,
    FAMILIES,
    FUNCTIONS,
    INITS,
    KEEPS,
    LAYERS,
    LOSSES,
    METHODS,
    METRICS,
    OPTIMIZERS,
    PRUNERS,
    SAMPLINGS,
    SEGMENTS,
    SIGNS,
    SOURCES,
    SPLITS,
    STOPS,
    TRANSFORMS,
    VALIDATIONS,
    WEIGHT_SOURCES,
)
from dlc.compiler.check import check

ARGUMENTS = [
    "", "()", "(x)", "(x, 3)", "(x, 3, 4)", "(x, x, x, x)", "(3)", "(3, 4, 5, 6, 7, 8, 9, 10, 11)", "(0)", "(-1)", "(2.5)",
    '("a")', '("a", "b", "c", "d", "e", "f", "g", "h", "i")', "(true)", "(none)", "([])", "([1, 2])", "((1, 2), 3)", "(relu)",
    "(Linear)", "(source.x)", "(x, unknown = 3)", "(unknown = x)", "(x = 3)", "(x = x, x = x)", "(B)", "(1e400)", "(2 epochs)",
]  # fmt: skip

SPEC = """dlspec 1
data D {{
  source = {source}
  split  = {split}
  x: f32[8] = source.x{transform}
}}
model M(x: [B, 8]) -> (y: [B, 8]) {{
  y = x -> fc: Linear(8)
  {init}
}}
train {{
  model     = M
  data      = D
  loss      = {loss}
  optimizer = {optimizer}
  batch     = 8
  duration  = 10 steps
  {key}
}}
{rest}
"""
USUAL = {
    "source": 'npz("a.npz")', "split": "random(train = 0.8, val = 0.2)", "transform": "", "init": "", "loss": "mse(y, x)",
    "optimizer": "Adam(1e-3)", "key": "", "rest": "",
}  # fmt: skip
#: Where an entry of a family stands in the spec.
PLACES = {
    SOURCES.root: ("source", "{}"),
    SPLITS.root: ("split", "{}"),
    TRANSFORMS.root: ("transform", " -> {}"),
    OPTIMIZERS.root: ("optimizer", "{}"),
    SEGMENTS.root: ("key", "lr = {}"),
    CLIPS.root: ("key", "clip = {}"),
    KEEPS.root: ("key", "keep = {}"),
    STOPS.root: ("key", "stop = {}"),
    VALIDATIONS.root: ("key", "validate = {}"),
    SAMPLINGS.root: ("key", "sampling = {}"),
    WEIGHT_SOURCES.root: ("key", "weights = {}"),
    METHODS.root: ("rest", "search {{ method = {}  objective = val.loss  trials = 2  lr = uniform(1e-4, 1e-2) }}"),
    PRUNERS.root: ("rest", "search {{ prune = {}  objective = val.loss  trials = 2  lr = uniform(1e-4, 1e-2) }}"),
    DRAWS.root: ("rest", "search {{ lr = {}  objective = val.loss  trials = 2 }}"),
    INITS.root: ("init", "init fc.weight = {}"),
    LOSSES.root: ("loss", "{}"),
    METRICS.root: ("key", "metrics = {{ m = {} }}"),
}
OPERATORS = [(family.root, name) for family in (LAYERS, FUNCTIONS) for name in family]
RECIPE = [(f.root, name) for f in FAMILIES if f not in (LAYERS, FUNCTIONS, SIGNS) for name in f]


def tried(entries: Sequence[tuple[str, str]]) -> list[Any]:
    """Each entry with a fourth of the arguments, and at full size with all of them."""
    few = [pytest.param(*entry, ARGUMENTS[at % 4 :: 4], id=entry[1]) for at, entry in enumerate(entries)]
    return few + [pytest.param(*entry, ARGUMENTS, id=f"{entry[1]}-all", marks=pytest.mark.long) for entry in entries]


def compiled(text: str, folder: Path) -> None:
    file = folder / "case.dlspec"
    file.write_text(text, "utf-8")
    for found in check(file).report.diagnostics:
        assert found.code and found.message


@pytest.mark.parametrize(("family", "name", "arguments"), tried(OPERATORS))
def test_an_operator(family: str, name: str, arguments: list[str], tmp_path: Path) -> None:
    for given in arguments:
        for call in (f"{name}{given}", f"x -> {name}{given}", f"(x, x) -> {name}{given}"):
            compiled(f"dlspec 1\nmodel M(x: [B, 8]) -> (y) {{ y = {call} }}\n", tmp_path)


@pytest.mark.parametrize(("family", "name", "arguments"), tried(RECIPE))
def test_an_entry_of_the_recipe(family: str, name: str, arguments: list[str], tmp_path: Path) -> None:
    key, form = PLACES[family]
    for given in arguments:
        compiled(SPEC.format(**{**USUAL, key: form.format(name + given)}), tmp_path)
