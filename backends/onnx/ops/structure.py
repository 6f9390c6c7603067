"""Lowerings of `compiler/catalogue/ops/structure.py`."""

from __future__ import annotations

from ....compiler.catalogue.ops.rules import axes_of
from ....compiler.sizes.types import TensorType
from ..lowering import Result, Use, lowers, scalar
from ..tensor import Tensor


@lowers("add")
def add(use: Use, *_: object) -> Result:
    return use.elementwise("Add", use.tensor(0), use.tensor(1))


@lowers("concat")
def concat(use: Use, *parts: Tensor) -> Result:
    return use.graph.node("Concat", *(part.value for part in parts), axis=use["axis"] % parts[0].rank)


@lowers("stack")
def stack(use: Use, *parts: Tensor) -> Result:
    axis = use["axis"] % (parts[0].rank + 1)
    raised = [insert_axis(part, axis).value for part in parts]
    return use.graph.node("Concat", *raised, axis=axis)


@lowers("split", "chunk")
def split(use: Use, x: Tensor) -> Result:
    axis: int = use["axis"] % x.rank
    sizes = [type.shape[axis] for type in use.outputs]
    if len(sizes) == 1:
        return x
    if all(isinstance(size, int) for size in sizes):
        lengths = use.graph.shape(sizes)
        return use.graph.nodes_of("Split", [x.value, lengths], {"axis": axis}, outputs=len(sizes))
    return use.graph.nodes_of("Split", [x.value], {"axis": axis, "num_outputs": len(sizes)}, outputs=len(sizes))


@lowers("unbind")
def unbind(use: Use, x: Tensor) -> Result:
    """Slices of an axis that is the outermost part of one in memory (q, k, v of one projection) are one `Split`."""
    graph, axis, count = use.graph, use["axis"] % x.rank, len(use.outputs)
    if count == 1:
        return drop_axis(x, axis)
    spread = _with_separate_rows(x)
    found = spread.layout.part(axis)
    if found is None:
        x = x.dense()
        found = x.layout.part(axis)
        assert found is not None
    else:
        x = spread
    place, layout = found
    parts = graph.nodes_of("Split", [x.raw], {"axis": place, "num_outputs": count}, outputs=count)
    return [Tensor(graph, part, type, layout) for part, type in zip(parts, use.outputs, strict=True)]


def _with_separate_rows(x: Tensor) -> Tensor:
    """The rows of a matrix as the axes they are made of: once here instead of in each part."""
    layout = x.layout
    first = layout.physical[0] if layout.physical else ()
    if len(first) < 2 or len(layout.physical) != 2:
        return x
    physical = (*((factor,) for factor in first), *layout.physical[1:])
    return Tensor(x.graph, x.form(physical), x.type, type(layout)(physical, layout.logical))


@lowers("split_heads")
def split_heads(use: Use, x: Tensor) -> Result:
    batch, heads, length, width = use.outputs[0].shape
    parts = x.reshape((batch, length, heads, width))
    return Tensor(x.graph, parts.raw, use.outputs[0], parts.layout.permute((0, 2, 1, 3)))


@lowers("merge_heads")
def merge_heads(use: Use, x: Tensor) -> Result:
    layout = x.layout.permute((0, 2, 1, 3)).merge((1, 1, 2))
    return Tensor(x.graph, x.raw, use.outputs[0], layout)


@lowers("flatten")
def flatten(use: Use, x: Tensor) -> Result:
    start = use["start"] % x.rank if x.rank else 0
    layout = x.layout.merge([*([1] * start), x.rank - start])
    return Tensor(x.graph, x.raw, use.outputs[0], layout)


@lowers("squeeze")
def squeeze(use: Use, x: Tensor) -> Result:
    axes = use["axis"]
    if axes is None:
        gone = [axis for axis, size in enumerate(x.shape) if size == 1]
    else:
        gone = list(axes_of(x.type, axes))
    for axis in sorted(gone, reverse=True):
        x = drop_axis(x, axis)
    return x


@lowers("expand")
def expand(use: Use, x: Tensor) -> Result:
    """Axes that keep their size are 1 in the shape of `Expand`, so that nothing has to be computed for them."""
    shape = use.outputs[0].shape
    own = (1,) * (len(shape) - x.rank) + x.shape
    wanted = [1 if size == mine else size for size, mine in zip(shape, own, strict=True)]
    if all(size == 1 for size in wanted):
        return x.reshape(shape)
    return use.graph.node("Expand", x.value, use.graph.shape(wanted))


@lowers("pad")
def pad(use: Use, x: Tensor) -> Result:
    amounts = use["amounts"]
    before, after = [0] * x.rank, [0] * x.rank
    for back in range(len(amounts) // 2):
        before[x.rank - 1 - back], after[x.rank - 1 - back] = amounts[2 * back], amounts[2 * back + 1]
    value = scalar(use.graph, use["value"], x.dtype) if use["value"] else None
    return use.graph.node("Pad", x.value, use.graph.ints(*before, *after), value, mode="constant")


@lowers("roll")
def roll(use: Use, x: Tensor) -> Result:
    graph, value = use.graph, x.value
    shifts = use["shift"] if isinstance(use["shift"], tuple) else (use["shift"],)
    axes = use["axis"] if isinstance(use["axis"], tuple) else (use["axis"],)
    pairs: list[tuple[int, int]] = list(zip(shifts, axes, strict=True))
    for shift, axis in pairs:
        size = x.shape[axis % x.rank]
        if isinstance(size, int):
            if shift % size == 0:
                continue
            cut = graph.ints(size - shift % size)
        else:
            length = graph.vector(size)
            cut = graph.node("Sub", length, graph.node("Mod", graph.ints(shift), length))
        end, start, along = graph.ints((1 << 63) - 1), graph.ints(0), graph.ints(axis % x.rank)
        tail = graph.node("Slice", value, cut, end, along)
        value = graph.node("Concat", tail, graph.node("Slice", value, start, cut, along), axis=axis % x.rank)
    return value


def insert_axis(x: Tensor, axis: int) -> Tensor:
    """With an axis of size 1 before `axis`."""
    shape = (*x.shape[:axis], 1, *x.shape[axis:])
    return Tensor(x.graph, x.raw, TensorType(x.dtype, shape), x.layout.insert(axis))


def drop_axis(x: Tensor, axis: int) -> Tensor:
    """Without an axis of size 1."""
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    if x.layout.logical[axis]:  # its size is 1 by a fact that the term does not show
        return Tensor(x.graph, x.graph.node("Squeeze", x.value, x.graph.ints(axis)), TensorType(x.dtype, shape))
    return Tensor(x.graph, x.raw, TensorType(x.dtype, shape), x.layout.drop(axis))
