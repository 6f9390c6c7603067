"""The JSON that `dlc build --emit ast|ir` prints: its schemas are current, fit every spec, and the JSON round-trips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from dlc.compiler.check import check
from dlc.compiler.ir.model import Spec
from dlc.compiler.messages.source import Source
from dlc.compiler.schemas import FOLDER, schemas, text
from dlc.compiler.text.parse import parse
from dlc.compiler.text.read import read_source
from dlc.compiler.text.tree_json import ast_from_json, ast_to_json
from dlc.tests.sizes import thinned

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted([*(ROOT / "tests" / "language").glob("*/*.dlspec"), *(ROOT / "specs").rglob("*.dlspec")])


def branch(validator: Any, branches: list[Any], instance: Any, schema: Any) -> Iterator[ValidationError]:
    """`anyOf` and `oneOf`, without the branches that are about something else by their `type` or `kind`: the library goes
    through every branch to its end, and they nest."""

    def fits(option: dict[str, Any]) -> bool:
        name = option.get("$ref", "").rpartition("/")[2]
        if not name or not isinstance(instance, dict):
            return True
        properties = DEFINITIONS[name].get("properties", {})
        return all(
            properties[key].get("const", instance.get(key)) == instance.get(key)
            for key in ("type", "kind")
            if key in properties
        )

    yield from Draft202012Validator.VALIDATORS["anyOf"](
        validator, [o for o in branches if fits(o)] or branches, instance, schema
    )


DEFINITIONS: dict[str, Any] = {name: value for schema in schemas().values() for name, value in schema["$defs"].items()}
Validator = extend(Draft202012Validator, {"anyOf": branch, "oneOf": branch})
VALIDATORS = {name: Validator(schema) for name, schema in schemas().items()}


def fits(name: str, value: Any) -> None:
    for error in VALIDATORS[name].iter_errors(value):
        pytest.fail(f"{error.json_path}: {error.message[:300]}")


def test_current() -> None:
    for name, schema in schemas().items():
        Draft202012Validator.check_schema(schema)
        assert (FOLDER / name).read_text("utf-8") == text(schema), "python -m dlc.compiler.schemas"
    assert {path.name for path in FOLDER.glob("*.json")} == set(schemas())
    assert "Gap" not in DEFINITIONS, "a valid text has no statement that could not be read"


@pytest.mark.parametrize("path", thinned(SPECS, 4), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_spec(path: Path) -> None:
    source = read_source(path)
    assert isinstance(source, Source)
    file, _ = parse(source)
    assert file is not None
    tree = json.loads(json.dumps(ast_to_json(file)))
    fits("ast.json", tree)
    again = ast_from_json(tree)
    assert ast_to_json(again) == tree
    checked = check(path)
    assert checked.spec is not None, checked.report.diagnostics
    written = checked.spec.model_dump_json()
    fits("ir.json", json.loads(written))
    assert Spec.model_validate_json(written) == checked.spec


def test_what_does_not_fit_is_found() -> None:
    file, _ = parse(Source("a", "dlspec 1\nparam a = 1\n"))
    assert file is not None
    tree = ast_to_json(file)
    tree["tree"]["items"][0]["nam"] = 1
    assert list(VALIDATORS["ast.json"].iter_errors(tree))
    assert list(VALIDATORS["ir.json"].iter_errors({"edition": "1"}))
