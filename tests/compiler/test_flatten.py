"""One self-contained spec that means the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.check import Checked, check
from dlc.compiler.ir.expand import parameters
from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.resolve.flatten import flatten
from dlc.compiler.text.printer import print_file
from dlc.tests.sizes import thinned

LANGUAGE = Path(__file__).parent.parent / "language"
SPECS = sorted(LANGUAGE.glob("*/*.dlspec"))

Files = Callable[..., Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    def write(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name}.dlspec").write_text(text)
        return tmp_path / f"{next(iter(texts))}.dlspec"

    return write


def meaning(checked: Checked) -> dict[str, Any]:
    """The IR without places and names of files."""
    assert checked.spec is not None, checked.report.diagnostics

    def without_places(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_places(item) for key, item in value.items() if key not in ("span", "places")}
        return [without_places(item) for item in value] if isinstance(value, list) else value

    return without_places(checked.spec.model_dump(mode="json", exclude={"sources", "name", "params"}))


def paths(checked: Checked) -> dict[str, list[str]]:
    assert checked.spec is not None, checked.report.diagnostics
    return {model.name: [entry.path for entry in parameters(checked.spec, model)] for model in checked.spec.models}


def again(checked: Checked, tmp_path: Path) -> tuple[str, Checked]:
    """The flattened text, and what checking it gives."""
    assert checked.ok, checked.report.diagnostics
    text = print_file(flatten(checked.project))
    path = tmp_path / "flat" / "flat.dlspec"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return text, check(path)


@pytest.mark.parametrize("spec", thinned(SPECS, 3), ids=lambda path: path.stem)
def test_an_equal_ir(spec: Path, tmp_path: Path) -> None:
    checked = check(spec, root=LANGUAGE)
    text, flat = again(checked, tmp_path)
    assert meaning(flat) == meaning(checked)
    assert not any(word in text for word in ("import", "extends", "override"))


def test_settings_are_part_of_the_file(tmp_path: Path) -> None:
    spec = LANGUAGE / "features" / "swiglu.dlspec"
    checked = check(spec, ["ctx=64", "GPT2.depth=3", "batch=24"], "medium", root=LANGUAGE)
    text, flat = again(checked, tmp_path)
    assert meaning(flat) == meaning(checked)
    for line in (
        "param ctx = 64",
        "set GPT2.depth = 3",
        "set GPT2.d = 1024",
        "duration    = 20k steps",
        "batch       = 24",
    ):
        assert line in text
    assert "variant" not in text


PART = """param width = 3
param heads = -2
block Layer(n: int)(x: [B, D]) -> [B, D] { y = x -> Linear(n * width); y -> Linear(D) }
block Tower(n: int)(x: [B, D]) -> [B, D] { x -> Layer(n - heads) -> second: Layer(n) }
"""


def test_blocks_of_one_name_stay_apart_and_keep_their_paths(files: Files, tmp_path: Path) -> None:
    path = files(
        main='from "one.dlspec" import Tower\nfrom "two.dlspec" (width = 5) import Tower as Other\n'
        "block Layer(n: int)(x: [B, D]) -> [B, D] { x -> Linear(n) -> Linear(D) }\n"
        "model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> Tower(2) -> Other(3) -> Layer(4) -> seq: { Other(1) } }",
        one=PART,
        two=PART.replace("-> Layer", "-> first: Layer"),
    )
    checked = check(path)
    text, flat = again(checked, tmp_path)
    assert paths(flat) == paths(checked)
    assert {"tower.layer.linear.weight", "other.second.linear.weight", "layer.linear.weight"} < set(paths(flat)["M"])
    assert "width" not in text


def test_three_unlabelled_blocks_of_one_name_cannot_be_told_apart(files: Files) -> None:
    path = files(
        main='from "one.dlspec" import Tower\nfrom "two.dlspec" import Tower as Other\n'
        "block Layer(n: int)(x: [B, D]) -> [B, D] { x -> Linear(n) -> Linear(D) }\n"
        "model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> Tower(2) -> Other(3) -> Layer(4) }",
        one=PART,
        two=PART,
    )
    with pytest.raises(Failed) as caught:
        flatten(check(path).project)
    assert caught.value.diagnostic.code == "E0311"
    assert "label" in caught.value.diagnostic.helps[0]


def test_imported_parameters_stay_parameters_when_the_file_can_set_them(files: Files, tmp_path: Path) -> None:
    part = "param ctx = 8\nblock Body(x: [B, D]) -> [B, D] { x -> Linear(ctx) -> Linear(D) }"
    path = files(
        main='from "part.dlspec" import Body, ctx as size\nparam width = 2 * size\n'
        "model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> Body -> up: Linear(width) -> Linear(4) }",
        part=part,
    )
    checked = check(path, ["size=16"])
    text, flat = again(checked, tmp_path)
    assert meaning(flat) == meaning(checked)
    assert "param size = 16" in text
    assert "param width = 2 * size" in text
    assert "Linear(size)" in text


def test_a_parameter_gives_way_to_a_name_inside_an_imported_block(files: Files, tmp_path: Path) -> None:
    path = files(
        main='from "part.dlspec" import Body\nparam n = 7\n'
        "model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> Body(3) -> up: Linear(n) -> Linear(4) }",
        part="block Body(n: int)(x: [B, D]) -> [B, D] { x -> Linear(n) -> Linear(D) }",
    )
    checked = check(path)
    text, flat = again(checked, tmp_path)
    assert meaning(flat) == meaning(checked)
    assert "param n_ = 7" in text


def test_a_name_of_the_tables_is_not_hidden_for_others(files: Files, tmp_path: Path) -> None:
    path = files(
        main='from "part.dlspec" import Body\nmodel M(x: [B, 4]) -> (y: [B, 4]) { y = x -> Body -> LayerNorm }',
        part="block LayerNorm(x: [B, D]) -> [B, D] { x -> Linear(D) }\n"
        "block Body(x: [B, D]) -> [B, D] { x -> LayerNorm }",
    )
    checked = check(path)
    _, flat = again(checked, tmp_path)
    assert paths(flat) == paths(checked)


def test_negative_values_and_lists_are_written_out(files: Files, tmp_path: Path) -> None:
    path = files(
        main='from "part.dlspec" import Body\nmodel M(x: [B, 4]) -> (y: [B, 4]) { y = x -> Body }',
        part="param low = -2\nparam sizes = [3, 5]\nparam rate = 1 / 3\n"
        "block Body(x: [B, D]) -> [B, D] {\n"
        "  y = x -> for n in sizes { Linear(n - low) } -> dropout(rate)\n"
        "  y ** 2 * low ** 2 -> Linear(D)\n}",
    )
    checked = check(path)
    text, flat = again(checked, tmp_path)
    assert meaning(flat) == meaning(checked)
    assert "(-2) ** 2" in text


def test_functions_and_layers_stay_parameters_for_layers_are_named_after_them(files: Files, tmp_path: Path) -> None:
    path = files(
        use="""dlspec 1
from "lib.dlspec" (act = leaky_relu(0.2)) import Mlp, scaled
from "lib.dlspec" (scaled = LayerNorm) import Mlp as Other
param f: fn = if 2 > 1 { tanh } else { relu }
block Mix(size: int)(x: [B, D]) -> [B, D] { x -> fc: Linear(size) -> out: Linear(D) }
block Top(a: fn)(x: [B, D]) -> [B, D] { x -> mlp: Mlp -> a }
model Net(x: [B, 8]) -> (y: [B, 8]) { y = x -> Other -> t: Top(f) -> m: Mix(3) -> scaled }
""",
        lib="""dlspec 1
param act: fn = gelu
param scaled: layer = RMSNorm(1e-5)
param last = relu
block Mlp(x: [B, D]) -> [B, D] { x -> scaled -> fc: Linear(2 * D) -> act -> proj: Linear(D) -> last }
""",
    ).with_name("use.dlspec")
    for overrides in ((), ("f=silu", "scaled=LayerNorm(eps = 1e-3)")):
        checked = check(path, overrides)
        text, flat = again(checked, tmp_path)
        before, after = meaning(checked), meaning(flat)
        for body in (*before["bodies"], *after["bodies"]):
            body["name"] = body["name"].replace("Other", "Mlp")  # what a use calls it is its name here
        assert after == before
        assert "other.scaled.weight" in paths(flat)["Net"]
        assert text.count("leaky_relu(0.2)") == 1
