"""Spec files to texts."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from ..messages.diagnostics import Diagnostic
from ..messages.names import nearest
from ..messages.source import Source, Span

COMPARED = 1000  # names of a folder that are compared with one that is not there
LARGEST = 1 << 20  # bytes; the largest spec known has nine thousand


def read_source(path: Path | str, name: str | None = None, *, code: str = "E0315") -> Source | Diagnostic:
    """The text of a spec, UTF-8 with or without a byte-order mark, line ends as they are; or why it cannot be read.

    `name` is how diagnostics call it (the path as written by default), `code` what a missing file is. A pipe is refused: a spec is
    read again for each variant and each setting, and a pipe is empty then (see `read_once`).
    """
    path = Path(path)
    name = name if name is not None else str(path)
    if is_pipe(path):
        why = f"`{name}` is a pipe or a device, and a spec is read more than once"
        return Diagnostic(code, why, Span(name, 0, 0), helps=("save the spec as a file; `dlc check` reads a pipe too",))
    return _read(path, name, code)


def read_once(path: Path | str) -> Source | Diagnostic:
    """The text of a spec from a pipe, under the name `<stdin>` or that of the descriptor, which has no folder: imports are
    relative to the current directory."""
    return _read(Path(path), f"<{Path(path).name}>", "E0315")


def is_pipe(path: Path | str) -> bool:
    """Whether a path leads to something that can be read once (a pipe, a socket, a device) or that has no name, such as the text
    behind `<<` in a shell."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return False
    return not stat.S_ISDIR(found.st_mode) and (not stat.S_ISREG(found.st_mode) or not found.st_nlink)


def is_device(path: Path | str) -> bool:
    """Whether a path leads to a device that may have no end, such as `/dev/zero`: anything but a terminal."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    if not stat.S_ISCHR(mode):
        return stat.S_ISBLK(mode)
    try:
        device = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return True
    try:
        return not os.isatty(device)
    finally:
        os.close(device)


def _read(path: Path, name: str, code: str) -> Source | Diagnostic:
    nowhere = Span(name, 0, 0)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        helps = ("check the path: it starts at the current directory",)
        return Diagnostic(code, f"there is no file `{name}`", nowhere, helps=_near(path, name) or helps)
    except IsADirectoryError:
        return Diagnostic(code, f"`{name}` is a directory, not a spec", nowhere, helps=("name a file in it",))
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        return Diagnostic(code, f"`{name}` cannot be read: {why}", nowhere, helps=("name a file that can be read",))
    except ValueError:  # a NUL in the path
        return Diagnostic(code, f"`{name}` is not a path", nowhere, helps=("write a path without NUL characters",))
    if len(data) > LARGEST:
        return Diagnostic(
            "E0101",
            f"`{name}` is too large for a spec",
            nowhere,
            notes=("a spec has at most 1 MiB",),
            helps=("keep data in files of their own, which `data` and `weights` name",),
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        looks = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
        return Diagnostic(
            "E0101",
            f"`{name}` is not UTF-8",
            nowhere,
            notes=(f"byte 0x{data[error.start]:02x} at line {line}, byte {column}",),
            helps=(f"the file looks like {looks}: save it as UTF-8",),
        )
    return Source(name, text)


def _near(path: Path, name: str) -> tuple[str, ...]:
    """The help with the spec of the folder that was most likely meant, if there is one; `name` is the path as written."""
    try:
        names = [entry.stem for entry in islice(path.parent.iterdir(), COMPARED) if entry.suffix == ".dlspec"]
    except OSError:
        return ()
    near = path.stem if path.stem in names else nearest(path.stem, names)
    return () if near is None else (f"did you mean `{Path(name).with_name(f'{near}.dlspec')}`?",)
