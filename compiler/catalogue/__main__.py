"""`python -m dlc.compiler.catalogue`: write the reference pages in docs/ from the definitions of entries."""

from __future__ import annotations

from pathlib import Path

from . import page, sections_page

PAGES = {
    "operators.md": page.operators,
    "recipe.md": page.recipe,
    "recipe_keys.md": sections_page.reference,
    "sources.md": page.sources,
}

if __name__ == "__main__":
    docs = Path(__file__).parents[2] / "docs"
    docs.mkdir(exist_ok=True)
    for name, reference in PAGES.items():
        (docs / name).write_text(reference(), encoding="utf-8")
