"""Example by example: target, answer, probabilities and loss, as rows of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...backends.pytorch.module import output_values
from ...compiler.analysis.targets import output_meanings
from ...compiler.ir.verify import output_types
from ...compiler.sizes.dims import variables
from ..data import vocabulary
from ..data.arrays.batches import Called
from ..generated.build import extra_outputs
from ..inference.answering import TextAnswers, made_of
from ..inference.answers import Answer
from ..inference.batch_axis import batch_axes
from ..inference.units import answer_of
from ..training.evaluate import Seen
from .judge import Judge, array_of


class Examples:
    """Rows of the batches that a judge sees."""

    def __init__(self, judge: Judge, classes: Mapping[str, tuple[str, ...]]) -> None:
        self.judge, self.classes = judge, classes
        self.nets = list(dict.fromkeys(judged.net for judged in judge.judged)) or [judge.train.nets[0].name]
        self.answers: dict[str, dict[str, Answer]] = {}
        section, fitted = judge.data.section, judge.fitted
        for net in self.nets:
            meanings = output_meanings(judge.spec, judge.train, net)
            self.answers[net] = {name: answer_of(each, section, fitted, classes) for name, each in meanings.items()}
        self.axes = None if any(term.across for term in judge.train.evaluation.terms) else _axes(judge)

    def rows(self, seen: Seen) -> list[dict[str, Any]]:
        """A row an example: `record` is its position among the records of the source, `place` the row or file."""
        judge = self.judge
        records = judge.data.part(judge.split).records[seen.positions].tolist()
        places = [judge.place(at) for at in seen.positions.tolist()]
        found: list[dict[str, Any]] = [
            {"record": record, "place": place} for record, place in zip(records, places, strict=True)
        ]
        for name, column in self.targets(seen):
            for row, value in zip(found, column, strict=True):
                row[name] = value
        for net in self.nets:
            for row, told in zip(found, self.told(net, seen, places), strict=True):
                row.update((key, value) for key, value in told.items() if key != "input")
        for row, loss in zip(found, self.losses(seen), strict=False):
            row["loss"] = loss
        return found

    def targets(self, seen: Seen) -> Iterator[tuple[str, list[Any]]]:
        """What the answers are compared with: names of classes, values in the units of the data."""
        judged = self.judge.judged
        for each in judged:
            name = "target" if len(judged) == 1 else f"target {each.answer.field}"
            yield name, self.judge.target_of(each.answer, array_of(seen.batch[each.answer.field]))

    def told(self, net: str, seen: Seen, places: list[str]) -> list[dict[str, Any]]:
        outputs = self.judge.outputs(net, seen)
        if outputs is None:
            return [{} for _ in places]
        answers = self.answers[net]
        values = {name: array_of(output) for name, output in zip(answers, outputs, strict=False)}
        section, fitted = self.judge.data.section, self.judge.fitted
        tokens = {
            name: answer
            for name, answer in answers.items()
            if answer.field and vocabulary.of_field(section, answer.field, fitted) is not None
        }
        texts = TextAnswers(section, fitted, tokens) if tokens else None
        body = self.judge.spec.body_of(self.judge.spec.models[self.judge.train.net(net).model])
        shapes = {result.name: kind.shape for result, kind in zip(body.outputs, output_types(body), strict=True)}
        axes = batch_axes((value.type.shape for value in body.inputs), shapes)
        return made_of(Called(places), values, answers, texts, axes).rows(probabilities=True)

    def losses(self, seen: Seen) -> list[float]:
        """The loss of each example alone; none where the loss joins examples, or there is none."""
        if self.axes is None:
            return []
        answers = {net: [output for _, output in made] for net, made in seen.calls.items()}
        return self.judge.program.evaluation.each(seen.batch, answers, self.axes)


def _axes(judge: Judge) -> dict[str, list[int | None]] | None:
    """By net, which axis of each of its outputs counts examples; None where one of them is joined with another axis."""
    found: dict[str, list[int | None]] = {}
    for net in judge.train.nets:
        model = judge.spec.models[net.model]
        body = judge.spec.body_of(model)
        outputs, emits = output_values(judge.spec, model, extra_outputs(judge.spec, judge.train, net.name))
        shapes = {name: body.value(value).type.shape for name, value in outputs}
        axes = batch_axes((value.type.shape for value in body.inputs), shapes)
        batch = {name for value in body.inputs for size in value.type.shape[:1] for name in variables(size)}
        for name, shape in shapes.items():
            counted = axes[name]
            rest = [size for axis, size in enumerate(shape) if axis != counted]
            if any(batch & set(variables(size)) for size in rest):
                return None
            if counted is not None and not batch & set(variables(shape[counted])):
                axes[name] = None
        found[net.name] = [*axes.values(), *[None] * len(emits)]
    return found
