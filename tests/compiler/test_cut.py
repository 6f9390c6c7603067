"""Cuts of a model: from taps to taps, with expressions behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlc.compiler.check import check
from dlc.compiler.ir.model import Spec
from dlc.compiler.ir.submodel import cut
from dlc.compiler.messages.diagnostics import Diagnostic, Failed

TEXT = """dlspec 1
model Pair(x: [B, T, 4], mask: bool[B, T]) -> (y: [B, T, 2], z: [B, 3]) {
  require T <= 16
  h = x -> encoder: Linear(8) -> relu
  y = h -> head: Linear(2)
  kept = where(mask, sum(h, axis = -1), 0)
  z = sum(kept, axis = 1, keepdim = true) -> other: Linear(3)
}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    path = tmp_path / "pair.dlspec"
    path.write_text(TEXT, "utf-8")
    checked = check(path)
    assert checked.spec is not None, [d.message for d in checked.report.errors]
    return checked.spec


def rejected(spec: Spec, **options: list[str]) -> Diagnostic:
    with pytest.raises(Failed) as caught:
        cut(spec, spec.models[0], **options)  # type: ignore[arg-type]
    return caught.value.diagnostic


def test_nothing_asked_is_the_model_itself(spec: Spec) -> None:
    assert cut(spec, spec.models[0]) == (spec, spec.models[0])


def test_from_a_tap_to_an_output(spec: Spec) -> None:
    part, model = cut(spec, spec.models[0], inputs=["h"], outputs=["y"])
    body = part.body_of(model)
    assert [(value.name, str(value.type)) for value in body.inputs] == [("h", "f32[B, T, 8]")]
    assert [result.name for result in body.outputs] == ["y"]
    assert [instance.path for instance in body.instances] == ["head"]
    assert len(body.nodes) == 1
    assert spec.models[0].body != model.body, "the model itself is unchanged"


def test_an_output_alone_keeps_what_it_needs(spec: Spec) -> None:
    part, model = cut(spec, spec.models[0], inputs=["x"], outputs=["y", "h"])
    assert [instance.path for instance in part.body_of(model).instances] == ["encoder", "head"]
    assert model.bounds["T"][1] == 16, "facts about sizes that stay are kept"


def test_an_input_that_is_not_listed(spec: Spec) -> None:
    found = rejected(spec, inputs=["x"], outputs=["z"])
    assert found.code == "E0504"
    assert found.message == "the output `z` needs the input `mask`, which is not listed"
    assert found.helps == ("add `mask` to `inputs`",)


def test_an_unknown_name(spec: Spec) -> None:
    found = rejected(spec, outputs=["kpt"])
    assert (found.code, found.helps) == ("E0301", ("did you mean `kept`?",))


def test_a_size_that_no_input_carries(tmp_path: Path) -> None:
    path = tmp_path / "m.dlspec"
    path.write_text(
        "dlspec 1\nmodel M(x: [B, T, 4]) -> (y: [B, T, 1]) { s = sum(x, axis = 1)\n y = s[:, none, :1] + zeros([B, T, 1]) }",
        "utf-8",
    )
    checked = check(path)
    assert checked.spec is not None, [d.message for d in checked.report.errors]
    found = rejected(checked.spec, inputs=["s"], outputs=["y"])
    assert (found.code, found.message) == ("E0308", "no listed input has the size `T`")
