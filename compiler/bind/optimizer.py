"""Optimizers, schedules, parameter groups and freezing: from syntax to records, and selectors against parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..catalogue import OPTIMIZERS, SEGMENTS
from ..catalogue.train_sections import FREEZE
from ..elaborate.unmatched import as_path
from ..ir.arguments import Selector
from ..ir.expand import ParameterEntry, selects
from ..ir.train import Freeze, Optimizer, ParameterGroup, Schedule, Segment
from ..messages import sections as sections_errors
from ..messages import training as training_errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..sizes.statics import Quantity, describe
from ..text import syntax, top_level
from .reader import SectionReader

EXAMPLE = "AdamW(1e-3)"
OPERATORS = ("*", "/")


def bind_optimizer(reader: SectionReader, node: syntax.Pipe) -> Optimizer:
    """`AdamW(lr = 0 -> linear(6e-4, 2k steps) -> cosine(6e-5, rest), weight_decay = 0.1)`."""
    name, items, span = reader.used(node, OPTIMIZERS, EXAMPLE)
    if items and _of_model(items[0]):
        raise Failed(sections_errors.unknown_argument(items[0].span, name.text, "params", None, ()))
    bound = reader.bind(OPTIMIZERS[name.text], items, span, {"Hyper": _Hyper(reader, None)})
    args, schedules = _apart(bound)
    return Optimizer(name=name.text, args=args, schedules=schedules, span=span)


def _of_model(item: syntax.Pipe | syntax.Kwarg) -> bool:
    """`Model.parameters()`, as PyTorch's optimizers take it."""
    return (
        isinstance(item, syntax.Call) and isinstance(item.callee, syntax.Attr) and item.callee.name.text == "parameters"
    )


def _apart(bound: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Schedule]]:
    schedules = {name: value for name, value in bound.items() if isinstance(value, Schedule)}
    args = {name: value.start * value.scale if isinstance(value, Schedule) else value for name, value in bound.items()}
    return args, schedules


class _Hyper:
    """Reads a number that may follow a schedule; `base` is the optimizer whose values `base.lr` means."""

    def __init__(self, reader: SectionReader, base: Optimizer | None) -> None:
        self.reader, self.base = reader, base

    def __call__(self, node: syntax.Pipe, what: str) -> float | Schedule:
        return self.read(node, what)

    def read(self, node: syntax.Pipe, what: str) -> float | Schedule:
        node = self.reader.plain(node)
        if isinstance(node, syntax.Pipeline):
            return self._schedule(node, what)
        if _mentions_base(node):
            return self._derived(node, what)
        value = self.reader.static(node)
        if isinstance(value, Quantity):
            raise Failed(sections_errors.unit_unwanted(node.span, what, describe(value)))
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Failed(sections_errors.wrong_value(node.span, what.strip("`"), "a number", describe(value)))
        if value < 0:
            raise Failed(
                sections_errors.wrong_value(node.span, what.strip("`"), "a number of at least 0", describe(value))
            )
        return float(value)

    def _derived(self, node: syntax.Pipe, what: str) -> float | Schedule:
        match node:
            case syntax.Paren():
                return self._derived(node.value, what)
            case syntax.Attr(value=syntax.Ref(name="base")):
                return self._base(node)
            case syntax.Binary() if node.op in OPERATORS:
                left, right = self._factor(node.left, what), self._factor(node.right, what)
                if isinstance(right, Schedule):
                    left, right = right, left
                    if node.op == "/":
                        raise Failed(training_errors.base_used(node.span))
                if isinstance(right, Schedule) or (node.op == "/" and right == 0):
                    raise Failed(training_errors.base_used(node.span))
                factor = right if node.op == "*" else 1 / right
                if isinstance(left, Schedule):
                    return left.model_copy(update={"scale": left.scale * factor})
                return left * factor
            case _:
                raise Failed(training_errors.base_used(node.span))

    def _factor(self, node: syntax.Pipe, what: str) -> float | Schedule:
        return self._derived(node, what) if _mentions_base(node) else self.read(node, what)

    def _base(self, node: syntax.Attr) -> float | Schedule:
        name = node.name.text
        if self.base is None:
            raise Failed(training_errors.base_used(node.span))
        if name in self.base.schedules:
            return self.base.schedules[name]
        value = self.base.args.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Failed(training_errors.base_unknown(node.name.span, name, nearest(name, self.base.args)))
        return float(value)

    def _schedule(self, node: syntax.Pipeline, what: str) -> Schedule:
        start = self.read(node.value, what)
        if isinstance(start, Schedule):
            raise Failed(training_errors.base_used(node.value.span))
        segments: list[Segment] = []
        for stage in node.stages:
            if segments and _endless(segments[-1]):
                raise Failed(sections_errors.after_the_end(stage.span, segments[-1].span))
            segments.append(self._segment(stage))
        return Schedule(start=start, segments=tuple(segments), span=node.span)

    def _segment(self, stage: syntax.Stage) -> Segment:
        if not isinstance(stage, syntax.Apply) or stage.select is not None or len(stage.callee.names) != 1:
            raise Failed(sections_errors.not_an_entry(stage.span, SEGMENTS.what, "cosine(0, rest)"))
        name = stage.callee.text
        if name not in SEGMENTS:
            near = nearest(name, SEGMENTS)
            raise Failed(sections_errors.unknown_entry(stage.callee.span, name, SEGMENTS.what, near, SEGMENTS))
        items = stage.args.items if stage.args is not None else ()
        bound = self.reader.bind(
            SEGMENTS[name],
            items,
            stage.span,
            {"Time": lambda node, what: self.reader.duration(node, what, rest=not SEGMENTS[name].repeats)},
        )
        return Segment(
            kind=name,
            to=bound.get("to"),
            factor=bound.get("factor"),
            length=bound.get("for", bound.get("every")),
            span=stage.span,
        )


def _endless(segment: Segment) -> bool:
    return SEGMENTS[segment.kind].repeats or (segment.length is not None and segment.length.unit == "rest")


def _mentions_base(node: Any) -> bool:
    match node:
        case syntax.Attr(value=syntax.Ref(name="base")):
            return True
        case syntax.Paren() | syntax.Unary():
            return _mentions_base(node.value)
        case syntax.Binary():
            return _mentions_base(node.left) or _mentions_base(node.right)
        case _:
            return False


# ---- groups and freezing ---------------------------------------------------------------------------------------------


def optimizer_named(reader: SectionReader, node: syntax.Pipe) -> str | None:
    """The name of the optimizer, whatever its arguments are; None for an unknown one."""
    node = reader.plain(node)
    callee = node.callee if isinstance(node, syntax.Call) else node
    return callee.name if isinstance(callee, syntax.Ref) and callee.name in OPTIMIZERS else None


def bind_group(
    reader: SectionReader,
    item: top_level.SubFor,
    name: str,
    optimizer: Optimizer | None,
    selectors: tuple[Selector, ...],
) -> ParameterGroup:
    """`group "layer4.**" { lr = base.lr / 3 }`: overrides of arguments of the optimizer, which is None where it has a
    mistake."""
    entry = OPTIMIZERS[name]
    kinds = {name: kind for name, kind, _ in entry.arguments}
    forms: Any = dict.fromkeys(kinds, "key")
    entries = item.entries or top_level.Entries(item.span, ())
    section = reader.section(f"group of {name}", entries, item.span, forms)
    bound: dict[str, Any] = {}
    for argument, key in section.keys.items():
        if isinstance(key, top_level.Key) and (optimizer is not None or not _mentions_base(key.value)):
            value = reader.attempt(
                lambda argument=argument, key=key: reader.argument(
                    entry, argument, kinds[argument], key.value, {"Hyper": _Hyper(reader, optimizer)}
                )
            )
            if value is not None:
                bound[argument] = value
    args, schedules = _apart(bound)
    return ParameterGroup(selectors=selectors, args=args, schedules=schedules, span=item.span)


def bind_freeze(reader: SectionReader, item: top_level.SubFor, selectors: tuple[Selector, ...]) -> Freeze:
    """`freeze "layer2.**" { until = 3 epochs }`."""
    until = None
    if item.entries is not None:
        section = reader.section("freeze", item.entries, item.span, FREEZE.forms)
        node = section.value("until")
        if node is not None:
            until = reader.duration(node, "`until`")
    return Freeze(selectors=selectors, until=until, span=item.span)


def matches(selector: Selector, entry: ParameterEntry, path: str) -> bool:
    """Whether a selector of a recipe chooses the parameter at `path` (with the net's name before)."""
    return selects(selector, path, entry.layer, entry.leaf, len(entry.shape))


def chosen(selectors: Iterable[Selector], entry: ParameterEntry, path: str) -> bool:
    return any(matches(selector, entry, path) for selector in selectors)


def check_selectors(
    selectors: Iterable[Selector], entries: list[tuple[str, ParameterEntry]], reader: SectionReader
) -> None:
    """E0402 for each selector that chooses nothing, unless it names what could not be read."""
    entries = [(path, entry) for path, entry in entries if not entry.buffer]
    for selector in selectors:
        if not reader.scope.hides(selector.text.partition(".")[0]) and not any(
            matches(selector, entry, path) for path, entry in entries
        ):
            paths = [path for path, _ in entries]
            near = suggestion(selector, entries)
            reader.report.add(training_errors.selector_matches_nothing(selector.span, selector.text, near, paths))


def suggestion(selector: Selector, entries: list[tuple[str, ParameterEntry]]) -> str | None:
    """A selector near the given one that does choose something."""
    if selector.kind == "layer":
        if quoted := as_path(selector.text, [path for path, _ in entries]):
            return quoted
        kind, _, leaf = selector.text.partition(".")
        layers = sorted({entry.layer for _, entry in entries})
        leaves = sorted({entry.leaf for _, entry in entries})
        near_kind = kind if kind in layers else nearest(kind, layers)
        near_leaf = leaf if not leaf or leaf in leaves else nearest(leaf, leaves)
        if near_kind is None or (leaf and near_leaf is None):
            return None
        return f"{near_kind}.{near_leaf}" if near_leaf else near_kind
    if selector.kind == "rank":
        return None
    segments = sorted({part for path, _ in entries for part in path.split(".")})
    parts = [
        part if "*" in part or part in segments else nearest(part, segments) or part
        for part in selector.text.split(".")
    ]
    written = ".".join(parts)
    if written == selector.text and "*" not in written:
        written = f"{written}.**"  # a layer's path chooses nothing: its parameters lie below
    mended = selector.model_copy(update={"text": written})
    return written if any(matches(mended, entry, path) for path, entry in entries) else None
