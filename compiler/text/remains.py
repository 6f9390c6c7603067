"""What is kept of a text with mistakes of syntax: every item, but for the statements, entries and settings that have them.

    model M(x: [B, 8]) -> (y: [B, 2]) {
      h = x -> fc: Linear(8 bias = false)     # a gap, which may bind `h`
      y = h -> rellu -> head: Linear(2)       # checked all the same
    }

So a mistake of syntax hides no other mistake of its item, and what a gap may define is not reported as unknown.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from ..dataclass import dataclass, field
from ..messages.diagnostics import Diagnostic
from ..messages.source import Source, Span
from . import syntax as s
from . import top_level
from .brackets import HEADER
from .node import rebuilt


class Skipped(NamedTuple):
    """A part of the text that was skipped, and what the grammar expected there."""

    start: int
    end: int
    nonterminal: str


#: What can be left out of an item.
Part: TypeAlias = s.Statement | top_level.Entry | top_level.Setting
PARTS = ("stmt", "entry", "setting")


@dataclass(frozen=True)
class Remains:
    """What is left of a text with mistakes. What the rest may define is in `missing`; with `nameless` the name of a definition in it
    could not be read, with `keyless` that of a key or binding. With `lost` whole items are missing."""

    file: top_level.File
    missing: frozenset[str]
    nameless: bool
    keyless: bool
    lost: bool
    cracked: frozenset[int]  # the places of the items that lack a part


def remains(
    source: Source,
    version: s.Number | None,
    items: Iterable[top_level.Item],
    skipped: Iterable[Skipped],
    diagnostics: Sequence[Diagnostic],
) -> Remains:
    """The items that were read, without what was skipped and without what is wrong in itself."""
    left = _Left(source, sorted(items, key=lambda item: item.span.start))
    holes = [hole._replace(start=hole.start + _blank(source.text, hole.start)) for hole in skipped]
    for hole in holes:
        left.skip(hole)
    for place in (diagnostic.span for diagnostic in diagnostics):
        if not any(hole.start <= place.start <= hole.end for hole in holes):
            left.cut(place)
    left.lost.update(n for n, item in enumerate(left.items) if item.span.start in left.cracked and left.swallows(item))
    sound = [item for n, item in enumerate(left.items) if n not in left.lost]
    rest, at = "", 0
    for item in sound:
        rest, at = f"{rest}{source.text[at : item.span.start]}\n", item.span.end
    rest += source.text[at:]
    file = top_level.File(Span(source.name, 0, len(source.text)), version, tuple(sound), ())
    missing = _defined(rest) | left.missing
    return Remains(file, missing, _NAMELESS.search(rest) is not None, left.keyless, left.loses, frozenset(left.cracked))


@dataclass
class _Left:
    source: Source
    items: list[top_level.Item]
    lost: set[int] = field(default_factory=set[int])
    missing: set[str] = field(default_factory=set[str])
    keyless: bool = False
    loses: bool = False
    cracked: set[int] = field(default_factory=set[int])

    def __post_init__(self) -> None:
        self.starts = [item.span.start for item in self.items]

    def skip(self, hole: Skipped) -> None:
        """Notes what was skipped: in an item, or with the items that it touches."""
        start, end, nonterminal = hole
        first = max(bisect_right(self.starts, start) - 1, 0)
        last = bisect_right(self.starts, max(end - 1, start))
        touched = [n for n in range(first, last) if self.items[n].span.end > start]
        if not touched and not HEADER.match(self.source.text, start):
            # a brace too many closes an item before the place where it is seen
            touched = [bisect_right(self.starts, start) - 1]
        if nonterminal not in PARTS or len(touched) != 1 or not self._inside(touched[0], start, end):
            self.lost.update(touched)
            self.loses = True
            return
        self.cracked.add(self.starts[touched[0]])
        self.missing.update(words(self.source.text[start:end]))
        self.keyless |= _KEYLESS.match(self.source.text, start) is not None
        self.keyless |= _CONTINUED.search(self.source.text, start, end) is not None
        self._neighbours(touched[0], start, end)

    def _inside(self, n: int, start: int, end: int) -> bool:
        if n < 0 or not parts_of(self.items[n]):
            return False
        span = self.items[n].span
        return span.start < start and end <= span.end

    def _neighbours(self, n: int, start: int, end: int) -> None:
        """Leaves out the parts next to it on its line: a `;` too many has divided what is one, `y = x -> f; -> relu`."""
        lines = self.source.position(start)[0], self.source.position(end)[0]
        parts = parts_of(self.items[n])
        before = [part for part in parts if part.span.end <= start][-1:]
        after = [part for part in parts if part.span.start >= end][:1]
        for part, between in [(each, (each.span.end, start)) for each in before] + [
            (each, (end, each.span.start)) for each in after
        ]:
            joined = self.source.text[slice(*between)].strip(" \t") == ";"
            if joined and {self.source.position(at)[0] for at in between} <= set(lines):
                self._leave_out(n, part)

    def swallows(self, item: top_level.Item) -> bool:
        """Whether a part of it looks like the next item: `data A {` is never closed, and `block B` is read as its key."""
        starts = [part.span.start for part in parts_of(item)]
        return any(self.source.position(at)[1] == 1 and HEADER.match(self.source.text, at) for at in starts)

    def cut(self, place: Span) -> None:
        """Leaves out what is around the place of a mistake that hid nothing from the grammar."""
        n = bisect_right(self.starts, place.start) - 1
        parts = parts_of(self.items[n]) if n >= 0 else ()
        part = next((part for part in parts if part.span.start <= place.start < part.span.end), None)
        if part is None:
            self.skip(Skipped(place.start, place.end, "item"))
        else:
            self._leave_out(n, part)

    def _leave_out(self, n: int, part: Part) -> None:
        item = self.items[n]
        self.cracked.add(item.span.start)
        self.missing.update(words(self.source.text[part.span.start : part.span.end]))
        rest = tuple(other for other in parts_of(item) if other is not part)
        match item:
            case top_level.Block() | top_level.Model():
                hole = gap(self.source, part.span.start, part.span.end)
                kept = tuple(hole if other is part else other for other in item.body.statements)
                self.items[n] = rebuilt(item, body=rebuilt(item.body, statements=kept))
            case top_level.Variant():
                self.items[n] = rebuilt(item, settings=rest)
            case top_level.Data() | top_level.Train() | top_level.Export() | top_level.Search() | top_level.Weights():
                self.items[n] = rebuilt(item, entries=rebuilt(item.entries, items=rest))
            case _:
                pass


def parts_of(item: top_level.Item) -> tuple[Part, ...]:
    """The statements, entries or settings of an item."""
    match item:
        case top_level.Block() | top_level.Model():
            return item.body.statements
        case top_level.Variant():
            return item.settings
        case top_level.Data() | top_level.Train() | top_level.Export() | top_level.Search() | top_level.Weights():
            return item.entries.items
        case _:
            return ()


# ---- names -----------------------------------------------------------------------------------------------------------

#: The left side of an assignment, at the beginning of a line or statement.
_TARGET = re.compile(r"(?:^|[;{])\s*(?:let\s+|emit\s+)?([\w\s,\[\]().{}]*?)\s*[-+*/:]?=(?!=)", re.MULTILINE)
#: The beginning of a part whose first word is missing: `= Adam(1e-3)`, `: f32[3] = source.x`.
_KEYLESS = re.compile(r"[^\w\"\s\[({#]|[\[({]\s*[=:]|let\s+[^\w\s]")
#: Such a part behind an arrow, as a line that begins with `->` continues the one before: `-> = 64`.
_CONTINUED = re.compile(r"->\s*[=:]")
_NAME = re.compile(r"[^\W\d]\w*")
_STRING = re.compile(r'"[^"\n]*"')
_COMMENT = re.compile(r"#.*")
_BLANK = re.compile(r"[\s;]*")

#: What may define names of a file in a text that could not be read: the word behind a keyword, an import, and the
#: beginning of a line that is not indented (its keyword may be what is misspelled).
_DEFINES = (
    re.compile(r"\b(?:param|block|model|data|weights|train|variant|emit)\s+(\w+)"),
    re.compile(r"\b(?:import|from)\b(.*)"),
    re.compile(r"^\W{0,3}((?:\w+[^\S\n]*){1,3})", re.MULTILINE),
)
_NAMELESS = re.compile(r"^(?:from\b|(?:override )?(?:param|block|model|data|weights)\b(?!\s*[^\W\d]))", re.MULTILINE)


def words(text: str) -> list[str]:
    """The names in a text, without those in strings and comments."""
    return _NAME.findall(_COMMENT.sub("", _STRING.sub("", text)))


def gap(source: Source, start: int, end: int) -> s.Gap:
    """A statement that could not be read."""
    span = Span(source.name, start, end)
    text = source.text[start:end]
    targets = [name for target in _TARGET.findall(text) for name in words(target)]
    return s.Gap(span, _names(span, targets), _names(span, words(text)), _KEYLESS.match(text) is not None)


def _names(span: Span, names: Iterable[str]) -> s.List:
    return s.List(span, tuple(s.Ref(span, name) for name in dict.fromkeys(names)))


def _defined(text: str) -> frozenset[str]:
    parts = [part for pattern in _DEFINES for part in pattern.findall(text)]
    return frozenset(word for part in parts for word in re.findall(r"\w+", part))


def _blank(text: str, start: int) -> int:
    found = _BLANK.match(text, start)
    assert found is not None
    return len(found[0])
