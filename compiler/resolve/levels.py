"""E0311 and W0406: names of different levels differ within a file, and should differ from those of the tables
(reference 3.2).

The levels are what a body binds, its static parameters, and the file's parameters, blocks and imports.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..catalogue.ops import names as operators
from ..messages import resolve as errors
from ..messages.source import Span
from ..sizes.static_functions import STATIC_FUNCTIONS
from ..sizes.statics import CONSTANTS
from ..text import syntax, top_level
from .definitions import Definition, FileScope, ParamSlot, statics_of

Named = tuple[str, Span, str]


def check_levels(scope: FileScope) -> None:
    """Reports every name of a body that is also one of its statics or of the file."""
    outer = dict(_file_names(scope))
    own = {*operators(), *STATIC_FUNCTIONS, *CONSTANTS}
    for name, (span, what) in outer.items():
        if name in own:
            scope.report.add(errors.hides_table_name(span, name, what))
    for definition in scope.definitions.values():
        if definition.kind not in ("block", "model"):
            continue
        statics: dict[str, tuple[Span, str]] = {}
        for decl in statics_of(definition):
            name = decl.name.text
            if name in statics:
                scope.report.add(errors.defined_twice(decl.name.span, name, statics[name][0]))
            statics.setdefault(name, (decl.name.span, "a static parameter"))
        _check_signature(scope, definition)
        reported: set[str] = set()
        for name, (span, what) in statics.items():
            if name in outer:
                scope.report.add(errors.levels(span, name, what, outer[name][1], outer[name][0]))
                reported.add(name)
        for name, span, what in _bound(definition):
            seen = statics.get(name) or outer.get(name)
            if seen is not None and name not in reported:
                reported.add(name)
                scope.report.add(errors.levels(span, name, what, seen[1], seen[0]))


def _check_signature(scope: FileScope, definition: Definition) -> None:
    """Inputs of one name, outputs of one name, no output at all, and an output of a model called like an input: a file
    that is made from a model knows both by their names alone."""
    node = definition.node
    if isinstance(node, top_level.BlockSeq):
        return
    statics = statics_of(definition)
    inputs = [decl for decls in node.signature for decl in decls.items if decl not in statics]
    outputs = node.outs.items if isinstance(node.outs, syntax.Decls) else ()
    if isinstance(node.outs, syntax.Decls) and not outputs:
        scope.report.add(errors.no_outputs(node.outs.span, definition.name))
    places: dict[str, Span] = {}
    for decls in (inputs, outputs):
        seen: dict[str, Span] = {}
        for decl in decls:
            name, span = decl.name.text, decl.name.span
            if name in seen:
                scope.report.add(errors.defined_twice(span, name, seen[name]))
            elif decls is outputs and definition.kind == "model" and name in places:
                scope.report.add(errors.levels(span, name, "an output", "an input", places[name]))
            seen.setdefault(name, span)
        places |= seen


def names_of(definition: Definition) -> set[str]:
    """Names that a definition uses for something of its own: statics, inputs, bindings, fields."""
    if definition.kind in ("block", "model"):
        return {name for name, _, _ in _bound(definition)} | {decl.name.text for decl in statics_of(definition)}
    return set(_entry_names(definition.node.entries))


def _entry_names(entries: top_level.Entries) -> Iterator[str]:
    for item in entries.items:
        if isinstance(item, (top_level.Field, top_level.Let)):
            yield item.name.text
        elif isinstance(item, (top_level.Sub, top_level.SubFor)) and item.entries is not None:
            yield from _entry_names(item.entries)


def _file_names(scope: FileScope) -> Iterator[tuple[str, tuple[Span, str]]]:
    for slot in scope.params.values():
        yield slot.name, (slot.node.name.span, "a parameter of the file")
    for name, found in scope.imported.items():
        if isinstance(found, ParamSlot) or found.kind in ("block", "model"):
            yield name, (scope.places[name], "an imported name")
    for definition in scope.definitions.values():
        if definition.kind in ("block", "model"):
            yield definition.name, (definition.place, f"a {definition.kind}")


def _bound(definition: Definition) -> Iterator[Named]:
    node = definition.node
    if isinstance(node, top_level.BlockSeq):
        for stage in node.stages:
            yield from _in_stage(stage)
        return
    statics = statics_of(definition)
    for decls in node.signature:
        for decl in decls.items:
            if decl not in statics:
                yield decl.name.text, decl.name.span, "an input"
    yield from _in_body(node.body)


def _in_body(body: syntax.Body) -> Iterator[Named]:
    for statement in body.statements:
        match statement:
            case syntax.Bind() | syntax.Accum():
                yield from _targets(statement.target)
                yield from _in_pipe(statement.value)
            case syntax.Scan():
                yield from _targets(statement.target)
                if isinstance(statement.value, syntax.Call):
                    for item in statement.value.args.items:
                        if isinstance(item, syntax.Kwarg) and item.name.text != "axis":
                            yield item.name.text, item.name.span, "a value of the scan"
                yield from _in_body(statement.body)
            case syntax.If():
                yield from _in_body(statement.then)
                yield from _in_branch(statement.orelse)
            case syntax.Require() | syntax.Init() | syntax.Emit() | syntax.Gap():
                pass
            case _:
                yield from _in_pipe(statement)


def _in_branch(branch: syntax.Body | syntax.If | None) -> Iterator[Named]:
    if isinstance(branch, syntax.If):
        yield from _in_body(branch.then)
        yield from _in_branch(branch.orelse)
    elif branch is not None:
        yield from _in_body(branch)


def _targets(target: syntax.Pipe) -> Iterator[Named]:
    for item in target.items if isinstance(target, syntax.List) else (target,):
        if isinstance(item, syntax.Ref) and item.name != "_":
            yield item.name, item.span, "a binding"


def _in_pipe(value: syntax.Pipe) -> Iterator[Named]:
    match value:
        case syntax.Pipeline():
            yield from _in_pipe(value.value)
            for stage in value.stages:
                yield from _in_stage(stage)
        case syntax.Paren():
            yield from _in_pipe(value.value)
        case syntax.Binary():
            yield from _in_pipe(value.right)
            while isinstance(value, syntax.Binary):  # leans to the left and may be long
                value = value.left
                yield from _in_pipe(value.right if isinstance(value, syntax.Binary) else value)
        case syntax.IfExpr():
            yield from _in_pipe(value.then)
            yield from _in_pipe(value.orelse)
        case _:
            pass


def _in_stage(stage: syntax.Stage) -> Iterator[Named]:
    match stage:
        case syntax.Labelled():
            yield from _in_stage(stage.unit)
        case syntax.Group():
            for inner in stage.stages:
                yield from _in_stage(inner)
        case syntax.IfStage():
            yield from _in_stage(stage.then)
            if stage.orelse is not None:
                yield from _in_stage(stage.orelse)
        case syntax.Repeat():
            yield from _in_stage(stage.body)
        case syntax.For():
            for name in stage.targets:
                if name.text != "_":
                    yield name.text, name.span, "a name of the `for`"
            yield from _in_stage(stage.body)
        case _:
            pass
