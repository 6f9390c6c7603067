"""A tensor of the IR during lowering: an ONNX value and how it is to be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from ...compiler.sizes.dims import Size
from ...compiler.sizes.types import TensorType
from .graph import GraphBuilder
from .layout import Group, Layout


class Tensor:
    """`raw` is the value as it lies, `value` the value in the tensor's own shape (emitted when first read)."""

    __slots__ = ("_forms", "_value", "graph", "layout", "raw", "type")

    def __init__(self, graph: GraphBuilder, raw: ir.Value, type: TensorType, layout: Layout | None = None) -> None:
        self.graph, self.raw, self.type = graph, raw, type
        self.layout = layout or Layout.dense(type.shape)
        assert len(self.layout.logical) == type.rank, f"{self.layout} does not describe {type}"
        self._value: ir.Value | None = raw if self.layout.is_dense else None
        self._forms: dict[tuple[Size, ...], ir.Value] = {}

    @property
    def shape(self) -> tuple[Size, ...]:
        return self.type.shape

    @property
    def dtype(self) -> str:
        return self.type.dtype

    @property
    def rank(self) -> int:
        return self.type.rank

    @property
    def value(self) -> ir.Value:
        if self._value is None:
            self._value = self.form(self.layout.logical)
        return self._value

    def form(self, groups: Sequence[Group]) -> ir.Value:
        """The value with these groups of its factors as axes. Forms in the same order of elements are kept."""
        steps = self.layout.steps(groups)
        value, shape = self.raw, self.layout.physical_shape
        if steps.order is None:
            if steps.shape is None:
                return value
            if steps.shape not in self._forms:
                self._forms[steps.shape] = self.graph.reshape(value, shape, steps.shape)
            return self._forms[steps.shape]
        if steps.atoms is not None:
            value, shape = self.graph.reshape(value, shape, steps.atoms), steps.atoms
        value = self.graph.node("Transpose", value, perm=steps.order)
        shape = tuple(shape[axis] for axis in steps.order)
        return value if steps.shape is None else self.graph.reshape(value, shape, steps.shape)

    def rows(self) -> ir.Value:
        """The value as a matrix: all axes but the last as one."""
        if self.layout.in_order and len(self.layout.physical) == 2 and self.layout.ends_alike:
            return self.raw
        return self.form(self.layout.rows().physical)

    def dense(self) -> Tensor:
        """The same tensor, lying in its own shape."""
        return self if self.layout.is_dense else Tensor(self.graph, self.value, self.type)

    def read(self, shape: Sequence[Size], change: Callable[[Layout], Layout | None]) -> Tensor | None:
        """Another reading of the same elements; None when its layout cannot say it."""
        layout = change(self.layout)
        if layout is None:
            layout = change(Layout.dense(self.shape))
            return None if layout is None else Tensor(self.graph, self.value, self._as(shape), layout)
        return Tensor(self.graph, self.raw, self._as(shape), layout)

    def reshape(self, shape: Sequence[Size]) -> Tensor:
        """The same elements in the same order under another shape."""
        found = self.read(shape, lambda layout: layout.reshape(shape))
        if found is not None:
            return found
        return Tensor(self.graph, self.graph.reshape(self.value, self.shape, shape), self._as(shape))

    def like(self, raw: ir.Value, dtype: str | None = None) -> Tensor:
        """A tensor of the same shape, computed elementwise from the raw value."""
        return Tensor(self.graph, raw, TensorType(dtype or self.dtype, self.shape), self.layout)

    def _as(self, shape: Sequence[Size]) -> TensorType:
        return TensorType(self.dtype, tuple(shape))


def align(tensors: Sequence[Tensor], shape: Sequence[Size]) -> tuple[list[ir.Value], Layout | None]:
    """Values on which an elementwise operator with broadcasting gives the result in the layout returned (None: dense).

    Tensors of the full shape are brought into one form if a reshape is enough for it; others must be scalars, or
    vectors along a last axis that the form keeps.
    """
    full = [tensor for tensor in tensors if tensor.shape == tuple(shape)]
    chosen = next((tensor.layout for tensor in full if not tensor.layout.is_dense), None)
    if chosen is None:
        return [tensor.value for tensor in tensors], None
    values: list[ir.Value] = []
    for tensor in tensors:
        if tensor.shape != tuple(shape):
            small = all(size == 1 for size in tensor.shape[:-1])
            scalar = small and (not tensor.shape or tensor.shape[-1] == 1)
            if not (scalar or (small and chosen.ends_alike)):
                break
            # leading axes of size 1 must not raise the rank of the form
            values.append(tensor.value if tensor.rank <= 1 else tensor.reshape(tensor.shape[-1:]).value)
        elif tensor.layout.like(chosen):
            values.append(tensor.raw)
        elif chosen.in_order and tensor.layout.in_order:
            values.append(_reshaped(tensor, chosen))
        else:
            break
    else:
        return values, chosen
    return [tensor.value for tensor in tensors], None


def _reshaped(tensor: Tensor, chosen: Layout) -> ir.Value:
    graph, shape = tensor.graph, chosen.physical_shape
    cached = tensor._forms  # pyright: ignore[reportPrivateUsage]
    if shape not in cached:
        cached[shape] = graph.reshape(tensor.raw, tensor.layout.physical_shape, shape)
    return cached[shape]
