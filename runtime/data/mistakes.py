"""What is wrong with data: each names the file and line (or record and field) and how to fix it.

The span is the place in the spec that asks for the data; the data's own place is in the message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...compiler.messages.diagnostics import Diagnostic, Failed, Helps
from ...compiler.messages.names import nearest
from ...compiler.messages.source import Span


def _fail(
    code: str,
    message: str,
    span: Span,
    label: str = "",
    *,
    helps: Helps,
    notes: tuple[str, ...] = (),
) -> Failed:
    return Failed(Diagnostic(code, message, span, label, (), notes, helps))


def first_line(error: BaseException) -> str:
    """The message of an exception in one line; its kind if it has none. What Python calls recursion are brackets in brackets."""
    if isinstance(error, RecursionError):
        return "its brackets are nested too deep"
    return next(iter(str(error).splitlines()), type(error).__name__)


# ---- files -----------------------------------------------------------------------------------------------------------


def missing(span: Span, path: Path, near: str | None = None, what: str = "file") -> Failed:
    help = f"did you mean `{near}`?" if near else "paths are relative to the spec; `--data-root DIR` sets another"
    return _fail("E0412", f"there is no {what} `{path}`", span, "not found", helps=(help,))


def a_directory(span: Span, path: Path) -> Failed:
    return _fail("E0412", f"`{path}` is a directory, not a file", span, helps=("name a file in it",))


def unreadable(span: Span, path: Path, why: str) -> Failed:
    return _fail(
        "E0412", f"`{path}` cannot be read: {why}", span, helps=("allow this user to read it, or name another file",)
    )


def not_utf8(span: Span, path: Path, line: int, byte: int) -> Failed:
    return _fail(
        "E0412", f"{path}:{line}: not UTF-8", span, notes=(f"byte 0x{byte:02x}",), helps=("save the file as UTF-8",)
    )


def not_in_encoding(span: Span, path: Path, line: int, encoding: str) -> Failed:
    return _fail(
        "E0412", f'{path}:{line}: not text in the encoding "{encoding}"', span, helps=("give the encoding of the file",)
    )


def empty(span: Span, path: Path, what: str = "records") -> Failed:
    return _fail("E0412", f"`{path}` has no {what}", span, helps=(f"add {what}, or name another",))


def extra_missing(span: Span, what: str, extra: str, package: str) -> Failed:
    return _fail(
        "E0412",
        f"{what} needs `{package}`, which is not installed",
        span,
        "an optional dependency",
        helps=(f'pip install "dlc[{extra}]"',),
    )


def not_of_format(span: Span, path: Path, form: str, why: str) -> Failed:
    help = "get the file again from where it came, or name another"
    if "pickle" in why.lower():  # numpy advises to trust the file; what it cannot say as numbers may be a program
        objects = "Object arrays" in why
        why = "it contains Python objects" if objects else "it has another format"
        help = "save it again with arrays of numbers and text only" if objects else help
    return _fail("E0412", f"`{path}` is not {form}: {why}", span, helps=(help,))


def one_array(span: Span, path: Path) -> Failed:
    return _fail(
        "E0412",
        f"`{path}` holds a single array, not arrays by name",
        span,
        helps=("save it with the name of its field: `numpy.savez(file, x=x)`",),
    )


def half_a_token(span: Span, path: Path, size: int, dtype: str, width: int) -> Failed:
    return _fail(
        "E0412",
        f"`{path}` is not a file of `{dtype}` tokens: {size} bytes are not a multiple of {width}",
        span,
        helps=("give the source the `dtype` that the file was written with, or write the file again",),
    )


def hub_unreadable(span: Span, name: str, why: str) -> Failed:
    return _fail(
        "E0412",
        f'the data set "{name}" cannot be read: {why}',
        span,
        helps=("without a network, give a directory with its files instead",),
    )


def several_files(span: Span, folder: Path, ending: str, names: Sequence[str]) -> Failed:
    one, other = (name.removesuffix(ending) for name in names[:2])
    helps = f'name one: `idx("{folder}/{other}")`', f'or one a split: `files(train = "{other}", test = "{one}")`'
    return _fail("E0412", f"`{folder}` has `{names[0]}` and `{names[1]}`", span, "which of them?", helps=helps)


def files_differ(span: Span, first: Path, second: Path, why: str, help: str) -> Failed:
    return _fail("E0412", f"`{first}` and `{second}` do not correspond: {why}", span, helps=(help,))


# ---- tables ----------------------------------------------------------------------------------------------------------


def csv_columns(span: Span, path: Path, line: int, found: int, expected: int) -> Failed:
    return _fail(
        "E0412",
        f"{path}:{line}: {found} cells, but the header has {expected}",
        span,
        helps=("put text with commas or line ends in double quotes",),
    )


def too_many_columns(span: Span, path: Path, count: int, most: int) -> Failed:
    return _fail(
        "E0412",
        f"`{path}` has {count:,} columns; a table has at most {most:,}",
        span,
        helps=(
            'save the numbers of all columns as one array, `numpy.savez("table.npz", x=x, label=label)`, and read `npz("table.npz")`',
        ),
    )


def csv_duplicate(span: Span, path: Path, name: str) -> Failed:
    return _fail("E0412", f"{path}:1: two columns are called `{name}`", span, helps=("rename one of them",))


def bad_line(span: Span, path: Path, line: int, why: str) -> Failed:
    return _fail("E0412", f"{path}:{line}: {why}", span, helps=("fix the line, or the ones before it",))


def not_a_number(span: Span, place: str, column: str, cell: str, text_column: bool) -> Failed:
    shown = cell if len(cell) <= 40 else cell[:37] + "..."
    if form := _date_format(cell.strip()):
        help = f'read dates by their format: `-> date("{form}")`'
    elif text_column:
        help = "to number names, use `-> category`"
    else:
        help = "fix the cell, or leave it empty and add `-> impute(..)`"
    return _fail("E0201", f'{place}, column `{column}`: "{shown}" is not a number', span, helps=(help,))


def _date_format(cell: str) -> str | None:
    """The format of what looks like a date; of two that are possible the one with the day first."""
    if found := re.match(r"\d{4}([-/.])\d\d?\1\d\d?$", cell):
        return f"%Y{found[1]}%m{found[1]}%d"
    if found := re.match(r"(\d\d?)([-/.])(\d\d?)\2\d{4}$", cell):
        day, month = ("%m", "%d") if int(found[3]) > 12 else ("%d", "%m")
        return f"{day}{found[2]}{month}{found[2]}%Y"
    return "%Y-%m-%dT%H:%M:%S" if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$", cell) else None


def not_a_date(span: Span, place: str, columns: Sequence[str], cell: str, form: str | None) -> Failed:
    shown = cell if len(cell) <= 40 else cell[:37] + "..."
    wanted = f'of the format "{form}"' if form else "as in ISO 8601, such as 2024-05-31"
    found = _date_format(cell.strip())
    return _fail(
        "E0201",
        f'{place}, column {_shown(columns)}: "{shown}" is not a date {wanted}',
        span,
        helps=(f'give the format of the column: `date("{found or "%d.%m.%Y"}")`', "or fix the cell, or leave it empty"),
    )


def empty_cell(span: Span, place: str, column: str, cell: str) -> Failed:
    return _fail(
        "E0201",
        f"{place}, column `{column}`: " + (f'"{cell}" stands for a missing number' if cell else "the cell is empty"),
        span,
        helps=(
            'fill it in, or add `-> impute("mean")` (or `"median"`, or a value)',
            *_left_out(column, f'!= "{cell}"'),
        ),
    )


def _left_out(column: str, condition: str) -> tuple[str, ...]:
    """The condition that keeps the other records, where the name of the column can be written in a spec."""
    return (f"leave such records out: `where = source.{column} {condition}`",) if column.isidentifier() else ()


def missing_name(span: Span, place: str, column: str, cell: str) -> Failed:
    what = f'"{cell}" stands for a missing value' if cell else "the cell is empty"
    made = 'make them a class: `-> impute("unknown") -> category`'
    if cell:
        made += f', or give `missing = [""]` in the source if "{cell}" is a name'
    helps = (*_left_out(column, '!= ""'), made)
    return _fail("E0205", f"{place}, column `{column}`: {what}, so its class is missing", span, helps=helps)


def blanks_differ(span: Span, place: str, columns: Sequence[str], name: str) -> Failed:
    return _fail(
        "E0205",
        f'{place}, column {_shown(columns)}: the names "{name}" and "{name.strip()}" differ only in blanks',
        span,
        helps=("remove them: `-> strip -> category`",),
    )


def missing_class(span: Span, place: str, field: str, value: float, count: int) -> Failed:
    return _fail(
        "E0205",
        f"{place}: {value:g} in field `{field}` is not a class",
        span,
        notes=(f"there are {count} classes, numbered from 0",),
        helps=(next(iter(_left_out(field, ">= 0")), "remove the record"),),
    )


def missing_value(span: Span, place: str, column: str) -> Failed:
    return _fail("E0201", f"{place}, `{column}` is missing", span, helps=("fill it in, or remove the record",))


def out_of_range(span: Span, field: str, place: str, value: str, dtype: str) -> Failed:
    return _fail(
        "E0204",
        f"{place}: {value} in field `{field}` does not fit `{dtype}`",
        span,
        helps=("declare a wider dtype, or fix the value",),
    )


def columns_missing(
    span: Span, source: str, lacking: Sequence[str], wanted: Sequence[str], known: Sequence[str]
) -> Failed:
    one = f"column {_shown(lacking)} is" if len(lacking) == 1 else f"columns {_shown(lacking)} are"
    return _fail(
        "E0301",
        f"{one} missing in {source}",
        span,
        "read by name",
        notes=(f"it has {_shown(known)}", f"the model was trained on {_shown(wanted)}"),
        helps=("add what is missing; the order of the columns does not matter, and others are ignored",),
    )


def no_columns(span: Span, source: str, left_out: Sequence[str]) -> Failed:
    return _fail(
        "E0205",
        f"no columns of {source} are left",
        span,
        "reads none",
        notes=(f"it has no others than {_shown(left_out)}",) if left_out else (),
        helps=("name fewer in `all_except(..)`, or read a column by its name: `source.name`",),
    )


def _shown(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:20]) + (", ..." if len(names) > 20 else "")


def not_whole(span: Span, field: str, place: str, value: float) -> Failed:
    return _fail(
        "E0204",
        f"{place}: {value:g} in field `{field}` is not a whole number",
        span,
        helps=("declare the field `f32`, or fix the value",),
    )


def not_below(span: Span, place: str, number: int, n: int) -> Failed:
    return _fail(
        "E0205",
        f"{place}: {number} is not a number from 0 to {n - 1}",
        span,
        helps=(f"fix the value, or write `one_hot({number + 1})`" if number >= n else "fix the value",),
    )


def unknown_category(
    span: Span, place: str, columns: Sequence[str], name: str, known: Sequence[str], fitted: bool
) -> Failed:
    if name.strip() in known:
        return blanks_differ(span, place, columns, name)
    near = nearest(name, known)
    listed = (
        f'name them all, with "{name}": `category("{known[0] if known else "a"}", ..)`, or `category(unknown = true)`'
    )
    first = listed if fitted else f'add "{name}" to the names of `category`'
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return _fail(
        "E0205",
        f'{place}, column {_shown(columns)}: "{name}" is not one of the categories',
        span,
        notes=(f"{'the train split has' if fitted else 'the names are'} {shown}",),
        helps=(f'did you mean "{near}"? fix the cell', f"or {first}") if near else (first, "or leave the record out"),
    )


def unknown_label(span: Span, place: str, name: str, known: Sequence[str], fitted: bool) -> Failed:
    near = nearest(name, known)
    return _fail(
        "E0205",
        f'{place}: "{name}" is not one of the labels of `multi_hot`',
        span,
        notes=(
            f"{'the train split has' if fitted else 'the labels are'} {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}",
        ),
        helps=(
            f'did you mean "{near}"? fix the cell'
            if near
            else "name all labels in `multi_hot`, or leave the record out",
        ),
    )


def unknown_field(span: Span, source: str, name: str, known: Sequence[str]) -> Failed:
    near = nearest(name, known)
    return _fail(
        "E0301",
        f"{source} has no field `{name}`",
        span,
        "not a field",
        notes=(f"it has {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}",),
        helps=(f"did you mean `{near}`?" if near else "use one of these",),
    )


def lengths_differ(span: Span, path: Path, one: str, first: int, other: str, second: int) -> Failed:
    return _fail(
        "E0202",
        f"`{path}`: `{one}` has {first} records, but `{other}` has {second}",
        span,
        helps=("give every array one row per record",),
    )


def array_kind(span: Span, path: Path, name: str, kind: str) -> Failed:
    return _fail(
        "E0204",
        f"`{path}`: array `{name}` contains {kind}, not numbers",
        span,
        helps=("store it as numbers or as text",),
    )


def not_numbers(span: Span, source: str, name: str) -> Failed:
    return _fail(
        "E0204", f"field `{name}` of {source} is not one number per record", span, helps=("use a column of numbers",)
    )


# ---- texts -----------------------------------------------------------------------------------------------------------


def tokenizer_unusable(span: Span, transform: str, why: str) -> Failed:
    return _fail(
        "E0412",
        f"the tokenizer of `{transform}` cannot be used: {why}",
        span,
        helps=("get the file again from where it came",),
    )


def not_messages(span: Span, place: str, columns: Sequence[str]) -> Failed:
    return _fail(
        "E0201",
        f"{place}, column {_shown(columns)}: not the messages of a chat",
        span,
        helps=('write a list of turns: `[{"role": "user", "content": ".."}, {"role": "assistant", "content": ".."}]`',),
    )


# ---- records ---------------------------------------------------------------------------------------------------------


def field_shape(span: Span, field: str, place: str, found: str, declared: str) -> Failed:
    return _fail(
        "E0201",
        f"{place}: field `{field}` has shape {found}, but is declared {declared}",
        span,
        f"declared {declared}",
        helps=(_reshape(found, declared),),
    )


def _reshape(found: str, declared: str) -> str:
    image = found.count(",") == declared.count(",") == 2
    cut = "make all images one size: `-> resize(n) -> center_crop(n)`, or" if image else "fix the record, or"
    return f"{cut} declare what the data has, `{found}`"


def too_long(span: Span, field: str, place: str, length: int, name: str, limit: int) -> Failed:
    return _fail(
        "E0201",
        f"{place}: field `{field}` has {name} = {length}, but is declared {name} <= {limit}",
        span,
        helps=(f"shorten longer records with `truncate({limit})`, or drop them with `where = {name} <= {limit}`",),
    )


def lengths_of_record(span: Span, place: str, name: str, one: str, first: int, other: str, second: int) -> Failed:
    return _fail(
        "E0201",
        f"{place}: {name} is {first} in field `{one}` and {second} in field `{other}`",
        span,
        helps=(f"both fields declare the length {name}; use another letter to make them independent",),
    )


def nothing_to_learn(span: Span, transform: str, columns: Sequence[str], *, of_texts: bool = False) -> Failed:
    where = _shown(columns) if columns else "the field"
    what, fill = ("a text", 'impute("unknown")') if of_texts else ("a number", "impute(0)")
    return _fail(
        "E0201",
        f"`{transform}` has nothing to learn from: no record of the train split has {what} in a column of {where}",
        span,
        helps=(f"leave the column out, or fill in a value: `-> {fill}`",),
    )


def not_finite(span: Span, field: str, place: str) -> Failed:
    return _fail(
        "E0201",
        f"{place}: field `{field}` is not a finite number",
        span,
        helps=('fill missing numbers with `-> impute("mean")`',),
    )


def infinite(span: Span, place: str, column: str, cell: str) -> Failed:
    return _fail(
        "E0201",
        f'{place}, column `{column}`: "{cell}" is not a finite number',
        span,
        helps=("fix the cell, or leave it empty and add `-> impute(..)`",),
    )


def no_image_file(span: Span, place: str, column: str, path: Path) -> Failed:
    return _fail(
        "E0412",
        f"{place}, column `{column}`: there is no file `{path}`",
        span,
        "not found",
        helps=("file names are relative to the folder of the table; correct the name, or remove the record",),
    )


def not_an_image(span: Span, path: object, why: str) -> Failed:
    return _fail(
        "E0412",
        f"`{path}` is not an image: {why}",
        span,
        helps=("remove the file, or convert it to JPEG or PNG",),
    )


# ---- splits ----------------------------------------------------------------------------------------------------------


def split_empty(span: Span, split: str, records: int) -> Failed:
    return _fail(
        "E0411", f"the {split} split gets none of the {records} records", span, helps=("give it a larger fraction",)
    )


def all_dropped(span: Span, lacking: Mapping[str, int], count: int) -> Failed:
    shown = ", ".join(f"`{name}` {number:,}" for name, number in lacking.items())
    return _fail(
        "E0411",
        f"`drop` leaves none of the {count:,} records: each has a missing cell",
        span,
        notes=(f"missing by column: {shown}",),
        helps=("name the columns that must be there, `drop = [source.price]`, and fill in others: `-> impute(..)`",),
    )


def split_missing(span: Span, split: str, known: Sequence[str]) -> Failed:
    listed = " or ".join(f"`{name}`" for name in known)
    return _fail(
        "E0411",
        f"this data has no {split} split",
        span,
        helps=(f"use {listed}", f"or give it a share: `split = random(.., {split} = 0.1)`"),
    )


def class_too_small(span: Span, name: str, count: int) -> Failed:
    return _fail(
        "E0411",
        f"class `{name}` has {count} record(s), too few for every split",
        span,
        helps=("remove `stratify`, or add records",),
    )


def stream_too_short(span: Span, split: str, length: int, window: int) -> Failed:
    return _fail(
        "E0411",
        f"the {split} part of the stream has {length} tokens, but a window takes {window}",
        span,
        helps=("use a shorter window or a larger fraction",),
    )


def bad_weight(span: Span, field: str, place: str, value: float) -> Failed:
    return _fail(
        "E0411",
        f"{place}: `{field}` is {value:g}, and a record cannot be drawn so often",
        span,
        "weights of records",
        helps=("weights are numbers of at least 0",),
    )


def no_weight(span: Span, field: str) -> Failed:
    return _fail(
        "E0411",
        f"`{field}` gives no record of the train split a weight above 0",
        span,
        "nothing to draw",
        helps=("name another field, or remove `sampling`",),
    )


def nothing_left(span: Span, split: str) -> Failed:
    return _fail(
        "E0411",
        f"`where` keeps no record of the {split} split",
        span,
        helps=("relax the condition: no record meets it",),
    )


def streams_differ(span: Span) -> Failed:
    return _fail(
        "E0304",
        "the windows of this section are cut from streams of different lengths",
        span,
        helps=("cut all windows from one stream, or put the other fields into a `data` section of their own",),
    )


def not_a_text(span: Span, transform: str, source: str) -> Failed:
    return _fail(
        "E0304",
        f"`{transform}` needs the characters of a text, and {source} gives numbers",
        span,
        helps=('read the text itself: `source = text("input.txt")`',),
    )


def not_tokens_of_text(span: Span, metric: str) -> Failed:
    return _fail(
        "E0304",
        f"the targets of `{metric}` are not tokens of a text",
        span,
        "their text has no bytes that could be counted",
        helps=("give it a field of characters (`text`), `bpe` or `tokenizer` as it comes from the data",),
        notes=("words of `vocab` and `wordpiece` do not give their text back",),
    )


def no_windows(span: Span) -> Failed:
    return _fail("E0304", "a stream is not a record", span, helps=("cut it: `source.tokens -> random_window(128)`",))
