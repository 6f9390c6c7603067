"""`python -m dlc.grammar`: write tables.json from dlspec.lark (needs lark, which nothing needs at run time)."""

from __future__ import annotations

from .generate import TABLES, render

if __name__ == "__main__":
    TABLES.write_text(render(), encoding="utf-8")
