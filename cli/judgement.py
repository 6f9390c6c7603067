"""A judgement as text: rich tables on a terminal, aligned lines elsewhere. Of many classes the most confused are shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from ..compiler.dataclass import dataclass
from ..compiler.messages.printable import one_line
from ..runtime.checkpoints.judgements import ClassJudgement, InUnits, Judgement, ValueJudgement, WorstExample
from . import console

MOST_CLASSES = 20  # rows of a table of classes
MOST_CELLS = 12  # classes of a table of confusion
SHOWN = 10
WIDEST = 24  # of a name


@dataclass(frozen=True)
class PrintedTable:
    """`title` above, `head` over the columns, of which the first `left` are names."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


def show(judgement: Judgement, *, worst: int = 0) -> None:
    """Prints the tables of a judgement, with so many of the worst examples."""
    for output in judgement.outputs:
        for table in tables(output, worst):
            console.out()
            draw(table)


def units(found: InUnits | None) -> str:
    """What a metric is measured in, behind its figure."""
    if found is None or found.figure is None:
        return ""
    if not found.undone:
        return f"in the units of `{found.field}`"
    ops = ", ".join(f"`{op}`" for op in found.undone)
    return f"{found.figure:.4g} in the units of `{found.field}`, {ops} undone"


def tables(output: ClassJudgement | ValueJudgement, worst: int = 0) -> Iterator[PrintedTable]:
    if isinstance(output, ValueJudgement):
        yield from _of_values(output)
    else:
        yield _classes(output)
        if output.confusion is not None:
            yield _confusion(output, output.confusion)
        yield _calibration(output)
    if worst and output.worst:
        yield _worst(output.worst[:worst])


# ---- classes ---------------------------------------------------------------------------------------------------------


def _classes(output: ClassJudgement) -> PrintedTable:
    chosen = sorted(output.classes, key=lambda each: each.f1)[:SHOWN] if _many(output) else output.classes
    rows = [
        (_name(each.name), _share(each.precision), _share(each.recall), _share(each.f1), f"{each.support:,}")
        for each in chosen
    ]
    for word, mean in (("macro", output.macro), ("weighted", output.weighted)):
        rows.append((f"({word})", _share(mean.precision), _share(mean.recall), _share(mean.f1), f"{output.support:,}"))
    title = f"`{output.output}` gives `{output.field}`: {_percent(output.accuracy)} of {output.count:,} right"
    if _many(output):
        title += f"; the {len(chosen)} of {len(output.classes):,} classes with the lowest F1"
    return PrintedTable(title, ("class", "precision", "recall", "F1", "support"), tuple(rows))


def _many(output: ClassJudgement) -> bool:
    return len(output.classes) > MOST_CLASSES


def _confusion(output: ClassJudgement, counts: Sequence[Sequence[int]]) -> PrintedTable:
    names = [_name(each.name) for each in output.classes]
    if len(names) <= MOST_CELLS:
        rows = tuple((name, *(f"{n:,}" if n else "." for n in row)) for name, row in zip(names, counts, strict=True))
        return PrintedTable("confusion: targets by row, predictions by column", ("", *names), rows)
    wrong = [(n, a, b) for a, row in enumerate(counts) for b, n in enumerate(row) if n and a != b]
    wrong.sort(key=lambda each: (-each[0], each[1:]))
    rows = tuple((names[a], names[b], f"{n:,}", _percent(n / output.classes[a].support)) for n, a, b in wrong[:SHOWN])
    title = f"confusion: the most frequent of {len(wrong):,} mistakes" if wrong else "confusion: no mistakes"
    return PrintedTable(title, ("target", "predicted", "count", "of the target"), rows, 2)


def _calibration(output: ClassJudgement) -> PrintedTable:
    rows = tuple(
        (f"{each.low:.1f} to {each.high:.1f}", f"{each.count:,}", _share(each.probability), _share(each.right))
        for each in output.calibration.bins
        if each.count
    )
    title = f"calibration: ECE {_share(output.calibration.ece)}"
    return PrintedTable(title, ("probability", "predictions", "mean", "right"), rows)


# ---- values ----------------------------------------------------------------------------------------------------------


def _of_values(output: ValueJudgement) -> Iterator[PrintedTable]:
    title = f"`{output.output}` gives `{output.field}` ({output.units}): {output.count:,} values"
    title += f", MAE {_number(output.mae)}, RMSE {_number(output.rmse)}, R2 {_number(output.r2)}"
    head = ("", "mean", "std", "min", "5 %", "25 %", "median", "75 %", "95 %", "max")
    rows = tuple(
        (name, *map(_number, (s.mean, s.std, s.min, s.q05, s.q25, s.median, s.q75, s.q95, s.max)))
        for name, s in (("target", output.targets), ("residual", output.residuals))
    )
    yield PrintedTable(title, head, rows)
    parts = tuple(
        (
            f"{_number(part.low)} to {_number(part.high)}",
            f"{part.count:,}",
            *map(_number, (part.bias, part.mae, part.rmse)),
        )
        for part in output.deciles
    )
    sampled = ", of a sample" if output.sampled else ""
    title = f"error by tenths of the target{sampled}; the residual is prediction less target"
    yield PrintedTable(title, ("target", "values", "residual", "MAE", "RMSE"), parts)


# ---- examples --------------------------------------------------------------------------------------------------------


def _worst(examples: Sequence[WorstExample]) -> PrintedTable:
    by_class = examples[0].probability is not None
    rows = tuple(
        (
            one_line(each.place),
            _told(each.target),
            _told(each.answer),
            _share(each.probability) if by_class else _number(each.error),
        )
        for each in examples
    )
    title = f"the {len(rows)} worst: {'least probability of the target' if by_class else 'largest errors'}"
    return PrintedTable(title, ("record", "target", "predicted", "probability" if by_class else "error"), rows, 3)


def _told(value: str | float) -> str:
    return _name(value) if isinstance(value, str) else _number(value)


def _name(name: str) -> str:
    name = one_line(name)
    return name if len(name) <= WIDEST else f"{name[: WIDEST - 3]}..."


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.4f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


# ---- drawing ---------------------------------------------------------------------------------------------------------


def draw(table: PrintedTable) -> None:
    if sys.stdout.isatty() and not console.dumb():
        _rich(table)
        return
    for line in plain(table):
        console.out(line)


def plain(table: PrintedTable) -> list[str]:
    """The title, and aligned columns below."""
    cells = [table.head, *table.rows] if table.rows else []
    widths = [max(len(row[at]) for row in cells) for at in range(len(table.head))] if cells else []
    lines = [table.title]
    for row in cells:
        sides = [
            text.ljust(width) if at < table.left else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(("  " + "  ".join(sides)).rstrip())
    return lines


def _rich(table: PrintedTable) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    from ..compiler.messages.printable import printable

    console.out(table.title)
    if not table.rows:
        return
    drawn = Drawn(box=box.SIMPLE_HEAD, pad_edge=False)
    for at, name in enumerate(table.head):
        drawn.add_column(Text(printable(name)), justify="left" if at < table.left else "right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    Console(file=sys.stdout).print(drawn)
