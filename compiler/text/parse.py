"""Text to syntax tree."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast, get_args

from ...grammar.machine import HOLE, Machine
from ...grammar.scanner import Token, scan
from ...grammar.tables import ParserTables, load
from ..messages.diagnostics import Diagnostic
from ..messages.source import Source, Span
from . import syntax as s
from . import top_level
from .remains import Remains, Skipped, remains
from .tree_builder import TreeBuilder

if TYPE_CHECKING:
    from .recovery import Recovery


def parse(source: Source) -> tuple[top_level.File | None, list[Diagnostic]]:
    """The tree of a whole spec, or None and what is wrong with it."""
    file, _, diagnostics = parse_remains(source)
    return file, diagnostics


def parse_remains(source: Source) -> tuple[top_level.File | None, Remains | None, list[Diagnostic]]:
    """As `parse`; where there are mistakes, also the items that they do not touch."""
    file, left, diagnostics = _parsed(source)
    return file, left, list(diagnostics)


@lru_cache(maxsize=16)  # one command reads the same files with and without settings, and for each variant
def _parsed(source: Source) -> tuple[top_level.File | None, Remains | None, tuple[Diagnostic, ...]]:
    value, comments, diagnostics, skipped = _run_all(source, "start")
    version, items = value
    whole = Span(source.name, 0, len(source.text))
    if not diagnostics:
        return top_level.File(whole, version, items, comments), None, ()
    return None, remains(source, version, items, skipped, diagnostics), tuple(diagnostics)


def parse_pipe(source: Source) -> tuple[s.Pipe | None, list[Diagnostic]]:
    """One expression or pipeline: the right side of an override."""
    value, _, diagnostics = _run(source, "pipe")
    return (None if diagnostics else value), diagnostics


def parse_setting(source: Source) -> tuple[top_level.Setting | None, list[Diagnostic]]:
    """`path=value` as given on the command line."""
    value, _, diagnostics = _run(source, "setting")
    return (None if diagnostics else value), diagnostics


def parse_settings(source: Source) -> tuple[list[top_level.Setting], list[Diagnostic]]:
    """`path=a,b,c`: one setting for each value, with exact places; empty with what is wrong."""
    tokens, _ = scan(source.text, load())
    depth = 0
    cuts: list[int] = []  # commas outside of brackets
    for token in tokens:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if token.text == "," and depth == 0:
            cuts.append(token.start)
    equals = next((token.end for token in tokens if token.text == "="), 0)
    if not cuts or cuts[0] < equals:
        setting, diagnostics = parse_setting(source)
        return [setting] if setting is not None else [], diagnostics
    settings: list[top_level.Setting] = []
    for start, stop in pairwise([equals, *(cut + 1 for cut in cuts), len(source.text) + 1]):
        # the other values are blanked, so that places stay what they are
        alone = source.text[:equals] + " " * (start - equals) + source.text[start : stop - 1]
        setting, diagnostics = parse_setting(Source(source.name, alone))
        if setting is None:
            return [], diagnostics
        settings.append(setting)
    return settings, []


class _Listener:
    """Loads what is needed for mistakes when there is one."""

    def __init__(self, source: Source, tables: ParserTables, diagnostics: list[Diagnostic]) -> None:
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


def _run(source: Source, start: str) -> tuple[Any, tuple[top_level.Comment, ...], list[Diagnostic]]:
    return _run_all(source, start)[:3]


def _run_all(source: Source, start: str) -> tuple[Any, tuple[top_level.Comment, ...], list[Diagnostic], list[Skipped]]:
    """Value, comments, mistakes, and the parts that were left out."""
    tables = load()
    builder = TreeBuilder(source.name, tables)
    tokens, found = scan(source.text, tables)
    listener = _Listener(source, tables, builder.diagnostics)
    machine = Machine(tables, source.text, tokens, builder.builders, builder.make, listener)
    value = machine.run(start)
    builder.finish()
    comments = tuple(
        top_level.Comment(Span(source.name, begin, end), source.text[begin + 1 : end], own_line)
        for begin, end, own_line in found
    )
    diagnostics = sorted(builder.diagnostics, key=lambda d: (d.span.start, d.span.end))
    skipped = listener.recovery.skipped if listener.recovery is not None else []
    if value is HOLE and start == "start":  # reading stopped: what was complete lies on the stack
        parts = [
            part
            for value in machine.values
            for part in (cast("list[Any]", value) if isinstance(value, list) else [value])
        ]
        items = [part for part in parts if isinstance(part, get_args(top_level.Item))]
        stopped = max((item.span.end for item in items), default=0)
        return (None, items), comments, diagnostics, [*skipped, Skipped(stopped, len(source.text), "item")]
    return (None if value is HOLE else value), comments, diagnostics, skipped
