"""What the expressions of one `train` section may name: batch fields, nets, lets, losses and metrics."""

from __future__ import annotations

from collections.abc import Callable as Function
from typing import Any

from ..catalogue import LOSSES, METRICS
from ..catalogue.ops.base import Layer, Op
from ..dataclass import dataclass, field
from ..elaborate.environment import Environment
from ..elaborate.values import WeightOwner
from ..ir.data import DataSet
from ..messages import lookup as lookup_errors
from ..messages import sections as sections_errors
from ..messages import training as training_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import Callable, Definition, FileScope
from ..text import top_level
from .data import ReadData

#: In place of the index of a model that has a mistake.
MISTAKEN = -1


@dataclass
class NetUse:
    """A root use of a model in `train`: `name` is its `let`, or "" for `train.model`. With a mistake in it, `model` is
    `MISTAKEN`, and without such a model at all `definition` and `callable` are None."""

    name: str
    definition: Definition | None
    callable: Callable | None
    span: Span
    statics: dict[str, Any]
    model: int
    extra: tuple[str, ...] = ()


@dataclass
class Names:
    """What expressions of one `train` section may read."""

    data: ReadData
    scope: FileScope
    nets: list[NetUse]
    inputs: dict[str, str] = field(default_factory=dict[str, str])
    lets: list[top_level.Let] = field(default_factory=list["top_level.Let"])
    let_read: set[str] = field(default_factory=set[str])

    @property
    def dataset(self) -> DataSet:
        return self.data.dataset

    @property
    def whole(self) -> bool:
        """Whether data and nets have no mistakes."""
        return self.data.whole and bool(self.nets) and all(net.model >= 0 for net in self.nets)

    @property
    def known(self) -> bool:
        """Whether every name of a field or value is known, be it one with a mistake."""
        return self.data.spoiled is not None and bool(self.nets) and all(net.definition for net in self.nets)

    @property
    def single(self) -> NetUse | None:
        """The net of `train.model`."""
        return next((net for net in self.nets if not net.name), None)


class RecipeEnvironment(Environment):
    """Also knows losses and metrics, and computes a `let` when it is first read."""

    __slots__ = ("ambiguous", "deferred", "fields", "known", "metrics", "within")

    def __init__(
        self, file: FileScope, metrics: bool, known: bool = True, parent: RecipeEnvironment | None = None
    ) -> None:
        super().__init__(file, parent=parent)
        self.metrics = metrics
        #: Whether this is inside a body of its own, where losses and metrics are not computed.
        self.within = parent is not None and parent.within
        #: Whether a name that is not found is unknown: else it may be of data or of a model that are not there.
        self.known = known
        self.deferred: dict[str, Function[[], Any]] = {}
        self.ambiguous: dict[str, Span] = {}
        self.fields: dict[str, Span] = {}
        if parent is not None:
            self.deferred, self.ambiguous, self.fields = parent.deferred, parent.ambiguous, parent.fields

    def inner(self, *, own_body: bool = False) -> RecipeEnvironment:
        environment = RecipeEnvironment(self.file, self.metrics, self.known, parent=self)
        environment.within = self.within or own_body
        return environment

    def lookup(self, name: str, span: Span) -> Any:
        self._compute(name)
        if name in self.ambiguous:
            helps = (f"write `data.{name}` or `model.{name}`",)
            raise Failed(
                training_errors.namespace_clash(
                    span, name, "a data field", "a value of the model", self.ambiguous[name], helps
                )
            )
        try:
            return super().lookup(name, span)
        except Failed as failure:
            if failure.diagnostic.code != "E0301":
                raise
            entry = LOSSES.get(name) or METRICS.get(name)
            if entry is not None:
                inputs = [tensor for tensor, _ in entry.tensors]
                raise Failed(lookup_errors.not_applied(name, span, inputs)) from None
            if self.known:
                raise
            raise Abandoned from None

    def callable(self, name: str, span: Span) -> Callable | WeightOwner:
        self._compute(name)
        bound = self.binding(name)
        if bound is None or not isinstance(bound.value, (WeightOwner, Callable)):
            target: type[Op] | None = LOSSES.get(name)
            if target is None and name in METRICS:
                if not self.metrics:
                    near = nearest(name, LOSSES)
                    raise Failed(training_errors.metric_in_loss(span, name, near))
                target = METRICS[name]
            if target is not None:
                if self.within:
                    raise Failed(training_errors.term_within(span, name, "metric" if name in METRICS else "loss"))
                return Callable(target, name)
        try:
            found = super().callable(name, span)
        except Failed as failure:
            near = nearest(name, [*LOSSES, *(METRICS if self.metrics else ())])
            if failure.diagnostic.code != "E0301" or near is None:
                raise
            what = "a loss, metric or function" if self.metrics else "a loss or function"
            raise Failed(sections_errors.unknown_entry(span, name, what, near, ())) from None
        if isinstance(found, Callable):
            kind = found.target.kind if isinstance(found.target, Definition) else "layer"
            if isinstance(found.target, Definition) or issubclass(found.target, Layer):
                raise Failed(training_errors.layer_in_expression(span, name, kind))
        return found

    def _compute(self, name: str) -> None:
        compute = self.deferred.pop(name, None)
        if compute is not None:
            compute()

    def candidates(self) -> list[str]:
        return [*super().candidates(), *self.deferred, *LOSSES, *(METRICS if self.metrics else ())]
