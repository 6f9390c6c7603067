"""A spec writes below the run or the current directory, and over nothing that dlc did not write; the command line may."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import dlc
from dlc.cli import main
from dlc.compiler.check import check
from dlc.runtime import api, destination
from dlc.runtime.failure import Elsewhere
from dlc.runtime.spec import SpecError

SPEC = 'dlspec 1\nmodel M(x: [B, 4]) -> (y: [B, 3]) { y = x -> fc: Linear(3) }\nexport { onnx = "m.onnx" }\n'
OUTSIDE = ["../x.onnx", "../../x.onnx", "a/../../x.onnx", "a/../x.onnx", "/tmp/x.onnx", "..", "link/x.onnx", "a\0b"]
BELOW = ["x.onnx", "a/x.onnx", "a/b/x.onnx", "./x.onnx", "..x.onnx"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    (work / "m.dlspec").write_text(SPEC, "utf-8")
    (work / "link").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.chdir(work)
    return work


@pytest.mark.parametrize("run", [None, "runs/m/1"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_outside(name: str, run: str | None, folder: Path) -> None:
    place = None if run is None else Path(run)
    if place is not None:
        (place / "export").mkdir(parents=True)
        (place / "export" / "link").symlink_to(folder, target_is_directory=True)
    with pytest.raises(Elsewhere, match="is outside the"):
        destination.default(name, place, None)


@pytest.mark.parametrize("name", BELOW)
def test_below(name: str, folder: Path) -> None:
    assert destination.default(name, None, None) == Path(name)
    assert destination.default(name, Path("run"), None) == Path("run", "export", name)


def test_an_export_outside_needs_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = folder / "out.dlspec"
    spec.write_text(SPEC.replace("m.onnx", "../../x.onnx"), "utf-8")
    assert [d.code for d in check(spec).report.diagnostics] == ["W0410"]
    before = sorted(folder.parent.rglob("*"))
    assert main(["export", "out.dlspec", "--no-verify"]) == 2
    said = capsys.readouterr().err
    assert "error[E0604]: `../../x.onnx` is outside the current directory" in said
    assert "--> out.dlspec:3:1" in said
    assert "`-o FILE`" in said
    assert sorted(folder.parent.rglob("*")) == before
    assert main(["export", "out.dlspec", "--no-verify", "-o", "../x.onnx"]) == 0
    assert (folder.parent / "x.onnx").exists()


def test_only_an_earlier_export_is_replaced(folder: Path) -> None:
    spec = folder / "m.dlspec"
    for victim in ("m.dlspec", "theirs.onnx", "empty.onnx"):
        shutil.copy(spec, folder / "spec.dlspec")
        if victim != "m.dlspec":
            (folder / victim).write_bytes(b"\x08\x0a\x12\x07pytorch" if victim == "theirs.onnx" else b"")
        (folder / "spec.dlspec").write_text(SPEC.replace("m.onnx", victim), "utf-8")
        before = (folder / victim).read_bytes()
        with pytest.raises(SpecError, match="already exists, and dlc did not write it"):
            dlc.export("spec.dlspec", verify=False)
        assert (folder / victim).read_bytes() == before
    first = dlc.export("m.dlspec", verify=False)
    assert dlc.export("m.dlspec", verify=False).files == first.files
    assert dlc.export("m.dlspec", "theirs.onnx", verify=False).path == Path("theirs.onnx")  # named by the caller


def test_files_next_to_the_model(folder: Path) -> None:
    """`--linked` writes `m.safetensors` next to `m.onnx`: not over weights that came from elsewhere."""
    save_file({"fc.weight": np.zeros((3, 4), np.float32)}, folder / "m.safetensors")
    before = (folder / "m.safetensors").read_bytes()
    with pytest.raises(Elsewhere, match=r"`m\.safetensors` already exists"):
        dlc.export("m.dlspec", linked=True, verify=False)
    assert (folder / "m.safetensors").read_bytes() == before
    assert not (folder / "m.onnx").exists()
    (folder / "m.safetensors").unlink()
    dlc.export("m.dlspec", linked=True, verify=False)
    dlc.export("m.dlspec", linked=True, verify=False)


def test_weights_of_another_library_stay(folder: Path) -> None:
    (folder / "hub").mkdir()
    for theirs in (Path("m.own.safetensors"), Path("hub/model.safetensors")):
        save_file({"w": np.zeros(3, np.float32)}, theirs)
    for to in (None, "hub"):
        with pytest.raises(Elsewhere, match="already exists, and dlc did not write it"):
            api.export_weights("m.dlspec", "own", to)
    assert api.export_weights("m.dlspec", "own", "hub/ours.safetensors").tensors == 2
    assert api.export_weights("m.dlspec", "own", "hub/model.safetensors").path == Path("hub/model.safetensors")


def test_the_name_of_a_run_from_elsewhere(folder: Path) -> None:
    """`ir.json` of a run names the spec, and with it the file: it may not lead out of the run."""
    with pytest.raises(Elsewhere):
        destination.default("../../../evil.onnx", Path("run"), None)
    with pytest.raises(Elsewhere):
        destination.default("/abs.own.safetensors", Path("run"), None)
