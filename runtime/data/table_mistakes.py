"""What is wrong with cells, columns and arrays: each names the file and line and how to fix it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.names import nearest
from ...compiler.messages.source import Span
from .mistakes import fail, names_shown


def csv_columns(span: Span, path: Path, line: int, found: int, expected: int) -> Failed:
    return fail(
        "E0412",
        f"{path}:{line}: {found} cells, but the header has {expected}",
        span,
        helps=("put text with commas or line ends in double quotes",),
    )


def too_many_columns(span: Span, path: Path, count: int, most: int) -> Failed:
    return fail(
        "E0412",
        f"`{path}` has {count:,} columns; a table has at most {most:,}",
        span,
        helps=(
            'save the numbers of all columns as one array, `numpy.savez("table.npz", x=x, label=label)`, and read `npz("table.npz")`',
        ),
    )


def csv_duplicate(span: Span, path: Path, name: str) -> Failed:
    return fail("E0412", f"{path}:1: two columns are called `{name}`", span, helps=("rename one of them",))


def bad_line(span: Span, path: Path, line: int, why: str) -> Failed:
    return fail("E0412", f"{path}:{line}: {why}", span, helps=("fix the line, or the ones before it",))


def not_a_number(span: Span, place: str, column: str, cell: str, text_column: bool) -> Failed:
    shown = cell if len(cell) <= 40 else cell[:37] + "..."
    if form := _date_format(cell.strip()):
        help = f'read dates by their format: `-> date("{form}")`'
    elif text_column:
        help = "to number names, use `-> category`"
    else:
        help = "fix the cell, or leave it empty and add `-> impute(..)`"
    return fail("E0201", f'{place}, column `{column}`: "{shown}" is not a number', span, helps=(help,))


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
    return fail(
        "E0201",
        f'{place}, column {names_shown(columns)}: "{shown}" is not a date {wanted}',
        span,
        helps=(f'give the format of the column: `date("{found or "%d.%m.%Y"}")`', "or fix the cell, or leave it empty"),
    )


def empty_cell(span: Span, place: str, column: str, cell: str) -> Failed:
    return fail(
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
    return fail("E0205", f"{place}, column `{column}`: {what}, so its class is missing", span, helps=helps)


def blanks_differ(span: Span, place: str, columns: Sequence[str], name: str) -> Failed:
    return fail(
        "E0205",
        f'{place}, column {names_shown(columns)}: the names "{name}" and "{name.strip()}" differ only in blanks',
        span,
        helps=("remove them: `-> strip -> category`",),
    )


def missing_class(span: Span, place: str, field: str, value: float, count: int) -> Failed:
    return fail(
        "E0205",
        f"{place}: {value:g} in field `{field}` is not a class",
        span,
        notes=(f"there are {count} classes, numbered from 0",),
        helps=(next(iter(_left_out(field, ">= 0")), "remove the record"),),
    )


def missing_value(span: Span, place: str, column: str) -> Failed:
    return fail("E0201", f"{place}, `{column}` is missing", span, helps=("fill it in, or remove the record",))


def out_of_range(span: Span, field: str, place: str, value: str, dtype: str) -> Failed:
    return fail(
        "E0204",
        f"{place}: {value} in field `{field}` does not fit `{dtype}`",
        span,
        helps=("declare a wider dtype, or fix the value",),
    )


def columns_missing(
    span: Span, source: str, lacking: Sequence[str], wanted: Sequence[str], known: Sequence[str]
) -> Failed:
    one = f"column {names_shown(lacking)} is" if len(lacking) == 1 else f"columns {names_shown(lacking)} are"
    return fail(
        "E0301",
        f"{one} missing in {source}",
        span,
        "read by name",
        notes=(f"it has {names_shown(known)}", f"the model was trained on {names_shown(wanted)}"),
        helps=("add what is missing; the order of the columns does not matter, and others are ignored",),
    )


def no_columns(span: Span, source: str, left_out: Sequence[str]) -> Failed:
    return fail(
        "E0205",
        f"no columns of {source} are left",
        span,
        "reads none",
        notes=(f"it has no others than {names_shown(left_out)}",) if left_out else (),
        helps=("name fewer in `all_except(..)`, or read a column by its name: `source.name`",),
    )


def not_whole(span: Span, field: str, place: str, value: float) -> Failed:
    return fail(
        "E0204",
        f"{place}: {value:g} in field `{field}` is not a whole number",
        span,
        helps=("declare the field `f32`, or fix the value",),
    )


def not_below(span: Span, place: str, number: int, n: int) -> Failed:
    return fail(
        "E0205",
        f"{place}: {number} is not a number from 0 to {n - 1}",
        span,
        helps=(f"fix the value, or write `one_hot({number + 1})`" if number >= n else "fix the value",),
    )


def not_suited(span: Span, place: str, op: str, wanted: str, columns: Sequence[str], found: str) -> Failed:
    return fail(
        "E0204",
        f"{place}: `{op}` takes {wanted}, and {names_shown(columns)} has {found}",
        span,
        f"not {wanted}",
        helps=('remove it, or read the images that a column names: `image_table("rows.csv", file = "..")`',),
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
    return fail(
        "E0205",
        f'{place}, column {names_shown(columns)}: "{name}" is not one of the categories',
        span,
        notes=(f"{'the train split has' if fitted else 'the names are'} {shown}",),
        helps=(f'did you mean "{near}"? fix the cell', f"or {first}") if near else (first, "or leave the record out"),
    )


def unknown_label(span: Span, place: str, name: str, known: Sequence[str], fitted: bool) -> Failed:
    near = nearest(name, known)
    return fail(
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
    return fail(
        "E0301",
        f"{source} has no field `{name}`",
        span,
        "not a field",
        notes=(f"it has {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}",),
        helps=(f"did you mean `{near}`?" if near else "use one of these",),
    )


def kinds_differ(span: Span, column: str, one: str, first: str, other: str, second: str) -> Failed:
    return fail(
        "E0412",
        f"column `{column}` has {first} at {one}, but {second} at {other}",
        span,
        helps=("write the column alike in the files of all splits",),
    )


def lengths_differ(span: Span, path: Path, one: str, first: int, other: str, second: int) -> Failed:
    return fail(
        "E0202",
        f"`{path}`: `{one}` has {first} records, but `{other}` has {second}",
        span,
        helps=("give every array one row per record",),
    )


def array_kind(span: Span, path: Path, name: str, kind: str) -> Failed:
    return fail(
        "E0204",
        f"`{path}`: array `{name}` contains {kind}, not numbers",
        span,
        helps=("store it as numbers or as text",),
    )


def not_numbers(span: Span, source: str, name: str) -> Failed:
    return fail(
        "E0204", f"field `{name}` of {source} is not one number per record", span, helps=("use a column of numbers",)
    )


def not_finite(span: Span, field: str, place: str) -> Failed:
    return fail(
        "E0201",
        f"{place}: field `{field}` is not a finite number",
        span,
        helps=('fill missing numbers with `-> impute("mean")`',),
    )


def infinite(span: Span, place: str, column: str, cell: str) -> Failed:
    return fail(
        "E0201",
        f'{place}, column `{column}`: "{cell}" is not a finite number',
        span,
        helps=("fix the cell, or leave it empty and add `-> impute(..)`",),
    )
