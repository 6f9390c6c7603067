"""Root uses of models: what a section names (`model = GPT2(depth = 24)`), and what became of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..messages.source import Span
from ..resolve.definitions import Callable, Definition


class RootUse(NamedTuple):
    """A model with the statics that a section gives it; `span` is the place that does."""

    definition: Definition
    callable: Callable
    span: Span


class RootModel(NamedTuple):
    """A use whose model has no mistakes: `model` is its index, `statics` are those of `callable` as the settings change them."""

    definition: Definition
    callable: Callable
    span: Span
    statics: dict[str, Any]
    model: int
