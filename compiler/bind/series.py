"""Rows of a table as series: the keys of a `data` section that order them, and what the windows of a section have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from ..catalogue import SPLITS, TRANSFORMS
from ..ir.arguments import EntryUse
from ..ir.data import DataNode, Gaps, Order
from ..messages import series as errors
from ..messages.diagnostics import Failed
from ..messages.sections import wrong_value
from ..sizes.statics import describe
from ..text import syntax
from .data_graph import DataGraph
from .reader import Section

KEYS = ("series", "time", "gaps")


def order_of(
    graph: DataGraph, section: Section, split: EntryUse | None, column: Callable[[syntax.Pipe, str], str | None]
) -> Order | None:
    """What the rows of the section are as series; None where no window is cut from them. The graph is complete by then; `column`
    reads a field of the source."""
    cuts = [node for node in graph.nodes if _over_rows(graph, node)]
    given = {name: section.value(name) for name in ("series", "time")}
    several = [(key, node) for key, node in given.items() if node is not None and _several(node)]
    for key, node in several:
        graph.report.add(errors.several_columns(node.span, key))
    if several:
        return None
    columns = {name: None if node is None else column(node, name) for name, node in given.items()}
    gaps = _gaps(graph, section)
    _check_rows_before(graph, cuts)
    if not cuts:
        for key in KEYS:
            if key in section.keys:
                graph.report.add(errors.without_windows(section.keys[key].name.span, key))
        return None
    _check_strides(cuts)
    if split is not None:
        by = split.args.get("by")
        if by is not None and columns["time"] not in (None, by):
            raise Failed(errors.other_time(split.span, by, str(columns["time"])))
        columns["time"] = columns["time"] or by
        whole = columns["series"] is not None and split.args.get("group") == columns["series"]
        if SPLITS[split.name].mixes and not whole:
            raise Failed(errors.rows_random(split.span, columns["series"]))
    if gaps != "refuse" and columns["time"] is None:
        graph.report.add(errors.gaps_without_time(section.keys["gaps"].name.span))
    keys = [section.keys[key].name.span for key in KEYS if key in section.keys]
    return Order(**columns, gaps=gaps, span=keys[0] if keys else cuts[0].span)


def _several(node: syntax.Pipe) -> bool:
    """`(source.a, source.b)`, `source.columns(..)`."""
    of_source = isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Attr)
    return of_source or isinstance(node, syntax.Tuple | syntax.List)


def _over_rows(graph: DataGraph, node: DataNode) -> bool:
    transform = TRANSFORMS.get(node.op)
    return transform is not None and transform.windows and graph.type(node.inputs[0]).kind != "stream"


def _check_rows_before(graph: DataGraph, cuts: list[DataNode]) -> None:
    """What reads rows before its own needs these in order, and comes before windows are cut from them."""
    for node in graph.nodes:
        if node.op not in TRANSFORMS or not TRANSFORMS[node.op].reads_before:
            continue
        if not cuts:
            raise Failed(errors.rows_without_order(node.span, node.op))
        behind, waiting = set[int](), [*node.inputs]
        while waiting:
            behind.add(at := waiting.pop())
            waiting += graph.nodes[at].inputs
        cut = next((cut for cut in cuts if cut.id in behind), None)
        if cut is not None:
            raise Failed(errors.window_before(node.span, node.op, cut.span))


def _check_strides(cuts: list[DataNode]) -> None:
    first, *others = cuts
    for other in others:
        if other.args["stride"] != first.args["stride"]:
            raise Failed(errors.strides_differ(other.span, other.args["stride"], first.span, first.args["stride"]))


def _gaps(graph: DataGraph, section: Section) -> Gaps:
    node = section.value("gaps")
    if node is None:
        return "refuse"
    value: Any = graph.reader.static(node)
    if value not in get_args(Gaps):
        raise Failed(wrong_value(node.span, "gaps", '"refuse", "cut" or "join"', describe(value)))
    return value
