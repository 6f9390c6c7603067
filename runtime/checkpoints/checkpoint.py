"""Checkpoints: weights as safetensors, the optimizer and the loop apart, whole or not there at all.

A checkpoint is a directory. It is written next to its place, flushed, and renamed; `atomic.settle` finishes what a crash between
two renames left. Nothing that is read is ever unpickled.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...backends import safetensors_file
from ...backends.safetensors_file import Content
from ...compiler.dataclass import dataclass, field
from .. import not_finite
from ..destination import MADE_BY
from ..failure import BadInput, damaged
from ..forms import FormReader, NotOfForm
from ..writing import RESUME, write_text, writing
from . import atomic
from .records import CheckpointRecord
from .rundir import AVERAGED, WEIGHTS

STATE = "state.safetensors"
LOOP = atomic.LAST_WRITTEN
RECORD = FormReader(CheckpointRecord)


@dataclass
class Checkpoint:
    """Everything a run needs to continue. `state` are tensors of the optimizers and generators, `loop` plain numbers."""

    weights: dict[str, Tensor]
    averaged: dict[str, Tensor] | None = None
    state: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    loop: dict[str, Any] = field(default_factory=dict[str, Any])


def write(place: Path, checkpoint: Checkpoint, metadata: Mapping[str, str]) -> None:
    """Puts a checkpoint at `place`; a crash at any instant leaves the old one or the new one there (see `atomic.settle`). Raises
    NotWritten when the disk refuses it; then the old one is there and nothing of the new one."""
    fresh = place.with_name(place.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    with writing(place, RESUME):
        try:
            _write(fresh, checkpoint, metadata)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)  # its space is needed
            raise
        atomic.replace(fresh, place)


def _write(fresh: Path, checkpoint: Checkpoint, metadata: Mapping[str, str]) -> None:
    fresh.mkdir()
    _save(checkpoint.weights, fresh / WEIGHTS, metadata)
    if checkpoint.averaged is not None:
        _save(checkpoint.averaged, fresh / AVERAGED, metadata)
    if checkpoint.state:
        _save(checkpoint.state, fresh / STATE, metadata)
    sizes = {file.name: file.stat().st_size for file in sorted(fresh.iterdir())}
    write_text(fresh / LOOP, json.dumps({**checkpoint.loop, "files": sizes}, indent=1))
    atomic.flush(fresh)


def _save(tensors: Mapping[str, Tensor], file: Path, metadata: Mapping[str, str]) -> None:
    save(tensors, file, {"format": "pt", "made_by": MADE_BY, **metadata})


def save(tensors: Mapping[str, Tensor], file: Path, metadata: Mapping[str, str]) -> None:
    """A new safetensors file, one tensor at a time through the host's memory. Raises OSError."""
    safetensors_file.write(file, {name: _content(tensor) for name, tensor in tensors.items()}, metadata)


def _content(tensor: Tensor) -> Content:
    def data() -> memoryview:
        return tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy().data

    return Content(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), data)


def read(place: Path, *, everything: bool = True) -> Checkpoint:
    """A checkpoint; a damaged one is a message that names the file. Read again when a run that is training replaces it meanwhile."""
    for _ in range(3):
        before = _stamp(place)
        try:
            found = _read(place, everything)
        except BadInput:
            if _stamp(place) == before:
                raise
            continue
        if _stamp(place) == before:
            return found
    return _read(place, everything)


def _stamp(place: Path) -> tuple[int, int] | None:
    """Distinguishes a checkpoint from the next one at the same place."""
    try:
        status = (place / LOOP).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _read(place: Path, everything: bool) -> Checkpoint:
    try:
        text = (place / LOOP).read_text("utf-8")
        sizes = RECORD.read(text).files
    except FileNotFoundError:
        raise BadInput(
            f"there is no checkpoint in `{place}`", helps=(f"name the run, `{place.parent}`: it knows what it kept",)
        ) from None
    except (NotOfForm, OSError, ValueError) as error:
        raise damaged(place / LOOP, str(error)) from None
    loop = {name: value for name, value in json.loads(text).items() if name != "files"}
    for name, size in sizes.items():
        found = (place / name).stat().st_size if (place / name).exists() else -1
        if found != size:
            why = "it is missing" if found < 0 else f"it has {found:,} bytes, {size:,} were written"
            raise damaged(place / name, why)
    averaged = tensors(place / AVERAGED) if AVERAGED in sizes else None
    state = tensors(place / STATE) if everything and STATE in sizes else {}
    return Checkpoint(tensors(place / WEIGHTS), averaged, state, loop)


def tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    try:
        with safe_open(file, "pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise damaged(file, "it is missing") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(file, str(error).splitlines()[0]) from None


def compare(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], where: Path) -> None:
    """Raises when names or shapes of a checkpoint are not those of the model."""
    missing = [name for name in ours if name not in theirs]
    unused = [name for name in theirs if name not in ours]
    changed = [
        f"`{name}` is {list(theirs[name].shape)} there, {list(ours[name].shape)} here"
        for name in ours
        if name in theirs and ours[name].shape != theirs[name].shape
    ]
    if not (missing or unused or changed):
        return
    notes = tuple(
        f"{what}: {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"
        for what, names in (
            ("only in the model", missing),
            ("only in the checkpoint", unused),
            ("shapes differ", changed),
        )
        if names
    )
    raise BadInput(
        f"the checkpoint in {where} belongs to another model",
        notes=notes,
        helps=("undo the change to the spec, or train from scratch without `--resume`",),
    )


def check_finite(weights: Mapping[str, Tensor], buffers: Collection[str], where: Path) -> None:
    """Raises BadInput (E0606) for weights of a checkpoint with NaN or infinity."""
    words = not_finite.named(weights.items(), buffers)
    if words:
        raise BadInput(
            f"the checkpoint in {where} holds weights that are not numbers",
            notes=not_finite.summary(words),
            helps=(
                "use the other checkpoint of the run, `best/` or `last/`",
                "train again with a smaller learning rate",
            ),
            code=not_finite.CODE,
        )


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The states of the generators that dropout and its kin draw from."""
    state = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["random.cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    if "random.cpu" in state:
        torch.set_rng_state(state["random.cpu"])
    if device.type == "cuda" and "random.cuda" in state:
        torch.cuda.set_rng_state(state["random.cuda"], device)
