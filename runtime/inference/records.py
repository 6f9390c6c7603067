"""Raw records to predict: files, folders and arrays by source field, as tables. Works without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...compiler.catalogue import SOURCES, transforms
from ...compiler.ir.arguments import EntryUse
from ...compiler.ir.data import DataNode
from ...compiler.messages.source import Span
from ...compiler.text.read import is_pipe
from ..data import sources, streams
from ..data.arrays.batches import InputPipeline
from ..data.cells import CellRule, rule_of
from ..data.sources import pieces, texts
from ..data.sources.images import IMAGE_SUFFIXES, images_below
from ..data.sources.split_files import read_text
from ..data.table import Cells, Images, Table, encode
from ..data.token_streams import tokenized
from ..failure import BadInput, no_file
from . import bare

#: Endings of files with one record a line, and what reads them.
LINES = {".txt": "text_lines"}


def tables(pipeline: InputPipeline, given: Any) -> Iterator[Table]:
    """The records, a table at a time: that of a file, or of a part of one that is large. Raises BadInput for what cannot be
    read as records of this section, and Failed for what is wrong within a file."""
    if isinstance(given, Mapping):
        yield of_arrays(given, rule_of(pipeline.section.source.args))
        return
    files = [Path(item) for item in ([given] if isinstance(given, (str, Path)) else given)]
    if not files:
        raise BadInput("nothing to predict", helps=("give files, or arrays by source field",))
    for file in files:
        if not file.exists():
            raise no_file(file)
    whole = SOURCES[pipeline.section.source.name].whole_files
    images: list[Path] = []
    for file in files:  # images next to each other are one table
        if whole and (file.is_dir() or file.suffix.lower() in texts.TEXT_SUFFIXES):
            yield _of_texts(pipeline, texts.texts_below(file) if file.is_dir() else [file], file)
        elif file.is_dir():
            images += _below(file)
        elif file.suffix.lower() in IMAGE_SUFFIXES:
            images.append(file)
        else:
            if images:
                yield _of_images(pipeline, images)
                images = []
            yield from _of_file(pipeline, file)
    if images:
        yield _of_images(pipeline, images)


def of_arrays(given: Mapping[str, Any], rule: CellRule) -> Table:
    """Arrays by source field, their first axis the records; texts as lists of strings."""
    columns = bare.columns_of(given, rule)
    count = len(next(iter(columns.values())))
    return Table(columns, count, lambda i: f"record {i}", "the given arrays", order=tuple(columns))


# ---- images ------------------------------------------------------------------------------------------------------------------


def _below(folder: Path) -> list[Path]:
    found = images_below(folder)
    if not found:
        raise BadInput(
            f"there are no images in the directory `{folder}`",
            helps=("name a directory of images, or the files to predict",),
        )
    return found


def _of_images(pipeline: InputPipeline, files: Sequence[Path]) -> Table:
    name = _image_field(pipeline)
    return Table({name: Images(files)}, len(files), lambda i: str(files[i]), "the given images", order=(name,))


def _image_field(pipeline: InputPipeline) -> str:
    """The first field of the source that holds images and is read."""
    read = {name for each in pipeline.fields for name in pipeline.columns(each)}
    source, args = SOURCES[pipeline.section.source.name], pipeline.section.source.args
    fields = source.fields(args) or (
        {name: source.any_field(name, args) for name in sorted(read)} if source.images else {}
    )
    found = [name for name, type in fields.items() if type.dtype == "u8"]
    if fields and not found:
        raise BadInput(
            "the model does not read images",
            notes=(f"it reads {', '.join(f'`{name}`' for name in read)}",),
            helps=("give a table with these columns, such as a .csv file",),
        )
    return next((name for name in found if name in read), "image" if not found else found[0])


# ---- texts that are a file each ---------------------------------------------------------------------------------------------


def _of_texts(pipeline: InputPipeline, files: Sequence[Path], given: Path) -> Table:
    if not files:
        raise BadInput(f"there are no text files in the directory `{given}`", helps=("name the files to predict",))
    span = pipeline.section.source.span
    column = Cells([read_text(file, span) for file in files])
    return Table({"text": column}, len(files), lambda i: str(files[i]), f"`{given}`", order=("text",))


# ---- tables and texts -------------------------------------------------------------------------------------------------------


def _of_file(pipeline: InputPipeline, file: Path) -> Iterator[Table]:
    suffix, source = file.suffix.lower(), pipeline.section.source
    span, rule = source.span, rule_of(source.args)
    read: pieces.Read = lambda kind, path, recoded: _read(kind, path, source, recoded)
    how = pieces.FileReading(span, rule, source.args.get("encoding"), source.args.get("quote") or '"')
    whole = any(transforms.of(node.op).windows for node in pipeline.section.nodes)  # a window may lie across two pieces
    if is_pipe(file):
        yield _read("csv", file, source)
        return
    kinds = [name for name, source in SOURCES.items() if suffix in source.suffixes]
    kind = source.name if source.name in kinds else next(iter(kinds), None)
    if suffix in bare.SUFFIXES:
        columns = bare.read(pipeline, file)
        count = len(next(iter(columns.values())))
        yield Table(columns, count, lambda i: f"{file} record {i}", f"`{file}`", order=tuple(columns))
    elif kind is not None:
        yield from [_read(kind, file, source)] if whole else pieces.of(kind, file, read, how)
    elif suffix in LINES and SOURCES[pipeline.section.source.name].lines:
        yield from pieces.of(source.name, file, read, how)
    elif suffix in LINES:
        yield _text(pipeline, file, span)
    else:
        ends = dict.fromkeys([*(end for each in SOURCES.values() for end in each.suffixes), *bare.SUFFIXES, *LINES])
        raise BadInput(
            f"`{file}`: files ending in `{suffix}` are not supported",
            helps=(f"use one of {', '.join(f'`{end}`' for end in ends)}, images and directories of images",),
        )


def _read(kind: str, file: Path, source: EntryUse, recoded: bool = False) -> Table:
    """A file, read as the source of the data section is: with its marks of missing cells, its separator where both are CSV.
    `recoded`: it is UTF-8 now, whatever the source gives."""
    given = source.args if kind == source.name else {"missing": source.args.get("missing")}
    given = {**given, "encoding": "utf-8"} if recoded else given
    columns, count, place, _ = sources.reader(kind)({**given, "path": str(file)}, Path, source.span)
    return Table(columns, count, place, f"`{file}`", order=tuple(columns))


def _text(pipeline: InputPipeline, file: Path, span: Span) -> Table:
    """A text as one stream of characters (or lines), numbered as in training; where the model reads records of text, a line
    each."""
    stream = _numbered(pipeline)
    if stream is None:
        field = _text_field(pipeline, file)
        lines = texts.text_lines({"path": str(file)}, Path, span)
        return Table({field: lines[0]["text"]}, lines[1], lines[2], f"`{file}`", order=(field,))
    content = read_text(file, span)
    if not content:
        raise BadInput(f"`{file}` is empty", helps=("write the text into it, or name another file",))
    unit = pipeline.section.source.args.get("unit", "char")
    tokens = encode(content if unit == "char" else texts.lines_of(content))
    if not tokenized(pipeline.section, stream):
        tokens = streams.renumbered(tokens, pipeline.fitted[stream.id]["names"])
    name = stream.args["field"]
    return Table({name: tokens}, len(tokens), lambda i: f"{file} window {i}", f"`{file}`", order=(name,))


def _numbered(pipeline: InputPipeline) -> DataNode | None:
    """The source of a stream whose numbers stand for characters or lines."""
    section = pipeline.section
    for node in section.nodes:
        if node.op == "source" and ("names" in pipeline.fitted.get(node.id, {}) or tokenized(section, node)):
            return node
    return None


def _text_field(pipeline: InputPipeline, file: Path) -> str:
    """The only column that the model reads, if that is a text."""
    read = {name for each in pipeline.fields for name in pipeline.columns(each)}
    nodes = [pipeline.section.node(identifier) for identifier in pipeline.nodes()]
    if len(read) != 1 or not any(node.type.kind in ("text", "words") for node in nodes):
        raise BadInput(
            f"the model of this run does not read text files: `{file}`",
            notes=(f"it reads {', '.join(f'`{name}`' for name in read)}",),
            helps=("give a table with these columns, such as a .csv file",),
        )
    return next(iter(read))
