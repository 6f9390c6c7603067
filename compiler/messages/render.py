"""Diagnostics as text: for a terminal (in the manner of rustc), as JSON, as lines for GitHub. Pure: strings out."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .diagnostics import Diagnostic
from .printable import printable
from .source import Source, Span

TAB = 4
ASCII = {
    "⌊": "floor(",
    "⌋": ")",
    "⌈": "ceil(",
    "⌉": ")",
    "…": "...",
    "→": "->",
    "×": "x",
    "·": "*",
    "−": "-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "∞": "inf",
    "“": '"',
    "”": '"',
    "’": "'",
    "–": "-",
    "—": "-",
}
RESET, BOLD, RED, YELLOW, BLUE, GREEN = "\x1b[0m", "\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1;32m"
LEAST_WIDTH = 40


def render(
    diagnostics: Iterable[Diagnostic],
    sources: Mapping[str, Source],
    *,
    color: bool = False,
    unicode: bool = True,
    width: int = 120,
) -> str:
    """All of them in the order of their places, a blank line between two, and a line that counts them."""
    found = ordered(diagnostics, sources)
    if not found:
        return ""
    paint = _Painter(sources, color=color, unicode=unicode, width=max(width, LEAST_WIDTH))
    return "\n\n".join([*map(paint.diagnostic, found), summary(found)]) + "\n"


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`."""
    found = list(diagnostics)
    errors = sum(d.is_error for d in found)
    counts = [(errors, "error"), (len(found) - errors, "warning")]
    return ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in counts if n) or "no errors"


def ordered(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Source]) -> list[Diagnostic]:
    rank = {name: i for i, name in enumerate(sources)}
    return sorted(diagnostics, key=lambda d: (rank.get(d.span.file, len(rank)), d.span.start))


# ---- for programs --------------------------------------------------------------------------------------------------


def to_data(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> dict[str, Any]:
    """One diagnostic as plain data; offsets from 0, lines and columns from 1, all in characters."""
    return {
        "code": diagnostic.code,
        "severity": "error" if diagnostic.is_error else "warning",
        "message": diagnostic.message,
        **place_data(diagnostic.span, sources),
        "label": diagnostic.label,
        "labels": [{**place_data(label.span, sources), "text": label.text} for label in diagnostic.labels],
        "notes": list(diagnostic.notes),
        "helps": list(diagnostic.helps),
    }


def place_data(span: Span, sources: Mapping[str, Source]) -> dict[str, Any]:
    source = sources.get(span.file)

    def point(offset: int) -> dict[str, int]:
        if source is None:
            return {"offset": offset}
        line, column = source.position(min(offset, len(source.text)))
        return {"offset": offset, "line": line, "column": column}

    return {"file": span.file, "start": point(span.start), "end": point(span.end)}


def render_json(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Source]) -> str:
    found = ordered(diagnostics, sources)
    errors = sum(d.is_error for d in found)
    data = {"errors": errors, "warnings": len(found) - errors, "diagnostics": [to_data(d, sources) for d in found]}
    return json.dumps(data, indent=2, ensure_ascii=True) + "\n"


def render_github(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Source]) -> str:
    """Workflow commands: GitHub shows them at the line."""
    lines: list[str] = []
    for d in ordered(diagnostics, sources):
        place = place_data(d.span, sources)
        text = "\n".join([d.message + (f": {d.label}" if d.label else ""), *d.notes, *(f"help: {h}" for h in d.helps)])
        fields = {"file": d.span.file, "title": d.code}
        if "line" in place["start"]:
            fields |= {"line": place["start"]["line"], "col": place["start"]["column"]}
            fields |= {"endLine": place["end"]["line"], "endColumn": place["end"]["column"]}
        values = ",".join(f"{k}={_escape(str(v), ',:')}" for k, v in fields.items())
        lines.append(f"::{'error' if d.is_error else 'warning'} {values}::{_escape(text)}")
    return "".join(line + "\n" for line in lines)


def _escape(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


# ---- for people ----------------------------------------------------------------------------------------------------


class _Mark:
    """A labelled range on one line, in columns of the terminal."""

    def __init__(self, line: int, start: int, end: int, text: str, primary: bool) -> None:
        self.line, self.start, self.end, self.text, self.primary = line, start, end, text, primary


class _Painter:
    def __init__(self, sources: Mapping[str, Source], *, color: bool, unicode: bool, width: int) -> None:
        self.sources = sources
        self.color = color
        self.unicode = unicode
        self.width = width

    def diagnostic(self, d: Diagnostic) -> str:
        word, hue = ("error", RED) if d.is_error else ("warning", YELLOW)
        lines = [self._paint(f"{word}[{d.code}]", hue) + self._paint(f": {self._text(d.message)}", BOLD)]
        files = list(dict.fromkeys([d.span.file, *(label.span.file for label in d.labels)]))
        numbers = [self._line_number(span) for span in (d.span, *(label.span for label in d.labels))]
        gutter = len(str(max(numbers)))
        bar = self._paint(" " * (gutter + 1) + "|", BLUE)
        for position, file in enumerate(files):
            spans = [(d.span, d.label, True)] if file == d.span.file else []
            spans += [(label.span, label.text, False) for label in d.labels if label.span.file == file]
            arrow = "-->" if position == 0 else ":::"
            lines.append(f"{' ' * gutter}{self._paint(arrow, BLUE)} {self._text(self._location(spans[0][0]))}")
            source = self.sources.get(file)
            if source is None or not (source.text or spans[0][1]):  # a file that could not be read
                continue
            lines.append(bar)
            lines += self._excerpt(source, spans, gutter, bar, hue)
            lines.append(bar)
        for word, texts in (("note", d.notes), ("help", d.helps)):
            for text in texts:
                first, *rest = self._text(text).split("\n")
                lines.append(f"{' ' * (gutter + 1)}{self._paint('=', BLUE)} {self._paint(word, BOLD)}: {first}")
                lines += [" " * (gutter + 1) + " " * (len(word) + 4) + line for line in rest]
        return "\n".join(line.rstrip() for line in lines)

    def _line_number(self, span: Span) -> int:
        source = self.sources.get(span.file)
        return source.position(min(span.start, len(source.text)))[0] if source else 1

    def _location(self, span: Span) -> str:
        source = self.sources.get(span.file)
        if source is None or not source.text:
            return span.file
        line, column = source.position(min(span.start, len(source.text)))
        return f"{span.file}:{line}:{column}"

    def _excerpt(
        self, source: Source, spans: Sequence[tuple[Span, str, bool]], gutter: int, bar: str, hue: str
    ) -> list[str]:
        marks = [self._mark(source, span, text, primary) for span, text, primary in spans]
        out: list[str] = []
        for number in sorted({mark.line for mark in marks}):
            here = [mark for mark in marks if mark.line == number]
            shown, _ = self._columns(source.line(number))
            shown, cut = self._window(shown, here, self.width - gutter - 3)
            for mark in here:
                mark.start, mark.end = max(mark.start - cut, 0), max(mark.end - cut, 1)
                mark.end = max(min(mark.end, _width(shown)), mark.start + 1)
            out.append(f"{self._paint(f'{number:>{gutter}} |', BLUE)} {shown}")
            out += [f"{bar} {line}" for line in self._underlines(here, hue)]
        return out

    def _mark(self, source: Source, span: Span, text: str, primary: bool) -> _Mark:
        line, column = source.position(min(span.start, len(source.text)))
        last_line, last_column = source.position(min(max(span.end, span.start), len(source.text)))
        _, columns = self._columns(source.line(line))
        start = columns[min(column - 1, len(columns) - 1)]
        # a range of several lines is underlined to the end of its first one
        stop = columns[-1] if last_line > line else columns[min(last_column - 1, len(columns) - 1)]
        return _Mark(line, start, max(stop, start + 1), self._text(text), primary)

    def _columns(self, line: str) -> tuple[str, list[int]]:
        """The line as it is shown, and for each of its characters (and its end) the column where that begins."""
        shown: list[str] = []
        columns: list[int] = []
        at = 0
        for character in line:
            columns.append(at)
            if character == "\t":
                piece = " " * (TAB - at % TAB)
            elif character.isascii() and character.isprintable():
                piece = character
            elif not character.isprintable() and unicodedata.category(character) not in ("Mn", "Me", "Zs"):
                piece = "\ufffd" if self.unicode else "?"
            else:
                piece = character if self.unicode else "?" * _width(character)
            shown.append(piece)
            at += _width(piece)
        columns.append(at)
        return "".join(shown), columns

    def _window(self, shown: str, marks: Sequence[_Mark], room: int) -> tuple[str, int]:
        """A line that is too long is cut to the part around its first mark."""
        if _width(shown) <= room:
            return shown, 0
        dots = "…" if self.unicode else "..."
        first = min((mark.start for mark in marks if mark.primary), default=min(mark.start for mark in marks))
        begin = max(0, min(first - room // 3, _width(shown) - room + len(dots)))
        cells: list[str] = []  # one entry a column; the second column of a wide character is empty
        for character in shown:
            cells += [character] + [""] * (_width(character) - 1) if _width(character) else []
        kept = "".join(cells[begin : begin + room - 2 * len(dots)])
        left = dots if begin else ""
        return left + kept + (dots if begin + room - 2 * len(dots) < len(cells) else ""), begin - len(left)

    def _underlines(self, marks: list[_Mark], hue: str) -> list[str]:
        """The row of carets with the last label behind it, the other labels hanging below."""
        marks = sorted(marks, key=lambda m: (m.start, m.end))
        row = [" "] * max(mark.end for mark in marks)
        colors = [""] * len(row)
        for mark in sorted(marks, key=lambda m: m.primary):  # the primary one on top
            for column in range(mark.start, mark.end):
                row[column] = "^" if mark.primary else "-"
                colors[column] = hue if mark.primary else BLUE
        last = marks[-1]
        behind = last.text if all(mark.end <= last.start for mark in marks[:-1]) else ""
        hanging = [mark for mark in marks if mark.text and not (mark is last and behind)]
        label = f" {self._paint(behind, hue if last.primary else BLUE)}" if behind else ""
        out = [self._painted(row, colors) + label]
        while hanging:
            stems = [" "] * (hanging[-1].start + 1)
            stem_colors = [""] * len(stems)
            for mark in hanging:
                stems[mark.start] = "|"
                stem_colors[mark.start] = hue if mark.primary else BLUE
            lowest = hanging.pop()
            if len(out) == 1:
                out.append(self._painted(stems, stem_colors))
            painted = self._painted(stems[: lowest.start], stem_colors[: lowest.start])
            out.append(painted + self._paint(lowest.text, hue if lowest.primary else BLUE))
        return out

    def _painted(self, row: Sequence[str], colors: Sequence[str]) -> str:
        if not self.color:
            return "".join(row)
        pieces: list[str] = []
        now = ""
        for character, color in zip(row, colors, strict=True):
            if color != now:
                pieces.append((RESET if now else "") + color)
                now = color
            pieces.append(character)
        return "".join(pieces) + (RESET if now else "")

    def _paint(self, text: str, hue: str) -> str:
        return f"{hue}{text}{RESET}" if self.color and text else text

    def _text(self, text: str) -> str:
        """Words from a spec may hold anything: no control character reaches the terminal."""
        text = printable(text.replace("\t", " "))
        if self.unicode or text.isascii():
            return text
        text = "".join(ASCII.get(character, character) for character in text)
        return text.encode("ascii", "replace").decode("ascii")


def _width(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    total = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        total += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return total
