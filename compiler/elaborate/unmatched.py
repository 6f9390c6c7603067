"""Init rules that select nothing, parameters without an initial value, and foreign weights without a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..catalogue import INITS
from ..ir.expand import parameters, selects
from ..ir.model import InitRule, Model, Selector, Spec
from ..messages import parameters as parameters_errors
from ..messages import paths as paths_errors
from ..messages.names import nearest
from .instances import owns_weights, reachable
from .state import State


def check_parameters(state: State, model: Model) -> None:
    """Selectors of init rules that match nothing, parameters without an initial value, colliding paths."""
    spec = Spec(edition="1", name="", bodies=tuple(state.bodies), models=(model,))
    unmatched: dict[tuple[int, int], tuple[InitRule, Selector]] = {}
    for body_index in reachable(state.bodies, model.body):
        for rule in state.bodies[body_index].init_rules:
            for selector in rule.selectors:
                unmatched[(rule.span.start, selector.span.start)] = (rule, selector)
    entries = [entry for entry in parameters(spec, model, first_turns=True) if not entry.buffer]
    for entry in entries:
        if entry.init is None:
            state.report.add(parameters_errors.parameter_without_init(entry.path, entry.span))
    _check_ranks(state, model, spec)
    for full in (False, True):
        if not unmatched:
            return
        candidates = entries if not full else [entry for entry in parameters(spec, model) if not entry.buffer]
        for key, (_, selector) in list(unmatched.items()):
            # The prefix of the body that contains the rule is any prefix here: a rule of a block is relative to it.
            if any(
                selects(selector, tail, entry.layer, entry.leaf, len(entry.shape))
                for entry in candidates
                for tail in tails(entry.path, selector)
            ):
                del unmatched[key]
    for _, selector in unmatched.values():
        paths = [entry.path for entry in entries]
        state.report.add(
            parameters_errors.selector_matches_nothing(
                selector.text, selector.span, suggestion(selector, entries), paths
            )
        )


def _check_ranks(state: State, model: Model, spec: Spec) -> None:
    """E0202 for an initial value that its weight has too few axes for, once for each rule."""
    rules = [rule for index in reachable(state.bodies, model.body) for rule in state.bodies[index].init_rules]
    told: set[int] = set()
    for entry in parameters(spec, model, first_turns=not rules):
        least = INITS[entry.init.name].least_rank if entry.init is not None else 0
        if entry.init is None or len(entry.shape) >= least or id(entry.init) in told:
            continue
        told.add(id(entry.init))
        rule = next((rule for rule in rules if rule.init is entry.init), None)
        span = rule.span if rule is not None else entry.span
        state.report.add(
            parameters_errors.init_rank(entry.init.name, least, entry.path, entry.shape, span, rule is not None)
        )


def tails(path: str, selector: Selector) -> list[str]:
    """A path and, for globs, what follows each of its segments."""
    if selector.kind != "path":
        return [path]
    parts = path.split(".")
    return [".".join(parts[start:]) for start in range(len(parts))]


def as_path(text: str, paths: Sequence[str]) -> str:
    """A path without its quotes, `fc.weight`, as a selector; "" where no parameter lies there."""
    if any(path == text or path.endswith(f".{text}") for path in paths):
        return f'"{text}"'
    return f'"{text}.**"' if any(f".{path}".find(f".{text}.") >= 0 for path in paths) else ""


def suggestion(selector: Selector, entries: list[Any]) -> str | None:
    """A selector near the given one that does match."""
    if selector.kind == "layer":
        if quoted := as_path(selector.text, [entry.path for entry in entries]):
            return quoted
        kind, _, leaf = selector.text.partition(".")
        kinds = sorted({entry.layer for entry in entries})
        leaves = sorted({entry.leaf for entry in entries})
        near_kind = kind if kind in kinds else nearest(kind, kinds)
        near_leaf = leaf if leaf in leaves else nearest(leaf, leaves)
        return f"{near_kind}.{near_leaf}" if near_kind and near_leaf else None
    segments = sorted({part for entry in entries for part in entry.path.split(".")})
    parts = [
        part if "*" in part or part in segments else (nearest(part, segments) or part)
        for part in selector.text.split(".")
    ]
    written = ".".join(parts)
    return f'"{written}"' if written != selector.text else None


def check_labels(state: State, model: Model) -> None:
    """W0402: weights of foreign files are found by path, so every part of a path should be written."""
    for index in reachable(state.bodies, model.body):
        for instance in state.bodies[index].instances:
            if instance.span in state.unlabelled and owns_weights(state, instance):
                state.report.add(paths_errors.unlabelled_weight(instance.path, instance.span))
