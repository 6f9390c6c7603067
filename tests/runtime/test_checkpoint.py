"""A checkpoint is whole or not there, whatever instant the process ends at; a damaged one is a message."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dlc.backends import safetensors_file
from dlc.runtime.checkpoints import atomic, checkpoint
from dlc.runtime.checkpoints.checkpoint import Checkpoint
from dlc.runtime.failure import BadInput


def made(value: float) -> Checkpoint:
    return Checkpoint({"w": torch.full((2, 3), value)}, None, {"s": torch.tensor(value)}, {"step": int(value)})


class Crash(Exception):
    """The process ends here."""


def crash_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Ends the process before the `count`-th call that changes the file system from now on."""
    left = [count]

    def guarded(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return function(*args, **kwargs)

        return call

    for module, name in ((os, "rename"), (os, "replace"), (safetensors_file, "write"), (shutil, "rmtree")):
        monkeypatch.setattr(module, name, guarded(getattr(module, name)))


def test_a_crash_at_any_instant_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    place = tmp_path / "last"
    seen: set[float] = set()
    for instant in range(12):
        checkpoint.write(place, made(1), {})
        with pytest.MonkeyPatch.context() as patch:
            crash_after(patch, instant)
            try:
                checkpoint.write(place, made(2), {})
                finished = True
            except Crash:
                finished = False
        assert atomic.settle(place)
        found = checkpoint.read(place)
        assert float(found.weights["w"][0, 0]) == float(found.state["s"]) == found.loop["step"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["last"]
        seen.add(found.loop["step"])
        if finished:
            assert found.loop["step"] == 2
    assert seen == {1, 2}


def test_a_crash_in_the_first_checkpoint_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    for instant in range(8):
        place = tmp_path / str(instant) / "last"
        place.parent.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            crash_after(patch, instant)
            try:
                checkpoint.write(place, made(1), {})
            except Crash:
                pass
        if atomic.settle(place):
            assert checkpoint.read(place).loop["step"] == 1


@pytest.mark.parametrize("name", ["model.safetensors", "state.safetensors", "loop.json"])
@pytest.mark.parametrize("keep", [0, 5, 60])
def test_a_truncated_file_is_named(tmp_path: Path, name: str, keep: int) -> None:
    place = tmp_path / "last"
    checkpoint.write(place, made(1), {})
    file = place / name
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(BadInput) as caught:
        checkpoint.read(place)
    assert f"`{file}` is damaged" in str(caught.value)


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "last"
    checkpoint.write(place, made(1), {})
    file = place / "model.safetensors"
    size = file.stat().st_size
    for data in (b"\x80\x04cos\nsystem\n", b"\xff" * 8, (2**62).to_bytes(8, "little") + b"{}"):
        file.write_bytes(data.ljust(size, b"\0"))
        with pytest.raises(BadInput, match="is damaged"):
            checkpoint.read(place)


def test_another_model_is_told_apart(tmp_path: Path) -> None:
    ours = {"fc.weight": torch.zeros(3, 2), "head.weight": torch.zeros(1)}
    theirs = {"fc.weight": torch.zeros(3, 4), "old.weight": torch.zeros(1)}
    with pytest.raises(BadInput) as caught:
        checkpoint.compare(ours, theirs, tmp_path)
    assert "belongs to another model" in str(caught.value)
    assert caught.value.notes == (
        "only in the model: head.weight",
        "only in the checkpoint: old.weight",
        "shapes differ: `fc.weight` is [3, 4] there, [3, 2] here",
    )


def test_nothing_is_unpickled() -> None:
    package = Path(checkpoint.__file__).parent
    for file in package.rglob("*.py"):
        text = file.read_text("utf-8")
        assert "import pickle" not in text, file
        assert "torch.load(" not in text.replace("torch.load(path, weights_only=True", ""), file
