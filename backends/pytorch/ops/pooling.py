"""Pooling and resampling over spatial axes."""

from __future__ import annotations

from ..lowering import Application, collapse, function, module
from ..python import Expr


def _window(use: Application) -> list[str]:
    """Kernel, then stride and padding where they are not PyTorch's defaults."""
    kernel = use.text(collapse(use.arg("kernel")))
    stride = use.arg("stride")
    options = [kernel]
    if stride is not None and use.text(collapse(stride)) != kernel:
        options.append(f"stride={use.text(collapse(stride))}")
    return [*options, *use.options(padding=("pad", 0))]


@function("max_pool", "avg_pool")
def pool(use: Application) -> Expr:
    axes = use.tensor().rank - 2
    if use.op == "avg_pool" and use.value("adaptive"):
        return use.call(f"F.adaptive_avg_pool{axes}d", use[0], use.text(collapse(use.arg("kernel"))))
    return use.call(f"F.{use.op}{axes}d", use[0], *_window(use))


@module("max_pool", "avg_pool")
def pool_module(use: Application) -> str:
    axes = use.tensor().rank - 2
    if use.op == "avg_pool" and use.value("adaptive"):
        return f"nn.AdaptiveAvgPool{axes}d({use.text(collapse(use.arg('kernel')))})"
    kind = "MaxPool" if use.op == "max_pool" else "AvgPool"
    return f"nn.{kind}{axes}d({', '.join(_window(use))})"


@function("global_avg_pool")
def global_avg_pool(use: Application) -> Expr:
    axes = ", ".join(str(axis) for axis in range(2, use.tensor().rank))
    return use.expr(f"{use.at(0)}.mean(({axes}))" if "," in axes else f"{use.at(0)}.mean({axes})")


@function("upsample")
def upsample(use: Application) -> Expr:
    return use.call("F.interpolate", use[0], *_resampling(use))


def _resampling(use: Application) -> list[str]:
    options = use.options(mode=("mode", "nearest"), align_corners=("align_corners", False))
    return [f"scale_factor={use.text(collapse(use.arg('factor')))}", *options]


@module("upsample")
def upsample_module(use: Application) -> str:
    return f"nn.Upsample({', '.join(_resampling(use))})"


@function("pixel_shuffle")
def pixel_shuffle(use: Application) -> Expr:
    return use.call("F.pixel_shuffle", use[0], use.text(use.arg("r")))


@module("pixel_shuffle")
def pixel_shuffle_module(use: Application) -> str:
    return f"nn.PixelShuffle({use.text(use.arg('r'))})"
