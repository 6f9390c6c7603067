"""Tables: a field a column, key or array."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ....compiler.messages.diagnostics import Failed
from ....compiler.messages.source import Span
from .. import array_files, mistakes, table_mistakes
from ..cells import CellRule, rule_of
from ..table import Cells, Column, Numbers
from . import arrow_columns, csv_files
from .split_files import Part, Resolve, lines_of, read_bytes, read_text, within_limit

FIRST_ROWS = 10_000  # by which a column of repeated texts is known
REPEATED = 4  # times on average


def csv(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    return csv_files.read(resolve(args["path"]), span, args)


def jsonl(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    path = resolve(args["path"])
    records: list[dict[str, Any]] = []
    lines: list[int] = []
    names: dict[str, None] = {}
    for line, text in enumerate(lines_of(read_text(path, span)), 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise table_mistakes.bad_line(span, path, line, f"not JSON: {error.msg} at column {error.colno}") from None
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets in brackets
            raise table_mistakes.bad_line(span, path, line, f"not JSON: {mistakes.first_line(error)}") from None
        if not isinstance(value, dict):
            raise table_mistakes.bad_line(span, path, line, "every line must be a JSON object")
        names |= dict.fromkeys(value)
        within_limit(span, path, len(names))
        records.append(value)
        lines.append(line)
    if not records:
        raise mistakes.empty(span, path)
    place: Callable[[int], str] = lambda record: f"{path}:{lines[record]}"
    rule = rule_of(args)
    return {name: objects([r.get(name) for r in records], rule) for name in names}, len(records), place, [path]


def objects(values: list[Any], rule: CellRule) -> Column:
    """A column of JSON values: lists of numbers become arrays, everything else cells."""
    if any(isinstance(value, list) for value in values) and all(isinstance(value, list | None) for value in values):
        return arrow_columns.lists(values)
    texts = ["" if value is None else value if isinstance(value, str) else json.dumps(value) for value in values]
    return Cells(texts, rule)


def parquet(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    import pyarrow
    from pyarrow import parquet

    path = resolve(args["path"])
    if not path.is_file():
        read_bytes(path, span)

    def read() -> Any:
        """Numbers of all row groups as one array each; `parquet.read_table` gives many, which would have to be joined."""
        with pyarrow.OSFile(str(path)) as file:
            first = parquet.ParquetFile(file)
            within_limit(span, path, len(first.schema_arrow))
            few = _repeated_texts(first)
            return parquet.ParquetFile(file, metadata=first.metadata, read_dictionary=few).read()

    return _of_arrow(read, "a parquet file", path, span, rule_of(args))


def _repeated_texts(file: Any) -> list[str]:
    """Columns of texts of which the first rows hold few, many times. They are kept so, which is quicker and smaller.

    The sizes in the metadata of the columns would show it too, but reading those of a damaged file ends the process.
    """
    from pyarrow import types

    texts = [field.name for field in file.schema_arrow if types.is_string(field.type)]
    first = next(file.iter_batches(FIRST_ROWS, columns=texts), None) if texts else None
    if first is None:
        return []
    return [name for name in texts if REPEATED * len(first.column(name).unique()) < len(first)]


def feather(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    from pyarrow import feather

    path = resolve(args["path"])
    if not path.is_file():
        read_bytes(path, span)
    return _of_arrow(lambda: feather.read_table(path), "a feather file", path, span, rule_of(args))


def _of_arrow(read: Callable[[], Any], form: str, path: Path, span: Span, rule: CellRule) -> Part:
    try:
        table = read()
        within_limit(span, path, table.num_columns)
        table.validate(full=True)  # offsets of a damaged file point anywhere
        columns = {name: arrow_columns.column(name, table.column(name), rule=rule) for name in table.column_names}
    except Failed:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file raises anything, also when its values are decoded
        raise mistakes.not_of_format(span, path, form, mistakes.first_line(error)) from None
    if table.num_rows == 0:
        raise mistakes.empty(span, path)
    return columns, table.num_rows, lambda record: f"{path} record {record}", [path]


def hub(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    """One split of a data set, `train` unless `args` names another; a name that is a directory next to the spec is read
    from there."""
    try:
        import datasets
    except ImportError:
        raise mistakes.extra_missing(span, "the source `hub`", "hub", "datasets") from None
    name = args["name"]
    folder = resolve(name)
    try:
        found: Any = datasets.load_dataset(str(folder) if folder.is_dir() else name, split=args.get("split", "train"))
        found = found.with_format("arrow")
        features, arrays = found.features, found[:]
    except Exception as error:  # noqa: BLE001 - the library raises whatever its transports raise
        raise mistakes.hub_unreadable(span, name, mistakes.first_line(error)) from None
    if not len(found):
        raise mistakes.empty(span, Path(name))
    columns: dict[str, Column] = {}
    rule = rule_of(args)
    for column in arrays.column_names:
        names = getattr(features[column], "names", None)
        columns[column] = arrow_columns.column(column, arrays.column(column), tuple(names) if names else None, rule)
    return columns, len(found), lambda record: f"{name} record {record}", []


def npz(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    path = resolve(args["path"])
    if not path.is_file():
        read_bytes(path, span)
    columns: dict[str, Column] = {}
    try:
        arrays = array_files.read(path)
    except (array_files.NotArrays, OSError) as error:
        raise mistakes.not_of_format(span, path, "an npz archive", mistakes.first_line(error)) from None
    if not isinstance(arrays, dict):
        raise mistakes.one_array(span, path)
    rule = rule_of(args)
    for name, values in arrays.items():
        columns[name] = _array(values, path, name, span, rule)
    if not columns:
        raise mistakes.empty(span, path, "arrays")
    first, *others = columns
    for name in others:
        if len(columns[name]) != len(columns[first]):
            raise table_mistakes.lengths_differ(span, path, first, len(columns[first]), name, len(columns[name]))
    if not len(columns[first]):
        raise mistakes.empty(span, path)
    return columns, len(columns[first]), lambda record: f"{path} record {record}", [path]


def _array(values: NDArray[Any], path: Path, name: str, span: Span, rule: CellRule) -> Column:
    if values.ndim == 0:
        raise table_mistakes.array_kind(span, path, name, "a single value")
    if values.dtype.kind in "US":
        return Cells([str(value) for value in values.astype(str).tolist()], rule)
    if values.dtype.kind == "M":
        return arrow_columns.times(values, rule)
    if values.dtype.kind not in "biuf":
        raise table_mistakes.array_kind(span, path, name, f"`{values.dtype}`")
    return Numbers(arrow_columns.marked_array(values, rule))
