"""Every entry of a recipe table documents itself."""

from __future__ import annotations

import pytest

from dlc.compiler.catalogue import explain


@pytest.mark.parametrize("name", explain.names())
def test_an_entry_has_a_page(name: str) -> None:
    page = explain.explain(name)
    assert page is not None
    assert name in page.splitlines()[0] and "Base" not in page


def test_a_name_may_stand_in_two_tables() -> None:
    page = explain.explain("random")
    assert page is not None
    assert "`split` of data" in page and "`method` of search" in page


def test_pages_say_what_arguments_are() -> None:
    page = explain.explain("AdamW")
    assert page is not None
    assert page.startswith("AdamW(lr = 0.001, betas = [0.9, 0.999], eps = 1e-08, weight_decay = 0.01)")
    assert "lr            a number of at least 0, or a schedule  default 0.001" in page
