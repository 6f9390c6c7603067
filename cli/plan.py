"""The plan that `dlc build` prints: the data, what feeds what, the recipe in steps, the export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..compiler.catalogue import SEGMENTS, SOURCES, balanced
from ..compiler.catalogue.clock import clock_of
from ..compiler.catalogue.ops import find
from ..compiler.ir.expand import parameter_count, parameters, selects
from ..compiler.sizes.types import shape_text

if TYPE_CHECKING:
    from ..compiler.ir.data import DataFacts, DataSet
    from ..compiler.ir.expand import ParameterEntry
    from ..compiler.ir.export import Export
    from ..compiler.ir.model import Body, Spec
    from ..compiler.ir.recipe import Recipe
    from ..compiler.ir.train import Duration, Freeze, Optimizer, ParameterGroup, Phase, Schedule, Train

NAMES_SHOWN = 8
LETTERS = 24  # of a name


def plan_lines(
    file: str,
    spec: Spec,
    facts: Mapping[str, DataFacts],
    weights: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """The lines of a whole spec. `facts` by data section; `weights` lists by train section what its nets start from."""
    recipe = spec.recipe
    counts = [f"{model.name}  {parameter_count(spec, model):,} parameters" for model in spec.models]
    lines = [f"{file}   {'   '.join(counts)}".rstrip()]
    for train in recipe.trains:
        section = recipe.dataset(train.data)
        lines += _row("data", data(section, facts.get(section.name), fed(spec, train)))
        lines += _row("binds", binds(spec, recipe, train))
        for text in (weights or {}).get(train.name, ()):
            lines += _row("weights", text)
        for phase in train.phases:
            label = f"phase {phase.name}" if phase.name else "recipe"
            lines += _row(label, plan(phase, facts.get(section.name)))
            for index, text in enumerate(frozen(spec, train, phase)):
                lines += _row("" if index else "frozen", text)
            lines += _row("rates", rates(spec, train, phase))
            lines += _row("decay", decay(spec, train, phase))
        for text in balanced.shown(spec.bodies, train, class_names(section, facts.get(section.name)), NAMES_SHOWN):
            lines += _row("classes", f"weights of {text}")
    for export in recipe.exports:
        lines += _row("export", exported(spec, export))
    return lines


def class_names(section: DataSet, facts: DataFacts | None) -> dict[str, Sequence[str]]:
    """The names of classes by field, from the spec or the data."""
    found: dict[str, Sequence[str]] = {}
    for field in section.fields:
        known = facts.fields.get(field.name) if facts is not None else None
        names = (field.classes.names if field.classes is not None else None) or (known.classes if known else None)
        if names:
            found[field.name] = names
    return found


def _row(label: str, text: str) -> list[str]:
    return [f"  {label:<8} {text}"] if text else []


# ---- data ----------------------------------------------------------------------------------------------------------


def data(section: DataSet, facts: DataFacts | None, inputs: Collection[str] = ()) -> str:
    """`4,317 records in 5 classes: daisy ...   train 3,453  val 432  test 432`. The classes are those of a target: of a field that
    is not one of the `inputs` of a model."""
    if facts is None:
        return "not read: shapes from the spec"
    total = sum(facts.records.values())
    what = "images" if SOURCES[section.source.name].images else "records"
    text = f"{total:,} {what}"
    classed = [
        name for name in (field.name for field in section.fields) if name in facts.fields and facts.fields[name].classes
    ]
    target = next((name for name in classed if name not in inputs), None)
    if target is not None:
        classes = facts.fields[target].classes or ()
        shown = " ".join(
            name if len(name) <= LETTERS else f"{name[: LETTERS - 3]}..." for name in classes[:NAMES_SHOWN]
        )
        more = " ..." if len(classes) > NAMES_SHOWN else ""
        text += f" in {len(classes)} classes: {shown}{more}"
    splits = "  ".join(f"{split} {count:,}" for split, count in facts.records.items())
    return f"{text}   {splits}" + (f"   streamed from {facts.laid_out}" if facts.laid_out else "")


def fed(spec: Spec, train: Train) -> frozenset[str]:
    """The fields that inputs of the model take."""
    return frozenset(
        train.inputs.get(value.name, value.name)
        for net in train.nets
        if not net.name
        for value in spec.body_of(spec.models[net.model]).inputs
    )


def binds(spec: Spec, recipe: Recipe, train: Train) -> str:
    """`image -> SmallCnn.image [B, 3, 96, 96]      label -> loss, metrics`."""
    fed: dict[str, list[str]] = {field.name: [] for field in recipe.dataset(train.data).fields}
    for net in train.nets:
        if net.name:
            continue
        model = spec.models[net.model]
        for value in spec.body_of(model).inputs:
            name = train.inputs.get(value.name, value.name)
            fed.setdefault(name, []).append(f"{model.name}.{value.name} {shape_text(value.type.shape)}")
    for name, uses in fed.items():
        if any(_reads(spec.bodies[update.body], name) for phase in train.phases for update in phase.updates):
            uses.append("loss") if not uses else None
        if _in_metrics(spec, train, name):
            uses.append("metrics")
    return "      ".join(f"{name} -> {', '.join(uses)}" for name, uses in fed.items() if uses)


def _reads(body: Body, name: str) -> bool:
    return any(value.name == name for value in body.inputs)


def _in_metrics(spec: Spec, train: Train, name: str) -> bool:
    body = spec.bodies[train.evaluation.body]
    ids = {value.id for value in body.inputs if value.name == name}
    parts = {part for metric in train.evaluation.metrics for part in metric.parts}
    return any(ids.intersection(i for i in body.nodes[part].inputs if isinstance(i, int)) for part in parts)


# ---- recipe --------------------------------------------------------------------------------------------------------


def plan(phase: Phase, facts: DataFacts | None) -> str:
    """`26 steps an epoch x 40 = 1,040 steps; SGD lr 0.05, ...`."""
    text = f"{_amount(phase.duration)}, batch {phase.batch.amount:,}"
    size = f"{phase.batch.amount:,}"
    if phase.batch.unit == "tokens":
        size = f"at most {size} tokens"
        text = f"{_amount(phase.duration)}, batch of {size}"
    if facts is not None and facts.records.get("train"):
        steps = clock_of(phase, facts.records["train"]).per_epoch
        if phase.duration.unit == "epochs":
            total = round(steps * phase.duration.amount)
            text = f"{steps:,} steps an epoch x {phase.duration.amount:g} = {total:,} steps of {size}"
        else:
            text += f" ({steps:,} steps an epoch)"
    for update in phase.updates:
        prefix = f"; {update.name}: " if update.name else "; "
        text += prefix + optimizer(update.optimizer)
    return text


def optimizer(entry: Optimizer) -> str:
    """`AdamW lr 0, linear to 0.0003 in 2,000 steps, cosine to 3e-05`."""
    parts = [f"{entry.name} lr {entry.args.get('lr', 0):g}"]
    if "lr" in entry.schedules:
        parts = [f"{entry.name} lr {schedule(entry.schedules['lr'])}"]
    if decay_ := entry.args.get("weight_decay"):
        parts.append(f"weight decay {decay_:g}")
    return ", ".join(parts)


def schedule(entry: Schedule) -> str:
    """The curve in words."""
    words = [f"{entry.start * entry.scale:g}"]
    for segment in entry.segments:
        text = segment.kind.replace("_", " ")
        if segment.to is not None:
            text += f" to {segment.to * entry.scale:g}"
        if segment.factor is not None:
            text += f" by {segment.factor:g}"
        if segment.length is not None and segment.length.unit != "rest":
            text += f" {'every' if SEGMENTS[segment.kind].repeats else 'in'} {_amount(segment.length)}"
        words.append(text)
    return ", ".join(words)


def _amount(duration: Duration) -> str:
    if duration.unit == "rest":
        return "the rest"
    unit = duration.unit[:-1] if duration.amount == 1 and duration.unit.endswith("s") else duration.unit
    return f"{duration.amount:,} {unit}"


def _owned(spec: Spec, train: Train, nets: Iterable[str]) -> list[tuple[str, ParameterEntry]]:
    """The parameters (no buffers) of these nets, with the path that selectors see."""
    found: list[tuple[str, ParameterEntry]] = []
    for net in train.nets:
        if net.name in nets:
            prefix = f"{net.name}." if net.name else ""
            for entry in parameters(spec, spec.models[net.model]):
                if not entry.buffer:
                    found.append((prefix + entry.path, entry))
    return found


def _chosen(rules: Iterable[ParameterGroup | Freeze], path: str, entry: ParameterEntry) -> Any:
    """The last rule that selects this parameter, or None."""
    last = None
    for rule in rules:
        if any(selects(s, path, entry.layer, entry.leaf, len(entry.shape)) for s in rule.selectors):
            last = rule
    return last


def decay(spec: Spec, train: Train, phase: Phase) -> str:
    """`4 of 11 tensors (others excluded by `group rank < 2`)`, where groups change the weight decay."""
    parts: list[str] = []
    for update in phase.updates:
        changing = [group for group in update.groups if "weight_decay" in group.args]
        if not changing:
            continue
        base = update.optimizer.args.get("weight_decay", 0)
        owned = _owned(spec, train, update.nets)
        decayed = 0
        for path, entry in owned:
            group = _chosen(changing, path, entry)
            decayed += bool(group.args["weight_decay"] if group is not None else base)
        names = ", ".join(f"`group {_selectors(group)}`" for group in changing if not group.args["weight_decay"])
        parts.append(f"{decayed} of {len(owned)} tensors" + (f" (others excluded by {names})" if names else ""))
    return "; ".join(parts)


def frozen(spec: Spec, train: Train, phase: Phase) -> list[str]:
    """`trains 2 of 161 tensors (208,998 parameters); 159 frozen, with 53 batch norms in eval mode`, where something is;
    then what trains after each `until`."""
    if not phase.freeze:
        return []
    nets = {net for update in phase.updates for net in update.nets}
    owned = _owned(spec, train, nets)
    ends = {(rule.until.unit, rule.until.amount): rule.until for rule in phase.freeze if rule.until is not None}
    parts: list[str] = []
    for end in (None, *(ends[key] for key in sorted(ends))):
        rules = [rule for rule in phase.freeze if end is None or rule.until is None or _later(rule.until, end)]
        still = {path for path, entry in owned if _chosen(rules, path, entry) is not None}
        moving = [entry for path, entry in owned if path not in still]
        count = sum(entry.size for entry in moving)
        text = f"trains {len(moving)} of {len(owned)} tensors ({count:,} parameters)"
        norms = _frozen_norms(owned, still)
        if still:
            text += f"; {len(still)} frozen" + (
                f", with {norms} batch norm{'s' * (norms > 1)} in eval mode" if norms else ""
            )
        parts.append(text if end is None else f"after {_amount(end)} {text}")
    return parts


def _later(until: Duration, end: Duration) -> bool:
    return (until.unit, until.amount) > (end.unit, end.amount)


def _frozen_norms(owned: Iterable[tuple[str, ParameterEntry]], frozen: Collection[str]) -> int:
    """Batch norms of which every parameter is frozen: they keep their statistics."""
    norms: dict[str, bool] = {}
    for path, entry in owned:
        operator = find(entry.layer)
        if operator is not None and operator.mixes_batch:
            layer = path.rpartition(".")[0]
            norms[layer] = norms.get(layer, True) and path in frozen
    return sum(norms.values())


def rates(spec: Spec, train: Train, phase: Phase) -> str:
    """`lr 0.001: fc   0.000333: layer4   0.0001: layer2, layer3`, where groups change the learning rate."""
    parts: list[str] = []
    for update in phase.updates:
        changing = [group for group in update.groups if "lr" in group.args]
        if not changing:
            continue
        for_good = [rule for rule in phase.freeze if rule.until is None]
        found: dict[str, float] = {}
        for path, entry in _owned(spec, train, update.nets):
            if _chosen(for_good, path, entry) is None:
                found[path] = _highest(_chosen(changing, path, entry) or update.optimizer)
        text = [f"{rate:.3g}: {names}" for rate, names in _together(found)]
        parts.append("lr " + "   ".join(text))
    return "; ".join(parts)


def _highest(rule: Optimizer | ParameterGroup) -> float:
    """The largest value of a learning rate over its schedule."""
    curve = rule.schedules.get("lr")
    if curve is None:
        return float(rule.args["lr"])
    return curve.scale * max([curve.start, *(segment.to for segment in curve.segments if segment.to is not None)])


def _together(rates: Mapping[str, float]) -> list[tuple[float, str]]:
    """Rates with the shortest prefixes that name their parameters, the highest rate first."""
    names: dict[float, list[str]] = {rate: [] for rate in sorted(set(rates.values()), reverse=True)}

    def name(prefix: str, paths: list[str]) -> None:
        heads: dict[str, list[str]] = {}
        for path in paths:
            heads.setdefault(path[len(prefix) :].split(".")[0], []).append(path)
        for head, inner in heads.items():
            if len(found := {rates[path] for path in inner}) == 1:
                names[found.pop()].append(prefix + head)
            else:
                name(f"{prefix}{head}.", inner)

    name("", list(rates))
    counts = Counter(rates.values())
    return [(rate, ", ".join(n) if len(n) <= NAMES_SHOWN else f"{counts[rate]} tensors") for rate, n in names.items()]


def _selectors(rule: ParameterGroup) -> str:
    words = {"path": '"{}"', "layer": "{}", "rank": "rank {}"}
    return ", ".join(words[selector.kind].format(selector.text) for selector in rule.selectors)


# ---- export --------------------------------------------------------------------------------------------------------


def exported(spec: Spec, export: Export) -> str:
    """`flowers.onnx: image f32[B, 3, 96, 96] -> probs f32[B, 5]`."""
    body = spec.body_of(spec.models[export.model])
    inputs = [f"{v.name} {v.type}" for name in export.inputs for v in body.inputs if v.name == name]
    inputs = inputs or list(export.inputs)
    tail = spec.bodies[export.tail]
    outputs = [f"{result.name} {tail.value(result.value).type}" for result in tail.outputs]
    return f"{export.onnx}: {', '.join(inputs)} -> {', '.join(outputs)}"
