"""The tree of a class's layers: a slot for each attribute, stage, element or key, and how source reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from ...compiler.dataclass import dataclass, field
from .constants import ClassNumber
from .python import quoted

Kind: TypeAlias = Literal["leaf", "module", "sequential", "list", "dict"]

#: Attributes of a module whose names a tensor cannot take.
RESERVED = frozenset(
    ("training", "forward", "train", "eval", "to", "half", "float", "double", "type", "apply", "buffers", "children",
     "compile", "cpu", "cuda", "modules", "parameters", "register_buffer", "share_memory", "state_dict", "bfloat16")
)  # fmt: skip


@dataclass
class Slot:
    """A place in the tree: a layer, a tensor, or a container. `text` constructs it (leaves and filled containers)."""

    kind: Kind = "module"
    children: dict[str, Slot] = field(default_factory=dict[str, "Slot"])
    text: str = ""
    entries: list[str] = field(default_factory=list[str])
    buffer: bool = False
    persistent: bool = True  # whether a checkpoint holds the buffer
    switch: ClassNumber | None = None  # the condition under which it exists; otherwise the attribute is None
    inner: Slot | None = None  # the tree of the block or of the elements of the list

    def at(self, segments: Sequence[str]) -> Slot:
        slot = self
        for segment in segments:
            slot = slot.children.setdefault(segment, Slot())
        return slot


def reach(root: str, slot: Slot | None, segments: Sequence[str]) -> str:
    """Source for a path below a slot; below a block's instance it continues in the block's own tree."""
    text = root
    for segment in segments:
        if slot is not None and slot.inner is not None and slot.kind == "leaf":
            slot = slot.inner
        kind = slot.kind if slot is not None else "module"
        if kind in ("sequential", "list"):
            text += f"[{segment}]"
        elif kind == "dict":
            text += f"[{quoted(segment)}]"
        else:
            text += f".{segment}"
        if slot is not None:
            slot = slot.inner if kind == "list" and slot.inner is not None else slot.children.get(segment)
    return text


__all__ = ["RESERVED", "Kind", "Slot", "reach"]
