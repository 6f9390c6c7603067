"""Batch statistics over a single number, which no step of training can use: its deviation from the mean is 0."""

from __future__ import annotations

from collections.abc import Iterator

from ..catalogue.ops import find
from ..elaborate.state import State
from ..elaborate.unmatched import reachable
from ..ir.data import DataFacts
from ..ir.model import Body, CallNode, OpNode
from ..ir.train import Phase, Train
from ..messages import training as errors
from ..sizes.dims import Dim, evaluate, variables


def check_statistics(state: State, train: Train, facts: DataFacts | None) -> None:
    """E0206 where a micro-batch would have one number for each statistic; with `facts` it is known how many records there
    are."""
    records = facts.records.get("train") if facts is not None else None
    for phase in train.phases:
        least = _least(phase, records)
        if least is None or phase.freeze:  # a frozen layer uses its running statistics
            continue
        for node in _alone(state, phase, least):
            state.report.add(
                errors.single_statistic(node.span, node.op, phase.span, least, phase.batch.amount, records)
            )
            return


def _least(phase: Phase, records: int | None) -> int | None:
    """Examples in the smallest micro-batch."""
    if phase.batch.unit != "samples":
        return None
    size = min(phase.batch.amount, records or phase.batch.amount)
    micro = phase.batch.micro
    return size if micro is None or micro >= size else size % micro or micro


def _alone(state: State, phase: Phase, examples: int) -> Iterator[OpNode]:
    """The layers that would have one number for a statistic."""
    bodies = [update.body for update in phase.updates]
    if phase.shared is not None:
        bodies.append(phase.shared)
    for call in (node for index in bodies for node in state.bodies[index].nodes if isinstance(node, CallNode)):
        net = state.bodies[call.body]
        batch = _batch(net)
        for index in reachable(state.bodies, call.body) if batch else ():
            body = state.bodies[index]
            for node in body.nodes:
                operator = find(node.op) if isinstance(node, OpNode) else None
                if operator is None or not isinstance(node, OpNode):
                    continue
                first = node.inputs[0] if node.inputs else None
                count = operator.batch_statistics(body.value(first).type) if isinstance(first, int) else None
                if count is not None and variables(count) <= {batch} and evaluate(count, {batch: examples}) == 1:
                    yield node


def _batch(net: Body) -> str:
    """The name of the batch axis inside a net; "" where it has none of its own."""
    first = net.inputs[0].type.shape[:1] if net.inputs else ()
    return str(first[0]) if first and isinstance(first[0], Dim) and str(first[0]).isidentifier() else ""
