"""Putting the weights that a `train` section names into its nets: planned whole, then read tensor by tensor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...compiler.dataclass import dataclass
from ...compiler.ir.expand import COUNTER, ParameterEntry, parameters
from ...compiler.ir.model import Model, Spec
from ...compiler.ir.train import Train, WeightSource
from ...compiler.messages.diagnostics import Failed
from .. import not_finite
from ..data.values import DTYPES
from ..generated.initialize import initial_values
from . import mismatch, mistakes, sources
from .files import ForeignTensors, Unreadable, open_weights, refused
from .mapping import value_of
from .other_sizes import whole_settings
from .plan import Misfit, WeightPlan, leaves, plan


@dataclass(frozen=True)
class Fitted:
    """Weights of one net, found and matched but not read. `label` names them in messages."""

    net: str
    label: str
    path: Path
    source: WeightSource
    foreign: ForeignTensors
    plan: WeightPlan
    buffers: frozenset[str]  # of the net's paths, those that are not trained

    @property
    def paths(self) -> set[str]:
        """What it fills, by the paths of the checkpoint."""
        prefix = f"{self.net}." if self.net else ""
        counters = {path for path in self.plan.absent if path.rpartition(".")[2] == COUNTER}
        return {prefix + path for path in (*self.plan.sources, *counters)}


def fitted(spec: Spec, train: Train, root: Path) -> Iterator[Fitted]:
    """The weights of each net, matched with its parameters. Raises Failed as `fit` does."""
    for net in train.weights:
        yield fit(spec, train, net, root)


def fit(spec: Spec, train: Train, net: str, root: Path, model: Model | None = None) -> Fitted:
    """Finds the weights of a net and matches them with its parameters; only tables of contents are read.

    `root` is the folder of the spec, `model` another instance of the net's model with the same parameters. Raises Failed: E0412 where they are missing or unreadable, E0405 where they do not fit.
    """
    source = train.weights[net]
    path = sources.locate(source.entry, root)
    model = model or spec.models[train.net(net).model]
    entries = list(parameters(spec, model))
    weight_map = spec.recipe.weight_map(source.map) if source.map else None
    try:
        foreign = open_weights(path)
    except Unreadable as error:
        raise Failed(mistakes.unreadable(source.entry.span, error.path, error.why, error.help)) from None
    made = plan(weight_map, entries, foreign.shapes, source.skip, foreign.tied)
    wrong = wrong_numbers(made, entries, foreign)
    if made.mistakes or wrong:
        named = whole_settings(spec, model)
        raise Failed(mismatch.diagnostic(made.with_misfits(wrong), source.entry.span, f"`{path.name}`", named))
    return Fitted(net, label(source), path, source, foreign, made, frozenset(e.path for e in entries if e.buffer))


def label(source: WeightSource) -> str:
    """What the weights are called in messages: the map, or the source in a few words."""
    return source.map or sources.words(source.entry)


def wrong_numbers(made: WeightPlan, entries: list[ParameterEntry], foreign: ForeignTensors) -> list[Misfit]:
    """Whole numbers where the model has real ones, or the other way round: quantised weights, mostly."""
    wrong: list[Misfit] = []
    for entry in entries:
        for name in leaves(made.sources[entry.path]) if entry.path in made.sources else ():
            theirs, ours = foreign.dtypes[name], DTYPES[entry.dtype]
            if theirs.is_floating_point != ours.is_floating_point or theirs.is_complex:
                why = f"`{name}` holds {_short(theirs)}, `{entry.path}` is {_short(ours)}"
                wrong.append(Misfit(entry.path, entry.shape, (name,), None, why))
    return wrong


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def fill(found: Fitted, tensors: Mapping[str, Tensor]) -> None:
    """Reads the weights into tensors by the paths of the checkpoint. Raises Failed: E0412 when the file is cut short, E0606 when it
    holds NaN or infinity."""
    planned = found.plan
    prefix = f"{found.net}." if found.net else ""
    ordered = sorted(planned.sources.items(), key=lambda item: found.foreign.order(leaves(item[1])[0]))
    try:
        with torch.no_grad():
            for path, source in ordered:
                if source.kind == "tensor":
                    found.foreign.read_into(source.pattern, tensors[prefix + path])
                else:
                    tensors[prefix + path].copy_(value_of(source, found.foreign.tensor))
            for path in planned.absent:
                if path.rpartition(".")[2] == COUNTER:
                    tensors[prefix + path].zero_()
    except (Unreadable, OSError) as error:
        known = error if isinstance(error, Unreadable) else refused(found.path, error)
        raise Failed(mistakes.unreadable(found.source.entry.span, found.path, known.why, known.help)) from None
    read = {path: tensors[prefix + path] for path in planned.sources}
    words = {path: text for path, tensor in read.items() for text in not_finite.named([(path, tensor)], found.buffers)}
    if words:
        notes = not_finite.summary(list(words.values()))
        raise Failed(mistakes.not_finite(found.source.entry.span, found.path, notes, list(words)))


def first_values(spec: Spec, model: Model, train: Train | None, net: str, root: Path) -> tuple[dict[str, Tensor], str]:
    """What a model begins with, by parameter path, and words on where it comes from: the weights that `train` names for the
    net over initial values. Raises Failed as `fit` does."""
    prefix = f"{net}." if net else ""
    seed = train.seed if train is not None else 0
    found = fit(spec, train, net, root, model) if train is not None and net in train.weights else None
    given = found.paths if found else set[str]()
    values = {
        prefix + entry.path: torch.empty(entry.shape, dtype=DTYPES[entry.dtype]) for entry in parameters(spec, model)
    }
    for path, value in initial_values(spec, model, seed, prefix, given):
        values[prefix + path] = value
    if found is not None:
        fill(found, values)
    words = f"those of {found.label}" if found else f"initial, seed {seed}: not trained"
    return {path.removeprefix(prefix): value for path, value in values.items()}, words


def summary(found: Fitted) -> str:
    """`imagenet: 318 of 320 tensors loaded; skipped fc.weight, fc.bias; 0 unused`."""
    planned = found.plan
    text = f"{found.label}: {len(planned.sources)} of {len(planned.ours)} tensors loaded"
    if planned.absent:
        text += f"; {len(planned.absent)} not in the file"
    if planned.skipped:
        text += f"; skipped {_names(planned.skipped)}"
    if planned.ignored:
        text += f"; {len(planned.ignored)} ignored"
    return f"{text}; 0 unused"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def record(found: Fitted) -> dict[str, object]:
    """What a run keeps about the weights it began with: where they lay, and a digest of their bytes."""
    files = found.foreign.paths
    digests = {str(file.resolve()): _digest(file) for file in files}
    return {
        "net": found.net,
        "source": sources.words(found.source.entry),
        "map": found.source.map,
        "files": digests,
        "loaded": len(found.plan.sources),
        "of": len(found.plan.ours),
        "skipped": list(found.plan.skipped),
        "shapes": {name: list(shape) for name, shape in found.foreign.shapes.items()},
    }


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
