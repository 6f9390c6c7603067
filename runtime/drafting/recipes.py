"""How long a drafted spec trains, and with what: from the number of records."""

from __future__ import annotations

from math import ceil

from ...compiler.dataclass import dataclass

STEPS = 1500  # of an optimizer, where records are few


@dataclass(frozen=True)
class TableSizes:
    """The numbers of a recipe for a table."""

    train: float
    members: int
    width: int
    dropout: float
    batch: int
    epochs: int
    patience: int
    rate: float
    decay: float


def sizes(records: int, classes: bool) -> TableSizes:
    """For a table of so many records."""
    few = records < 5000
    train = 0.7 if few else 0.8
    batch = 32 if records < 2000 else 64 if few else 256
    epochs = repeated(int(records * train), batch, 8, 60)
    return TableSizes(
        train=train,
        members=8,
        width=64 if few else 128,
        dropout=0.2 if few else 0.1,
        batch=batch,
        epochs=epochs,
        patience=max(5, epochs // 3),
        rate=2e-3,
        decay=0.1,
    )


def repeated(records: int, batch: int, least: int, most: int) -> int:
    """Epochs that make about `STEPS` steps."""
    return min(most, max(least, ceil(STEPS / max(1, records // batch))))
