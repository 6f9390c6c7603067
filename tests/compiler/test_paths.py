"""Paths of layers: what takes a number in a group, and what does not."""

from __future__ import annotations

from pathlib import Path

from dlc.compiler.check import check
from dlc.compiler.ir.expand import parameters


def test_a_function_in_an_argument_is_no_stage(tmp_path: Path) -> None:
    """It takes no number from the layers around it."""
    spec = tmp_path / "m.dlspec"
    spec.write_text(
        "dlspec 1\n"
        "block Kept(x: [B, D], keep: bool[B]) -> [B, D] { h = x -> fc: Linear(D); where(keep[:, none], h, x) }\n"
        "model M(x: [B, 8]) -> (y: [B, 8]) {\n"
        "  y = x -> a: repeat 2 { Kept(keep = zeros([B]) < 1) } -> b: { relu -> Kept(keep = ones([B]) > zeros([B])) }\n"
        "}\n",
        "utf-8",
    )
    found = check(spec).spec
    assert found is not None
    paths = [entry.path for entry in parameters(found, found.models[0]) if entry.path.endswith("weight")]
    assert paths == ["a.0.fc.weight", "a.1.fc.weight", "b.1.fc.weight"]
