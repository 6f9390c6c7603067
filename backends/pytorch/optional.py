"""Bodies that lack one layer of another: one class with a switch, as `downsample=False`, instead of two near copies.

    shortcut = x -> if stride != 1 { downsample: { Conv(..) -> BatchNorm } }      the spec
    bodies with the nodes downsample.0 and downsample.1, and bodies without        the IR
    self.downsample = None                                                         the source
    if downsample:
        self.downsample = nn.Sequential(nn.Conv2d(..), nn.BatchNorm2d(..))
    ..
    shortcut = x if self.downsample is None else self.downsample(x)

A body without the layer is filled up with it, so that both have the same nodes; the numbers of what is filled in are
`Free`: whatever the others need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compiler.ir.model import AnyNode, Body, Instance, OpNode, Value
from .fitting import Free


def free(value: Any) -> Any:
    """A static argument with its numbers freed."""
    if isinstance(value, tuple):
        items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return tuple(map(free, items))
    return Free(value) if isinstance(value, int) and not isinstance(value, bool) else value


def filled(full: Body, lacking: Body, same: Callable[[AnyNode, AnyNode], bool]) -> tuple[str, Body] | None:
    """The path of what `full` has beyond `lacking`, and `lacking` with it; None where the two differ in anything else.

    What is filled in must be layers under one path, each fed the result of the one before: without them the value that
    goes in comes out. `same` says whether two nodes are equal but for numbers and values.
    """
    if len(full.nodes) <= len(lacking.nodes) or len(full.inputs) != len(lacking.inputs):
        return None
    known: dict[int, int] = {a.id: b.id for a, b in zip(full.inputs, lacking.inputs, strict=True)}
    types = {value.id: value.type for value in lacking.values()}
    nodes: list[AnyNode] = []
    paths: list[str] = []
    at = 0
    for node in full.nodes:
        other = lacking.nodes[at] if at < len(lacking.nodes) else None
        mapped = tuple(known.get(v, -1) if isinstance(v, int) else v for v in node.inputs)
        if other is not None and same(node, other) and _inputs_match(mapped, other.inputs):
            outputs = tuple(
                Value(id=a.id, type=b.type, name=a.name) for a, b in zip(node.outputs, other.outputs, strict=True)
            )
            known |= {a.id: b.id for a, b in zip(node.outputs, other.outputs, strict=True)}
            inputs = tuple(a if isinstance(a, int) else b for a, b in zip(node.inputs, other.inputs, strict=True))
            nodes.append(other.model_copy(update={"inputs": inputs, "outputs": outputs}))
            at += 1
            continue
        place = (node.instance or node.path or "") if isinstance(node, OpNode) else ""
        if not isinstance(node, OpNode) or not place or place.startswith("@"):
            return None
        if len(node.inputs) != 1 or len(node.outputs) != 1 or not isinstance(mapped[0], int) or mapped[0] < 0:
            return None
        (output,) = node.outputs
        if output.type.rank != types[mapped[0]].rank or output.type.dtype != types[mapped[0]].dtype:
            return None
        known[output.id] = mapped[0]
        paths.append(place)
        nodes.append(
            node.model_copy(
                update={
                    "args": {name: free(value) for name, value in node.args.items()},
                    "outputs": (Value(id=output.id, type=types[mapped[0]], name=output.name),),
                }
            )
        )
    tops = {path.split(".")[0] for path in paths}
    results = [known.get(result.value) for result in full.outputs]
    if at < len(lacking.nodes) or len(tops) != 1 or results != [result.value for result in lacking.outputs]:
        return None
    (top,) = tops
    own = {instance.path: instance for instance in lacking.instances}
    instances = tuple(own.get(i.path) or _freed(i) for i in full.instances)
    if any(i.path not in own and i.path.split(".")[0] != top for i in full.instances) or full.emits or lacking.emits:
        return None
    inputs = tuple(Value(id=a.id, type=b.type, name=a.name) for a, b in zip(full.inputs, lacking.inputs, strict=True))
    update: dict[str, Any] = {
        "inputs": inputs,
        "nodes": tuple(nodes),
        "outputs": full.outputs,
        "instances": instances,
        "taps": {},
    }
    return top, lacking.model_copy(update=update)


def _inputs_match(mapped: tuple[Any, ...], inputs: tuple[Any, ...]) -> bool:
    return len(mapped) == len(inputs) and all(
        a == b if isinstance(b, int) else not isinstance(a, int) for a, b in zip(mapped, inputs, strict=True)
    )


def _freed(instance: Instance) -> Instance:
    return instance.model_copy(
        update={
            "args": {name: free(value) for name, value in instance.args.items()},
            "parameters": tuple(p.model_copy(update={"shape": free(p.shape)}) for p in instance.parameters),
        }
    )


__all__ = ["filled"]
