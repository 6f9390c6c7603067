"""The looks of diagnostics: the samples of the language's reference, and what goes wrong with columns."""

from __future__ import annotations

import json
import re

import pytest

from dlc.compiler.messages.diagnostics import Diagnostic, Label
from dlc.compiler.messages.render import _width, render, render_github, render_json, summary
from dlc.compiler.messages.source import Source, Sources, Span

TEXT = (
    "\n".join(f"line {n}" for n in range(1, 19))
    + "\nblock Up(x: [B], skip: [2 * H])\n"
    + "\n" * 9
    + "    -> up1: Up(skip = x4)\n"
)


def at(text: str, what: str, file: str = "k.dlspec") -> Span:
    start = text.index(what)
    return Span(file, start, start + len(what))


def one(diagnostic: Diagnostic, *sources: tuple[str, str], **options: object) -> str:
    table = Sources()
    for name, text in sources:
        table.add(name, text)
    text = render([diagnostic], table, **options)  # type: ignore[arg-type]
    assert text.endswith("\n\n1 error\n")
    return text.removesuffix("\n\n1 error\n")


def test_primary_secondary_notes_and_help() -> None:
    d = Diagnostic(
        "E0207",
        "input `skip` of `Up`: `⌊H/8⌋` and `2*⌊H/16⌋` cannot be shown equal",
        at(TEXT, "2 * H"),
        "axis 2",
        labels=(Label(at(TEXT, "Up(skip = x4)"), "required here"),),
        notes=("a fact",),
        helps=("they are equal when `H` is a multiple of 16: `require H % 16 == 0`",),
    )
    assert (
        one(d, ("k.dlspec", TEXT))
        == """\
error[E0207]: input `skip` of `Up`: `⌊H/8⌋` and `2*⌊H/16⌋` cannot be shown equal
  --> k.dlspec:19:25
   |
19 | block Up(x: [B], skip: [2 * H])
   |                         ^^^^^ axis 2
29 |     -> up1: Up(skip = x4)
   |             ------------- required here
   |
   = note: a fact
   = help: they are equal when `H` is a multiple of 16: `require H % 16 == 0`"""
    )


def test_without_unicode() -> None:
    d = Diagnostic("E0207", "`⌊H/8⌋` → `2·W` …", Span("x", 5, 7), "“wide” ☃")
    text = one(d, ("x", "ab = \u65e5\u672c + c"), unicode=False)
    assert text.isascii()
    assert (
        text
        == """\
error[E0207]: `floor(H/8)` -> `2*W` ...
 --> x:1:6
  |
1 | ab = ???? + c
  |      ^^^^ "wide" ?
  |"""
    )


def test_columns_of_tabs_and_wide_characters() -> None:
    source = 'a\t= "日本e\u0301" + x'
    shown = one(Diagnostic("E0101", "m", at(source, "x", "x"), "here"), ("x", source)).split("\n")
    caret = _width(shown[4][: shown[4].index("^")])
    assert _width(shown[3][: shown[3].index("x")]) == caret
    wide = one(Diagnostic("E0101", "m", at(source, "日本", "x"), "here"), ("x", source)).split("\n")
    assert wide[4].count("^") == 4


def test_several_marks_on_one_line() -> None:
    source = "a = first + second * third"
    d = Diagnostic(
        "E0201",
        "m",
        at(source, "second", "x"),
        "two",
        labels=(Label(at(source, "first", "x"), "one"), Label(at(source, "third", "x"), "three")),
    )
    assert (
        one(d, ("x", source))
        == """\
error[E0201]: m
 --> x:1:5
  |
1 | a = first + second * third
  |     -----   ^^^^^^   ----- three
  |     |       |
  |     |       two
  |     one
  |""".replace("x:1:5", "x:1:13")
    )


def test_label_in_another_file() -> None:
    d = Diagnostic("E0306", "m", Span("a", 0, 1), "here", labels=(Label(Span("b", 2, 3), "there"),))
    assert (
        one(d, ("a", "x"), ("b", "\n\ny"))
        == """\
error[E0306]: m
 --> a:1:1
  |
1 | x
  | ^ here
  |
 ::: b:3:1
  |
3 | y
  | - there
  |"""
    )


def test_place_that_is_no_range() -> None:
    assert one(Diagnostic("E0101", "m", Span("a", 3, 3), "end"), ("a", "abc")).split("\n")[4] == "  |    ^ end"
    assert one(Diagnostic("E0101", "m", Span("a", 4, 99), "end"), ("a", "abc\n")).split("\n")[3:5] == [
        "2 |",
        "  | ^ end",
    ]
    assert one(Diagnostic("E0101", "m", Span("a", 0, 7), "all"), ("a", "abc\ndef")).split("\n")[4] == "  | ^^^ all"
    assert one(Diagnostic("E0412", "no file `q`", Span("q", 0, 0))) == "error[E0412]: no file `q`\n --> q"
    assert "1 |\n" in one(Diagnostic("E0101", "m", Span("a", 0, 0), "empty"), ("a", ""))


def test_carriage_returns_are_not_shown() -> None:
    assert "\r" not in one(Diagnostic("E0101", "m", Span("a", 0, 4), "x"), ("a", "ab\r\ncd\r\n"))


@pytest.mark.parametrize("place", [0, 500, 990])
def test_long_lines_are_cut_around_the_mark(place: int) -> None:
    source = "".join(f"{n:<9}_" for n in range(100))
    text = one(Diagnostic("E0101", "m", Span("a", place, place + 1), "here"), ("a", source), width=60)
    lines = text.split("\n")
    assert max(len(line) for line in lines) <= 66
    assert lines[3][lines[4].index("^")] == source[place]


def test_nothing_reaches_the_terminal_as_a_command() -> None:
    evil = "\x1b[31m\x9b\x07"
    d = Diagnostic("E0101", evil, Span(evil, 0, 3), evil, notes=(evil,), helps=(evil,))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", one(d, (evil, f"a{evil}b")))


def test_colors_do_not_change_the_text() -> None:
    d = Diagnostic("E0207", "m", at(TEXT, "2 * H"), "a", (Label(at(TEXT, "skip:"), "b"),), ("n\nm",), ("h",))
    plain = one(d, ("k.dlspec", TEXT))
    colored = one(d, ("k.dlspec", TEXT), color=True)
    assert colored != plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


def test_order_and_summary() -> None:
    table = Sources()
    table.add("a", "1\n2\n3")
    found = [Diagnostic("W0401", "later", Span("a", 4, 5)), Diagnostic("E0101", "first", Span("a", 0, 1))]
    text = render(found, table)
    assert text.index("first") < text.index("later")
    assert text.endswith("\n\n1 error, 1 warning\n")
    assert summary([]) == "no errors"
    assert summary(found[:1] * 2) == "2 warnings"
    assert render([], table) == ""


def test_json() -> None:
    table = Sources()
    table.add("a", "x\nyz")
    d = Diagnostic("W0401", "m ☃", Span("a", 2, 4), "l", (Label(Span("b", 0, 1), "t"),), ("n",), ("h",))
    assert json.loads(render_json([d], table)) == {
        "errors": 0,
        "warnings": 1,
        "diagnostics": [
            {
                "code": "W0401",
                "severity": "warning",
                "message": "m ☃",
                "file": "a",
                "start": {"offset": 2, "line": 2, "column": 1},
                "end": {"offset": 4, "line": 2, "column": 3},
                "label": "l",
                "labels": [{"file": "b", "start": {"offset": 0}, "end": {"offset": 1}, "text": "t"}],
                "notes": ["n"],
                "helps": ["h"],
            }
        ],
    }


def test_github() -> None:
    table = Sources()
    table.add("a,b", "x\nyz")
    d = Diagnostic("E0101", "100% wrong", Span("a,b", 2, 4), "l", helps=("h",))
    assert render_github([d], table) == (
        "::error file=a%2Cb,title=E0101,line=2,col=1,endLine=2,endColumn=3::100%25 wrong: l%0Ahelp: h\n"
    )


def test_source_positions() -> None:
    source = Source("x", "a\nbc\n")
    assert [source.position(n) for n in range(6)] == [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1)]
    assert [source.line(n) for n in (1, 2, 3)] == ["a", "bc", ""]
