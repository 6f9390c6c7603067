"""Every example of docs/language.md is accepted by `dlc check`, on its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlc.compiler.catalogue.ops import names
from dlc.compiler.check import check

PAGE = Path(__file__).resolve().parents[2] / "docs" / "language.md"
EXAMPLES = re.findall(r"^```dlspec\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("(")[0].split("{")[0].strip().splitlines()[0])
def test_an_example_checks(example: str, tmp_path: Path) -> None:
    file = tmp_path / "example.dlspec"
    file.write_text(f"dlspec 1\n{example}", "utf-8")
    checked = check(file)
    said = [f"{found.code} {found.message}" for found in checked.report.diagnostics]
    assert [text for text in said if not ("search {" in example and text.startswith("W0415"))] == []


def test_the_contents_are_the_chapters() -> None:
    text = PAGE.read_text("utf-8")
    listed = re.findall(r"^\d+\. \[(.+)\]\(#.+\)$", text, re.MULTILINE)
    assert listed == re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_it_knows_every_construct_of_the_grammar() -> None:
    """A keyword of the grammar that the page does not mention would be a hole in the page."""
    grammar = (PAGE.parents[1] / "grammar" / "dlspec.lark").read_text("utf-8")
    grammar = re.sub(r"(^|\s)//\s.*$", "", grammar, flags=re.MULTILINE)
    keywords = set(re.findall(r'"([a-z_]+)"', grammar)) | set(re.findall(r"/\(?\??:?([a-z]+)\\b", grammar))
    words = set(re.findall(r"[a-z_]+", PAGE.read_text("utf-8")))
    assert len(keywords) > 15 and keywords - words - set(names()) == set()
