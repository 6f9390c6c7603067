"""Syntax errors: several in one file, brackets judged by indentation, and words for what people do."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.check import check
from dlc.compiler.messages.diagnostics import Diagnostic
from dlc.compiler.messages.source import Source
from dlc.compiler.text.parse import parse
from dlc.grammar.scanner import scan
from dlc.grammar.tables import load

SPECS = [p.read_text(encoding="utf-8") for p in sorted((Path(__file__).parent.parent / "language").glob("*/*.dlspec"))]


def found(text: str) -> list[Diagnostic]:
    file, diagnostics = parse(Source("x", text))
    assert file is None
    return diagnostics


def lines(text: str) -> list[tuple[int, str]]:
    """Line and message of each."""
    source = Source("x", text)
    return [(source.position(d.span.start)[0], d.message) for d in found(text)]


def test_all_mistakes_of_a_file() -> None:
    text = """\
dlspec 1
param width
modle M(x: [B]) -> (y: [B]) {
  y = x
}

model M(x: [B, 8]) -> (y: [B, 8]) {
  a = x -> Linear(8 bias = false)
  b, c = a
  y = x -> relu + a
  self.z = y
}

train {
  batch: 128
  loss = f(a]
  optimizer = Adam(1e-3)
  seed = "abc
  clip = norm(1.0, )
  duration = 3epochs
}
lr = 3
"""
    assert lines(text) == [
        (2, "a param needs a value"),
        (3, "`modle` does not start a declaration or section"),
        (8, "a comma is missing before `bias`"),
        (9, "several names are assigned as a list"),
        (10, "`+` after a pipeline is ambiguous"),
        (11, "this cannot be assigned to"),
        (15, "settings are written `key = value`"),
        (16, "`]` does not close `(`"),
        (18, "this string is not closed"),
        (20, "`3epochs` is neither a number nor a name"),
        (22, "`lr` does not start a declaration or section"),
    ]


def test_errors_are_not_endless() -> None:
    assert 10 < len(found("train {\n" + "a b c\n" * 500 + "}")) <= 25
    assert len(found("train {\n" * 5000)) <= 25


BROKEN = {
    "a block": "block A(x: [B]) -> [B] <{>\n  x -> relu\n\n[[model]] M(x: [B]) -> (y: [B]) {\n  y = x -> A\n}\n",
    "a model before a section": "model M(x: [B]) -> (y: [B]) <{>\n  y = x\n\n[[train]] {\n  batch = 3\n}\n",
    "a section before a param": "train <{>\n  batch = 3\n[[param]] a = 3\n",
    "a sub-section": "train {\n  metrics <{> acc = f(a)\n  [[batch]] = 3\n}\n\nexport { onnx = \"x\" }\n",
    "a sub-section of lines": "train {\n  metrics <{>\n    acc = f(a)\n  [[batch]] = 3\n}\n\nexport { onnx = \"x\" }\n",
    "braces of stages": "model M(x: [B]) -> (y: [B]) {\n  y = x -> a: <{> Linear(3)\n  [[z]] = y\n}\n",
    "braces of several stages": "model M(x: [B]) -> (y: [B]) {\n  y = x -> a: <{>\n    Linear(3)\n    -> relu\n  [[z]] = y\n}\n",
    "an if": "data D {\n  image: f32[3] = source.image -> if training <{> hflip(0.5)\n  [[label]]: i64 = source.label\n}\n",
    "an argument list": "train {\n  loss = f<(>a, b\n  [[batch]] = 3\n}\n",
    "an argument list after a number": "train {\n  loss = f<(>3\n  [[batch]] = 3\n}\n",
    "a list": "train {\n  keep = <[>a, b\n  [[batch]] = 3\n}\n",
    "the last one": "train <{>\n  batch = 3\n",
    "a signature": "model M<(>x: [B]\n[[train]] {\n  batch = 3\n}\n",
}  # fmt: skip


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_bracket_never_closed(text: str) -> None:
    """<> stands around the bracket that is never closed, [[ ]] around where what comes next already starts."""
    at = min(text.find(f"<{bracket}>") % 10_000 for bracket in "({[")
    plain = text.replace(text[at : at + 3], text[at + 1])
    start = plain.find("[[")
    plain = plain.replace("[[", "", 1).replace("]]", "", 1)
    diagnostics = found(plain)
    assert len(diagnostics) == 1, [d.message for d in diagnostics]
    (d,) = diagnostics
    assert d.message == f"this `{plain[at]}` is never closed"
    assert (d.span.start, d.span.end) == (at, at + 1)
    if start >= 0:
        assert [label.span.start for label in d.labels] == [start]
        assert "already starts here" in d.labels[0].text


def test_after_an_unclosed_bracket_reading_goes_on() -> None:
    text = "block A(x: [B]) -> [B] {\n  x\n\ntrain {\n  loss = f(a\n  batch: 3\n}\n\ndata D {\n  seed: 3\n}\n"
    assert lines(text) == [
        (1, "this `{` is never closed"),
        (5, "this `(` is never closed"),
        (6, "settings are written `key = value`"),
        (10, "settings are written `key = value`"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train {\n  batch = 3\n}\n}\n", "unmatched `}`"),
        ("train {\n  batch = f(3))\n}\n", "unmatched `)`"),
        ("train {\n  batch = f([3)]\n}\n", "`)` does not close `[`"),
    ],
)
def test_bracket_too_many(text: str, message: str) -> None:
    assert found(text)[0].message == message


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("a = 'x'", 'strings are written with `"`', 'write `"x"`'),
        ("a = x → relu", "unexpected `→`", "write `->`"),
        ("a = b && c", "unexpected `&`", "write `and`"),
        ("a = größe", "`größe` is not a name", "letters a-z"),
        ("a = 10epochs", "`10epochs` is neither a number nor a name", "`10 epochs`"),
        ("a = 1 \\", "unexpected character `\\`", "continues after an operator"),
        ("a = b\u00a0+ c", "invisible character U+00A0", "delete it"),
        ("a = \ufeffb", "invisible character U+FEFF", "delete it"),
        ("a = \x00", "invisible character U+0000", "delete it"),
        ("a = $x", "unexpected character `$`", ""),
    ],
)
def test_characters(text: str, message: str, help: str) -> None:
    (d,) = found(f"train {{\n  {text}\n}}\n")
    assert d.message == message
    assert any(help in h for h in d.helps) or not help


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("trian {", "did you mean `train`?"),
        ("import torch", "blocks and models come from other specs"),
        ("class Net(nn.Module):", "a model is"),
        ("def forward(self, x):", "a block is"),
        ("lr = 1e-3", "`param lr = 1e-3`"),
        ("extends base.dlspec", "the path is quoted"),
        ("dlspec 1\ndlspec 1", ""),
        ("foo", "a file contains"),
    ],
)
def test_file_level(line: str, help: str) -> None:
    first = found(line + "\n")[0]
    assert any(help in h for h in first.helps) or not help


def test_sample_of_the_reference() -> None:
    text = "model M(x: [B]) -> (y: [B]) {\n  x   = tokens -> wte + pos -> dropout(drop)\n}"
    (d,) = found(text)
    assert (d.code, d.message) == ("E0102", "`+` after a pipeline is ambiguous")
    assert d.label == "does it apply to the stage or to the result?"
    assert d.helps == ("write `(tokens -> wte) + …`",)
    assert text[d.span.start : d.span.end] == "+"


@pytest.mark.parametrize(
    "key", ["batch: 128", "optimizer: Adam(1e-3)", 'precision: "bf16"', "model: Mlp", "clip: norm(1.0)"]
)
def test_yaml_habit(key: str) -> None:
    (d,) = found(f"train {{\n  {key}\n  seed = 1\n}}\n")
    name, _, value = key.partition(": ")
    assert d.message == "settings are written `key = value`"
    assert d.helps[0].startswith(f"write `{name} = {value}`")


def test_no_message_speaks_of_terminals() -> None:
    """The fall-back too: whatever token is taken out of a spec, the message is in words."""
    text = (
        'dlspec 1\nfrom "x" (a = 1) import A as B\nparam p: int = 3\nblock C(n = 3) = relu -> [B, (2, _)] => [B]\n'
        "model M(x: [B, T <= 3])\n  (y: f32[B]) -> (z: [B]) {\n  init Linear.weight = zeros\n  z += x[1:, ...] -> a: f(b = -2 ** 3).h\n"
        '  require not a == b, "m"\n  y = if a { b } else { c }\n  w = x -> if a { b } else { c } -> repeat 3 { d }\n'
        '  -> for (i, j) in [(1, 2)] { e }\n  emit load = 3 epochs\n}\ntrain t { a = b; step g { c ~ d }; freeze "x", rank < 2 }\n'
        'weights o for M { "a" <- "b".T }\nvariant v { a.b = 3 }\nset a.b = 3\n'
    )
    assert parse(Source("x", text))[0] is not None
    tokens, _ = scan(text, load())
    terminals = {name for name in load().terminals if len(name) > 3} | set(load().nonterminals) - {
        "expr",
        "model",
        "block",
    }
    for token in tokens:
        for other in (text[: token.start] + text[token.end :], text[: token.start] + " ; " + text[token.start :]):
            _, diagnostics = parse(Source("x", other))
            for d in diagnostics:
                words = f"{d.message} {d.label}".replace("`", " ").split()
                assert not {w for w in words if w.isupper() or "_" in w} & terminals, d
                assert d.message[0] != "?"


def test_one_deleted_token_is_found_where_it_was(sizes: Any, record_figure: Any) -> None:
    """One diagnostic, on the line of the deletion (for a bracket: with that line among its places)."""
    rng = random.Random(1)
    total = right = near = single = 0
    for _ in range(min(sizes.cases // 2, 5_000)):
        text = rng.choice(SPECS)
        token = rng.choice([t for t in scan(text, load())[0] if t.text])
        source = Source("x", text[: token.start] + text[token.end :])
        file, diagnostics = parse(source)
        if file is not None:
            continue
        first = diagnostics[0]
        places = [first.span.start, *(label.span.start for label in first.labels)]
        line = Source("x", text).position(token.start)[0]
        distance = min(abs(source.position(place)[0] - line) for place in places)
        total += 1
        right += distance == 0
        near += distance <= 1
        single += len(diagnostics) == 1
    record_figure("syntax.deleted_token.right_line", 100 * right / total, "%")
    record_figure("syntax.deleted_token.within_one_line", 100 * near / total, "%")
    record_figure("syntax.deleted_token.one_diagnostic", 100 * single / total, "%")
    assert right / total >= 0.94
    assert near / total >= 0.97
    assert single / total >= 0.98


def test_a_mistake_of_syntax_makes_no_others_of_what_could_not_be_read(tmp_path: Path, sizes: Any) -> None:
    """One token left out or doubled: what else is said is about names that cannot be told to have been defined there."""
    language = Path(__file__).parent.parent / "language" / "examples"
    for path in language.glob("*.dlspec"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = {path: path.read_text("utf-8") for path in sorted(tmp_path.glob("*.dlspec"))}
    rng = random.Random(0)
    mistakes = more = 0
    for _ in range(2000 if sizes.full else 150):
        path = rng.choice(list(whole))
        text = whole[path]
        token = rng.choice([token for token in scan(text, load())[0] if token.text.strip()])
        changed = tmp_path / "changed.dlspec"
        changed.write_text(text[: token.start] + rng.choice(["", token.text * 2]) + text[token.end :], "utf-8")
        codes = {diagnostic.code for diagnostic in check(changed).report.errors}
        syntax = {code for code in codes if code.startswith("E01")}
        mistakes += bool(syntax)
        more += bool(syntax and codes - syntax)
    assert mistakes > 50
    assert more <= 0.03 * mistakes  # 0.6 % measured


def test_one_wrong_sign_is_one_message(tmp_path: Path, sizes: Any) -> None:
    """A sign put in, or in a token's place, in a spec that ships: brackets, separators, quotes."""
    specs = Path(__file__).parents[2] / "specs"
    shutil.copytree(specs, tmp_path, dirs_exist_ok=True)
    whole = {path: path.read_text("utf-8") for path in sorted(tmp_path.glob("*.dlspec"))}
    rng = random.Random(0)
    mistakes = more = 0
    for _ in range(2000 if sizes.full else 200):
        path = rng.choice(list(whole))
        text = whole[path]
        token = rng.choice([token for token in scan(text, load())[0] if token.text.strip()])
        sign, end = rng.choice(list(';)}{(,:=]"')), rng.choice([token.start, token.end])
        path.write_text(f"{text[: token.start]}{sign} {text[end:]}", "utf-8")
        errors = check(path).report.errors
        path.write_text(text, "utf-8")
        mistakes += bool(errors)
        more += len(errors) > 1
    assert mistakes > 100
    assert more <= 0.06 * mistakes  # 2 % measured


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  loss = f(a} , b)\n", "`}` does not close `(`"),
        ("  {seed = 3\n  batch = 2\n", "unexpected `{`"),
        ('  clip = "norm(1) }\n', "this string is not closed"),
        ("  optimizer = Adam(1e-3) ; -> relu\n", "unexpected `->`"),
    ],
)
def test_one_message_a_line(text: str, message: str) -> None:
    """The rest of the line, the brace that seems open, and the settings of a variant below follow from it."""
    after = "}\n\nvariant small { a.b = 1; c.d = 2 }\n"
    assert [found for _, found in lines(f"train {{\n{text}{after}")] == [message]


def test_a_set_of_which_nothing_can_be_read_is_left_out(tmp_path: Path) -> None:
    """Reading goes on behind the braces, where the setting would have ended."""
    path = tmp_path / "a.dlspec"
    path.write_text("dlspec 1\nparam width = 8\nset override block B(x: [B]) -> [B] {\n  x -> relu\n} = 3\n", "utf-8")
    assert [d.code for d in check(path).report.errors] == ["E0101"]
