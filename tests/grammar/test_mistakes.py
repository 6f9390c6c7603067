"""Each row of mistakes speaks for its own examples, once, and in words."""

from __future__ import annotations

import re

import pytest

from dlc.compiler.messages.source import Source
from dlc.compiler.text.parse import parse
from dlc.grammar.mistake import Mistake
from dlc.grammar.mistakes import MISTAKES
from dlc.grammar.tables import load

EXAMPLES = [(mistake, example) for mistake in MISTAKES for example in mistake.examples]


def as_pattern(template: str) -> str:
    parts = re.split(r"(\{\w+\})", template)
    return "".join(
        ".*" if re.fullmatch(r"\{\w+\}", part) else re.escape(part.replace("{{", "{").replace("}}", "}"))
        for part in parts
    )


@pytest.mark.parametrize(("mistake", "example"), EXAMPLES, ids=[f"{i}" for i in range(len(EXAMPLES))])
def test_example_gets_its_words(mistake: Mistake, example: str) -> None:
    tree, diagnostics = parse(Source("x", example))
    assert tree is None
    assert len(diagnostics) == 1, [d.message for d in diagnostics]
    (found,) = diagnostics
    assert found.code == mistake.code
    assert re.fullmatch(as_pattern(mistake.message), found.message)
    assert re.fullmatch(as_pattern(mistake.label), found.label)
    assert len(found.helps) == len(mistake.helps)


def test_every_row_has_an_example() -> None:
    assert all(mistake.examples for mistake in MISTAKES)


def test_no_message_names_a_terminal() -> None:
    terminals = [name for name in load().terminals if len(name) > 3]
    for mistake in MISTAKES:
        for text in (mistake.message, mistake.label, *mistake.helps):
            words = re.findall(r"[A-Z_0-9]{4,}", text)
            assert not set(words) & set(terminals), text
