"""Classes that count equally however many records they have: `weight = "balanced"` in a loss.

    cross_entropy(logits, label, weight = "balanced")     label 0: 30 records, 1: 10     weights 0.667, 2.0

A class has the weight N / (K n): N records in K classes, of which it has n, as in scikit-learn. How many there are is known with
the data: until then the IR has the word, from then on the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from ..ir.model import Body, Operand, OpNode
from ..ir.train import Train
from . import LOSSES
from .losses import Loss
from .ops import find

BALANCED = "balanced"


def balanced_losses(body: Body) -> Iterator[OpNode]:
    """The losses of a body whose weights are yet to be counted."""
    for node in body.nodes:
        if isinstance(node, OpNode) and node.args.get("weight") == BALANCED:
            yield node


def bodies_of(train: Train) -> list[int]:
    """The bodies of a section that have losses."""
    updates = [update.body for phase in train.phases for update in phase.updates]
    shared = [phase.shared for phase in train.phases if phase.shared is not None]
    return list(dict.fromkeys([*updates, *shared, train.evaluation.body]))


def counted_fields(bodies: Sequence[Body], train: Train) -> frozenset[str]:
    """The fields whose classes have to be counted."""
    found = {
        field_of(bodies[index], node.inputs[Loss.against])
        for index in bodies_of(train)
        for node in balanced_losses(bodies[index])
    }
    return frozenset(name for name in found if name is not None)


def field_of(body: Body, operand: Operand) -> str | None:
    """The name of the input of a body that a value is handed on from, through changes of shape."""
    while isinstance(operand, int):
        for value in body.inputs:
            if value.id == operand:
                return value.name
        node = next((node for node in body.nodes if any(v.id == operand for v in node.outputs)), None)
        operator = find(node.op) if isinstance(node, OpNode) else None
        if not isinstance(node, OpNode) or operator is None or operator.view is None:
            return None
        operand = node.inputs[0]
    return None


def weights(counts: Sequence[int], classes: int, ignore: int | None) -> tuple[float, ...]:
    """A weight a class; 1 for a class without records."""
    known = [counts[at] if at < len(counts) and at != ignore else 0 for at in range(classes)]
    total, present = sum(known), sum(count > 0 for count in known)
    return tuple(round(total / (present * count), 6) if count else 1.0 for count in known)


def shown(bodies: Sequence[Body], train: Train, names: Mapping[str, Sequence[str]], most: int) -> list[str]:
    """The weights of the losses of a section, class by class in their order: `label: a 0.667, b 2`. `names` are those of classes by
    field, of which at most so many are shown."""
    found: dict[str, None] = {}
    for index in bodies_of(train):
        for node in bodies[index].nodes:
            weight: Any = node.args.get("weight") if isinstance(node, OpNode) and node.op in LOSSES else None
            given = cast("Sequence[Any]", weight) if isinstance(weight, (tuple, list)) else ()
            if not given or not all(isinstance(value, (int, float)) for value in given):
                continue
            field = field_of(bodies[index], node.inputs[Loss.against]) or ""
            classes = [*names.get(field, ()), *map(str, range(len(names.get(field, ())), len(given)))]
            rows = [f"{name} {value:.4g}" for name, value in zip(classes, given, strict=False)]
            more = ", .." if len(rows) > most else ""
            found[f"{field or 'the target'}: {', '.join(rows[:most])}{more}"] = None
    return list(found)
