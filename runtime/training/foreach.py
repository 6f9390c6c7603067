"""Torch's operations on lists of tensors, one kernel for all where there is one. They are what its own optimizers use."""

from __future__ import annotations

from typing import Any

import torch

_torch: Any = torch

lerp = _torch._foreach_lerp
lerp_ = _torch._foreach_lerp_
sign_ = _torch._foreach_sign_
mul_ = _torch._foreach_mul_
add_ = _torch._foreach_add_
fused_adam_ = _torch._fused_adam_
fused_adamw_ = _torch._fused_adamw_
fused_sgd_ = _torch._fused_sgd_
