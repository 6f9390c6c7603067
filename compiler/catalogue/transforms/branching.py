"""Transforms that apply one chain of transforms, or none, to each image. Outside `if training` too, evaluation leaves the image as
it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...ir.data import ItemType
from ..arguments import Chain, Share
from .base import Transform, Undo, as_image


class _Branching(Transform):
    """Base. The binder reads the chains, and what the node of one reads are their ends."""

    takes = "image"
    in_graph = False
    random = True
    drawn = 1
    branches = True
    example_source = 'image_folder("images")'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        return as_image(item, masks=True)

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Apply(_Branching):
    """Applies the transforms of `chain` with probability `p`, in training. They must leave the size as it is."""

    p: Share
    chain: Chain

    evaluation = ()
    example = (
        "image: f32[3, 64, 64] = source.image -> center_crop(64)\n"
        "  -> apply(0.3, gaussian_blur(9) -> grayscale) -> scale(1 / 255)"
    )


class Choice(_Branching):
    """Applies one of several chains of transforms, each as likely as the others, in training."""

    chains: Chain

    variadic = "chains"
    evaluation = ()
    example = (
        "image: f32[3, 64, 64] = source.image -> center_crop(64)\n"
        "  -> choice(rotate(15), hflip(1) -> shift(4), color_jitter(0.4, 0.4)) -> scale(1)"
    )

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        chains = args.get("chains")  # the IR has them as nodes
        return (
            None
            if chains is None or len(chains) > 1
            else "give at least two chains; `apply(p, ..)` applies one now and then"
        )
