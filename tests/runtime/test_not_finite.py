"""Weights with NaN or infinity are named wherever they come in, and not reported as a disagreement or a training that diverged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dlc.cli.app import run
from dlc.runtime import api, not_finite
from dlc.runtime.checkpoints import checkpoint
from dlc.runtime.failure import BadInput
from dlc.runtime.spec import SpecError

from .small_runs import MODEL, fit, spec

NET = """dlspec 1
model Net(x: [B, 4]) -> (y: [B, 2]) {
  y = x -> fc: Linear(4) -> bn: BatchNorm -> head: Linear(2)
}
data D {
  source = npz("d.npz")
  split = all("train")
  x: f32[4] = source.x
  target: f32[2] = source.y
}
train { model = Net; data = D; loss = mse(y, target); optimizer = SGD(0.1); batch = 4; duration = 1 steps; weights = file("w.pt") }
export { onnx = "m.onnx" }
"""


def spoilt() -> dict[str, Tensor]:
    values = {"fc.weight": torch.ones(4, 4), "fc.bias": torch.zeros(4), "head.weight": torch.ones(2, 4)}
    values |= {
        "head.bias": torch.zeros(2),
        **{f"bn.{name}": torch.ones(4) for name in ("weight", "bias", "running_mean", "running_var")},
    }
    values["fc.weight"][1, 2:] = float("nan")
    values["fc.weight"][0, 0] = -float("inf")
    values["bn.bias"][0] = float("inf")
    return values


WORDS = ("`fc.weight` has 2 NaN and 1 infinity in 16 numbers", "`bn.bias` has 1 infinity in 4 numbers")


def test_every_type_of_numbers() -> None:
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2):
        spoilt_ones = torch.tensor([1.0, float("nan"), float("inf")]).to(dtype)
        (words,) = not_finite.named(
            [("a", spoilt_ones), ("b", torch.ones(3).to(dtype)), ("c", torch.empty(0, dtype=dtype))]
        )
        assert words == "`a` has 1 NaN and 1 infinity in 3 numbers"
    assert not not_finite.named([("a", torch.tensor([2**62]))])


def test_a_mask_in_a_buffer() -> None:
    mask = torch.tensor([0.0, -float("inf")])
    assert not not_finite.named([("mask", mask)], {"mask"})
    assert not_finite.named([("mask", mask / 0)], {"mask"}) == ["`mask` has 1 NaN in 2 numbers"]


def test_weights_of_a_spec(tmp_path: Path) -> None:
    (tmp_path / "s.dlspec").write_text(NET)
    torch.save(spoilt(), tmp_path / "w.pt")
    with pytest.raises(SpecError) as caught:
        api.export(tmp_path / "s.dlspec", tmp_path / "m.onnx")
    (found,) = caught.value.diagnostics
    assert (found.code, found.notes) == ("E0606", WORDS)
    assert found.helps[-1] == 'keep the initial values of these: `skip = ["fc.weight", "bn.bias"]`'
    assert not (tmp_path / "m.onnx").exists()


def test_import_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, file = tmp_path / "s.dlspec", tmp_path / "w.safetensors"
    spec.write_text(NET.partition("data")[0])
    save_file(spoilt(), file)
    assert run(["import-weights", str(spec), str(file)]) == 2
    said = capsys.readouterr().err
    assert "error[E0606]: `w.safetensors` holds weights that are not numbers" in said
    assert all(words in said for words in WORDS)
    assert run(["import-weights", str(spec), str(file), "--suggest"]) == 0
    assert f"not finite: {WORDS[0]}" in capsys.readouterr().err


def test_given_weights(tmp_path: Path) -> None:
    (tmp_path / "s.dlspec").write_text(NET.partition("data")[0])
    with pytest.raises(BadInput, match="the weights are not numbers") as caught:
        api.export(tmp_path / "s.dlspec", tmp_path / "m.onnx", weights=spoilt())
    assert caught.value.code == "E0606"
    assert set(WORDS) < set(caught.value.notes)
    assert not (tmp_path / "m.onnx").exists()
    assert api.export(tmp_path / "s.dlspec", tmp_path / "m.onnx", weights=spoilt(), verify=False).parity is None


def test_a_checkpoint_of_a_run(tmp_path: Path) -> None:
    model = MODEL.replace("conv: Conv(4, 3) -> bn: BatchNorm -> relu -> flatten -> dropout(0.1)", "flatten")
    file = spec(tmp_path, model=model, **{"3 epochs": "3 steps", "best(val.acc)": "last"})
    made = fit(file, tmp_path / "run")
    (made.path / "result.json").unlink()
    saved = checkpoint.read(made.path / "last")
    saved.weights["head.bias"][3] = float("nan")
    checkpoint.write(made.path / "last", saved, {})
    uses = {
        "evaluate": lambda: api.evaluate(made.path),
        "predict": lambda: api.predict(made.path, {"image": torch.zeros(1, 1, 8, 8).numpy()}),
        "export": lambda: api.export(made.path, tmp_path / "m.onnx"),
        "weights": lambda: api.export_weights(made.path, "own", tmp_path / "m.safetensors"),
        "resume": lambda: fit(file, made.path, resume=True),
    }
    for name, use in uses.items():
        with pytest.raises(BadInput, match="not numbers") as caught:
            use()
        assert caught.value.code == "E0606", name
        assert "`head.bias` has 1 NaN in 10 numbers" in caught.value.notes, name
    assert not (tmp_path / "m.onnx").exists()
    assert not (tmp_path / "m.safetensors").exists()
