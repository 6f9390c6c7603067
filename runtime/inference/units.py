"""From what an output means to what it answers: class names, and the way from a field back to the units of its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...compiler.analysis.meaning import Meaning
from ...compiler.analysis.targets import MetricTarget
from ...compiler.catalogue import transforms
from ...compiler.catalogue.transforms import Undo
from ...compiler.ir.data import DataNode, DataSet
from ..data import vocabulary
from ..data.series import over_rows
from .answers import Answer


class NoWayBack(Exception):
    """A transform of the field cannot be undone; the text names it and the reason."""


def answer_of(
    meaning: Meaning,
    section: DataSet,
    fitted: Mapping[int, Mapping[str, Any]],
    names: Mapping[str, Sequence[str]],
) -> Answer:
    """The answer of an output. `fitted` is what the transforms learned, by node; `names` are class names by field, as the
    data gave them."""
    said = Answer(meaning.kind, meaning.field, meaning.axis, meaning.scale, meaning.shift, meaning.why)
    field = next((field for field in section.fields if field.name == meaning.field), None)
    if field is None or meaning.kind == "unknown":
        return said
    if meaning.kind in ("scores", "probabilities", "class"):
        return replace(said, classes=class_names(section, field.name, fitted, names))
    shape = tuple(size if isinstance(size, int) else None for size in field.type.shape[1:])
    if meaning.kind != "value":
        said = _named(said, section, field.name, fitted, names)
    try:
        return replace(said, undo=way_back(section, field.name, fitted), shape=shape)
    except NoWayBack as reason:
        if meaning.kind != "value":  # a share of what the model saw is one, whatever that was made from
            return replace(said, shape=shape)
        return Answer("unknown", meaning.field, why=f"it stands for `{field.name}`, and {reason}")


def _named(
    said: Answer,
    section: DataSet,
    field: str,
    fitted: Mapping[int, Mapping[str, Any]],
    names: Mapping[str, Sequence[str]],
) -> Answer:
    """An answer in shares with the names of its two classes or of its labels, where the field has such."""
    labels = vocabulary.labels_of(section, field, fitted)
    if labels is not None:
        separator = vocabulary.words_of(section, field).args.get("separator", " ")
        return replace(said, classes=tuple(labels), separator=separator)
    classes = class_names(section, field, fitted, names)
    return replace(said, classes=classes) if classes is not None and len(classes) == 2 else said


def class_names(
    section: DataSet, name: str, fitted: Mapping[int, Mapping[str, Any]], names: Mapping[str, Sequence[str]]
) -> tuple[str, ...] | None:
    """The class names of a field: those that were learned, that the source declares, or that the data gave."""
    node = section.node(section.field(name).node)
    while node.inputs:
        if transforms.of(node.op).stands_for == "classes" and node.id in fitted:
            return tuple(fitted[node.id]["names"])
        node = section.node(node.inputs[0])
    declared = section.field(name).classes
    if declared is not None and declared.names:
        return declared.names
    return tuple(names[name]) if names.get(name) else None


def way_back(section: DataSet, name: str, fitted: Mapping[int, Mapping[str, Any]]) -> tuple[Undo, ...]:
    """The steps from a field, as evaluation computes it, to the units of its source: its transforms undone, last first.

    Raises NoWayBack.
    """
    return tuple(step for _, steps in _steps_back(section, name, fitted) for step in steps)


def undone(section: DataSet, name: str, fitted: Mapping[int, Mapping[str, Any]]) -> tuple[str, ...]:
    """The transforms that `way_back` undoes, in the order of the spec. Raises NoWayBack."""
    return tuple(op for op, steps in reversed(_steps_back(section, name, fitted)) if steps)


def _steps_back(
    section: DataSet, name: str, fitted: Mapping[int, Mapping[str, Any]]
) -> list[tuple[str, tuple[Undo, ...]]]:
    """The transforms of a field from the last to the first, and how each is undone."""
    node = section.node(section.field(name).node)
    found: list[tuple[str, tuple[Undo, ...]]] = []
    picks: list[DataNode] = []
    members: list[str] = []
    while node.inputs:
        at = -1  # of a `choose` the side of evaluation
        transform = transforms.of(node.op)
        if over_rows(section, node):  # `.next` and the rows that were picked
            members, picks = members[:-1], _within_rows(picks)
            node = section.node(node.inputs[at])
            continue
        back = transform.inverse(node.type, node.args, fitted.get(node.id, {}))
        if back is None and transform.learns and node.id not in fitted:
            raise NoWayBack(f"`{node.op}` is not fitted yet")
        if back is None:
            raise NoWayBack(f"`{node.op}` cannot be undone")
        steps = tuple(_picked(step, picks) for step in back)
        if transform.to_float and section.node(node.inputs[at]).type.dtype == "u8":
            steps += (("affine", 255.0, 0.0),)  # bytes were read as value / 255
        found.append((node.op, steps))
        if transform.picks and not transform.windows:
            picks.append(node)
        elif node.op == "member":
            members.append(node.args["name"])
        elif node.op == "tuple" and members:
            at = list(node.type.members).index(members.pop())
        node = section.node(node.inputs[at])
    return found


def of_metric(
    measured: MetricTarget, section: DataSet, fitted: Mapping[int, Mapping[str, Any]]
) -> tuple[Answer, tuple[str, ...]] | None:
    """What leads from the values that a metric compares to the units of the data, and the transforms that are undone; None where
    there is none."""
    field = section.field(measured.field)
    try:
        undo = way_back(section, field.name, fitted)
    except NoWayBack:
        return None
    shape = tuple(size if isinstance(size, int) else None for size in field.type.shape[1:])
    scale, shift = 1 / measured.scale, -measured.shift / measured.scale
    answer = Answer("value", field.name, scale=scale, shift=shift, undo=undo, shape=shape)
    return answer, undone(section, field.name, fitted)


def _within_rows(picks: Sequence[DataNode]) -> list[DataNode]:
    """Of what a field picks, the last first, that which picks numbers of a row and not rows."""
    inner = list(picks)
    while inner and inner.pop().op == "slice":
        pass
    return inner


def _picked(step: Undo, picks: Sequence[DataNode]) -> Undo:
    """A step for those values of a record that a field picks. One figure stands for all."""
    if len(step) != 3:
        return step
    return ("affine", *(_pick(figures, picks) for figures in step[1:]))


def _pick(figures: Any, picks: Sequence[DataNode]) -> Any:
    found = np.asarray(figures)
    for node in reversed(picks) if found.ndim else ():
        found = found[node.args["start"] : node.args["stop"]] if node.op == "slice" else found[node.args["at"]]
    return found.tolist()
