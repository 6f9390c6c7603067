"""The generated PyTorch module with given weights: what an export is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...backends.pytorch.module import class_name, module_source
from ...compiler.ir.model import Model, Spec

if TYPE_CHECKING:
    from torch import nn


def module_of(spec: Spec, model: Model, weights: Mapping[str, NDArray[Any]]) -> nn.Module:
    """An instance of the class that `dlc build` writes for the model, in evaluation mode."""
    import torch

    from ...backends.pytorch.load import load_source

    module: nn.Module = getattr(load_source(module_source(spec, model, resizable=False)), class_name(model))()
    tensors = module.state_dict(keep_vars=True)
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name in weights:  # a cut keeps layers of which it needs only a part
                tensor.copy_(torch.from_numpy(np.array(weights[name])))
    return module.eval()
