"""Generated files of a run that someone has edited: noticed, run only when asked to, and their mistakes shown.

A run records what its `model.py` and `recipe.py` were (`generated` in `env.json`). A file that is still that, but is not what this
version of dlc would generate, was written by another version: it is a record and no edit. The code that runs is then the
one generated now from `ir.json`, since both the way it is called and what may be executed are those of this version.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..checkpoints.rundir import RunDir
from ..failure import RunFailure, RunWarning
from ..run import Run


def warn_of_edits(run: Run, consequence: str) -> None:
    """Warns (W0409) where files of the run are not what was recorded. `consequence` is what that means here."""
    found = run.directory.edited()
    if not found:
        return
    names = " and ".join(f"`{run.path / name}`" for name in found)
    were = "was" if len(found) == 1 else "were"
    message = f"{names} {were} edited since the training; {consequence}"
    warnings.warn(RunWarning("W0409", message, helps=("`dlc evaluate --edited` runs the edited files",)), stacklevel=4)


@contextmanager
def mistakes_of(files: Collection[str], run: RunDir) -> Iterator[None]:
    """Within, what edited files raise is a failure that names their line: they may raise anything."""
    try:
        yield
    except RunFailure:
        raise
    except Exception as error:
        if not files:
            raise
        raise RunFailure(
            f"the edited files of `{run.path}` fail: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            notes=tuple(_lines(error, run.path)),
            helps=("without `--edited` the code is generated from the spec",),
        ) from error


def _lines(error: Exception, folder: Path) -> Iterator[str]:
    """The innermost line of the run's files that the error comes through."""
    if isinstance(error, SyntaxError) and error.filename:
        yield f"{error.filename}:{error.lineno}"
        return
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).parent == folder:
            yield f"{frame.filename}:{frame.lineno}: {frame.line}"
            return
