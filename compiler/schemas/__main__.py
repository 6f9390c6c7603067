"""Writes the schemas: `python -m dlc.compiler.schemas`."""

from __future__ import annotations

from . import FOLDER, schemas, text

for name, schema in schemas().items():
    (FOLDER / name).write_text(text(schema), "utf-8")
