"""Requirements on the number of examples, such as an input `[B <= 8, 4]`, against the batches of a recipe."""

from __future__ import annotations

from collections.abc import Iterator

from ..catalogue.token_batches import plan
from ..elaborate.instances import reachable
from ..ir.data import DataFacts
from ..ir.model import Body, CallNode, OpNode, Requirement, Spec
from ..ir.train import Phase, Train
from ..messages import batches as errors
from ..messages.diagnostics import Diagnostic
from ..sizes.dims import Dim, evaluate, variables
from ..sizes.facts import compare


def refused(spec: Spec, train: Train, facts: DataFacts | None) -> Iterator[Diagnostic]:
    """E0210 for the first requirement that a batch of training or, where the records are counted, of evaluation does not meet."""
    for phase in train.phases:
        for split, sizes, bodies in (
            ("train", _of_training(phase, facts), steps(phase)),
            ("val", _of_evaluation(phase, facts, "val"), [train.evaluation.body]),
            ("test", _of_evaluation(phase, facts, "test"), [train.evaluation.body]),
        ):
            for size in sizes:
                for claim in _claims(spec, bodies):
                    if not _holds(claim, size):
                        yield errors.batch_refused(claim.span, claim.text, claim.message, size, split, phase.span)
                        return


def steps(phase: Phase) -> list[int]:
    """The bodies of a step."""
    return [*(update.body for update in phase.updates), *([phase.shared] if phase.shared is not None else ())]


def batch_axis(net: Body) -> str:
    """The name of the batch axis inside a net; "" where it has none of its own."""
    first = net.inputs[0].type.shape[:1] if net.inputs else ()
    return str(first[0]) if first and isinstance(first[0], Dim) and str(first[0]).isidentifier() else ""


def _of_training(phase: Phase, facts: DataFacts | None) -> set[int]:
    """Examples in the batches, or micro-batches, of a step; the last records of an epoch make none."""
    size, micro = phase.batch.amount, phase.batch.micro
    if phase.batch.unit == "tokens":
        return set(plan(facts.lengths, size).sizes) if facts is not None and facts.lengths and not micro else set()
    records = facts.records.get("train") if facts is not None else None
    size = min(size, records or size)
    return {size} if micro is None or micro >= size else {micro, size % micro or micro}


def _of_evaluation(phase: Phase, facts: DataFacts | None, split: str) -> set[int]:
    """Examples in the batches of a split, of which the last may be smaller."""
    records = facts.records.get(split) if facts is not None else None
    if records is None or phase.batch.unit == "tokens":
        return set()
    size = phase.batch.evaluation().amount
    return {min(size, records), records % size or min(size, records)} - {0}


def _claims(spec: Spec, bodies: list[int]) -> Iterator[Requirement]:
    """The requirements of the nets that are called, where nothing but the batch decides them, with it as `B`."""
    every = list(spec.bodies)
    for node in (node for index in bodies for node in every[index].nodes):
        called = (
            node.body if isinstance(node, CallNode) else node.args.get("body") if isinstance(node, OpNode) else None
        )
        if not isinstance(called, int):
            continue
        batch = batch_axis(every[called])
        for index in reachable(every, called) if batch else ():
            for claim in every[index].requirements:
                if variables(claim.left) | variables(claim.right) == frozenset({batch}):
                    yield claim


def _holds(claim: Requirement, examples: int) -> bool:
    sizes = {name: examples for name in variables(claim.left) | variables(claim.right)}
    return compare(evaluate(claim.left, sizes), claim.op, evaluate(claim.right, sizes)) is True
