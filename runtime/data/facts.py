"""Facts of the data of a section, for the checker: records a split, shapes, classes. Kept with the run."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.ir.data import DataFacts, DataField, DataSet, FieldFacts
from ..writing import write_text, writing
from . import declared, sources, vocabulary
from .feed import Data, open_data
from .nodes import vocabulary_size
from .streams import SplitPart
from .table import Cells, Numbers, SourceFile, Stream

LOOKED_AT = 256  # records that are computed at a time
RANGED_AT = 1 << 20  # numbers of one column that are looked at at a time
COUNTED_AT = 4096  # records of which a field is counted at a time
WHOLE = ("i64", "i32")
SCAN_AT_MOST = 1 << 28  # numbers that are searched for the largest


def gather(
    section: DataSet,
    root: Path,
    cache: Path | None = None,
    *,
    every: bool = False,
    lengths: bool = False,
    counts: Collection[str] = (),
) -> DataFacts:
    """Looks at the first records of the data, or at `every` one; a mistake in it raises Failed. With `cache`, a file that holds
    what was found before. `lengths` are those of records, for batches of tokens; `counts` are fields whose classes are counted."""
    if cache is not None and not every:
        known = _cached(section, cache)
        if known is not None and (known.lengths or not lengths) and all(known.fields[name].counts for name in counts):
            return known
    data = open_data(section, root)
    facts = of(data, lengths=lengths, counts=counts)
    if every:
        look(data)
    if cache is not None:
        files = [[str(file.path), file.size, file.mtime_ns] for file in (*data.table.files, *_tokenizers(data))]
        entry = {"section": _digest(section), "files": files, "facts": facts.model_dump(mode="json")}
        with writing(cache):
            cache.parent.mkdir(parents=True, exist_ok=True)
            write_text(cache, json.dumps(entry))
    return facts


def _tokenizers(data: Data) -> list[SourceFile]:
    """The files that tokenizers were read from."""
    nodes = [node for node in data.section.nodes if transforms.of(node.op).stands_for == "tokens"]
    return [sources.file_of(data.graph.path_of(node.args["path"])) for node in nodes if node.args["path"] is not None]


def _digest(section: DataSet) -> str:
    return hashlib.blake2b(section.model_dump_json().encode(), digest_size=16).hexdigest()


def _cached(section: DataSet, cache: Path) -> DataFacts | None:
    try:
        entry = json.loads(cache.read_text("utf-8"))
        if entry["section"] != _digest(section):
            return None
        for path, size, mtime in entry["files"]:
            status = Path(path).stat()
            if (status.st_size, status.st_mtime_ns) != (size, mtime):
                return None
        facts = DataFacts.model_validate(entry["facts"])
        if facts.laid_out and not Path(facts.laid_out).is_dir():  # removed since: it is made again
            return None
        return facts
    except (OSError, ValueError, KeyError, TypeError):
        return None


def of(data: Data, *, lengths: bool = False, counts: Collection[str] = ()) -> DataFacts:
    """The facts of an opened section; the first records of every split are computed and checked. With `lengths` all records of
    the train split are, where their lengths differ, and so are the fields in `counts`."""
    records = {str(split): len(part) for split, part in data.parts.items()}
    fields: dict[str, FieldFacts] = {}
    for field in data.section.fields:
        for part in data.parts.values():
            found = _field(data, field, part)
            if field.name not in fields:
                fields[field.name] = found.model_copy(update={"range": _range(data, field, found.shape)})
            elif fields[field.name].shape != found.shape:
                shape = tuple(a if a == b else None for a, b in zip(fields[field.name].shape, found.shape, strict=True))
                fields[field.name] = found.model_copy(update={"shape": shape})
    for name in counts:
        fields[name] = fields[name].model_copy(update={"counts": class_counts(data, name)})
    columns = data.table.columns.values()
    empty = tuple(name for column in columns if isinstance(column, Numbers) for name in column.empty)
    long = _lengths(data) if lengths and "train" in data.parts else ()
    dropped = data.dropped
    return DataFacts(
        records=records,
        lengths=long,
        fields=fields,
        empty=empty,
        found=data.table.found,
        dropped=dropped.records,
        lacking=dropped.columns,
        laid_out="" if data.table.laid_out is None else str(data.table.laid_out.folder),
    )


def _lengths(data: Data) -> tuple[tuple[int, int], ...]:
    """The lengths of the records of the train split, and how many records have each."""
    values, counts = np.unique(data.lengths("train", training=True), return_counts=True)
    return tuple(zip(values.tolist(), counts.tolist(), strict=True))


def class_counts(data: Data, name: str) -> tuple[int, ...]:
    """How often the train split has each whole number of a field, from 0 on; what is below does not count."""
    counts, _ = data.kept(f"counts.{name}", lambda: (_counted(data, name), None))
    return tuple(counts.tolist())


def _counted(data: Data, name: str) -> NDArray[np.int64]:
    found = np.zeros(0, np.int64)
    for numbers in values_of(data, name):
        some = np.bincount(numbers[numbers >= 0].astype(np.int64))
        longer, shorter = (some, found) if len(some) > len(found) else (found, some)
        longer[: len(shorter)] += shorter
        found = longer
    return found


def values_of(data: Data, name: str) -> Iterator[NDArray[Any]]:
    """The numbers of a field for all records of the train split, some records at a time, without what is random."""
    field, part = data.section.field(name), data.part("train")
    for start in range(0, len(part), COUNTED_AT):
        positions = np.arange(start, min(start + COUNTED_AT, len(part)))
        value = data.graph.evaluate([field.node], part, positions, training=False)[field.node]
        value = declared.as_field(data.graph, field, value, part, positions)
        rows = [value] if isinstance(value, Tensor) else [row for row in value if isinstance(row, Tensor)]
        yield np.concatenate([row.cpu().numpy().ravel() for row in rows]) if rows else np.zeros(0)


def look(data: Data) -> None:
    """Computes and checks every record of every split once; a mistake raises Failed."""
    for part in data.parts.values():
        for start in range(0, len(part), LOOKED_AT):
            positions = np.arange(start, min(start + LOOKED_AT, len(part)))
            values = data.graph.evaluate([f.node for f in data.section.fields], part, positions, training=False)
            for field in data.section.fields:
                declared.as_field(data.graph, field, values[field.node], part, positions)


def _field(data: Data, field: DataField, part: SplitPart) -> FieldFacts:
    graph = data.graph
    positions = np.arange(min(4, len(part)))
    value = graph.evaluate([field.node], part, positions, training=False)[field.node]
    value = declared.as_field(graph, field, value, part, positions)
    if isinstance(value, Tensor):
        shape: tuple[int | None, ...] = tuple(value.shape[1:])
    else:
        assert isinstance(value, list)
        shapes = [tuple(item.shape) for item in value]
        shape = tuple(axis[0] if len(set(axis)) == 1 else None for axis in zip(*shapes, strict=True))
    classes, vocabulary = _names(data, field)
    return FieldFacts(dtype=field.type.dtype, shape=shape, classes=classes, vocabulary=vocabulary)


def _range(data: Data, field: DataField, shape: tuple[int | None, ...]) -> tuple[int, int] | None:
    """The least and the largest whole number of a field that is a column as it is, without names of classes."""
    column = data.table.columns.get(data.graph.nodes[field.node].args.get("field", ""))
    if field.type.dtype not in WHOLE or not isinstance(column, (Numbers, Cells)) or _names(data, field) != (None, None):
        return None
    found, _ = data.kept(f"range.{field.name}", lambda: (np.array(_ends(data, field, shape), np.int64), None))
    return (int(found[0]), int(found[1])) if len(found) else None


def _ends(data: Data, field: DataField, shape: tuple[int | None, ...]) -> tuple[int, ...]:
    found: list[int] = []
    size = math.prod(axis or 1 for axis in shape)
    if size * sum(map(len, data.parts.values())) > SCAN_AT_MOST:
        return ()
    step = max(1, RANGED_AT // size)
    for part in data.parts.values():
        for start in range(0, len(part), step):
            positions = np.arange(start, min(start + step, len(part)))
            value = data.graph.evaluate([field.node], part, positions, training=False)[field.node]
            value = declared.as_field(data.graph, field, value, part, positions)
            if not isinstance(value, Tensor) or not value.numel():
                return ()
            found += [int(value.min()), int(value.max())]
    return (min(found), max(found)) if found else ()


def _names(data: Data, field: DataField) -> tuple[tuple[str, ...] | None, int | None]:
    """Classes and vocabulary of a field, from where its numbers come."""
    graph = data.graph
    node = graph.nodes[graph.real(field.node, False)]
    while True:
        match transforms.of(node.op).stands_for or node.op:
            case "classes":
                return tuple(graph.fitted[node.id]["names"]), None
            case "buckets":
                return None, node.args["buckets"]
            case "words" | "tokens":
                return None, vocabulary_size(node, graph.fitted[node.id])
            case "source":
                column = data.table.columns.get(node.args["field"])
                if isinstance(column, Numbers):
                    return column.classes, None
                return None, _largest(column) if isinstance(column, Stream) else None
            case _ if transforms.of(node.op).keeps_words:
                node = graph.nodes[graph.real(node.inputs[0], False)]
            case _:
                return None, None


def class_names(data: Data) -> dict[str, tuple[str, ...]]:
    """The names of the classes of fields, where they are known."""
    found = {field.name: _names(data, field)[0] for field in data.section.fields}
    return {name: classes for name, classes in found.items() if classes}


def texts(data: Data) -> dict[str, tuple[str, ...]]:
    """What the numbers of a field stand for, where it is known: characters, lines or words."""
    found = {
        field.name: vocabulary.of_field(data.section, field.name, data.graph.fitted) for field in data.section.fields
    }
    return {name: known.names for name, known in found.items() if known is not None and known.names}


def _largest(stream: Stream) -> int | None:
    """One more than the largest token; None for numbers that are none."""
    if stream.names is not None:
        return len(stream.names) + 1  # and one for what the train part has not
    if stream.array.dtype.kind == "f" or len(stream) > SCAN_AT_MOST:
        return None
    return int(stream.array.max()) + 1
