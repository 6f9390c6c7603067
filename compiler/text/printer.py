"""Trees to text. What a file looks like when a person wrote it is the business of `layout`; this prints any tree,
with the parentheses that its shape needs, on one line as far as that can be."""

from __future__ import annotations

from collections.abc import Iterable

from ..messages.source import Source
from . import syntax as s
from . import top_level
from .layout import STEP, format_file
from .node import Node
from .parse import parse

__all__ = ["format_file", "print_expression", "print_file"]

# operator precedence; a value needs no parentheses where at most this much is required
PIPE, IF, OR, AND, NOT, COMPARE, RANGE, SUM, TERM, UNARY, POWER, POSTFIX, ATOM = range(13)
LEVELS = {
    "or": OR,
    "and": AND,
    "..": RANGE,
    "+": SUM,
    "-": SUM,
    "*": TERM,
    "/": TERM,
    "//": TERM,
    "%": TERM,
    "@": TERM,
    "**": POWER,
}
ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"})


def print_expression(node: Node) -> str:
    """The text of an expression, stage, type, setting or argument list."""
    return _print(node, PIPE)


def print_file(file: top_level.File) -> str:
    """The text of a whole tree, also of one that nobody wrote. Comments are not placed."""
    items = "\n\n".join(_statement(item, 0) for item in file.items)
    head = f"dlspec {file.version.text}\n\n" if file.version is not None else ""
    source = Source("<printed>", head + items + "\n")
    again, diagnostics = parse(source)
    assert again is not None, diagnostics
    return format_file(again, source)


def _print(node: Node, least: int) -> str:
    text = _bare(node)
    return f"({text})" if _level(node) < least else text


def _level(node: Node) -> int:
    match node:
        case s.Pipeline() | s.LabelledValue():
            return PIPE
        case s.IfExpr():
            return IF
        case s.Binary():
            return LEVELS.get(node.op, COMPARE)
        case s.Unary():
            return NOT if node.op == "not" else UNARY
        case s.Number():
            return UNARY if node.text.startswith("-") else ATOM
        case s.Quantity():
            return _level(node.number)
        case s.Attr() | s.Call() | s.Index():
            return POSTFIX
        case _:
            return ATOM


def _binary(node: s.Binary) -> str:
    level = _level(node)
    left, right = {COMPARE: (RANGE, RANGE), RANGE: (SUM, SUM), POWER: (POSTFIX, UNARY)}.get(level, (level, level + 1))
    before, after = _print(node.left, left), _print(node.right, right)
    close = level == RANGE and not (before.endswith(".") or after.startswith("."))
    return f"{before}{node.op}{after}" if close else f"{before} {node.op} {after}"


def _listed(items: Iterable[Node], least: int = PIPE) -> str:
    return ", ".join(_print(item, least) for item in items)


def _optional(before: str, node: Node | None) -> str:
    return "" if node is None else before + _print(node, PIPE)


def _stages(stages: Iterable[s.Stage]) -> str:
    return " -> ".join(_bare(stage) for stage in stages)


def _bare(node: Node) -> str:
    """Without the parentheses that its surroundings may need."""
    match node:
        case s.Name() | s.Path():
            return node.text
        case s.Ref():
            return node.name
        case s.Number():
            return node.text
        case s.Quantity():
            return f"{node.number.text} {node.unit.text}"
        case s.String():
            return f'"{node.value.translate(ESCAPES)}"'
        case s.Bool():
            return "true" if node.value else "false"
        case s.NoneLiteral():
            return "none"
        case s.Ellipsis():
            return "..."
        case s.List():
            return f"[{_listed(node.items)}]"
        case s.Tuple():
            return f"({_listed(node.items)}{',' if len(node.items) == 1 else ''})"
        case s.Paren():
            return f"({_print(node.value, PIPE)})"
        case s.Attr():
            return f"{_print(node.value, POSTFIX)}.{node.name.text}"
        case s.Kwarg():
            return f"{node.name.text} = {_print(node.value, PIPE)}"
        case s.Args():
            return f"({_listed(node.items)})"
        case s.Call():
            return _print(node.callee, POSTFIX) + _bare(node.args)
        case s.Slice():
            return _slice(node)
        case s.Index():
            return f"{_print(node.value, POSTFIX)}[{_listed(node.items, IF)}]"
        case s.Unary():
            return f"not {_print(node.value, NOT)}" if node.op == "not" else f"-{_print(node.value, UNARY)}"
        case s.Binary():
            return _binary(node)
        case s.IfExpr():
            orelse = _bare(node.orelse) if isinstance(node.orelse, s.IfExpr) else f"{{ {_print(node.orelse, PIPE)} }}"
            return f"if {_print(node.condition, OR)} {{ {_print(node.then, PIPE)} }} else {orelse}"
        case _:
            return _bare_flow(node)


def _slice(node: s.Slice) -> str:
    start = "" if node.start is None else _print(node.start, SUM)
    stop = "" if node.stop is None else _print(node.stop, SUM)
    return f"{start}:{stop}"


def _bare_flow(node: Node) -> str:
    match node:
        case s.Pipeline():
            head = node.value
            first = _bare(head) if isinstance(head, s.LabelledValue) else _print(head, IF)
            return f"{first} -> {_stages(node.stages)}"
        case s.LabelledValue() | s.Labelled():
            return f"{node.label.text}: {_bare(node.unit)}"
        case s.Shape():
            return f"[{_listed(node.items, IF)}]"
        case s.Ascribe():
            return _bare(node.shape)
        case s.Rearrange():
            return f"{_bare(node.before)} => {_bare(node.after)}"
        case s.Apply():
            args = "" if node.args is None else _bare(node.args)
            return node.callee.text + args + ("" if node.select is None else f".{node.select.text}")
        case s.Group():
            return f"{{ {_stages(node.stages)} }}"
        case s.IfStage():
            orelse = "" if node.orelse is None else f" else {_bare(node.orelse)}"
            return f"if {_print(node.condition, IF)} {_bare(node.then)}{orelse}"
        case s.Repeat():
            return f"repeat {_print(node.count, IF)} {_bare(node.body)}"
        case s.For():
            names = ", ".join(name.text for name in node.targets)
            target = names if len(node.targets) == 1 else f"({names})"
            return f"for {target} in {_print(node.items, IF)} {_bare(node.body)}"
        case s.Type():
            parts = (node.name, node.args, node.shape)
            return "".join(_bare(part) for part in parts if part is not None)
        case s.Decl():
            return node.name.text + _optional(": ", node.type) + _optional(" = ", node.default)
        case s.Decls():
            return f"({_listed(node.items)})"
        case top_level.Alias():
            return node.name.text + _optional(" as ", node.alias)
        case _:
            return _statement(node, 0)


def _braces(items: Iterable[Node], indent: int) -> str:
    lines = [" " * (indent + STEP) + _statement(item, indent + STEP) for item in items]
    return "{\n" + "\n".join(lines) + "\n" + " " * indent + "}" if lines else "{}"


def _statement(node: Node, indent: int) -> str:
    """A statement, entry or item; those with braces take several lines."""
    if isinstance(node, s.Pipe):
        return _print(node, PIPE)
    match node:
        case s.Bind():
            return f"{_print(node.target, POSTFIX)} = {_print(node.value, PIPE)}"
        case s.Accum():
            return f"{_print(node.target, POSTFIX)} += {_print(node.value, PIPE)}"
        case s.Require():
            return f"require {_print(node.condition, IF)}{_optional(', ', node.message)}"
        case s.Init():
            return f"init {_listed(node.selectors, IF)} = {_print(node.value, PIPE)}"
        case s.Emit():
            return f"emit {node.name.text} = {_print(node.value, PIPE)}"
        case s.Scan():
            body = _braces(node.body.statements, indent)
            return f"{_print(node.target, POSTFIX)} = {_print(node.value, PIPE)} {body}"
        case s.If():
            orelse = "" if node.orelse is None else f" else {_statement(node.orelse, indent)}"
            return f"if {_print(node.condition, OR)} {_braces(node.then.statements, indent)}{orelse}"
        case s.Body():
            return _braces(node.statements, indent)
        case top_level.Entries():
            return _braces(node.items, indent)
        case top_level.Key():
            return f"{node.name.text} = {_print(node.value, PIPE)}"
        case top_level.Field():
            return f"{node.name.text}: {_bare(node.type)} = {_print(node.value, PIPE)}"
        case top_level.Let():
            return f"let {node.name.text} = {_print(node.value, PIPE)}"
        case top_level.Draw():
            return f"{node.path.text} ~ {_print(node.value, PIPE)}"
        case top_level.Rule():
            return f"{_bare(node.ours)} <- {_print(node.theirs, PIPE)}"
        case top_level.Sub():
            return f"{node.name.text} {_braces(node.entries.items, indent)}"
        case top_level.SubFor():
            entries = "" if node.entries is None else " " + _braces(node.entries.items, indent)
            return f"{node.name.text} {_listed(node.args, IF)}{entries}"
        case top_level.Setting():
            return f"{node.path.text} = {_print(node.value, PIPE)}"
        case _:
            return _item(node, indent)


def _item(node: Node, indent: int) -> str:
    match node:
        case top_level.Import():
            args = "" if node.args is None else f" {_bare(node.args)}"
            return f"from {_bare(node.path)}{args} import {_listed(node.names)}"
        case top_level.Extends():
            return f"extends {_bare(node.path)}"
        case top_level.Param():
            return f"param {node.name.text}{_optional(': ', node.type)} = {_print(node.value, PIPE)}"
        case top_level.Block() | top_level.Model():
            override = "override " if isinstance(node, top_level.Block) and node.override else ""
            word = "block" if isinstance(node, top_level.Block) else "model"
            lists = "".join(_bare(decls) for decls in node.signature)
            outs = _optional(" -> ", node.outs)
            return f"{override}{word} {node.name.text}{lists}{outs} {_braces(node.body.statements, indent)}"
        case top_level.BlockSeq():
            statics = "" if node.statics is None else _bare(node.statics)
            return f"{'override ' * node.override}block {node.name.text}{statics} = {_stages(node.stages)}"
        case top_level.Data():
            return f"data {node.name.text} {_braces(node.entries.items, indent)}"
        case top_level.Train() | top_level.Export() | top_level.Search():
            name = "" if node.name is None else f" {node.name.text}"
            return f"{type(node).__name__.lower()}{name} {_braces(node.entries.items, indent)}"
        case top_level.Weights():
            return f"weights {node.name.text} for {node.model.text} {_braces(node.entries.items, indent)}"
        case top_level.Variant():
            return f"variant {node.name.text} {_braces(node.settings, indent)}"
        case top_level.Set():
            return f"set {_statement(node.setting, indent)}"
        case _:
            raise AssertionError(f"no text for {type(node).__name__}")
