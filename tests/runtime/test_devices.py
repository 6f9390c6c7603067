"""A device that has no end, behind a name in a spec or on the command line: refused before anything is read from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlc.cli.app import run as command_line

SPEC = """dlspec 1
data D {{ source = {source}; split = {split}; {field} }}
model M({input}) -> (y: [B, 2]) {{ y = x -> {stages} }}
train {{ model = M; data = D; loss = mean(y ** 2); optimizer = Adam(1e-2); batch = 8; duration = 2 steps }}
"""
NUMBERS = {
    "field": 'x: f32[2] = source.columns("a", "b")',
    "input": "x: [B, 2]",
    "stages": "Linear(2)",
    "split": "random(train = 0.8, val = 0.2)",
}
ARRAYS = NUMBERS | {"field": "x: f32[2] = source.x"}
TEXTS = {
    "field": "x: i64[T] = source.text -> words -> vocab(50) -> pad(0)",
    "input": "x: i64[B, T]",
    "stages": "Embedding(50, 2) -> mean(axis = 1)",
    "split": "random(train = 0.8, val = 0.2)",
}
STREAM = {
    "field": "x: i64[8] = source.tokens -> random_window(8)",
    "input": "x: i64[B, 8]",
    "stages": "Embedding(256, 2) -> mean(axis = 1)",
    "split": "contiguous(train = 0.8, val = 0.2)",
}
SOURCES = {
    'csv("z")': NUMBERS,
    'jsonl("z")': NUMBERS,
    'parquet("z")': NUMBERS,
    'feather("z")': NUMBERS,
    'npz("z")': ARRAYS,
    'text_lines("z")': TEXTS,
    'text("z")': STREAM,
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "z").symlink_to("/dev/zero")
    spec = tmp_path / "m.dlspec"
    spec.write_text(SPEC.format(source=source, **SOURCES[source]), "utf-8")
    assert command_line(["build", str(spec), "-o", str(tmp_path / "out")]) == 2
    assert "is a device, which may have no end" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".npz"])
def test_what_is_predicted(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n" + "1,2\n" * 30, "utf-8")
    spec = tmp_path / "m.dlspec"
    spec.write_text(SPEC.format(source='csv("rows.csv")', **NUMBERS) + 'export { onnx = "m.onnx" }\n', "utf-8")
    assert command_line(["train", str(spec), "--out", str(tmp_path / "run")]) == 0
    assert command_line(["export", str(tmp_path / "run"), "-o", str(tmp_path / "m.onnx")]) == 0
    (tmp_path / f"z{ending}").symlink_to("/dev/zero")
    for model in ("run", "m.onnx"):
        capsys.readouterr()
        assert command_line(["predict", str(tmp_path / model), str(tmp_path / f"z{ending}")]) == 2
        assert "device" in capsys.readouterr().err
