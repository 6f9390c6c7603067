"""Predictions of a run for raw records: the same preprocessing as in training, answers in the units of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ...compiler.analysis.targets import output_meanings
from ...compiler.ir.data import DataSet
from ...compiler.ir.model import Body, Value
from ...compiler.ir.verify import output_types
from ..data.arrays.batches import InputPipeline
from ..data.values import DTYPES
from ..failure import BadInput
from ..training.evaluate import evaluating
from ..training.reopen import TrainedModel
from . import records
from .answering import BATCH, TextAnswers, made_of
from .answers import Answer
from .batch_axis import batch_axes
from .prediction import Prediction, joined
from .units import answer_of


def predict(opened: TrainedModel, inputs: Any) -> Prediction:
    """Predictions for files and directories, or for arrays by source field."""
    return joined(stream(opened, inputs))


def stream(opened: TrainedModel, inputs: Any) -> Iterator[Prediction]:
    """The same, a batch at a time."""
    order = [value.name for value in _inputs(opened)]
    pipeline = pipeline_of(opened)
    section, answers = opened.section, _answers(opened)
    dtypes = {name: DTYPES[section.field(pipeline.fields[name]).type.dtype] for name in order}
    texts = TextAnswers(section, opened.fitted, answers)
    net = next(iter(opened.program.nets.values()))
    body = _body(opened)
    names = [result.name or "output" for result in body.outputs]
    shapes = {name: kind.shape for name, kind in zip(names, output_types(body), strict=True)}
    axes = batch_axes((value.type.shape for value in body.inputs), shapes)
    for table in records.tables(pipeline, inputs):
        for called, arrays in pipeline.batches(table, BATCH):
            given = [torch.from_numpy(arrays[name]).to(opened.device, dtypes[name]) for name in order]
            with evaluating(opened.program):
                result: Any = net(*given)
            outputs: Sequence[torch.Tensor] = result if isinstance(result, tuple) else (result,)
            values = {name: value.float().cpu().numpy() for name, value in zip(names, outputs, strict=False)}
            yield made_of(called, values, answers, texts, axes)


def pipeline_of(opened: TrainedModel) -> InputPipeline:
    """What leads from raw records to the inputs of the run's model."""
    fields = {value.name: opened.train.inputs.get(value.name, value.name) for value in _inputs(opened)}
    return InputPipeline(opened.section, dict(opened.fitted), fields, root=opened.root)


def _answers(opened: TrainedModel) -> dict[str, Answer]:
    """What the outputs of the run's model stand for."""
    section: DataSet = opened.section
    meanings = output_meanings(opened.spec, opened.train, opened.train.nets[0].name)
    return {name: answer_of(meaning, section, opened.fitted, opened.classes) for name, meaning in meanings.items()}


def _body(opened: TrainedModel) -> Body:
    return opened.spec.body_of(opened.spec.models[opened.train.nets[0].model])


def _inputs(opened: TrainedModel) -> tuple[Value, ...]:
    if len(opened.train.nets) != 1:
        raise BadInput(
            "this run trains several networks, and one of them predicts",
            helps=("export that one, `export { model = .. }`, and predict with the file: `dlc predict FILE.onnx`",),
        )
    return _body(opened).inputs
