"""What each production of the grammar becomes: values of `syntax`, with exact spans."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from math import isinf
from typing import Any

from ...grammar.machine import HOLE
from ...grammar.scanner import Token
from ...grammar.tables import ParserTables
from ..messages import syntax as errors
from ..messages.diagnostics import Diagnostic
from ..messages.source import Span
from . import syntax as s
from . import top_level

UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 10**3, "M": 10**6, "G": 10**9}
LARGEST = 2**63
LONGEST_NAME = 100  # characters
ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}

Items = list[Any]


def number_value(text: str) -> int | float:
    """`10k` and `1.5M` are ints, `1e-3`, `2.0` and `1e3` floats. Raises OverflowError for ints
    beyond 2^63 and floats beyond all."""
    digits = text.replace("_", "")
    prefix = digits[-2:] if digits[-2:] in UNITS else digits[-1:] if digits[-1:] in UNITS else ""
    digits = digits.removesuffix(prefix)
    if len(digits) > 400:
        raise OverflowError
    if "e" in digits or "E" in digits or ("." in digits and not prefix):
        value: int | float = float(digits) * (UNITS[prefix] if prefix else 1)
    elif prefix:
        exact = Decimal(digits) * UNITS[prefix]
        value = int(exact) if exact == exact.to_integral_value() else float(exact)
    else:
        value = int(digits)
    if value > LARGEST if isinstance(value, int) else isinf(value):
        raise OverflowError
    return value


class TreeBuilder:
    """Builders by name for the machine; what is wrong in itself (not by its place) goes to `diagnostics`."""

    def __init__(self, file: str, tables: ParserTables) -> None:
        self.file = file
        self.diagnostics: list[Diagnostic] = []
        self.flows: dict[int, tuple[s.Pipeline, list[s.Stage]]] = {}
        self.name = tables.terminal["NAME"]
        self.number = tables.terminal["NUMBER"]
        self.text = tables.terminal["STRING"]
        self.builders: dict[str, Callable[[Items, int, int], Any]] = {
            name.removeprefix("on_"): getattr(self, name) for name in dir(self) if name.startswith("on_")
        }

    def span(self, start: int, end: int) -> Span:
        return Span(self.file, start, end)

    # ---- tokens ----------------------------------------------------------------------------------------------------

    def make(self, kind: int, token: Token) -> Any:
        span = Span(self.file, token.start, token.end)
        if kind == self.number:
            try:
                return s.Number(span, number_value(token.text), token.text)
            except OverflowError:
                self.diagnostics.append(errors.number_too_large(span, token.text))
                return s.Number(span, LARGEST, token.text)
        if kind == self.text:
            return s.String(span, self._unescape(token))
        if len(token.text) > LONGEST_NAME:
            self.diagnostics.append(errors.name_too_long(span, LONGEST_NAME))
        return s.Name(span, token.text)

    def _unescape(self, token: Token) -> str:
        body = token.text[1:-1]
        if "\\" not in body:
            return body

        def resolve(match: re.Match[str]) -> str:
            if match[1] not in ESCAPES:
                at = token.start + 1 + match.start()
                self.diagnostics.append(errors.unknown_escape(self.span(at, at + 2), match[0]))
            return ESCAPES.get(match[1], match[1])

        return re.sub(r"\\(.)", resolve, body)

    # ---- files and declarations ------------------------------------------------------------------------------------

    def on_start(self, items: Items, start: int, end: int) -> tuple[s.Number | None, tuple[top_level.Item, ...]]:
        version = items[0] if items and isinstance(items[0], s.Number) else None
        return version, tuple(i for i in items if i is not None and i is not HOLE and i is not version)

    def on_version(self, items: Items, start: int, end: int) -> s.Number:
        return items[0]

    def on_import_(self, items: Items, start: int, end: int) -> top_level.Import:
        return top_level.Import(self.span(start, end), items[0], items[1], tuple(items[2:]))

    def on_alias(self, items: Items, start: int, end: int) -> top_level.Alias:
        return top_level.Alias(self.span(start, end), items[0], items[1])

    def on_extends(self, items: Items, start: int, end: int) -> top_level.Extends:
        return top_level.Extends(self.span(start, end), items[0])

    def on_param(self, items: Items, start: int, end: int) -> top_level.Param:
        return top_level.Param(self.span(start, end), items[0], items[1], items[2])

    def on_block(self, items: Items, start: int, end: int) -> top_level.Block:
        override, name, signature, outs, body = items
        return top_level.Block(self.span(start, end), override is not None, name, signature, outs, body)

    def on_block_seq(self, items: Items, start: int, end: int) -> top_level.BlockSeq:
        override, name, statics, stages = items
        return top_level.BlockSeq(self.span(start, end), override is not None, name, statics, stages)

    def on_model(self, items: Items, start: int, end: int) -> top_level.Model:
        return top_level.Model(self.span(start, end), *items)

    def on_sig(self, items: Items, start: int, end: int) -> tuple[s.Decls, ...]:
        return tuple(items)

    def on_decls(self, items: Items, start: int, end: int) -> s.Decls:
        return s.Decls(self.span(start, end), tuple(i for i in items if i is not None))

    def on_decl(self, items: Items, start: int, end: int) -> s.Decl:
        return s.Decl(self.span(start, end), *items)

    def on_outs(self, items: Items, start: int, end: int) -> s.Type | s.Decls:
        return items[0]

    def on_type(self, items: Items, start: int, end: int) -> s.Type:
        path = next((i for i in items if isinstance(i, s.Path)), None)
        args = next((i for i in items if isinstance(i, s.Args)), None)
        shape = next((i for i in items if isinstance(i, s.Shape)), None)
        return s.Type(self.span(start, end), path, args, shape)

    def on_shape(self, items: Items, start: int, end: int) -> s.Shape:
        return s.Shape(self.span(start, end), tuple(i for i in items if i is not None))

    def on_path(self, items: Items, start: int, end: int) -> s.Path:
        return s.Path(self.span(start, end), tuple(items))

    # ---- bodies ----------------------------------------------------------------------------------------------------

    def on_body(self, items: Items, start: int, end: int) -> s.Body:
        return s.Body(self.span(start, end), tuple(i for i in items if i is not None and i is not HOLE))

    def on_bind(self, items: Items, start: int, end: int) -> s.Bind:
        self._assignable(items[0])
        return s.Bind(self.span(start, end), items[0], items[1])

    def on_accum(self, items: Items, start: int, end: int) -> s.Accum:
        if isinstance(items[0], s.List):
            self.diagnostics.append(errors.adds_to_several(items[0].span))
        else:
            self._assignable(items[0])
        return s.Accum(self.span(start, end), items[0], items[1])

    def on_scan(self, items: Items, start: int, end: int) -> s.Scan:
        target, value, body = items
        self._assignable(target)
        if not (isinstance(value, s.Call) and isinstance(value.callee, s.Ref) and value.callee.name == "scan"):
            self.diagnostics.append(errors.body_without_scan(body.span))
        return s.Scan(self.span(start, end), target, value, body)

    def on_branches(self, items: Items, start: int, end: int) -> s.If:
        return s.If(self.span(start, end), *items)

    def on_if_(self, items: Items, start: int, end: int) -> s.If | s.IfExpr:
        return _as_value(items[0]) or items[0]

    def _assignable(self, target: s.Pipe) -> None:
        if isinstance(target, s.Ref):
            return
        if isinstance(target, s.List) and target.items and all(isinstance(item, s.Ref) for item in target.items):
            return
        of_self = None
        if isinstance(target, s.Attr) and isinstance(target.value, s.Ref) and target.value.name == "self":
            of_self = target.name.text
        self.diagnostics.append(errors.not_assignable(target.span, of_self))

    def on_require(self, items: Items, start: int, end: int) -> s.Require:
        return s.Require(self.span(start, end), items[0], items[1])

    def on_init(self, items: Items, start: int, end: int) -> s.Init:
        return s.Init(self.span(start, end), tuple(items[:-1]), items[-1])

    def on_emit(self, items: Items, start: int, end: int) -> s.Emit:
        return s.Emit(self.span(start, end), items[0], items[1])

    # ---- sections --------------------------------------------------------------------------------------------------

    def on_data(self, items: Items, start: int, end: int) -> top_level.Data:
        return top_level.Data(self.span(start, end), *items)

    def on_train(self, items: Items, start: int, end: int) -> top_level.Train:
        return top_level.Train(self.span(start, end), *items)

    def on_export(self, items: Items, start: int, end: int) -> top_level.Export:
        return top_level.Export(self.span(start, end), *items)

    def on_search(self, items: Items, start: int, end: int) -> top_level.Search:
        return top_level.Search(self.span(start, end), *items)

    def on_weights(self, items: Items, start: int, end: int) -> top_level.Weights:
        return top_level.Weights(self.span(start, end), *items)

    def on_variant(self, items: Items, start: int, end: int) -> top_level.Variant:
        settings = tuple(i for i in items[1:] if i is not None and i is not HOLE)
        return top_level.Variant(self.span(start, end), items[0], settings)

    def on_setting(self, items: Items, start: int, end: int) -> top_level.Setting:
        return top_level.Setting(self.span(start, end), *items)

    def on_set(self, items: Items, start: int, end: int) -> Any:
        return HOLE if items[0] is HOLE else top_level.Set(self.span(start, end), items[0])

    def on_entries(self, items: Items, start: int, end: int) -> top_level.Entries:
        return top_level.Entries(self.span(start, end), tuple(i for i in items if i is not None and i is not HOLE))

    def on_key(self, items: Items, start: int, end: int) -> top_level.Key:
        return top_level.Key(self.span(start, end), *items)

    def on_field(self, items: Items, start: int, end: int) -> top_level.Field:
        return top_level.Field(self.span(start, end), *items)

    def on_let(self, items: Items, start: int, end: int) -> top_level.Let:
        return top_level.Let(self.span(start, end), *items)

    def on_draw(self, items: Items, start: int, end: int) -> top_level.Draw:
        return top_level.Draw(self.span(start, end), *items)

    def on_rule(self, items: Items, start: int, end: int) -> top_level.Rule:
        return top_level.Rule(self.span(start, end), *items)

    def on_sub(self, items: Items, start: int, end: int) -> top_level.Sub:
        return top_level.Sub(self.span(start, end), *items)

    def on_sub_for(self, items: Items, start: int, end: int) -> top_level.SubFor:
        return top_level.SubFor(self.span(start, end), items[0], tuple(items[1:-1]), items[-1])

    # ---- pipelines -------------------------------------------------------------------------------------------------

    def on_pipe(self, items: Items, start: int, end: int) -> s.Pipeline:
        value, stage = items
        if isinstance(value, s.If):
            self.diagnostics.append(errors.statements_piped(value.span))
            value = s.NoneLiteral(value.span)
        if isinstance(value, s.Pipeline):  # still growing
            self.flows[id(value)][1].append(stage)
            object.__setattr__(value, "span", self.span(start, end))
            return value
        pipeline = s.Pipeline(self.span(start, end), value, ())
        self.flows[id(pipeline)] = pipeline, [stage]
        return pipeline

    def finish(self) -> None:
        """Give the pipelines their stages: collected in lists, so that a long one takes linear time."""
        for pipeline, stages in self.flows.values():
            object.__setattr__(pipeline, "stages", tuple(stages))

    def on_labelled(self, items: Items, start: int, end: int) -> s.LabelledValue:
        return s.LabelledValue(self.span(start, end), self._label(items[0]), items[1])

    def _label(self, value: s.Pipe) -> s.Path:
        """Labels at the head of a pipe are read as expressions; they have to be paths."""
        names: list[s.Name] = []
        inner = value
        while isinstance(inner, s.Attr):
            names.append(inner.name)
            inner = inner.value
        if isinstance(inner, s.Ref):
            names.append(s.Name(inner.span, inner.name))
        else:
            self.diagnostics.append(errors.not_a_label(value.span))
            names = names or [s.Name(value.span, "_")]
        return s.Path(value.span, tuple(reversed(names)))

    def on_seq(self, items: Items, start: int, end: int) -> tuple[s.Stage, ...]:
        return tuple(items)

    def on_label(self, items: Items, start: int, end: int) -> s.Labelled:
        return s.Labelled(self.span(start, end), *items)

    def on_ascribe(self, items: Items, start: int, end: int) -> s.Ascribe:
        return s.Ascribe(self.span(start, end), items[0])

    def on_rearrange(self, items: Items, start: int, end: int) -> s.Rearrange:
        return s.Rearrange(self.span(start, end), *items)

    def on_apply(self, items: Items, start: int, end: int) -> s.Apply:
        return s.Apply(self.span(start, end), items[0], items[1] if len(items) > 1 else None, None)

    def on_apply_select(self, items: Items, start: int, end: int) -> s.Apply:
        return s.Apply(self.span(start, end), *items)

    def on_group(self, items: Items, start: int, end: int) -> s.Group:
        return s.Group(self.span(start, end), items[0])

    def on_if_stage(self, items: Items, start: int, end: int) -> s.IfStage:
        return s.IfStage(self.span(start, end), items[0], items[1], items[2] if len(items) > 2 else None)

    def on_else_stage(self, items: Items, start: int, end: int) -> s.IfStage:
        return self.on_if_stage(items, start, end)

    def on_repeat(self, items: Items, start: int, end: int) -> s.Repeat:
        return s.Repeat(self.span(start, end), *items)

    def on_for_stage(self, items: Items, start: int, end: int) -> s.For:
        return s.For(self.span(start, end), *items)

    def on_target(self, items: Items, start: int, end: int) -> tuple[s.Name, ...]:
        return tuple(items)

    # ---- expressions -----------------------------------------------------------------------------------------------

    def _binary(self, items: Items, start: int, end: int) -> s.Binary:
        left, op, right = items
        return s.Binary(self.span(start, end), op.text, op.span, left, right)

    on_or_ = on_and_ = on_cmp = on_range = on_binop = on_binop_pow = _binary

    def on_unop(self, items: Items, start: int, end: int) -> s.Unary:
        return s.Unary(self.span(start, end), items[0].text, items[1])

    on_not_ = on_unop

    def on_if_expr(self, items: Items, start: int, end: int) -> s.IfExpr:
        return s.IfExpr(self.span(start, end), *items)

    def on_attr(self, items: Items, start: int, end: int) -> s.Attr:
        return s.Attr(self.span(start, end), *items)

    def on_call(self, items: Items, start: int, end: int) -> s.Call:
        return s.Call(self.span(start, end), *items)

    def on_index_(self, items: Items, start: int, end: int) -> s.Index:
        return s.Index(self.span(start, end), items[0], tuple(items[1:]))

    def on_index(self, items: Items, start: int, end: int) -> s.Pipe | s.Slice:
        return items[0]

    def on_slice(self, items: Items, start: int, end: int) -> s.Slice:
        return s.Slice(self.span(start, end), *items)

    def on_args(self, items: Items, start: int, end: int) -> s.Args:
        return s.Args(self.span(start, end), tuple(i for i in items if i is not None))

    def on_kwarg(self, items: Items, start: int, end: int) -> s.Kwarg:
        return s.Kwarg(self.span(start, end), *items)

    def on_name(self, items: Items, start: int, end: int) -> s.Ref:
        return s.Ref(items[0].span, items[0].text)

    def on_number(self, items: Items, start: int, end: int) -> s.Number:
        return items[0]

    def on_quantity(self, items: Items, start: int, end: int) -> s.Quantity:
        return s.Quantity(self.span(start, end), *items)

    def on_string(self, items: Items, start: int, end: int) -> s.String:
        return items[0]

    def on_true(self, items: Items, start: int, end: int) -> s.Bool:
        return s.Bool(self.span(start, end), True)

    def on_false(self, items: Items, start: int, end: int) -> s.Bool:
        return s.Bool(self.span(start, end), False)

    def on_none(self, items: Items, start: int, end: int) -> s.NoneLiteral:
        return s.NoneLiteral(self.span(start, end))

    def on_ellipsis(self, items: Items, start: int, end: int) -> s.Ellipsis:
        return s.Ellipsis(self.span(start, end))

    def on_list(self, items: Items, start: int, end: int) -> s.List:
        return s.List(self.span(start, end), tuple(i for i in items if i is not None))

    def on_tuple(self, items: Items, start: int, end: int) -> s.Tuple:
        return s.Tuple(self.span(start, end), tuple(items))

    def on_paren(self, items: Items, start: int, end: int) -> s.Paren:
        return s.Paren(self.span(start, end), items[0])


def _as_value(node: s.If) -> s.IfExpr | None:
    """The `if` as an expression, when each branch is a single value."""
    rest = node.orelse
    if isinstance(rest, s.If):
        orelse: s.Pipe | None = _as_value(rest)
    else:
        orelse = _only_value(rest) if rest is not None else None
    then = _only_value(node.then)
    if then is None or orelse is None:
        return None
    return s.IfExpr(node.span, node.condition, then, orelse)


def _only_value(body: s.Body) -> s.Pipe | None:
    only = body.statements[0] if len(body.statements) == 1 else None
    return only if isinstance(only, s.Pipe) else None
