"""Strings in the exported graph (`preprocess = true`): a `category` that leads to an input becomes a look-up of its names, so that a
program without dlc feeds the strings of a column.

    island: i64 = source.island -> lower -> category        island string[B] -> StringNormalizer -> LabelEncoder
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...backends.onnx import Lookup
from ...compiler.catalogue import transforms
from ...compiler.dataclass import dataclass
from ...compiler.ir.data import DataNode, DataSet
from ...compiler.ir.train import Train
from ..data.arrays.batches import in_evaluation
from ..data.cells import CellRule, rule_of
from .preprocessing import in_graph, way_to


@dataclass(frozen=True)
class HeldLookup:
    """A look-up in the graph, and the node of the data section that it is."""

    lookup: Lookup
    node: int


def held(
    data: DataSet, train: Train, inputs: Mapping[str, bool], fitted: Mapping[int, Mapping[str, Any]]
) -> dict[str, HeldLookup]:
    """The look-ups by input of the graph. `inputs` are their names, and whether each is an input of the model that is trained."""
    fields = {field.name: field for field in data.fields}
    found: dict[str, HeldLookup] = {}
    for name, own in inputs.items():
        field = fields.get(train.inputs.get(name, name))
        if field is None or not own:
            continue
        inside = in_graph(data, field.node, fitted)
        last = in_evaluation(data, inside[0].inputs[0] if inside else field.node)
        way = way_to(data, last)
        lookup = _lookup(way, fitted, rule_of(data.source.args))
        if lookup is not None:
            found[name] = HeldLookup(lookup, last)
    return found


def _lookup(way: list[DataNode], fitted: Mapping[int, Mapping[str, Any]], rule: CellRule) -> Lookup | None:
    """The look-up that the last of these nodes is: one of strings, one a record."""
    node, before = way[-1], way[1:-1]
    if transforms.of(node.op).stands_for != "classes" or node.id not in fitted or way[0].op != "source":
        return None
    names, unknown = tuple(fitted[node.id]["names"]), bool(node.args.get("unknown"))
    if any(transforms.of(each.op).case != "LOWER" for each in before):
        return None
    names = names[:-1] if unknown else names
    missing = tuple(mark for mark in rule.marks if mark not in names and (not before or mark == mark.lower()))
    return Lookup(names, bool(before) and all(name.isascii() for name in names), unknown, missing)
