"""What the disk refuses: a message that names the file and the reason, the last checkpoint whole, and a run that can be resumed."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import dlc
from dlc.backends import safetensors_file
from dlc.cli import main
from dlc.runtime import api, writing
from dlc.runtime.checkpoints import checkpoint
from dlc.runtime.checkpoints.checkpoint import Checkpoint
from dlc.runtime.checkpoints.rundir import MetricsFile
from dlc.runtime.training.events import Event, Validated
from dlc.runtime.writing import NotWritten

SPEC = """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.3, val = 0.7, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
  label: i64 = source.label
}
model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) { logits = image -> flatten -> fc: Linear(400) -> relu -> head: Linear(10) }
train {
  model = M
  data = D
  loss = cross_entropy(logits, label)
  metrics { acc = accuracy(logits, label) }
  optimizer = Adam(1e-2)
  batch = 64
  duration = 3 epochs
  keep = last
}
"""


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file of this process may have more bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def full_disk(patch: pytest.MonkeyPatch, after: int) -> list[int]:
    """From the `after`-th flush on, there is no room; the list counts flushes."""
    flushes, flush = [0], os.fsync

    def fsync(handle: int) -> None:
        flushes[0] += 1
        if flushes[0] > after:
            raise OSError(errno.ENOSPC, "No space left on device")  # as the system says it: without a file name
        flush(handle)

    patch.setattr(os, "fsync", fsync)
    return flushes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "s.dlspec").write_text(SPEC, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def weights(run: Path) -> bytes:
    return (run / "last" / "model.safetensors").read_bytes()


def test_a_run_that_cannot_save_is_resumed(folder: Path) -> None:
    api.train("s.dlspec", out="undisturbed", device="cpu")
    with file_limit(100_000), pytest.raises(NotWritten) as caught:
        api.train("s.dlspec", out="run", device="cpu")
    assert str(caught.value) == f"{Path('run/last')}: the file would be larger than this process may write"
    assert caught.value.notes == ("a file may have 97.7 KiB",)
    assert caught.value.helps == ("raise the limit: `ulimit -f unlimited`, then continue with `--resume`",)
    assert caught.value.exit_code == 1
    assert not list(Path("run").glob("**/*.new"))
    api.train("s.dlspec", resume="run", device="cpu")
    assert weights(Path("run")) == weights(Path("undisturbed"))
    assert Path("run/metrics.csv").read_bytes() == Path("undisturbed/metrics.csv").read_bytes()


@pytest.mark.parametrize("share", [0.05, 0.4, 0.6, 0.8, 0.95])
def test_a_disk_that_is_full_at_some_instant(share: float, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever write it meets, the run goes on from what is there, or starts again when nothing was recorded yet."""
    with pytest.MonkeyPatch.context() as patch:
        count = full_disk(patch, after=10**9)
        api.train("s.dlspec", out="undisturbed", device="cpu", save_every=0)
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(NotWritten, match="no space left on the device") as caught,
    ):
        full_disk(patch, after=int(share * count[0]))
        api.train("s.dlspec", out="run", device="cpu", save_every=0)
    assert "free in" in caught.value.notes[0]
    resumable = Path("run").exists()
    assert ("`--resume`" in caught.value.helps[0]) == resumable
    api.train("s.dlspec", out="run", resume=resumable, device="cpu")
    assert weights(Path("run")) == weights(Path("undisturbed"))


def test_a_checkpoint_that_is_refused_leaves_the_last_one(tmp_path: Path) -> None:
    import torch

    place = tmp_path / "last"
    checkpoint.write(place, Checkpoint({"w": torch.zeros(9)}, loop={"step": 1}), {})
    before = {file.name: file.read_bytes() for file in place.iterdir()}
    for after in range(2):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(NotWritten, match="no space left on the device"):
            full_disk(patch, after)
            checkpoint.write(place, Checkpoint({"w": torch.ones(9)}, loop={"step": 2}), {})
        assert {file.name: file.read_bytes() for file in place.iterdir()} == before
        assert os.listdir(tmp_path) == ["last"]


def test_a_run_that_is_removed_while_it_trains(folder: Path) -> None:
    def remove(event: Event) -> None:
        if isinstance(event, Validated):
            shutil.rmtree("run")

    with pytest.raises(NotWritten, match=r"^run.*its folder does not exist, or was removed"):
        api.train("s.dlspec", out="run", device="cpu", listener=remove)
    assert not Path("run").exists()


def test_a_line_that_was_cut_is_dropped(tmp_path: Path) -> None:
    """A full disk cuts `120,3,0.9` to `12`, which would be a step that the run resumes after."""
    file = tmp_path / "metrics.csv"
    file.write_text("step,epoch,val.loss\n11,1,0.5\n12", "utf-8")
    MetricsFile(file, ["val.loss"], 50)
    assert file.read_text("utf-8") == "step,epoch,val.loss\n11,1,0.5\n"


@pytest.mark.parametrize("linked", [False, True])
def test_an_export_that_does_not_fit(linked: bool, folder: Path) -> None:
    with file_limit(50_000), pytest.raises(NotWritten) as caught:
        dlc.export("s.dlspec", "out/m.onnx", linked=linked, verify=False)
    assert str(caught.value) == f"{Path('out/m.onnx')}: the file would be larger than this process may write"
    assert os.listdir(folder) == ["s.dlspec"]


def test_weights_that_do_not_fit(folder: Path) -> None:
    with file_limit(50_000), pytest.raises(NotWritten, match=r"w\.safetensors: the file would be larger"):
        api.export_weights("s.dlspec", "own", "w.safetensors")
    assert os.listdir(folder) == ["s.dlspec"]


@pytest.mark.parametrize("arguments", [["fmt", "s.dlspec"], ["build", "s.dlspec", "-o", "s"], ["new", "gpt2", "new"]])
def test_commands_that_write(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is lost: the file that `dlc fmt` formats is there as it was."""
    with file_limit(100):
        assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "error[E0602]: " in said
    assert "the file would be larger than this process may write" in said
    assert Path("s.dlspec").read_text("utf-8") == SPEC
    assert not list(folder.rglob("*.new"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
def test_an_error_without_a_file_name(number: int, tmp_path: Path) -> None:
    with pytest.raises(NotWritten) as caught, writing.writing(tmp_path / "a" / "b"):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith(f"{tmp_path / 'a' / 'b'}: ")
    assert caught.value.helps[0].endswith(", then run the command again")
    assert caught.value.code == "E0602"


def test_standard_output_on_a_full_disk(dlc_process: Callable[..., tuple[int, str]], folder: Path) -> None:
    code, said = dlc_process("check", "s.dlspec", stdout="/dev/full")
    assert code == 1
    assert said.startswith("error[E0602]: no space left on the device\n")
    assert "Traceback" not in said


def test_equal_tensors_make_equal_bytes(tmp_path: Path) -> None:
    """And the library reads them: every type, scalars, empty ones, views that share memory."""
    import torch
    from safetensors import safe_open

    kinds = [
        torch.float32,
        torch.bfloat16,
        torch.float16,
        torch.float64,
        torch.int64,
        torch.int32,
        torch.int8,
        torch.bool,
    ]
    tensors = {f"t{number}": torch.arange(6).reshape(2, 3).to(kind) for number, kind in enumerate(kinds)}
    tensors |= {"scalar": torch.tensor(3.0), "empty": torch.zeros(0, 3), "view": tensors["t0"].T, "ü": torch.ones(1)}
    metadata = {"format": "pt", "spec": "a", "b": "c", "d": "e"}
    checkpoint.save(tensors, tmp_path / "a", metadata)
    checkpoint.save(dict(reversed(tensors.items())), tmp_path / "b", dict(reversed(metadata.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with safe_open(tmp_path / "a", "pt") as opened:
        assert opened.metadata() == metadata
        assert {name: opened.get_tensor(name).tolist() for name in opened.keys()} == {  # noqa: SIM118
            name: tensor.tolist() for name, tensor in tensors.items()
        }
        assert all(opened.get_tensor(name).dtype == tensor.dtype for name, tensor in tensors.items())
    assert all(
        extent.offset % 8 == 0 for name, extent in safetensors_file.contents(tmp_path / "a").items() if name == "t3"
    )
