"""What the functions of a recipe file take and return: the description by which the runtime calls them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from ...compiler.dataclass import dataclass
from ...compiler.messages.source import Span

#: A metric that is not an entry of the table: the mean over examples of what each batch gives.
MEAN = "mean"

#: How a loss takes part in a step of several micro-batches. "sum": it takes `reduction`; the caller divides each
#: counted term by its targets and multiplies each other one by the share of the micro-batch. "scaled": a counted loss is
#: inside a larger term, so that it takes `reduction`, `counts` and `share` and does both in place.
Micro: TypeAlias = Literal["sum", "scaled"]


@dataclass(frozen=True)
class NetFunction:
    """A function of the file and the nets it takes."""

    name: str
    nets: tuple[str, ...]


@dataclass(frozen=True)
class LossFunction:
    """A loss in the file.

    `terms` gives for each term which of the counts belong to it; `counts` is the function that gives them ("": not
    written) and `outputs` the number of values that follow the terms.
    """

    name: str
    nets: tuple[str, ...]
    terms: tuple[tuple[int, ...], ...]
    counts: str = ""
    outputs: int = 0
    micro: Micro | None = None


@dataclass(frozen=True)
class MetricPart:
    """A figure gathered over a split: an entry of the metric table (or `mean`) with its arguments. `name` is its key in
    the result of `metrics`, `field` that of the data which its targets are, and `span` where it is written."""

    name: str
    op: str
    args: dict[str, Any]
    field: str | None = None
    span: Span | None = None


@dataclass(frozen=True)
class EvaluationFunctions:
    """What is computed of a validation or test batch: `metrics` takes its nets, the outputs of `loss`, and the batch.

    `names` are the metrics in the order of the recipe: one that is in the result of the function `figures` ("": not written)
    comes from there, every other one is the figure of the part with its name. `field` is a field of the batch, for its size.
    """

    loss: LossFunction | None
    metrics: NetFunction | None
    parts: tuple[MetricPart, ...]
    names: tuple[str, ...]
    figures: str
    field: str


@dataclass(frozen=True)
class RecipeFunctions:
    """What a recipe file offers, by phase. `groups` is empty where the number of records is not known."""

    losses: tuple[tuple[LossFunction, ...], ...]
    groups: tuple[tuple[NetFunction, ...], ...]
    shared: tuple[NetFunction | None, ...]
    logged: tuple[NetFunction | None, ...]
    evaluation: EvaluationFunctions


__all__ = ["MEAN", "EvaluationFunctions", "LossFunction", "MetricPart", "Micro", "NetFunction", "RecipeFunctions"]
