"""`dlc explain` prints a page, or offers the nearest name."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_code(dlc: Dlc) -> None:
    page = dlc("explain", "e0207").stdout
    assert page.startswith("error E0207: ")
    assert "require" in page


def test_an_operator(dlc: Dlc) -> None:
    assert dlc("explain", "LayerNorm").stdout.startswith("LayerNorm(")


def test_near_names(dlc: Dlc) -> None:
    assert "did you mean `LayerNorm`?" in dlc("explain", "LayerNrm", code=2).stderr
    assert "nothing is called `E9999`" in dlc("explain", "E9999", code=2).stderr


def test_a_section_and_its_keys(dlc: Dlc) -> None:
    page = dlc("explain", "train").stdout
    assert page.startswith("train { .. }") and "  micro_batch  " in page
    assert "takes    a number of samples that divides `batch`" in dlc("explain", "micro_batch").stdout


def test_a_name_with_several_meanings_shows_them_all(dlc: Dlc) -> None:
    page = dlc("explain", "precision").stdout
    assert "    metric\n" in page and "key of train\n" in page and "key of export\n" in page


def test_words_of_other_tools(dlc: Dlc) -> None:
    assert dlc("explain", "accumulate").stdout == dlc("explain", "micro_batch").stdout


def test_a_word_of_the_language_a_command_and_a_word_of_other_tools(dlc: Dlc) -> None:
    assert "carry(" in dlc("explain", "scan").stdout
    assert dlc("explain", "build").stdout.startswith("dlc build    command\n")
    assert "leave it out" in dlc("explain", "compile", code=2).stderr
    assert "`standardize`" in dlc("explain", "StandardScaler", code=2).stderr
