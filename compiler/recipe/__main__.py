"""`python -m dlc.compiler.recipe`: write docs/sources.md from the definitions of sources."""

from __future__ import annotations

from pathlib import Path

from .sources_page import reference

if __name__ == "__main__":
    page = Path(__file__).parents[2] / "docs" / "sources.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(reference(), encoding="utf-8")
