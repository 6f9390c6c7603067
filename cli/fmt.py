"""`dlc fmt`: the canonical layout of a spec."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import console
from .misused import Misused
from .spec import show

if TYPE_CHECKING:
    from ..compiler.messages.source import Source


@click.command("fmt")
@click.argument("files", metavar="FILE...", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--stdin", is_flag=True, help="Format standard input to standard output.")
def command(files: tuple[str, ...], check: bool, stdin: bool) -> int:
    """Format specs in place.

    Comments, labels and order are kept.
    """
    if stdin == bool(files):
        what = "`--stdin` formats standard input, not files" if stdin else "no file is given"
        raise Misused(what, "name the files to format, or give `--stdin` alone")
    from ..compiler.messages.source import Source
    from ..compiler.text.read import is_pipe, read_once, read_source

    if stdin:
        text = sys.stdin.buffer.read().decode("utf-8-sig", errors="surrogateescape")
        formatted = _format(Source("<stdin>", text))
        if formatted is None:
            return 2
        if not check and sys.stdout.isatty():
            console.part(formatted)  # a terminal obeys control characters, a pipe needs the text as it is
        elif not check:
            sys.stdout.buffer.write(formatted.encode("utf-8", errors="surrogateescape"))
            sys.stdout.buffer.flush()
        return int(check and formatted != text)
    code = 0
    for file in files:
        if is_pipe(file) and not check:
            raise Misused(f"`{file}` is a pipe, which cannot be formatted in place", "use `dlc fmt --stdin`")
        source = read_once(file) if is_pipe(file) else read_source(file)
        if not isinstance(source, Source):
            show([source], {})
            code = 2
            continue
        formatted = _format(source)
        if formatted is None:
            code = 2
        elif formatted != source.text:
            if check:
                console.out(f"{file}: would change")
                code = max(code, 1)
            else:
                _replace(Path(file), formatted)
                console.out(f"{file}: formatted")
    return code


def _format(source: Source) -> str | None:
    """The canonical text; None when the source has mistakes, which are shown."""
    from ..compiler.text.layout import format_file
    from ..compiler.text.parse import parse

    tree, diagnostics = parse(source)
    if tree is None:
        show(diagnostics, {source.name: source})
        return None
    return format_file(tree, source)


def _replace(path: Path, text: str) -> None:
    """The file, or the one it links to, with the new text; an interruption or a full disk leaves the old one intact."""
    from ..runtime.writing import replacing, writing

    path = path.resolve()
    with writing(path), replacing(path) as fresh:
        fresh.write_bytes(text.encode("utf-8"))
        fresh.chmod(path.stat().st_mode)
