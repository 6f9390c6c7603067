"""Data sections from text, in an empty directory that is also the root of their paths."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dlc.compiler.check import check
from dlc.compiler.ir.data import DataSet
from dlc.compiler.messages.diagnostics import Failed
from dlc.runtime.data.feed import Data, Feed, open_data

CPU = torch.device("cpu")


class Workspace:
    """A directory with a spec and its data."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    def section(self, body: str) -> DataSet:
        file = self.write("spec.dlspec", f"dlspec 1\n\ndata D {{\n{body}\n}}\n")
        checked = check(file)
        assert checked.spec is not None, [d.message for d in checked.report.diagnostics]
        return checked.spec.recipe.data[0]

    def open(self, body: str) -> Data:
        return open_data(self.section(body), self.path)

    def feed(self, body: str, split: str = "train", *, training: bool = True) -> Feed:
        return Feed(self.open(body), split, training=training, device=CPU)  # pyright: ignore[reportArgumentType]

    def everything(self, body: str, split: str = "train", *, training: bool = False) -> dict[str, torch.Tensor]:
        """All records of a split as one batch, in evaluation."""
        feed = self.feed(body, split, training=training)
        return next(iter(feed.batches(len(feed))))

    def mistake(self, body: str) -> str:
        """Code, message, notes and helps of what is wrong with the data."""
        with pytest.raises(Failed) as caught:
            feed = Feed(self.open(body), "train", training=False, device=CPU)
            list(feed.batches(64))
        found = caught.value.diagnostic
        return "\n".join([f"{found.code}: {found.message}", *found.notes, *found.helps]).replace(f"{self.path}/", "")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def images() -> Callable[[Path, int, int, int], None]:
    """`images(path, height, width, value)` writes a colour PNG."""

    def write(path: Path, height: int, width: int, value: int) -> None:
        import numpy as np
        from PIL import Image

        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(path)

    return write


@pytest.fixture
def dlc_process() -> Callable[..., tuple[int, str]]:
    """`dlc_process("check", "a.dlspec", stdout="/dev/full")`: the exit code and standard error of a command whose output goes to a
    file."""

    def run(*arguments: str, stdout: str) -> tuple[int, str]:
        with open(stdout, "w", encoding="utf-8") as output:
            done = subprocess.run(
                [sys.executable, "-m", "dlc", *arguments],
                stdout=output,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                check=False,
            )
        return done.returncode, done.stderr

    return run
