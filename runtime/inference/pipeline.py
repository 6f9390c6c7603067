"""The data section in an exported file, as far as its inputs are made from it (`dlc.data`): raw records go through it.

    {"section": .., "fitted": {"3": {"mean": [..], "std": [..]}}, "fields": {"x": "x"}, "inside": {"x": [3]}}

`section` is a legal `data` section of the IR without the paths of its source, `fitted` what its nodes learned, `fields` the field of
each input, `inside` the nodes that the graph holds.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import PurePath
from typing import Any

from ...compiler.analysis.verify_data import verify_data
from ...compiler.catalogue import SOURCES
from ...compiler.ir.arguments import EntryUse
from ...compiler.ir.data import DataNode, DataSet
from ...compiler.ir.record import field
from ...compiler.messages.source import Span
from ..data import learned
from ..data.arrays.batches import InputPipeline, below, in_evaluation
from ..forms import Form, FormReader, Learned, NotOfForm

NOWHERE = Span("", 0, 0)


class _Entry(Form):
    section: dict[str, Any]
    fitted: dict[int, dict[str, Learned]]
    fields: dict[str, str]
    inside: dict[str, tuple[int, ...]] = field(default_factory=dict)


_ENTRY = FormReader(_Entry)


class NotAPipeline(Exception):
    """The entry is not what `as_json` writes; the text is the reason."""


def as_json(pipeline: InputPipeline, others: Collection[str]) -> str:
    """The entry for a pipeline. `others` are fields that outputs stand for: they define what a token is."""
    kept = [field for field in pipeline.section.fields if field.name in {*pipeline.fields.values(), *others}]
    section = pipeline.section
    order = sorted({identifier for field in kept for identifier in below(section, field.node)})
    number = {identifier: position for position, identifier in enumerate(order)}
    moved = lambda identifier: number[in_evaluation(section, identifier)]
    nodes: list[DataNode] = []
    for identifier in order:
        node = section.node(identifier)
        args = dict(node.args)
        if isinstance(args.get("path"), str):  # what it holds was learned; the ending decides how its texts are read
            args["path"] = f"{number[identifier]}{PurePath(args['path']).suffix}"
        inputs = tuple(map(moved, node.inputs))
        nodes.append(
            node.model_copy(update={"id": number[identifier], "args": args, "inputs": inputs, "span": NOWHERE})
        )
    alone = section.model_copy(
        update={
            "source": _without_paths(section.source),
            "split": EntryUse(name="all", args={"split": "test"}, span=NOWHERE),
            "skip": (),
            "where": None,
            "drop": (),
            "nodes": tuple(nodes),
            "fields": tuple(f.model_copy(update={"node": moved(f.node), "span": NOWHERE}) for f in kept),
            "span": NOWHERE,
        }
    )
    return json.dumps(
        {
            "section": alone.model_dump(),
            "fitted": {number[i]: dict(pipeline.fitted[i]) for i in order if i in pipeline.fitted},
            "fields": dict(pipeline.fields),
            "inside": {name: sorted(number[i] for i in held) for name, held in pipeline.inside.items() if held},
        }
    )


def _without_paths(source: EntryUse) -> EntryUse:
    """A file of predictions names no file of the machine that it was trained on."""
    paths = {name for name, kind, _ in SOURCES[source.name].arguments if kind == "Path"}
    return EntryUse(name=source.name, args={k: "" if k in paths else v for k, v in source.args.items()}, span=NOWHERE)


def read(text: str, inputs: Collection[str]) -> InputPipeline:
    """The pipeline of an entry, whose inputs must be those of the graph. Raises NotAPipeline."""
    try:
        entry = _ENTRY.read(text)
        section = DataSet.model_validate(entry.section)
    except NotOfForm as error:
        raise NotAPipeline(f"cannot be read {error}") from None
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise NotAPipeline(f"cannot be read: {str(error).splitlines()[0]}") from None
    for fault in verify_data(section):
        raise NotAPipeline(f"is not a data section: {fault}")
    fitted, fields = dict(entry.fitted), {field.name: field for field in section.fields}
    if set(entry.fields) != set(inputs) or not set(entry.fields.values()) <= fields.keys():
        raise NotAPipeline("does not fit the inputs of the graph")
    inside = {name: frozenset(held) for name, held in entry.inside.items()}
    if not inside.keys() <= set(inputs) or any(
        not 0 <= i < len(section.nodes) for held in inside.values() for i in held
    ):
        raise NotAPipeline("names nodes that are not there")
    pipeline = InputPipeline(section, fitted, entry.fields, inside)
    for identifier in sorted(pipeline.nodes()):
        wrong = learned.fault(section.nodes[identifier], fitted.get(identifier, {}))
        if wrong is not None:
            raise NotAPipeline(wrong)
    return pipeline
