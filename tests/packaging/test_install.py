"""What an install takes: the sizes that the README quotes, and that the pins are complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(root: str) -> set[str]:
    """The distributions that `pip install` of the root brings, without its extras."""
    found: set[str] = set()
    left = [(root, frozenset[str]())]
    while left:
        name, extras = left.pop()
        for text in metadata.requires(name) or []:
            need = Requirement(text)
            wanted = extras or {""}
            needed = need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in wanted)
            if needed and canonical(need.name) not in found:
                found.add(canonical(need.name))
                left.append((need.name, frozenset(need.extras)))
    return found


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_every_dependency_is_pinned_to_what_is_installed() -> None:
    pinned = pins()
    for name in closure("dlc"):
        assert metadata.version(name).split("+")[0] == pinned[name], name


def test_torchvision_is_nowhere() -> None:
    assert "torchvision" not in pins()
    assert "torchvision" not in closure("dlc")


def test_size_on_disk(record_figure: Callable[[str, float, str], None]) -> None:
    size = sum(
        Path(str(file.locate())).stat().st_size
        for name in closure("dlc")
        for file in metadata.files(name) or []
        if Path(str(file.locate())).is_file()
    )
    record_figure("install.cpu.disk", size / 1e6, "MB")
    assert 100e6 < size < 5e9


def test_pinned_wheels_can_be_downloaded(
    tmp_path: Path, sizes: Any, record_figure: Callable[[str, float, str], None]
) -> None:
    """One of them; in the long run all, and their size is a figure."""
    wanted = ["."] if sizes.full else ["--no-deps", "click"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "-c", "constraints.txt", "-d", str(tmp_path), *wanted],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    size = sum(wheel.stat().st_size for wheel in tmp_path.glob("*.whl"))
    assert size > 0
    if wanted == ["."]:
        record_figure("install.cpu.download", size / 1e6, "MB")
