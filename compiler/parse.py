"""Text to syntax tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..grammar.machine import HOLE, Machine
from ..grammar.scanner import Token, scan
from ..grammar.tables import Tables, load
from . import syntax as s
from .build_tree import TreeBuilder
from .diagnostics import Diagnostic
from .source import Source, Span

if TYPE_CHECKING:
    from .recovery import Recovery


def parse(source: Source) -> tuple[s.File | None, list[Diagnostic]]:
    """The tree of a whole spec, or None and what is wrong with it."""
    value, comments, diagnostics = _run(source, "start")
    if diagnostics or value is None:
        return None, diagnostics
    version, items = value
    whole = Span(source.name, 0, len(source.text))
    return s.File(whole, version, items, comments), []


def parse_pipe(source: Source) -> tuple[s.Pipe | None, list[Diagnostic]]:
    """One expression or pipeline: the right side of an override."""
    value, _, diagnostics = _run(source, "pipe")
    return (None if diagnostics else value), diagnostics


def parse_setting(source: Source) -> tuple[s.Setting | None, list[Diagnostic]]:
    """`path=value` as given on the command line."""
    value, _, diagnostics = _run(source, "setting")
    return (None if diagnostics else value), diagnostics


class _Listener:
    """Loads what is needed for mistakes when there is one."""

    def __init__(self, source: Source, tables: Tables, diagnostics: list[Diagnostic]) -> None:
        self.source, self.tables, self.diagnostics = source, tables, diagnostics
        self.recovery: Recovery | None = None

    def _loaded(self) -> Recovery:
        from .recovery import Recovery

        self.recovery = self.recovery or Recovery(self.source, self.tables, self.diagnostics)
        return self.recovery

    def unexpected(self, machine: Machine, token: Token) -> bool:
        return self._loaded().unexpected(machine, token)

    def too_deep(self, machine: Machine, start: int, end: int) -> bool:
        return self._loaded().too_deep(machine, start, end)


def _run(source: Source, start: str) -> tuple[Any, tuple[s.Comment, ...], list[Diagnostic]]:
    tables = load()
    builder = TreeBuilder(source.name, tables)
    tokens, found = scan(source.text, tables)
    listener = _Listener(source, tables, builder.diagnostics)
    machine = Machine(tables, source.text, tokens, builder.builders, builder.make, listener)
    value = machine.run(start)
    builder.finish()
    comments = tuple(
        s.Comment(Span(source.name, begin, end), source.text[begin + 1 : end], own_line)
        for begin, end, own_line in found
    )
    diagnostics = sorted(builder.diagnostics, key=lambda d: (d.span.start, d.span.end))
    return (None if value is HOLE else value), comments, diagnostics
