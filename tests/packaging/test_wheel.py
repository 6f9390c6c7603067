"""What is installed is what is in the tree: the package list, and the contents of a built wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ("backends", "cli", "compiler", "grammar", "runtime", "specs")
SHIPPED = {".py", ".lark", ".json", ".dlspec", ".typed"}


def package_files() -> set[str]:
    """Every file of the tree that belongs to the package, by its path in a wheel."""
    files = [*ROOT.glob("*.py"), ROOT / "py.typed"]
    for part in HOUSE:
        files += [path for path in (ROOT / part).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {f"dlc/{path.relative_to(ROOT).as_posix()}" for path in files}


def test_the_package_list_is_complete() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found = {"dlc"}
    for part in HOUSE:
        for init in (ROOT / part).rglob("__init__.py"):
            found.add(".".join(("dlc", *init.parent.relative_to(ROOT).parts)))
    assert set(project["tool"]["setuptools"]["packages"]) == found


def test_the_wheel_holds_the_whole_package_and_nothing_else(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in HOUSE:
        shutil.copytree(ROOT / part, tree / part, ignore=ignored)
    for path in (*ROOT.glob("*.py"), ROOT / "py.typed", ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "LICENSE"):
        shutil.copy(path, tree)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(tree)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    held = {name for name in names if ".dist-info/" not in name}
    assert held == package_files()
    assert {Path(name).suffix for name in held} <= SHIPPED
    assert any(name.endswith("entry_points.txt") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    metadata = (
        zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode()
    )
    assert "License-Expression: Apache-2.0\n" in metadata and "Author: the dlc authors\n" in metadata
