"""Writing to a console that may not know a character, and may or may not be a terminal.

Everything that is printed goes through here, and what comes from files (names, cells, metadata) may hold anything: control
characters and those that turn the reading direction are printed as escapes. Only `headed` and `drawn` emit colours.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from typing import TextIO

from ..compiler.messages.printable import printable

#: What is printed where the console's encoding has no such character, beyond what diagnostics replace themselves.
MORE_ASCII = {
    "←": "<-", "⇒": "=>", "±": "+-", "≈": "~", "µ": "u", "μ": "u", "‘": "'", "•": "*",
    "─": "-", "━": "-", "│": "|", "┃": "|", "✓": "ok", "✔": "ok", "✗": "x", "✘": "x", "█": "#", "░": ".",
}  # fmt: skip


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """The codec error handler `dlc`: an ASCII stand-in, the plain letter under an accent, or an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from ..compiler.messages.render import ASCII

    text: list[str] = []
    for character in error.object[error.start : error.end]:
        if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte of a file name that is not UTF-8
            text.append(f"\\x{ord(character) - 0xDC00:02x}")
        elif stand_in := ASCII.get(character) or MORE_ASCII.get(character):
            text.append(stand_in)
        else:
            plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
            text.append(plain or ascii(character)[1:-1])
    return "".join(text), error.end


def prepare() -> None:
    """Makes standard output and error unable to fail on a character."""
    codecs.register_error("dlc", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="dlc")


def close() -> None:
    """Nothing more goes to standard output, which cannot take it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def out(text: str = "") -> None:
    """A line of the command's answer."""
    print(printable(text), file=sys.stdout)


def part(text: str) -> None:
    """A part of a line of the answer, shown at once."""
    print(printable(text), end="", file=sys.stdout, flush=True)


def err(text: str = "") -> None:
    """A line about the work: progress, notes."""
    drawn(printable(text))


def drawn(text: str) -> None:
    """Lines about the work that are printable already but for our own colours: rendered diagnostics."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def headed(head: str, text: str, code: str, stream: TextIO | None = None) -> None:
    """`head: text` on the stream (standard error by default), the head in an ANSI style (`1;31` bold red) where it shows colours."""
    stream = stream or sys.stderr
    head = f"\x1b[{code}m{printable(head)}\x1b[0m" if coloured(stream) else printable(head)
    sys.stdout.flush()
    print(f"{head}: {printable(text)}", file=stream, flush=True)


def coloured(stream: TextIO | None = None) -> bool:
    """Whether to colour what goes to the stream (standard error by default); https://no-color.org is honoured."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream or sys.stderr).isatty()


def speaks_unicode(stream: TextIO | None = None) -> bool:
    """Whether the stream (standard error by default) can print what diagnostics like to: `⌊H/8⌋ → …`."""
    try:
        "⌊⌋→×…≤".encode((stream or sys.stderr).encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def width() -> int:
    """Columns of the terminal; 120 where there is none."""
    import shutil

    return shutil.get_terminal_size((120, 40)).columns if sys.stderr.isatty() or "COLUMNS" in os.environ else 120


def dumb() -> bool:
    """A terminal without cursor movement."""
    return os.environ.get("TERM") == "dumb"
