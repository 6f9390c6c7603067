"""What is read off a body: where its nodes lie, which paths it takes, how often its values are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from ...compiler.ir.model import AnyNode, Body, CallNode, ModeNode, OpNode, RepeatNode, ScanNode


def location(spec_body: Callable[[int], Body], node: AnyNode) -> tuple[str, ...] | None:
    """The path a node takes in its body, as segments; for spliced turns that of their first stage."""
    match node:
        case OpNode() | CallNode():
            path = node.instance if node.instance is not None else getattr(node, "path", None)
            return None if path is None or path.startswith("@") else tuple(path.split("."))
        case RepeatNode():
            if node.scope:
                return tuple(node.scope.split("."))
            for inner in spec_body(node.runs[0].body).nodes:
                found = location(spec_body, inner)
                if found is not None:
                    return found
            return None
        case _:
            return None


def uses(body: Body) -> Counter[int]:
    """How often each value of a body is read."""
    count: Counter[int] = Counter()
    for node in body.nodes:
        operands = [*node.inputs]
        if isinstance(node, RepeatNode):
            for run in node.runs:
                operands += run.captures
        count.update(operand for operand in operands if isinstance(operand, int))
    count.update(result.value for result in (*body.outputs, *body.emits))
    return count


def owns(body_of: Callable[[int], Body], body: Body) -> Iterator[str]:
    """Paths that a region takes: its instances, and the numbers of its functions."""
    for instance in body.instances:
        yield instance.path
    for node in body.nodes:
        if isinstance(node, OpNode) and node.instance is None and node.path is not None:
            yield node.path
        elif isinstance(node, RepeatNode):
            for run in node.runs:
                inner = list(owns(body_of, body_of(run.body)))
                yield from ((f"{node.scope}.{path}" for path in inner) if node.scope else inner)
        elif isinstance(node, ModeNode):
            yield from owns(body_of, body_of(node.training))
            yield from owns(body_of, body_of(node.evaluation))
        elif isinstance(node, ScanNode):
            yield from owns(body_of, body_of(node.body))


def regions_of(node: AnyNode, *, calls: bool = True) -> list[int]:
    """Bodies that a node runs; without `calls` only those that are written in place."""
    match node:
        case RepeatNode():
            return [run.body for run in node.runs]
        case ModeNode():
            return [node.training, node.evaluation]
        case CallNode():
            return [node.body] if calls else []
        case ScanNode():
            return [node.body]
        case _:
            return []


def singular(scope: str) -> str:
    """What one element of `layers` is called."""
    name = scope.split(".")[-1]
    return name[:-1] if name.endswith("s") and len(name) > 2 else f"{name}_part" if len(name) < 2 else name


def numbered(segment: str) -> bool:
    """Whether a segment of a path is a stage or a turn."""
    return segment.isdigit() or segment.startswith("#")


__all__ = ["location", "numbered", "owns", "regions_of", "singular", "uses"]
