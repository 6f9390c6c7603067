"""What ends a run: an exception that describes what happened, what the user can do, and the exit code.

Mistakes in a spec or in its data are diagnostics (`Failed`); these are the failures of a run.
"""

from __future__ import annotations

from pathlib import Path


class RunFailure(Exception):
    """A failure at run time: a message, notes that state facts, helps that say how to fix it."""

    exit_code = 1

    def __init__(self, message: str, *, notes: tuple[str, ...] = (), helps: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.notes = notes
        self.helps = helps


class RunWarning(UserWarning):
    """What a user should know about a run although nothing failed, with its code (`dlc explain W0409`)."""

    def __init__(self, code: str, message: str, *, helps: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.helps = helps


class BadInput(RunFailure):
    """What the user named cannot be used: a run directory, an input file, an option."""

    exit_code = 2


class Diverged(RunFailure):
    """The loss is no longer a finite number."""

    exit_code = 3


class Interrupted(RunFailure):
    """A signal asked to stop; the step was finished and the run saved."""

    def __init__(self, signal_number: int, run: Path) -> None:
        super().__init__(f"interrupted; the run is saved in {run}", helps=("`--resume` continues it",))
        self.exit_code = 128 + signal_number
        self.run = run


#: What can be done about a damaged checkpoint.
OTHER = "`best/` and `last/` of a run are separate: `dlc evaluate` and `dlc export` take either directory"


def damaged(file: Path, why: str, help: str = OTHER) -> BadInput:
    return BadInput(f"`{file}` is damaged: {why}", helps=(help,))
