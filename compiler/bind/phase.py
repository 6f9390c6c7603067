"""Phases of a `train` section: updates with their losses, optimizers and groups, freezing, batch, rhythm."""

from __future__ import annotations

import math
import sys

from ..catalogue.ops import find
from ..catalogue.penalties import selected
from ..catalogue.train_sections import LOG, NOT_IN_PHASE, PHASE, RUNTIME, STEP, TRAIN
from ..elaborate.instances import reachable
from ..elaborate.nodes import as_tensor
from ..elaborate.state import State
from ..elaborate.statements import selector as selector_of
from ..elaborate.values import SymbolicTensor
from ..ir.arguments import Selector
from ..ir.expand import ParameterEntry, enclosing
from ..ir.globs import glob
from ..ir.model import OpNode
from ..ir.train import (
    Duration,
    Freeze,
    Log,
    ParameterGroup,
    Phase,
    Runtime,
    Term,
    Update,
)
from ..ir.train import Optimizer as OptimizerRecord
from ..messages import batches as batch_errors
from ..messages import sections as sections_errors
from ..messages import training as training_errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import FileScope
from ..sizes.statics import describe
from ..sizes.types import TensorType
from ..text import syntax, top_level
from . import optimizer as bind_optimizer
from . import phase_values
from .expressions import Expressions, Open
from .mixup import unmixable
from .names import Names
from .reader import Section, SectionReader

MOST_WORKERS = 1024


class PhaseBinder:
    """The phases of one section, over the parameters of its nets (`entries`, with full paths)."""

    def __init__(
        self,
        state: State,
        reader: SectionReader,
        scope: FileScope,
        expressions: Expressions,
        names: Names,
        entries: list[tuple[str, ParameterEntry]],
    ) -> None:
        self.state, self.reader, self.scope = state, reader, scope
        self.expressions, self.names, self.entries = expressions, names, entries
        self.report = state.report
        self.idle: set[Span] = set()  # keys that were found to have no effect

    @property
    def _parameters_known(self) -> bool:
        return all(net.model >= 0 for net in self.names.nets) and bool(self.names.nets)

    def run(self, section: Section, span: Span) -> list[Phase] | None:
        """All phases, complete; None when there were mistakes. A section without `phase` is one."""
        written = section.many.get("phase", [])
        before = len(self.report.errors)
        phases: list[Phase] = []
        if not written:
            phase = self._phase(section, None, "", span)
            if phase is not None:
                phases.append(phase)
        else:
            if "duration" in section.keys:
                first = written[0].span
                self.report.add(sections_errors.duration_in_both(section.keys["duration"].name.span, first))
            seen: dict[str, Span] = {}
            for item in written:
                name, place = self._argument_name(item)
                if name in seen:
                    self.report.add(sections_errors.key_twice(place, name, seen[name]))
                seen.setdefault(name, place)
                inner = self._phase_section(item, name, place)
                phase = self._phase(section, inner, name, place)
                if phase is not None:
                    phases.append(phase if phases else phase.model_copy(update={"fresh": True}))
        return phases if len(self.report.errors) == before else None

    def _argument_name(self, item: top_level.SubFor) -> tuple[str, Span]:
        if len(item.args) == 1 and isinstance(item.args[0], syntax.Ref):
            return item.args[0].name, item.args[0].span
        self.report.add(
            sections_errors.key_form(item.name.span, item.name.text, "train", f"`{item.name.text} name {{ .. }}`", "")
        )
        return "", item.span

    def _phase_section(self, item: top_level.SubFor, name: str, span: Span) -> Section:
        entries = item.entries or top_level.Entries(item.span, ())
        for entry in entries.items:
            if not isinstance(entry, (top_level.Draw, top_level.Rule)) and entry.name.text in NOT_IN_PHASE:
                self.report.add(sections_errors.phase_key(entry.name.span, entry.name.text))
        kept = tuple(
            entry
            for entry in entries.items
            if isinstance(entry, (top_level.Draw, top_level.Rule)) or entry.name.text not in NOT_IN_PHASE
        )
        return self.reader.section(f"phase {name}", top_level.Entries(entries.span, kept), span, PHASE.forms)

    def _phase(self, outer: Section, inner: Section | None, name: str, span: Span) -> Phase | None:
        """A phase complete with what it takes over from the section."""
        both = Section(f"phase {name}" if inner else "train", span, dict(outer.keys), dict(outer.many), outer.meant)
        if inner is not None:
            both.keys.pop("duration", None)
            both.keys.update(inner.keys)
            both.many.update(inner.many)
            both.meant = outer.meant | inner.meant
        before = len(self.report.errors)
        duration = phase_values.duration(self.reader, both, name if inner else None)
        batch = self.reader.attempt(lambda: phase_values.batch(self.reader, both, self.names.data))
        updates, shared = self._updates(both)
        freeze = self._freeze(both)
        updated = [net for update in updates for net in update.nets]
        fixed = [item for item in freeze if item.until is None]
        free = [
            path
            for path, entry in self.entries
            if not entry.buffer
            and not any(bind_optimizer.chosen(item.selectors, entry, path) for item in fixed)
            and any(path.startswith(f"{net}.") if net else True for net in updated)
        ]
        if self._parameters_known and self.entries and updates and not free:
            self.report.add(training_errors.everything_frozen(span))
        sampling = self.reader.attempt(lambda: phase_values.sampling(self.reader, both, self.names.data, batch))
        phase_validate = self.reader.attempt(lambda: phase_values.validate(self.reader, both))
        precision = self.reader.attempt(lambda: phase_values.precision(self.reader, both))
        log = self._log(both)
        runtime = self._runtime(both)
        mixup = self.reader.setting(both, "mixup", "Positive", None)
        if duration is not None:
            self._growth(updates, duration)
        if batch is not None and batch.micro is not None and batch.micro < batch.amount:
            unit = " tokens" if batch.unit == "tokens" else ""
            self._across(both, updates, f"{batch.micro}{unit}", f"{batch.amount}{unit}")
        if mixup is not None and len(self.report.errors) == before and updates:
            place = both.keys["mixup"].span
            for diagnostic in unmixable(self.state.bodies, updates, place):
                self.report.add(diagnostic)
        if len(self.report.errors) > before or duration is None or batch is None or phase_validate is None:
            return None
        return Phase(
            name=name,
            duration=duration,
            shared=shared,
            updates=tuple(updates),
            freeze=tuple(freeze),
            batch=batch,
            sampling=sampling,
            validate_every=phase_validate,
            precision=precision,
            mixup=mixup,
            log=log,
            runtime=runtime,
            fresh=inner is None or "optimizer" in inner.keys,
            span=span,
        )

    def _across(self, section: Section, updates: list[Update], micro: str, batch: str) -> None:
        """W0405 for what sees one micro-batch: batch statistics, and losses that join examples."""
        place = section.keys["micro_batch"].span
        for update in updates:
            bodies = self.state.bodies
            nodes = bodies[update.body].nodes if update.terms else ()
            for term in update.terms:
                if term.across:
                    made = next(node for node in nodes if any(value.id == term.value for value in node.outputs))
                    self.report.add(
                        batch_errors.across_examples(place, f"the loss `{term.name}`", made.span, micro, batch)
                    )
                    return
            for index in reachable(bodies, update.body):
                for node in bodies[index].nodes:
                    operator = find(node.op) if isinstance(node, OpNode) else None
                    if operator is not None and operator.mixes_batch:
                        what = f"`{operator.name}`"
                        self.report.add(batch_errors.across_examples(place, what, node.span, micro, batch))
                        return

    def _growth(self, updates: list[Update], duration: Duration) -> None:
        """E0304 for a factor that multiplies beyond any number within the duration."""
        for name, schedule in (found for update in updates for found in update.schedules()):
            last = schedule.segments[-1]
            if last.factor is None or last.length is None or last.length.unit != duration.unit or not schedule.start:
                continue
            times = duration.amount // last.length.amount
            if math.log10(schedule.start) + times * math.log10(last.factor) > math.log10(sys.float_info.max):
                self.report.add(sections_errors.grows_endlessly(last.span, name, last.factor, int(times)))

    def _log(self, section: Section) -> Log:
        sub = section.sub("log")
        if sub is None:
            return Log()
        inner = self.reader.section("log", sub.entries, sub.name.span, LOG.forms)
        node = inner.value("every")
        every = self.reader.attempt(lambda: self.reader.duration(node, "`every`")) if node is not None else None
        place = node.span if node is not None else None
        images, values = self._logged(inner, "images"), self._logged(inner, "values")
        if not images and not values:
            return Log(every=every, span=place)
        opened = self.expressions.open("log", "step", sub.name.span)
        shown: dict[str, SymbolicTensor] = {}
        with self.state.reporting():
            for ref in (*images, *values):
                tensor = as_tensor(opened.context, opened.environment.lookup(ref.name, ref.span), ref.span)
                if ref in images and not is_image(tensor.type):
                    raise Failed(training_errors.logged_no_image(ref.span, ref.name, str(tensor.type)))
                shown[ref.name] = tensor
            body = self.expressions.close(opened, list(shown.items()))
            names = [tuple(node.name for node in nodes) for nodes in (images, values)]
            return Log(every=every, images=names[0], values=names[1], body=body, span=place)
        return Log(every=every, span=place)

    def _logged(self, section: Section, key: str) -> list[syntax.Ref]:
        node = section.value(key)
        items = node.items if isinstance(node, (syntax.List, syntax.Tuple)) else (node,) if node is not None else ()
        found: list[syntax.Ref] = []
        known = self._known() if items else []
        for item in items:
            if not isinstance(item, syntax.Ref):
                self.report.add(sections_errors.not_an_entry(item.span, "a list of names", f"{key} = [image]"))
            elif item.name not in known and not self.names.whole:
                continue
            elif item.name not in known:
                self.report.add(training_errors.unknown_logged(item.span, item.name, nearest(item.name, known), known))
            else:
                self.names.let_read.add(item.name)
                found.append(item)
        return found

    def _known(self) -> list[str]:
        """Batch fields, lets, and values of the model."""
        known = [field.name for field in self.names.dataset.fields]
        known += [let.name.text for let in self.names.lets]
        single = self.names.single
        if single is not None and single.model >= 0:
            body = self.state.bodies[self.state.models[single.model].body]
            known += [*(result.name for result in body.outputs), *body.taps]
        return list(dict.fromkeys(known))

    def _runtime(self, section: Section) -> Runtime:
        sub = section.sub("runtime")
        if sub is None:
            return Runtime()
        inner = self.reader.section("runtime", sub.entries, sub.name.span, RUNTIME.forms)
        shard = self.reader.setting(inner, "shard", "str", None)
        if shard not in (None, "fsdp"):
            self.report.add(sections_errors.wrong_value(inner.keys["shard"].span, "shard", '`"fsdp"`', describe(shard)))
            shard = None
        workers = self.reader.setting(inner, "workers", "Natural", None)
        if workers is not None and workers > MOST_WORKERS:
            expected = f"at most {MOST_WORKERS} threads"
            self.report.add(
                sections_errors.wrong_value(inner.keys["workers"].span, "workers", expected, describe(workers))
            )
        synced = self.reader.setting(inner, "sync_batch_norm", "bool", False)
        for key, asked in (("shard", shard), ("sync_batch_norm", synced)):
            if asked and inner.keys[key].span not in self.idle:
                self.idle.add(inner.keys[key].span)
                self.report.add(sections_errors.one_device(inner.keys[key].span, key))
        return Runtime(
            shard=shard,
            recompute=self._layers(inner, "recompute"),
            sync_batch_norm=synced,
            workers=workers,
        )

    def _layers(self, section: Section, key: str) -> tuple[str, ...]:
        """Globs over paths of layers; E0402 for one that chooses none."""
        patterns: tuple[str, ...] = self.reader.setting(section, key, "Names", ())
        layers = list(dict.fromkeys(layer for path, _ in self.entries for layer in enclosing(path))) if patterns else []
        for pattern in patterns if layers and self._parameters_known else ():
            if not any(glob(pattern).matches(layer) for layer in layers):
                near = nearest(pattern, layers)
                self.report.add(training_errors.no_such_layer(section.keys[key].span, pattern, near, layers))
        return patterns

    def _updates(self, section: Section) -> tuple[list[Update], int | None]:
        """The updates of a round, and the body of the lets they share."""
        steps = section.many.get("step", [])
        if not steps:
            nets = [net.name for net in self.names.nets]
            update = self._update(section, "", section.span, nets, None)
            return ([update] if update is not None else []), None
        shared = self.expressions.open("lets", "step", section.span)
        updates: list[Update] = []
        known = [net.name for net in self.names.nets if net.name]
        seen: dict[str, Span] = {}
        for item in steps:
            name, span = self._argument_name(item)
            if name not in known:
                self.report.add(training_errors.step_net(span, name, nearest(name, known), known))
                continue
            if name in seen:
                self.report.add(training_errors.step_twice(span, name, seen[name]))
                continue
            seen[name] = span
            inner = self.reader.section(
                f"step {name}",
                item.entries or top_level.Entries(item.span, ()),
                span,
                STEP.forms,
                elsewhere={key: "train" for key in TRAIN.forms if key not in STEP.forms},
            )
            update = self._update(inner, name, span, [name], shared)
            if update is not None:
                updates.append(update)
        if not shared.given:
            return updates, None
        return updates, self.expressions.close(shared, list(shared.given.items()))

    def _update(self, section: Section, name: str, span: Span, nets: list[str], shared: Open | None) -> Update | None:
        before = len(self.report.errors)
        losses = self.reader.named(section, "loss")
        if not losses:
            example = "loss = cross_entropy(logits, label)"
            self.reader.missing(section, "loss", example, at=span)
        terms: list[Term] = []
        lets: tuple[str, ...] = ()
        body = -1
        if losses:
            opened = self.expressions.open(name or "loss", "step", span, shared)
            left = self.state.failures
            found = self.expressions.terms(opened, losses)
            terms = [self.expressions.term(opened, term, tensor) for term, tensor, _ in found]
            if len(self.report.errors) == before and self.state.failures == left:
                self._penalties(opened)
                body = self.expressions.close(opened, [(term, tensor) for term, tensor, _ in found])
            lets = tuple(opened.taken)
        written = section.value("optimizer")
        named = self.reader.attempt(lambda: bind_optimizer.optimizer_named(self.reader, written)) if written else None
        optimizer = self._optimizer(section, span)
        groups = self._groups(section, named, optimizer)
        clip = phase_values.clip(self.reader, section)
        repeat = self.reader.setting(section, "repeat", "Count", 1)
        if len(self.report.errors) > before or optimizer is None or body < 0:
            return None
        return Update(
            name=name,
            body=body,
            terms=tuple(terms),
            nets=tuple(nets),
            optimizer=optimizer,
            groups=tuple(groups),
            clip=clip,
            repeat=repeat,
            lets=lets,
            span=span,
        )

    def _penalties(self, opened: Open) -> None:
        """E0402 for a loss of parameters, such as `l1`, that selects none."""
        for kind, fields, _ in opened.context.builder.nodes:
            pattern = selected(fields["op"], fields["args"]) if kind is OpNode else None
            if pattern is not None:
                selector = Selector(kind="path", text=pattern, span=fields["span"])
                if self._parameters_known:
                    bind_optimizer.check_selectors([selector], self.entries, self.reader)

    def _optimizer(self, section: Section, span: Span) -> OptimizerRecord | None:
        node = section.value("optimizer")
        if node is None:
            self.reader.missing(section, "optimizer", "optimizer = AdamW(1e-3)", at=span)
            return None
        return self.reader.attempt(lambda: bind_optimizer.bind_optimizer(self.reader, node))

    def _selectors(self, item: top_level.SubFor) -> tuple[Selector, ...]:
        context = self.state.file_context(self.scope)
        found: list[Selector] = []
        for node in item.args:
            with self.state.reporting():
                found.append(selector_of(context, node))
        if self._parameters_known:
            bind_optimizer.check_selectors(found, self.entries, self.reader)
        return tuple(found)

    def _groups(self, section: Section, name: str | None, optimizer: OptimizerRecord | None) -> list[ParameterGroup]:
        groups: list[ParameterGroup] = []
        for item in section.many.get("group", []):
            selectors = self._selectors(item)
            if name is not None:
                groups.append(bind_optimizer.bind_group(self.reader, item, name, optimizer, selectors))
        return groups

    def _freeze(self, section: Section) -> list[Freeze]:
        found: list[Freeze] = []
        for item in section.many.get("freeze", []):
            selectors = self._selectors(item)
            made = self.reader.attempt(
                lambda item=item, selectors=selectors: bind_optimizer.bind_freeze(self.reader, item, selectors)
            )
            if made is not None:
                found.append(made)
        return found


def is_image(type: TensorType) -> bool:
    """`[B, H, W]`, or `[B, channels, H, W]` of one channel or three."""
    return len(type.shape) == 3 or (len(type.shape) == 4 and type.shape[1] in (1, 3))
