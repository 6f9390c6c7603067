"""`dlc export --weights`: the foreign library loads what is written, strictly, and answers the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import dlc
from dlc.runtime.api import export_weights
from dlc.runtime.failure import BadInput

SPECS = Path(dlc.__file__).parent / "specs"
EXAMPLES = Path(__file__).resolve().parents[1] / "language" / "examples"
TINY = {"ctx": 16, "GPT2.vocab": 128, "GPT2.d": 32, "GPT2.depth": 2, "GPT2.heads": 4}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def gpt2() -> nn.Module:
    import transformers

    config = transformers.GPT2Config(
        vocab_size=128, n_positions=16, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2
    )
    return transformers.GPT2LMHeadModel(config).eval()


def test_a_trained_gpt2_goes_to_transformers(tmp_path: Path) -> None:
    spec = dlc.load(SPECS / "gpt2.dlspec", "small", **TINY, **{"train.duration": "2 steps", "train.batch": 32})
    run = dlc.train(spec, out=tmp_path / "run")
    made = export_weights(run, "openai")
    assert made.path == tmp_path / "run" / "export" / "gpt2.openai.safetensors"
    reference = gpt2()
    reference.transformer.load_state_dict(load_file(made.path), strict=True)
    module = spec.module().eval()
    module.load_state_dict(load_file(run.directory.kept() / "model.safetensors"))
    tokens = torch.randint(0, 128, (2, 16))
    with torch.no_grad():
        ours = module(tokens)
        theirs = reference(input_ids=tokens).logits
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_a_directory_for_from_pretrained(tmp_path: Path) -> None:
    """Into a directory that has a config, under the name that transformers looks for."""
    import transformers

    gpt2().config.save_pretrained(tmp_path / "hub")
    spec = dlc.load(SPECS / "gpt2.dlspec", "small", **TINY)
    made = export_weights(spec, "openai", tmp_path / "hub")
    assert made.path.name == "model.safetensors"
    found, about = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "hub", output_loading_info=True)
    assert not about["missing_keys"] and not about["unexpected_keys"]
    assert torch.equal(found.transformer.wte.weight, spec.module().state_dict()["wte.weight"])


def test_there_and_back(tmp_path: Path) -> None:
    """Weights of transformers into a spec, exported unchanged: the same tensors."""
    import transformers

    transformers.set_seed(0)
    reference = gpt2()
    save_file({n: t for n, t in reference.state_dict().items() if n != "lm_head.weight"}, tmp_path / "hf.safetensors")
    text = (
        (SPECS / "gpt2.dlspec")
        .read_text("utf-8")
        .replace("train {", 'train {\n  weights = openai(file("hf.safetensors"))', 1)
    )
    (tmp_path / "gpt2.dlspec").write_text(text, "utf-8")
    made = export_weights(dlc.load("gpt2.dlspec", "small", **TINY), "openai", "back.safetensors")
    assert made.words == "those of openai"
    back = load_file(made.path)
    assert all(torch.equal(tensor, reference.transformer.state_dict()[name]) for name, tensor in back.items())
    assert back.keys() == reference.transformer.state_dict().keys()


class Bottleneck(nn.Module):
    """He et al. 2015 with the stride in the 3x3, as torchvision has it."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU()
        self.downsample = None
        if stride != 1 or inside != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(y)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inside = 64
        for index, count in enumerate((3, 4, 6, 3)):
            width = 64 * 2**index
            blocks = [
                Bottleneck(inside if n == 0 else 4 * width, width, 2 if n == 0 and index else 1) for n in range(count)
            ]
            setattr(self, f"layer{index + 1}", nn.Sequential(*blocks))
            inside = 4 * width
        self.fc = nn.Linear(inside, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def test_a_resnet50_in_the_names_of_torchvision(tmp_path: Path) -> None:
    spec = dlc.load(EXAMPLES / "c_resnet50.dlspec")
    made = export_weights(spec, "own", tmp_path / "resnet50.safetensors")
    assert made.tensors == 320
    reference = ResNet50().eval()
    reference.load_state_dict(load_file(made.path), strict=True)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        ours, theirs = spec.module().eval()(image), reference(image)
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_what_cannot_be_written(tmp_path: Path) -> None:
    spec = dlc.load(SPECS / "gpt2.dlspec", "small", **TINY)
    with pytest.raises(BadInput, match="no weight map `openia`") as caught:
        export_weights(spec, "openia")
    assert caught.value.helps == ("did you mean `openai`?",)
    with pytest.raises(BadInput, match=r"not the name of a safetensors file"):
        export_weights(spec, "openai", "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path: Path) -> None:
    import sys

    settings = [f"{name}={value}" for name, value in TINY.items()]
    command = [
        sys.executable,
        "-m",
        "dlc",
        "export",
        f"{SPECS / 'gpt2.dlspec'}@small",
        *settings,
        "--weights",
        "openai",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines()[0].startswith("gpt2.openai.safetensors   28 tensors, ")
    assert (tmp_path / "gpt2.openai.safetensors").exists()


def test_a_pretrained_spec_goes_to_onnx_untrained(tmp_path: Path) -> None:
    """Without a run: the graph has the weights that the spec names, not initial ones."""
    reference = gpt2()
    save_file({n: t for n, t in reference.state_dict().items() if n != "lm_head.weight"}, tmp_path / "hf.safetensors")
    text = (
        (SPECS / "gpt2.dlspec")
        .read_text("utf-8")
        .replace("train {", 'train {\n  weights = openai(file("hf.safetensors"))', 1)
    )
    (tmp_path / "gpt2.dlspec").write_text(text, "utf-8")
    made = dlc.export(dlc.load("gpt2.dlspec", "small", **TINY), tmp_path / "gpt2.onnx", verify=False)
    assert made.weights == "those of openai"
    tokens = torch.randint(0, 128, (1, 16))
    with torch.no_grad():
        theirs = reference(input_ids=tokens).logits
    (ours,) = dlc.Session(tmp_path / "gpt2.onnx")(tokens=tokens.numpy()).values()
    assert (torch.from_numpy(ours) - theirs).abs().max() <= 1e-4 * theirs.abs().max()
