"""JSON schemas of what `dlc build --emit ast` and `--emit ir` print: `ast.json` and `ir.json` in this folder.

They are derived from the classes of the syntax tree and of the IR; `python -m dlc.compiler.schemas` regenerates them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..ir.model import Spec
from ..ir.record import json_schema
from ..text.tree_json import ast_schema

FOLDER = Path(__file__).resolve().parent


def schemas() -> dict[str, dict[str, Any]]:
    """The schemas by file name, as the classes are now."""
    return {"ast.json": ast_schema(), "ir.json": json_schema(Spec, "dlspec intermediate representation")}


def text(schema: dict[str, Any]) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=1) + "\n"
