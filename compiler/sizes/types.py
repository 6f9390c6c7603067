"""Tensor types: a dtype and a shape, and the two rules that join several of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, cast, get_args

from ..dataclass import dataclass
from .dims import Size, from_text, to_text
from .facts import NO_FACTS, Facts, equal

DType: TypeAlias = Literal["f16", "bf16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "bool"]
DTYPES: tuple[DType, ...] = get_args(DType)

_FLOATS = frozenset(("f16", "bf16", "f32", "f64"))
_INTEGERS = frozenset(("i8", "i16", "i32", "i64", "u8"))
_BYTES = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8, "i8": 1, "i16": 2, "i32": 4, "i64": 8, "u8": 1, "bool": 1}


def is_dtype(name: str) -> bool:
    return name in _BYTES


def is_float(dtype: str) -> bool:
    return dtype in _FLOATS


def is_integer(dtype: str) -> bool:
    """Whole numbers; `bool` is none."""
    return dtype in _INTEGERS


def whole_range(dtype: str) -> tuple[int, int]:
    """The smallest and the largest number of an integer dtype."""
    bits = 8 * _BYTES[dtype]
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def byte_size(dtype: str) -> int:
    """Bytes an element."""
    return _BYTES[dtype]


@dataclass(frozen=True)
class TensorType:
    """`f32[B, 256, 56, 56]`."""

    dtype: str
    shape: tuple[Size, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}{shape_text(self.shape)}"

    def with_shape(self, *shape: Size) -> TensorType:
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: str) -> TensorType:
        return TensorType(dtype, self.shape)

    def as_json(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "shape": [to_text(size) for size in self.shape]}

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            _from_json, serialization=core_schema.plain_serializer_function_ser_schema(TensorType.as_json)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: Any, _handler: Any) -> dict[str, Any]:
        size = {"anyOf": [{"type": "integer"}, {"type": "string"}]}  # a symbolic one by its text
        properties = {"dtype": {"type": "string", "enum": [*DTYPES]}, "shape": {"type": "array", "items": size}}
        return {
            "title": "TensorType",
            "type": "object",
            "properties": properties,
            "required": ["dtype", "shape"],
            "additionalProperties": False,
        }


def _from_json(value: Any) -> TensorType:
    if isinstance(value, TensorType):
        return value
    if isinstance(value, dict):
        entries: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        dtype, shape = entries.get("dtype"), entries.get("shape")
        if (
            set(entries) == {"dtype", "shape"}
            and isinstance(dtype, str)
            and is_dtype(dtype)
            and isinstance(shape, list | tuple)
        ):
            sizes = cast("Sequence[int | str]", shape)
            return TensorType(dtype, tuple(from_text(size) for size in sizes))
    raise ValueError("not a tensor type")


def shape_text(shape: Sequence[Size]) -> str:
    """`[B, 256, 56, 56]`."""
    return f"[{', '.join(map(str, shape))}]"


# ---- rules -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clash:
    """Two sizes that cannot be broadcast.

    `axis` counts from the front of the result. `first` and `second` are the shapes. `unproved`: they might be equal,
    but no known fact implies it (E0207); otherwise they differ (E0201).
    """

    axis: int
    left: Size
    right: Size
    first: int
    second: int
    unproved: bool


def broadcast(shapes: Sequence[Sequence[Size]], facts: Facts = NO_FACTS) -> tuple[Size, ...] | Clash:
    """The common shape: aligned at the last axis, a size matches itself or a literal 1.

    A symbolic size never broadcasts: `B` against 5 is a clash even where B might be 1.
    """
    rank = max((len(shape) for shape in shapes), default=0)
    result: list[Size] = []
    for axis in range(rank):
        chosen: Size = 1
        owner = 0
        for index, shape in enumerate(shapes):
            place = axis - rank + len(shape)
            if place < 0 or shape[place] == 1:
                continue
            size = shape[place]
            if chosen == 1:
                chosen, owner = size, index
            elif chosen != size:
                same = equal(chosen, size, facts)
                if not same:
                    return Clash(axis, chosen, size, owner, index, same is None)
        result.append(chosen)
    return tuple(result)


def join_dtypes(dtypes: Sequence[str | None]) -> str | None:
    """The dtype of arithmetic: tensors must agree, literals (None) adapt. None when tensors disagree or there are none.

    Tensor dtypes are never converted implicitly; `cast(f32)` converts.
    """
    tensors = {dtype for dtype in dtypes if dtype is not None}
    return tensors.pop() if len(tensors) == 1 else None


def literal_fits(value: float | bool, dtype: str) -> bool:
    """Whether a static number may be combined with a tensor of `dtype`: a float with integers may not."""
    if isinstance(value, bool):
        return dtype == "bool"
    return is_float(dtype) or (isinstance(value, int) and is_integer(dtype))
