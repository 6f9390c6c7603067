"""Generated files that were read and found good. `UPDATE_GOLDEN=1` writes them anew; read the difference."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dlc.backends.pytorch.module import module_source
from dlc.backends.pytorch.recipe import recipe_source
from dlc.compiler.ir.model import Spec

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "pytorch"
MODELS = {
    "digits_mlp": "specs/digits_mlp.dlspec",
    "digits_cnn": "specs/digits_cnn.dlspec",
    "digits_lstm": "specs/digits_lstm.dlspec",
    "gpt2": "specs/gpt2.dlspec",
    "llama3": "specs/llama3.dlspec",
    "transformer": "specs/transformer.dlspec",
    "resnet50": "specs/resnet50.dlspec",
    "bilstm": "specs/bilstm.dlspec",
    "unet": "specs/unet.dlspec",
    "vae": "i_vae",
}
RECIPES = {
    "mlp": "a_mlp", "bert": "g_bert", "vae": "i_vae", "dcgan": "j_dcgan", "finetune": "n_finetune", "vit": "l_vit",
    "digits_cnn": "specs/digits_cnn.dlspec",
}  # fmt: skip
RECORDS = 60_000  # what schedules in epochs count with


def compare(name: str, source: str) -> None:
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8", newline="\n")
    assert source == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_model_source(name: str, example: Callable[[str], Spec]) -> None:
    spec = example(MODELS[name])
    compare(f"{name}.py", module_source(spec, spec.models[0]))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_source(name: str, example: Callable[[str], Spec]) -> None:
    spec = example(RECIPES[name])
    compare(f"{name}_recipe.py", recipe_source(spec, spec.recipe.trains[0], RECORDS))


@pytest.mark.parametrize(("name", "peer"), [("gpt2", 102), ("resnet50", 70), ("unet", 75), ("bilstm", 26)])
def test_no_longer_than_what_people_wrote(name: str, peer: int) -> None:
    """Lines without docstrings, comments and blank ones. nanoGPT's `model.py`: `LayerNorm` to `Block`, `GPT.__init__` and
    `GPT.forward`; torchvision's `resnet.py`: the two `conv` helpers, `Bottleneck`, `_make_layer` and `forward`, not even
    counting `ResNet.__init__`; milesial's `unet_parts.py` and `unet_model.py` without what serves bilinear
    upsampling; an LSTM classifier with `pack_padded_sequence` as one writes it, formatted alike."""
    lines = (GOLDEN / f"{name}.py").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) <= 1.3 * peer
