"""Every stage of the compiler has an output to look at, and needs no stage after it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.check import STAGES, Compilation, check, run
from dlc.compiler.emit import VIEWS, emitted
from dlc.compiler.ir.model import Spec
from dlc.compiler.ir.recipe import Recipe
from dlc.compiler.text.tree_json import ast_from_json

SPEC = """dlspec 1
from "blocks.dlspec" import Double
param width = 8
data D {
  source = builtin("digits")
  split = random(train = 0.8, val = 0.2, seed = 0)
  image: f32[1, 8, 8] = source.image
  label: i64 = source.label
}
model M(n: int = 1)(image: [B, 1, 8, 8]) -> (probs: [B, 10]) {
  probs = image -> flatten -> repeat n { Linear(width) -> Double } -> head: Linear(10) -> softmax
}
train { model = M(n = 2); data = D; loss = cross_entropy(probs, label); optimizer = SGD(0.1); batch = 8; duration = 1 epochs }
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "blocks.dlspec").write_text("dlspec 1\nblock Double(x: [B, D]) -> [B, D] { 2 * x }\n", "utf-8")
    path = tmp_path / "spec.dlspec"
    path.write_text(SPEC, "utf-8")
    return path


def output(stage: str, path: Path, *overrides: str) -> Any:
    name, text = emitted(stage, run(Compilation(path, overrides), stage))
    assert name.startswith(f"{stage}.")
    return json.loads(text) if name.endswith(".json") else text


def test_every_stage_has_an_output(spec: Path) -> None:
    assert list(VIEWS) == list(STAGES)
    for stage in STAGES:
        output(stage.__name__, spec)


def test_every_stage_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "json.md").read_text("utf-8").partition("## The stages")[2]
    assert re.findall(r"^\| `(\w+)`", page, re.MULTILINE) == [stage.__name__ for stage in STAGES]


def test_load_gives_the_trees_of_all_files(spec: Path) -> None:
    assert [Path(ast_from_json(tree).span.file).name for tree in output("load", spec)] == [
        "spec.dlspec",
        "blocks.dlspec",
    ]


def test_resolve_gives_a_spec_that_means_the_same(spec: Path) -> None:
    text = output("resolve", spec, "width=16")
    flat = spec.with_name("flat.dlspec")
    flat.write_text(text, "utf-8")
    one, other = check(spec, ["width=16"]).spec, check(flat).spec
    assert one is not None
    assert other is not None
    assert "import" not in text
    assert [body.nodes[-1].outputs[0].type for body in one.bodies] == [
        body.nodes[-1].outputs[0].type for body in other.bodies
    ]


def test_roots_gives_the_uses_of_models(spec: Path) -> None:
    (use,) = output("roots", spec)
    assert (use["model"], use["use"]) == ("M", "M(n = 2)")
    line = SPEC.splitlines()[use["start"]["line"] - 1]
    assert line[use["start"]["column"] - 1 : use["end"]["column"] - 1] == "M(n = 2)"


def test_elaborate_and_bind_are_the_halves_of_the_ir(spec: Path) -> None:
    whole = check(spec).spec
    assert whole is not None
    models = Spec.model_validate(output("elaborate", spec))
    assert models.models == whole.models
    assert whole.bodies[: len(models.bodies)] == models.bodies
    assert models.recipe == Recipe()
    assert Recipe.model_validate(output("bind", spec)) == whole.recipe


def test_pair_gives_what_it_found(spec: Path) -> None:
    assert output("bind", spec)  # finds nothing
    assert [found["code"] for found in output("pair", spec)] == ["W0401"]


def test_a_later_mistake_does_not_matter(spec: Path) -> None:
    spec.write_text(SPEC.replace("head: Linear(10)", "head: Linear(11)"), "utf-8")
    for stage in STAGES:
        found = run(Compilation(spec), stage.__name__)
        assert found.report.ok == (STAGES.index(stage) < [s.__name__ for s in STAGES].index("elaborate"))
        if found.report.ok:
            emitted(stage.__name__, found)
