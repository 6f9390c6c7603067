"""Models of timm that shipped specs equal."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from torch import nn

from .reference import Reference
from .torchvision_models import image, logits


def vit(**settings: int) -> nn.Module:
    return import_module("timm").create_model("vit_base_patch16_224", **settings)


VIT = partial(
    Reference,
    spec="vit_b16@imagenet",
    library="timm",
    name="timm vit_base_patch16_224",
    parameters=86_567_656,
    answers=logits,
)

REFERENCES: list[Reference] = [
    VIT(
        overrides=("size=64", "ViT.d=64", "ViT.depth=3", "ViT.heads=4", "ViT.classes=10"), gradients=True,
        make=partial(vit, img_size=64, embed_dim=64, depth=3, num_heads=4, num_classes=10), inputs=partial(image, 64),
    ),
    VIT(make=vit, inputs=partial(image, 224), full=True),
]  # fmt: skip
