"""A page of HTML that needs nothing else: no script, no file from elsewhere; what comes from files is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ...compiler.messages.printable import one_line

LONGEST = 120  # characters of a cell

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; color: #222; background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #ccc } h3 { font-size: 1rem; margin: .3rem 0 }
.wide { overflow-x: auto } table { border-collapse: collapse } td, th { padding: .15rem .6rem; text-align: left; white-space: nowrap }
th { font-weight: 600; border-bottom: 1px solid #ccc } td { border-bottom: 1px solid #eee } .none { color: #b00 }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .8rem }
.card { border: 1px solid #ddd; border-radius: .4rem; padding: .5rem .7rem; overflow: hidden } .card p { margin: .2rem 0; color: #555 }
svg { width: 100%; height: auto; fill: #4a7ebb } polyline { fill: none; stroke-width: 1.5; stroke: #4a7ebb }
.l1 { stroke: #c60 } .l2 { stroke: #393 } .l3 { stroke: #939 } .ends { display: flex; justify-content: space-between; color: #555; font-size: .85em }
.bars { width: 100% } .bar { width: 50% } .bar div { background: #4a7ebb; height: .7em; min-width: 1px }
.images { display: flex; flex-wrap: wrap; gap: .5rem } figure { margin: 0 } img { max-width: 10rem; image-rendering: pixelated; display: block }
figcaption { font-size: .8em; color: #555; max-width: 10rem; overflow: hidden } .text { white-space: pre-wrap; overflow-wrap: anywhere }
.token { background: #eef3fa; border-radius: .2rem; padding: 0 .15rem; margin: 0 .05rem } .masked { background: #fbe3c8 } .silent { color: #aaa }
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
