"""ONNX files whose weights are in other files: what is said when these are not there, or not whole."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import dlc
from dlc.runtime.api import export
from dlc.runtime.failure import BadInput
from dlc.runtime.inference import external_files


@pytest.fixture(params=["other", "linked"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model as `--linked` writes it, and as other programs save it."""
    (tmp_path / "s.dlspec").write_text(
        "dlspec 1\nmodel M(x: [B, 40]) -> (y: [B, 5]) { y = x -> fc: Linear(5) }\n", "utf-8"
    )
    path = tmp_path / "m.onnx"
    export(tmp_path / "s.dlspec", path, linked=request.param == "linked", verify=False)
    if request.param == "other":
        onnx.save(onnx.load(path), path, save_as_external_data=True, location="m" * 150 + ".data", size_threshold=0)
    return path


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        dlc.Session(path, "cpu")
    assert caught.value.code == "E0603"
    assert caught.value.helps
    return caught.value


def test_a_file_of_weights(model: Path) -> None:
    dlc.Session(model, "cpu")
    ((name, size),) = external_files.needed(model).items()
    weights = model.parent / name
    assert weights.stat().st_size - size in range(8)  # what pads a file
    content = weights.read_bytes()
    weights.write_bytes(content[: size - 1])
    assert f"`{name}`, which holds the weights of `{model}`, is cut short" in str(refused(model))
    weights.unlink()
    assert f"`{model}` keeps its weights in `{name}`, which is not in its folder" in str(refused(model))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_model_that_is_cut(tmp_path: Path, share: float) -> None:
    (tmp_path / "s.dlspec").write_text(
        "dlspec 1\nmodel M(x: [B, 4]) -> (y: [B, 5]) { y = x -> fc: Linear(5) }\n", "utf-8"
    )
    path = export(tmp_path / "s.dlspec", tmp_path / "m.onnx", verify=False).path
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    said = refused(path)
    assert ("is empty" in str(said)) == (not share)
    assert "get the file again" in said.helps[0]
