"""Normalisation."""

from __future__ import annotations

from ..lowering import Application, Construction, constructor, function
from ..python import Expr


@constructor("BatchNorm", module=r"nn\.BatchNorm\dd")
def batch_norm(layer: Construction) -> str:
    (channels,) = layer.weight()
    options = layer.options(eps=("eps", 1e-5), momentum=("momentum", 0.1))
    return f"nn.BatchNorm{_axes(layer)}d({', '.join([str(channels), *options])})"


def _axes(layer: Construction) -> int:
    """Spatial axes of the input; BatchNorm1d takes [B, C] too."""
    x = layer.inputs[0] if layer.inputs else None
    return max(x.rank - 2, 1) if x is not None else 1


@constructor("LayerNorm", module=r"nn\.LayerNorm")
def layer_norm(layer: Construction) -> str:
    (size,) = layer.weight()
    return f"nn.LayerNorm({', '.join([str(size), *layer.options(eps=('eps', 1e-5))])})"


@constructor("RMSNorm", module=r"nn\.RMSNorm")
def rms_norm(layer: Construction) -> str:
    (size,) = layer.weight()
    return f"nn.RMSNorm({size}, eps={layer.text(layer.arg('eps'))})"


@constructor("GroupNorm", module=r"nn\.GroupNorm")
def group_norm(layer: Construction) -> str:
    (channels,) = layer.weight()
    options = [layer.text(layer.arg("groups")), str(channels), *layer.options(eps=("eps", 1e-5))]
    return f"nn.GroupNorm({', '.join(options)})"


@constructor("InstanceNorm")
def instance_norm(layer: Construction) -> str:
    x = layer.inputs[0]
    assert x is not None
    options = [str(x.sizes[1]), *layer.options(eps=("eps", 1e-5), affine=("affine", False))]
    return f"nn.InstanceNorm{x.rank - 2}d({', '.join(options)})"


@function("local_response_norm")
def local_response_norm(use: Application) -> Expr:
    size, *options = use.text(use.arg("size")), *use.options(alpha=("alpha", 1e-4), beta=("beta", 0.75), k=("k", 1.0))
    return use.call("F.local_response_norm", use[0], size, *options)
