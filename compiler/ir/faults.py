"""What is illegal in an IR, and how a place in it is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .model import (
    AnyNode,
    CallNode,
    ModeNode,
    OpNode,
    RepeatNode,
    ScanNode,
    Spec,
)


class Fault(NamedTuple):
    """Something illegal: where it is, and what is wrong."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def body_place(spec: Spec, index: int) -> str:
    return f"body {index} `{spec.bodies[index].name}`"


def node_place(spec: Spec, index: int, number: int) -> str:
    node = spec.bodies[index].nodes[number]
    return f"{body_place(spec, index)}, node {number} `{node.op if isinstance(node, OpNode) else node.kind}`"


def entered(node: AnyNode) -> list[tuple[int, Mapping[str, str]]]:
    """The bodies that a node enters in either mode, with what it hands them."""
    match node:
        case CallNode() | ScanNode():
            return [(node.body, node.instances)]
        case RepeatNode():
            return [(run.body, run.instances) for run in node.runs]
        case ModeNode():
            return [(node.training, node.instances), (node.evaluation, node.instances)]
        case OpNode() if isinstance(node.args.get("body"), int):
            return [(node.args["body"], {})]  # a loss that applies a net itself
        case _:
            return []
