"""CLIP of transformers, which the shipped `clip` equals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .reference import Reference


def clip(text: Mapping[str, Any], vision: Mapping[str, Any], dim: int) -> nn.Module:
    """A CLIPModel; texts end with number 3."""
    import transformers

    config = transformers.CLIPConfig(
        text_config={"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0, **text},
        vision_config=dict(vision),
        projection_dim=dim,
    )
    return transformers.CLIPModel(config)


def inputs(size: int, vocab: int) -> dict[str, Tensor]:
    """Three pictures, three texts of different lengths."""
    tokens = torch.randint(4, vocab, (3, 7))
    for row, length in enumerate((7, 4, 6)):
        tokens[row, length - 1], tokens[row, length:] = 3, 0
    return {"image": torch.randn(3, 3, size, size), "tokens": tokens}


def answers(module: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = module(input_ids=given["tokens"], pixel_values=given["image"])
    return {"logits": found.logits_per_image, "image_embeds": found.image_embeds, "text_embeds": found.text_embeds}


_TEXT = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 12,
}
_VISION = {
    "image_size": 16,
    "patch_size": 4,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 192,
}
_SMALL = (
    "size=16",
    "ctx=12",
    "vocab=97",
    "Clip.dim=24",
    "Clip.patch=4",
    "Clip.depth=3",
    "Clip.width=48",
    "Clip.heads=4",
    "Clip.text_width=32",
    "Clip.text_heads=4",
)

REFERENCES: list[Reference] = [
    Reference(
        spec="clip",
        library="transformers",
        name="transformers.CLIPModel",
        overrides=_SMALL,
        parameters=151_277_313,
        make=partial(clip, _TEXT, _VISION, 24),
        inputs=partial(inputs, 16, 97),
        answers=answers,
        gradients=True,
    ),
    Reference(
        spec="clip",
        library="transformers",
        name="transformers.CLIPModel",
        parameters=151_277_313,
        full=True,
        make=partial(clip, {}, {}, 512),
        inputs=partial(inputs, 224, 49408),
        answers=answers,
    ),
]
