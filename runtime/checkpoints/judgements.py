"""`judgement.json`: how good a model's answers are on a split, as figures that can be printed and drawn.

Every figure that is a mean over nothing, or not a number, is null. Nothing here needs torch or numpy.
"""

from __future__ import annotations

from typing import Literal

from ...compiler.ir.record import field
from ..forms import Form, FormReader, NonNegativeInt

Figure = float | None


class WorstExample(Form):
    """One of the worst: `record` is its position among the records of the source, `place` the row or file. `target` and `answer`
    are names of classes or values; `probability` is that of the target, `error` the answer less the target."""

    record: NonNegativeInt
    place: str
    target: str | int | float
    answer: str | int | float
    probability: Figure = None
    error: Figure = None


class Bin(Form):
    """Predictions whose probability lies from `low` to `high`: their number, mean probability, and the share that is right."""

    low: float
    high: float
    count: NonNegativeInt
    probability: Figure
    right: Figure


class Calibration(Form):
    """Of the probability of what is predicted. `ece` is the mean of |probability - right| over the bins, weighted by `count`."""

    ece: Figure
    bins: tuple[Bin, ...]


class ClassFigures(Form):
    """A class: how many targets and predictions it has, and how well they agree."""

    name: str
    support: NonNegativeInt
    predicted: NonNegativeInt
    precision: float
    recall: float
    f1: float


class ClassMeans(Form):
    """Means over the classes: each equally, or weighted by its support."""

    precision: Figure
    recall: Figure
    f1: Figure


class ClassJudgement(Form):
    """An output that gives classes of `field`. `confusion` counts targets (rows) against predictions (columns), in the order of
    `classes`; null where several labels of an example may be true. `count` are the targets: records, or pixels of them."""

    kind: Literal["classes", "labels"]
    output: str
    field: str
    count: NonNegativeInt
    accuracy: Figure
    classes: tuple[ClassFigures, ...]
    macro: ClassMeans
    weighted: ClassMeans
    confusion: tuple[tuple[NonNegativeInt, ...], ...] | None
    calibration: Calibration
    worst: tuple[WorstExample, ...] = ()

    @property
    def support(self) -> int:
        """Targets that the averages are of: of labels those that are true."""
        return sum(each.support for each in self.classes)


class Spread(Form):
    """How numbers are distributed."""

    mean: Figure
    std: Figure
    min: Figure
    q05: Figure
    q25: Figure
    median: Figure
    q75: Figure
    q95: Figure
    max: Figure


class TargetRange(Form):
    """Targets from `low` to `high`, a tenth of all where no value is more frequent: the mean of answer less target, and errors."""

    low: float
    high: float
    count: NonNegativeInt
    bias: float
    mae: float
    rmse: float


class ValueJudgement(Form):
    """An output that gives values of `field`, in the units of the data. `residuals` are answers less targets. `units` names how the
    data transforms the field, which is undone here. `sampled`: quantiles, deciles and `points` (target, answer) are from an evenly
    spaced part of the values, everything else is from all."""

    kind: Literal["values"] = "values"
    output: str
    field: str
    units: str
    count: NonNegativeInt
    sampled: bool
    mae: Figure
    rmse: Figure
    r2: Figure
    targets: Spread
    residuals: Spread
    deciles: tuple[TargetRange, ...]
    points: tuple[tuple[float, float], ...]
    worst: tuple[WorstExample, ...] = ()


class InUnits(Form):
    """A metric in the units of `field`, with the transforms of the data `undone`."""

    field: str
    undone: tuple[str, ...] = ()
    figure: Figure


class Judgement(Form):
    """A split: its figures (null: not a number), metrics in the units of the data, and what is judged of each output."""

    split: str
    records: NonNegativeInt
    figures: dict[str, Figure]
    in_units: dict[str, InUnits] = field(default_factory=dict)
    outputs: tuple[ClassJudgement | ValueJudgement, ...] = ()


NAME = "judgement.json"
#: The content of the file: the splits by name.
JUDGEMENTS = FormReader(dict[str, Judgement])
