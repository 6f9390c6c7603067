"""`weights NAME for Model { "ours" <- theirs }`: weight maps, checked against the model's parameters."""

from __future__ import annotations

from ..catalogue.ops import is_buffer
from ..catalogue.sections import WEIGHTS
from ..elaborate.state import State
from ..elaborate.unmatched import check_labels
from ..ir.expand import COUNTER, parameters
from ..ir.globs import glob
from ..ir.model import Model, Spec
from ..ir.weights import Foreign, WeightMap, WeightRule
from ..ir.wildcards import wildcards
from ..messages import sections as sections_errors
from ..messages import weights as errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..resolve.definitions import Definition
from ..text import syntax, top_level
from .reader import SectionReader


def bind_weights(state: State, definition: Definition, name: str) -> WeightMap | None:
    """The map under the name it has in the root file; None when it has mistakes."""
    report = state.report
    before = len(report.errors)
    node: top_level.Weights = definition.node
    reader = SectionReader(definition.scope, report, state.project.root)
    section = reader.section("weights", node.entries, node.name.span, WEIGHTS.forms, rules=True)
    ignore = reader.setting(section, "ignore", "Names", ())
    strip = reader.setting(section, "strip", "str", "")
    rules: list[WeightRule] = []
    for item in section.rules:
        theirs: Foreign | None = reader.attempt(lambda item=item: _foreign(reader, item.theirs))
        if theirs is not None:
            reader.attempt(lambda item=item, theirs=theirs: _correspond(item, theirs))
            rules.append(WeightRule(ours=item.ours.value, theirs=theirs, span=item.ours.span))
    model = reader.attempt(lambda: _model(state, definition, node))
    cracked = node.span.start in definition.scope.cracked
    if model is not None and not cracked:
        missing = _unproduced(state, model, section.rules)
        if len(report.errors) == before:
            if missing and rules:
                report.add(errors.not_produced(node.name.span, missing, model.name))
            check_labels(state, model)
    if len(report.errors) > before:
        return None
    return WeightMap(
        name=name, model=node.model.text, rules=tuple(rules), ignore=ignore, strip=strip, span=node.name.span
    )


def _model(state: State, definition: Definition, node: top_level.Weights) -> Model | None:
    """A model of that name that some section uses (its parameters' names hardly depend on the statics)."""
    found = definition.scope.lookup(node.model.text)
    if not isinstance(found, Definition) or found.kind != "model":
        scope = definition.scope
        known = [
            n
            for n, d in [*scope.definitions.items(), *scope.imported.items()]
            if isinstance(d, Definition) and d.kind == "model"
        ]
        near = nearest(node.model.text, known)
        raise Failed(sections_errors.unknown_definition(node.model.span, node.model.text, "model", near, known))
    return next((model for model in state.models if model.name == found.name), None)


def _foreign(reader: SectionReader, node: syntax.Pipe) -> Foreign:
    while isinstance(node, syntax.Paren):
        node = node.value
    match node:
        case syntax.String():
            return Foreign(kind="tensor", pattern=node.value)
        case syntax.Attr() if node.name.text == "T":
            return Foreign(kind="transpose", items=(_foreign(reader, node.value),))
        case syntax.Index() if len(node.items) == 1 and isinstance(node.items[0], syntax.Slice):
            part = node.items[0]
            start, stop = (
                None if end is None else reader.value(end, "an index", "int") for end in (part.start, part.stop)
            )
            return Foreign(kind="slice", items=(_foreign(reader, node.value),), start=start, stop=stop)
        case syntax.Call(callee=syntax.Ref(name="concat")):
            axis, items = 0, list[Foreign]()
            for item in node.args.items:
                if not isinstance(item, syntax.Kwarg):
                    items.append(_foreign(reader, item))
                elif item.name.text == "axis":
                    axis = reader.value(item.value, "axis", "int")
                else:
                    names = ["axis"]
                    near = nearest(item.name.text, names)
                    raise Failed(
                        sections_errors.unknown_argument(item.name.span, "concat", item.name.text, near, names)
                    )
            if items:
                return Foreign(kind="concat", items=tuple(items), axis=axis)
        case _:
            pass
    raise Failed(errors.not_foreign(node.span))


def _patterns(foreign: Foreign) -> list[str]:
    return [foreign.pattern] if foreign.kind == "tensor" else [p for item in foreign.items for p in _patterns(item)]


def _correspond(item: top_level.Rule, theirs: Foreign) -> None:
    ours = wildcards(item.ours.value)
    for pattern in _patterns(theirs):
        if wildcards(pattern) != ours:
            raise Failed(errors.wildcards(item.ours.span, ours, wildcards(pattern)))


def _unproduced(state: State, model: Model, rules: list[top_level.Rule]) -> list[str]:
    """The parameters without a rule (counters of batch norms and buffers excepted); a rule without a parameter is reported."""
    spec = Spec(edition="1", name="", bodies=tuple(state.bodies), models=(model,))
    paths = [entry.path for entry in parameters(spec, model) if entry.leaf != COUNTER and not is_buffer(entry.layer)]
    left = set(paths)
    for rule in rules:
        ours = rule.ours.value
        matched = [path for path in paths if glob(ours).matches(path)]
        if not matched:
            near = nearest(ours, paths) if "*" not in ours else None
            state.report.add(errors.rule_matches_nothing(rule.ours.span, ours, model.name, near))
        left.difference_update(matched)
    return [path for path in paths if path in left]
