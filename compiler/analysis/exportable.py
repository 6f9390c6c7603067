"""What an `export` section asks for and a graph cannot hold, found before anything is trained.

    export { quantize = "int8" }      no linear layer has the 4,096 weights from which rounding pays: E0501

A size that the section fixes is a number here, as it will be in the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..catalogue.ops import find
from ..catalogue.ops.linear import LEAST_ROUNDED
from ..ir.export import Export
from ..ir.liveness import Liveness, entered
from ..ir.model import OpNode, Spec
from ..ir.submodel import cut
from ..messages import export as errors
from ..messages.diagnostics import Diagnostic
from ..sizes.dims import substitute
from ..sizes.types import TensorType


def refused(spec: Spec) -> Iterator[Diagnostic]:
    """E0501 for each operator that an `export` section of the spec reaches and cannot hold, and for a `quantize` that rounds
    nothing."""
    for section in spec.recipe.exports:
        rounds = section.quantize is None
        for node, inputs in _reached(spec, section):
            operator = find(node.op)
            if operator is None:
                continue
            found = operator.not_in_export(node.args, *inputs)
            if found is not None:
                reason, help = found
                yield errors.inexpressible(node.op, "ONNX", reason, node.span, help)
            count = None if rounds else operator.rounded_weights(node.args, *inputs)
            rounds = rounds or (count is not None and (not isinstance(count, int) or count >= LEAST_ROUNDED))
        if not rounds and section.quantize is not None:
            yield errors.nothing_to_quantize(LEAST_ROUNDED, section.quantize.span)


def _reached(spec: Spec, section: Export) -> Iterator[tuple[OpNode, list[TensorType | None]]]:
    """The operators that the graph of a section computes, each body once, with the types of what they read."""
    whole, model = cut(spec, spec.models[section.model], inputs=section.inputs, tail=spec.bodies[section.tail])
    live, pending, seen = Liveness(whole.bodies), [model.body], set[int]()
    while pending:
        index = pending.pop()
        if index in seen:
            continue
        seen.add(index)
        body = whole.bodies[index]
        types = {value.id: _fixed(value.type, section.fix) for value in body.values()}
        for node in live.nodes(body, (), [result.value for result in body.outputs]):
            pending += entered(node)
            if isinstance(node, OpNode):
                yield node, [types[operand] if isinstance(operand, int) else None for operand in node.inputs]


def _fixed(type: TensorType, fix: Mapping[str, int]) -> TensorType:
    return type.with_shape(*(substitute(size, dict(fix)) for size in type.shape)) if fix else type


__all__ = ["refused"]
