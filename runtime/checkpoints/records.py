"""The forms of a run's records. A run may come from elsewhere, or be damaged: what has another form is a message."""

from __future__ import annotations

from ...compiler.ir.record import field
from ..forms import Form, Learned, NonNegativeInt, PlainName, PositiveInt


class DataRecord(Form):
    """`data.json`: what the run was trained on. `fitted` is what its transforms learned, by node of the data section."""

    section: str
    train: str
    root: str
    digest: str
    records: dict[str, PositiveInt]
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fitted: dict[int, dict[str, Learned]] = field(default_factory=dict)


class EnvironmentRecord(Form):
    """`env.json`: of what it holds, the digests of the generated files."""

    generated: dict[PlainName, str] = field(default_factory=dict)


class WeightsRecord(Form):
    """One of `weights.json`: of what it holds, the shapes of the foreign tensors that a net began with, and through which map."""

    net: str
    map: str | None
    shapes: dict[str, tuple[NonNegativeInt, ...]]


class CheckpointRecord(Form):
    """`loop.json` of a checkpoint: of what it holds, the sizes of the other files."""

    files: dict[PlainName, NonNegativeInt]
