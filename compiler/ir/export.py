"""`export` sections."""

from __future__ import annotations

from typing import Literal

from ..messages.source import Span
from .arguments import EntryUse
from .record import Record, field


class Export(Record):
    """An `export` section.

    `model` is an index into `Spec.models`, `net` the name of the net in `train` whose weights it has. `inputs` are
    inputs or taps of the model. `tail` is a body (role `step`) whose inputs are values of the model by name (inputs,
    outputs, taps) and whose outputs are those of the graph; an output that is passed on unchanged is an input there.
    """

    name: str
    onnx: str
    train: str | None = None
    net: str = ""
    model: int
    inputs: tuple[str, ...]
    tail: int
    fix: dict[str, int] = field(default_factory=dict)
    precision: Literal["f32", "f16", "bf16"] = "f32"
    opset: int | None = None
    preprocess: bool = False
    quantize: EntryUse | None = None
    span: Span
    #: Of the keys that are written, where.
    places: dict[str, Span] = field(default_factory=dict)

    def place(self, key: str) -> Span:
        """Where a message about a key points: at its value, or at the section."""
        return self.places.get(key, self.span)
