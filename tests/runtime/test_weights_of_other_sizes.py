"""A file of the same model in other sizes: the message gives the settings with which it fits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlc.compiler.check import check
from dlc.compiler.ir.expand import ParameterEntry, parameters
from dlc.compiler.ir.model import Model, Spec
from dlc.compiler.messages.source import Span
from dlc.runtime.weights.mismatch import diagnostic
from dlc.runtime.weights.other_sizes import whole_settings
from dlc.runtime.weights.plan import plan

SPEC = """\
dlspec 1

param classes = 3

block Layer(ratio = 4)(x: [B, D]) -> [B, D] {
  x -> fc1: Linear(ratio * D) -> relu -> fc2: Linear(D)
}

model M(width = 16, depth = 2)(x: [B, 5]) -> (y: [B, classes]) {
  h = x -> stem: Linear(width) -> layers: repeat depth { Layer }
  y = h -> fc: Linear(classes)
}
"""


def compiled(path: Path, settings: list[str]) -> tuple[Spec, Model, list[ParameterEntry]]:
    spec = check(path, settings).spec
    assert spec is not None
    return spec, spec.models[0], list(parameters(spec, spec.models[0]))


@pytest.mark.parametrize(
    "settings", [["M.width=24"], ["M.depth=5"], ["M.width=8", "M.depth=1"], ["M.width=32", "classes=7"]]
)
def test_the_help_gives_the_settings(settings: list[str], tmp_path: Path) -> None:
    path = tmp_path / "m.dlspec"
    path.write_text(SPEC)
    spec, model, ours = compiled(path, [])
    theirs = {entry.path: entry.shape for entry in compiled(path, settings)[2]}
    found = diagnostic(plan(None, ours, theirs), Span("", 0, 0), "the file", whole_settings(spec, model))
    assert found.helps[0].startswith("names are equal, sizes differ")
    given = re.findall(r"[\w.]+=\d+", found.helps[0])
    assert sorted(given) == sorted(settings)
    assert not plan(None, compiled(path, given)[2], theirs).mistakes


def test_other_names_are_not_other_sizes(tmp_path: Path) -> None:
    path = tmp_path / "m.dlspec"
    path.write_text(SPEC)
    spec, model, ours = compiled(path, [])
    theirs = {f"net.{entry.path}": entry.shape for entry in ours}
    found = diagnostic(plan(None, ours, theirs), Span("", 0, 0), "the file", whole_settings(spec, model))
    assert not any("sizes differ" in help for help in found.helps)
