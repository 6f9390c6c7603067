"""Functions that take a net whole and apply it themselves: `gradient_penalty(critic, real, fake)`."""

from __future__ import annotations

from typing import Any

from ..catalogue.ops.base import Op, Rejected
from ..ir.model import OpNode
from ..messages import application as errors
from ..messages.diagnostics import Failed
from ..messages.source import Span
from ..sizes.types import TensorType
from .instances import apply_block, settle
from .nodes import as_tensor
from .state import Context
from .values import WeightOwner


def whole_net(context: Context, operator: type[Op], values: list[Any], keyword: dict[str, Any], span: Span) -> Any:
    """The node of a function whose first argument is an instance and whose others are tensors of its input's type.

    The node's `instance` names the net, and its argument `body` is the net's body on the type of the first tensor.
    """
    names = ["net", *(name for name, _ in operator.tensors)]
    if len(values) > len(names):
        raise Failed(errors.too_many_arguments(operator.name, len(names), len(values), span))
    given = dict(zip(names, values, strict=False))
    for name, value in keyword.items():
        if name not in names or name in given:
            raise Failed(errors.unknown_argument(operator.name, name, names, span, None))
        given[name] = value
    for name in names:
        if name not in given:
            raise Failed(errors.input_missing(operator.name, name, span))
    net = given["net"]
    if not isinstance(net, WeightOwner):
        raise Failed(errors.wrong_static("net", "a net, such as a `let`", net, span))
    tensors = [as_tensor(context, given[name], span) for name in names[1:]]
    settle(context, net)
    if net.statics is None or isinstance(net.callable.target, type):
        raise Failed(errors.wrong_static("net", "a model or block", net, span))
    checked = apply_block(context.state, net.callable.target, net.statics, [tensors[0].type], span, net.path)
    if net.body is None:
        net.body = checked.body
    net.used = True
    try:
        output = operator().infer(context.facts, *(tensor.type for tensor in tensors))
    except Rejected as rejected:
        raise Failed(errors.rejected(rejected, operator.name, span)) from None
    assert isinstance(output, TensorType)
    return context.builder.node(
        OpNode,
        [output],
        op=operator.name,
        args={"body": checked.body},
        span=span,
        inputs=tuple(context.builder.use(tensor) for tensor in tensors),
        instance=context.builder.reference(net),
    )[0]
