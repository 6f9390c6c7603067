"""What a `train` section may ask for and this runtime does not do yet: refused, not ignored.

A run is one process on one device.
"""

from __future__ import annotations

import os

from ...compiler.ir.train import Train
from ...compiler.messages.diagnostics import Diagnostic, Failed
from ...compiler.messages.source import Span
from ..failure import BadInput


def refuse(train: Train) -> None:
    """Raises for what a section asks and the runtime would otherwise silently leave out."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise BadInput("`dlc train` does not support several processes yet", helps=("start it without `torchrun`",))
    for phase in train.phases:
        asked = (
            (phase.mixup is not None, "`mixup`", "leave `mixup` out"),
            (phase.batch.unit == "tokens", "a batch in tokens", "give the number of examples: `batch = 32`"),
            (
                phase.precision == "f16",
                'training in `"f16"`, which needs scaled gradients',
                'train in `"bf16"`, which needs none, or in `"f32"`; `export` can still write f16',
            ),
        )
        for said, what, help in asked:
            if said:
                raise _missing(phase.span, what, help)


def without_effect(train: Train) -> list[str]:
    """What is asked and has nothing to do on one device."""
    asked = {
        '`shard = "fsdp"`': any(phase.runtime.shard for phase in train.phases),
        "`sync_batch_norm`": any(phase.runtime.sync_batch_norm for phase in train.phases),
    }
    return [f"{what} changes nothing on one device" for what, said in asked.items() if said]


def _missing(span: Span, what: str, help: str) -> Failed:
    return Failed(
        Diagnostic("E0501", f"`dlc train` does not support {what} yet", span, "requested here", helps=(help,))
    )
