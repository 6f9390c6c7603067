"""Imports: no circle of modules, and an import inside a function only where it keeps start-up light.

import-linter holds the order of the rooms (pyproject.toml). Here every module counts, and so does every import: those for
types alone and those inside functions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("grammar", "compiler", "backends", "runtime", "cli")

#: The standard `dataclass`, which compiles six functions for each class.
_STANDARD = re.compile(r"^ *from dataclasses import .*\bdataclass\b", re.MULTILINE)

#: Packages that take long to load, or that are extras a user may not have.
HEAVY = frozenset(
    """
    torch numpy onnx onnx_ir onnxruntime safetensors sklearn pydantic pydantic_core rich
    PIL pyarrow tokenizers datasets skimage statsmodels tensorboardX optuna starlette uvicorn
    """.split()  # noqa: SIM905
)

#: (importing module, what it imports): why it waits although it brings no package of HEAVY.
ON_DEMAND = {
    ("dlc.compiler.text.parse", "dlc.compiler.text.recovery"): "only a file with a mistake of syntax needs it",
    ("dlc.cli.app", "difflib"): "only a mistyped command asks for it",
    ("dlc.cli.app", "dlc.cli.failure"): "a command that goes well has none to report",
    ("dlc.cli.app", "importlib.metadata"): "`dlc --version` alone reads it; loading it takes as long as a check",
    ("dlc.cli.console", "shutil"): "12 ms, and only messages ask for the width of the terminal",
    ("dlc.compiler.ir.model", "importlib.metadata"): "only an IR that is written names its version",
    ("dlc.runtime.data.builtin.python_text", "pydoc_data.topics"): "a text of 700 kB",
}


def waits(module: str, target: str) -> bool:
    """Whether an import may wait: a command loads the compiler and the runtime when it runs, since `dlc --help` reads
    every module of cli/ (0.12 s of processor time; 0.22 s if they loaded the compiler)."""
    inner = target.startswith(("dlc.compiler.", "dlc.backends.", "dlc.runtime."))
    return (module.startswith("dlc.cli.") and inner) or (module, target) in ON_DEMAND


@dataclass(frozen=True)
class Import:
    """One import statement: the module or package it names, and whether it runs when its module is imported."""

    target: str
    line: int
    inside: bool  #: in a function
    types: bool  #: under `if TYPE_CHECKING`

    @property
    def at_start(self) -> bool:
        return not self.inside and not self.types


Graph = dict[str, list[Import]]


def modules(root: Path, package: str, rooms: tuple[str, ...]) -> dict[str, Path]:
    files = [*root.glob("*.py"), *(file for room in rooms for file in (root / room).rglob("*.py"))]
    return {
        ".".join(part for part in (package, *file.relative_to(root).with_suffix("").parts) if part != "__init__"): file
        for file in files
    }


def read(root: Path, package: str, rooms: tuple[str, ...]) -> Graph:
    """Every import of every module; one of a package's name is an import of that module where it is one."""
    known = modules(root, package, rooms)
    return {module: list(imports(module, file, known)) for module, file in known.items()}


def imports(module: str, file: Path, known: dict[str, Path]) -> Iterator[Import]:
    around = module if file.name == "__init__.py" else module.rpartition(".")[0]

    def visit(node: ast.AST, inside: bool, types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, inside, types) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                parts = around.split(".")
                above = parts[: len(parts) - child.level + 1] if child.level else []
                base = ".".join([*above, *([child.module] if child.module else [])])
                for alias in child.names:
                    full = f"{base}.{alias.name}"
                    yield Import(full if full in known else base, child.lineno, inside, types)
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            checking = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from visit(child, inside or function, types or checking)

    yield from visit(ast.parse(file.read_text(encoding="utf-8")), False, False)


def circles(graph: Graph) -> list[list[str]]:
    """Groups of modules that import each other, directly or not; each as one way round."""
    found: list[list[str]] = []
    for start in sorted(graph):
        if any(start in circle for circle in found):
            continue
        came: dict[str, str] = {}
        queue = [start]
        while queue and start not in came:
            module = queue.pop(0)
            for target in sorted({one.target for one in graph[module]} & graph.keys() - {module}):
                if target not in came:
                    came[target] = module
                    queue.append(target)
        if start in came:
            way = [came[start], start]
            while way[0] != start:
                way.insert(0, came[way[0]])
            found.append(way)
    return found


def siblings(graph: Graph, package: str) -> Graph:
    """The modules and packages of a package, each with all that is in it as one."""
    depth = package.count(".") + 2

    def child(module: str) -> str:
        return ".".join(module.split(".")[:depth])

    inside = [module for module in graph if module.startswith(f"{package}.")]
    found: Graph = {child(module): [] for module in inside}
    for module in inside:
        for one in graph[module]:
            if one.target in graph and one.target.startswith(f"{package}.") and child(one.target) != child(module):
                found[child(module)].append(Import(child(one.target), one.line, one.inside, one.types))
    return found


def loaded(graph: Graph) -> dict[str, frozenset[str]]:
    """By module: the heavy packages that importing it loads, packages around it included."""
    direct: dict[str, set[str]] = {}
    for module, found in graph.items():
        targets = {one.target for one in found if one.at_start}
        parts = module.split(".")
        targets |= {".".join(parts[:count]) for count in range(1, len(parts))}
        direct[module] = targets
    result: dict[str, frozenset[str]] = {}
    for module in graph:
        seen, queue = {module}, [module]
        while queue:
            for target in direct.get(queue.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    queue.append(target)
        result[module] = frozenset(target.partition(".")[0] for target in seen) & HEAVY
    return result


def needless(graph: Graph) -> dict[tuple[str, str], int]:
    """Imports inside functions that bring no heavy package which importing the module has not loaded already."""
    heavy = loaded(graph)
    found: dict[tuple[str, str], int] = {}
    for module, every in graph.items():
        for one in every:
            brings = heavy.get(one.target, frozenset((one.target.partition(".")[0],)) & HEAVY)
            if one.inside and not brings - heavy[module]:
                found.setdefault((module, one.target), one.line)
    return found


@pytest.fixture(scope="module")
def graph() -> Graph:
    return read(ROOT, "dlc", ROOMS)


def test_no_circle_of_modules(graph: Graph) -> None:
    found = circles(graph)
    assert not found, "\n".join(" -> ".join(circle) for circle in found)


def test_no_circle_at_any_level(graph: Graph) -> None:
    packages = {module.rpartition(".")[0] for module in graph} - {""}
    found = [circle for package in sorted(packages) for circle in circles(siblings(graph, package))]
    assert not found, "\n".join(" -> ".join(circle) for circle in found)


def test_imports_inside_functions_keep_the_start_light(graph: Graph) -> None:
    found = {pair: line for pair, line in needless(graph).items() if not waits(*pair)}
    shown = [f"{module}:{line} imports {target}" for (module, target), line in found.items()]
    assert not shown, "move these to the top of their files, or say in ON_DEMAND why they wait:\n" + "\n".join(shown)


def test_every_reason_is_of_an_import_that_is_there(graph: Graph) -> None:
    assert ON_DEMAND.keys() <= needless(graph).keys()


# ---- the tests themselves --------------------------------------------------------------------------------------------


def package(folder: Path, **files: str) -> Graph:
    (folder / "room").mkdir()
    for name, text in files.items():
        (folder / "room" / f"{name}.py").write_text(text, encoding="utf-8")
    return read(folder, "p", ("room",))


def test_a_circle_of_types_is_found_and_named(tmp_path: Path) -> None:
    above = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import B\n"
    graph = package(
        tmp_path, a=above, b="from . import c\n", c="def f():\n    from .a import A\n", d="from .a import A\n"
    )
    assert circles(graph) == [["p.room.a", "p.room.b", "p.room.c", "p.room.a"]]


def test_a_circle_of_packages_is_found(tmp_path: Path) -> None:
    for name, text in {"a/one": "from ..b import two\n", "a/three": "", "b/two": "from ..a import three\n"}.items():
        file = tmp_path / "room" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    graph = read(tmp_path, "p", ("room",))
    assert not circles(graph)
    assert circles(siblings(graph, "p.room")) == [["p.room.a", "p.room.b", "p.room.a"]]


def test_a_needless_import_is_found(tmp_path: Path) -> None:
    inside = "def f():\n    from . import b\n    from . import c\n    import torch\n    import json\n"
    graph = package(
        tmp_path, a=inside, b="import re\n", c="import torch\n", d="import torch\ndef f():\n    from . import c\n"
    )
    assert needless(graph) == {("p.room.a", "p.room.b"): 2, ("p.room.a", "json"): 5, ("p.room.d", "p.room.c"): 3}


def test_dataclasses_start_quickly() -> None:
    """`compiler/dataclass.py` is the one place that makes them as the standard library does."""
    found = [
        path for room in ROOMS for path in (ROOT / room).rglob("*.py") if _STANDARD.search(path.read_text("utf-8"))
    ]
    assert [path.relative_to(ROOT).as_posix() for path in found] == ["compiler/dataclass.py"]
