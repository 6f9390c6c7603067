"""`python -m dlc.compiler.catalogue`: write docs/sources.md, docs/recipe.md and docs/recipe_keys.md from the definitions of entries."""

from __future__ import annotations

from pathlib import Path

from . import page, sections_page, sources_page

if __name__ == "__main__":
    docs = Path(__file__).parents[2] / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "sources.md").write_text(sources_page.reference(), encoding="utf-8")
    (docs / "recipe_keys.md").write_text(sections_page.reference(), encoding="utf-8")
    (docs / "recipe.md").write_text(page.reference(), encoding="utf-8")
