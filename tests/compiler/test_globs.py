"""Path globs: what they match, as regular expressions would, in a time that grows with pattern and path alone."""

from __future__ import annotations

import random
import re
from typing import Any

from dlc.compiler.ir.globs import glob
from dlc.compiler.ir.wildcards import capture, fill, wildcards


def expression(pattern: str, *, captured: bool) -> re.Pattern[str]:
    deep, wide = ("((?:[^.]+[.])*)", "([^.]*)") if captured else ("(?:[^.]+[.])*", "[^.]*")
    parts = (deep if p == "**" else re.escape(p).replace(r"\*", wide) + "[.]" for p in pattern.split("."))
    return re.compile("".join(parts))


def test_they_match_what_expressions_match() -> None:
    rng = random.Random(5)
    matched = 0
    for _ in range(20_000):
        pattern = ".".join(
            rng.choice(["**", "a", "b", "*", "a*", "*b", "a*b*", "*a*"]) for _ in range(rng.randint(1, 4))
        )
        path = ".".join("".join(rng.choice("ab") for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(1, 4)))
        wanted = expression(pattern, captured=True).fullmatch(path + ".")
        assert glob(pattern).matches(path) == (wanted is not None), (pattern, path)
        assert capture(pattern, path) == (wanted.groups() if wanted is not None else None), (pattern, path)
        matched += wanted is not None
    assert matched > 2_000


def test_numbers_that_count_from_1() -> None:
    assert wildcards("part*+1.layer*+1.*") == ("*", "*", "*")
    assert fill("part*+1.layer*+10.*", ("0", "9", "weight")) == "part1.layer19.weight"
    assert fill("**.a*+1", ("x.y.", "b")) == "x.y.ab"  # what is not a number stays as it is


def test_many_stars_take_no_longer(within: Any) -> None:
    path = ".".join(["a" * 200] * 100)
    with within(1):
        for pattern in ("*a" * 100 + "b", ".".join(["**"] * 100) + ".b", ".".join(["**", "*a*"] * 50) + ".b"):
            assert not glob(pattern).matches(path)
            assert not glob(pattern).matches("a" * 5_000)
            assert capture(pattern, "a" * 300) is None
