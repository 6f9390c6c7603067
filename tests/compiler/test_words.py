"""Every word that a spec may hold has an explanation: words of the grammar, types, units, entries, keys and their sections."""

from __future__ import annotations

import re

import pytest

from dlc.compiler.catalogue import explain, sections_page, words
from dlc.compiler.catalogue.sections import SECTIONS
from dlc.compiler.elaborate.arguments import KINDS
from dlc.compiler.messages.source import Source
from dlc.compiler.sizes.types import DTYPES
from dlc.compiler.text.parse import parse
from dlc.grammar.tables import load

#: Keywords by context are terminals of a name with `_` in front.
BY_CONTEXT = {name.lstrip("_").lower() for name in load().terminals if re.fullmatch(r"_?[A-Z]{3,}", name)} & {
    "override", "extends", "variant", "set", "require", "init", "emit",
}  # fmt: skip
GIVEN = {"training", "scan", "carry", "val", "test", "base", "rest", "steps", "epochs", "samples", "tokens", "round_to"}


def explained(name: str) -> bool:
    return any(page(name) is not None for page in (explain.explain, sections_page.explain, words.explain))


def test_every_word_of_a_spec_is_explained() -> None:
    assert len(BY_CONTEXT) == 7
    keys = {
        name for section in SECTIONS.values() for key in section for name in (key.name, f"{section.name}.{key.name}")
    }
    every = {*load().words, *BY_CONTEXT, *GIVEN, *DTYPES, *KINDS, *SECTIONS, *keys, *explain.names()}
    assert [name for name in sorted(every) if not explained(name)] == []


@pytest.mark.parametrize("name", words.WORDS)
def test_the_example_of_a_word_is_of_the_language(name: str) -> None:
    example = words.WORDS[name].example
    assert re.search(rf"\b{name}\b", example) or name in (
        "list",
        "tuple",
        "string",
        "float",
        *DTYPES,
        *GIVEN,
        "else",
        "or",
        "true",
    )
    whole = example, f"model M(x: [B]) -> (y: [B]) {{\n  {example}\n}}"
    assert any(parse(Source("x", text + "\n"))[0] is not None for text in whole)
