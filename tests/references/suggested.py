"""Weights of a library's own model through the map that `import-weights --suggest` proposes, for models of other names.

`python -m tests.references.suggested NAME FOLDER` prints how far the outputs differ, as a share of the largest: a process
of its own, as the libraries must stay out of the tests' one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

import dlc
from dlc.benchmarks.measure import admit_peers
from dlc.cli.app import run
from dlc.compiler.ir.expand import parameters
from dlc.runtime.weights.mapping import ours_from

from .comparison import shake

SPECS = Path(__file__).resolve().parents[1] / "runtime" / "foreign"


def of_torchvision(name: str) -> Callable[[], nn.Module]:
    return lambda: getattr(import_module("torchvision.models"), name)()


def of_timm(name: str) -> Callable[[], nn.Module]:
    return lambda: import_module("timm").create_model(name)


#: A spec of tests/runtime/foreign and the model whose weights it takes.
MODELS: dict[str, Callable[[], nn.Module]] = {
    "regnet": of_torchvision("regnet_y_400mf"),
    "densenet": of_torchvision("densenet121"),
    "convnext": of_timm("convnext_tiny"),
}


def difference(name: str, folder: Path) -> float:
    torch.manual_seed(0)
    theirs = MODELS[name]().eval()
    shake(theirs)
    state = {key: tensor.contiguous() for key, tensor in theirs.state_dict().items()}
    file, text = folder / "theirs.safetensors", (SPECS / f"{name}.dlspec").read_text("utf-8")
    save_file(state, file)
    spec, section = folder / f"{name}.dlspec", folder / "section"
    spec.write_text(text, "utf-8")
    with section.open("w") as out:
        kept, sys.stdout = sys.stdout, out
        code = run(["import-weights", str(spec), str(file), "--suggest"])
        sys.stdout = kept
    assert code == 0, f"exit status {code}"
    spec.write_text(f"{text}\n{section.read_text('utf-8')}", "utf-8")
    loaded = dlc.load(spec)
    assert not loaded.check()
    (model,) = loaded.spec.models
    ours = loaded.module().eval()
    ours.load_state_dict(
        ours_from(loaded.spec.recipe.weight_map("theirs"), list(parameters(loaded.spec, model)), state)
    )
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted, found = theirs(image), ours(image)
    return float((found - wanted).abs().max() / wanted.abs().max())


if __name__ == "__main__":
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    admit_peers()
    answers.write(f"{difference(sys.argv[1], Path(sys.argv[2]))}\n")
    answers.close()
