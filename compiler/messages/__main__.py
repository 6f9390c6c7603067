"""`python -m dlc.compiler.messages`: write docs/diagnostics.md from the register."""

from __future__ import annotations

from pathlib import Path

from .register import reference

if __name__ == "__main__":
    page = Path(__file__).parents[2] / "docs" / "diagnostics.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(reference(), encoding="utf-8")
