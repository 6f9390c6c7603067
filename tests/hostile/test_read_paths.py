"""What a spec reads lies at a path relative to the spec, in every source: no entry takes an absolute one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlc.compiler.catalogue import SOURCES, WEIGHT_SOURCES
from dlc.compiler.check import check

SPEC = """dlspec 1
data D { source = SOURCE; split = all("train"); x: f32[4] = source.x; y: f32[2] = source.y }
model M(x: [B, 4]) -> (z: [B, 2]) { z = x -> fc: Linear(2) }
train { model = M; data = D; loss = mse(z, y); optimizer = SGD(0.1); batch = 4; duration = 1 steps; weights = WEIGHTS }
"""
PATHS = [
    (kind, name, key)
    for kind, entries in (("SOURCE", SOURCES), ("WEIGHTS", WEIGHT_SOURCES))
    for name, entry in entries.items()
    for key, annotation, _ in entry.arguments
    if annotation == "Path"
]


def test_every_kind_is_here() -> None:
    assert {("SOURCE", "csv", "path"), ("SOURCE", "image_pairs", "second"), ("WEIGHTS", "file", "path")} <= set(PATHS)


@pytest.mark.parametrize(("kind", "name", "key"), PATHS)
def test_an_absolute_path(kind: str, name: str, key: str, tmp_path: Path) -> None:
    entry = SOURCES[name] if kind == "SOURCE" else WEIGHT_SOURCES[name]
    for path, absolute in (("/etc/passwd", True), ("a/b.csv", False), ("../b.csv", False)):
        others = (f'{other} = "b"' for other, text, _ in entry.arguments if text == "Path" and other != key)
        more = tuple(f'{other} = "u16"' for other, _, _ in entry.arguments if other == "dtype")
        given = ", ".join((f'{key} = "{path}"', *others, *more))
        defaults = {"SOURCE": 'csv("a.csv")', "WEIGHTS": 'file("w.pt")'} | {kind: f"{name}({given})"}
        spec = tmp_path / "s.dlspec"
        spec.write_text(SPEC.replace("SOURCE", defaults["SOURCE"]).replace("WEIGHTS", defaults["WEIGHTS"]), "utf-8")
        refused = [d for d in check(spec).report.diagnostics if "is an absolute path" in d.message]
        assert [d.code for d in refused] == ["E0412"] * absolute, path
