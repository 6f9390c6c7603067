"""The abstract syntax tree: one frozen record a grammar rule, each with the span it was read from.

The parser builds these, the printer writes them back, the passes read them. Nothing here knows what a name means.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, TypeAlias, cast, dataclass_transform

from ..messages.source import Span

#: The signs that compare.
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class _NodeType(type):
    """Gives a class of fields its slots and `__init__`. Sixty dataclasses would take 20 ms of every start of `dlc`."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
        fields = tuple(name for name in namespace.get("__annotations__", ()) if not name.startswith("_"))
        namespace["__slots__"] = namespace["__match_args__"] = fields
        if fields:
            code = f"def __init__(self, {', '.join(fields)}):\n" + "".join(f"  self.{f} = {f}\n" for f in fields)
            exec(code, namespace)  # noqa: S102 - field names of this module only
            namespace.pop("__builtins__")
        return super().__new__(mcs, name, bases, namespace)


@dataclass_transform(frozen_default=True)
class Node(metaclass=_NodeType):
    """What all nodes share: equality, hash and repr by value. Frozen for the type checker, which costs nothing."""

    __match_args__: ClassVar[tuple[str, ...]]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(self, name) == getattr(other, name) for name in self.__match_args__
        )

    def __hash__(self) -> int:
        return hash((type(self).__name__, *(getattr(self, name) for name in self.__match_args__)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__match_args__)})"


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


class Body(Node):
    span: Span
    statements: tuple[Statement, ...]


# ---- top-level items -----------------------------------------------------------------------------------------------


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


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, in the order of the fields."""
    for name in node.__match_args__:
        value: Any = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple) and not isinstance(value, Span):
            yield from (item for item in cast(tuple[Any, ...], value) if isinstance(item, Node))


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
Statement: TypeAlias = Bind | Accum | Require | Init | Emit | Scan | If | Pipe
Entry: TypeAlias = Key | Field | Let | Draw | Rule | Sub | SubFor
Item: TypeAlias = (
    Import | Extends | Param | Block | BlockSeq | Model | Data | Train | Export | Search | Weights | Variant | Set
)
