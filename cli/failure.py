"""What the user reads when a command fails, and the exit code."""

from __future__ import annotations

import os
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import console
from .spec import SpecRejected, show
from .table import memory

if TYPE_CHECKING:
    from ..compiler.messages.diagnostics import Helps


def complain(message: str, helps: Helps, notes: tuple[str, ...] = (), code: str = "") -> None:
    """`error[E0602]: message` with its notes and helps, on standard error."""
    console.headed(f"error[{code}]" if code else "error", message, "1;31")
    for note in notes:
        console.err(f"  = note: {note}")
    for text in helps:
        console.err(f"  = help: {text}")


@contextmanager
def warnings_shown() -> Iterator[None]:
    """Within, what the runtime warns of goes to standard error as `warning[W0409]: message`."""
    from ..runtime.failure import RunWarning

    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if not isinstance(message, RunWarning):
                others(message, category, *place, **more)
                return
            console.headed(f"warning[{message.code}]", str(message), "1;33")
            for text in message.helps:
                console.err(f"  = help: {text}")

        warnings.showwarning = show
        warnings.simplefilter("always", RunWarning)
        yield


def _system(error: OSError) -> int:
    """What the operating system refuses, often without naming the file."""
    from ..runtime.writing import FULL, refused

    path = None if error.filename is None else Path(os.fsdecode(error.filename))
    if error.errno in FULL:
        return report(refused(path, error))
    reason = (error.strerror or str(error)).lower()
    named = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
    complain(
        reason if path is None else f"{path}: {reason}",
        ("check the path" if named else "allow this user to read and write it, or name another file",),
        () if path is not None else (_frame(error),),
        "E0607" if named else "E0602",
    )
    return 2 if named else 1


def _frame(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"in {os.path.basename(frame.filename)}:{frame.lineno}, `{frame.name}`"


def report(error: Exception) -> int:
    """Reports an exception that ended a command and returns the exit code."""
    from ..compiler.messages.diagnostics import Failed

    if isinstance(error, SpecRejected):
        return 2
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics is not None:  # the Python API's SpecError
        show(diagnostics, getattr(error, "sources", None))
        return 2
    if isinstance(error, Failed):
        show([error.diagnostic], getattr(error, "sources", None))
        return getattr(error, "exit_code", 2)
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):  # a failure of the runtime that already contains what the user can do
        known: Any = error
        complain(str(error), known.helps, known.notes, known.code)
        return code
    if isinstance(error, OSError) and error.errno is not None:
        return _system(error)
    if isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error):
        wanted = re.search(r"(\d+) bytes", str(error))
        complain(
            "out of memory" + (f": a single allocation of {memory(int(wanted.group(1)))} failed" if wanted else ""),
            ("`dlc build FILE --emit summary` shows what the model needs; reduce it with `train.micro_batch`",),
            code="E0610",
        )
        return 1
    if os.environ.get("DLC_TRACEBACK"):
        traceback.print_exception(error)
    complain(
        f"internal error: {type(error).__name__}: {error}",
        helps=("report this as a bug, with the output of the same command under DLC_TRACEBACK=1",),
        notes=(_frame(error),),
    )
    return 1
