"""The abstract syntax tree: one frozen dataclass a grammar rule, each with the span it was read from.

The parser builds these, the printer writes them back, the passes read them. Nothing here knows what a name means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .source import Span


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier with its own place: labels, keys, declared names."""

    span: Span
    text: str


# ---- expressions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ref:
    """`x`: a name read as a value."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """`10k`, `1e-3`, `64Ki`: `value` is an int when the number is whole and was written without point or exponent
    other than a unit prefix (`10k`, `1.5M` are ints; `1e-3`, `2.0`, `1e3` are floats). `text` is what was written."""

    span: Span
    value: int | float
    text: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """`100 epochs`, `30 s`: a number with a unit."""

    span: Span
    number: Number
    unit: Name


@dataclass(frozen=True, slots=True)
class String:
    """A string literal; `value` has its escapes resolved."""

    span: Span
    value: str


@dataclass(frozen=True, slots=True)
class Bool:
    span: Span
    value: bool


@dataclass(frozen=True, slots=True)
class NoneLiteral:
    """`none`."""

    span: Span


@dataclass(frozen=True, slots=True)
class Ellipsis:
    """`...`: any leading axes in a shape or an index."""

    span: Span


@dataclass(frozen=True, slots=True)
class List:
    span: Span
    items: tuple[Pipe, ...]


@dataclass(frozen=True, slots=True)
class Tuple:
    span: Span
    items: tuple[Pipe, ...]


@dataclass(frozen=True, slots=True)
class Paren:
    """`( pipe )`; kept so that the printer writes what was written."""

    span: Span
    value: Pipe


@dataclass(frozen=True, slots=True)
class Attr:
    """`value.name`."""

    span: Span
    value: Pipe
    name: Name


@dataclass(frozen=True, slots=True)
class Kwarg:
    """`name = value` inside an argument list."""

    span: Span
    name: Name
    value: Pipe


@dataclass(frozen=True, slots=True)
class Args:
    """An argument list: positional items and `Kwarg`s in the order written."""

    span: Span
    items: tuple[Pipe | Kwarg, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`callee(args)` as an expression."""

    span: Span
    callee: Pipe
    args: Args


@dataclass(frozen=True, slots=True)
class Slice:
    """`start:stop` in an index; either side may be missing."""

    span: Span
    start: Pipe | None
    stop: Pipe | None


@dataclass(frozen=True, slots=True)
class Index:
    """`value[items]`."""

    span: Span
    value: Pipe
    items: tuple[Pipe | Slice, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x`, `not x`; `op` is `-` or `not`."""

    span: Span
    op: str
    value: Pipe


@dataclass(frozen=True, slots=True)
class Binary:
    """`op` is one of `+ - * / // % @ ** == != < <= > >= and or ..`; `op_span` is the operator's own place."""

    span: Span
    op: str
    op_span: Span
    left: Pipe
    right: Pipe


@dataclass(frozen=True, slots=True)
class IfExpr:
    """`if c { a } else { b }` as an expression (`orelse` may be another `IfExpr`)."""

    span: Span
    condition: Pipe
    then: Pipe
    orelse: Pipe


@dataclass(frozen=True, slots=True)
class Path:
    """`a.b.c`: a label, a stage's callee, a setting's name, a type name."""

    span: Span
    names: tuple[Name, ...]

    @property
    def text(self) -> str:
        return ".".join(name.text for name in self.names)


# ---- pipelines and stages ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`value -> stage -> stage`, flattened: `value` is never itself a Pipeline (unless parenthesised: Paren)."""

    span: Span
    value: Pipe
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """`path: unit` at the head of a pipe (`(D: Param([n]))`, `bias = a.b: Param(..)`)."""

    span: Span
    label: Path
    unit: Unit


@dataclass(frozen=True, slots=True)
class Shape:
    """`[B, T, (heads, K)]`: each item an expression, a Tuple (merged axes), `_` (a Ref) or an Ellipsis; a bound is a
    Binary with op `<=`."""

    span: Span
    items: tuple[Pipe, ...]


@dataclass(frozen=True, slots=True)
class Ascribe:
    """A stated shape as a stage."""

    span: Span
    shape: Shape


@dataclass(frozen=True, slots=True)
class Rearrange:
    """`[..] => [..]`."""

    span: Span
    before: Shape
    after: Shape


@dataclass(frozen=True, slots=True)
class Apply:
    """A stage that names something: `relu`, `Conv(64, 3)`, `tower`, `LSTM(256).h` (`select` = `h`)."""

    span: Span
    callee: Path
    args: Args | None
    select: Name | None


@dataclass(frozen=True, slots=True)
class Group:
    """`{ stage -> stage }`."""

    span: Span
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class IfStage:
    """`if c { .. } else { .. }` as a stage; `orelse` is None, a Group or another IfStage."""

    span: Span
    condition: Pipe
    then: Group
    orelse: Group | IfStage | None


@dataclass(frozen=True, slots=True)
class Repeat:
    span: Span
    count: Pipe
    body: Group


@dataclass(frozen=True, slots=True)
class For:
    span: Span
    targets: tuple[Name, ...]
    items: Pipe
    body: Group


@dataclass(frozen=True, slots=True)
class Labelled:
    """`path: unit` as a stage."""

    span: Span
    label: Path
    unit: Unit


# ---- types and declarations ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Type:
    """`int`, `i64`, `one_of("a", "b")`, `f32[B, T]`, `[B, T <= n]`: a name, arguments or a shape, as written."""

    span: Span
    name: Path | None
    args: Args | None
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class Decl:
    """`name: type = default`, each part but the name optional."""

    span: Span
    name: Name
    type: Type | None
    default: Pipe | None


@dataclass(frozen=True, slots=True)
class Decls:
    span: Span
    items: tuple[Decl, ...]


# ---- statements of a body ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bind:
    """`target = value`; target is a Ref, a List of Refs (`[q, k, v] = ..`), or something E0103 rejects."""

    span: Span
    target: Pipe
    value: Pipe


@dataclass(frozen=True, slots=True)
class Accum:
    """`target += value`."""

    span: Span
    target: Pipe
    value: Pipe


@dataclass(frozen=True, slots=True)
class Require:
    span: Span
    condition: Pipe
    message: String | None


@dataclass(frozen=True, slots=True)
class Init:
    """`init selector, selector = rule`."""

    span: Span
    selectors: tuple[Pipe, ...]
    value: Pipe


@dataclass(frozen=True, slots=True)
class Emit:
    span: Span
    name: Name
    value: Pipe


@dataclass(frozen=True, slots=True)
class Scan:
    """`target = call { body }`."""

    span: Span
    target: Pipe
    value: Pipe
    body: Body


@dataclass(frozen=True, slots=True)
class Body:
    span: Span
    statements: tuple[Statement, ...]


# ---- top-level items -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alias:
    """`name as alias` in an import list."""

    span: Span
    name: Name
    alias: Name | None


@dataclass(frozen=True, slots=True)
class Import:
    """`from "x.dlspec" (args) import A, B as C`; `path` is a String or a dotted Path (`std.attention`)."""

    span: Span
    path: String | Path
    args: Args | None
    names: tuple[Alias, ...]


@dataclass(frozen=True, slots=True)
class Extends:
    span: Span
    path: String


@dataclass(frozen=True, slots=True)
class Param:
    span: Span
    name: Name
    type: Type | None
    value: Pipe


@dataclass(frozen=True, slots=True)
class Block:
    """`block Name(statics)(inputs) -> outs { .. }`. `signature` holds one or two lists as written; which list is
    which is decided by their types (a single list with tensor types is the inputs)."""

    span: Span
    override: bool
    name: Name
    signature: tuple[Decls, ...]
    outs: Type | Decls | None
    body: Body


@dataclass(frozen=True, slots=True)
class BlockSeq:
    """`block Name(statics) = stage -> stage`: one tensor in, one out, children numbered."""

    span: Span
    override: bool
    name: Name
    statics: Decls | None
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Model:
    span: Span
    name: Name
    signature: tuple[Decls, ...]
    outs: Type | Decls | None
    body: Body


@dataclass(frozen=True, slots=True)
class Key:
    """`name = value` in a section."""

    span: Span
    name: Name
    value: Pipe


@dataclass(frozen=True, slots=True)
class Field:
    """`name: type = value` in a section."""

    span: Span
    name: Name
    type: Type
    value: Pipe


@dataclass(frozen=True, slots=True)
class Let:
    span: Span
    name: Name
    value: Pipe


@dataclass(frozen=True, slots=True)
class Draw:
    """`setting ~ distribution`."""

    span: Span
    path: Path
    value: Pipe


@dataclass(frozen=True, slots=True)
class Rule:
    """`"ours" <- theirs` in a weight map."""

    span: Span
    ours: String
    theirs: Pipe


@dataclass(frozen=True, slots=True)
class Sub:
    """`name { entries }`."""

    span: Span
    name: Name
    entries: Entries


@dataclass(frozen=True, slots=True)
class SubFor:
    """`freeze "a.**", rank < 2 { .. }`, `step gen { .. }`: a name, arguments, and maybe entries."""

    span: Span
    name: Name
    args: tuple[Pipe, ...]
    entries: Entries | None


@dataclass(frozen=True, slots=True)
class Entries:
    span: Span
    items: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Data:
    span: Span
    name: Name
    entries: Entries


@dataclass(frozen=True, slots=True)
class Train:
    span: Span
    name: Name | None
    entries: Entries


@dataclass(frozen=True, slots=True)
class Export:
    span: Span
    name: Name | None
    entries: Entries


@dataclass(frozen=True, slots=True)
class Search:
    span: Span
    name: Name | None
    entries: Entries


@dataclass(frozen=True, slots=True)
class Weights:
    """`weights name for Model { .. }`."""

    span: Span
    name: Name
    model: Name
    entries: Entries


@dataclass(frozen=True, slots=True)
class Setting:
    """`path = value` of a variant, a `set` or the command line."""

    span: Span
    path: Path
    value: Pipe


@dataclass(frozen=True, slots=True)
class Variant:
    span: Span
    name: Name
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Set:
    span: Span
    setting: Setting


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment with its text after `#`; `own_line` tells whether code stands before it on its line."""

    span: Span
    text: str
    own_line: bool


@dataclass(frozen=True, slots=True)
class File:
    """A whole spec. Comments are kept aside, ordered by place; they mean nothing to any pass."""

    span: Span
    version: Number | None
    items: tuple[Item, ...]
    comments: tuple[Comment, ...]


Unit: TypeAlias = Ascribe | Rearrange | Apply | Group | IfStage | Repeat | For
Stage: TypeAlias = Unit | Labelled
Pipe: TypeAlias = (
    Ref | Number | Quantity | String | Bool | NoneLiteral | Ellipsis | List | Tuple | Paren | Attr | Call | Index
    | Unary | Binary | IfExpr | Pipeline | LabelledValue
)  # fmt: skip
Statement: TypeAlias = Bind | Accum | Require | Init | Emit | Scan | Pipe
Entry: TypeAlias = Key | Field | Let | Draw | Rule | Sub | SubFor
Item: TypeAlias = Import | Extends | Param | Block | BlockSeq | Model | Data | Train | Export | Search | Weights | Variant | Set
