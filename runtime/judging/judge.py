"""Sees a split while it is evaluated, and judges the answers of the nets.

    judge = Judge(spec, train, program, data, "test", classes)
    figures, losses = evaluate(program, feed, size, witness=judge)
    judge.result({**losses, **figures})

What an output means is read off the loss (`compiler/analysis/targets.py`): scores of classes, probabilities of yes and no, or values
of a field. Outputs that mean nothing of that, and those that give tokens, are not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.analysis.targets import measured_fields, output_meanings
from ...compiler.catalogue import LOSSES, METRICS, balanced
from ...compiler.catalogue.losses import Loss
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.data import Split
from ...compiler.ir.model import OpNode, Spec
from ...compiler.ir.train import Train
from ..checkpoints.judgements import ClassJudgement, InUnits, Judgement, ValueJudgement
from ..data import streams, vocabulary
from ..data.draw import Records
from ..data.feed import Data
from ..generated.functions import Program
from ..inference.answers import Answer
from ..inference.units import NoWayBack, answer_of, of_metric, undone
from ..training.accumulator import Accumulator
from ..training.evaluate import Seen
from ..training.metrics import accumulator
from .classes import ClassCounts, Labels
from .values import Values
from .worst import Worst

Array: TypeAlias = "NDArray[Any]"

MOST_NUMBERS = 1 << 22  # of an output that are judged at a time
MOST_CLASSES = 1000  # of which a table is kept
MOST_LABELS = 100
MOST_COLUMNS = 16  # of a vector that are judged one by one


@dataclass
class Judged:
    """An output of a net that answers for a field."""

    net: str
    output: str
    at: int  # its place among the outputs of the net
    answer: Answer
    ignored: frozenset[int] = frozenset()
    gathered: dict[str, ClassCounts | Labels | Values] = field(
        default_factory=dict[str, "ClassCounts | Labels | Values"]
    )
    worst: Worst = field(default_factory=Worst)
    unfit: bool = False  # the targets are not what is judged


@dataclass(frozen=True)
class _InUnits:
    """A metric that is gathered again, from values in the units of the data."""

    answer: Answer
    undone: tuple[str, ...]
    gathered: Accumulator


def _changes(answer: Answer) -> bool:
    return bool(answer.undo) or (answer.scale, answer.shift) != (1.0, 0.0)


class Judge:
    """A split's judgement; `worst` is how many of the worst examples it names."""

    def __init__(
        self,
        spec: Spec,
        train: Train,
        program: Program,
        data: Data,
        split: Split,
        classes: Mapping[str, Sequence[str]],
        worst: int = 10,
    ) -> None:
        self.spec, self.train, self.program, self.data = spec, train, program, data
        self.split: Split = split
        self.fitted = data.graph.fitted
        self.judged = list(self._judged(classes))
        for judged in self.judged:
            judged.worst.most = worst
        self.units: dict[str, _InUnits] = {}
        parts = {part.name: part for part in self.program.parts}
        for name, measured in measured_fields(spec, train).items():
            found = of_metric(measured, data.section, self.fitted)
            part = parts[name]
            if found is not None and (METRICS[part.op].unit == "target" or _changes(found[0])):
                self.units[name] = _InUnits(*found, accumulator(part.op, part.args))

    # ---- what is judged ------------------------------------------------------------------------------------------------

    def _judged(self, names: Mapping[str, Sequence[str]]) -> list[Judged]:
        """The first output of each net that answers for a field."""
        spec, train, section = self.spec, self.train, self.data.section
        fields = {each.name for each in section.fields}
        found: dict[str, Judged] = {}
        for net in train.nets:
            for at, (output, meaning) in enumerate(output_meanings(spec, train, net.name).items()):
                if meaning.kind in ("unknown", "class") or meaning.field in found or meaning.field not in fields:
                    continue
                if vocabulary.of_field(section, meaning.field, self.fitted) is not None:
                    continue  # tokens
                answer = answer_of(meaning, section, self.fitted, names)
                if answer.kind != "unknown":
                    found[meaning.field] = Judged(net.name, output, at, answer, _ignored(spec, train, meaning.field))
        return list(found.values())

    # ---- a batch ---------------------------------------------------------------------------------------------------------

    def see(self, seen: Seen) -> None:
        for part, inputs in zip(self.program.parts, seen.measured.inputs, strict=True):
            if part.name in self.units:
                found = self.units[part.name]
                pair = (inputs[0], inputs[1].expand_as(inputs[0]))
                found.gathered.update(*(_tensor(found.answer.values(array_of(each))) for each in pair))
        outputs = {net: self.outputs(net, seen) for net in {judged.net for judged in self.judged}}
        for judged in self.judged:
            given = outputs[judged.net]
            if given is None:
                continue
            output, target = given[judged.at], seen.batch[judged.answer.field]
            if not output.dim() or len(output) != len(seen.positions):
                continue  # not one an example
            rows = max(1, MOST_NUMBERS * len(output) // max(1, output.numel()))
            for start in range(0, len(seen.positions), rows):
                part = slice(start, start + rows)
                self._judge(judged, seen.positions[part], array_of(output[part]), array_of(target[part]))

    def outputs(self, net: str, seen: Seen) -> Sequence[Tensor] | None:
        """What a net gave for the batch: where the loss applies it once that, else what `model` gives for the fields."""
        made = seen.calls.get(net, ())
        if len(made) == 1:
            return made[0][1]
        if net:
            return None
        body = self.spec.body_of(self.spec.models[self.train.net(net).model])
        fields = (self.train.inputs.get(value.name, value.name) for value in body.inputs)
        found: Any = self.program.nets[net](*(seen.batch[name] for name in fields))
        return found if isinstance(found, tuple) else (found,)

    def _judge(self, judged: Judged, positions: Records, output: Array, target: Array) -> None:
        answer = judged.answer
        if answer.kind in ("scores", "probabilities"):
            self._classes(judged, positions, np.moveaxis(output, answer.axis, -1), target)
        elif answer.kind in ("logit", "chance"):
            self._labels(judged, positions, output, target)
        else:
            self._values(judged, positions, output, target)

    def _classes(self, judged: Judged, positions: Records, scores: Array, target: Array) -> None:
        classes = scores.shape[-1]
        if classes > MOST_CLASSES or target.size * classes != scores.size:
            return
        shares = shares_of(judged.answer, scores).reshape(-1, classes)
        numbers = np.where(np.isin(target, list(judged.ignored)), -1, target).ravel().astype(np.int64)
        names = [str(judged.answer.class_of(at)) for at in range(classes)]
        gathered = judged.gathered.setdefault("", ClassCounts(names))
        assert isinstance(gathered, ClassCounts)
        gathered.add(shares, numbers)
        counts = (numbers >= 0) & (numbers < classes)
        true = shares[np.arange(len(numbers)), np.where(counts, numbers, 0)]
        if len(numbers) == len(positions):
            predicted = shares.argmax(-1)
            measure = np.where(counts, -true, np.nan)
            judged.worst.add(positions, measure, lambda at: (names[numbers[at]], names[predicted[at]]))

    def _labels(self, judged: Judged, positions: Records, output: Array, target: Array) -> None:
        shares = replace(judged.answer, undo=()).shares(output)
        if judged.unfit or shares.size != target.size or not np.isin(target, (0, 1)).all():
            judged.unfit = True  # shares are not labels
            judged.gathered.clear()
            return
        single = shares.size == len(positions)
        shares, target = shares.reshape(len(positions), -1), target.reshape(len(positions), -1)
        if single:
            named = [str(name) for name in judged.answer.classes or (0, 1)]
            gathered = judged.gathered.setdefault("", ClassCounts(named))
            assert isinstance(gathered, ClassCounts)
            gathered.add(np.concatenate([1 - shares, shares], 1), target[:, 0].astype(np.int64))
            true = np.where(target[:, 0] > 0.5, shares[:, 0], 1 - shares[:, 0])
            judged.worst.add(positions, -true, lambda at: (named[int(target[at, 0])], named[int(shares[at, 0] > 0.5)]))
        elif shares.shape[1] <= MOST_LABELS:
            names = vocabulary.labels_of(self.data.section, judged.answer.field, self.fitted)
            known = names is not None and len(names) == shares.shape[1]
            named = list(names or ()) if known else [str(at) for at in range(shares.shape[1])]
            labels = judged.gathered.setdefault("", Labels(named))
            assert isinstance(labels, Labels)
            labels.add(shares, target)
            least = np.where(target > 0.5, shares, 1 - shares).min(1)  # of the label that is most wrong
            told: Callable[[Array], str] = lambda there: ", ".join(compress(named, there.tolist())) or "none"
            judged.worst.add(positions, -least, lambda at: (told(target[at] > 0.5), told(shares[at] > 0.5)))

    def _values(self, judged: Judged, positions: Records, output: Array, target: Array) -> None:
        answer = judged.answer
        if output.size != target.size:
            return
        told = answer.values(output).reshape(len(positions), -1)
        wanted = replace(answer, scale=1.0, shift=0.0).values(target).reshape(len(positions), -1)
        columns = told.shape[1] if told.shape[1] <= MOST_COLUMNS and output.ndim <= 2 else 1
        for at in range(columns):
            part = slice(None) if columns == 1 else slice(at, at + 1)
            gathered = judged.gathered.setdefault(str(at) if columns > 1 else "", Values())
            assert isinstance(gathered, Values)
            gathered.add(told[:, part].ravel(), wanted[:, part].ravel())
        if told.shape[1] == 1:
            errors = np.abs(told[:, 0] - wanted[:, 0])
            measure = np.where(np.isfinite(errors), errors, np.nan)
            judged.worst.add(positions, measure, lambda at: (float(wanted[at, 0]), float(told[at, 0])))

    # ---- the end ---------------------------------------------------------------------------------------------------------

    def result(self, figures: Mapping[str, float]) -> Judgement:
        """The judgement of the split, whose losses and metrics are these."""
        part = self.data.part(self.split)
        outputs: list[ClassJudgement | ValueJudgement] = []
        for judged in self.judged:
            worst = judged.worst.examples(lambda at: (int(part.records[at]), self.place(at)))
            for name, gathered in judged.gathered.items():
                output = f"{judged.output}[{name}]" if name else judged.output
                if isinstance(gathered, Values):
                    made = gathered.result(output, judged.answer.field, self._units(judged.answer.field))
                else:
                    made = gathered.result(output, judged.answer.field)
                outputs.append(made.model_copy(update={"worst": worst}) if not name else made)
        return Judgement(
            split=self.split,
            records=len(part),
            figures={name: _finite(figure) for name, figure in figures.items()},
            in_units={
                name: InUnits(field=found.answer.field, undone=found.undone, figure=_finite(found.gathered.value()))
                for name, found in self.units.items()
            },
            outputs=tuple(outputs),
        )

    def target_of(self, answer: Answer, target: Array) -> list[Any]:
        """Targets as an answer is given: names of classes, values in the units of the data."""
        if answer.kind in ("scores", "probabilities"):
            named = [answer.class_of(number) for number in target.ravel().tolist()]
            return named if target.ndim == 1 else target.tolist()
        if answer.kind in ("logit", "chance") and answer.classes is not None and target.ndim == 2:  # labels
            return [answer.separator.join(compress(answer.classes, record.tolist())) for record in target > 0.5]
        if answer.kind in ("logit", "chance") and answer.classes is not None and target.ndim == 1:
            return [answer.class_of(int(number)) for number in target.tolist()]
        if answer.kind == "value":
            return replace(answer, scale=1.0, shift=0.0).values(target).tolist()
        return target.tolist()

    def place(self, position: int) -> str:
        """Where the record at a position of the split is from: `houses.csv:17`, or the file of an image."""
        part = self.data.part(self.split)
        if streams.cuts(self.data.section):
            return f"window {position}"
        return self.data.table.place(int(part.records[position]))

    def _units(self, name: str) -> str:
        try:
            ops = undone(self.data.section, name, self.fitted)
        except NoWayBack:
            return ""
        return f"{', '.join(f'`{op}`' for op in ops)} undone" if ops else "as in the data"


def shares_of(answer: Answer, scores: Array) -> Array:
    """Probabilities along the last axis, in f64."""
    wide = scores.astype(np.float64)
    if answer.kind == "probabilities":
        return wide
    with np.errstate(all="ignore"):
        wide = wide * answer.scale
        shares = np.exp(wide - wide.max(-1, keepdims=True))
        return shares / shares.sum(-1, keepdims=True)


def _ignored(spec: Spec, train: Train, field: str) -> frozenset[int]:
    """The class numbers of a field that the losses leave out."""
    found = {
        node.args.get("ignore")
        for body in (spec.bodies[index] for index in balanced.bodies_of(train))
        for node in body.nodes
        if isinstance(node, OpNode) and node.op in LOSSES and len(node.inputs) > Loss.against
        if balanced.field_of(body, node.inputs[Loss.against]) == field
    }
    return frozenset(number for number in found if number is not None)


def array_of(tensor: Tensor) -> Array:
    """On the host; floating-point numbers in f32."""
    found = tensor.detach().cpu()
    return (found.float() if found.is_floating_point() else found).numpy()


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _finite(figure: float) -> float | None:
    return figure if np.isfinite(figure) else None
