"""Predictions for raw records: the same preprocessing as in training, answers in the units of the data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...compiler.analysis.targets import output_meanings
from ...compiler.catalogue import SOURCES
from ...compiler.ir.data import DataSet
from ...compiler.ir.model import Body, Value
from ...compiler.messages.source import Span
from ...compiler.text.read import is_pipe
from ..data import sources, streams, vocabulary
from ..data.feed import Data, Feed
from ..data.graph import Graph
from ..data.sources import arrow_columns
from ..data.sources.images import IMAGE_SUFFIXES
from ..data.sources.split_files import lines_of, read_text
from ..data.streams import Part
from ..data.table import Cells, Column, Images, Numbers, Stream, Table, encode
from ..failure import BadInput, no_file
from ..training.evaluate import evaluating
from ..training.reopen import TrainedModel
from . import answers
from .answers import Answer
from .units import answer_of

BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """`values`: an array a model output, its first axis the records; outputs that are values of a field are in the units of
    the data. `answers` hold what each output stands for, `notes` a line for each that is unknown. `texts` are the most
    probable tokens as a text a record, of outputs that were trained on tokens; `names` are those of the records."""

    names: list[str]
    values: dict[str, NDArray[Any]]
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    texts: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])

    def __len__(self) -> int:
        return len(self.names)

    @property
    def notes(self) -> list[str]:
        return answers.notes(self.answers, list(self.values))

    def rows(self) -> list[dict[str, Any]]:
        """A record a row: for a classifier the name and the probability of its class, for tokens their text, else the
        numbers."""
        known = {name: answer for name, answer in self.answers.items() if name not in self.texts}
        found = answers.rows(self.names, self.values, known)
        for output, texts in self.texts.items():
            for row, text in zip(found, texts, strict=True):
                row[output] = text
        return found


def predict(opened: TrainedModel, inputs: Any) -> Prediction:
    """Predictions for files, or for arrays by source field."""
    section = opened.section
    order = [opened.train.inputs.get(value.name, value.name) for value in _inputs(opened)]
    table = _table(opened, section, inputs)
    part, table = _part(section, table, order)
    data = Data(section, table, Graph(section, table, opened.root, dict(opened.fitted)), {"test": part})
    feed = Feed(data, "test", training=False, device=opened.device, only=frozenset(order))
    collected: dict[str, list[NDArray[Any]]] = {}
    net = next(iter(opened.program.nets.values()))
    names = [result.name or "output" for result in _body(opened).outputs]
    with evaluating(opened.program):
        for batch in feed.batches(BATCH):
            result: Any = net(*[batch[name] for name in order])
            outputs: Sequence[torch.Tensor] = result if isinstance(result, tuple) else (result,)
            for name, value in zip(names, outputs, strict=False):
                collected.setdefault(name, []).append(value.float().cpu().numpy())
    values = {name: _joined(parts) for name, parts in collected.items()}
    said = _answers(opened)
    texts: dict[str, list[str]] = {}
    for output, answer in said.items():
        known = vocabulary.of_field(section, answer.field, opened.fitted) if answer.kind == "scores" else None
        if known is not None and output in values and all(logits.ndim == 2 for logits in values[output]):
            texts[output] = [known.text(logits.argmax(-1).tolist()) for logits in values[output]]
    shown = answers.in_units(values, said)
    return Prediction([table.place(i) for i in range(len(data.parts["test"]))], shown, said, texts)


def _answers(opened: TrainedModel) -> dict[str, Answer]:
    """What the outputs of the run's model stand for."""
    meanings = output_meanings(opened.spec, opened.train, opened.train.nets[0].name)
    return {
        name: answer_of(meaning, opened.section, opened.fitted, opened.classes) for name, meaning in meanings.items()
    }


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    if len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    found = np.empty(sum(map(len, parts)), object)
    found[:] = [row for part in parts for row in part]
    return found


def _body(opened: TrainedModel) -> Body:
    return opened.spec.body_of(opened.spec.models[opened.train.nets[0].model])


def _inputs(opened: TrainedModel) -> tuple[Value, ...]:
    if len(opened.train.nets) != 1:
        raise BadInput(
            "this run trains several networks, and one of them predicts",
            helps=("export that one, `export { model = .. }`, and predict with the file: `dlc predict FILE.onnx`",),
        )
    return _body(opened).inputs


def _part(section: DataSet, table: Table, fields: Sequence[str]) -> tuple[Part, Table]:
    """Which records of the given table are predicted: all, or the windows that its stream has. Values of a window that no
    input of the model reads, its target, need not be there: the stream is filled up in their place."""
    windows = streams.cuts(section)
    if not windows:
        return Part("test", np.arange(table.count, dtype=np.int64)), table
    table = streams.as_streams(section, table)
    n = max(node.args["n"] for node in windows)
    read = max((stop for name in fields for stop in streams.reach(section, section.field(name).node)), default=n)
    if table.count < read:
        raise BadInput(
            f"the input is too short: it has {table.count} values, the model reads {read}",
            helps=(f"give at least {read} values in {table.name}",),
        )
    spare = n - read
    columns = {name: _longer(column, spare) for name, column in table.columns.items()}
    part = streams.part("test", 0, table.count + spare, windows)
    return part, replace(table, columns=columns)


def _longer(column: Column, count: int) -> Column:
    if not isinstance(column, Stream) or not count:
        return column
    return replace(column, array=np.concatenate([column.array, column.array[-1:].repeat(count)]))


# ---- inputs ------------------------------------------------------------------------------------------------------------------


def _table(opened: TrainedModel, section: DataSet, inputs: Any) -> Table:
    if isinstance(inputs, Mapping):
        columns: dict[str, Column] = {}
        for name, value in inputs.items():
            array = np.asarray(value)
            columns[str(name)] = (
                Cells([arrow_columns.text(v) for v in array.tolist()]) if array.dtype.kind in "USO" else Numbers(array)
            )
        return _made(columns, "the given arrays")
    files = [Path(item) for item in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    if not files:
        raise BadInput("nothing to predict", helps=("give files, or arrays by source field",))
    for file in files:
        if not file.exists():
            raise no_file(file)
        if file.is_dir():
            raise BadInput(f"`{file}` is a directory", helps=("name the files in it",))
    suffix = files[0].suffix.lower()
    if all(file.suffix.lower() in IMAGE_SUFFIXES for file in files):
        name = _image_field(section)
        return Table({name: Images(files)}, len(files), lambda i: str(files[i]), "the given images", order=(name,))
    if len(files) > 1:
        raise BadInput(
            "several files can be read at once only if they are images", helps=("predict for each file separately",)
        )
    file, span = files[0], section.source.span
    if is_pipe(file):
        return _read("csv", file, span)
    for name, source in SOURCES.items():
        if suffix in source.suffixes:
            return _read(name, file, span)
    if suffix == ".txt":
        return _text(opened, section, file)
    known = ", ".join(f"`{end}`" for source in SOURCES.values() for end in source.suffixes)
    raise BadInput(
        f"`{file}`: files ending in `{suffix}` are not supported",
        helps=(f"use one of {known}, `.txt` and images",),
    )


def _read(kind: str, file: Path, span: Span) -> Table:
    columns, count, place, _ = sources.reader(kind)({"path": str(file)}, Path, span)
    return Table(columns, count, place, f"`{file}`", order=tuple(columns))


def _image_field(section: DataSet) -> str:
    """The first field of the source that holds images."""
    fields = SOURCES[section.source.name].fields(section.source.args) or {}
    return next((name for name, type in fields.items() if type.dtype == "u8"), "image")


def _made(columns: dict[str, Column], name: str) -> Table:
    if not columns:
        raise BadInput("nothing to predict", helps=("give arrays by source field",))
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"`{key}` {length}" for key, length in lengths.items())
        raise BadInput(
            f"the inputs have different numbers of records: {shown}",
            helps=("give every array one row per record",),
        )
    return Table(columns, next(iter(lengths.values())), lambda i: f"record {i}", name, order=tuple(columns))


def _text(opened: TrainedModel, section: DataSet, file: Path) -> Table:
    if SOURCES[section.source.name].lines:
        return _read(section.source.name, file, section.source.span)
    source = next((n for n in section.nodes if n.op == "source" and "names" in opened.fitted.get(n.id, {})), None)
    if source is None:
        fields = dict.fromkeys(str(node.args["field"]) for node in section.nodes if "field" in node.args)
        raise BadInput(
            f"the model of this run does not read text files: `{file}`",
            notes=(f"it was trained on {', '.join(f'`{name}`' for name in fields)} of `{section.source.name}`",),
            helps=("give a table with these columns, such as a .csv file",),
        )
    text = read_text(file, section.source.span)
    if not text:
        raise BadInput(f"`{file}` is empty", helps=("write the text into it, or name another file",))
    units = text if section.source.args.get("unit", "char") == "char" else lines_of(text)
    tokens = streams.renumbered(encode(units), opened.fitted[source.id]["names"])
    name = source.args["field"]
    return Table({name: tokens}, len(tokens), lambda i: f"{file} window {i}", f"`{file}`", order=(name,))


def as_csv(prediction: Prediction) -> str:
    """Rows as comma-separated text."""
    rows = prediction.rows()
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["input"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()})
    return out.getvalue()
