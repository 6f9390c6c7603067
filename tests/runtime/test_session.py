"""Sessions: what they say of a model, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dlc
from dlc.runtime.api import export
from dlc.runtime.failure import BadInput
from dlc.runtime.inference.providers import choose, why_not_cuda

TEXT = """dlspec 1
model M(image: [B, 3, H, W], ids: i64[B, T <= 12]) -> (y: [B, 4, _, _], z: [B, T, 5]) {
  require H % 4 == 0 and W % 4 == 0
  require H >= W, "the image has to be upright"
  y = image -> Conv(4, 4, stride = 4)
  z = ids -> Embedding(9, 5)
}
"""
GOOD = {"image": np.zeros((2, 3, 8, 4), np.float32), "ids": np.zeros((2, 6), np.int64)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session")
    (folder / "m.dlspec").write_text(TEXT, "utf-8")
    return export(folder / "m.dlspec", folder / "m.onnx", verify=False).path


@pytest.fixture
def session(model: Path) -> dlc.Session:
    return dlc.Session(model, "cpu", threads=1)


def refused(session: dlc.Session, **changed: object) -> BadInput:
    with pytest.raises(BadInput) as caught:
        session.predict({name: value for name, value in {**GOOD, **changed}.items() if value is not None})  # type: ignore[misc]
    return caught.value


def test_ports_and_metadata(session: dlc.Session) -> None:
    assert [str(port) for port in session.inputs] == ["image: float32[B, 3, H, W]", "ids: int64[B, T]"]
    assert [port.name for port in session.outputs] == ["y", "z"]
    assert session.dimensions == ("B", "H", "W", "T")
    assert session.metadata["dlc.spec"] == "m"
    assert session.metadata["dlc.weights"] == "initial, seed 0: not trained"
    assert session.metadata["dlc.parameters"] == str(4 * 3 * 16 + 4 + 45)
    assert session.provider.device == "cpu"
    assert repr(session).startswith("<dlc session m.onnx on cpu: image: float32[B, 3, H, W], ids: int64[B, T] -> y: ")


def test_predict(session: dlc.Session) -> None:
    found = session.predict(GOOD)
    assert {name: array.shape for name, array in found.items()} == {"y": (2, 4, 2, 1), "z": (2, 6, 5)}
    np.testing.assert_array_equal(session(**GOOD)["y"], found["y"])
    assert list(session.predict(GOOD, ["z"])) == ["z"]


def test_lists_and_whole_numbers_are_converted(session: dlc.Session) -> None:
    ones = np.ones((1, 3, 4, 4), np.int64)
    found = session.predict({"image": ones, "ids": [[1, 2]]})
    assert found["z"].shape == (1, 2, 5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image": None}, "missing input `image: float32[B, 3, H, W]`"),
        ({"imag": 1}, "the model has no input `imag`"),
        ({"image": np.zeros((2, 3, 8), np.float32)}, "`image` needs 4 axes, not 3"),
        ({"image": np.zeros((2, 1, 8, 4), np.float32)}, "axis 1 of `image` must be 3, not 1"),
        ({"ids": np.zeros((3, 6), np.int64)}, "`B` is 2 on axis 0 of `image` and 3 on axis 0 of `ids`"),
        ({"ids": np.zeros((2, 13), np.int64)}, "`T` is 13, but the model takes at most 12"),
        ({"ids": np.zeros((2, 0), np.int64)}, "axis 1 of `ids` is empty"),
        ({"image": np.zeros((2, 3, 6, 4), np.float32)}, "`H` is 6, which is not a multiple of 4"),
        ({"image": np.zeros((2, 3, 4, 8), np.float32)}, "the image has to be upright"),
        ({"ids": np.zeros((2, 6), np.float32)}, "`ids` must be int64, not float32"),
        ({"ids": [["a"]]}, "`ids` must be int64, not <U1"),
    ],
)
def test_refused(session: dlc.Session, changed: dict[str, object], message: str) -> None:
    assert str(refused(session, **changed)) == message


def test_near_names(session: dlc.Session) -> None:
    assert refused(session, imag=1).helps == ("did you mean `image`?",)
    with pytest.raises(BadInput, match="no output `x`"):
        session.predict(GOOD, ["x"])


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no model"):
        dlc.Session(tmp_path / "no.onnx")
    for content in (b"", b"not a model", b"\x08\x0b" * 100):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(BadInput, match="cannot be loaded as an ONNX model|is empty"):
            dlc.Session(tmp_path / "bad.onnx", "cpu")


def test_providers() -> None:
    assert choose("cpu").name == "CPUExecutionProvider"
    chosen = choose("auto")
    reason = why_not_cuda()
    assert chosen.device == ("cpu" if reason else "cuda")
    assert chosen.reason == reason
    if reason:
        with pytest.raises(BadInput, match="cannot run on CUDA"):
            choose("cuda")
    with pytest.raises(BadInput, match="no provider `tpu`"):
        choose("tpu")  # type: ignore[arg-type]


def test_without_torch(model: Path) -> None:
    """A process in which torch cannot be imported."""
    code = f"""
import sys
sys.modules["torch"] = None
import numpy, dlc
s = dlc.Session({str(model)!r}, "auto", threads=1)
print(s(image=numpy.zeros((1, 3, 4, 4), "f4"), ids=numpy.zeros((1, 2), "i8"))["z"].shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("(1, 2, 5)\n", "")


def test_other_weights_under_a_linked_model(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    (tmp_path / "m.dlspec").write_text(
        "dlspec 1\nmodel M(x: [B, 64]) -> (y: [B, 64]) { y = x -> fc: Linear(64) }", "utf-8"
    )
    made = export(tmp_path / "m.dlspec", tmp_path / "m.onnx", linked=True, verify=False)
    assert [file.name for file in made.files] == ["m.onnx", "m.safetensors"]
    dlc.Session(made.path, "cpu")
    weights = {name: array + 1 for name, array in load_file(made.files[1]).items()}
    save_file(weights, made.files[1], {"made_by": "dlc"})
    with pytest.raises(BadInput, match="not the weights file"):
        dlc.Session(made.path, "cpu")
