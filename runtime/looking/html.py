"""A page of HTML that needs nothing else: no script, no file from elsewhere; what comes from files is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ...compiler.messages.printable import one_line

LONGEST = 120  # characters of a cell

STYLE = """
:root { color-scheme: light dark; --text: #222; --page: #fff; --quiet: #666; --line: #ddd; --ink: #4a7ebb; --token: #e6eef8; --mask: #fbe3c8;
  --wrong: #b00 }
@media (prefers-color-scheme: dark) { :root { --text: #ddd; --page: #191b1f; --quiet: #999; --line: #3a3d44; --ink: #7aa7dd; --token: #2a3646;
  --mask: #5a4022; --wrong: #f77 } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; color: var(--text); background: var(--page) }
h1 { font-size: 1.4rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid var(--line) }
h3 { font-size: 1rem; margin: .3rem 0 } h1, h2, h3, p, figcaption { overflow-wrap: anywhere }
.wide { overflow-x: auto; margin-bottom: 1rem } table { border-collapse: collapse }
td, th { padding: .15rem .6rem; text-align: left; white-space: nowrap; max-width: 24rem; overflow: hidden; text-overflow: ellipsis }
th { font-weight: 600 } td, th { border-bottom: 1px solid var(--line) } .none { color: var(--wrong) }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: .8rem; margin-bottom: 1rem }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .7rem; overflow: hidden } .card p { margin: .2rem 0; color: var(--quiet) }
svg { width: 100%; height: auto; fill: var(--ink) } polyline { fill: none; stroke-width: 1.5; stroke: var(--ink) }
.l1 { stroke: #c60 } .l2 { stroke: #393 } .l3 { stroke: #939 }
.ends { display: flex; justify-content: space-between; color: var(--quiet); font-size: .85em }
.bars { width: 100%; table-layout: fixed } .bars td { padding: .15rem .3rem } .bars td:last-child { width: 4.5rem; text-align: right }
.bar { width: 32% } .bar div { background: var(--ink); height: .7em; min-width: 1px }
.images { display: flex; flex-wrap: wrap; gap: .8rem } figure { margin: 0; width: 10rem }
img { max-width: 10rem; image-rendering: pixelated; display: block }
figcaption { font-size: .8em; color: var(--quiet) } .text { white-space: break-spaces; overflow-wrap: anywhere }
.token { background: var(--token); border-radius: .2rem; padding: 0 .1rem; margin: 0 .05rem } .masked { background: var(--mask) }
.silent { color: var(--quiet) } .charts { display: flex; flex-wrap: wrap; gap: 1.5rem }
.charts > div { max-width: 100% } .charts p { margin: .2rem 0; color: var(--quiet) }
.chart { width: auto; max-width: 100%; overflow: visible } .chart text { fill: var(--text); font-size: 12px } .frame { fill: none; stroke: var(--line) }
.rule, .gap, .mean { fill: none; stroke: var(--quiet); stroke-dasharray: 4 3 } .gap { stroke: var(--wrong); stroke-dasharray: none }
.mean { stroke: var(--wrong); stroke-width: 3; stroke-dasharray: none } .row { width: 100%; table-layout: fixed } .card .row td { padding: .1rem .3rem }
"""
#: Nothing is loaded or run, whatever the page holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def escaped(text: str) -> str:
    """A text from elsewhere in one line, not too long, without any markup."""
    line = one_line(text)
    return escape(line if len(line) <= LONGEST else line[: LONGEST - 3] + "...")


def page(title: str, parts: Iterable[str]) -> str:
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title><style>{STYLE}</style></head>\n<body>\n<h1>{escaped(title)}</h1>\n{body}\n</body></html>\n"
    )


def heading(text: str) -> str:
    return f"<h2>{escaped(text)}</h2>"


def paragraph(text: str) -> str:
    return f"<p>{escaped(text)}</p>"


def cards(items: Iterable[tuple[str, str, str]]) -> str:
    """Boxes next to each other: a name, a line below it, and markup that is already safe."""
    boxes = (
        f'<div class="card"><h3>{escaped(name)}</h3><p>{escaped(line)}</p>{inside}</div>'
        for name, line, inside in items
    )
    return f'<div class="cards">{"".join(boxes)}</div>'


def charts(items: Iterable[tuple[str, str, str]]) -> str:
    """Drawings next to each other, each with a name and a line above it."""
    boxes = (f"<div><h3>{escaped(name)}</h3><p>{escaped(line)}</p>{drawn}</div>" for name, line, drawn in items)
    return f'<div class="charts">{"".join(boxes)}</div>'


def table(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """Cells as texts; None is a missing one."""
    head = "".join(f"<th>{escaped(name)}</th>" for name in header)
    lines = (
        "<tr>"
        + "".join('<td class="none">missing</td>' if cell is None else f"<td>{escaped(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(lines)}</table></div>'
