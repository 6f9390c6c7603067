"""What is wrong with data: each names the file and line (or record and field) and how to fix it.

The span is the place in the spec that asks for the data; the data's own place is in the message. Here are those of files, texts and
records; `table_mistakes`, `split_mistakes` and `series_mistakes` have those of cells and columns, of splits, and of rows as series.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...compiler.messages.diagnostics import Diagnostic, Failed, Helps
from ...compiler.messages.source import Span


def fail(
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


def names_shown(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:20]) + (", ..." if len(names) > 20 else "")


def missing(span: Span, path: Path, near: str | None = None, what: str = "file") -> Failed:
    help = f"did you mean `{near}`?" if near else "paths are relative to the spec; `--data-root DIR` sets another"
    return fail("E0412", f"there is no {what} `{path}`", span, "not found", helps=(help,))


def a_directory(span: Span, path: Path) -> Failed:
    return fail("E0412", f"`{path}` is a directory, not a file", span, helps=("name a file in it",))


def a_device(span: Span, path: Path) -> Failed:
    return fail("E0412", f"`{path}` is a device, which may have no end", span, helps=("name a file, or a pipe",))


def unreadable(span: Span, path: Path, why: str) -> Failed:
    return fail(
        "E0412", f"`{path}` cannot be read: {why}", span, helps=("allow this user to read it, or name another file",)
    )


def not_utf8(span: Span, path: Path, line: int, byte: int) -> Failed:
    return fail(
        "E0412", f"{path}:{line}: not UTF-8", span, notes=(f"byte 0x{byte:02x}",), helps=("save the file as UTF-8",)
    )


def not_in_encoding(span: Span, path: Path, line: int, encoding: str) -> Failed:
    return fail(
        "E0412", f'{path}:{line}: not text in the encoding "{encoding}"', span, helps=("give the encoding of the file",)
    )


def empty(span: Span, path: Path, what: str = "records") -> Failed:
    return fail("E0412", f"`{path}` has no {what}", span, helps=(f"add {what}, or name another",))


def extra_missing(span: Span, what: str, extra: str, package: str) -> Failed:
    return fail(
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
    return fail("E0412", f"`{path}` is not {form}: {why}", span, helps=(help,))


def one_array(span: Span, path: Path) -> Failed:
    return fail(
        "E0412",
        f"`{path}` holds a single array, not arrays by name",
        span,
        helps=("save it with the name of its field: `numpy.savez(file, x=x)`",),
    )


def half_a_token(span: Span, path: Path, size: int, dtype: str, width: int) -> Failed:
    return fail(
        "E0412",
        f"`{path}` is not a file of `{dtype}` tokens: {size} bytes are not a multiple of {width}",
        span,
        helps=("give the source the `dtype` that the file was written with, or write the file again",),
    )


def hub_unreadable(span: Span, name: str, why: str) -> Failed:
    return fail(
        "E0412",
        f'the data set "{name}" cannot be read: {why}',
        span,
        helps=("without a network, give a directory with its files instead",),
    )


def several_files(span: Span, folder: Path, ending: str, names: Sequence[str]) -> Failed:
    one, other = (name.removesuffix(ending) for name in names[:2])
    helps = f'name one: `idx("{folder}/{other}")`', f'or one a split: `files(train = "{other}", test = "{one}")`'
    return fail("E0412", f"`{folder}` has `{names[0]}` and `{names[1]}`", span, "which of them?", helps=helps)


def files_differ(span: Span, first: Path, second: Path, why: str, help: str) -> Failed:
    return fail("E0412", f"`{first}` and `{second}` do not correspond: {why}", span, helps=(help,))


def tokenizer_unusable(span: Span, transform: str, why: str) -> Failed:
    return fail(
        "E0412",
        f"the tokenizer of `{transform}` cannot be used: {why}",
        span,
        helps=("get the file again from where it came",),
    )


def not_messages(span: Span, place: str, columns: Sequence[str]) -> Failed:
    return fail(
        "E0201",
        f"{place}, column {names_shown(columns)}: not the messages of a chat",
        span,
        helps=('write a list of turns: `[{"role": "user", "content": ".."}, {"role": "assistant", "content": ".."}]`',),
    )


def field_shape(span: Span, field: str, place: str, found: str, declared: str) -> Failed:
    return fail(
        "E0201",
        f"{place}: field `{field}` has shape {found}, but is declared {declared}",
        span,
        f"declared {declared}",
        helps=(_reshape(found, declared),),
    )


def _reshape(found: str, declared: str) -> str:
    has, wanted = found.strip("[]").split(", "), declared.strip("[]").split(", ")
    cut = "fix the record, or"
    if len(has) == len(wanted) == 3:
        height, width = (size if size.isdigit() else "n" for size in wanted[1:])
        cut = f"make all images one size: `-> resize({height}, {width})`, or"
        if has[0] != wanted[0] and wanted[0] in ("1", "3"):
            cut = f"convert all images: `-> {'rgb' if wanted[0] == '3' else 'grayscale(1)'}`, or"
    return f"{cut} declare what the data has, `{found}`"


def too_long(span: Span, field: str, place: str, length: int, name: str, limit: int) -> Failed:
    return fail(
        "E0201",
        f"{place}: field `{field}` has {name} = {length}, but is declared {name} <= {limit}",
        span,
        helps=(f"shorten longer records with `truncate({limit})`, or drop them with `where = {name} <= {limit}`",),
    )


def lengths_of_record(span: Span, place: str, name: str, one: str, first: int, other: str, second: int) -> Failed:
    return fail(
        "E0201",
        f"{place}: {name} is {first} in field `{one}` and {second} in field `{other}`",
        span,
        helps=(f"both fields declare the length {name}; use another letter to make them independent",),
    )


def nothing_to_learn(span: Span, transform: str, columns: Sequence[str], *, of_texts: bool = False) -> Failed:
    where = names_shown(columns) if columns else "the field"
    what, fill = ("a text", 'impute("unknown")') if of_texts else ("a number", "impute(0)")
    return fail(
        "E0201",
        f"`{transform}` has nothing to learn from: no record of the train split has {what} in a column of {where}",
        span,
        helps=(f"leave the column out, or fill in a value: `-> {fill}`",),
    )


def no_image_file(span: Span, place: str, column: str, path: Path) -> Failed:
    return fail(
        "E0412",
        f"{place}, column `{column}`: there is no file `{path}`",
        span,
        "not found",
        helps=("file names are relative to the folder of the table; correct the name, or remove the record",),
    )


def not_an_image(span: Span, path: object, why: str) -> Failed:
    return fail(
        "E0412",
        f"`{path}` is not an image: {why}",
        span,
        helps=("remove the file, or convert it to JPEG or PNG",),
    )


def not_a_text(span: Span, transform: str, source: str) -> Failed:
    return fail(
        "E0304",
        f"`{transform}` needs the characters of a text, and {source} gives numbers",
        span,
        helps=('read the text itself: `source = text("input.txt")`',),
    )
