"""The pages of `dlc explain`: what a code means, what an operator or an entry of a recipe table does."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_SECTION = re.compile(r"^## ([EW]\d{4}): (.*)\n", re.MULTILINE)
_FENCE = re.compile(r"^```dlspec\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)


class Page(NamedTuple):
    """A code's title, its explanation, a spec that gets it and one that does not ("" where only a run can tell)."""

    code: str
    title: str
    text: str
    wrong: str
    right: str

    def __str__(self) -> str:
        parts = [f"{self.code}: {self.title}", self.text]
        if self.wrong:
            parts += ["This gets it:", _indented(self.wrong), "This does not:", _indented(self.right)]
        return "\n\n".join(part for part in parts if part)


@cache
def pages() -> dict[str, Page]:
    """All codes in the order of the register."""
    text = (Path(__file__).parent / "errors" / "explanations.md").read_text("utf-8")
    _, *parts = _SECTION.split(text)
    found: dict[str, Page] = {}
    for code, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        wrong, right = (_FENCE.findall(body) + ["", ""])[:2]
        found[code] = Page(code, title, _FENCE.sub("", body).strip(), wrong, right)
    return found


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.rstrip("\n").splitlines())
