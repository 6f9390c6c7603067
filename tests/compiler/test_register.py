"""The register of codes: complete, and its programs do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlc.backends.onnx import GraphForm, lower
from dlc.backends.onnx.text import placeholders
from dlc.compiler.check import check
from dlc.compiler.messages import files
from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.messages.register import REGISTER, THEMES, explain, reference
from dlc.compiler.messages.source import Source
from dlc.compiler.text.layout import format_file
from dlc.compiler.text.parse import parse

COMPILER = Path(__file__).resolve().parents[2] / "compiler"
PROGRAMS = [code for code, entry in REGISTER.items() if entry.wrong]
CHECKED = [code for code in PROGRAMS if not REGISTER[code].when]


def codes(program: str, folder: Path) -> list[str]:
    path = folder / "a.dlspec"
    path.write_text(program, "utf-8")
    return [d.code for d in check(path).report.diagnostics]


@pytest.mark.parametrize("code", CHECKED)
def test_wrong_has_the_code_and_right_has_none(code: str, tmp_path: Path) -> None:
    entry = REGISTER[code]
    assert codes(entry.wrong, tmp_path) == [code]
    assert codes(entry.right, tmp_path) == []


@pytest.mark.parametrize("code", [code for code in PROGRAMS if code not in CHECKED])
def test_programs_of_other_commands_check_clean(code: str, tmp_path: Path) -> None:
    entry = REGISTER[code]
    assert codes(entry.wrong, tmp_path) == codes(entry.right, tmp_path) == []


@pytest.mark.parametrize("code", ["E0503"])
def test_what_a_cached_export_says(code: str, tmp_path: Path) -> None:
    path = tmp_path / "a.dlspec"
    path.write_text(REGISTER[code].wrong, "utf-8")
    with pytest.raises(Failed) as caught:
        _export(path)
    assert caught.value.diagnostic.code == code
    path.write_text(REGISTER[code].right, "utf-8")
    _export(path)


def _export(path: Path) -> None:
    spec = check(path).spec
    assert spec is not None
    lower(spec, spec.models[0], placeholders(spec, spec.models[0]), GraphForm(cached=True))


def test_every_code_has_a_program() -> None:
    """But those about the files of a command."""
    assert set(REGISTER) - set(PROGRAMS) == {
        "W0409",
        "W0411",
        "W0412",
        "W0413",
        "W0416",
        "W0417",
        *files.explanations(),
    } - {"W0410"}


def test_the_page_is_current() -> None:
    page = COMPILER.parent / "docs" / "diagnostics.md"
    assert page.read_text("utf-8") == reference(), "python -m dlc.compiler.messages writes it"


@pytest.mark.parametrize("code", PROGRAMS)
def test_programs_are_in_canonical_layout(code: str) -> None:
    for text in (REGISTER[code].right, REGISTER[code].wrong):
        source = Source("x", text)
        file, _ = parse(source)
        if file is not None and code != "E0309":
            assert format_file(file, source) == text


def test_each_code_in_the_compiler_is_registered() -> None:
    used = {
        code for path in COMPILER.rglob("*.py") for code in re.findall(r'"([EW]0[1-5]\d\d)"', path.read_text("utf-8"))
    }
    assert used <= set(REGISTER)


def test_a_code_is_explained_by_one_theme() -> None:
    explained = [code for theme in THEMES for code in theme.explanations()]
    assert sorted(explained) == list(REGISTER)


def test_explain() -> None:
    text = explain("e0207")
    assert text is not None
    assert text.startswith("error E0207: two sizes")
    assert "require H % 2 == 0" in text
    assert (explain("W0401") or "").startswith("warning W0401")
    assert explain("E9999") is None
    assert explain("Linear") is None
