"""What a model's outputs say of a record: a class and its probability, a chance, a value in the units of the data.

An `Answer` is the meaning of an output (`compiler/analysis/meaning.py`) with what the data adds: names of classes, and the way back
through the transforms of the field. A run makes it from its spec, an exported file holds it in its metadata
(`dlc.outputs`). Works without torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass
from ..failure import BadInput

if TYPE_CHECKING:
    from ...compiler.analysis.meaning import Kind
    from ...compiler.catalogue.transforms import Undo

Array: TypeAlias = "NDArray[Any]"


@dataclass(frozen=True)
class Answer:
    """What one output stands for. `kind`, `field`, `axis`, `scale`, `shift` and `why` are those of its `Meaning`.

    `classes` are the names of the classes, in order. Those of `logit` and `chance` are the two that one number decides between,
    or the labels of a record, written with `separator` between them. `undo` leads from the field, as the model saw it, to the units of the
    data; `shape` is that of one record of the field (None: it varies), to which the numbers in `undo` belong.
    """

    kind: Kind
    field: str = ""
    axis: int = -1
    scale: float = 1.0
    shift: float = 0.0
    why: str = ""
    classes: tuple[str, ...] | None = None
    undo: tuple[Undo, ...] = ()
    shape: tuple[int | None, ...] | None = None
    separator: str = ""

    def values(self, outputs: Array) -> Array:
        """Outputs, one a record on the first axis, as a person wants them: values of the field in the units of the data, in
        f64. Outputs that are not values of a field stay as they are."""
        return self._each(outputs, self._of_field) if self.kind == "value" else outputs

    def shares(self, outputs: Array) -> Array:
        """Of `logit` and `chance`: means of the field, in the units of the data, in f64."""
        return self._each(outputs, self._of_share)

    def _each(self, outputs: Array, change: Any) -> Array:
        with np.errstate(all="ignore"):  # a value beyond f64 is printed as inf
            if outputs.dtype != object:
                return change(outputs)
            found = np.empty(len(outputs), object)
            found[:] = [change(row[None])[0] for row in outputs]
            return found

    def _of_field(self, outputs: Array) -> Array:
        return self._undone(outputs.astype(np.float64) * self.scale + self.shift)

    def _of_share(self, outputs: Array) -> Array:
        numbers = outputs.astype(np.float64)
        if self.kind == "logit":
            numbers = _sigmoid(numbers * self.scale + self.shift)
        return self._undone(numbers)

    def _undone(self, numbers: Array) -> Array:
        whole = (len(numbers), *(size if size is not None else -1 for size in self.shape or ()))
        fits = self.shape is not None and None not in self.shape and np.prod(whole) == numbers.size
        found = numbers.reshape(whole) if fits else numbers
        for step in self.undo:
            found = self._step_back(found, step)
        return found.reshape(numbers.shape) if found.size == numbers.size else found

    def _step_back(self, found: Array, step: Undo) -> Array:
        if len(step) != 3:
            return np.expm1(found)
        factor, shift = (np.asarray(part, np.float64) for part in step[1:])
        for part in (factor, shift):
            if part.size != 1 and not _fits(part.shape, found.shape):
                what = f"{list(part.shape)} values of `{self.field}`"
                raise BadInput(
                    f"an output of shape {list(found.shape[1:])} does not hold {what}",
                    helps=("export the model again: the metadata of the file does not fit its graph",),
                    code="E0603",
                )
        return found * factor + shift

    def probabilities(self, output: Array) -> Array | None:
        """Of one record whose output is a vector with one number a class: the probability of each; None for any other."""
        if self.kind not in ("scores", "probabilities") or output.ndim != 1 or not output.size:
            return None
        if self.kind == "probabilities":
            return output
        with np.errstate(all="ignore"):
            scores = output.astype(np.float64) * self.scale
            shares = np.exp(scores - scores.max())
            return shares / shares.sum()

    def class_numbers(self, output: Array) -> Array | None:
        """Of one record whose output has a class at each place, as of an image or a sequence: their numbers; None for any other."""
        if self.kind == "class" and output.ndim and np.isfinite(output).all():
            return output.astype(np.int64)
        if self.kind in ("scores", "probabilities") and output.ndim >= max(2, -self.axis) and output.shape[self.axis]:
            return output.argmax(self.axis)
        return None

    def shares_of_classes(self, output: Array) -> Array:
        """The probabilities of such an output, the class on the first axis."""
        numbers = np.moveaxis(output, self.axis, 0).astype(np.float64)
        if self.kind == "probabilities":
            return numbers
        with np.errstate(all="ignore"):
            shares = np.exp(self.scale * (numbers - numbers.max(0)))
            return shares / shares.sum(0)

    def labels(self, output: Array) -> Array | None:
        """Of one record that may have several labels: the probability of each; None for any other output."""
        if self.kind not in ("logit", "chance") or self.undo or output.ndim != 1:
            return None
        return self.shares(output[None])[0] if self.classes is not None and len(self.classes) == output.size else None

    def class_of(self, number: int) -> str | int:
        """The name of a class, or its number where it has none."""
        return self.classes[number] if self.classes is not None and 0 <= number < len(self.classes) else number

    def note(self, output: str) -> str | None:
        """One line for a person where the units of an output are unknown."""
        return f"`{output}` is printed as the model gives it: {self.why}" if self.kind == "unknown" else None


def _fits(part: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether numbers belong to the last axes of an array."""
    return len(part) <= len(whole) and all(a in (1, b) for a, b in zip(reversed(part), reversed(whole), strict=False))


def _sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0, -x))


def notes(answers: Mapping[str, Answer], outputs: Sequence[str]) -> list[str]:
    """What a person has to know about these outputs, a line each."""
    found = (answers[name].note(name) for name in outputs if name in answers)
    return [line for line in found if line is not None]


def in_units(outputs: Mapping[str, Array], answers: Mapping[str, Answer]) -> dict[str, Array]:
    """Outputs of a model, those that are values of a field in the units of the data."""
    return {name: answers[name].values(array) if name in answers else array for name, array in outputs.items()}


def rows(
    names: Sequence[str],
    shown: Mapping[str, Array],
    answers: Mapping[str, Answer],
    *,
    raw: bool = False,
    probabilities: bool = False,
) -> list[dict[str, Any]]:
    """A record a row: its class by name and the probability of that, a chance, or numbers.

    `shown` is what `in_units` gives, one record on the first axis. `raw`: the numbers behind a class are in the row too.
    `probabilities`: those of all classes are, each under `probability NAME`.
    """
    classified = [name for name in shown if name in answers and answers[name].kind not in ("value", "unknown")]
    found: list[dict[str, Any]] = []
    for at, name in enumerate(names):
        row: dict[str, Any] = {"input": name}
        for output, array in shown.items():
            value = array[at] if array.ndim else array
            said = _told(answers[output], value, probabilities) if output in answers else None
            if said is not None:
                prefix = "" if len(classified) == 1 else f"{output} "
                row.update((prefix + key, word) for key, word in said.items())
            if said is None or raw:
                row[output] = _shown(answers.get(output), value)
        found.append(row)
    return found


def _told(answer: Answer, value: Array, every: bool) -> dict[str, Any] | None:
    """The class of one record and its probability, the class at each of its places, or its labels; None where numbers are all."""
    shares = answer.probabilities(value)
    if shares is not None:
        best = int(shares.argmax())
        each = (
            {f"probability {answer.class_of(at)}": share for at, share in enumerate(shares.tolist())} if every else {}
        )
        return {"class": answer.class_of(best), "probability": float(shares[best]), **each}
    if answer.kind == "class" and value.ndim == 0 and np.isfinite(value):
        return {"class": answer.class_of(int(value))}
    numbers = answer.class_numbers(value)
    if numbers is not None:
        shares = answer.shares_of_classes(value) if every and answer.kind != "class" else ()
        each = {f"probability {answer.class_of(at)}": share.tolist() for at, share in enumerate(shares)}
        return {"class": _named(answer, numbers.tolist()), **each}
    chances = answer.labels(value)
    if chances is not None:
        names = [str(answer.class_of(at)) for at in range(len(chances))]
        told = [name for name, chance in zip(names, chances, strict=True) if chance > 0.5]
        each = (
            {f"probability {name}": float(chance) for name, chance in zip(names, chances, strict=True)} if every else {}
        )
        return {"labels": answer.separator.join(told), **each}
    if answer.kind in ("logit", "chance") and value.size == 1 and not answer.undo:
        if answer.classes is not None and len(answer.classes) == 2:
            chance = float(answer.shares(value[None]).reshape(()))
            pair = dict(zip(answer.classes, (1 - chance, chance), strict=True))
            best = answer.classes[chance > 0.5]
            each = {f"probability {name}": share for name, share in pair.items()} if every else {}
            return {"class": best, "probability": pair[best], **each}
        return {"probability": float(answer.shares(value[None]).reshape(()))}
    return None


def _named(answer: Answer, numbers: Any) -> Any:
    """Classes by name, in the lists that their numbers are in."""
    return [_named(answer, each) for each in numbers] if isinstance(numbers, list) else answer.class_of(numbers)  # pyright: ignore[reportUnknownVariableType]


def _shown(answer: Answer | None, value: Array) -> Any:
    """The numbers of one record."""
    if answer is not None and answer.kind in ("logit", "chance") and (answer.undo or value.size != 1):
        value = answer.shares(value[None])[0]
    return value.tolist()


def as_json(answers: Mapping[str, Answer]) -> str:
    """As the metadata of a file hold them; `file_facts.py` reads them."""
    default = asdict(Answer("unknown"))
    return json.dumps(
        {
            name: {
                "kind": answer.kind,
                **{key: value for key, value in asdict(answer).items() if key != "kind" and value != default[key]},
            }
            for name, answer in answers.items()
        }
    )
