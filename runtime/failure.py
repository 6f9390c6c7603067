"""What ends a run: an exception that describes what happened, what the user can do, and the exit code.

Mistakes in a spec or in its data are diagnostics (`Failed`); these are the failures of a run.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from ..compiler.messages.diagnostics import Helps
from ..compiler.messages.names import nearest
from ..compiler.messages.printable import printable

#: Names of a folder that are compared with one that is not there.
COMPARED = 1000


class RunFailure(Exception):
    """A failure at run time: a message, notes that state facts, helps that say how to fix it. `code` names its page
    (`dlc explain E0602`). Names and texts of files in it are made printable."""

    exit_code = 1
    code = "E0610"

    def __init__(self, message: str, *, helps: Helps, notes: tuple[str, ...] = (), code: str = "") -> None:
        super().__init__(printable(message))
        self.code = code or self.code
        self.notes = tuple(map(printable, notes))
        self.helps = tuple(map(printable, helps))


class RunWarning(UserWarning):
    """What a user should know about a run although nothing failed, with its code (`dlc explain W0409`)."""

    def __init__(self, code: str, message: str, *, helps: Helps) -> None:
        super().__init__(message)
        self.code = code
        self.helps = helps


class BadInput(RunFailure):
    """What the user named cannot be used: a run directory, an input file, an option."""

    exit_code = 2
    code = "E0607"


class InUse(BadInput):
    """Another process writes there."""

    code = "E0601"


class Damaged(BadInput):
    """A file is not what it should be: cut short, overwritten, or made to look like one."""

    code = "E0603"


class OtherVersion(BadInput):
    """A file was written by another version of dlc, in a way that this one does not read."""

    code = "E0605"


class Elsewhere(BadInput):
    """A file that a command may not write unless its arguments name it."""

    code = "E0604"


class Diverged(RunFailure):
    """The loss is no longer a finite number."""

    exit_code = 3
    code = "E0608"


class Interrupted(RunFailure):
    """A signal asked to stop; the step was finished and the run saved."""

    code = ""  # not a mistake

    def __init__(self, signal_number: int, run: Path) -> None:
        super().__init__(f"interrupted; the run is saved in {run}", helps=("`--resume` continues it",))
        self.exit_code = 128 + signal_number
        self.run = run


def no_file(path: Path, what: str = "file") -> BadInput:
    """Nothing is at `path`: the nearest name of its folder, or where paths start."""
    folder = path.parent
    try:
        names = [entry.name for entry in islice(folder.iterdir(), COMPARED)]
    except OSError:
        return BadInput(
            f"there is no {what} `{path}`", helps=(f"there is no folder `{folder}` either: check the path",)
        )
    near = nearest(path.name, names)
    if near is not None:
        help = f"did you mean `{folder / near}`?"
    elif path.is_absolute():
        help = f"choose one of the files in `{folder}`, or check the path"
    else:
        help = f"check the path: it starts at the current directory, `{Path.cwd()}`"
    return BadInput(f"there is no {what} `{path}`", helps=(help,))


def damaged(file: Path, why: str, help: str = "") -> Damaged:
    """A file that is not what was written. Without a `help`, of a run: its other checkpoint, if it has one."""
    return Damaged(f"`{file}` is damaged: {why}", helps=(help or _instead_of(file),))


def _instead_of(file: Path) -> str:
    place = file.parent
    other = place.with_name("last" if place.name == "best" else "best")
    if place.name in ("best", "last") and other.is_dir():
        return f"name the other checkpoint of the run: `{other}`"
    return "copy the file from a backup of the run, or train again"
