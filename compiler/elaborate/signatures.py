"""Which of a block's lists is which: its statics, its inputs, its outputs."""

from __future__ import annotations

from typing import NamedTuple

from ..sizes.types import DTYPES
from ..text import syntax, top_level
from ..text.printer import print_expression


class Signature(NamedTuple):
    """A block's declarations by kind."""

    statics: tuple[syntax.Decl, ...]
    inputs: tuple[syntax.Decl, ...]
    outs: syntax.Type | syntax.Decls | None

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(decl.name.text for decl in self.inputs)


def is_tensor_type(type: syntax.Type | None) -> bool:
    return type is not None and (type.shape is not None or (type.name is not None and type.name.text in DTYPES))


def signature_of(node: top_level.Block | top_level.BlockSeq | top_level.Model) -> Signature:
    if isinstance(node, top_level.BlockSeq):
        return Signature(node.statics.items if node.statics else (), (), None)
    lists = [decls.items for decls in node.signature]
    if len(lists) == 2:
        return Signature(lists[0], lists[1], node.outs)
    only = lists[0] if lists else ()
    untyped = any(decl.type is None and decl.default is None for decl in only)  # a static has one of the two
    if any(is_tensor_type(decl.type) for decl in only) or untyped or not only:
        return Signature((), only, node.outs)
    return Signature(only, (), node.outs)


def default_of(decl: syntax.Decl) -> str | None:
    """The default of a declaration, as it is written."""
    return print_expression(decl.default) if decl.default is not None else None


def kind_of(decl: syntax.Decl) -> str:
    """The declared type of a static as a word: `int`, `fn`, `layer`, `one_of`, a layer kind, or "" (inferred)."""
    return decl.type.name.text if decl.type is not None and decl.type.name is not None else ""
