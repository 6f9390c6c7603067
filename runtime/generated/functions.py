"""What training needs of the generated code: nets, losses as functions of a batch, what evaluation computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from types import ModuleType
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from ...backends.pytorch.signatures import MEAN, EvaluationFunctions, LossFunction, MetricPart
from ...compiler.dataclass import dataclass, field
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
        """The number of targets that each counted loss in the terms is averaged over."""
        ...

    def part(self, batch: Batch, counts: Sequence[Any], share: float, /) -> Sequence[Tensor]:
        """What a micro-batch contributes: sums divided by the `counts` of the whole batch, the rest times `share`."""
        ...


class Remembered:
    """A net that gives the same answer, without computing it again, while it is asked the same tensors."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self._answers: list[tuple[tuple[Any, ...], Any]] = []

    def __call__(self, *inputs: Any) -> Any:
        for given, answer in self._answers:
            if len(given) == len(inputs) and all(one is other for one, other in zip(given, inputs, strict=True)):
                return answer
        answer = self.net(*inputs)
        self._answers.append((inputs, answer))
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.net, name)

    def forget(self) -> None:
        self._answers = []


class Replayed:
    """A net that gives of one example what it gave for a whole batch before, call by call. `axes`: which axis of each output
    counts examples; None where none does."""

    def __init__(self, net: nn.Module, answers: Sequence[tuple[Tensor, ...]], axes: Sequence[int | None]) -> None:
        self.net, self.answers, self.axes = net, answers, axes
        self.row = self.call = 0

    def turn(self, row: int) -> None:
        self.row, self.call = row, 0

    def __call__(self, *inputs: Any) -> Any:
        whole = self.answers[self.call]
        self.call += 1
        rows = [
            output if axis is None else output.narrow(axis, self.row, 1)
            for output, axis in zip(whole, self.axes, strict=True)
        ]
        return tuple(rows) if len(rows) > 1 else rows[0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.net, name)


class Instead:
    """What is called in place of a net; all else is the net's."""

    def __init__(self, call: Callable[..., Any], net: Any) -> None:
        self._call, self._net = call, net

    def __call__(self, *inputs: Any) -> Any:
        return self._call(*inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._net, name)


class Loss:
    """A loss of the recipe over its nets."""

    def __init__(self, recipe: ModuleType, function: LossFunction, nets: Mapping[str, nn.Module]) -> None:
        self._function = function
        self._loss: Callable[..., Any] = getattr(recipe, function.name)
        self._counts: Callable[[Batch], Any] | None = getattr(recipe, function.counts) if function.counts else None
        self._nets: tuple[Any, ...] = tuple(nets[name] for name in function.nets)

    def over(self, net: Callable[..., Any]) -> Loss:
        """The same loss with this in place of the only net."""
        found = copy(self)
        found._nets = tuple(Instead(net, own) for own in self._nets)
        return found

    def remembering(self) -> tuple[Loss, Sequence[Remembered]]:
        """The same loss over nets that remember their answers, and these."""
        found, nets = copy(self), tuple(Remembered(net) for net in self._nets)
        found._nets = nets
        return found, nets

    def __call__(self, batch: Batch) -> Sequence[Tensor]:
        return self.with_outputs(batch)[0]

    def with_outputs(self, batch: Batch) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """The terms of a batch, and the values that metrics are computed from."""
        return self._parts(self._loss(*self._nets, batch))

    def each(
        self,
        batch: Batch,
        answers: Mapping[str, Sequence[tuple[Tensor, ...]]],
        axes: Mapping[str, Sequence[int | None]],
    ) -> list[float]:
        """The sum of the terms for each example alone. `answers` are what the nets gave for the batch, call by call, and
        `axes` which axis of each output counts examples."""
        again = copy(self)
        nets = [
            Replayed(net, answers.get(name, ()), axes[name])
            for name, net in zip(self._function.nets, self._nets, strict=True)
        ]
        again._nets = tuple(nets)
        found: list[Tensor] = []
        for row in range(len(next(iter(batch.values())))):
            for net in nets:
                net.turn(row)
            found.append(sum(again({name: value[row : row + 1] for name, value in batch.items()}), torch.zeros(())))
        return torch.stack(found).tolist()

    def counts(self, batch: Batch) -> Sequence[Any]:
        if self._counts is None:
            return ()
        found = self._counts(batch)
        return found if isinstance(found, tuple) else (found,)

    def weights(self, batch: Batch, size: int) -> Sequence[Any]:
        """What each term weighs in the mean over a split: its targets, or the examples where these are not one number."""
        counts = self.counts(batch)
        return [counts[own[0]] if len(own) == 1 else size for own in self._function.terms]

    def part(self, batch: Batch, counts: Sequence[Any], share: float) -> Sequence[Tensor]:
        match self._function.micro:
            case "sum":
                terms, _ = self._parts(self._loss(*self._nets, batch, reduction="sum"))
                return [
                    term / counts[own[0]] if own else term * share
                    for term, own in zip(terms, self._function.terms, strict=True)
                ]
            case "scaled":
                given = counts[0] if len(counts) == 1 else tuple(counts)
                return self._parts(self._loss(*self._nets, batch, "sum", given, share))[0]
            case None:
                raise AssertionError(f"`{self._function.name}` was written for whole batches")

    def _parts(self, found: Any) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """The terms and the outputs of a call, each as a sequence: the file writes a single one bare."""
        many, outputs = len(self._function.terms) > 1, self._function.outputs
        terms: Any = found[0] if outputs else found
        more: Any = found[1] if outputs else ()
        return terms if many else (terms,), (more,) if outputs == 1 else more


@dataclass(frozen=True)
class Measured:
    """What a batch adds to the figures of a split: loss terms with their weights, and the inputs of each metric part."""

    terms: Sequence[Tensor]
    weights: Sequence[Any]
    inputs: Sequence[Sequence[Tensor]]


class Evaluation:
    """What the recipe computes of a validation or test batch; its nets are in evaluation mode then."""

    def __init__(self, recipe: ModuleType, functions: EvaluationFunctions, nets: Mapping[str, nn.Module]) -> None:
        self._functions = functions
        self._loss = Loss(recipe, functions.loss, nets) if functions.loss else None
        metrics = functions.metrics
        self._metrics: Callable[..., Any] | None = getattr(recipe, metrics.name) if metrics else None
        self._nets = tuple(nets[name] for name in metrics.nets) if metrics else ()
        self._figures: Callable[[dict[str, float]], dict[str, float]] | None = (
            getattr(recipe, functions.figures) if functions.figures else None
        )

    def __call__(self, batch: Batch) -> Measured:
        size = batch[self._functions.field].shape[0] if self._functions.field else 0
        terms: Sequence[Tensor] = ()
        outputs: Sequence[Tensor] = ()
        weights: Sequence[Any] = ()
        if self._loss is not None:
            terms, outputs = self._loss.with_outputs(batch)
            weights = self._loss.weights(batch, size)
        inputs: list[Sequence[Tensor]] = []
        if self._metrics is not None:
            found = self._metrics(*self._nets, *outputs, batch)
            for part in self._functions.parts:
                given = found[part.name]
                inputs.append((given, torch.tensor(size, device=given.device)) if part.op == MEAN else given)
        return Measured(terms, weights, inputs)

    def each(
        self,
        batch: Batch,
        answers: Mapping[str, Sequence[tuple[Tensor, ...]]],
        axes: Mapping[str, Sequence[int | None]],
    ) -> list[float]:
        """The loss of each example alone; none where evaluation computes no loss."""
        return self._loss.each(batch, answers, axes) if self._loss is not None else []

    def over(self, net: Callable[..., Any]) -> Evaluation:
        """The same with this in place of the only net."""
        found = copy(self)
        found._loss = None if self._loss is None else self._loss.over(net)
        found._nets = tuple(Instead(net, own) for own in self._nets)
        return found

    def figures(self, values: Mapping[str, float]) -> dict[str, float]:
        """Metrics by name, in the order of the recipe, from the values of their parts."""
        computed = self._figures(dict(values)) if self._figures is not None else {}
        return {name: computed[name] if name in computed else values[name] for name in self._functions.names}


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
    evaluation: Evaluation
    parts: Sequence[MetricPart]
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
