"""Scaled gradients for `precision = "f16"` (Micikevicius et al., 2018, "Mixed Precision Training").

The smallest number of f16 is 6e-8, and a gradient below it is lost. So the loss is multiplied by a scale before the backward pass,
and the gradients are divided by it before they are clipped and used. Where one is beyond 65,504, and so infinite, the update is
left out and the scale halved; after 2,000 updates it is doubled.

The scale is a power of two and part of the position, so a checkpoint holds it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from . import fused
from .position import Position
from .state import TrainingState

GROWS_AFTER = 2000  # updates
LEAST = 2.0**-14  # 30 halvings: what is infinite at this scale is infinite without one


def unscale(parameters: Sequence[Tensor], at: Position) -> bool:
    """Divides the gradients by the scale, and changes the scale. False where the update has to be left out. One device read."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return True
    fused.mul_(gradients, 1 / at.scale)
    if bool(torch.isfinite(nn.utils.get_total_norm(gradients))):
        at.unskipped += 1
        if at.unskipped == GROWS_AFTER:
            at.scale, at.unskipped = at.scale * 2, 0
        return True
    at.scale, at.unskipped, at.skipped = at.scale / 2, 0, at.skipped + 1
    return False


def report_skipped(state: TrainingState) -> None:
    """An update was left out: logged, and the first time reported."""
    at, job = state.at, state.job
    text = f"step {at.step + 1}: gradients beyond the range of f16; the update is left out, and the scale is now {at.scale:g}"
    if at.skipped == 1:
        job.say(f"{text} (usual at the beginning)")
    else:
        job.log(text)


def report_all_skipped(state: TrainingState) -> None:
    """At the end, how many updates were left out."""
    skipped = state.at.skipped
    if skipped:
        updates = "update was" if skipped == 1 else "updates were"
        state.job.say(f"{skipped} {updates} left out in {state.at.step} steps, for gradients beyond the range of f16")
