"""`python -m dlc.compiler.catalogue.ops`: write docs/operators.md from the definitions of operators."""

from __future__ import annotations

from pathlib import Path

from .page import reference

if __name__ == "__main__":
    page = Path(__file__).parents[3] / "docs" / "operators.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(reference(), encoding="utf-8")
