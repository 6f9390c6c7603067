"""Tensors that a model owns by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ...ir.model import Init, Parameter
from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Constant, InitSpec, Shape
from .base import Layer, Rejected, Sample
from .rules import need_whole, weight_size


class Param(Layer):
    """A trainable tensor; its path is its label or binding. It has no default init: `init =` or a rule gives one (E0409).

    -> f32[shape]. Errors: E0212 when a size is symbolic.
    """

    shape: Shape
    init: InitSpec | None = None

    bare = "parameter"
    onnx = "an initializer"
    samples = (
        Sample({"shape": (2, 3), "init": Init(name="normal", args={"std": 0.02, "mean": 0.0})}, ()),
        Sample({"shape": (), "init": Init(name="zeros")}, (), note="a scalar"),
    )

    def infer(self, facts: Facts) -> TensorType:
        return TensorType("f32", need_whole(facts, self.shape))

    def parameters(self) -> tuple[Parameter, ...]:
        shape = tuple(weight_size(size, f"axis {axis}", least=0) for axis, size in enumerate(self.shape))
        return (Parameter(name="", shape=shape, init=self.init),)


class Buffer(Layer):
    """A constant tensor that is kept in the checkpoint and not trained: a number, or nested lists of numbers.

    -> i64, f32 (when any number is a float) or bool. Errors: E0201 when the lists are ragged, E0204 when numbers and
    bools are mixed.
    """

    value: Constant

    bare = "buffer"
    onnx = "an initializer"
    samples = (
        Sample({"value": ((1.0, 2.0), (3.0, 4.5))}, (), differentiable=False),
        Sample({"value": 3}, (), differentiable=False),
        Sample({"value": (True, False)}, (), differentiable=False),
    )

    def infer(self, facts: Facts) -> TensorType:
        return TensorType(_dtype(self.value), _shape(self.value))

    def parameters(self) -> tuple[Parameter, ...]:
        kind = _dtype(self.value)
        init = Init(name="constant", args={"v": self.value})
        return (Parameter(name="", shape=_shape(self.value), init=init, dtype=kind, buffer=True),)


def _items(value: Any) -> tuple[Any, ...] | None:
    return cast("tuple[Any, ...]", value) if isinstance(value, tuple) else None


def _shape(value: Any) -> tuple[int, ...]:
    items = _items(value)
    if items is None:
        return ()
    shapes = {_shape(item) for item in items}
    if len(shapes) > 1:
        raise Rejected("E0201", "the lists of a buffer have different lengths", "ragged")
    return (len(items), *next(iter(shapes), ()))


def _numbers(value: Any) -> Iterator[Any]:
    items = _items(value)
    if items is None:
        yield value
    for item in items or ():
        yield from _numbers(item)


def _dtype(value: Any) -> str:
    numbers = list(_numbers(value))
    truths = sum(isinstance(number, bool) for number in numbers)
    if truths:
        if truths < len(numbers):
            raise Rejected("E0204", "a buffer holds numbers or bools, not both", "mixed")
        return "bool"
    return "i64" if numbers and all(isinstance(number, int) for number in numbers) else "f32"
