"""What a forecast must be better than: the metrics of a split with the last value, and with those of a season before, in place of what
the model gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...compiler.analysis.meaning import Meaning
from ...compiler.analysis.targets import output_meanings
from ...compiler.ir.data import DataNode
from ...compiler.ir.model import Spec
from ...compiler.ir.train import Train
from ..data.feed import Batch, Feed
from ..generated.build import extra_outputs
from ..generated.functions import Program
from .metrics import accumulators

RECORDS = 256  # in a batch


def figures(program: Program, feed: Feed, spec: Spec, train: Train) -> dict[str, float]:
    """Metrics of a split by baseline: `{"rmse.last_value": .., "rmse.season_12": ..}`; none where an output does not forecast a series."""
    meanings = _forecasts(spec, train)
    cuts = [_window_of(feed, meaning) for meaning in meanings]
    if not cuts or None in cuts or not program.parts:
        return {}
    periods = {cut.args["period"] for cut in cuts if cut is not None} - {None}
    found: dict[str, float] = {}
    for period in (None, *sorted(periods)):
        name = "last_value" if period is None else f"season_{period}"
        measured = _measured(program, feed, _Baseline(spec, train, feed, meanings, period))
        found.update({f"{metric}.{name}": value for metric, value in measured.items()})
    return found


def _forecasts(spec: Spec, train: Train) -> list[Meaning]:
    """What the outputs of the net stand for; none where one is not a value of a field."""
    if len(train.nets) != 1 or extra_outputs(spec, train, train.nets[0].name):
        return []
    found = list(output_meanings(spec, train, train.nets[0].name).values())
    return found if all(meaning.kind == "value" for meaning in found) else []


def _window_of(feed: Feed, meaning: Meaning) -> DataNode | None:
    """The window whose `next` an output forecasts."""
    graph, names = feed.graph, {field.name for field in feed.fields}
    if meaning.field not in names:
        return None
    node = graph.nodes[graph.real(feed.data.section.field(meaning.field).node, False)]
    while node.inputs:
        below = graph.nodes[graph.real(node.inputs[0], False)]
        if node.op == "member" and graph.cuts_rows(below):
            return below if node.args["name"] == "next" and below.type.members["past"].kind == "tensor" else None
        node = below
    return None


class _Baseline:
    """In place of a net: what it gives are values of the past, as outputs of the net would have to be."""

    def __init__(self, spec: Spec, train: Train, feed: Feed, meanings: list[Meaning], period: int | None) -> None:
        self.feed, self.meanings, self.period = feed, meanings, period
        self.types = [value.type for value in self._outputs(spec, train)]
        self.given: Sequence[Tensor] = ()

    @staticmethod
    def _outputs(spec: Spec, train: Train) -> list[Any]:
        body = spec.body_of(spec.models[train.nets[0].model])
        types = {value.id: value for value in body.values()}
        return [types[result.value] for result in body.outputs]

    def __call__(self, *_: Any) -> Any:
        return tuple(self.given) if len(self.given) > 1 else self.given[0]

    def batches(self) -> Iterator[Batch]:
        """The batches of the split, in order; what is given belongs to the last one."""
        done = 0
        for batch in self.feed.batches(RECORDS):
            count = len(next(iter(batch.values())))
            positions = torch.arange(done, done + count).numpy()
            self.given = tuple(
                self._output(meaning, type.shape[1:], positions)
                for meaning, type in zip(self.meanings, self.types, strict=True)
            )
            done += count
            yield batch

    def _output(self, meaning: Meaning, shape: Any, positions: Any) -> Tensor:
        graph, part = self.feed.graph, self.feed.part
        window = _window_of(self.feed, meaning)
        assert window is not None
        evaluate = lambda node, **known: graph.evaluate(
            [node], part, positions, training=False, device=self.feed.device, **known
        )[node]
        cut: Any = evaluate(window.id)
        past, horizon = cut["past"], window.args["horizon"]
        period = 1 if self.period is None else window.args["period"] or 1
        at = past.shape[1] - period + torch.arange(horizon, device=past.device) % period
        changed = {window.id: {"past": past, "next": past[:, at]}}
        value: Any = evaluate(self.feed.data.section.field(meaning.field).node, known=changed)
        found = (value.to(torch.float32) - meaning.shift) / meaning.scale
        sizes = [size for size in shape if isinstance(size, int)]
        fits = len(sizes) == len(shape) and math.prod(sizes) * len(found) == found.numel()
        return found.reshape(len(found), *sizes) if fits else found


def _measured(program: Program, feed: Feed, baseline: _Baseline) -> dict[str, float]:
    evaluation = program.evaluation.over(baseline)
    parts = accumulators(program.parts, feed.data)
    with torch.no_grad():
        for batch in baseline.batches():
            for part, values in zip(parts, evaluation(batch).inputs, strict=True):
                part.update(*values)
    return evaluation.figures({given.name: part.value() for given, part in zip(program.parts, parts, strict=True)})
