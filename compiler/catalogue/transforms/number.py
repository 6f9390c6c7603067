"""Transforms of the numbers and names of a table, and of streams of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ...ir.data import ClassNames, ItemType
from ...sizes.types import is_float
from ..arguments import Count, Names
from .base import Transform, Undo, Unsuited, as_float, as_tensor, need_cells

#: The class of names that a category does not know.
UNKNOWN = "(unknown)"


class _Numeric(Transform):
    """Base: numbers become floats; a stream of numbers stays one."""

    takes = "numbers"
    in_graph = True
    example_source = 'csv("rows.csv")'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        return as_float(item if item.kind == "stream" else as_tensor(item))


class Scale(_Numeric):
    """Multiplies the raw values by `k`."""

    k: float

    example_source = 'npz("rows.npz")'
    example = "x: f32[8] = source.pixels -> scale(1 / 16)"

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return None if args["k"] else "`k` is 0: every value would be 0"

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return (("affine", 1 / args["k"], 0.0),)


class Threshold(Transform):
    """1 where the value is above `v`, else 0."""

    v: float

    takes = "numbers"
    in_graph = True
    example_source = 'csv("rows.csv")'
    example = "x: i64 = source.grade -> threshold(4)"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        return as_tensor(item).model_copy(update={"dtype": "i64", "classes": ClassNames(count=2)})


class Standardize(_Numeric):
    """(x - mean) / std; mean and std of the train split, for each number of a record separately. A stream has one mean
    and one std."""

    learns = ("mean", "std")
    example = "x: f32 = source.height -> standardize"

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return (("affine", learned["std"], learned["mean"]),) if learned else None


class Impute(_Numeric):
    """Replaces missing numbers with the train split's mean or median, or with a value; missing texts with the most frequent one
    of the train split, or with a text: `source.city -> impute("elsewhere") -> category`. `forward_fill` is for series."""

    value: Literal["mean", "median", "most_frequent"] | float | str

    learns = ("fill",)
    fills = True
    example = 'x: f32 = source.height -> impute("median") -> standardize'

    @classmethod
    def taken(cls, args: Mapping[str, Any]) -> str:
        value = args["value"]
        return "texts" if isinstance(value, str) and value not in ("mean", "median") else "numbers"

    @classmethod
    def learned_as(cls, args: Mapping[str, Any]) -> str:
        return "text" if cls.taken(args) == "texts" else "numbers"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if cls.taken(args) == "numbers":
            return super().infer(item, args)
        need_cells(item, "texts")
        return ItemType(kind="text")

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Clip(_Numeric):
    """Clips to [min, max]."""

    min: float | None = None
    max: float | None = None

    example = "x: f32 = source.income -> clip(min = 0, max = 1e6)"

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        low, high = args["min"], args["max"]
        if low is None or high is None or low < high:
            return None
        return "`min` is above `max`" if low > high else "`min` is `max`: every value would be the same"

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Log1p(_Numeric):
    """log(1 + x)."""

    example = "x: f32 = source.income -> log1p -> standardize"

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return (("expm1",),)


class OneHot(Transform):
    """A number below `n` as a vector with a single 1."""

    n: Count

    in_graph = True
    reads = "i64"
    example_source = 'csv("rows.csv")'
    takes = "numbers"
    example = "x: f32[7] = source.weekday -> one_hot(7)"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = as_tensor(item, "whole numbers")
        if item.dtype is not None and is_float(item.dtype):
            raise Unsuited("whole numbers")
        shape = None if item.shape is None else (*item.shape, args["n"])
        return ItemType(kind="tensor", dtype="f32", shape=shape)


class Category(Transform):
    """The number of a name: its position in the list, or in the names of the train split, numbers by value before other names.
    A missing cell is not a name. With `unknown` there is one more number, the last, for names that are not in the list or not in
    the train split, and for those that it has less often than `min_count`. A graph with
    `preprocess = true` looks strings up itself."""

    names: Names = ()
    unknown: bool = False
    min_count: Count = 1

    variadic = "names"
    learns = ("names",)
    learned = "texts"
    stands_for = "classes"
    in_graph = False
    example_source = 'csv("rows.csv")'
    takes = "texts"
    example = 'x: i64 = source.answer -> category("no", "yes")'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        need_cells(item, "names")
        names = (*args["names"], UNKNOWN) if args["unknown"] else args["names"]
        classes = ClassNames(count=len(names), names=names) if args["names"] else ClassNames()
        return ItemType(kind="tensor", dtype="i64", shape=(), classes=classes)

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        if len(set(args["names"])) != len(args["names"]):
            return "a name is given twice"
        if args["min_count"] > 1 and args["names"]:
            return "`min_count` counts names of the train split, but they are given"
        if args["min_count"] > 1 and not args["unknown"]:
            return "names below `min_count` need a number: add `unknown = true`"
        return None


class MultiHot(Transform):
    """Several labels in one cell, with `separator` between them (`sea;sky`), as a vector with a 1 for each: in the order of the
    list, or of the names of the train split. An empty cell has none. For `bce`, a loss of each label."""

    names: Names = ()
    separator_: str = " "

    variadic = "names"
    learns = ("names",)
    learned = "texts"
    stands_for = "labels"
    in_graph = False
    example_source = 'csv("rows.csv")'
    takes = "texts"
    example = 'x: f32[3] = source.tags -> multi_hot("sea", "sky", "wood", separator = ";")'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        need_cells(item, "texts")
        return ItemType(kind="tensor", dtype="f32", shape=(len(args["names"]) or None,))

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        if len(set(args["names"])) != len(args["names"]):
            return "a label is given twice"
        return None if args["separator"] else "`separator` is empty"
