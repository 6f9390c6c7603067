"""Every example of the language at small size: exported and compared with PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest

import dlc
from dlc.runtime.api import export
from dlc.runtime.exporting.request import sections

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "language"

_TRANSFORMER = {"d": 32, "depth": 2, "heads": 4, "vocab": 97}
#: Small variants, by file; those that stay large run at full size only.
SMALL: dict[str, dict[str, object]] = {
    "examples/a_mlp": {},
    "examples/b_cnn": {},
    "examples/d_bilstm": {"BiLstm.vocab": 97, "BiLstm.d": 8, "BiLstm.hidden": 8},
    "examples/e_gpt2": {**{f"GPT2.{k}": v for k, v in _TRANSFORMER.items()}, "ctx": 16},
    "examples/f_llama3": {**{f"Llama.{k}": v for k, v in _TRANSFORMER.items()}, "Llama.kv_heads": 2,
                          "Llama.hidden": 48, "ctx": 16},
    "examples/g_bert": {**{f"BertMlm.{k}": v for k, v in _TRANSFORMER.items()}, "width": 16},
    "examples/h_transformer": {**{f"Transformer.{k}": v for k, v in _TRANSFORMER.items()}, "Transformer.hidden": 48,
                               "width": 16},
    "examples/i_vae": {},
    "examples/k_unet": {"UNet.width": 4},
    "examples/l_vit": {"ViT.d": 32, "ViT.depth": 2, "ViT.heads": 4},
    "features/branches": {},
    "features/scan_emit": {},
    "features/soft": {},
    "features/swiglu": {**{f"GPT2.{k}": v for k, v in _TRANSFORMER.items()}, "ctx": 16},
}  # fmt: skip
LARGE = ("examples/c_resnet50", "examples/j_dcgan", "examples/m_mobilenet_v3", "features/ddpm")


def exported(loaded: dlc.Loaded, folder: Path) -> None:
    for number, section in enumerate(sections(loaded)):
        made = export(loaded, folder / f"{number}.onnx", section=section)
        assert made.parity is not None
        assert made.parity.ok
        batches = {sizes["B"] for sizes in (row.sizes for row in made.parity.rows)}
        assert {1, 7} <= batches


@pytest.mark.parametrize("name", SMALL)
def test_examples(name: str, tmp_path: Path) -> None:
    exported(dlc.load(EXAMPLES / f"{name}.dlspec", **SMALL[name]), tmp_path)


def test_large_examples(sizes: object, tmp_path: Path) -> None:
    for name in LARGE if getattr(sizes, "full", False) else LARGE[1:2]:
        exported(dlc.load(EXAMPLES / f"{name}.dlspec"), tmp_path)


@pytest.mark.parametrize("name", ["char_gpt", "gpt2@small", "llama3@tiny", "mixtral@tiny"])
def test_language_models_have_a_cached_form(name: str, tmp_path: Path) -> None:
    file, _, variant = name.partition("@")
    loaded = dlc.load(ROOT / "specs" / f"{file}.dlspec", variant or None)
    made = export(loaded, tmp_path / "cached.onnx", cached=True)
    assert made.parity is not None
    assert made.parity.ok
    assert {len(row.steps) for row in made.parity.rows} >= {1, 2, 3}
    assert made.kept == loaded.spec.models[0].statics["depth"]
