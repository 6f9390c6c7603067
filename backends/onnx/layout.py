"""How a tensor of the IR lies in an ONNX value.

Splitting heads, merging them, flattening rows and the like only say how indices are read. A `Layout` writes both sides
as groups of *factors* (a factor is a size with an identity): `physical` is what the value's axes are made of, `logical`
what the tensor's axes are made of. `[B*T, D]` read as `[B, heads, T, K]` is

    physical  (B T) (H K)        logical  (B) (H) (T) (K)

Rearrangements compose here without a node; nodes are emitted only where an operator needs another form. So the rows of
a transformer stay a matrix, and heads are split only by `Attention` itself.

Axes of size 1 are empty groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from ...compiler.dataclass import dataclass
from ...compiler.sizes.dims import Size
from ...compiler.sizes.facts import exact_div


class Factor:
    """A size with an identity."""

    __slots__ = ("size",)

    def __init__(self, size: Size) -> None:
        self.size = size

    def __repr__(self) -> str:
        return f"<{self.size}>"


Group: TypeAlias = "tuple[Factor, ...]"


def product(sizes: Iterable[Size]) -> Size:
    result: Size = 1
    for size in sizes:
        result = result * size
    return result


class Steps(NamedTuple):
    """How to get from the physical form to another one: reshape to `atoms`, transpose by `order`, reshape to `shape`.
    A None is a step that is not needed."""

    atoms: tuple[Size, ...] | None
    order: tuple[int, ...] | None
    shape: tuple[Size, ...] | None


@dataclass(frozen=True, eq=False)
class Layout:
    """See above. Both sides hold each factor once."""

    physical: tuple[Group, ...]
    logical: tuple[Group, ...]

    @classmethod
    def dense(cls, shape: Sequence[Size]) -> Layout:
        groups = tuple(() if size == 1 else (Factor(size),) for size in shape)
        return cls(groups, groups)

    # ---- shapes ----------------------------------------------------------------------------------------------------

    @property
    def physical_shape(self) -> tuple[Size, ...]:
        return tuple(product(f.size for f in group) for group in self.physical)

    @property
    def shape(self) -> tuple[Size, ...]:
        return tuple(product(f.size for f in group) for group in self.logical)

    @property
    def is_dense(self) -> bool:
        return self.physical == self.logical

    @property
    def in_order(self) -> bool:
        """Whether the elements lie in logical order, so that a reshape is enough."""
        return _flat(self.physical) == _flat(self.logical)

    @property
    def ends_alike(self) -> bool:
        """Whether the last axis is the same on both sides: operators over the last axis work on the physical form."""
        return bool(self.physical) and bool(self.logical) and self.physical[-1] == self.logical[-1]

    # ---- reading differently ---------------------------------------------------------------------------------------

    def split(self, axis: int, sizes: Sequence[Size]) -> Layout | None:
        """One logical axis read as several; None when the factors do not allow it."""
        layout, rest = self, list(self.logical[axis])
        parts: list[Group] = []
        for size in sizes:
            part: list[Factor] = []
            wanted = size
            while wanted != 1:
                if not rest:
                    return None
                factor = rest[0]
                remaining = exact_div(wanted, factor.size)
                if remaining is not None:
                    part.append(rest.pop(0))
                    wanted = remaining
                    continue
                inner = exact_div(factor.size, wanted)
                if inner is None:
                    return None
                first, second = Factor(wanted), Factor(inner)
                layout = layout._refined(factor, (first, second))
                parts = [_replaced(group, factor, (first, second)) for group in parts]
                part.append(first)
                rest[0] = second
                wanted = 1
            parts.append(tuple(part))
        if rest:
            return None
        logical = (*layout.logical[:axis], *parts, *layout.logical[axis + 1 :])
        return Layout(layout.physical, logical)

    def split_all(self, groups: Sequence[Sequence[Size]]) -> Layout | None:
        """Every logical axis read as several."""
        layout: Layout | None = self
        axis = 0
        for sizes in groups:
            layout = layout.split(axis, sizes) if layout is not None else None
            axis += len(sizes)
        return layout

    def permute(self, order: Sequence[int]) -> Layout:
        return Layout(self.physical, tuple(self.logical[axis] for axis in order))

    def merge(self, counts: Sequence[int]) -> Layout:
        """Consecutive logical axes read as one: `counts` axes each; 0 makes an axis of size 1."""
        logical: list[Group] = []
        position = 0
        for count in counts:
            logical.append(_flat(self.logical[position : position + count]))
            position += count
        return Layout(self.physical, tuple(logical))

    def reshape(self, shape: Sequence[Size]) -> Layout | None:
        """The same elements in the same order under another shape."""
        return self.merge([len(self.logical)]).split(0, shape)

    def drop(self, axis: int) -> Layout:
        """Without an axis of size 1."""
        assert not self.logical[axis], "only an axis of size 1 can be dropped"
        return Layout(self.physical, (*self.logical[:axis], *self.logical[axis + 1 :]))

    def insert(self, axis: int) -> Layout:
        """With an axis of size 1 before `axis`."""
        return Layout(self.physical, (*self.logical[:axis], (), *self.logical[axis:]))

    def with_last(self, size: Size) -> Layout:
        """The last axis, equal on both sides, replaced by one of another size."""
        assert self.ends_alike, "the last axis is the same on both sides"
        group = () if size == 1 else (Factor(size),)
        return Layout((*self.physical[:-1], group), (*self.logical[:-1], group))

    def part(self, axis: int) -> tuple[int, Layout] | None:
        """For taking one index of a logical axis: the physical axis of which it is the outermost factor (or the whole),
        and the layout of one part without that axis."""
        group = self.logical[axis]
        if len(group) != 1:
            return None
        logical = (*self.logical[:axis], *self.logical[axis + 1 :])
        for index, axes in enumerate(self.physical):
            if axes and axes[0] is group[0]:
                return index, Layout((*self.physical[:index], axes[1:], *self.physical[index + 1 :]), logical)
        return None

    # ---- comparing and converting ----------------------------------------------------------------------------------

    def like(self, other: Layout) -> bool:
        """Whether two layouts of the same logical shape mean the same physical form."""
        if self is other:
            return True
        if self.shape != other.shape or self.physical_shape != other.physical_shape:
            return False
        if self.is_dense and other.is_dense:
            return True
        mine, theirs = self._coarse(), other._coarse()
        return mine._signature() == theirs._signature()

    def rows(self) -> Layout:
        """Elements in order: all axes but the last as one, then the last."""
        return Layout((_flat(self.logical[:-1]), self.logical[-1]), self.logical)

    def steps(self, target: Sequence[Group]) -> Steps:
        """How the physical form becomes one whose axes are these groups of the same factors."""
        wanted = tuple(target)
        if self.physical == wanted:
            return Steps(None, None, None)
        if _flat(self.physical) == _flat(wanted):
            return Steps(None, None, tuple(product(f.size for f in group) for group in wanted))
        coarse = Layout(self.physical, wanted)._coarse()
        atoms = _flat(coarse.physical)
        order = tuple(atoms.index(factor) for factor in _flat(coarse.logical))
        before = None if _single(coarse.physical) else tuple(f.size for f in atoms)
        after = None if _single(coarse.logical) else tuple(product(f.size for f in g) for g in coarse.logical)
        return Steps(before, order, after)

    def _refined(self, factor: Factor, parts: Group) -> Layout:
        return Layout(
            tuple(_replaced(group, factor, parts) for group in self.physical),
            tuple(_replaced(group, factor, parts) for group in self.logical),
        )

    def _coarse(self) -> Layout:
        """Factors that follow each other in one group on both sides made one."""
        layout = self
        follows = {a: b for group in self.physical for a, b in itertools.pairwise(group)}
        for group in self.logical:
            run: list[Factor] = []
            for factor in (*group, None):
                if run and factor is not None and follows.get(run[-1]) is factor:
                    run.append(factor)
                    continue
                if len(run) > 1:
                    layout = layout._joined(tuple(run))
                run = [factor] if factor is not None else []
        return layout

    def _joined(self, run: Group) -> Layout:
        joined = Factor(product(f.size for f in run))
        change: Callable[[Group], Group] = lambda group: _replaced(
            tuple(f for f in group if f not in run[1:]), run[0], (joined,)
        )
        return Layout(tuple(map(change, self.physical)), tuple(map(change, self.logical)))

    def _signature(self) -> tuple[object, ...]:
        numbers: dict[Factor, int] = {}
        for factor in _flat(self.logical):
            numbers[factor] = len(numbers)
        sizes = tuple(factor.size for factor in numbers)
        return (
            sizes,
            tuple(tuple(numbers[f] for f in group) for group in self.logical),
            tuple(tuple(numbers[f] for f in group) for group in self.physical),
        )


def _flat(groups: Iterable[Group]) -> Group:
    return tuple(factor for group in groups for factor in group)


def _single(groups: Sequence[Group]) -> bool:
    return all(len(group) == 1 for group in groups)


def _replaced(group: Group, factor: Factor, parts: Group) -> Group:
    if factor not in group:
        return group
    index = group.index(factor)
    return (*group[:index], *parts, *group[index + 1 :])
