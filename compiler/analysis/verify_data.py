"""Whether a `data` section on its own is legal, as the metadata of an exported file holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalogue import SOURCES, TRANSFORMS
from ..catalogue.arguments import read
from ..catalogue.transforms.base import Unsuited
from ..ir.data import DataNode, DataSet
from ..ir.faults import Fault
from ..ir.verify_recipe import DATA_NODES, data_faults
from ..messages.statics import StaticError
from .verify_entry import wrong_use

#: Kinds of the arguments of nodes that the catalogue does not define.
NOTATION: dict[str, dict[str, str]] = {
    "source": {"field": "str"},
    "columns": {"except": "Names"},
    "columns of names": {"names": "Names"},
    "member": {"name": "str"},
    "slice": {"start": "int | None", "stop": "int | None"},
    "index": {"at": "int"},
}


def verify_data(data: DataSet) -> list[Fault]:
    """What is illegal in a `data` section on its own, as an exported file holds it: its nodes, their arguments, and what each is
    applied to."""
    return data_faults("data", data) or node_faults("data", data, with_paths=False)


def node_faults(place: str, data: DataSet, *, with_paths: bool = True) -> list[Fault]:
    """What is illegal in the source and the nodes of a section whose references all resolve. An exported file is without
    the paths of the files that its model was trained on."""
    entry = SOURCES.get(data.source.name)
    paths = [name for name, kind, _ in entry.arguments if kind == "Path"] if entry is not None else []
    wrong = wrong_use(SOURCES, data.source.name, data.source.args, () if with_paths else paths)
    found = [Fault(f"{place}, source", wrong)] if wrong is not None else []
    for node in data.nodes:
        if node.op in DATA_NODES:
            form = "columns of names" if node.op == "columns" and "names" in node.args else node.op
            wrong = _wrong_notation(form, node.args)
        elif node.op in TRANSFORMS and TRANSFORMS[node.op].branches:
            wrong = _wrong_branches(data, node) or wrong_use(TRANSFORMS, node.op, node.args)
        elif node.op in TRANSFORMS and len(node.inputs) != 1:
            wrong = f"reads {len(node.inputs)} nodes, where 1 is needed"
        else:
            wrong = wrong_use(TRANSFORMS, node.op, node.args) or _unsuited(data, node)
        if wrong is not None:
            found.append(Fault(f"{place}, node {node.id} `{node.op}`", wrong))
    return found


def _wrong_branches(data: DataSet, node: DataNode) -> str | None:
    """A node that chooses reads where its chains begin, then their ends: at least two."""
    if len(node.inputs) < 3:
        return f"reads {len(node.inputs)} nodes, where at least 3 are needed"
    start, *ends = node.inputs
    for end in ends:
        while end > start and data.nodes[end].inputs:
            end = data.nodes[end].inputs[0]
        if end != start:
            return f"has a chain that does not begin with node {start}"
    return None


def _unsuited(data: DataSet, node: DataNode) -> str | None:
    """Why a transform does not apply to what it reads; None where it does."""
    item, entry = data.nodes[node.inputs[0]].type, TRANSFORMS[node.op]
    members = list(item.members.values()) if item.kind == "record" and not entry.joins else [item]
    try:
        kinds = {entry.infer(member, dict(node.args)).kind for member in members}
    except (Unsuited, ValueError, TypeError, AttributeError, KeyError) as error:
        return f"does not apply to what node {node.inputs[0]} gives: {error}"
    if (item.kind == "record" and not entry.joins) or kinds == {node.type.kind}:
        return None
    return f"gives `{node.type.kind}`, where it makes {', '.join(sorted(kinds))}"


def _wrong_notation(op: str, args: Mapping[str, Any]) -> str | None:
    kinds = NOTATION.get(op, {})
    if set(args) != set(kinds):
        return f"takes {', '.join(kinds) or 'no arguments'}, not {', '.join(args) or 'none'}"
    for name, kind in kinds.items():
        try:
            read(kind, args[name])
        except (ValueError, StaticError) as error:
            return f"the argument `{name}` is `{args[name]}`: {error}"
    return None
