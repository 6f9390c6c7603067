"""The syntax tree of what a body and a value are made of: expressions, stages, types, statements.

One frozen record a grammar rule, each with the span it was read from. The parser builds these, the printer writes them
back, the passes read them; `top_level` has the items of a file. Nothing here knows what a name means.
"""

from __future__ import annotations

from typing import TypeAlias

from ..messages.source import Span
from .node import Node

#: The signs that compare.
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class Name(Node):
    """An identifier with its own place: labels, keys, declared names."""

    span: Span
    text: str


# ---- expressions ---------------------------------------------------------------------------------------------------


class Ref(Node):
    """`x`: a name read as a value."""

    span: Span
    name: str


class Number(Node):
    """`10k`, `1e-3`, `64Ki`: `value` is an int when the number is whole and was written without point or exponent
    other than a unit prefix (`10k`, `1.5M` are ints; `1e-3`, `2.0`, `1e3` are floats). `text` is what was written."""

    span: Span
    value: int | float
    text: str


class Quantity(Node):
    """`100 epochs`, `30 s`: a number with a unit."""

    span: Span
    number: Number
    unit: Name


class String(Node):
    """A string literal; `value` has its escapes resolved."""

    span: Span
    value: str


class Bool(Node):
    span: Span
    value: bool


class NoneLiteral(Node):
    """`none`."""

    span: Span


class Ellipsis(Node):
    """`...`: any leading axes in a shape or an index."""

    span: Span


class List(Node):
    span: Span
    items: tuple[Pipe, ...]


class Tuple(Node):
    span: Span
    items: tuple[Pipe, ...]


class Paren(Node):
    """`( pipe )`; kept so that the printer writes what was written."""

    span: Span
    value: Pipe


class Attr(Node):
    """`value.name`."""

    span: Span
    value: Pipe
    name: Name


class Kwarg(Node):
    """`name = value` inside an argument list."""

    span: Span
    name: Name
    value: Pipe


class Args(Node):
    """An argument list: positional items and `Kwarg`s in the order written."""

    span: Span
    items: tuple[Pipe | Kwarg, ...]


class Call(Node):
    """`callee(args)` as an expression."""

    span: Span
    callee: Pipe
    args: Args


class Slice(Node):
    """`start:stop` in an index; either side may be missing."""

    span: Span
    start: Pipe | None
    stop: Pipe | None


class Index(Node):
    """`value[items]`."""

    span: Span
    value: Pipe
    items: tuple[Pipe | Slice, ...]


class Unary(Node):
    """`-x`, `not x`; `op` is `-` or `not`."""

    span: Span
    op: str
    value: Pipe


class Binary(Node):
    """`op` is one of `+ - * / // % @ ** == != < <= > >= and or ..`; `op_span` is the operator's own place."""

    span: Span
    op: str
    op_span: Span
    left: Pipe
    right: Pipe


class IfExpr(Node):
    """`if c { a } else { b }` as an expression (`orelse` may be another `IfExpr`)."""

    span: Span
    condition: Pipe
    then: Pipe
    orelse: Pipe


class Path(Node):
    """`a.b.c`: a label, a stage's callee, a setting's name, a type name."""

    span: Span
    names: tuple[Name, ...]

    @property
    def text(self) -> str:
        return ".".join(name.text for name in self.names)


# ---- pipelines and stages ------------------------------------------------------------------------------------------


class Pipeline(Node):
    """`value -> stage -> stage`, flattened: `value` is never itself a Pipeline (unless parenthesised: Paren)."""

    span: Span
    value: Pipe
    stages: tuple[Stage, ...]


class LabelledValue(Node):
    """`path: unit` at the head of a pipe (`(D: Param([n]))`, `bias = a.b: Param(..)`)."""

    span: Span
    label: Path
    unit: Unit


class Shape(Node):
    """`[B, T, (heads, K)]`: each item an expression, a Tuple (merged axes), `_` (a Ref) or an Ellipsis; a bound is a
    Binary with op `<=`."""

    span: Span
    items: tuple[Pipe, ...]


class Ascribe(Node):
    """A stated shape as a stage."""

    span: Span
    shape: Shape


class Rearrange(Node):
    """`[..] => [..]`."""

    span: Span
    before: Shape
    after: Shape


class Apply(Node):
    """A stage that names something: `relu`, `Conv(64, 3)`, `tower`, `LSTM(256).h` (`select` = `h`)."""

    span: Span
    callee: Path
    args: Args | None
    select: Name | None


class Group(Node):
    """`{ stage -> stage }`."""

    span: Span
    stages: tuple[Stage, ...]


class IfStage(Node):
    """`if c { .. } else { .. }` as a stage; `orelse` is None, a Group or another IfStage."""

    span: Span
    condition: Pipe
    then: Group
    orelse: Group | IfStage | None


class Repeat(Node):
    span: Span
    count: Pipe
    body: Group


class For(Node):
    span: Span
    targets: tuple[Name, ...]
    items: Pipe
    body: Group


class Labelled(Node):
    """`path: unit` as a stage."""

    span: Span
    label: Path
    unit: Unit


# ---- types and declarations ----------------------------------------------------------------------------------------


class Type(Node):
    """`int`, `i64`, `one_of("a", "b")`, `f32[B, T]`, `[B, T <= n]`: a name, arguments or a shape, as written."""

    span: Span
    name: Path | None
    args: Args | None
    shape: Shape | None


class Decl(Node):
    """`name: type = default`, each part but the name optional."""

    span: Span
    name: Name
    type: Type | None
    default: Pipe | None


class Decls(Node):
    span: Span
    items: tuple[Decl, ...]


# ---- statements of a body ------------------------------------------------------------------------------------------


class Bind(Node):
    """`target = value`; target is a Ref, a List of Refs (`[q, k, v] = ..`), or something E0103 rejects."""

    span: Span
    target: Pipe
    value: Pipe


class Accum(Node):
    """`target += value`."""

    span: Span
    target: Pipe
    value: Pipe


class Require(Node):
    span: Span
    condition: Pipe
    message: String | None


class Init(Node):
    """`init selector, selector = rule`."""

    span: Span
    selectors: tuple[Pipe, ...]
    value: Pipe


class Emit(Node):
    span: Span
    name: Name
    value: Pipe


class Scan(Node):
    """`target = call { body }`."""

    span: Span
    target: Pipe
    value: Pipe
    body: Body


class If(Node):
    """`if c { statements } else { statements }` as a statement, where a branch is more than a value or there is no
    `else` (else it is an `IfExpr`); `orelse` is None, a Body or another If."""

    span: Span
    condition: Pipe
    then: Body
    orelse: Body | If | None


class Gap(Node):
    """A statement with a mistake of syntax; such a body is checked as far as it can be read, and never printed. `target` has
    the names that it may bind (any, if it is `nameless`), `words` all that it may read."""

    span: Span
    target: List
    words: List
    nameless: bool


class Body(Node):
    span: Span
    statements: tuple[Statement, ...]


Unit: TypeAlias = Ascribe | Rearrange | Apply | Group | IfStage | Repeat | For
Stage: TypeAlias = Unit | Labelled
Pipe: TypeAlias = (
    Ref
    | Number
    | Quantity
    | String
    | Bool
    | NoneLiteral
    | Ellipsis
    | List
    | Tuple
    | Paren
    | Attr
    | Call
    | Index
    | Unary
    | Binary
    | IfExpr
    | Pipeline
    | LabelledValue
)
Statement: TypeAlias = Bind | Accum | Require | Init | Emit | Scan | If | Gap | Pipe
