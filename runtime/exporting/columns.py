"""Which columns of a table the inputs of an exported file are from, for its metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...compiler.catalogue import transforms
from ...compiler.ir.data import DataNode, DataSet
from ...compiler.ir.train import Train
from ..inference.columns import InputColumns
from .preprocessing import in_graph, way_to


def columns_of(
    data: DataSet, train: Train, inputs: Sequence[str], fitted: Mapping[int, Mapping[str, Any]], preprocess: bool
) -> dict[str, InputColumns]:
    """By input, of those whose numbers are single columns, each transformed by itself. `fitted` is what the run's data
    learned, the names of `all_except` among them."""
    found: dict[str, InputColumns] = {}
    for name in inputs:
        field = next((field for field in data.fields if field.name == train.inputs.get(name, name)), None)
        names = _names(data, way_to(data, field.node), fitted) if field is not None else None
        if field is None or not names:
            continue
        inside = in_graph(data, field.node, fitted) if preprocess else ()
        found[name] = InputColumns(tuple(names), any(transforms.of(node.op).fills for node in inside))
    return found


def _names(data: DataSet, way: Sequence[DataNode], fitted: Mapping[int, Mapping[str, Any]]) -> list[str] | None:
    """Names of what a field holds, in order; None where a number of it is not that of one column."""
    source, *rest = way
    if source.op == "columns":
        names = list(fitted.get(source.id, {}).get("names", ()))
    elif source.op == "source":
        names = [source.args["field"]]
    else:
        return None
    for node in rest:
        if node.op == "slice":
            names = names[node.args["start"] : node.args["stop"]]
        elif node.op == "index":
            names = names[node.args["at"] : node.args["at"] + 1 or None]
        elif (
            transforms.of(node.op).taken(node.args) != "numbers"
            or node.type.shape != data.node(node.inputs[-1]).type.shape
        ):
            return None
    return names
