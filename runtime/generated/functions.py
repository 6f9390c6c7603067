"""What training needs of the generated code: nets, losses as functions of a batch, what evaluation computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from torch import Tensor, nn

from ..data.feed import Batch

#: Groups of parameters by optimizer, as the generated code gives them: a hyperparameter is a number or a function of the
#: updates completed.
Groups: TypeAlias = Mapping[str, list[dict[str, Any]]]


class LossCode(Protocol):
    """The loss terms of one update, in the order of the recipe; the step minimises their sum."""

    def __call__(self, batch: Batch, /) -> Sequence[Tensor]:
        """The terms of a whole batch."""
        ...

    def counts(self, batch: Batch, /) -> Sequence[Any]:
        """How many targets each mean of the terms divides by."""
        ...

    def part(self, batch: Batch, counts: Sequence[Any], share: float, /) -> Sequence[Tensor]:
        """What a micro-batch contributes: means divide by the `counts` of the whole batch, the rest is times `share`."""
        ...


class EvaluationCode(Protocol):
    """Terms and metric inputs of one application of the nets in evaluation mode."""

    def __call__(self, batch: Batch, /) -> tuple[Sequence[Tensor], Sequence[Sequence[Tensor]]]:
        """The terms of the batch, then the inputs of every built-in metric part, in their order."""
        ...

    def counts(self, batch: Batch, /) -> Sequence[Any]:
        """The weight of each term: its targets."""
        ...

    def figures(self, parts: Sequence[float], /) -> Mapping[str, float]:
        """Metrics by name from the values of their parts."""
        ...


@dataclass(frozen=True)
class Part:
    """A built-in metric with its arguments."""

    op: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class Shared:
    """Values that several updates of a phase share, computed once a batch; `nets` take part in them."""

    values: Callable[[Batch], Batch]
    nets: Sequence[str]
    names: set[str] = field(default_factory=set[str])

    def add(self, batch: Batch) -> Batch:
        """The batch with the shared values."""
        found = self.values(batch)
        self.names.update(found)
        return {**batch, **found}

    def detached(self, batch: Batch) -> Batch:
        """For an update of other nets: no gradient goes back through the shared values."""
        return {name: value.detach() if name in self.names else value for name, value in batch.items()}


@dataclass
class Program:
    """The code of one run. `nets` by name ("" for `train.model`); one list of updates a phase."""

    nets: dict[str, nn.Module]
    phases: Sequence[Sequence[LossCode]]
    evaluation: EvaluationCode
    parts: Sequence[Part]
    terms: Sequence[str]
    sources: Mapping[str, str]  # file name -> generated text
    shared: Sequence[Shared | None] = ()  # by phase
    logged: Sequence[Callable[[Batch], Mapping[str, Tensor]] | None] = ()  # what `log` names, by phase
    groups: Sequence[Sequence[Callable[[], Groups]]] = ()  # what each update moves, by phase; none when nothing trains

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers of all nets, by the paths of the checkpoint."""
        found: dict[str, Tensor] = {}
        for name, net in self.nets.items():
            prefix = f"{name}." if name else ""
            found.update({prefix + key: value for key, value in net.state_dict(keep_vars=True).items()})
        return found

    def train(self, mode: bool = True) -> None:
        for net in self.nets.values():
            net.train(mode)
