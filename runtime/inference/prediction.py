"""What was predicted: records, values by output, and what these say. Works without torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass, field
from . import answers
from .answers import Answer


@dataclass(frozen=True)
class Prediction:
    """`values`: an array a model output, its first axis the records; outputs that are values of a field are in the units of
    the data. `answers` hold what each output stands for, `notes` a line for each that is unknown. `texts` are the most
    probable tokens as a text a record, of outputs that were trained on tokens; `names` are those of the records, `about` the columns by
    which a person knows them: the series that a forecast is for, and the time that it is made at."""

    names: list[str]
    values: dict[str, NDArray[Any]]
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    texts: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])
    about: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])

    def __len__(self) -> int:
        return len(self.names)

    @property
    def notes(self) -> list[str]:
        return answers.notes(self.answers, list(self.values))

    def rows(self, *, probabilities: bool = False, raw: bool = False) -> list[dict[str, Any]]:
        """A record a row: for a classifier the name and the probability of its class, for tokens their text, else the
        numbers. With `probabilities` also that of each class, `probability NAME`; with `raw` the numbers behind a class."""
        known = {name: answer for name, answer in self.answers.items() if name not in self.texts}
        found = answers.rows(self.names, self.values, known, raw=raw, probabilities=probabilities)
        for at, row in enumerate(found if self.about else ()):
            found[at] = {"input": row["input"], **{name: cells[at] for name, cells in self.about.items()}, **row}
        for output, texts in self.texts.items():
            for row, text in zip(found, texts, strict=True):
                row[output] = text
        return found


def joined(parts: Iterable[Prediction]) -> Prediction:
    """Predictions one after another."""
    found = list(parts)
    first = found[0]
    names = [name for part in found for name in part.names]
    values = {name: together([part.values[name] for part in found]) for name in first.values}
    texts = {name: [text for part in found for text in part.texts[name]] for name in first.texts}
    about = {name: [cell for part in found for cell in part.about[name]] for name in first.about}
    return Prediction(names, values, first.answers, texts, about)


def together(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays one after another; of records of different shapes, an array of them."""
    if len({part.shape[1:] for part in parts}) == 1 and all(part.dtype != object for part in parts):
        return np.concatenate(parts)
    found = np.empty(sum(map(len, parts)), object)
    found[:] = [row for part in parts for row in part]
    return found
