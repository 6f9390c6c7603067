"""Plain English: phrases that crept into messages, help, docs and docstrings before, each with what to write instead."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What no native-speaking engineer would write -> what to write. Patterns see one sentence-like text at a time.
BANNED = {
    r"(?<!there )\b(?:is|are) no (?!longer\b|more\b|less\b|fewer\b)[a-z`]": "is not a",
    r"\bstands?\b(?! for\b|-)": "is, goes, belongs in, is allowed in, is given; `must come last`",
    r"\b(?:tells?|told)\b": "prints, reports, shows; distinguishes",
    r"\b(?:says|said)\b": "reports, shows, names, gives, defines",
    r"\bgo(?:es)? on\b": "continue",
    r"\banew\b": "again, from scratch",
    r"\bbeside\b": "next to; with; in addition to",
    r"\bpictures?\b": "image",
    r"\bof (?:its|the) scale\b": "relative difference",
    r"\bpro(?:ve[sdn]?|ofs?)\b": "compared; cannot be shown equal; cannot be decided",
    r"\bcalled so\b": "not defined here",
    r"\bone another (?:label|name)\b": "give one of them a different label",
    r"\bwithout a word\b": "by default; silently",
    r"\bsuch one\b": "one",
    r"\bturned round\b": "inverted",
    r"\bin the open\b": "explicitly",
    r"\bwhoever\b": "the caller",
    r"\bmend(?:s|ed|ing)?\b": "fix",
}
#: Texts in which a phrase is right, by file.
ALLOWED = {"compiler/messages/training.py": ("picture: f32",)}  # a field that has to have another name than `image`
#: Rooms of which every text, docstring and comment is read.
READ = ("backends", "cli", "compiler", "grammar", "runtime")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
SPECS = sorted((ROOT / "specs").rglob("*.dlspec"))


def files(*rooms: str) -> list[Path]:
    paths = [ROOT / room for room in rooms]
    return [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))]


def docstrings(tree: ast.Module) -> dict[int, ast.Constant]:
    """Docstrings, and strings alone in a line, by the identity of their node."""
    return {
        id(node.value): node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Texts of a program that may be shown: more than one word, not a docstring; holes of an f-string are `x`."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
        id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
    }
    documentation = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in inside:
            text = "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            if id(node) in inside:
                continue
            text = node.value
        else:
            continue
        if " " in text.strip():
            yield node.lineno, text


def comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """What is read of a file: (line, text)."""
    text = file.read_text("utf-8")
    if file.suffix == ".md":
        plain = re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
        yield from enumerate(re.sub(r"`[^`\n]*`", "`x`", plain).splitlines(), 1)
        return
    if file.suffix == ".dlspec":
        yield from ((n, line.partition("#")[2]) for n, line in enumerate(text.splitlines(), 1))
        return
    tree = ast.parse(text)
    yield from strings(tree)
    yield from ((node.lineno, str(node.value)) for node in docstrings(tree).values())
    yield from comments(text)


def found(file: Path) -> list[str]:
    name = file.relative_to(ROOT).as_posix()
    allowed = ALLOWED.get(name, ())
    hits: list[str] = []
    for line, text in prose(file):
        for part in allowed:
            text = text.replace(part, "")
        for pattern, instead in BANNED.items():
            for match in re.finditer(pattern, text, re.IGNORECASE):
                around = " ".join(text[max(match.start() - 40, 0) : match.end() + 40].split())
                hits.append(f"{name}:{line}: `{match[0]}` -> {instead}\n    {around}")
    return hits


@pytest.mark.parametrize("room", READ)
def test_programs(room: str) -> None:
    hits = [hit for file in files(room) for hit in found(file)]
    assert not hits, "\n".join(["", *hits])


def test_pages_and_specs() -> None:
    hits = [hit for file in [*PAGES, *SPECS] if file.exists() for hit in found(file)]
    assert not hits, "\n".join(["", *hits])


@pytest.mark.parametrize(
    "text",
    [
        "`x` is no value", "a section stands in braces", "the program tells the plan", "nothing is called so here",
        "give one another label", "it is proven", "the file beside the spec", "`--resume` goes on", "mend the cell",
    ],
)  # fmt: skip
def test_a_relapse_is_found(text: str, tmp_path: Path) -> None:
    """The patterns see what they are for."""
    assert any(re.search(pattern, text, re.IGNORECASE) for pattern in BANNED)
