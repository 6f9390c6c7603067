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

from ...compiler.ir.data import DataNode, DataSet
from ...compiler.ir.model import Body, CallNode, OpNode, Value
from ...compiler.messages.source import Span
from ..data import sources, streams, vocabulary
from ..data.feed import Data, Feed
from ..data.graph import Graph
from ..data.sources.images import IMAGE_SUFFIXES
from ..data.sources.split_files import lines_of
from ..data.streams import Part
from ..data.table import Cells, Column, Images, Numbers, Stream, Table, encode
from ..failure import BadInput
from ..training.evaluate import evaluating
from ..training.reopen import Opened

BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """`values`: an array a model output, its first axis the records. `classes` are the names of the class axis of an
    output, where the data gave them; `texts` are the most probable tokens as a text a record, of outputs that were
    trained on tokens; `names` says which record is which."""

    names: list[str]
    values: dict[str, NDArray[Any]]
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    texts: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])

    def __len__(self) -> int:
        return len(self.names)

    def rows(self) -> list[dict[str, Any]]:
        """A record a row: for a classifier the name and the probability of its class, for tokens their text, else the
        numbers."""
        found: list[dict[str, Any]] = []
        for i, name in enumerate(self.names):
            row: dict[str, Any] = {"input": name}
            for output, array in self.values.items():
                value = array[i]
                names = self.classes.get(output)
                if names is not None and value.ndim == 1 and len(names) == len(value):
                    shares = np.exp(value - value.max())
                    shares /= shares.sum()
                    best = int(value.argmax())
                    row["class"], row["probability"] = names[best], float(shares[best])
                elif output in self.texts:
                    row[output] = self.texts[output][i]
                else:
                    row[output] = value.tolist()
            found.append(row)
        return found


def predict(opened: Opened, inputs: Any) -> Prediction:
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
    pairs = targets(opened)
    classes: dict[str, tuple[str, ...]] = {}
    texts: dict[str, list[str]] = {}
    for output, (fieldname, is_class) in pairs.items():
        if output not in values:
            continue
        known = vocabulary.of_field(section, fieldname, opened.fitted)
        if is_class and known is not None:
            texts[output] = [known.text(logits.argmax(-1).tolist()) for logits in values[output] if logits.ndim == 2]
            if not texts[output]:
                del texts[output]
            continue
        if is_class:
            known = _classes(opened, fieldname)
            if known:
                classes[output] = known
        else:
            values[output] = inverted(opened, fieldname, values[output])
    return Prediction([table.place(i) for i in range(len(data.parts["test"]))], values, classes, texts)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    if len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    found = np.empty(sum(map(len, parts)), object)
    found[:] = [row for part in parts for row in part]
    return found


def _body(opened: Opened) -> Body:
    return opened.spec.body_of(opened.spec.models[opened.train.nets[0].model])


def _inputs(opened: Opened) -> tuple[Value, ...]:
    if len(opened.train.nets) != 1:
        raise BadInput("this run trains several networks: export the one to use, and predict with the ONNX file")
    return _body(opened).inputs


def _part(section: DataSet, table: Table, fields: Sequence[str]) -> tuple[Part, Table]:
    """Which records of the given table are predicted: all, or the windows that its stream has. Values of a window that no
    input of the model reads, its target, need not be there: the stream is filled up in their place."""
    windows = [node for node in section.nodes if node.op in streams.WINDOWS]
    if not windows:
        return Part("test", np.arange(table.count, dtype=np.int64)), table
    table = streams.as_streams(section, table)
    n = max(node.args["n"] for node in windows)
    read = max((stop for name in fields for stop in streams.reach(section, section.field(name).node)), default=n)
    if table.count < read:
        raise BadInput(f"the input is too short: it has {table.count} values, the model reads {read}")
    spare = n - read
    columns = {name: _longer(column, spare) for name, column in table.columns.items()}
    part = streams.part("test", 0, table.count + spare, windows)
    return part, replace(table, columns=columns)


def _longer(column: Column, count: int) -> Column:
    if not isinstance(column, Stream) or not count:
        return column
    return replace(column, array=np.concatenate([column.array, column.array[-1:].repeat(count)]))


# ---- inputs ------------------------------------------------------------------------------------------------------------------


def _table(opened: Opened, section: DataSet, inputs: Any) -> Table:
    if isinstance(inputs, Mapping):
        columns: dict[str, Column] = {}
        for name, value in inputs.items():
            array = np.asarray(value)
            columns[str(name)] = (
                Cells([str(v) for v in array.tolist()]) if array.dtype.kind in "USO" else Numbers(array)
            )
        return _made(columns, "the given arrays")
    files = [Path(item) for item in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    if not files:
        raise BadInput("nothing to predict", helps=("name files, or give arrays by source field",))
    for file in files:
        if not file.exists():
            raise BadInput(f"there is no file `{file}`")
    suffix = files[0].suffix.lower()
    if all(file.suffix.lower() in IMAGE_SUFFIXES for file in files):
        name = "first" if section.source.name == "image_pairs" else "image"
        return Table({name: Images(files)}, len(files), lambda i: str(files[i]), "the given images", order=(name,))
    if len(files) > 1:
        raise BadInput("several files are read at once only where they are images", helps=("run it once a file",))
    file, span = files[0], section.source.span
    if suffix == ".npz":
        return _read("npz", file, span)
    if suffix == ".csv":
        return _read("csv", file, span)
    if suffix == ".jsonl":
        return _read("jsonl", file, span)
    if suffix == ".parquet":
        return _read("parquet", file, span)
    if suffix == ".txt":
        return _text(opened, section, file)
    raise BadInput(
        f"`{file}`: a file that ends in `{suffix}` is not read",
        helps=("`.npz`, `.csv`, `.jsonl`, `.parquet`, `.txt` and images are",),
    )


def _read(kind: str, file: Path, span: Span) -> Table:
    columns, count, place, _ = sources.READERS[kind]({"path": str(file)}, Path, span)
    return Table(columns, count, place, f"`{file}`", order=tuple(columns))


def _made(columns: dict[str, Column], name: str) -> Table:
    if not columns:
        raise BadInput("nothing to predict", helps=("give arrays by source field",))
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"`{key}` {length}" for key, length in lengths.items())
        raise BadInput(f"the inputs have different numbers of records: {shown}")
    return Table(columns, next(iter(lengths.values())), lambda i: f"record {i}", name, order=tuple(columns))


def _text(opened: Opened, section: DataSet, file: Path) -> Table:
    if section.source.name == "text_lines":
        return _read("text_lines", file, section.source.span)
    source = next((n for n in section.nodes if n.op == "source" and "names" in opened.fitted.get(n.id, {})), None)
    if source is None:
        raise BadInput(f"the model of this run does not read text files: `{file}`")
    text = file.read_text("utf-8")
    if not text:
        raise BadInput(f"`{file}` is empty")
    units = text if section.source.args.get("unit", "char") == "char" else lines_of(text)
    tokens = streams.renumbered(encode(units), opened.fitted[source.id]["names"])
    name = source.args["field"]
    return Table({name: tokens}, len(tokens), lambda i: f"{file} window {i}", f"`{file}`", order=(name,))


# ---- targets -----------------------------------------------------------------------------------------------------------------

CLASS_LOSSES = ("cross_entropy", "nll", "focal")
VALUE_LOSSES = ("mse", "l1_loss", "huber")


def targets(opened: Opened) -> dict[str, tuple[str, bool]]:
    """Which batch field each model output is compared with in the loss, and whether that is a class."""
    found: dict[str, tuple[str, bool]] = {}
    for phase in opened.train.phases:
        for update in phase.updates:
            body = opened.spec.bodies[update.body]
            fields = {value.id: value.name for value in body.inputs}
            outputs = {
                value.id: value.name or "output"
                for node in body.nodes
                if isinstance(node, CallNode)
                for value in node.outputs
            }
            for node in body.nodes:
                if isinstance(node, OpNode) and node.op in (*CLASS_LOSSES, *VALUE_LOSSES) and len(node.inputs) >= 2:
                    said, wanted = node.inputs[0], node.inputs[1]
                    if said in outputs and wanted in fields:
                        found[outputs[said]] = (fields[wanted], node.op in CLASS_LOSSES)  # pyright: ignore[reportArgumentType]
    return found


def _classes(opened: Opened, name: str) -> tuple[str, ...] | None:
    """The class names of a field, from what was fitted or what the source declares."""
    section = opened.section
    node = section.node(section.field(name).node)
    while node.inputs:
        if node.op == "category":
            return tuple(opened.fitted[node.id]["names"])
        node = section.node(node.inputs[0])
    declared = section.field(name).classes
    if declared is not None and declared.names:
        return declared.names
    return opened.classes.get(name)


def inverted(opened: Opened, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Predictions of a field in the units of its source: its transforms undone, last first."""
    section = opened.section
    node = section.node(section.field(name).node)
    values = values.astype(np.float64)
    picks: list[DataNode] = []
    while node.inputs:
        args = node.args
        match node.op:
            case "standardize":
                learned = opened.fitted[node.id]
                values = values * _picked(learned["std"], picks) + _picked(learned["mean"], picks)
            case "log1p":
                values = np.expm1(values)
            case "scale":
                values = values / args["k"]
            case "normalize" if not isinstance(args["mean"], str):
                values = values * np.asarray(args["std"]) + np.asarray(args["mean"])
            case "impute" | "clip" | "to_float" | "choose" | "window" | "random_window":
                pass
            case "slice" | "index":
                picks.append(node)
            case _:
                return values
        node = section.node(node.inputs[-1])
    return values


def _picked(learned: Any, picks: Sequence[DataNode]) -> NDArray[Any]:
    """What was learned of each value of a record, for those values that a field picks. One figure stands for all."""
    found = np.asarray(learned)
    for node in reversed(picks) if found.ndim else ():
        found = found[node.args["start"] : node.args["stop"]] if node.op == "slice" else found[node.args["at"]]
    return found


def as_csv(prediction: Prediction) -> str:
    """Rows as comma-separated text."""
    rows = prediction.rows()
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["input"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()})
    return out.getvalue()
