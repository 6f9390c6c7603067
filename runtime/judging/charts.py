"""What is judged, as drawings of SVG: a table of confusion, a reliability diagram, predictions against targets, errors by target.

Colours are those of the page (`runtime/looking/html.py`), so that they follow a dark one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..checkpoints.judgements import Bin, ClassJudgement, TargetRange
from ..looking.html import escaped

CELL = 44  # of a table of confusion, with counts in it
NARROW = 14
COUNTS = 16  # classes of which counts are written
MOST = 40  # classes of a table
LABEL = 130  # most width of names
LETTER = 7.5
LETTERS = 18
SIDE = 260
EDGE = 44  # for the numbers of an axis
INK = "var(--ink)"


def confusion(output: ClassJudgement, counts: Sequence[Sequence[int]]) -> tuple[str, list[int]]:
    """The classes that are shown, of many those with most mistakes, and targets by row against predictions by column: darker is a
    larger part of the row."""
    every = range(len(output.classes))
    wrong = [sum(counts[i]) + sum(row[i] for row in counts) - 2 * counts[i][i] for i in every]
    shown = sorted(sorted(every, key=lambda i: -wrong[i])[:MOST])
    cell = CELL if len(shown) <= COUNTS else NARROW
    size = cell * len(shown)
    label = min(LABEL, round(14 + LETTER * max((len(short(output.classes[i].name)) for i in shown), default=0)))
    drawn: list[str] = []
    for row, i in enumerate(shown):
        name, support = output.classes[i].name, max(1, sum(counts[i]))
        y = label + row * cell
        drawn.append(_text(label - 6, y + cell / 2 + 4, short(name), "end", name))
        drawn.append(_turned(label + row * cell + cell / 2 + 4, label - 6, short(name), name))
        for column, j in enumerate(shown):
            count, x = counts[i][j], label + column * cell
            title = f"{name} taken for {output.classes[j].name}: {count:,}" if i != j else f"{name}: {count:,} right"
            colour = INK if i == j else "var(--wrong)"
            drawn.append(
                f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" fill="{colour}" '
                f'fill-opacity="{0.04 + 0.9 * count / support:.3f}"><title>{escaped(title)}</title></rect>'
            )
            if cell == CELL and count:
                drawn.append(_text(x + cell / 2, y + cell / 2 + 4, f"{count:,}", "middle"))
    return _svg(label + size, label + size, drawn, "confusion"), shown


def reliability(bins: Sequence[Bin]) -> str:
    """How often predictions are right, by their probability; the diagonal is where both are equal. Wider dots are more predictions."""
    most = max((each.count for each in bins), default=0)
    drawn = [*_frame(0, 1, 0, 1, "probability of the prediction", "right")]
    drawn.append(f'<path d="M{_x(0, 0, 1)} {_y(0, 0, 1)} L{_x(1, 0, 1)} {_y(1, 0, 1)}" class="rule"/>')
    for each in bins:
        if each.probability is None or each.right is None:
            continue
        x, y = _x(each.probability, 0, 1), _y(each.right, 0, 1)
        title = f"{each.count:,} predictions of {each.probability:.3f} in the mean: {each.right:.3f} right"
        drawn.append(f'<path d="M{x} {_y(each.probability, 0, 1)} L{x} {y}" class="gap"/>')
        drawn.append(
            f'<circle cx="{x}" cy="{y}" r="{3 + 7 * math.sqrt(each.count / most):.1f}"><title>{title}</title></circle>'
        )
    return _square(drawn, "reliability")


def scatter(points: Sequence[tuple[float, float]]) -> str:
    """Predictions against targets; the diagonal is where both are equal."""
    told = [value for point in points for value in point if math.isfinite(value)]
    low, high = _ends(told)
    drawn = [*_frame(low, high, low, high, "target", "prediction")]
    drawn.append(
        f'<path d="M{_x(low, low, high)} {_y(low, low, high)} L{_x(high, low, high)} {_y(high, low, high)}" class="rule"/>'
    )
    drawn += [
        f'<circle cx="{_x(a, low, high)}" cy="{_y(b, low, high)}" r="2.5" fill-opacity="0.45"/>'
        for a, b in points
        if math.isfinite(a) and math.isfinite(b)
    ]
    return _square(drawn, "predictions against targets")


def residuals(points: Sequence[tuple[float, float]], parts: Sequence[TargetRange]) -> str:
    """Predictions less targets, against targets; bars are the mean of each tenth of the targets."""
    errors = [(a, b - a) for a, b in points if math.isfinite(a) and math.isfinite(b)]
    left, right = _ends([a for a, _ in errors])
    low, high = _ends([error for _, error in errors] + [0.0])
    drawn = [*_frame(left, right, low, high, "target", "residual")]
    drawn.append(
        f'<path d="M{_x(left, left, right)} {_y(0, low, high)} L{_x(right, left, right)} {_y(0, low, high)}" class="rule"/>'
    )
    drawn += [
        f'<circle cx="{_x(a, left, right)}" cy="{_y(error, low, high)}" r="2.5" fill-opacity="0.45"/>'
        for a, error in errors
    ]
    for part in parts:
        if low <= part.bias <= high and left <= part.low and part.high <= right:
            at = _y(part.bias, low, high)
            drawn.append(
                f'<path d="M{_x(part.low, left, right)} {at} L{_x(part.high, left, right)} {at}" class="mean"/>'
            )
    return _square(drawn, "residuals")


def short(name: str) -> str:
    """A name in the space that a drawing has for it."""
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 3]}..."


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _x(value: float, low: float, high: float) -> str:
    return f"{EDGE + SIDE * (value / (high - low) - low / (high - low)):.1f}"


def _y(value: float, low: float, high: float) -> str:
    return f"{8 + SIDE * (1 - (value / (high - low) - low / (high - low))):.1f}"


def _frame(left: float, right: float, low: float, high: float, below: str, beside: str) -> Iterator[str]:
    """Both axes with their ends and names."""
    yield f'<rect x="{EDGE}" y="8" width="{SIDE}" height="{SIDE}" class="frame"/>'
    yield _text(EDGE, SIDE + 24, f"{left:.4g}", "start")
    yield _text(EDGE + SIDE, SIDE + 24, f"{right:.4g}", "end")
    yield _text(EDGE + SIDE / 2, SIDE + 24, below, "middle")
    yield _text(EDGE - 4, 18, f"{high:.3g}", "end")
    yield _text(EDGE - 4, SIDE + 8, f"{low:.3g}", "end")
    yield _turned(EDGE - 8, 8 + SIDE / 2, beside, anchor="middle")


def _text(x: float, y: float, text: str, anchor: str, title: str = "") -> str:
    told = f"<title>{escaped(title)}</title>" if title else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{told}{escaped(text)}</text>'


def _turned(x: float, y: float, text: str, title: str = "", anchor: str = "start") -> str:
    told = f"<title>{escaped(title)}</title>" if title else ""
    return (
        f'<text transform="translate({x:.1f} {y:.1f}) rotate(-90)" text-anchor="{anchor}">{told}{escaped(text)}</text>'
    )


def _square(drawn: Sequence[str], label: str) -> str:
    return _svg(EDGE + SIDE + 8, SIDE + 32, drawn, label)


def _svg(width: float, height: float, drawn: Sequence[str], label: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" aria-label="{label}">'
        f"{''.join(drawn)}</svg>"
    )
