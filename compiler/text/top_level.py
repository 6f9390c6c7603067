"""The syntax tree of a file: its items (imports, params, blocks, models, sections) and the entries of sections.

Values and bodies inside them are in `syntax`.
"""

from __future__ import annotations

from typing import TypeAlias

from ..messages.source import Span
from .node import Node
from .syntax import Args, Body, Decls, Name, Number, Path, Pipe, Stage, String, Type


class Alias(Node):
    """`name as alias` in an import list."""

    span: Span
    name: Name
    alias: Name | None


class Import(Node):
    """`from "x.dlspec" (args) import A, B as C`; `path` is a String or a dotted Path (`std.attention`)."""

    span: Span
    path: String | Path
    args: Args | None
    names: tuple[Alias, ...]


class Extends(Node):
    span: Span
    path: String


class Param(Node):
    span: Span
    name: Name
    type: Type | None
    value: Pipe


class Block(Node):
    """`block Name(statics)(inputs) -> outs { .. }`. `signature` holds one or two lists as written; which list is
    which is decided by their types (a single list with tensor types is the inputs)."""

    span: Span
    override: bool
    name: Name
    signature: tuple[Decls, ...]
    outs: Type | Decls | None
    body: Body


class BlockSeq(Node):
    """`block Name(statics) = stage -> stage`: one tensor in, one out, children numbered."""

    span: Span
    override: bool
    name: Name
    statics: Decls | None
    stages: tuple[Stage, ...]


class Model(Node):
    span: Span
    name: Name
    signature: tuple[Decls, ...]
    outs: Type | Decls | None
    body: Body


class Key(Node):
    """`name = value` in a section."""

    span: Span
    name: Name
    value: Pipe


class Field(Node):
    """`name: type = value` in a section."""

    span: Span
    name: Name
    type: Type
    value: Pipe


class Let(Node):
    span: Span
    name: Name
    value: Pipe


class Draw(Node):
    """`setting ~ distribution`."""

    span: Span
    path: Path
    value: Pipe


class Rule(Node):
    """`"ours" <- theirs` in a weight map."""

    span: Span
    ours: String
    theirs: Pipe


class Sub(Node):
    """`name { entries }`."""

    span: Span
    name: Name
    entries: Entries


class SubFor(Node):
    """`freeze "a.**", rank < 2 { .. }`, `step gen { .. }`: a name, arguments, and maybe entries."""

    span: Span
    name: Name
    args: tuple[Pipe, ...]
    entries: Entries | None


class Entries(Node):
    span: Span
    items: tuple[Entry, ...]


class Data(Node):
    span: Span
    name: Name
    entries: Entries


class Train(Node):
    span: Span
    name: Name | None
    entries: Entries


class Export(Node):
    span: Span
    name: Name | None
    entries: Entries


class Search(Node):
    span: Span
    name: Name | None
    entries: Entries


class Weights(Node):
    """`weights name for Model { .. }`."""

    span: Span
    name: Name
    model: Name
    entries: Entries


class Setting(Node):
    """`path = value` of a variant, a `set` or the command line."""

    span: Span
    path: Path
    value: Pipe


class Variant(Node):
    span: Span
    name: Name
    settings: tuple[Setting, ...]


class Set(Node):
    span: Span
    setting: Setting


class Comment(Node):
    """A comment with its text after `#`; `own_line`: no code before it on its line."""

    span: Span
    text: str
    own_line: bool


class File(Node):
    """A whole spec. Comments are kept aside, ordered by place; they mean nothing to any pass."""

    span: Span
    version: Number | None
    items: tuple[Item, ...]
    comments: tuple[Comment, ...]


Entry: TypeAlias = Key | Field | Let | Draw | Rule | Sub | SubFor
Item: TypeAlias = (
    Import | Extends | Param | Block | BlockSeq | Model | Data | Train | Export | Search | Weights | Variant | Set
)
