"""Every entry of a recipe is complete: one test a family names what an entry leaves unsaid."""

from __future__ import annotations

from dlc.compiler.catalogue.losses import LOSSES
from dlc.compiler.catalogue.metrics import METRICS


def test_every_loss_and_metric_says_what_its_target_means() -> None:
    entries = {**LOSSES, **METRICS}
    assert [name for name, entry in entries.items() if getattr(entry, "target", "unsaid") == "unsaid"] == []
    named = {"class": ("target",), "share": ("target",), "value": ("y",)}
    for name, entry in entries.items():
        if entry.target is not None:
            assert entry.tensors[1][0] in named[entry.target], name
            assert "against" not in vars(entry) and "prediction" not in vars(entry), name
