"""One use of an operator where positions are fed a few at a time: what its rule (`Op.piecewise`) may ask, and may answer.

The axis of positions has the size `length`, a name such as `T`, in the whole sequence. A rule accepts what gives each
position the same result whether earlier ones are computed with it or were computed before; it rejects everything else:

    cumsum(x, axis = 1)        with x: f32[B, T, 8]       rejected: operates along `T`
    cumsum(x, axis = -1)                                  accepted
    attention(q, k, v)         with q, k, v over `T`      rejected unless causal; its keys and values are kept
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NoReturn, TypeAlias

from ...dataclass import dataclass
from ...sizes.dims import Dim, Size, var, variables
from ...sizes.types import TensorType

#: What is left where no axis of positions is: the same at every step, or computed from the last position alone.
Left: TypeAlias = Literal["still", "last"]

#: What to write instead.
LAST_ONLY = "only the last position can be selected: `x[:, -1]`"
FOR_KEYS = "use `attention(q, k, v, causal = true)`, which can be cached"


class NotPiecewise(Exception):
    """An operator needs other positions than those of the step; `reason` follows its name in a message."""

    def __init__(self, reason: str, *helps: str) -> None:
        super().__init__(reason)
        self.reason, self.helps = reason, helps


@dataclass
class Positions:
    """The axis of positions, the types of the inputs (None: a number, or absent), and what the rule found out."""

    length: str
    types: tuple[TensorType | None, ...]
    #: The operator is causal attention over these positions.
    causal: bool = False
    #: Its keys and values are kept from step to step.
    kept: bool = False

    @property
    def size(self) -> Size:
        return var(self.length)

    def type(self, at: int) -> TensorType:
        """That of an input that must be a tensor."""
        found = self.types[at]
        assert found is not None
        return found

    def optional(self, at: int) -> TensorType | None:
        return self.types[at] if at < len(self.types) else None

    def axes(self, type: TensorType | None) -> tuple[int, ...]:
        """The axes whose size speaks of the length."""
        shape = type.shape if type is not None else ()
        return tuple(axis for axis, size in enumerate(shape) if self.length in variables(size))

    def speaks(self, value: Any) -> bool:
        """Whether an argument speaks of the length."""
        if isinstance(value, tuple):
            items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
            return any(self.speaks(item) for item in items)
        return isinstance(value, Dim) and self.length in variables(value)

    def keep_apart(self, axes: int | Iterable[int] | None, *helps: str) -> None:
        """Rejects an operator that brings elements along these axes of its inputs together, where one is that of positions.
        None is every axis."""
        for type in self.types:
            if type is None:
                continue
            given = range(type.rank) if axes is None else (axes,) if isinstance(axes, int) else axes
            along = {axis % type.rank for axis in given if -type.rank <= axis < type.rank}
            if along & set(self.axes(type)):
                self.reject(f"operates along `{self.length}`", *helps)

    def attend(self, rows: Size, columns: Size, mask: TensorType | None, *, causal: bool) -> None:
        """Attention of rows over columns."""
        if self.length not in variables(columns):
            if causal and self.length in variables(rows):
                self.reject("aligns the last position with the last key of another sequence")
            return
        if not causal:
            self.reject("is not causal: a position sees later ones", "set `causal = true`")
        self.causal = True
        if rows != self.size or columns != self.size:
            self.reject(f"has `{rows}` rows over `{columns}` keys, not `{self.length}` over `{self.length}`")
        if self.axes(mask):
            self.reject(
                f"takes a mask over `{self.length}`, but a step has only the mask of its own positions",
                "remove the mask: without padding, `causal = true` is enough",
            )
        self.kept = True

    def reject(self, reason: str, *helps: str) -> NoReturn:
        raise NotPiecewise(reason, *helps)
