"""What code must know of an entry is a fact in its class: no other file asks for an entry by its name.

if node.op == "BatchNorm":                      found here
if find(node.op).mixes_batch:                   instead
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlc.compiler import catalogue
from dlc.compiler.catalogue.entry import Family

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("compiler", "backends", "runtime", "cli")
#: The syntax of the language, as fixed as its keywords.
SYNTAX = ("SIGNS", "NOTATIONS")
FAMILIES = {name: frozenset(family) for name, family in vars(catalogue).items() if isinstance(family, Family)}
NAMES = frozenset[str]().union(*(names for key, names in FAMILIES.items() if key not in SYNTAX))
#: What a record calls the entry that it is a use of.
FIELDS = ("op", "name", "layer")

#: Where entries are defined, and where each is run by a function or a table of its own name.
OWN = (
    "compiler/catalogue/", "backends/onnx/ops/", "backends/pytorch/ops/", "runtime/data/transforms/", "runtime/data/arrays/", "runtime/data/sources/",
    "runtime/data/sampling.py", "runtime/exporting/preprocessing.py", "runtime/generated/initialize.py", "runtime/training/fused.py",
)  # fmt: skip
#: Files that may name these, with the reason.
REASONS = {
    "compiler/messages/control.py": ({"max", "maximum", "min", "minimum"}, "which of two functions was meant"),
    "compiler/sizes/static_functions.py": (
        {"sqrt", "exp", "log", "sin", "cos"},
        "functions of numbers with names of operators",
    ),
    "runtime/checkpoints/rundir.py": ({"best", "last"}, "names of folders"),
    "runtime/failure.py": ({"best", "last"}, "names of folders"),
}


def found(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of literals that an entry is compared with, and of the elements of lists of entries."""
    values = {id(node.slice) for node in ast.walk(tree) if isinstance(node, ast.Subscript) and _is_literal(node)}
    for node in ast.walk(tree):
        if id(node) in values:
            continue
        match node:
            case ast.Compare(left=left, comparators=comparators):
                sides = [left, *comparators]
                if any(map(_is_use, sides)):
                    yield from _names(sides)
            case ast.Match(subject=subject, cases=cases) if _is_use(subject):
                yield from (hit for case in cases for part in ast.walk(case.pattern) for hit in _names([part]))
            case ast.Dict(keys=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts) | ast.List(elts=parts):
                texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
                if len(texts) == len(parts) >= 2 and any(
                    set(texts) <= names for key, names in FAMILIES.items() if key not in SYNTAX
                ):
                    yield from (
                        (part.lineno, text) for part, text in zip(parts, texts, strict=True) if part is not None
                    )
            case _:
                pass


def _is_literal(type: ast.Subscript) -> bool:
    return isinstance(type.value, ast.Name) and type.value.id == "Literal"


def _is_use(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in FIELDS


def _names(nodes: list[ast.expr] | list[ast.AST]) -> Iterator[tuple[int, str]]:
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) | ast.MatchValue(value=ast.Constant(value=str(text))) if text in NAMES:
                yield node.lineno, text
            case ast.Tuple(elts=parts) | ast.Set(elts=parts) | ast.List(elts=parts):
                yield from _names(parts)
            case _:
                pass


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_asks_for_an_entry_by_name(room: str) -> None:
    hits: list[str] = []
    for file in sorted((ROOT / room).rglob("*.py")):
        path = file.relative_to(ROOT).as_posix()
        if path.startswith(OWN):
            continue
        allowed, _ = REASONS.get(path, (set[str](), ""))
        text = file.read_text("utf-8")
        hits += [f"{path}:{line}: {name}" for line, name in sorted(set(found(ast.parse(text)))) if name not in allowed]
    assert hits == []


def test_reasons_are_needed() -> None:
    for path, (names, reason) in REASONS.items():
        assert reason
        assert names <= {name for _, name in found(ast.parse((ROOT / path).read_text("utf-8")))}, path


@pytest.mark.parametrize(
    "text",
    [
        'x = node.op == "BatchNorm"',
        'x = entry.layer in ("Linear", "Conv")',
        'KINDS = {"Linear": 1, "Conv": 2}',
        'match use.name:\n    case "normal" | "zeros":\n        pass',
    ],
)
def test_they_are_found(text: str) -> None:
    assert list(found(ast.parse(text)))


def test_other_words_are_not() -> None:
    assert not list(found(ast.parse('x = word == "Linear" or node.op == "thing" or ("a", "Linear")')))
