"""Every code has a page; its wrong example gets exactly that code, its right one gets nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlc.compiler.check import check
from dlc.compiler.explain import pages

ROOT = Path(__file__).resolve().parents[2]
#: Codes that only data, a backend or a run can give.
WITHOUT_EXAMPLE = {
    "E0405", "E0412", "E0501", "E0502", "E0503", "E0504", "W0402", "W0404", "W0405", "W0406", "W0407",
}  # fmt: skip


def codes(path: Path, text: str) -> set[str]:
    file = path / "case.dlspec"
    file.write_text(text, "utf-8")
    return {diagnostic.code for diagnostic in check(file).report.diagnostics}


@pytest.mark.parametrize("code", [code for code in pages() if code not in WITHOUT_EXAMPLE])
def test_examples(code: str, tmp_path: Path) -> None:
    page = pages()[code]
    assert codes(tmp_path, page.wrong) == {code}
    assert codes(tmp_path, page.right) == set()


def test_pages_without_an_example_explain_in_words() -> None:
    for code in WITHOUT_EXAMPLE:
        assert not pages()[code].wrong
        assert pages()[code].text or pages()[code].title


def test_every_code_that_the_program_says_has_a_page() -> None:
    said: set[str] = set()
    for part in ("compiler", "runtime", "backends"):
        for file in (ROOT / part).rglob("*.py"):
            said |= set(re.findall(r'"([EW]0\d{3})"', file.read_text("utf-8")))
    assert said
    assert said <= set(pages())
