"""`parameter_groups` of generated recipes gives every parameter what the selectors of the spec say, by plain conditions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from dlc.backends.pytorch.load import empty, load_source
from dlc.backends.pytorch.module import class_name, module_source
from dlc.backends.pytorch.recipe import recipe_functions, recipe_source
from dlc.compiler.check import check
from dlc.compiler.ir.expand import parameters, selects
from dlc.compiler.ir.model import Spec
from dlc.compiler.ir.train import Train

TEXT = """dlspec 1
data D {
  source = builtin("digits")
  split  = all("train")
  x: f32[1, 8, 8] = source.image
  y: i64 = source.label
}
model M(x: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = x -> flatten -> first: Linear(16) -> norm: LayerNorm -> repeat 3 { Linear(16) -> LayerNorm -> relu } -> head: Linear(10)
}
train {
  model = M
  data = D
  loss = cross_entropy(logits, y)
  optimizer = OPTIMIZER
  batch = 64
  duration = 2 epochs
  keep = last
  MORE
}
"""
BASE = "AdamW(lr = 0 -> linear(1e-3, 10 steps) -> cosine(0, rest), weight_decay = 0.1)"


def told(groups: dict[str, Any], net: nn.Module, step: int) -> dict[str, dict[str, Any]]:
    """Hyperparameters at a step by the parameter's path; each parameter stands once."""
    names = {id(p): name for name, p in net.named_parameters()}
    found: dict[str, dict[str, Any]] = {}
    for kind, parts in groups.items():
        for part in parts:
            values = {k: v(step) if callable(v) else v for k, v in part.items() if k != "params"}
            for p in part["params"]:
                assert names[id(p)] not in found
                found[names[id(p)]] = {"optimizer": kind, **values}
    return found


def made(tmp_path: Path, *more: str, optimizer: str = BASE) -> tuple[Spec, Train, Any, nn.Module, str]:
    file = tmp_path / "spec.dlspec"
    file.write_text(TEXT.replace("OPTIMIZER", optimizer).replace("MORE", "\n  ".join(more)), "utf-8")
    checked = check(file)
    assert checked.spec is not None, [d.message for d in checked.report.errors]
    spec = checked.spec
    model, train = spec.models[0], spec.recipe.trains[0]
    net = empty(getattr(load_source(module_source(spec, model)), class_name(model)))
    source = recipe_source(spec, train, 1000)
    return spec, train, load_source(source), net, source


SELECTORS = [
    ("rank < 2", "p.ndim < 2"),
    ('"head.**"', 'name.startswith("head.")'),
    ('"head.weight"', 'name == "head.weight"'),
    ('"first.**", "norm.**"', 'name.startswith(("first.", "norm."))'),
    ('"**.bias"', 'name.endswith(".bias")'),
    ("LayerNorm.weight", None),
    ("Linear", None),
    ('rank < 2, "head.weight"', 'p.ndim < 2 or name == "head.weight"'),
]


@pytest.mark.parametrize(("selector", "condition"), SELECTORS)
def test_a_group_is_what_its_selectors_choose(tmp_path: Path, selector: str, condition: str | None) -> None:
    spec, train, recipe, net, source = made(tmp_path, f"group {selector} {{ weight_decay = 0 }}")
    if condition is not None:
        assert f"if {condition}:" in source or f"if {condition}]" in source
    found = told(recipe.parameter_groups(net), net, 5)
    selectors = train.phases[0].updates[0].groups[0].selectors
    for entry in parameters(spec, spec.models[0]):
        inside = any(selects(s, entry.path, entry.layer, entry.leaf, len(entry.shape)) for s in selectors)
        assert found.pop(entry.path)["weight_decay"] == (0.0 if inside else 0.1)
    assert not found


def test_later_groups_win_and_scaled_schedules_follow_the_base(tmp_path: Path) -> None:
    more = (
        'group "head.**" { lr = base.lr / 4; weight_decay = 0.5 }', "group rank < 2 { weight_decay = 0 }",
        'group "norm.**" { lr = 0.25 }',
    )  # fmt: skip
    _, _, recipe, net, _ = made(tmp_path, *more)
    for step in (0, 7, 10, 20, 29):
        found = told(recipe.parameter_groups(net), net, step)
        assert found["head.weight"]["lr"] == pytest.approx(recipe.lr(step) / 4)
        assert found["head.weight"]["weight_decay"] == 0.5
        assert found["head.bias"]["lr"] == pytest.approx(recipe.lr(step) / 4)
        assert found["head.bias"]["weight_decay"] == 0.0
        assert (found["norm.weight"]["lr"], found["norm.weight"]["weight_decay"]) == (0.25, 0.0)
        assert (found["first.weight"]["lr"], found["first.weight"]["weight_decay"]) == (recipe.lr(step), 0.1)


OVERLAPPING = (
    'group "first.**", "norm.**" { lr = base.lr / 2 }',
    'group "head.**" { lr = base.lr / 5 }',
    "group rank < 2 { weight_decay = 0 }",
)


def test_groups_that_overlap_are_one_loop_with_a_condition_for_each(tmp_path: Path) -> None:
    _, _, recipe, net, source = made(tmp_path, *OVERLAPPING, 'freeze "norm.**"')
    assert source.count("p.ndim < 2") == 1
    assert source.count('"weight_decay"') == 2  # of the base, and of the group that changes it
    assert "elif" not in source
    for step in (0, 7, 29):
        found = told(recipe.parameter_groups(net), net, step)
        assert set(found) == {name for name, _ in net.named_parameters() if not name.startswith("norm.")}
        for name, p in net.named_parameters():
            if name in found:
                share = {"first": 2, "head": 5}.get(name.partition(".")[0], 1)
                assert found[name]["lr"] == pytest.approx(recipe.lr(step) / share)
                assert found[name]["weight_decay"] == (0.0 if p.ndim < 2 else 0.1)
    assert len(recipe.parameter_groups(net)["AdamW"]) == 6


def test_what_is_frozen_is_in_no_group(tmp_path: Path) -> None:
    _, _, recipe, net, _ = made(tmp_path, 'freeze "first.**"', 'freeze "norm.**" { until = 5 steps }')
    found = told(recipe.parameter_groups(net), net, 0)
    assert set(found) == {name for name, _ in net.named_parameters() if not name.startswith("first.")}


def test_muon_leaves_what_is_no_matrix_to_adamw(tmp_path: Path) -> None:
    _, _, recipe, net, _ = made(tmp_path, optimizer="Muon(lr = 0.02)")
    found = told(recipe.parameter_groups(net), net, 0)
    for name, p in net.named_parameters():
        assert found[name]["optimizer"] == ("Muon" if p.ndim == 2 else "AdamW")


@pytest.mark.parametrize("name", ["n_finetune", "l_vit", "e_gpt2", "j_dcgan", "distill_wgan", "scan_emit"])
def test_every_function_is_there(name: str, example: Callable[[str], Spec]) -> None:
    spec = example(name)
    for train in spec.recipe.trains:
        recipe = load_source(recipe_source(spec, train, 1000))
        for row in recipe_functions(spec, train, 1000).groups:
            assert all(callable(getattr(recipe, function.name)) for function in row)


def test_without_records_there_is_no_optimization(example: Callable[[str], Spec]) -> None:
    spec = example("e_gpt2")
    source = recipe_source(spec, spec.recipe.trains[0])
    assert "parameter_groups" not in source
    assert "def lr(" not in source
