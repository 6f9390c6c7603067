"""Models of torchvision that shipped specs equal."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from .reference import Reference


def network(name: str, **settings: Any) -> nn.Module:
    """By the library's own function, with random weights."""
    return getattr(import_module("torchvision.models"), name)(weights=None, **settings)


def narrow_mobilenet() -> nn.Module:
    """MobileNetV3-Large of half the width, which has no function of its own there."""
    module = import_module("torchvision.models.mobilenetv3")
    return module.MobileNetV3(*module._mobilenet_v3_conf("mobilenet_v3_large", width_mult=0.5))


def narrow_vgg() -> nn.Module:
    """VGG-16 of a quarter of the width at 64 x 64 pixels; only the sizes of the classifier are fixed there."""
    module = import_module("torchvision.models.vgg")
    widths = [width if width == "M" else width // 4 for width in module.cfgs["D"]]
    made = module.VGG(module.make_layers(widths), num_classes=10)
    made.avgpool = nn.Identity()
    for at, sizes in {0: (512, 48), 3: (48, 48), 6: (48, 10)}.items():
        made.classifier[at] = nn.Linear(*sizes)
    return made


def image(size: int, batch: int = 2) -> dict[str, Tensor]:
    return {"image": torch.randn(batch, 3, size, size)}


def logits(module: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {"logits": module(given["image"])}


#: Statistics of a batch norm in training need more than two values a channel where 64 pixels have become two.
SMALL = {"overrides": ("size=64",), "inputs": partial(image, 64, batch=4), "answers": logits}
WHOLE = {"inputs": partial(image, 224), "answers": logits, "full": True}
RESNET18: Any = {"spec": "resnet18@imagenet", "name": "torchvision.models.resnet18", "parameters": 11_689_512}
RESNET50: Any = {"spec": "resnet50@imagenet", "name": "torchvision.models.resnet50", "parameters": 25_557_032}
VGG16: Any = {"spec": "vgg16@imagenet", "name": "torchvision.models.vgg16", "parameters": 138_357_544}
MOBILENET: Any = {
    "spec": "mobilenet_v3@imagenet", "name": "torchvision.models.mobilenet_v3_large", "parameters": 5_483_032,
}  # fmt: skip
EFFICIENTNET: Any = {
    "spec": "efficientnet_b0@imagenet", "name": "torchvision.models.efficientnet_b0", "parameters": 5_288_548,
}  # fmt: skip

row = partial(Reference, library="torchvision")

REFERENCES: list[Reference] = [
    row(**RESNET18, **SMALL, make=partial(network, "resnet18")),
    row(**RESNET18, **WHOLE, make=partial(network, "resnet18")),
    row(**RESNET50, **SMALL, make=partial(network, "resnet50"), gradients=True),
    row(**RESNET50, **WHOLE, make=partial(network, "resnet50"), gradients=True),
    row(
        **VGG16, make=narrow_vgg, inputs=partial(image, 64), answers=logits,
        overrides=("size=64", "Vgg16.classes=10", "Vgg16.width=16", "Vgg16.hidden=48"),
    ),
    row(**VGG16, **WHOLE, make=partial(network, "vgg16")),
    row(
        **MOBILENET, make=narrow_mobilenet, inputs=partial(image, 64, batch=4), answers=logits,
        overrides=("size=64", "MobileNetV3.width=0.5"),
    ),
    row(**MOBILENET, **WHOLE, make=partial(network, "mobilenet_v3_large")),
    row(**EFFICIENTNET, **SMALL, make=partial(network, "efficientnet_b0"), gradients=True),
    row(**EFFICIENTNET, **WHOLE, make=partial(network, "efficientnet_b0")),
]  # fmt: skip
