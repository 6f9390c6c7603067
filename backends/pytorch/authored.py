"""What the author of a spec wrote around its blocks and the IR does not hold: comments, and defaults of statics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import takewhile
from typing import cast

from ...compiler.ir.model import Spec
from ...compiler.messages.source import Source
from ...compiler.text import top_level
from ...compiler.text.node import Node, children
from ...compiler.text.parse import parse
from .expressions import computed_numbers, computed_values

#: `stride = 1`, `act: fn = silu` between the brackets of a signature.
_DEFAULT = re.compile(r"\b(\w+)\s*(?::\s*\w+)?\s*=\s*(true|false|-?\d[\w.]*|[A-Za-z_]\w*)\s*[,)]")
#: `x: i64[B, T]` in a signature.
_INPUT = re.compile(r"\b(\w+)\s*:\s*\w*\[([^\]]*)\]")


class Authored:
    """Texts of a spec by the name of a block or model."""

    def __init__(self, spec: Spec) -> None:
        self.texts = {source.name: source.text for source in spec.sources}
        self.params = spec.params
        self._files: dict[str, top_level.File | None] = {}
        self.spans = {body.name: body.span for body in spec.bodies if body.role in ("model", "block", "sequence")}

    def comment(self, name: str) -> str:
        """The comment above a block or model."""
        span = self.spans.get(name)
        above = self.texts.get(span.file, "")[: span.start].splitlines() if span is not None else []
        found = list(takewhile(lambda line: line.startswith("#"), reversed(above)))
        return " ".join(line.strip("# ") for line in reversed(found))

    def head(self, file: str) -> str:
        """The comment at the head of a file."""
        lines = self.texts.get(file, "").splitlines()[1:]
        return " ".join(line.strip("# ") for line in takewhile(lambda line: line.startswith("#"), lines))

    def axes(self, name: str) -> dict[str, tuple[str, ...]]:
        """The inputs of a block with what its signature calls their axes; "" for one without a letter."""
        span = self.spans.get(name)
        text = self.texts.get(span.file, "")[span.start : span.end] if span is not None else ""
        found: dict[str, tuple[str, ...]] = {}
        for match in _INPUT.finditer(text.partition("->")[0]):
            words = [item.strip() for item in match[2].split(",")]
            found.setdefault(match[1], tuple(word if word.isidentifier() else "" for word in words))
        return found

    def definition(self, name: str) -> Node | None:
        """The tree of a block or model."""
        span = self.spans.get(name)
        if span is None:
            return None
        kinds = (top_level.Block, top_level.BlockSeq, top_level.Model)
        items = [item for item in self._items(span.file) if isinstance(item, kinds)]
        return next((item for item in items if item.span.start <= span.start < item.span.end), None)

    def _items(self, name: str) -> Sequence[Node]:
        if name not in self._files:
            self._files[name], _ = parse(Source(name, self.texts.get(name, "")))
        file = self._files[name]
        return file.items if file is not None else ()

    @cached_property
    def computed(self) -> dict[float, str]:
        """Numbers that the blocks and models compute from numbers alone, as Python."""
        definitions = [node for name in self.spans if (node := self.definition(name)) is not None]
        return computed_numbers(part for node in definitions for part in _parts(node))

    def values(self, file: str) -> dict[float, str]:
        """Numbers that the sections of a file compute, as Python."""
        sections = (top_level.Data, top_level.Train, top_level.Variant)
        items = [item for item in self._items(file) if isinstance(item, sections)]
        params = {name: value for name, value in self.params.items() if type(value) in (int, float)}
        return computed_values((part for item in items for part in _parts(item)), cast("dict[str, float]", params))

    def defaults(self, name: str) -> dict[str, object]:
        """Statics of a block that have a plain default: a number, a bool, or the name of a function."""
        span = self.spans.get(name)
        text = self.texts.get(span.file, "")[span.start : span.end] if span is not None else ""
        signature = re.search(r"\(([^()]*\))", text)
        before = text[: signature.start()] if signature is not None else "{"
        if signature is None or "{" in before or "=" in before:
            return {}
        found = {match[1]: _value(match[2]) for match in _DEFAULT.finditer(signature[1])}
        return {name: value for name, value in found.items() if value is not None}


def _parts(node: Node) -> Iterator[Node]:
    yield node
    for child in children(node):
        yield from _parts(child)


def _value(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text if text.isidentifier() and text != "none" else None


__all__ = ["Authored"]
