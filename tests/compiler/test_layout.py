"""`dlc fmt`: the examples are canonical, and any other layout of them comes to a fixed point with the same meaning."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dlc.compiler.messages.source import Source, Span
from dlc.compiler.text import top_level
from dlc.compiler.text.layout import WIDTH, format_file
from dlc.compiler.text.parse import parse
from dlc.compiler.text.syntax import Node
from dlc.grammar.scanner import NEWLINE, Token, scan
from dlc.grammar.tables import load
from dlc.tests.sizes import thinned

SPECS = sorted((Path(__file__).parent.parent / "language").glob("*/*.dlspec"))


def tree(text: str) -> top_level.File:
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


@pytest.mark.parametrize("path", thinned(SPECS, 3), ids=lambda path: path.stem)
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


LONG = "Linear(a_very_long_name_of_a_size, bias = false)"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        ("# only a comment", "# only a comment\n"),
        ("dlspec 1", "dlspec 1\n"),
        ("dlspec   1;param a=1;;".replace(";;", ""), "dlspec 1; param a = 1\n"),
        ("param a=-b*( c+d )**-2//[ 1,2 ][ 0 ]", "param a = -b * (c + d) ** -2 // [1, 2][0]\n"),
        ("param a=x [ : ,1 :,: - 1, none ]", "param a = x[:, 1:, :-1, none]\n"),
        ("param a=not b and(c or d)", "param a = not b and (c or d)\n"),
        ("param a=0 .. n", "param a = 0..n\n"),
        ('param a : one_of ( "x" )="x"', 'param a: one_of("x") = "x"\n'),
        ('from "x"( a=1 )import A as B,C', 'from "x" (a = 1) import A as B, C\n'),
        ("train{batch=1}", "train { batch = 1 }\n"),
        ("train {}", "train {}\n"),
        ("train{\n}", "train {}\n"),
        ("train{batch=1\n seed=2}", "train {\n  batch = 1\n  seed  = 2\n}\n"),
        (
            "train {\n  batch = 1\n  log { every = 1 }\n  micro_batch = 2\n\n\n\n  seed = 3\n}",
            "train {\n  batch       = 1\n  log { every = 1 }\n  micro_batch = 2\n\n  seed = 3\n}\n",
        ),
        ("param a = [\n1,\n2\n]", "param a = [\n  1,\n  2,\n]\n"),
        ("param a = [1, 2,]", "param a = [1, 2]\n"),
        ("param a = (1,)", "param a = (1,)\n"),
        ("param a = f(\n  b, c,)", "param a = f(\n  b, c)\n"),
        ("param a = f(b\n, c\n)", "param a = f(b, c)\n"),
        ("param a = 1# c", "param a = 1  # c\n"),
        ("param a = 1     # c", "param a = 1     # c\n"),
        (
            "train {\n# one\n\n  # two\nbatch = 1 # three\n  # four\n}",
            "train {\n  # one\n\n  # two\n  batch = 1 # three\n  # four\n}\n".replace("1 #", "1  #"),
        ),
        (
            "param a   = 1\nparam bcd = 2\nparam e     = 3\n",
            "param a   = 1\nparam bcd = 2\nparam e = 3\n",
        ),
        (
            f"block A = one: {LONG} -> two: {LONG} -> relu",
            f"block A = one: {LONG} -> two: {LONG}\n  -> relu\n",
        ),
        (
            f"param a = f(b = {LONG}, c = {LONG}, d = 1)",
            f"param a = f(\n  b = {LONG}, c = {LONG}, d = 1)\n",
        ),
        (
            "train { a_rather_long_key = some_function(of_arguments = 1); another_long_key = some_function(of_arguments = 2); ccc = 3 }",
            (
                "train {\n  a_rather_long_key = some_function(of_arguments = 1)\n"
                "  another_long_key  = some_function(of_arguments = 2)\n  ccc               = 3\n}\n"
            ),
        ),
        (
            "model M(x: [B])\n(y: [B],\nz: [B]) -> (w: [B]) {\nw = if a { x }\nelse if b { y }\nelse { z }\n}",
            "model M(x: [B])\n       (y: [B],\n        z: [B]) -> (w: [B]) {\n  w = if a { x }\n      else if b { y }\n      else { z }\n}\n",
        ),
        ("param a = x\n# c\n -> relu", "param a = x\n  # c\n  -> relu\n"),
    ],
)
def test_layout(text: str, wanted: str) -> None:
    assert fmt(text) == wanted
    assert fmt(wanted) == wanted


def test_columns_behind_tabs_stay() -> None:
    once = fmt('train {\n\tmodel = f("\t")    # c\n}')
    assert fmt(once) == once


def test_lines_fit_where_they_can() -> None:
    text = "model M(x: [B]) -> (y: [B]) {\n  y = x" + f" -> {LONG}" * 30 + "\n}\n"
    assert max(len(line) for line in fmt(text).split("\n")) <= WIDTH
