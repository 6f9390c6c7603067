"""`dlc build` of a fine-tuning: what is loaded, what is frozen when, which rate each part has. Ben's story."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from dlc.compiler.check import check
from dlc.compiler.ir.expand import parameters

EXAMPLES = Path(__file__).resolve().parents[1] / "language" / "examples"

FLOWERS = """dlspec 1
from "c_resnet50.dlspec" import ResNet50

data Flowers {
  source = image_folder("data/flowers/{split}")
  split  = folders(train = "train", val = "val", test = "test")
  image: f32[3, 224, 224] = source.image -> resize(256) -> center_crop(224) -> normalize("imagenet")
  label: i64 = source.label
}

train {
  model     = ResNet50(classes = 102)
  data      = Flowers
  weights   = torchvision("resnet50", "IMAGENET1K_V2", skip = ["fc.**"])
  loss      = cross_entropy(logits, label)
  batch     = 64
  optimizer = AdamW(lr = 1e-3)
  phase head { duration = 3 epochs; freeze not_fc }
  phase all {
    duration = 20 epochs
    freeze "conv1.**", "bn1.**"
    group "layer4.**" { lr = base.lr / 3 }
    group "layer3.**" { lr = base.lr / 10 }
    group "layer1.**", "layer2.**" { lr = base.lr / 30 }
  }
}
""".replace("not_fc", '"conv1.**", "bn1.**", "layer*.**"')


WRONG_FILE = """\
error[E0405]: `vit.safetensors` does not fit: 267 of our 320 tensors have no source, 30 of its 30 tensors are unused
  --> flowers.dlspec:14:15
   |
14 |   weights   = file("vit.safetensors")
   |               ^^^^^^^^^^^^^^^^^^^^^^^
   |
   = note: without a source: `conv1.weight` [64, 3, 7, 7], `bn1.weight` [64], `bn1.bias` [64], \
`bn1.running_mean` [64] and 263 more
   = note: unused: `blocks.0.attn.qkv.bias` [1], `blocks.0.attn.qkv.weight` [1], `blocks.1.attn.qkv.bias` [1], \
`blocks.1.attn.qkv.weight` [1] and 26 more
   = note: its names look like those of a ViT (timm)
   = help: `dlc import-weights SPEC FILE --suggest` proposes a weight map

1 error
"""
NO_SKIP = """\
error[E0405]: `r.pt` does not fit: 2 tensors have another shape
  --> flowers.dlspec:14:15
   |
14 |   weights   = file("r.pt")
   |               ^^^^^^^^^^^^
   |
   = note: another shape: `fc.weight` is [1000, 2048] there, [102, 2048] here, `fc.bias` is [1000] there, [102] here
   = help: `skip = ["fc.**"]` leaves these as initialised

1 error
"""


@pytest.fixture
def flowers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    shutil.copy(EXAMPLES / "c_resnet50.dlspec", tmp_path)
    (tmp_path / "flowers.dlspec").write_text(FLOWERS, "utf-8")
    for number in range(102):
        for split in ("train", "val", "test"):
            folder = tmp_path / "data" / "flowers" / split / f"{number:03}"
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8), (number, 2 * number, 99)).save(folder / "0.png")
    return tmp_path / "flowers.dlspec"


def published(file: Path, classes: int = 1000) -> dict[str, torch.Tensor]:
    """A state dict of ResNet-50 that weighs nothing: every tensor is one stretched number."""
    spec = check(file.with_name("c_resnet50.dlspec")).spec
    assert spec is not None
    found: dict[str, torch.Tensor] = {}
    for entry in parameters(spec, spec.models[0]):
        shape = (classes, *entry.shape[1:]) if entry.path.startswith("fc.") else entry.shape
        found[entry.path] = torch.zeros((), dtype=torch.int64 if entry.dtype == "i64" else None).expand(shape)
    return found


def lines(text: str, *labels: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(labels)]


def test_bens_story(flowers: Path, dlc: Callable[..., Any]) -> None:
    place = flowers.parent / "torch" / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth"
    place.parent.mkdir(parents=True)
    torch.save(published(flowers), place)
    out = dlc("build", str(flowers)).stdout
    assert lines(out, "weights", "frozen", "phase", "rates") == [
        "weights  resnet50 IMAGENET1K_V2: 318 of 320 tensors loaded; skipped fc.weight, fc.bias; 0 unused",
        "phase head 1 steps an epoch x 3 = 3 steps of 64; AdamW lr 0.001, weight decay 0.01",
        "frozen   trains 2 of 161 tensors (208,998 parameters); 159 frozen, with 53 batch norms in eval mode",
        "phase all 1 steps an epoch x 20 = 20 steps of 64; AdamW lr 0.001, weight decay 0.01",
        "frozen   trains 158 of 161 tensors (23,707,494 parameters); 3 frozen, with 1 batch norm in eval mode",
        "rates    lr 0.001: fc   0.000333: layer4   0.0001: layer3   3.33e-05: layer1, layer2",
    ]


def test_what_thaws(flowers: Path, dlc: Callable[..., Any]) -> None:
    text = FLOWERS[: FLOWERS.index("  phase head")] + '  duration = 15 epochs\n  freeze "conv1.**", "bn1.**"\n'
    flowers.write_text(text + '  freeze "layer*.**" { until = 3 epochs }\n}\n', "utf-8")
    out = dlc("build", str(flowers)).stdout
    assert (
        "  frozen   trains 2 of 161 tensors (208,998 parameters); 159 frozen, with 53 batch norms in eval mode\n" in out
    )
    assert (
        "after 3 epochs trains 158 of 161 tensors (23,707,494 parameters); 3 frozen, with 1 batch norm in eval mode"
        in out
    )


def test_weights_that_are_not_here(flowers: Path, dlc: Callable[..., Any]) -> None:
    out = dlc("build", str(flowers)).stdout
    assert lines(out, "weights")[0].startswith("weights  resnet50 IMAGENET1K_V2: not found; download them: `curl ")


def test_the_wrong_file(flowers: Path, dlc: Callable[..., Any]) -> None:
    """Counts and samples of both sides, and what the file seems to be."""
    names = ["cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight", "norm.bias"]
    for block in range(12):
        names += [f"blocks.{block}.attn.qkv.{leaf}" for leaf in ("weight", "bias")]
    save_file({name: torch.zeros(1) for name in names}, flowers.parent / "vit.safetensors")
    flowers.write_text(
        FLOWERS.replace('torchvision("resnet50", "IMAGENET1K_V2", skip = ["fc.**"])', 'file("vit.safetensors")')
    )
    err = dlc("build", flowers.name, code=2).stderr
    assert err == WRONG_FILE


def test_no_skip(flowers: Path, dlc: Callable[..., Any]) -> None:
    """The old head does not fit: both shapes, and the remedy."""
    torch.save(published(flowers), flowers.parent / "r.pt")
    flowers.write_text(FLOWERS.replace('torchvision("resnet50", "IMAGENET1K_V2", skip = ["fc.**"])', 'file("r.pt")'))
    err = dlc("build", flowers.name, code=2).stderr
    assert err == NO_SKIP
