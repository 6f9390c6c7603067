"""`train` sections to the recipe IR: nets, losses, metrics, optimizers, phases, and what the run keeps and follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from ..catalogue import KEEPS, STOPS, WEIGHT_SOURCES
from ..catalogue.train_sections import TRAIN
from ..elaborate.signatures import signature_of
from ..elaborate.state import State
from ..elaborate.unmatched import check_labels
from ..ir.arguments import EntryUse
from ..ir.data import DataSet
from ..ir.expand import ParameterEntry, parameters
from ..ir.model import Spec
from ..ir.train import Evaluation, Keep, Metric, Net, Phase, Stop, Train, Watched, WeightSource
from ..messages import sections as sections_errors
from ..messages import training as training_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest, unquoted
from ..messages.source import Span
from ..resolve.definitions import Definition
from ..text import syntax, top_level
from .data import UNREAD, ReadData
from .expression_values import read_names
from .expressions import Expressions
from .names import MISTAKEN, Names, NetUse
from .phase import PhaseBinder
from .reader import Section, SectionReader


class TrainBinder:
    """One `train` section."""

    def __init__(self, state: State, definition: Definition, data: Mapping[str, ReadData]) -> None:
        self.state, self.definition = state, definition
        self.node: top_level.Train = definition.node
        self.report = state.report
        self.reader = SectionReader(definition.scope, self.report, state.project.root)
        self.data = data
        self.models = state.models
        self.name = definition.name
        #: What other sections read of this one, mistakes or not.
        self.nets: list[NetUse] = []
        self.figures = Figures(UNREAD, (), ())
        self.span = (
            self.node.name.span
            if self.node.name is not None
            else Span(self.node.span.file, self.node.span.start, self.node.span.start + len("train"))
        )

    def run(self) -> Train | None:
        before = len(self.report.errors)
        section = self.reader.section("train", self.node.entries, self.span, TRAIN.forms, lets=True)
        data: ReadData = self.reader.attempt(lambda: self._dataset(section)) or UNREAD
        nets = self.nets = self._nets(section)
        scalars = self._scalars(section)
        dataset = data.dataset
        inputs = self._inputs(section, nets, data)
        lets = [let for let in section.lets if not any(net.name == let.name.text for net in nets)]
        names = Names(data, self.definition.scope, nets, inputs, lets)
        self._collisions(section, dataset)
        expressions = Expressions(self.state, names, read_names([self.node.entries]))
        with self.state.reporting():
            train = self._train(section, expressions, names, dataset, scalars)
            if train is not None and names.whole and len(self.report.errors) == before:
                return train
        return None

    # ---- data and nets -------------------------------------------------------------------------------------------------

    def _dataset(self, section: Section) -> ReadData:
        node = section.value("data")
        if node is None:
            names = [name for name in self.data]
            example = f"data = {names[0]}" if names else "data = Flowers"
            self.reader.missing(section, "data", example, of="train", at=self.span)
            raise Abandoned
        node = self.reader.plain(node)
        if not isinstance(node, syntax.Ref):
            quoted = unquoted(node.value, self.data) if isinstance(node, syntax.String) else None
            example = f"data = {next(iter(self.data), 'Flowers')}"
            raise Failed(sections_errors.not_an_entry(node.span, "the name of a `data` section", example, quoted))
        if node.name not in self.data:
            self.definition.scope.lookup(node.name)  # a failed import was reported
            near = nearest(node.name, self.data)
            raise Failed(
                sections_errors.unknown_definition(node.span, node.name, "`data` section", near, list(self.data))
            )
        return self.data[node.name]

    def _nets(self, section: Section) -> list[NetUse]:
        """`model = ..` and the lets that make nets."""
        written = [("", section.value("model")), *((let.name.text, let.value) for let in section.lets)]
        found: list[NetUse] = []
        for name, node in written:
            if node is None or id(node) not in self.state.roots:
                continue
            root, use = self.state.roots[id(node)], self.state.uses[id(node)]
            if root is not None:
                found.append(NetUse(name, *root))
            elif use is not None:
                found.append(NetUse(name, use.definition, use.callable, use.span, {}, MISTAKEN))
            else:
                found.append(NetUse(name, None, None, node.span, {}, MISTAKEN))
        if not found:
            self.reader.lacks(section, "model", training_errors.no_net(self.span))
        return found

    def _inputs(self, section: Section, nets: list[NetUse], data: ReadData) -> dict[str, str]:
        """Which field feeds which input of `train.model`; E0404 for an input without one."""
        dataset = data.dataset
        single = next((net for net in nets if not net.name), None)
        sub = section.sub("inputs")
        renamed: dict[str, str] = {}
        known = [field.name for field in dataset.fields]
        if single is None:
            if sub is not None:
                self.report.add(
                    sections_errors.entry_misplaced(sub.name.span, "`inputs`, which feeds `model`,", "train")
                )
            return {}
        if single.definition is None:
            return {}
        declared = signature_of(single.definition.node).inputs
        spoiled = data.spoiled or frozenset()
        known += spoiled
        for key in sub.entries.items if sub is not None else ():
            if not isinstance(key, top_level.Key):
                self.report.add(sections_errors.entry_misplaced(key.span, "this", "inputs"))
                continue
            names = [decl.name.text for decl in declared]
            if key.name.text not in names:
                near = nearest(key.name.text, names)
                self.report.add(
                    training_errors.inputs_unknown(key.name.span, single.definition.name, key.name.text, near, names)
                )
            elif not isinstance(key.value, syntax.Ref):
                self.report.add(training_errors.input_not_a_field(key.value.span, key.name.text, known))
            elif key.value.name not in known:
                near = nearest(key.value.name, known)
                if data.spoiled is not None:
                    unknown = training_errors.field_unknown(key.value.span, dataset.name, key.value.name, near, known)
                    self.report.add(unknown)
            else:
                renamed[key.name.text] = key.value.name
        inputs: dict[str, str] = {}
        body = self.state.bodies[self.models[single.model].body] if single.model >= 0 else None
        types = [str(value.type) for value in body.inputs] if body is not None else [""] * len(declared)
        for decl, type in zip(declared, types, strict=True):
            name = decl.name.text
            if name in renamed:
                inputs[name] = renamed[name]
            elif name in known or data.spoiled is None:
                inputs[name] = name
            else:
                inputs[name] = name  # for the rest of the section
                near = nearest(name, known)
                self.report.add(
                    training_errors.input_unfed(
                        self._data_span(section),
                        single.definition.name,
                        name,
                        type or name,
                        near,
                        known,
                        dataset.name,
                        decl.name.span,
                    )
                )
        return inputs

    def _data_span(self, section: Section) -> Span:
        node = section.value("data")
        return node.span if node is not None else self.span

    def _collisions(self, section: Section, dataset: DataSet) -> None:
        fields = {field.name: field.span for field in dataset.fields}
        seen: dict[str, Span] = {}
        for let in section.lets:
            name = let.name.text
            if name in fields:
                self.report.add(
                    training_errors.namespace_clash(
                        let.name.span, name, "a `let`", "a data field", fields[name], ("give the `let` another name",)
                    )
                )
            if name in seen:
                self.report.add(sections_errors.key_twice(let.name.span, name, seen[name]))
            seen.setdefault(name, let.name.span)

    # ---- the section ---------------------------------------------------------------------------------------------------

    def _train(
        self, section: Section, expressions: Expressions, names: Names, dataset: DataSet, scalars: dict[str, Any]
    ) -> Train | None:
        entries = self._parameters(names.nets)
        evaluation = self._evaluation(section, expressions, names.data)
        phases = PhaseBinder(self.state, self.reader, self.definition.scope, expressions, names, entries).run(
            section, self.span
        )
        for let in names.lets:
            if let.name.text not in names.let_read:
                self.report.add(training_errors.unused_let(let.name.span, let.name.text))
        self._unused_nets(names.nets, phases or [], evaluation)
        keep = self._keep(section)
        stop = self._stop(section)
        weights = self._weights(section, names.nets)
        if phases is None or evaluation is None or keep is None:
            return None
        return Train(
            name=self.name,
            data=dataset.name,
            nets=tuple(Net(name=net.name, model=net.model, extra=net.extra, span=net.span) for net in names.nets),
            inputs=names.inputs,
            phases=tuple(phases),
            evaluation=evaluation,
            keep=keep,
            stop=stop,
            seed=scalars["seed"],
            ema=scalars["ema"],
            weights=weights,
            span=self.span,
        )

    def _unused_nets(self, nets: list[NetUse], phases: Sequence[Phase], evaluation: Evaluation | None) -> None:
        """W0403 for a net of a `let` that no expression applies."""
        if evaluation is None or not phases:
            return  # its use may be where the mistake is
        bodies = [evaluation.body]
        for phase in phases:
            bodies += [body for body in (phase.shared, phase.log.body) if body is not None]
            bodies += [update.body for update in phase.updates]
        if any(body < 0 for body in bodies) or any(net.model < 0 for net in nets):
            return
        used = {instance.path for body in bodies for instance in self.state.bodies[body].instances}
        for net in nets:
            if net.name and net.name not in used:
                self.report.add(training_errors.unused_net(net.span, net.name))

    def _parameters(self, nets: list[NetUse]) -> list[tuple[str, ParameterEntry]]:
        found: list[tuple[str, ParameterEntry]] = []
        bodies = tuple(self.state.bodies)
        for net in nets:
            if net.model < 0:
                continue
            model = self.models[net.model]
            spec = Spec(edition="1", name="", bodies=bodies, models=(model,))
            prefix = f"{net.name}." if net.name else ""
            found += [(prefix + entry.path, entry) for entry in parameters(spec, model)]
        return found

    def _scalars(self, section: Section) -> dict[str, Any]:
        """Keys with plain values that hold for the whole run."""
        return {
            "seed": self.reader.setting(section, "seed", "Natural", 0),
            "ema": self.reader.setting(section, "ema", "Share | None", None),
        }

    # ---- losses and metrics --------------------------------------------------------------------------------------------

    def _evaluation(self, section: Section, expressions: Expressions, data: ReadData) -> Evaluation | None:
        """Loss terms and metrics over one application of the nets; a section with steps has metrics only."""
        before = len(self.report.errors), self.state.failures
        losses = self.reader.named(section, "loss") if not section.many.get("step") else []
        metrics = self.reader.named(section, "metrics")
        terms_named = ["loss"] if losses or not section.many.get("step") else []
        terms_named += [name for name, _ in losses]
        self.figures = Figures(data, tuple(dict.fromkeys(terms_named)), tuple(name for name, _ in metrics))
        opened = expressions.open("evaluation", "metrics", self.span)
        opened.environment.metrics = False
        terms = expressions.terms(opened, losses)
        opened.environment.metrics = True
        values = expressions.terms(opened, metrics)
        made_terms = [expressions.term(opened, name, tensor) for name, tensor, _ in terms]
        made: list[Metric] = []
        for name, tensor, node in values:
            with self.state.reporting():
                made.append(expressions.metric(opened, name, tensor, node))
        if (len(self.report.errors), self.state.failures) != before:
            return None
        outputs = [(f"loss.{name}" if len(terms) > 1 else "loss", tensor) for name, tensor, _ in terms]
        outputs += [(name, tensor) for name, tensor, _ in values]
        body = expressions.close(opened, outputs)
        evaluation = Evaluation(body=body, terms=tuple(made_terms), metrics=tuple(made))
        self.figures = self.figures._replace(evaluation=evaluation)
        return evaluation

    # ---- what the run follows ------------------------------------------------------------------------------------------

    def _keep(self, section: Section) -> Keep | None:
        node = section.value("keep")
        if node is None:
            return Keep(kind="last")
        found = self.reader.attempt(
            lambda: self.reader.entry(
                node, KEEPS, "best(val.loss)", {"Watch": lambda node, _: watch(self.reader, node, self.figures)}
            )
        )
        if found is None:
            return None
        entry: EntryUse = found[1]
        return Keep(
            kind=cast(Any, entry.name), metric=entry.args.get("metric"), last=entry.args.get("last"), span=node.span
        )

    def _stop(self, section: Section) -> Stop | None:
        node = section.value("stop")
        if node is None:
            return None
        found = self.reader.attempt(
            lambda: self.reader.entry(
                node,
                STOPS,
                "plateau(val.loss, patience = 5 epochs)",
                {
                    "Watch": lambda node, _: watch(self.reader, node, self.figures),
                    "Time": lambda node, what: self.reader.duration(node, what),
                },
            )
        )
        if found is None:
            return None
        return Stop(metric=found[1].args["metric"], patience=found[1].args["patience"], span=node.span)

    def _weights(self, section: Section, nets: list[NetUse]) -> dict[str, WeightSource]:
        found = section.keys.get("weights")
        items: list[tuple[str, syntax.Pipe]] = []
        if isinstance(found, top_level.Key):
            items.append((next((net.name for net in nets), ""), found.value))
        elif found is not None:
            known = [net.name for net in nets if net.name]
            for item in found.entries.items:
                if not isinstance(item, top_level.Key):
                    self.report.add(sections_errors.entry_misplaced(item.span, "this", "weights"))
                elif item.name.text not in known:
                    near = nearest(item.name.text, known)
                    self.report.add(training_errors.step_net(item.name.span, item.name.text, near, known))
                else:
                    items.append((item.name.text, item.value))
        made: dict[str, WeightSource] = {}
        for name, node in items:
            source = self.reader.attempt(lambda node=node: self._weight_source(node))
            if source is not None:
                made[name] = source
                if WEIGHT_SOURCES[source.entry.name].foreign:
                    for net in nets:
                        if net.name == name and net.model >= 0:
                            check_labels(self.state, self.state.models[net.model])
        return made

    def _weight_source(self, node: syntax.Pipe) -> WeightSource:
        node = self.reader.plain(node)
        map_name: str | None = None
        if isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Ref):
            found = self.definition.scope.lookup(node.callee.name)
            if isinstance(found, Definition) and found.kind == "weights":
                map_name = node.callee.name
                if len(node.args.items) != 1 or isinstance(node.args.items[0], syntax.Kwarg):
                    example = f'{map_name}(file("weights.safetensors"))'
                    raise Failed(sections_errors.not_an_entry(node.args.span, "one source of weights", example))
                node = node.args.items[0]
        _, entry = self.reader.entry(node, WEIGHT_SOURCES, 'file("weights.safetensors")')
        args = dict(entry.args)
        skip = args.pop("skip")
        return WeightSource(entry=EntryUse(name=entry.name, args=args, span=entry.span), map=map_name, skip=skip)


class Figures(NamedTuple):
    """What can be followed of a `train` section: its data, names of loss terms and metrics, and what these are, unless one of
    them has a mistake."""

    data: ReadData
    terms: tuple[str, ...]
    metrics: tuple[str, ...]
    evaluation: Evaluation | None = None


def watch(reader: SectionReader, node: syntax.Pipe, figures: Figures) -> Watched:
    """`val.acc`: a split and a figure, with its direction."""
    node = reader.plain(node)
    if not isinstance(node, syntax.Attr) or not isinstance(node.value, syntax.Ref):
        raise Failed(training_errors.not_a_figure(node.span))
    split, name = node.value.name, node.name.text
    if split not in ("train", "val", "test"):
        raise Failed(training_errors.not_a_figure(node.span))
    splits, evaluation = figures.data.splits, figures.evaluation
    if splits is not None and split not in splits:
        raise Failed(training_errors.no_split(node.value.span, split, figures.data.dataset.name))
    known = list(dict.fromkeys([*figures.terms, *figures.metrics]))
    if name not in known and reader.scope.hides(name):
        raise Abandoned
    if name not in known:
        raise Failed(training_errors.unknown_figure(node.span, f"{split}.{name}", nearest(name, known), known))
    if evaluation is None:
        raise Abandoned
    metric = next((metric for metric in evaluation.metrics if metric.name == name), None)
    if metric is None or (name == "loss" and evaluation.terms):
        return Watched(split=split, name=name, direction="min")
    if metric.direction is None:
        raise Failed(training_errors.no_direction(node.span, name))
    return Watched(split=split, name=name, direction=metric.direction)
