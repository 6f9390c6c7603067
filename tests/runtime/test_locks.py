"""One writer at a time: the second is told so, and what the first writes stays whole. Readers change nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dlc.runtime import api, locks
from dlc.runtime.checkpoints import atomic, checkpoint
from dlc.runtime.checkpoints.checkpoint import Checkpoint
from dlc.runtime.checkpoints.rundir import RunDir
from dlc.runtime.failure import BadInput, Elsewhere, InUse

HOLDER = """
import sys, time
from pathlib import Path
from dlc.runtime import locks
with locks.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
SPEC = """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.3, val = 0.7, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
  label: i64 = source.label
}
model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) { logits = image -> flatten -> fc: Linear(10) }
train {
  model = M
  data = D
  loss = cross_entropy(logits, label)
  optimizer = Adam(1e-2)
  batch = 64
  duration = 1 epochs
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "s.dlspec").write_text(SPEC, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes in `run` and exports to `m.onnx`."""
    (folder / "run").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, "run/.lock"], stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_run_in_a_directory(holder: subprocess.Popen[str], folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(InUse) as caught:
        api.train("s.dlspec", out="run", device="cpu")
    assert str(caught.value).startswith("`run` already holds a run, which ")
    assert f"process {holder.pid}" in str(caught.value) or "another process" in str(caught.value)
    assert (caught.value.exit_code, caught.value.code) == (2, "E0601")
    assert sorted(folder.rglob("*")) == before
    holder.kill()  # the lock dies with its process, and the file that it leaves is no obstacle
    holder.wait()
    api.train("s.dlspec", out="run", device="cpu")
    assert not (folder / "run" / locks.NAME).exists()
    with RunDir(folder / "run").held(), pytest.raises(InUse):
        api.train("s.dlspec", resume="run", device="cpu")
    with pytest.raises(BadInput, match="`run` already holds a run"):
        api.train("s.dlspec", out="run", device="cpu")


def test_the_second_export_to_a_file(folder: Path) -> None:
    with locks.held(folder / ".m.onnx.lock"):
        with pytest.raises(InUse, match=r"is exporting to `m\.onnx`"):
            api.export("s.dlspec", "m.onnx", verify=False)
        assert api.export("s.dlspec", "n.onnx", verify=False).path == Path("n.onnx")
    api.export("s.dlspec", "m.onnx", verify=False)
    assert sorted(path.name for path in folder.iterdir()) == ["m.onnx", "n.onnx", "s.dlspec"]


def test_who_waited_with_a_removed_file_takes_the_new_one(tmp_path: Path) -> None:
    with locks.held(tmp_path / "lock"):
        (tmp_path / "lock").unlink()
        with locks.held(tmp_path / "lock"), pytest.raises(locks.LockHeld), locks.held(tmp_path / "lock"):
            pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="lock"), locks.held(tmp_path / "lock"):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["log.txt", "metrics.csv", "images", "last"])
def test_a_run_from_elsewhere_with_a_link(name: str, folder: Path) -> None:
    """`log.txt` that leads to a file of the user's: continuing the run would write there."""
    run, outside = RunDir(folder / "run"), folder / "outside"
    run.path.mkdir()
    (run.path / name).symlink_to(outside)
    with pytest.raises(Elsewhere, match=f"`.*{name}` is a link"), run.held():
        run.log("a line")
    assert not outside.exists()
    assert [path.name for path in run.path.iterdir()] == [name]


def made(step: int) -> Checkpoint:
    return Checkpoint({"w": torch.full((3,), float(step))}, loop={"step": step})


@pytest.mark.parametrize("left", ["new", "old", "both"])
def test_readers_change_nothing(left: str, tmp_path: Path) -> None:
    """A crash, or another process between its two renames, leaves a checkpoint under another name."""
    run = RunDir(tmp_path)
    for name in ("new", "old") if left == "both" else (left,):
        checkpoint.write(tmp_path / name, made(2 if name == "new" else 1), {})
        (tmp_path / name).rename(tmp_path / f"last.{name}")
    before = sorted(tmp_path.rglob("*"))
    found = checkpoint.read(run.kept())
    assert found.loop["step"] == (1 if left == "old" else 2)
    assert sorted(tmp_path.rglob("*")) == before
    assert atomic.settle(run.last)
    assert checkpoint.read(run.last).loop == found.loop


def test_a_checkpoint_that_is_replaced_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "last"
    checkpoint.write(place, made(1), {})
    whole, again = checkpoint.tensors, [True]

    def replaced(file: Path) -> dict[str, torch.Tensor]:
        if again.pop() if again else False:
            checkpoint.write(place, made(2), {})
        return whole(file)

    monkeypatch.setattr(checkpoint, "tensors", replaced)
    found = checkpoint.read(place)
    assert found.loop["step"] == float(found.weights["w"][0]) == 2
