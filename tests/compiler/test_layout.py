"""`dlc fmt`: the examples are canonical, and any other layout of them comes to a fixed point with the same meaning."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dlc.compiler import syntax as s
from dlc.compiler.layout import format_file
from dlc.compiler.parse import parse
from dlc.compiler.source import Source, Span
from dlc.compiler.syntax import Node
from dlc.grammar.scanner import NEWLINE, Token, scan
from dlc.grammar.tables import load

SPECS = sorted((Path(__file__).parent.parent / "language").glob("*/*.dlspec"))


def tree(text: str) -> s.File:
    file, diagnostics = parse(Source("x", text))
    assert file is not None, [(d.message, text[max(0, d.span.start - 40) : d.span.end]) for d in diagnostics]
    return file


def fmt(text: str) -> str:
    return format_file(tree(text), Source("x", text))


def meaning(node: object) -> object:
    """A tree without places and comments."""
    if isinstance(node, Span):
        return None
    if isinstance(node, Node):
        fields = [name for name in node.__match_args__ if name != "comments"]
        return (type(node).__name__, *[meaning(getattr(node, name)) for name in fields])
    return tuple(map(meaning, node)) if isinstance(node, tuple) else node


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_example_is_canonical(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert fmt(text) == text


def relayout(text: str, rng: random.Random) -> str:
    """Another layout of the same tokens: line breaks where they mean nothing, other spaces, comments, CRLF."""
    tokens, _ = scan(text, load())
    end_of_line = rng.choice(["\n", "\r\n"])
    indent = rng.choice(["", " ", "\t", "      "])
    words = [
        "->",
        "=",
        "+=",
        "=>",
        "<-",
        "~",
        ",",
        ":",
        "(",
        "[",
        "{",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "@",
        "**",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "..",
        ".",
        "and",
        "or",
        "not",
    ]
    brackets: list[str] = []
    before: Token | None = None
    out: list[str] = []

    def newline() -> str:
        comment = f" # {rng.randrange(100)} {{(" if rng.random() < 0.3 else ""
        lines = (comment + end_of_line) + (indent + "# alone" + end_of_line) * (rng.random() < 0.15)
        return lines + end_of_line * (rng.random() < 0.2) + indent * rng.randrange(3)

    for position, token in enumerate(tokens):
        following = tokens[position + 1] if position + 1 < len(tokens) else None
        if token.kind == NEWLINE:
            assert before is not None
            assert following is not None
            free = (
                (brackets and brackets[-1] != "{") or before.text in words or following.text in ("->", "}", "else", "")
            )
            if free:
                out.append(newline() if rng.random() < 0.5 else " ")
            elif rng.random() < 0.2 and brackets:
                out.append(rng.choice(["; ", ";" + newline()]))
            else:
                out.append(newline())
            continue
        if before is not None and tokens[position - 1].kind != NEWLINE:
            free = brackets and brackets[-1] != "{" or token.text in ("->", "}") or before.text in ("{", ",", "=", "->")
            if free and rng.random() < 0.1:
                out.append(newline())
            elif token.start > before.end or rng.random() < 0.1:
                out.append(" " * rng.choice([1, 1, 2, 5]))
        out.append(token.text)
        if token.text in ("(", "[", "{"):
            brackets.append(token.text)
        elif token.text in (")", "]", "}"):
            brackets.pop()
        before = token
    return "".join(out)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_other_layouts_mean_the_same_and_are_formatted_once(path: Path, sizes: object) -> None:
    text = path.read_text(encoding="utf-8")
    wanted = meaning(tree(text))
    rng = random.Random(path.stem)
    for _ in range(min(getattr(sizes, "cases", 0) // 250, 40)):
        other = relayout(text, rng)
        assert meaning(tree(other)) == wanted, other
        once = fmt(other)
        assert meaning(tree(once)) == wanted, other
        assert fmt(once) == once, other
        assert comments(once) == comments(other)
        assert "\t" not in once
        assert "\r" not in once
        assert not any(line != line.rstrip() for line in once.split("\n"))


def comments(text: str) -> list[str]:
    return sorted(comment.text.strip() for comment in tree(text).comments)
