"""`python -m dlc.compiler.catalogue`: write docs/sources.md and docs/recipe.md from the definitions of entries."""

from __future__ import annotations

from pathlib import Path

from . import page, sources_page

if __name__ == "__main__":
    docs = Path(__file__).parents[2] / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "sources.md").write_text(sources_page.reference(), encoding="utf-8")
    (docs / "recipe.md").write_text(page.reference(), encoding="utf-8")
