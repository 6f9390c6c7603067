"""Which of our parameters comes from which foreign tensors, decided on names and shapes alone.

A map is total: each of ours is produced exactly once, each foreign tensor is used, skipped or ignored. What is not so
is in the plan's `mistakes`; whether they are shown or raised is for the caller. With the map `"fc.*" <- "dense.*"`:

    ours                       foreign                     plan
    fc.weight [10, 64]         dense.weight [10, 64]       sources["fc.weight"] = tensor "dense.weight"
    fc.bias   [10]             -                           mistakes.missing: fc.bias, wanted dense.bias
    -                          scale [1]                   mistakes.unused: scale

No tensor is read for it: a mistake in a file of many gigabytes is found in the time that its table of contents takes.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from ...compiler.catalogue.ops import is_buffer
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.expand import COUNTER, ParameterEntry
from ...compiler.ir.globs import glob
from ...compiler.ir.weights import Foreign, WeightMap
from ...compiler.ir.wildcards import capture, fill

Shape: TypeAlias = tuple[int, ...]
Box: TypeAlias = tuple[tuple[int, int], ...]  # start and stop on each axis


@dataclass(frozen=True)
class Missing:
    """One of ours without a source: no rule produces it (`wanted` is empty), or the file lacks what the rule wants."""

    ours: str
    shape: Shape
    wanted: tuple[str, ...]


@dataclass(frozen=True)
class Misfit:
    """One of ours whose source has another shape, or none that can be joined: then `why` is the reason."""

    ours: str
    shape: Shape
    theirs: tuple[str, ...]
    found: Shape | None
    why: str = ""


@dataclass(frozen=True)
class Mistakes:
    """What keeps a plan from being total."""

    missing: tuple[Missing, ...] = ()
    misfits: tuple[Misfit, ...] = ()
    unused: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()  # foreign tensors of which slices leave something out
    doubled: tuple[str, ...] = ()  # foreign names that `strip` makes equal to another
    idle: tuple[str, ...] = ()  # `skip` patterns that match nothing

    def __bool__(self) -> bool:
        return any((self.missing, self.misfits, self.unused, self.partly, self.doubled, self.idle))


@dataclass(frozen=True)
class WeightPlan:
    """`sources` gives for each of ours an expression over exact names of the file; the other fields list names.

    `skipped` and `absent` are ours: left at their first values, and not in the file though they may (a counter of a batch
    norm, loaded with 0; a buffer whose value is in the spec). `skipped_there` and `ignored` are foreign.
    """

    ours: Mapping[str, Shape]
    foreign: Mapping[str, Shape]
    sources: Mapping[str, Foreign]
    skipped: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    skipped_there: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    mistakes: Mistakes = field(default_factory=Mistakes)

    def with_misfits(self, more: Iterable[Misfit]) -> WeightPlan:
        """The plan with mistakes that were found elsewhere (in the types of numbers)."""
        return replace(self, mistakes=replace(self.mistakes, misfits=(*self.mistakes.misfits, *more)))


def plan(
    weight_map: WeightMap | None,
    entries: Sequence[ParameterEntry],
    foreign: Mapping[str, Shape],
    skip: Sequence[str] = (),
    tied: Mapping[str, Hashable] | None = None,
) -> WeightPlan:
    """Matches parameters with the foreign tensors of a file; without a map names are equal.

    `skip` are globs: ours of these names stay at their first values, foreign ones (and what skipped ones of ours would
    have come from) are left out. `tied` foreign tensors of equal value are one tensor: one of them used is enough.
    """
    actual, doubled = _stripped(foreign, weight_map.strip if weight_map else "")
    shapes = {name: foreign[theirs] for name, theirs in actual.items()}
    ignored = {name for name in actual if _any(weight_map.ignore if weight_map else (), name)}
    skipped_there = {name for name in actual if name not in ignored and _any(skip, name)}
    sources: dict[str, Foreign] = {}
    skipped: list[str] = []
    absent: list[str] = []
    missing: list[Missing] = []
    misfits: list[Misfit] = []
    used: dict[str, list[Box]] = defaultdict(list)
    ours = {entry.path: entry.shape for entry in entries}
    for entry in entries:
        wanted = source_of(weight_map, entry.path)
        names = leaves(wanted) if wanted else ()
        if _any(skip, entry.path):
            skipped.append(entry.path)
            skipped_there.update(name for name in names if name in actual)
            continue
        if wanted is None or any(name not in actual for name in names):
            if entry.leaf == COUNTER or is_buffer(entry.layer):
                absent.append(entry.path)
            else:
                missing.append(Missing(entry.path, entry.shape, names))
                _use_whole(used, names, shapes)  # reported once, as missing
            continue
        found = shape_of(wanted, shapes)
        if found != entry.shape:
            why, shape = ("", found) if isinstance(found, tuple) else (found, None)
            misfits.append(Misfit(entry.path, entry.shape, tuple(actual[name] for name in names), shape, why))
            _use_whole(used, names, shapes)
            continue
        sources[entry.path] = _renamed(wanted, actual)
        try:
            for piece in pieces(wanted, entry.shape, shapes):
                used[piece.name].append(piece.at)
        except NotInvertible:  # it can be loaded all the same
            _use_whole(used, names, shapes)
    seen = {tied[actual[name]] for name in used if name in actual and actual[name] in tied} if tied else set()
    left = [
        name
        for name, theirs in actual.items()
        if name not in used
        and name not in ignored
        and name not in skipped_there
        and not (tied and tied.get(theirs) in seen)
    ]
    idle = [p for p in skip if not any(_any((p,), name) for name in itertools.chain(skipped, skipped_there))]
    partly = [
        name for name in used if name in shapes and name not in skipped_there and not _covered(used[name], shapes[name])
    ]
    mistakes = Mistakes(
        tuple(missing),
        tuple(misfits),
        tuple(actual[name] for name in left),
        tuple(actual[name] for name in partly),
        tuple(doubled),
        tuple(idle),
    )
    return WeightPlan(
        ours,
        foreign,
        sources,
        tuple(skipped),
        tuple(absent),
        tuple(actual[name] for name in actual if name in skipped_there),
        tuple(actual[name] for name in actual if name in ignored),
        mistakes,
    )


def _use_whole(used: dict[str, list[Box]], names: Iterable[str], shapes: Mapping[str, Shape]) -> None:
    for name in names:
        used[name].append(tuple((0, size) for size in shapes.get(name, ())))


def source_of(weight_map: WeightMap | None, path: str) -> Foreign | None:
    """What produces one of ours: the first rule that matches, its wildcards filled in; without rules the same name."""
    if weight_map is None or not weight_map.rules:
        return Foreign(kind="tensor", pattern=path)
    for rule in weight_map.rules:
        texts = capture(rule.ours, path)
        if texts is not None:
            return _filled(rule.theirs, texts)
    return None


def leaves(source: Foreign) -> tuple[str, ...]:
    """The foreign names (or patterns) of an expression, each once."""
    if source.kind == "tensor":
        return (source.pattern,)
    return tuple(dict.fromkeys(name for item in source.items for name in leaves(item)))


def shape_of(source: Foreign, shapes: Mapping[str, Shape]) -> Shape | str:
    """The shape that an expression makes of foreign tensors, or why it makes none."""
    if source.kind == "tensor":
        return shapes[source.pattern]
    items = [shape_of(item, shapes) for item in source.items]
    for item in items:
        if isinstance(item, str):
            return item
    made = [item for item in items if isinstance(item, tuple)]
    first = made[0]
    if source.kind == "transpose":
        return first[::-1]
    if source.kind == "slice":
        if not first:
            return "a scalar has nothing to slice"
        return (len(range(*slice(source.start, source.stop).indices(first[0]))), *first[1:])
    axis = source.axis + len(first) if source.axis < 0 else source.axis
    if not 0 <= axis < len(first):
        return f"{list(first)} has no axis {source.axis}"
    if any(other[:axis] + other[axis + 1 :] != first[:axis] + first[axis + 1 :] for other in made):
        return f"{' and '.join(str(list(shape)) for shape in made)} cannot be joined along axis {source.axis}"
    return (*first[:axis], sum(shape[axis] for shape in made), *first[axis + 1 :])


# ---- pieces: which part of ours is which part of theirs ------------------------------------------------------------------------


class NotInvertible(Exception):
    """The sizes of foreign tensors do not follow from ours; the text names them."""


@dataclass(frozen=True)
class Piece:
    """The part `of` one of ours that lies `at` a place of the foreign tensor `name`, its axes reversed if `transposed`."""

    name: str
    at: Box
    of: Box
    transposed: bool = False


def pieces(source: Foreign, shape: Shape, known: Mapping[str, Shape]) -> list[Piece]:
    """The pieces of a parameter of this shape. `known` shapes of foreign tensors are needed only where they do not
    follow: `concat` of whole tensors is cut into equal parts without them. Raises NotInvertible."""
    if source.kind == "tensor":
        whole = tuple((0, size) for size in shape)
        return [Piece(source.pattern, whole, whole)]
    if source.kind == "transpose":
        inner = pieces(source.items[0], shape[::-1], known)
        return [Piece(p.name, p.at, p.of[::-1], not p.transposed) for p in inner]
    if source.kind == "slice":
        return list(_sliced(source, shape, known))
    axis = source.axis % max(1, len(shape))
    made: list[Piece] = []
    at = 0
    for item, size in zip(source.items, _parts(source, shape[axis], axis, known), strict=True):
        part = (*shape[:axis], size, *shape[axis + 1 :])
        made += [Piece(p.name, p.at, _moved(p.of, axis, at), p.transposed) for p in pieces(item, part, known)]
        at += size
    return made


def _sliced(source: Foreign, shape: Shape, known: Mapping[str, Shape]) -> Iterator[Piece]:
    item = source.items[0]
    start = source.start or 0
    inner = pieces(item, shape, known)
    if len(inner) != 1:
        raise NotInvertible(f"a slice of `concat({', '.join(leaves(item))})`")
    if start < 0:
        whole = shape_of(item, known) if all(name in known for name in leaves(item)) else ""
        if not whole or isinstance(whole, str):
            raise NotInvertible(f"`{inner[0].name}`, which is sliced from its end")
        start = max(0, start + whole[0])
    for piece in inner:
        axis = len(shape) - 1 if piece.transposed else 0
        yield Piece(piece.name, _moved(piece.at, axis, start), piece.of, piece.transposed)


def _moved(box: Box, axis: int, by: int) -> Box:
    start, stop = box[axis]
    return (*box[:axis], (start + by, stop + by), *box[axis + 1 :])


def _parts(source: Foreign, total: int, axis: int, known: Mapping[str, Shape]) -> list[int]:
    """The sizes of the items of a `concat` along its axis: known, explicit, what is left, or equal parts."""
    sizes: list[int | None] = [_extent(item, axis, known) for item in source.items]
    open_ = [index for index, size in enumerate(sizes) if size is None]
    rest = total - sum(size or 0 for size in sizes)
    if open_ and rest >= 0 and rest % len(open_) == 0:
        for index in open_:
            sizes[index] = rest // len(open_)
    made = [size for size in sizes if size is not None]
    if len(made) < len(sizes) or sum(made) != total:
        raise NotInvertible(f"`concat({', '.join(leaves(source))})`: {total} rows have no equal parts")
    return made


def _extent(item: Foreign, axis: int, known: Mapping[str, Shape]) -> int | None:
    if all(name in known for name in leaves(item)):
        shape = shape_of(item, known)
        return shape[axis] if isinstance(shape, tuple) and axis < len(shape) else None
    if item.kind == "slice" and axis == 0 and item.stop is not None and item.stop >= 0 and (item.start or 0) >= 0:
        return item.stop - (item.start or 0)
    return None


def _covered(boxes: Iterable[Box], shape: Shape) -> bool:
    """Whether boxes reach every element: cells between all their borders are looked at one by one."""
    unique = set(boxes)
    if math.prod(shape) == 0 or any(all(b == (0, n) for b, n in zip(box, shape, strict=True)) for box in unique):
        return True
    borders = [sorted({edge for box in unique for edge in box[axis]} | {0, n}) for axis, n in enumerate(shape)]
    cells = itertools.product(*(itertools.pairwise(edges) for edges in borders))
    return all(
        any(all(b[0] <= c[0] and c[1] <= b[1] for b, c in zip(box, cell, strict=True)) for box in unique)
        for cell in cells
    )


# ---- names ---------------------------------------------------------------------------------------------------------------------


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(glob(pattern).matches(name) for pattern in patterns)


def _stripped(foreign: Iterable[str], prefix: str) -> tuple[dict[str, str], list[str]]:
    """The file's names by what rules see, and those that would be seen twice."""
    actual: dict[str, str] = {}
    doubled: list[str] = []
    for name in foreign:
        seen = name.removeprefix(prefix)
        if seen in actual:
            doubled.append(name)
        else:
            actual[seen] = name
    return actual, doubled


def _filled(source: Foreign, texts: Sequence[str]) -> Foreign:
    if source.kind == "tensor":
        return Foreign(kind="tensor", pattern=fill(source.pattern, texts))
    items = tuple(_filled(item, texts) for item in source.items)
    return Foreign(kind=source.kind, items=items, start=source.start, stop=source.stop, axis=source.axis)


def _renamed(source: Foreign, actual: Mapping[str, str]) -> Foreign:
    if source.kind == "tensor":
        return Foreign(kind="tensor", pattern=actual[source.pattern])
    items = tuple(_renamed(item, actual) for item in source.items)
    return Foreign(kind=source.kind, items=items, start=source.start, stop=source.stop, axis=source.axis)
