"""Settings with which a model would have the sizes of a file: its names are equal, and its numbers are those of a larger or
smaller model.

    ours     fc1.weight [16, 4]   fc2.weight [3, 16]     width = 16
    theirs   fc1.weight [32, 4]   fc2.weight [3, 32]     so `Mlp.width=32`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...compiler.ir.model import Model, Spec
from .plan import WeightPlan


def whole_settings(spec: Spec, model: Model) -> dict[str, int]:
    """The whole numbers that a command line may change, by their paths: params of the file and statics of the model."""
    named = {**spec.params, **{f"{model.name}.{name}": value for name, value in model.statics.items()}}
    return {name: value for name, value in named.items() if isinstance(value, int) and not isinstance(value, bool)}


def settings(made: WeightPlan, named: Mapping[str, int]) -> list[str]:
    """`Mlp.width=32`: one for each number of `named` that explains sizes or counts that differ. A size that two of them explain
    is left to the reader."""
    wanted: dict[str, set[int]] = {}
    for ours, theirs in {*_sizes(made), *_counts(made)}:
        fits = {name: theirs for name, value in named.items() if value == ours}
        fits = fits or {
            name: theirs // (ours // value)
            for name, value in named.items()
            if value > 1 and ours % value == 0 and theirs % (ours // value) == 0
        }
        if len(fits) == 1:
            for name, value in fits.items():
                wanted.setdefault(name, set()).add(value)
    return [f"{name}={min(values)}" for name, values in wanted.items() if len(values) == 1]


def _sizes(made: WeightPlan) -> Iterator[tuple[int, int]]:
    """Each size of ours that another one stands for in the file."""
    for item in made.mistakes.misfits:
        if item.found is not None and len(item.found) == len(item.shape) and item.found != item.shape[::-1]:
            yield from ((a, b) for a, b in zip(item.shape, item.found, strict=True) if a != b)


def _counts(made: WeightPlan) -> Iterator[tuple[int, int]]:
    """Each count of repeated layers that differs: `blocks.0` to `blocks.3` here, to `blocks.11` there."""
    ours, theirs = _repeats(made.ours), _repeats(made.foreign)
    yield from ((ours[path], theirs[path]) for path in ours if path in theirs and ours[path] != theirs[path])


def _repeats(names: Mapping[str, object]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        parts = name.split(".")
        for at, part in enumerate(parts):
            if part.isdigit():
                path = ".".join(parts[:at])
                found[path] = max(found.get(path, 0), int(part) + 1)
    return found
