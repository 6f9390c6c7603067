"""The data section as an exported file holds it: what leads from raw records to its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...compiler.catalogue import SOURCES, transforms
from ...compiler.ir.data import DataNode, DataSet
from ...compiler.ir.train import Train
from ..data.arrays.batches import InputPipeline, below, in_evaluation
from ..data.token_streams import tokenized
from ..inference import pipeline as entry
from .preprocessing import in_graph

NONE: Mapping[str, int] = {}


def pipeline_of(
    data: DataSet,
    train: Train,
    inputs: Mapping[str, bool],
    fitted: Mapping[int, Mapping[str, Any]],
    root: Path,
    *,
    preprocess: bool,
    lookups: Mapping[str, int] = NONE,
) -> InputPipeline | None:
    """`inputs` are the names of the graph's inputs, and whether each is an input of the model that is trained. None where one of
    them is made from no field, or from what has learned nothing yet. `lookups` are the nodes that look strings up in the graph."""
    fields = {name: train.inputs.get(name, name) for name, own in inputs.items() if own}
    known = {field.name: field for field in data.fields}
    if not inputs or fields.keys() != inputs.keys() or not set(fields.values()) <= known.keys():
        return None
    held: dict[str, frozenset[int]] = {}
    for name, field in fields.items():
        last = known[field].node
        if any(_lacks(data, data.node(identifier), fitted) for identifier in below(data, last)):
            return None
        if preprocess:
            inside = {in_evaluation(data, node.id) for node in in_graph(data, last, fitted)}
            held[name] = frozenset(inside | ({lookups[name]} if name in lookups else set[int]()))
    return InputPipeline(data, {node: dict(found) for node, found in fitted.items()}, fields, held, root)


def _lacks(data: DataSet, node: DataNode, fitted: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether a node needs what no run has learned."""
    if node.op == "source":
        learns = SOURCES[data.source.name].learns and not tokenized(data, node)
        return node.type.kind == "stream" and learns and node.id not in fitted
    return (node.op == "columns" or bool(transforms.of(node.op).learns)) and node.id not in fitted


def as_json(pipeline: InputPipeline | None, answered: Sequence[str]) -> str:
    """The metadata entry: empty where there is none. `answered` are the fields that outputs stand for."""
    return (entry.as_json(pipeline, answered) if pipeline is not None else None) or ""
