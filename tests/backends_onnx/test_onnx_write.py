"""Files: packed, external and linked, whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from dlc.backends.onnx import lower, stored, to_bytes, write, write_linked, write_packed
from dlc.backends.safetensors_file import fingerprint

SPEC = """
model M(x: [B, T, 40]) -> (y: [B, T, 40]) {
  y = x -> fc: Linear(40) -> lstm: LSTM(40).y
}
"""


def output(file: Path, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 3, 40)).astype(np.float32)


def test_packed_is_one_file_that_onnx_reads(lowered: Callable[..., Any], tmp_path: Path, x: np.ndarray) -> None:
    made = lowered(SPEC)
    file = tmp_path / "deep" / "m.onnx"
    assert write_packed(made.model, file) == [file]
    assert os.listdir(file.parent) == ["m.onnx"]
    assert file.read_bytes() == to_bytes(made.model)
    proto = onnx.load(str(file))
    onnx.checker.check_model(proto, full_check=True)
    found = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    np.testing.assert_array_equal(found["fc.weight"], made.weights["fc.weight"])
    np.testing.assert_array_equal(output(file, x), made.run(x=x)["y"])


def test_writing_leaves_the_model_as_it_was(lowered: Callable[..., Any], tmp_path: Path) -> None:
    made = lowered(SPEC)
    assert to_bytes(made.model) == to_bytes(made.model)
    write_packed(made.model, tmp_path / "a.onnx")
    write_packed(made.model, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_scalars_stay_scalars(lowered: Callable[..., Any]) -> None:
    made = lowered("model M(x: [B, 3]) -> (y: [B, 3]) { s = Param([], init = ones)\n y = x * s }")
    proto = onnx.load_from_string(to_bytes(made.model))
    assert [list(t.dims) for t in proto.graph.initializer if t.name == "s"] == [[]]


def test_large_models_keep_their_weights_apart(
    lowered: Callable[..., Any], tmp_path: Path, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lowered(SPEC)
    monkeypatch.setattr(write, "LIMIT", 1000)
    files = write_packed(made.model, tmp_path / "m.onnx")
    assert [file.name for file in files] == ["m.onnx", "m.onnx.data"]
    assert sorted(os.listdir(tmp_path)) == ["m.onnx", "m.onnx.data", "spec.dlspec"]
    assert files[0].stat().st_size < 10_000
    onnx.checker.check_model(str(files[0]))
    np.testing.assert_array_equal(output(files[0], x), made.run(x=x)["y"])


def test_linked_points_into_the_safetensors_file(lowered: Callable[..., Any], tmp_path: Path, x: np.ndarray) -> None:
    made = lowered(SPEC)
    run = tmp_path / "run"
    run.mkdir()
    save_file(made.weights, run / "model.safetensors")
    model = lower(made.spec, made.ir_model, stored(run / "model.safetensors"))
    files = write_linked(model, tmp_path / "out" / "m.onnx", run / "model.safetensors")
    assert [file.name for file in files] == ["m.onnx", "m.safetensors"]
    assert os.path.samefile(files[1], run / "model.safetensors"), "a hard link"
    proto = onnx.load(str(files[0]), load_external_data=False)
    external = {t.name for t in proto.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL}
    assert {"fc.weight", "fc.bias"} <= external
    assert "lstm/W_l0" not in external, "reordered gates are embedded"
    np.testing.assert_array_equal(output(files[0], x), made.run(x=x)["y"])


def test_linked_beside_the_weights_uses_them(lowered: Callable[..., Any], tmp_path: Path) -> None:
    made = lowered(SPEC)
    save_file(made.weights, tmp_path / "w.safetensors")
    model = lower(made.spec, made.ir_model, stored(tmp_path / "w.safetensors"))
    files = write_linked(model, tmp_path / "m.onnx", tmp_path / "w.safetensors")
    assert [file.name for file in files] == ["m.onnx", "w.safetensors"]


def test_a_failure_leaves_nothing(lowered: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = lowered(SPEC)

    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(write, "_write", full)
    with pytest.raises(OSError, match="no space"):
        write_packed(made.model, tmp_path / "out" / "m.onnx")
    assert os.listdir(tmp_path / "out") == []


def test_a_safetensors_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    for content in (
        b"",
        b"abc",
        b"\xff" * 64,
        (10**6).to_bytes(8, "little") + b"{}",
        (9).to_bytes(8, "little") + b"not json!",
    ):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"w\.safetensors"):
            stored(file)


def test_a_safetensors_file_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file({"a": np.zeros(100, np.float32)}, file)
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(ValueError, match="cut short"):
        stored(file)


@given(st.binary(max_size=80), st.integers(0, 120))
def test_a_damaged_header_is_a_value_error(data: bytes, at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "w.safetensors"
        save_file({"a": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.int64)}, file)
        whole = file.read_bytes()
        file.write_bytes(whole[:at] + data + whole[at + len(data) :])
        with contextlib.suppress(ValueError):
            for value in stored(file).values():
                value.array()


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b'{"a": 1}',
        b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}',
    ],
)
def test_a_hostile_header(tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(ValueError, match=r"w\.safetensors"):
        stored(file)


def test_the_fingerprint_sees_other_weights(tmp_path: Path) -> None:
    save_file({"a": np.zeros(10_000, np.float32)}, tmp_path / "a.safetensors")
    save_file({"a": np.ones(10_000, np.float32)}, tmp_path / "b.safetensors")
    assert fingerprint(tmp_path / "a.safetensors") != fingerprint(tmp_path / "b.safetensors")
