"""The IR is data: it survives JSON, and it expands to the paths and counts that are published."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dlc.compiler.check import Checked, check
from dlc.compiler.ir.expand import parameter_count, parameters
from dlc.compiler.ir.model import Spec

LANGUAGE = Path(__file__).resolve().parent.parent / "language"

#: Published parameter counts (reference.md), by example and model.
COUNTS = {
    ("c_resnet50", "ResNet50"): 25_557_032,
    ("e_gpt2", "GPT2"): 124_439_808,
    ("f_llama3", "Llama"): 8_030_261_248,
    ("g_bert", "BertMlm"): 109_514_298,
    ("l_vit", "ViT"): 86_567_656,
    ("m_mobilenet_v3", "MobileNetV3"): 5_483_032,
    ("k_unet", "UNet"): 31_037_698,
}
EXAMPLES = sorted(path.stem for path in (LANGUAGE / "examples").glob("*.dlspec"))


def checked(name: str) -> Checked:
    return check(LANGUAGE / "examples" / f"{name}.dlspec", root=LANGUAGE)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_checks_and_survives_json(name: str) -> None:
    result = checked(name)
    assert result.report.errors == []
    assert result.spec is not None
    again = Spec.model_validate_json(result.spec.model_dump_json())
    assert again == result.spec


@pytest.mark.parametrize(("name", "model"), COUNTS)
def test_published_counts(name: str, model: str) -> None:
    spec = checked(name).spec
    assert spec is not None
    found = spec.model(model)
    assert parameter_count(spec, found) == COUNTS[name, model]
    assert sum(e.size for e in parameters(spec, found) if not e.buffer) == COUNTS[name, model]


def test_gpt2_decays_matrices_only() -> None:
    spec = checked("e_gpt2").spec
    assert spec is not None
    table = list(parameters(spec, spec.models[0]))
    matrices = [entry for entry in table if len(entry.shape) >= 2]
    vectors = [entry for entry in table if len(entry.shape) < 2]
    assert (len(matrices), sum(e.size for e in matrices)) == (50, 124_318_464)
    assert (len(vectors), sum(e.size for e in vectors)) == (98, 121_344)


def test_init_rules_of_the_model_win_over_defaults() -> None:
    spec = checked("e_gpt2").spec
    assert spec is not None
    table = {entry.path: entry for entry in parameters(spec, spec.models[0])}
    projection = table["h.7.attn.c_proj.weight"].init
    assert projection is not None and projection.name == "normal"
    assert projection.args["std"] == pytest.approx(0.02 / (2 * 12) ** 0.5)
    assert table["h.7.attn.c_attn.bias"].init.name == "zeros"  # type: ignore[union-attr]
    assert table["wte.weight"].init.args["std"] == 0.02  # type: ignore[union-attr]


def test_a_repeat_is_one_body(tmp_path: Path) -> None:
    program = (
        "dlspec 1\nblock Block(x: [B, D]) -> [B, D] { x -> fc: Linear(D) -> relu }\n"
        "model M(depth = 1)(x: [B, 8]) -> (y: [B, 8]) { y = x -> h: repeat depth { Block } }\n"
    )
    path = tmp_path / "deep.dlspec"
    path.write_text(program)
    (one, many) = (check(path, [f"depth={depth}"]).spec for depth in (1, 1000))
    assert one is not None and many is not None
    assert len(one.bodies) == len(many.bodies)
    assert [e.path for e in parameters(many, many.models[0])][-1] == "h.999.fc.bias"
    shutil.rmtree(tmp_path)
