"""Operator nodes added to a body of the IR, before its inputs or behind its outputs: both backends lower them, and the comparison
covers them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...compiler.ir.model import Init, Instance, Operand, OpNode, Parameter, Scalar, Value, WeightNode
from ...compiler.messages.source import Span
from ...compiler.sizes.types import TensorType, is_float


class Added:
    """The nodes, their instances, and constants by path. `first` is the number of their first value."""

    def __init__(self, first: int) -> None:
        self.next = first
        self.nodes: list[OpNode | WeightNode] = []
        self.instances: list[Instance] = []
        self.constants: dict[str, np.ndarray[Any, Any]] = {}

    def fresh(self) -> int:
        self.next += 1
        return self.next - 1

    def op(
        self, op: str, inputs: tuple[Operand, ...], type: TensorType, span: Span, args: dict[str, Any] | None = None
    ) -> Value:
        made = Value(id=self.fresh(), type=type)
        self.nodes.append(OpNode(op=op, args=args or {}, inputs=inputs, outputs=(made,), span=span))
        return made

    def cast(self, x: Value, dtype: str, span: Span) -> Value:
        return self.op("cast", (x.id,), TensorType(dtype, x.type.shape), span, {"dtype": dtype})

    def as_f32(self, x: Value, span: Span) -> Value:
        return x if x.type.dtype == "f32" else self.cast(x, "f32", span)

    def as_float(self, x: Value, span: Span) -> Value:
        """Floats; bytes are read as value / 255."""
        if x.type.dtype != "u8":
            return x if is_float(x.type.dtype) else self.cast(x, "f32", span)
        x = self.cast(x, "f32", span)
        return self.op("divide", (x.id, Scalar(value=255.0)), x.type, span)

    def constant(self, path: str, value: Any, span: Span, shape: tuple[int, ...] | None = None) -> Operand:
        """A number as it is, a list as a buffer."""
        array = np.asarray(value, np.float32)
        if array.ndim == 0:
            return Scalar(value=float(array))
        array = array.reshape(shape) if shape is not None else array
        self.constants[path] = array
        lists = nested(array.tolist())
        parameter = Parameter(name="", shape=array.shape, init=Init(name="constant", args={"v": lists}), buffer=True)
        self.instances.append(
            Instance(path=path, op="Buffer", args={"value": lists}, parameters=(parameter,), span=span)
        )
        made = Value(id=self.fresh(), type=TensorType("f32", array.shape))
        self.nodes.append(
            OpNode(op="Buffer", args={"value": lists}, instance=path, inputs=(), outputs=(made,), span=span)
        )
        return made.id

    def binary(self, op: str, x: Value, y: Operand, span: Span) -> Value:
        return self.op(op, (x.id, y), x.type, span)


def nested(value: Any) -> Any:
    return tuple(nested(item) for item in value) if isinstance(value, list) else value
