"""What a node of a data section has learned, where it comes from a run or an exported file: whether it is what the node needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...compiler.catalogue import transforms
from ...compiler.ir.data import DataNode


def fault(node: DataNode, fitted: Mapping[str, Any]) -> str | None:
    """What is wrong with the record of it, as the end of a sentence; None where nothing is."""
    if node.op == "columns":
        wanted, kind = ("names",), "texts"
    else:
        transform = transforms.of(node.op)
        wanted, kind = transform.learns if node.inputs else (), transform.learned_as(node.args)
    for name in wanted:
        if name not in fitted:
            return f"has no `{name}` of `{node.op}`"
        if _kind(fitted[name]) != kind:
            return f"has `{name}` of `{node.op}` that is not {'a text' if kind == 'text' else kind}"
    return None


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return "texts" if isinstance(value, list) and all(isinstance(each, str) for each in value) else "numbers"
