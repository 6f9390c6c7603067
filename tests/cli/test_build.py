"""`dlc build`: the plan it tells, the files it writes, the stages it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dlc.cli.plan import plan_lines
from dlc.compiler.check import check
from dlc.compiler.ir.model import Spec

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "language" / "examples"

PLAN = """\
digits_mlp.dlspec   DigitsMlp  26,122 parameters
  data     1,797 records in 10 classes: 0 1 2 3 4 5 6 7 ...   train 1,348  val 90  test 359
  binds    image -> DigitsMlp.image [B, 1, 8, 8]      label -> loss, metrics
  recipe   21 steps an epoch x 40 = 840 steps of 64; AdamW lr 0.003, cosine to 0, weight decay 0.01
  export   digits_mlp.onnx: image f32[B, 1, 8, 8] -> probs f32[B, 10]
"""
#: Published parameter counts.
COUNTS = {
    "c_resnet50": 25_557_032,
    "e_gpt2": 124_439_808,
    "f_llama3": 8_030_261_248,
    "g_bert": 109_514_298,
    "k_unet": 31_037_698,
    "l_vit": 86_567_656,
    "m_mobilenet_v3": 5_483_032,
}


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "specs" / "digits_mlp.dlspec", tmp_path))


def test_plan_and_files(digits: Path, dlc: Dlc) -> None:
    assert dlc("build", "digits_mlp.dlspec").stdout == PLAN
    written = digits.parent / "build" / "digits_mlp"
    assert {path.name for path in written.iterdir()} == {"model.py", "recipe.py", "ir.json", "facts"}
    assert "class DigitsMlp(nn.Module):" in (written / "model.py").read_text("utf-8")
    assert Spec.model_validate_json((written / "ir.json").read_text("utf-8")).name == "digits_mlp"
    assert dlc("build", "digits_mlp.dlspec", "-o", "elsewhere").stdout == PLAN  # and again from the cached facts
    assert (digits.parent / "elsewhere" / "model.py").exists()


def test_without_the_data(tmp_path: Path, dlc: Dlc) -> None:
    shutil.copy(EXAMPLES / "e_gpt2.dlspec", tmp_path)
    done = dlc("build", "e_gpt2.dlspec", code=2)
    assert "error[E0412]: there is no file `" in done.stderr and "openwebtext" in done.stderr
    assert "--data-root DIR" in done.stderr
    assert not done.stdout and not (tmp_path / "build").exists()
    assert "GPT2" in dlc("build", "e_gpt2.dlspec", "--emit", "summary").stdout


def test_the_plan_without_data() -> None:
    checked = check(EXAMPLES / "e_gpt2.dlspec")
    assert checked.spec is not None
    lines = plan_lines("e_gpt2.dlspec", checked.spec, {})
    assert lines[0] == "e_gpt2.dlspec   GPT2  124,439,808 parameters"
    assert lines[1] == "  data     not read: shapes from the spec"
    assert "  decay    50 of 148 tensors (others excluded by `group rank < 2`)" in lines


def test_a_frozen_part_is_told() -> None:
    checked = check(EXAMPLES / "n_finetune.dlspec")
    assert checked.spec is not None
    told = "\n".join(plan_lines("n_finetune.dlspec", checked.spec, {}))
    assert "frozen   trains 32 of 161 tensors (15,173,734 parameters); 129 frozen" in told


def test_the_classes_are_those_of_the_target(tmp_path: Path, dlc: Dlc) -> None:
    (tmp_path / "t.csv").write_text("city,answer\n" + "Rome,yes\nOslo,no\n" * 20)
    (tmp_path / "t.dlspec").write_text("""dlspec 1
data D {
  source = csv("t.csv"); split = all("train")
  city: i64 = source.city -> category
  answer: i64 = source.answer -> category
}
model N(city: i64[B]) -> (logits: [B, 2]) { logits = city -> fc: Embedding(2, 2) }
train { model = N; data = D; loss = cross_entropy(logits, answer); optimizer = SGD(0.1); batch = 4; duration = 1 epochs }
""")
    assert "40 records in 2 classes: no yes" in dlc("build", "t.dlspec").stdout


@pytest.mark.parametrize("name", COUNTS)
def test_summary_has_the_published_count(name: str, dlc: Dlc) -> None:
    said = json.loads(dlc("build", str(EXAMPLES / f"{name}.dlspec"), "--emit", "summary", "--format", "json").stdout)
    assert said["parameters"] == COUNTS[name]
    assert said["parameters"] == sum(layer["parameters"] for layer in said["layers"])
    assert said["flops"] == sum(layer["flops"] for layer in said["layers"]) > 0
    assert said["model"]


def test_summary_table(digits: Path, dlc: Dlc) -> None:
    lines = dlc("build", "digits_mlp.dlspec", "hidden=96", "--emit", "summary").stdout.splitlines()
    assert lines[1].split() == ["path", "operator", "output", "parameters", "FLOPs"]
    assert lines[2].split() == ["fc1", "Linear", "f32[B,", "96]", "6,240", "12.3", "k"]
    assert "parameters  16,522" in lines


def test_stages(digits: Path, dlc: Dlc) -> None:
    assert json.loads(dlc("build", "digits_mlp.dlspec", "--emit", "ast").stdout)
    assert (
        Spec.model_validate_json(dlc("build", "digits_mlp.dlspec", "--emit", "ir").stdout).models[0].name == "DigitsMlp"
    )
    assert "class DigitsMlp" in dlc("build", "digits_mlp.dlspec", "--emit", "pytorch").stdout
    assert "Gemm" in dlc("build", "digits_mlp.dlspec", "--emit", "onnx").stdout
    assert not (digits.parent / "build").exists()


def test_a_stage_of_the_compiler(digits: Path, dlc: Dlc) -> None:
    assert [use["model"] for use in json.loads(dlc("build", "digits_mlp.dlspec", "--emit", "roots").stdout)] == [
        "DigitsMlp"
    ]
    resolved = ("digits_mlp.dlspec", "hidden=96")
    dlc("build", *resolved, "--emit", "resolve", "-o", "out")
    assert (digits.parent / "out" / "resolve.dlspec").read_text("utf-8") == dlc("build", *resolved, "--resolved").stdout
    digits.write_text(digits.read_text("utf-8").replace("Linear(classes)", "Linaer(classes)"), "utf-8")
    assert dlc("build", "digits_mlp.dlspec", "--emit", "roots").stdout
    assert "Linaer" in dlc("build", "digits_mlp.dlspec", "--emit", "elaborate", code=2).stderr


def test_resolved_is_a_spec_that_means_the_same(digits: Path, dlc: Dlc) -> None:
    flat = dlc("build", "digits_mlp.dlspec", "hidden=96", "--resolved").stdout
    (digits.parent / "flat.dlspec").write_text(flat, "utf-8")
    assert dlc("diff", "digits_mlp.dlspec", "flat.dlspec").stdout.strip() != ""
    one = dlc("build", "digits_mlp.dlspec", "hidden=96", "--emit", "summary").stdout
    assert dlc("build", "flat.dlspec", "--emit", "summary").stdout == one


def test_a_mistake_in_an_override_points_at_the_argument(digits: Path, dlc: Dlc) -> None:
    said = dlc("build", "digits_mlp.dlspec", "hidden=2.5", code=2).stderr
    assert "hidden=2.5" in said
    assert "^^^" in said
