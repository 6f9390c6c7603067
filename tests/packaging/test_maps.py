"""The docstring of each package is the map of its room: it names every file and every room in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = [
    init.parent
    for name in ("backends", "cli", "compiler", "grammar", "runtime")
    for init in sorted((ROOT / name).rglob("__init__.py"))
]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_every_file_is_on_the_map(room: Path) -> None:
    map_ = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or ""
    words = set(re.findall(r"\w+", map_))
    files = {file.stem for file in room.glob("*.py") if file.stem not in ("__init__", "__main__")}
    inner = {folder.name for folder in room.iterdir() if (folder / "__init__.py").is_file()}
    assert files | inner <= words, sorted((files | inner) - words)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_every_file_of_the_map_is_there(room: Path) -> None:
    """Names with the ending of a file or the slash of a room."""
    map_ = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or ""
    named = re.findall(r"(?<![\w/.])(\w+\.py|[a-z_]+/)(?![\w/])", map_)
    generated = {"model.py", "recipe.py"}
    missing = [name for name in named if name not in generated and not (room / name).exists()]
    assert missing == []
