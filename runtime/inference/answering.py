"""Predictions of an exported file for raw records. Works without torch.

A file that holds its data section (`pipeline.py`) takes what the run takes; any other takes arrays by input name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...compiler.ir.data import DataNode, DataSet
from ...compiler.messages.diagnostics import Failed
from ...compiler.text.read import is_pipe
from ..data import vocabulary
from ..data.arrays.batches import Called, InputPipeline
from ..data.mistakes import first_line
from ..data.vocabulary import Vocabulary
from ..failure import BadInput
from . import bare, input_files, records
from .answers import Answer, in_units
from .batch_axis import batch_axes, records_first
from .columns import InputColumns
from .file_facts import FileFacts
from .ports import Array, Port
from .prediction import Prediction

T = TypeVar("T")
BATCH = 256  # records that are computed together


class AnsweringModel(Protocol):
    """What is asked of a session."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    answers: dict[str, Answer]
    columns: dict[str, InputColumns]
    pipeline: InputPipeline | None
    about: FileFacts

    def predict(self, inputs: Mapping[str, ArrayLike], outputs: Sequence[str] | None = None) -> dict[str, Array]: ...


class TextAnswers:
    """Which outputs give the probabilities of tokens, and what the tokens stand for."""

    def __init__(
        self, section: DataSet, fitted: Mapping[int, Mapping[str, Any]], answers: Mapping[str, Answer]
    ) -> None:
        self.known: dict[str, Vocabulary] = {}
        fields = {field.name for field in section.fields}
        for output, answer in answers.items():
            if answer.kind in ("scores", "probabilities") and answer.field in fields:
                found = vocabulary.of_field(section, answer.field, fitted)
                if found is not None:
                    self.known[output] = found

    def of(self, values: Mapping[str, NDArray[Any]]) -> dict[str, list[str]]:
        """The most probable tokens of each record as a text."""
        return {
            output: [known.text(scores.argmax(-1).tolist()) for scores in values[output]]
            for output, known in self.known.items()
            if output in values and all(scores.ndim == 2 for scores in values[output])
        }


def made_of(
    called: Called,
    values: Mapping[str, NDArray[Any]],
    answers: dict[str, Answer],
    texts: TextAnswers | None,
    axes: Mapping[str, int | None],
) -> Prediction:
    """What a model's outputs for a batch say; `axes` are those that count the records (see `batch_axis`)."""
    values = records_first(values, axes, len(called.places))
    found = texts.of(values) if texts is not None else {}
    return Prediction(called.places, in_units(values, answers), answers, found, dict(called.about))


def stream(model: AnsweringModel, inputs: Any) -> Iterator[Prediction]:
    """Predictions for files and directories, or for arrays by source field, a batch at a time. Raises BadInput."""
    if model.pipeline is None or _named_by_input(model, model.pipeline, inputs):
        yield _by_input(model, inputs)
        return
    texts = TextAnswers(model.pipeline.section, model.pipeline.fitted, model.answers)
    axes = _axes(model)
    try:
        for called, arrays in feeds(model, inputs):
            yield made_of(called, model.predict(arrays), model.answers, texts, axes)
    except Failed as failure:  # of the data: a file has no spec whose line could be shown
        found = failure.diagnostic
        first, *more = found.helps
        raise BadInput(found.message, notes=found.notes, helps=(first, *more), code=found.code) from None


def _named_by_input(model: AnsweringModel, pipeline: InputPipeline, inputs: Any) -> bool:
    """Whether arrays are given as the graph takes them: they have the names of its inputs, or none, and are not the columns that
    these are from. A name that is both is that of the column, unless the array has the shape of the input and not that of the column."""
    if isinstance(inputs, Mapping):
        given: Mapping[str, tuple[int, ...] | None] = bare.shapes_of(inputs)
    else:
        files = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
        found = [bare.shapes_in(Path(file)) for file in files if not is_pipe(Path(file))]
        if not found or any(each is None for each in found):
            return False
        given = {name: shape for each in found for name, shape in (each or {}).items()}
    ports = {port.name: port for port in model.inputs}
    columns = {name for each in pipeline.fields for name in pipeline.columns(each)}
    columns -= {name for name, port in ports.items() if not _is_column(pipeline, name, given.get(name), port)}
    names = given.keys()
    return not names & columns and ("" in names or names == {"arr_0"} or bool(names & ports.keys()))


def _is_column(pipeline: InputPipeline, name: str, shape: tuple[int, ...] | None, port: Port) -> bool:
    """Whether an array may be the column of this name, and not the input of the same name."""
    if shape is None or not _fits(shape, port.shape):
        return True
    types = [pipeline.section.node(at).type for at in pipeline.nodes() if _reads(pipeline.section.node(at), name)]
    return all(_fits(shape, (None,) if t.kind == "stream" else (None, *t.shape)) for t in types if t.shape is not None)


def _reads(node: DataNode, column: str) -> bool:
    return node.op == "source" and node.args["field"] == column


def _fits(shape: Sequence[int], wanted: Sequence[Any]) -> bool:
    """Whether a shape is one with these sizes, of which only whole numbers are known."""
    return len(shape) == len(wanted) and all(a == b for a, b in zip(shape, wanted, strict=True) if isinstance(b, int))


def feeds(model: AnsweringModel, inputs: Any, size: int = BATCH) -> Iterator[tuple[Called, dict[str, Array]]]:
    """What each record is called, and what is fed: raw records through the transforms that the graph does not hold."""
    pipeline = model.pipeline
    assert pipeline is not None
    dtypes = {port.name: np.dtype(port.dtype) for port in model.inputs}
    for table in records.tables(pipeline, inputs):
        yield from _legal(model, pipeline.batches(table, size, dtypes))


def _legal(model: AnsweringModel, batches: Iterator[T]) -> Iterator[T]:
    """The batches. What a file holds of its data is text from elsewhere: where it has the form of a data section and does not fit
    together all the same (a mean for each of three columns of two), NumPy finds it."""
    try:
        yield from batches
    except (TypeError, ValueError, LookupError, ArithmeticError, AssertionError) as error:
        raise model.about.refuse("dlc.data", f"does not fit the records: {first_line(error)}") from None


def _by_input(model: AnsweringModel, inputs: Any) -> Prediction:
    """Of a file that does not hold its data section: what it is fed is all that it knows."""
    if isinstance(inputs, Mapping):
        arrays = {str(name): np.asarray(value) for name, value in inputs.items()}
        count = len(next(iter(arrays.values()), ()))
        names = [f"record {i}" for i in range(count)]
    else:
        files = [Path(item) for item in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
        if not files:
            raise BadInput("nothing to predict", helps=("give files, or arrays by input name",))
        names, arrays = input_files.read(model.inputs, files, model.columns)
    return made_of(Called(names), model.predict(arrays), model.answers, None, _axes(model))


def _axes(model: AnsweringModel) -> dict[str, int | None]:
    return batch_axes((port.shape for port in model.inputs), {port.name: port.shape for port in model.outputs})
