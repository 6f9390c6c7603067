"""`train` sections to the recipe IR: nets, losses, metrics, optimizers, phases, and what the run keeps and follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .. import syntax
from ..diagnostics import Abandoned, Failed
from ..elaborate import expressions, signatures
from ..elaborate.elaborator import Elaborator
from ..elaborate.values import Callable
from ..errors import recipe as errors
from ..expand import ParameterEntry, parameters
from ..ir import OpNode, Selector, Spec
from ..names import nearest
from ..recipe.ir import (
    Batch,
    Clip,
    DataSet,
    Duration,
    Evaluation,
    Freeze,
    Keep,
    Log,
    Metric,
    Net,
    ParameterGroup,
    Phase,
    Runtime,
    Stop,
    Term,
    Train,
    Update,
    Validate,
    Watched,
    WeightSource,
)  # fmt: skip
from ..recipe.ir import Entry as EntryRecord
from ..recipe.ir import Optimizer as OptimizerRecord
from ..recipe.reader import Form, Reader, Section
from ..recipe.schedules import CLIPS, KEEPS, STOPS, VALIDATIONS, WEIGHT_SOURCES
from ..source import Span
from ..statics import Quantity, describe
from . import bind_optimizer
from .bind_expressions import Binder, Names, NetUse, Open, read_names
from .scopes import Definition

TRAIN: dict[str, Form] = {
    "model": "key", "data": "key", "inputs": "sub", "loss": "key or sub", "metrics": "sub", "optimizer": "key",
    "group": "sub_for", "freeze": "sub_for", "step": "sub_for", "phase": "sub_for", "weights": "key or sub",
    "batch": "key", "micro_batch": "key", "duration": "key", "validate": "key", "keep": "key", "stop": "key",
    "clip": "key", "precision": "key", "seed": "key", "ema": "key", "mixup": "key", "log": "sub", "runtime": "sub",
}  # fmt: skip
STEP: dict[str, Form] = {
    "loss": "key or sub", "optimizer": "key", "group": "sub_for", "clip": "key", "repeat": "key"
}  # fmt: skip
NOT_IN_PHASE = ("model", "data", "inputs", "weights", "step", "phase", "keep", "stop", "metrics", "ema", "seed")
PHASE: dict[str, Form] = {name: form for name, form in TRAIN.items() if name not in NOT_IN_PHASE}
LOG: dict[str, Form] = {"every": "key", "images": "key", "values": "key"}
RUNTIME: dict[str, Form] = {"shard": "key", "recompute": "key", "sync_batch_norm": "key", "workers": "key"}


class TrainBinder:
    """One `train` section. The models it uses are appended to those of the elaborator."""

    def __init__(self, elaborator: Elaborator, definition: Definition, data: Mapping[str, DataSet | None]) -> None:
        self.elaborator, self.definition = elaborator, definition
        self.node: syntax.Train = definition.node
        self.report = elaborator.report
        self.reader = Reader(definition.scope, self.report, elaborator.project.root)
        self.data = data
        self.models = elaborator.models
        self.name = definition.name
        self.span = (
            self.node.name.span
            if self.node.name is not None
            else Span(self.node.span.file, self.node.span.start, self.node.span.start + len("train"))
        )

    def run(self) -> Train | None:
        before = len(self.report.errors)
        section = self.reader.section("train", self.node.entries, self.span, TRAIN, lets=True)
        dataset = self.reader.attempt(lambda: self._dataset(section))
        nets = self._nets(section)
        scalars = self._scalars(section)
        if dataset is None or not nets:
            # what needs neither is checked all the same
            for node in (section.value("optimizer"),):
                if node is not None:
                    self.reader.attempt(lambda node=node: bind_optimizer.bind_optimizer(self.reader, node))
            return None
        inputs = self._inputs(section, nets, dataset)
        if inputs is None:
            return None
        lets = [let for let in section.lets if not any(net.name == let.name.text for net in nets)]
        names = Names(dataset, self.definition.scope, nets, inputs, lets)
        self._collisions(section, dataset)
        binder = Binder(self.elaborator, names, read_names([self.node.entries]))
        with self.elaborator.reporting():
            train = self._train(section, binder, names, dataset, scalars)
            if train is not None and len(self.report.errors) == before:
                return train
        return None

    # ---- data and nets -------------------------------------------------------------------------------------------------

    def _dataset(self, section: Section) -> DataSet:
        node = section.value("data")
        if node is None:
            names = [name for name in self.data]
            example = f"data = {names[0]}" if names else "data = Flowers"
            self.reader.missing(section, "data", errors.key_missing(self.span, "data", "train", example))
            raise Abandoned
        node = self.reader.plain(node)
        if not isinstance(node, syntax.Ref):
            raise Failed(errors.not_an_entry(node.span, "the name of a `data` section", "data = Flowers"))
        if node.name not in self.data:
            self.definition.scope.lookup(node.name)  # a failed import was reported
            near = nearest(node.name, self.data)
            raise Failed(errors.unknown_definition(node.span, node.name, "`data` section", near, list(self.data)))
        found = self.data[node.name]
        if found is None:
            raise Abandoned
        return found

    def _nets(self, section: Section) -> list[NetUse]:
        """`model = ..` and the lets that make nets."""
        found: list[NetUse] = []
        node = section.value("model")
        broken = False
        if node is not None:
            use = self.reader.attempt(lambda: self._root(node, "", "`model`"))
            broken = use is None
            if use is not None:
                found.append(use)
        for let in section.lets:
            if self._names_model(let.value):
                use = self.reader.attempt(lambda let=let: self._root(let.value, let.name.text, "this `let`"))
                broken = broken or use is None
                if use is not None:
                    found.append(use)
        if not found and not broken:
            self.reader.missing(section, "model", errors.no_net(self.span))
        return [] if broken else found

    def _names_model(self, node: syntax.Pipe) -> bool:
        while isinstance(node, syntax.Paren):
            node = node.value
        callee = node.callee if isinstance(node, syntax.Call) else node
        if not isinstance(callee, syntax.Ref):
            return False
        try:
            found = self.definition.scope.lookup(callee.name)
        except Abandoned:
            return callee.name[:1].isupper()
        return isinstance(found, Definition) and found.kind == "model"

    def _root(self, node: syntax.Pipe, name: str, what: str) -> NetUse:
        """A root use of a model with its statics, checked on the model's own signature."""
        node = self.reader.plain(node)
        callee = node.callee if isinstance(node, syntax.Call) else node
        if not isinstance(callee, syntax.Ref):
            raise Failed(errors.not_a_root(node.span, what))
        definition = self.definition.scope.lookup(callee.name)
        if not isinstance(definition, Definition) or definition.kind != "model":
            scope = self.definition.scope
            known = [
                key for key, found in [*scope.definitions.items(), *scope.imported.items()]
                if isinstance(found, Definition) and found.kind == "model"
            ]  # fmt: skip
            raise Failed(
                errors.unknown_definition(callee.span, callee.name, "model", nearest(callee.name, known), known)
            )
        context = self.elaborator.file_context(self.definition.scope)
        callable = Callable(definition, callee.name)
        if isinstance(node, syntax.Call):
            positional, keyword, _ = expressions.arguments(context, callable, node.args)
            callable = Callable(definition, callee.name, tuple(positional), tuple(keyword.items()))
        before = len(self.report.errors)
        model = self.elaborator.model(definition, callable, node.span)
        if model is None or len(self.report.errors) > before:
            raise Abandoned
        signature = signatures.signature_of(definition.node)
        settled = self.elaborator.with_settings(callable, definition, signature)
        statics = signatures.bind_statics(context, settled, signature, definition, node.span)
        return NetUse(name, definition, callable, statics, node.span, model=len(self.models) - 1)

    def _inputs(self, section: Section, nets: list[NetUse], dataset: DataSet) -> dict[str, str] | None:
        """Which field feeds which input of `train.model`; E0404 for an input without one."""
        single = next((net for net in nets if not net.name), None)
        sub = section.sub("inputs")
        renamed: dict[str, str] = {}
        known = [field.name for field in dataset.fields]
        if single is None:
            if sub is not None:
                self.report.add(errors.entry_misplaced(sub.name.span, "`inputs`, which feeds `model`,", "train"))
            return {}
        declared = signatures.signature_of(single.definition.node).inputs
        before = len(self.report.errors)
        for key in sub.entries.items if sub is not None else ():
            if not isinstance(key, syntax.Key):
                self.report.add(errors.entry_misplaced(key.span, "this", "inputs"))
                continue
            names = [decl.name.text for decl in declared]
            if key.name.text not in names:
                near = nearest(key.name.text, names)
                self.report.add(
                    errors.inputs_unknown(key.name.span, single.definition.name, key.name.text, near, names)
                )
            elif not isinstance(key.value, syntax.Ref) or key.value.name not in known:
                text = key.value.name if isinstance(key.value, syntax.Ref) else "this"
                near = nearest(text, known)
                self.report.add(errors.field_unknown(key.value.span, dataset.name, text, near, known))
            else:
                renamed[key.name.text] = key.value.name
        inputs: dict[str, str] = {}
        model = self.models[single.model]
        types = self.elaborator.bodies[model.body].inputs
        for decl, value in zip(declared, types, strict=True):
            name = decl.name.text
            if name in renamed:
                inputs[name] = renamed[name]
            elif name in known:
                inputs[name] = name
            else:
                near = nearest(name, known)
                self.report.add(
                    errors.input_unfed(
                        self._data_span(section),
                        single.definition.name,
                        name,
                        str(value.type),
                        near,
                        known,
                        dataset.name,
                        decl.name.span,
                    )
                )
        return inputs if len(self.report.errors) == before else None

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
                    errors.namespace_clash(
                        let.name.span, name, "a `let`", "a data field", fields[name], ("give the `let` another name",)
                    )
                )
            if name in seen:
                self.report.add(errors.key_twice(let.name.span, name, seen[name]))
            seen.setdefault(name, let.name.span)

    # ---- the section ---------------------------------------------------------------------------------------------------

    def _train(
        self, section: Section, binder: Binder, names: Names, dataset: DataSet, scalars: dict[str, Any]
    ) -> Train | None:
        entries = self._parameters(names.nets)
        evaluation = self._evaluation(section, binder, dataset)
        phases = self._phases(section, binder, names, entries, scalars)
        for let in names.lets:
            if let.name.text not in names.let_read:
                self.report.add(errors.unused_let(let.name.span, let.name.text))
        keep = self._keep(section, dataset, evaluation)
        stop = self._stop(section, dataset, evaluation)
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

    def _parameters(self, nets: list[NetUse]) -> list[tuple[str, ParameterEntry]]:
        found: list[tuple[str, ParameterEntry]] = []
        bodies = tuple(self.elaborator.bodies)
        for net in nets:
            model = self.models[net.model]
            spec = Spec(edition="1", name="", bodies=bodies, models=(model,))
            prefix = f"{net.name}." if net.name else ""
            found += [(prefix + entry.path, entry) for entry in parameters(spec, model)]
        return found

    def _scalars(self, section: Section) -> dict[str, Any]:
        """Keys with plain values that hold for the whole run."""
        return {
            "seed": self._plain(section, "seed", "Natural", 0),
            "ema": self._plain(section, "ema", "MaybeShare", None),
        }

    def _plain(self, section: Section, name: str, kind: str, default: Any) -> Any:
        node = section.value(name)
        if node is None:
            return default
        value = self.reader.attempt(lambda: self.reader.value(node, name, kind))
        return default if value is None else value

    # ---- losses and metrics --------------------------------------------------------------------------------------------

    def _named(self, section: Section, key: str) -> list[tuple[str, syntax.Pipe]]:
        """`loss = e` or `loss { a = e }` by name."""
        found = section.keys.get(key)
        if isinstance(found, syntax.Key):
            return [(key, found.value)]
        items: list[tuple[str, syntax.Pipe]] = []
        places: dict[str, Span] = {}
        for item in found.entries.items if found is not None else ():
            if not isinstance(item, syntax.Key):
                self.report.add(errors.entry_misplaced(item.span, "this", key))
            elif item.name.text in places:
                self.report.add(errors.key_twice(item.name.span, item.name.text, places[item.name.text]))
            else:
                places[item.name.text] = item.name.span
                items.append((item.name.text, item.value))
        return items

    def _evaluation(self, section: Section, binder: Binder, dataset: DataSet) -> Evaluation | None:
        """Loss terms and metrics over one application of the nets; a section with steps has metrics only."""
        before = len(self.report.errors)
        losses = self._named(section, "loss") if not section.many.get("step") else []
        metrics = self._named(section, "metrics")
        opened = binder.open("evaluation", "metrics", self.span)
        opened.environment.metrics = False
        terms = binder.terms(opened, losses)
        opened.environment.metrics = True
        values = binder.terms(opened, metrics)
        made_terms = [binder.term(opened, name, tensor) for name, tensor, _ in terms]
        made: list[Metric] = []
        for name, tensor, node in values:
            with self.elaborator.reporting():
                made.append(binder.metric(opened, name, tensor, node))
        if len(self.report.errors) > before:
            return None
        outputs = [(f"loss.{name}" if len(terms) > 1 else "loss", tensor) for name, tensor, _ in terms]
        outputs += [(name, tensor) for name, tensor, _ in values]
        body = binder.close(opened, outputs)
        return Evaluation(body=body, terms=tuple(made_terms), metrics=tuple(made))

    # ---- phases and updates --------------------------------------------------------------------------------------------

    def _phases(
        self, section: Section, binder: Binder, names: Names, entries: list[tuple[str, ParameterEntry]],
        scalars: dict[str, Any],
    ) -> list[Phase] | None:  # fmt: skip
        written = section.many.get("phase", [])
        before = len(self.report.errors)
        phases: list[Phase] = []
        if not written:
            phase = self._phase(section, None, "", self.span, binder, names, entries)
            if phase is not None:
                phases.append(phase)
        else:
            if "duration" in section.keys:
                first = written[0].span
                self.report.add(errors.duration_in_both(section.keys["duration"].name.span, first))
            seen: dict[str, Span] = {}
            for item in written:
                name, span = self._argument_name(item)
                if name in seen:
                    self.report.add(errors.key_twice(span, name, seen[name]))
                seen.setdefault(name, span)
                inner = self._phase_section(item, name, span)
                phase = self._phase(section, inner, name, span, binder, names, entries)
                if phase is not None:
                    phases.append(phase if phases else phase.model_copy(update={"fresh": True}))
        return phases if len(self.report.errors) == before else None

    def _argument_name(self, item: syntax.SubFor) -> tuple[str, Span]:
        if len(item.args) == 1 and isinstance(item.args[0], syntax.Ref):
            return item.args[0].name, item.args[0].span
        self.report.add(errors.key_form(item.name.span, item.name.text, "train", f"`{item.name.text} name {{ .. }}`"))
        return "", item.span

    def _phase_section(self, item: syntax.SubFor, name: str, span: Span) -> Section:
        entries = item.entries or syntax.Entries(item.span, ())
        for entry in entries.items:
            if not isinstance(entry, (syntax.Draw, syntax.Rule)) and entry.name.text in NOT_IN_PHASE:
                self.report.add(errors.phase_key(entry.name.span, entry.name.text))
        kept = tuple(
            entry for entry in entries.items
            if isinstance(entry, (syntax.Draw, syntax.Rule)) or entry.name.text not in NOT_IN_PHASE
        )  # fmt: skip
        return self.reader.section(f"phase {name}", syntax.Entries(entries.span, kept), span, PHASE)

    def _phase(
        self, outer: Section, inner: Section | None, name: str, span: Span, binder: Binder, names: Names,
        entries: list[tuple[str, ParameterEntry]],
    ) -> Phase | None:  # fmt: skip
        """A phase complete with what it takes over from the section."""
        both = Section(f"phase {name}" if inner else "train", span, dict(outer.keys), dict(outer.many), outer.meant)
        if inner is not None:
            both.keys.pop("duration", None)
            both.keys.update(inner.keys)
            both.many.update(inner.many)
            both.meant = outer.meant | inner.meant
        before = len(self.report.errors)
        duration = self._duration(both, name if inner else None)
        batch = self.reader.attempt(lambda: self._batch(both))
        updates, shared = self._updates(both, binder, names, entries)
        freeze = self._freeze(both, entries)
        updated = [net for update in updates for net in update.nets]
        fixed = [item for item in freeze if item.until is None]
        free = [
            path for path, entry in entries
            if not entry.buffer and not any(bind_optimizer.chosen(item.selectors, entry, path) for item in fixed)
            and any(path.startswith(f"{net}.") if net else True for net in updated)
        ]  # fmt: skip
        if entries and updates and not free:
            self.report.add(errors.everything_frozen(span))
        phase_validate = self.reader.attempt(lambda: self._validate(both))
        precision = self.reader.attempt(lambda: self._precision(both))
        log = self._log(both)
        runtime = self._runtime(both, entries)
        mixup = self._plain(both, "mixup", "Positive", None)
        if len(self.report.errors) > before or duration is None or batch is None or phase_validate is None:
            return None
        return Phase(
            name=name, duration=duration, shared=shared, updates=tuple(updates), freeze=tuple(freeze), batch=batch,
            validate_every=phase_validate, precision=precision, mixup=mixup, log=log, runtime=runtime,
            fresh=inner is None or "optimizer" in inner.keys, span=span,
        )  # fmt: skip

    def _duration(self, section: Section, phase: str | None) -> Duration | None:
        node = section.value("duration")
        if node is None:
            missing = (
                errors.key_missing(section.span, "duration", "train", "duration = 10 epochs")
                if phase is None
                else errors.duration_missing(section.span, phase)
            )
            self.reader.missing(section, "duration", missing)
            return None
        return self.reader.attempt(lambda: self.reader.duration(node))

    def _batch(self, section: Section) -> Batch:
        node = section.value("batch")
        if node is None:
            self.reader.missing(section, "batch", errors.key_missing(section.span, "batch", "train", "batch = 64"))
            raise Abandoned
        amount, unit = self._amount(node, "batch")
        micro_node = section.value("micro_batch")
        micro = None
        if micro_node is not None:
            micro, _ = self._amount(micro_node, "micro_batch", unit)
            if unit == "samples" and (micro > amount or amount % micro):
                raise Failed(errors.batch_not_whole(micro_node.span, amount, micro))
        return Batch(amount=amount, unit=cast(Any, unit), micro=micro)

    def _amount(self, node: syntax.Pipe, key: str, wanted: str | None = None) -> tuple[int, str]:
        """Samples (a number alone will do) or tokens."""
        value = self.reader.static(node)
        unit = "samples"
        if isinstance(value, Quantity):
            if value.unit not in ("samples", "tokens"):
                units = ("samples", "tokens")
                text = describe(value.number)
                raise Failed(
                    errors.unit_wrong(node.span, text, value.unit, f"`{key}`", units, nearest(value.unit, units))
                )
            value, unit = value.number, value.unit
        if wanted is not None and unit != wanted:
            raise Failed(errors.unit_wrong(node.span, describe(value), unit, f"`{key}`", (wanted,), None))
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise Failed(errors.wrong_value(node.span, key, "a whole number of at least 1", describe(value)))
        return value, unit

    def _validate(self, section: Section) -> Validate:
        node = section.value("validate")
        if node is None:
            return Validate(every=Duration(amount=1, unit="epochs"))
        _, entry = self.reader.entry(
            node, VALIDATIONS, "every(1 epochs)", {"Time": lambda node, what: self.reader.duration(node, what)}
        )
        return Validate(every=entry.args["n"], batches=entry.args["batches"])

    def _precision(self, section: Section) -> Any:
        node = section.value("precision")
        if node is None:
            return None
        value = self.reader.static(node)
        if value not in ("f32", "bf16", "f16"):
            words = '`"f32"`, `"bf16"` or `"f16"`'
            raise Failed(errors.wrong_value(node.span, "precision", words, describe(value)))
        return value

    def _clip(self, section: Section) -> Clip | None:
        node = section.value("clip")
        if node is None:
            return None
        entry = self.reader.attempt(lambda: self.reader.entry(node, CLIPS, "norm(1.0)"))
        return None if entry is None else Clip(kind=entry[1].name, limit=entry[1].args["limit"])

    def _log(self, section: Section) -> Log:
        sub = section.sub("log")
        if sub is None:
            return Log()
        inner = self.reader.section("log", sub.entries, sub.name.span, LOG)
        node = inner.value("every")
        every = self.reader.attempt(lambda: self.reader.duration(node, "`every`")) if node is not None else None
        return Log(every=every, images=self._logged(inner, "images"), values=self._logged(inner, "values"))

    def _logged(self, section: Section, key: str) -> tuple[str, ...]:
        node = section.value(key)
        items = node.items if isinstance(node, (syntax.List, syntax.Tuple)) else (node,) if node is not None else ()
        names: list[str] = []
        for item in items:
            if isinstance(item, syntax.Ref):
                names.append(item.name)
            else:
                self.report.add(errors.not_an_entry(item.span, "a list of names", f"{key} = [image]"))
        return tuple(names)

    def _runtime(self, section: Section, entries: list[tuple[str, ParameterEntry]]) -> Runtime:
        sub = section.sub("runtime")
        if sub is None:
            return Runtime()
        inner = self.reader.section("runtime", sub.entries, sub.name.span, RUNTIME)
        shard = self._plain(inner, "shard", "Text", None)
        if shard not in (None, "fsdp"):
            self.report.add(errors.wrong_value(inner.keys["shard"].span, "shard", '`"fsdp"`', describe(shard)))
            shard = None
        return Runtime(
            shard=shard,
            recompute=self._plain(inner, "recompute", "Names", ()),
            sync_batch_norm=self._plain(inner, "sync_batch_norm", "Bool", False),
            workers=self._plain(inner, "workers", "Natural", None),
        )

    def _updates(
        self, section: Section, binder: Binder, names: Names, entries: list[tuple[str, ParameterEntry]]
    ) -> tuple[list[Update], int | None]:
        """The updates of a round, and the body of the lets they share."""
        steps = section.many.get("step", [])
        if not steps:
            nets = [net.name for net in names.nets]
            update = self._update(section, "", section.span, binder, entries, nets, None)
            return ([update] if update is not None else []), None
        shared = binder.open("lets", "step", section.span)
        updates: list[Update] = []
        known = [net.name for net in names.nets if net.name]
        for item in steps:
            name, span = self._argument_name(item)
            if name not in known:
                self.report.add(errors.step_net(span, name, nearest(name, known), known))
                continue
            inner = self.reader.section(
                f"step {name}", item.entries or syntax.Entries(item.span, ()), span, STEP,
                elsewhere=dict.fromkeys((key for key in TRAIN if key not in STEP), "train"),
            )  # fmt: skip
            update = self._update(inner, name, span, binder, entries, [name], shared)
            if update is not None:
                updates.append(update)
        if not shared.given:
            return updates, None
        return updates, binder.close(shared, list(shared.given.items()))

    def _update(
        self, section: Section, name: str, span: Span, binder: Binder, entries: list[tuple[str, ParameterEntry]],
        nets: list[str], shared: Open | None,
    ) -> Update | None:  # fmt: skip
        before = len(self.report.errors)
        losses = self._named(section, "loss")
        if not losses:
            example = "loss = cross_entropy(logits, label)"
            self.reader.missing(section, "loss", errors.key_missing(span, "loss", section.name, example))
        terms: list[Term] = []
        lets: tuple[str, ...] = ()
        body = -1
        if losses:
            opened = binder.open(name or "loss", "step", span, shared)
            found = binder.terms(opened, losses)
            terms = [binder.term(opened, term, tensor) for term, tensor, _ in found]
            if len(self.report.errors) == before:
                self._penalties(opened, entries)
                body = binder.close(opened, [(term, tensor) for term, tensor, _ in found])
            lets = tuple(opened.taken)
        optimizer = self._optimizer(section, span)
        groups = self._groups(section, optimizer, entries)
        clip = self._clip(section)
        repeat = self._plain(section, "repeat", "Count", 1)
        if len(self.report.errors) > before or optimizer is None:
            return None
        return Update(
            name=name, body=body, terms=tuple(terms), nets=tuple(nets), optimizer=optimizer, groups=tuple(groups),
            clip=clip, repeat=repeat, lets=lets, span=span,
        )  # fmt: skip

    def _penalties(self, opened: Open, entries: list[tuple[str, ParameterEntry]]) -> None:
        """E0402 for an `l1` that chooses nothing."""
        for kind, fields, _ in opened.context.builder.nodes:
            if kind is OpNode and fields["op"] == "l1":
                selector = Selector(kind="path", text=fields["args"]["pattern"], span=fields["span"])
                bind_optimizer.check_selectors([selector], entries, self.reader)

    def _optimizer(self, section: Section, span: Span) -> OptimizerRecord | None:
        node = section.value("optimizer")
        if node is None:
            missing = errors.key_missing(span, "optimizer", section.name, "optimizer = AdamW(1e-3)")
            self.reader.missing(section, "optimizer", missing)
            return None
        return self.reader.attempt(lambda: bind_optimizer.bind_optimizer(self.reader, node))

    def _selectors(self, item: syntax.SubFor, entries: list[tuple[str, ParameterEntry]]) -> tuple[Selector, ...]:
        context = self.elaborator.file_context(self.definition.scope)
        found: list[Selector] = []
        for node in item.args:
            with self.elaborator.reporting():
                found.append(expressions.selector(context, node))
        bind_optimizer.check_selectors(found, entries, self.reader)
        return tuple(found)

    def _groups(
        self, section: Section, optimizer: OptimizerRecord | None, entries: list[tuple[str, ParameterEntry]]
    ) -> list[ParameterGroup]:
        groups: list[ParameterGroup] = []
        for item in section.many.get("group", []):
            selectors = self._selectors(item, entries)
            if optimizer is not None:
                groups.append(bind_optimizer.bind_group(self.reader, item, optimizer, selectors))
        return groups

    def _freeze(self, section: Section, entries: list[tuple[str, ParameterEntry]]) -> list[Freeze]:
        found: list[Freeze] = []
        for item in section.many.get("freeze", []):
            selectors = self._selectors(item, entries)
            made = self.reader.attempt(
                lambda item=item, selectors=selectors: bind_optimizer.bind_freeze(self.reader, item, selectors)
            )
            if made is not None:
                found.append(made)
        return found

    # ---- what the run follows ------------------------------------------------------------------------------------------

    def _watch(self, node: syntax.Pipe, dataset: DataSet, evaluation: Evaluation | None) -> Watched:
        """`val.acc`: a split and a figure, with its direction."""
        node = self.reader.plain(node)
        if not isinstance(node, syntax.Attr) or not isinstance(node.value, syntax.Ref):
            raise Failed(errors.not_a_figure(node.span))
        split, name = node.value.name, node.name.text
        if split not in ("train", "val", "test"):
            raise Failed(errors.not_a_figure(node.span))
        if evaluation is None:
            raise Abandoned
        if dataset.split.args.get(split) is None and dataset.split.args.get("split") != split:
            raise Failed(errors.no_split(node.value.span, split, dataset.name))
        if name == "loss" and evaluation.terms:
            return Watched(split=split, name=name, direction="min")
        terms, metrics = [term.name for term in evaluation.terms], [metric.name for metric in evaluation.metrics]
        known = list(dict.fromkeys(["loss", *terms, *metrics]))
        for metric in evaluation.metrics:
            if metric.name == name:
                if metric.direction is None:
                    raise Failed(errors.no_direction(node.span, name))
                return Watched(split=split, name=name, direction=metric.direction)
        if any(term.name == name for term in evaluation.terms):
            return Watched(split=split, name=name, direction="min")
        raise Failed(errors.unknown_figure(node.span, f"{split}.{name}", nearest(name, known), known))

    def _keep(self, section: Section, dataset: DataSet, evaluation: Evaluation | None) -> Keep | None:
        node = section.value("keep")
        if node is None:
            return Keep(kind="last")
        found = self.reader.attempt(
            lambda: self.reader.entry(
                node, KEEPS, "best(val.loss)", {"Watch": lambda node, _: self._watch(node, dataset, evaluation)}
            )
        )
        if found is None:
            return None
        entry: EntryRecord = found[1]
        return Keep(kind=cast(Any, entry.name), metric=entry.args.get("metric"), last=entry.args.get("last"))

    def _stop(self, section: Section, dataset: DataSet, evaluation: Evaluation | None) -> Stop | None:
        node = section.value("stop")
        if node is None:
            return None
        found = self.reader.attempt(
            lambda: self.reader.entry(
                node,
                STOPS,
                "plateau(val.loss, patience = 5 epochs)",
                {
                    "Watch": lambda node, _: self._watch(node, dataset, evaluation),
                    "Time": lambda node, what: self.reader.duration(node, what),
                },
            )
        )
        if found is None:
            return None
        return Stop(metric=found[1].args["metric"], patience=found[1].args["patience"])

    def _weights(self, section: Section, nets: list[NetUse]) -> dict[str, WeightSource]:
        found = section.keys.get("weights")
        items: list[tuple[str, syntax.Pipe]] = []
        if isinstance(found, syntax.Key):
            items.append((next((net.name for net in nets), ""), found.value))
        elif found is not None:
            known = [net.name for net in nets if net.name]
            for item in found.entries.items:
                if not isinstance(item, syntax.Key):
                    self.report.add(errors.entry_misplaced(item.span, "this", "weights"))
                elif item.name.text not in known:
                    near = nearest(item.name.text, known)
                    self.report.add(errors.step_net(item.name.span, item.name.text, near, known))
                else:
                    items.append((item.name.text, item.value))
        made: dict[str, WeightSource] = {}
        for name, node in items:
            source = self.reader.attempt(lambda node=node: self._weight_source(node))
            if source is not None:
                made[name] = source
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
                    raise Failed(errors.not_an_entry(node.args.span, "one source of weights", example))
                node = node.args.items[0]
        _, entry = self.reader.entry(node, WEIGHT_SOURCES, 'file("weights.safetensors")')
        args = dict(entry.args)
        skip = args.pop("skip")
        return WeightSource(entry=EntryRecord(name=entry.name, args=args, span=entry.span), map=map_name, skip=skip)
