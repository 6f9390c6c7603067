"""What ends a run: an exception that describes what happened, what the user can do, and the exit code.

Mistakes in a spec or in its data are diagnostics (`Failed`); these are the failures of a run.
"""

from __future__ import annotations

from pathlib import Path

from ..compiler.messages.printable import printable


class RunFailure(Exception):
    """A failure at run time: a message, notes that state facts, helps that say how to fix it. `code` names its page
    (`dlc explain E0602`). Names and texts of files in it are made printable."""

    exit_code = 1
    code = "E0610"

    def __init__(
        self, message: str, *, notes: tuple[str, ...] = (), helps: tuple[str, ...] = (), code: str = ""
    ) -> None:
        super().__init__(printable(message))
        self.code = code or self.code
        self.notes = tuple(map(printable, notes))
        self.helps = tuple(map(printable, helps))


class RunWarning(UserWarning):
    """What a user should know about a run although nothing failed, with its code (`dlc explain W0409`)."""

    def __init__(self, code: str, message: str, *, helps: tuple[str, ...] = ()) -> None:
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


#: What can be done about a damaged checkpoint.
OTHER = "`best/` and `last/` of a run are separate: `dlc evaluate` and `dlc export` take either directory"


def damaged(file: Path, why: str, help: str = OTHER) -> Damaged:
    return Damaged(f"`{file}` is damaged: {why}", helps=(help,))
