"""First weights from elsewhere (`weights = file(..)`), complete on both sides; and what this runtime does not do yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..compiler.diagnostics import Diagnostic, Failed
from ..compiler.expand import glob
from ..compiler.recipe.ir import Train, WeightSource
from ..compiler.source import Span
from . import checkpoint
from .data import mistakes
from .failure import RunFailure

COUNTER = "num_batches_tracked"  # a file without it is loaded with 0


def refuse(train: Train) -> None:
    """Raises for what a section asks and the runtime would otherwise silently leave out."""
    for source in train.weights.values():
        if source.entry.name != "file" or source.map is not None:
            raise _missing(
                source.entry.span, "weights through a map" if source.map else f"weights from `{source.entry.name}`"
            )
    for phase in train.phases:
        asked = (
            (phase.mixup is not None, "`mixup`"),
            (phase.batch.unit == "tokens", "a batch in tokens"),
            (phase.runtime.shard is not None, "`shard`"),
            (phase.runtime.sync_batch_norm, "`sync_batch_norm`"),
            (bool(phase.runtime.recompute), "`recompute`"),
            (phase.precision == "f16", 'training in `"f16"`, which needs scaled gradients'),
        )
        for said, what in asked:
            if said:
                raise _missing(phase.span, what)


def _missing(span: Span, what: str) -> Failed:
    return Failed(Diagnostic("E0501", f"`dlc train` does not know {what} yet", span, "asked for here"))


def load(train: Train, tensors: Mapping[str, Tensor], root: Path) -> None:
    """Puts the weights that the section names into the nets; names are those of the checkpoint."""
    for name, source in train.weights.items():
        prefix = f"{name}." if name else ""
        ours = {path.removeprefix(prefix): t for path, t in tensors.items() if path.startswith(prefix)}
        path = root / source.entry.args["path"]
        _fill(ours, read(path, source.entry.span), source, path)


def read(path: Path, span: Span) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a PyTorch checkpoint that holds nothing else."""
    if not path.is_file():
        raise mistakes.missing_file(span, path)
    if path.suffix == ".safetensors":
        try:
            return checkpoint.tensors(path)
        except RunFailure as error:
            raise mistakes.not_of_format(span, path, "a safetensors file", str(error)) from None
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # noqa: BLE001 - a hostile or damaged file raises anything
        why = (str(error).splitlines() or ["damaged"])[0]
        raise mistakes.not_of_format(span, path, "a file of tensors only", why) from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise mistakes.not_of_format(span, path, "a table of tensors", "it holds something else")
    return dict(found)


def _fill(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], source: WeightSource, path: Path) -> None:
    skipped = [glob(pattern) for pattern in (*source.skip, *source.entry.args.get("skip", ()))]

    def is_skipped(name: str) -> bool:
        return any(pattern.fullmatch(name + ".") for pattern in skipped)

    missing = [n for n in ours if n not in theirs and not is_skipped(n) and not n.endswith(COUNTER)]
    unused = [n for n in theirs if n not in ours and not is_skipped(n)]
    shapes = [
        f"`{n}` is {list(theirs[n].shape)} there, {list(t.shape)} here"
        for n, t in ours.items() if n in theirs and theirs[n].shape != t.shape and not is_skipped(n)
    ]  # fmt: skip
    if missing or unused or shapes:
        counted = (("without a source", missing), ("unused", unused), ("of another shape", shapes))
        notes = tuple(f"{len(names)} {what}: {', '.join(names[:4])}" for what, names in counted if names)
        raise Failed(
            Diagnostic(
                "E0405", f"the weights of `{path}` are not those of the model", source.entry.span, "", (), notes,
                ('`skip = ["head.**"]` leaves out what should stay as initialised',),
            )
        )  # fmt: skip
    with torch.no_grad():
        for name, tensor in ours.items():
            if name in theirs and not is_skipped(name):
                tensor.copy_(theirs[name])


__all__ = ["load", "read", "refuse"]
