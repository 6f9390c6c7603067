"""From what an output means to what it answers: class names, and the way from a field back to the units of its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...compiler.analysis.meaning import Meaning
from ...compiler.analysis.targets import metric_units
from ...compiler.catalogue import transforms
from ...compiler.catalogue.transforms import Undo
from ...compiler.ir.data import DataNode, DataSet
from ..run import Run
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
    try:
        return replace(said, undo=way_back(section, field.name, fitted), shape=shape)
    except NoWayBack as reason:
        if meaning.kind != "value":  # a share of what the model saw is one, whatever that was made from
            return replace(said, shape=shape)
        return Answer("unknown", meaning.field, why=f"it stands for `{field.name}`, and {reason}")


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
    node = section.node(section.field(name).node)
    steps: list[Undo] = []
    picks: list[DataNode] = []
    members: list[str] = []
    while node.inputs:
        at = -1  # of a `choose` the side of evaluation
        transform = transforms.of(node.op)
        undone = transform.inverse(node.type, node.args, fitted.get(node.id, {}))
        if undone is None and transform.learns and node.id not in fitted:
            raise NoWayBack(f"`{node.op}` is not fitted yet")
        if undone is None:
            raise NoWayBack(f"`{node.op}` cannot be undone")
        steps += [_picked(step, picks) for step in undone]
        if transform.to_float and section.node(node.inputs[at]).type.dtype == "u8":
            steps.append(("affine", 255.0, 0.0))  # bytes were read as value / 255
        if transform.picks and not transform.windows:
            picks.append(node)
        elif node.op == "member":
            members.append(node.args["name"])
        elif node.op == "tuple" and members:
            at = list(node.type.members).index(members.pop())
        node = section.node(node.inputs[at])
    return tuple(steps)


def figures_in_units(run: Run, figures: Mapping[str, float]) -> list[str]:
    """A line a metric that was computed on transformed values: what it is in the units of the data, or why that is unknown."""
    train, fitted = run.train, run.data.fitted
    section = run.spec.recipe.dataset(train.data)
    found: list[str] = []
    for name, (field, factor) in metric_units(run.spec, train).items():
        try:
            steps = way_back(section, field, fitted)
        except NoWayBack:
            continue
        if not steps and factor == 1:
            continue
        scales = [np.asarray(step[1]) for step in steps if len(step) == 3]
        words = f"`{name}` is computed on transformed values of `{field}`"
        if len(scales) == len(steps) and all(scale.ndim == 0 for scale in scales):
            figure = figures[name] / factor * abs(float(np.prod(scales)))
            found.append(f"{words}; in the units of the data it is {figure:.4g}")
        else:
            found.append(f"{words}, and no single factor leads to the units of the data")
    return found


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
