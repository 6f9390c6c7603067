"""Reading: exact spans, numbers, newlines, soft keywords, limits."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.messages.diagnostics import Diagnostic
from dlc.compiler.messages.source import Source, Span
from dlc.compiler.text import syntax as s
from dlc.compiler.text import top_level
from dlc.compiler.text.node import Node, children
from dlc.compiler.text.parse import parse, parse_pipe, parse_setting, parse_settings
from dlc.compiler.text.read import read_source

pytestmark = pytest.mark.usefixtures("small_heap")

SPECS = sorted((Path(__file__).parent.parent / "language").glob("*/*.dlspec"))


def tree(text: str) -> top_level.File:
    file, diagnostics = parse(Source("x", text))
    assert file is not None, diagnostics
    return file


def pipe(text: str) -> Any:
    value, diagnostics = parse_pipe(Source("x", text))
    assert value is not None, diagnostics
    return value


def errors(text: str) -> list[tuple[str, str]]:
    """Code and marked text of each diagnostic."""
    file, diagnostics = parse(Source("x", text))
    assert (file is None) == bool(diagnostics)
    return [(d.code, text[d.span.start : d.span.end]) for d in diagnostics]


def walk(node: Node) -> list[Node]:
    return [node, *[deeper for child in children(node) for deeper in walk(child)]]


def span(node: Any) -> Span:
    return node.span


# ---- spans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_spans_nest_and_name_what_they_cover(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    file = tree(text)
    assert span(file) == Span("x", 0, len(text))
    for node in walk(file):
        covered = text[span(node).start : span(node).end]
        assert covered == covered.strip() or isinstance(node, (top_level.File, top_level.Comment))
        inside = list(children(node))
        for child in inside:
            assert span(node).start <= span(child).start <= span(child).end <= span(node).end
        ordered = [child for child in inside if not isinstance(child, top_level.Comment)]
        for a, b in itertools.pairwise(ordered):
            assert span(a).end <= span(b).start
        match node:
            case s.Name() | s.Number():
                assert covered == node.text
            case s.Ref():
                assert covered == node.name
            case s.String():
                assert covered[0] == covered[-1] == '"'
            case s.Args() | s.Decls() | s.Paren() | s.Tuple():
                assert covered[0] + covered[-1] == "()"
            case s.Shape() | s.List():
                assert covered[0] + covered[-1] == "[]"
            case s.Group() | s.Body() | top_level.Entries():
                assert covered[0] + covered[-1] == "{}"
            case s.Binary():
                assert text[node.op_span.start : node.op_span.end] == node.op
            case top_level.Comment():
                assert covered == "#" + node.text
            case _:
                pass


def test_spans_of_an_expression() -> None:
    text = "x  -> a.b:  Linear( 3 ).h + 0"
    value, _ = parse_pipe(Source("x", text[:25]))
    assert isinstance(value, s.Pipeline)
    (stage,) = value.stages
    assert isinstance(stage, s.Labelled)
    unit = stage.unit
    assert isinstance(unit, s.Apply)
    assert unit.args is not None
    assert unit.select is not None
    pieces = [
        span(n) for n in (value, stage, stage.label, unit, unit.callee, unit.args, unit.args.items[0], unit.select)
    ]
    assert [text[p.start : p.end] for p in pieces] == [
        "x  -> a.b:  Linear( 3 ).h",
        "a.b:  Linear( 3 ).h",
        "a.b",
        "Linear( 3 ).h",
        "Linear",
        "( 3 )",
        "3",
        "h",
    ]


def test_offsets_count_characters() -> None:
    file = tree('param a = "日本 \U0001f600" # ☃\nparam b = 1\n')
    assert span(file.items[1]).start == 21
    assert file.comments == (top_level.Comment(Span("x", 17, 20), " ☃", False),)


# ---- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10k", 10_000),
        ("1.5M", 1_500_000),
        ("64Ki", 65_536),
        ("2Gi", 2**31),
        ("1_000", 1000),
        ("1e-3", 0.001),
        ("2.0", 2.0),
        ("1e3", 1000.0),
        ("1.2345k", 1234.5),
        ("0.1M", 100_000),
        ("1e3k", 1e6),
        ("9223372036854775808", 2**63),
        ("1e30", 1e30),
    ],
)
def test_numbers(text: str, value: float) -> None:
    number = pipe(text)
    assert isinstance(number, s.Number)
    assert number.value == value
    assert type(number.value) is type(value)
    assert number.text == text


def test_strings() -> None:
    assert pipe(r'"a\"b\\c\n\t#{x}"').value == 'a"b\\c\n\t#{x}'
    assert errors(r'param a = "\d"') == [("E0101", r"\d")]


def test_precedence() -> None:
    value = pipe("a or b and not c == d + e * -f ** g.h[0](i) -> k")
    assert isinstance(value, s.Pipeline)
    seen: list[str] = []
    node: Any = value.value
    while isinstance(node, (s.Binary, s.Unary)):
        seen.append(node.op)
        node = node.right if isinstance(node, s.Binary) else node.value
    assert seen == ["or", "and", "not", "==", "+", "*", "-", "**"]
    assert isinstance(node, s.Call)


def test_operators_associate() -> None:
    assert pipe("a - b - c").left.op == "-"
    assert pipe("a ** b ** c").right.op == "**"
    assert isinstance(pipe("a -> b -> c -> d"), s.Pipeline)
    assert len(pipe("a -> b -> c -> d").stages) == 3
    assert isinstance(pipe("(a -> b) -> c").value, s.Paren)


def test_less_than_minus_one_is_no_arrow() -> None:
    value = pipe("x <-1")
    assert value.op == "<"
    assert value.right.op == "-"


# ---- newlines and words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "train { a = 1; b = 2 }",
        "train {\n a = 1\n b = 2\n}",
        "train {\r\n a = 1\r\n\r\n b = 2\r\n}\r\n",
        "\n\n# c\ntrain { # c\n # c\n a = # c\n 1 # c\n # c\n b = 2; }",
        "train {\n a =\n\n 1\n b = 2;\n}\n\n",
    ],
)
def test_where_lines_end(text: str) -> None:
    (train,) = tree(text).items
    assert isinstance(train, top_level.Train)
    assert [entry.name.text for entry in train.entries.items if isinstance(entry, top_level.Key)] == ["a", "b"]


def test_lines_go_on() -> None:
    for text in ("a +\n b", "f(\na\n,\nb\n)", "a\n -> b\n # c\n\n -> c", "[a\n][\n0\n]", "if a { b }\n else { c }"):
        assert pipe(text)


def test_operator_on_the_next_line_is_another_statement() -> None:
    (block,) = tree("block A(x: [B]) -> [B] {\n  x\n    - 1\n}").items
    assert isinstance(block, top_level.Block)
    assert len(block.body.statements) == 2


def test_keywords_are_names_elsewhere() -> None:
    words = "block data train export search weights model param from import as in let dlspec"
    for word in words.split():
        assert errors(f"model M(x: [B]) -> (y: [B]) {{\n  y = x -> {word}: Linear(3)\n  {word} = 3\n}}") == []
        assert errors(f"train {{ {word} = 3 }}") in ([], [("E0101", "=")])
    assert errors("train { train = 3 }") == []


def test_keywords_only_where_they_begin_something() -> None:
    text = "model M(x: [B]) -> (y: [B]) {\n  set = x\n  init = set\n  emit = init\n  require = emit\n  y = require\n}"
    assert errors(text) == []


def test_comments_are_kept_apart() -> None:
    file = tree("# one\nparam a = 1 # two\n  # three")
    assert [(c.text, c.own_line) for c in file.comments] == [(" one", True), (" two", False), (" three", True)]


# ---- the command line ------------------------------------------------------------------------------------------------


def test_setting_of_the_command_line() -> None:
    setting, diagnostics = parse_setting(Source("<1>", "train.duration=5 epochs"))
    assert not diagnostics
    assert setting is not None
    assert setting.path.text == "train.duration"
    assert isinstance(setting.value, s.Quantity)
    assert setting.value.span == Span("<1>", 15, 23)


@pytest.mark.parametrize(
    "text", ["", "train.batch", "train.batch=", "=3", "a=1 2", "a=1;b=2", "a=(1", "a:3", "a=1\nb=2"]
)
def test_setting_that_is_none(text: str) -> None:
    setting, diagnostics = parse_setting(Source("<1>", text))
    assert setting is None
    assert diagnostics
    assert all(0 <= d.span.start <= d.span.end <= len(text) for d in diagnostics)


def test_several_values_of_a_setting() -> None:
    text = 'a.b=1, f(2, 3),[4, 5] ,"x,y"'
    settings, diagnostics = parse_settings(Source("<1>", text))
    assert not diagnostics
    assert [text[span(one.value).start : span(one.value).end] for one in settings] == [
        "1",
        "f(2, 3)",
        "[4, 5]",
        '"x,y"',
    ]
    assert {one.path.text for one in settings} == {"a.b"}
    assert len(parse_settings(Source("<1>", "a=1"))[0]) == 1
    for bad in ("a=1,", "a=,1", "a,b=1", "a=1,2 3", "a=(1,2", ""):
        settings, diagnostics = parse_settings(Source("<1>", bad))
        assert not settings
        assert diagnostics
        assert all(0 <= d.span.start <= d.span.end <= len(bad) for d in diagnostics)


# ---- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "(" * 101 + "1" + ")" * 101,
        "(" * 100_000,
        "[" * 5_000,
        "-" * 5_000 + "1",
        "not " * 5_000 + "a",
        "2 ** " * 5_000 + "1",
        "1 + " * 5_000 + "1",
        "a" + ".b" * 5_000,
        "a" + "(b)" * 5_000,
        "a" + "[0]" * 5_000,
        "if a { b } else " * 5_000 + "{ c }",
        "a -> " + "{ b: " * 5_000,
        "a -> " + "if b { c } else " * 5_000 + "{ d }",
    ],
)
def test_nesting_has_a_limit(text: str) -> None:
    assert [code for code, _ in errors(f"param a = {text}\n")] == ["E0105"]


def test_nesting_up_to_the_limit() -> None:
    assert errors("param a = " + "(" * 100 + "1" + ")" * 100) == []


def test_long_is_not_deep(within: Any) -> None:
    with within(5):
        assert errors("param a = [" + "1, " * 20_000 + "]") == []
        assert errors("param a = x" + " -> relu" * 20_000) == []
        assert errors("param a = [" + "x <-1, " * 20_000 + "]") == []
        assert errors("train {\n" + "a = 1\n" * 20_000 + "}") == []


@pytest.mark.parametrize("number", ["9223372036854775809", "1e999", "1" * 5000, "10_000_000_000G"])
def test_numbers_have_a_limit(number: str) -> None:
    assert errors(f"param a = {number}") == [("E0105", number)]


def test_assignable() -> None:
    body = "block A(x: [B]) -> [B] {{\n  {} = x\n  x\n}}"
    for target in ("a", "[a, b]", "[a]"):
        assert errors(body.format(target)) == []
    for target in ("a.b", "f(x)", "x[0]", "3", "[a, 3]", "[]", "(a)"):
        assert errors(body.format(target)) == [("E0103", target)]


def test_a_body_belongs_to_scan() -> None:
    body = "block A(x: [B]) -> [B] {{\n  y = {} {{ x }}\n  y\n}}"
    assert errors(body.format("scan(axis = 1)")) == []
    for head in ("foo(1)", "foo", "3"):
        assert errors(body.format(head)) == [("E0104", "{ x }")]


# ---- files -----------------------------------------------------------------------------------------------------------


def test_files(tmp_path: Path) -> None:
    good = tmp_path / "a.dlspec"
    good.write_bytes(b'\xef\xbb\xbfdlspec 1\r\nparam a = "\xc3\xbc"\r\n')
    source = read_source(good, "a.dlspec")
    assert isinstance(source, Source)
    assert source.text.startswith("dlspec 1\r\n")
    file, diagnostics = parse(source)
    assert file is not None, diagnostics
    assert span(file.items[0]) == Span("a.dlspec", 10, 23)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"dlspec 1\n\xff", "is not UTF-8"),
        ("dlspec 1".encode("utf-16"), "is not UTF-8"),
        (b"# " * 600_000, "too large"),
    ],
)
def test_files_that_are_no_specs(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.dlspec"
    path.write_bytes(data)
    found = read_source(path, "a.dlspec")
    assert isinstance(found, Diagnostic)
    assert message in found.message


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, "a\0b"):
        found = read_source(path, "the.dlspec", code="E0412")
        assert isinstance(found, Diagnostic)
        assert found.code == "E0412"
        assert "the.dlspec" in found.message


# ---- speed -----------------------------------------------------------------------------------------------------------


def test_parsing_gpt2_is_fast(record_figure: Any, slowness: Any) -> None:
    source = Source("x", next(p for p in SPECS if p.stem == "e_gpt2").read_text(encoding="utf-8"))
    times: list[float] = []
    before = slowness()
    for _ in range(15):
        start = time.process_time()
        parse(source)
        times.append(time.process_time() - start)
    record_figure("parse.gpt2", min(times) * 1e3, "ms")
    assert min(times) < 0.008 * max(before, slowness())


def test_imports_are_light() -> None:
    code = "import sys, dlc.compiler.text.parse; print(*[m for m in ('lark', 'dataclasses', 'pydantic', 'torch', 'numpy', 'ast') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"dataclasses", "ast"}
