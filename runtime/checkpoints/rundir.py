"""Run directories: `runs/<spec>[@variant]/<n>/` with everything that a run is made of.

spec.dlspec   the resolved spec           metrics.csv   a row a validation
ir.json       the typed IR                log.txt       what was printed
model.py      the PyTorch source          best/ last/   kept and last weights, optimizer and loop state
recipe.py     losses and metrics          data.json     files with sizes and hashes, what was fitted
env.json      versions and machine        result.json   the figures, when the run is complete
weights.json  where first weights came from, when they came from elsewhere
judgement.json  how good the answers are: classes, calibration, residuals
images/       what `log { images = .. }` names, a grid at a time
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ...compiler.dataclass import dataclass
from ...compiler.messages.printable import printable
from .. import locks
from ..failure import BadInput, Damaged, Elsewhere, InUse, damaged, no_file
from ..forms import FormReader, NotOfForm
from ..writing import AGAIN, RESUME, drop_empty, is_unfinished, json_text, write_text, writing
from . import atomic
from .records import EnvironmentRecord

#: Files of a checkpoint: the weights, and their moving average where `ema` is set.
WEIGHTS = "model.safetensors"
AVERAGED = "ema.safetensors"


ENVIRONMENT = FormReader(EnvironmentRecord)
T = TypeVar("T")


@dataclass(frozen=True)
class RunDir:
    """A run on disk. `best` and `last` are checkpoint directories."""

    path: Path

    @property
    def best(self) -> Path:
        return self.path / "best"

    @property
    def last(self) -> Path:
        return self.path / "last"

    @property
    def finished(self) -> bool:
        return (self.path / "result.json").exists()

    def text(self, name: str) -> str:
        try:
            return (self.path / name).read_text("utf-8")
        except FileNotFoundError:
            raise Damaged(
                f"`{self.path}` is not a whole run: it has no `{name}`",
                helps=(f"copy `{name}` from a backup of the run, or train again",),
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise damaged(self.path / name, str(error)) from None

    def json(self, name: str) -> Any:
        try:
            return json.loads(self.text(name))
        except ValueError as error:
            raise damaged(self.path / name, str(error)) from None

    def record(self, name: str, form: FormReader[T]) -> T:
        """A record in its form. Raises BadInput when it is missing, Damaged when it has another form."""
        try:
            return form.read(self.text(name))
        except NotOfForm as error:
            raise damaged(self.path / name, str(error)) from None

    def write(self, name: str, text: str) -> None:
        with self.writing(name) as path:
            write_text(path, text)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A file of the run to write. Raises NotWritten when the disk refuses it."""
        with writing(self.path / name, RESUME if is_run(self.path) else AGAIN):
            yield self.path / name

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, json_text(value) + "\n")

    def sources(self) -> dict[str, str]:
        """The generated files as they are now, by name; those that were removed are left out."""
        return {name: self.text(name) for name in self._recorded() if (self.path / name).exists()}

    def edited(self) -> list[str]:
        """The generated files that are not what was recorded when the run was trained."""
        recorded = self._recorded()
        return [name for name, text in self.sources().items() if digest(text) != recorded[name]]

    def _recorded(self) -> dict[str, str]:
        return dict(self.record("env.json", ENVIRONMENT).generated) if (self.path / "env.json").exists() else {}

    def log(self, text: str) -> None:
        with self.writing("log.txt") as path, path.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).strftime('%Y-%m-%d %H:%M:%S')}  {printable(text)}\n")

    @contextmanager
    def held(self) -> Iterator[None]:
        """The right to write to the run, which one process at a time has, until it ends. Raises InUse, and Elsewhere for a link."""
        with ExitStack() as stack:
            stack.callback(drop_empty, self.path)  # of a run that never began
            try:
                with self.writing(locks.NAME) as path:
                    stack.enter_context(locks.held(path))
            except locks.LockHeld as other:
                raise in_use(self.path, other) from None
            for entry in self.path.iterdir():
                if entry.is_symlink():  # what is written through it would be outside of the run
                    raise Elsewhere(
                        f"`{entry}` is a link, and a run is written only in its own directory",
                        helps=("put the file itself in its place",),
                    )
                if is_unfinished(entry):  # of a process that was killed
                    entry.unlink(missing_ok=True)
            yield

    def kept(self) -> Path:
        """The checkpoint that evaluation and export use: `best/` where the run keeps one, else `last/`."""
        for place in (self.best, self.last):
            found = atomic.found(place)
            if found is not None:
                return found
        raise BadInput(f"the run `{self.path}` has no weights yet", helps=("train it: `dlc train FILE --resume`",))


def digest(text: str) -> str:
    """What identifies a generated file, in `generated` of `env.json`."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def in_use(path: Path, other: locks.LockHeld) -> InUse:
    return InUse(
        f"`{path}` already holds a run, which {other.words} is training",
        helps=("choose another `--out`, or wait for it to end and continue it with `--resume`",),
    )


def create(base: Path, name: str, out: Path | None) -> RunDir:
    """A new run: `out` itself, or the next number under `base/name`."""
    if out is not None:
        refuse_occupied(out)
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
        return RunDir(out)
    folder = base / name
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return _numbered(folder)


def refuse_occupied(out: Path) -> None:
    """Raises BadInput for a directory that holds a run, or anything else."""
    if is_run(out):
        raise BadInput(
            f"`{out}` already holds a run", helps=("choose another `--out`, or continue it with `--resume`",)
        )
    if out.exists() and not (out.is_dir() and all(map(_never_began, out.iterdir()))):
        raise BadInput(f"`{out}` exists and is not empty", helps=("choose another `--out`, or empty it",))


def _numbered(folder: Path) -> RunDir:
    number = max((int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()), default=0)
    while True:
        number += 1
        try:
            (folder / str(number)).mkdir()
        except FileExistsError:
            continue  # another run began at the same time
        return RunDir(folder / str(number))


def _never_began(entry: Path) -> bool:
    """Whether a file is of a run that ended before its `ir.json` was written."""
    name = entry.name
    known = ("recipe.py", "spec.dlspec", "ir.json", "env.json", "data.json", "weights.json", "log.txt", locks.NAME)
    ours = name in known or (name.startswith("model") and name.endswith(".py")) or is_unfinished(entry)
    return entry.is_file() and ours


def is_run(path: Path) -> bool:
    return (path / "ir.json").exists()


def find(path: Path) -> RunDir:
    """The run at `path`; also when its `best/` or `last/` is named."""
    for candidate in (path, path.parent) if path.name in ("best", "last") else (path,):
        if is_run(candidate):
            return RunDir(candidate)
    if not path.exists():
        raise no_file(path, "run")
    raise BadInput(f"`{path}` is not a run", helps=(_instead(path),))


def _instead(path: Path) -> str:
    """What to name in place of something that is not a run."""
    if path.suffix == ".dlspec":
        return f"train it first, and name the run: `dlc train {path}`"
    if path.suffix == ".onnx":
        return "name the run that the file was exported from, such as `runs/digits_mlp/1`"
    inside = sorted((run for run in path.iterdir() if is_run(run)), key=os.path.getmtime) if path.is_dir() else []
    return f"name a run in it: `{inside[-1]}`" if inside else "a run is a directory such as `runs/digits_mlp/1`"


def newest_unfinished(base: Path, name: str) -> RunDir:
    """The run to resume when none is named."""
    folder = base / name
    numbers = [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()] if folder.is_dir() else []
    runs = [RunDir(folder / str(number)) for number in sorted(numbers, reverse=True)]
    for run in runs:
        if is_run(run.path) and not run.finished:
            return run
    if runs:
        raise BadInput(f"all runs in `{folder}` are complete", helps=(f"name one: `--resume {runs[0].path}`",))
    raise BadInput(f"there is no run in `{folder}`", helps=("name one: `--resume RUN`, or train without `--resume`",))


class MetricsFile:
    """`metrics.csv`: a row a validation. Rows after the step a run resumes from are dropped."""

    def __init__(self, path: Path, columns: Sequence[str], resumed: int | None) -> None:
        self.path, self.columns = path, ("step", "epoch", *columns)
        rows: list[dict[str, str]] = []
        if resumed is not None and path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                whole = [line for line in file if line.endswith("\n")]  # a full disk cuts the last one
            rows = [row for row in csv.DictReader(whole) if _step(row) <= resumed]
        lines = [",".join(self.columns)]
        lines += [",".join(row.get(name) or "" for name in self.columns) for row in rows]
        with writing(path, RESUME):
            write_text(path, "\n".join(lines) + "\n")

    def add(self, values: Mapping[str, float | int]) -> None:
        row = ",".join(_cell(values.get(name)) for name in self.columns)
        with writing(self.path, RESUME), self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(row + "\n")


def _step(row: Mapping[str, str]) -> int:
    try:
        return int(row["step"])
    except (KeyError, ValueError, TypeError):
        return sys.maxsize


def _cell(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.9g}"
