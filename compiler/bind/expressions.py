"""Losses, metrics and `let`s of `train`: expressions over batch fields and nets, as bodies of the same IR as models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from ..catalogue import LOSSES, METRICS
from ..dataclass import dataclass, field
from ..elaborate.blocks import run_body
from ..elaborate.builder import Builder, Scope, json_arguments
from ..elaborate.environment import Environment
from ..elaborate.nodes import as_tensor
from ..elaborate.shapes import unify
from ..elaborate.signatures import Signature, signature_of
from ..elaborate.state import Context, State
from ..elaborate.values import POISON, CheckedBody, Outputs, SymbolicTensor, WeightOwner
from ..ir.data import DataSet
from ..ir.model import CallNode, OpNode, Result
from ..ir.train import Metric, Term
from ..messages import training as errors
from ..messages.diagnostics import Abandoned, Diagnostic, Failed, Label
from ..messages.shapes import Demand
from ..messages.source import Span
from ..sizes.dims import var
from ..sizes.facts import NO_FACTS, Facts
from ..sizes.types import TensorType, is_float
from ..text import syntax, top_level
from .expression_values import (
    direction,
    emitted,
    has_batch,
    joins_examples,
    plain_means_of,
    reaching,
    taps,
    with_emits,
)
from .names import Names, NetUse, RecipeEnvironment
from .net_emits import NetEmits, mentioned, mentions

MODEL = "model"


@dataclass
class Open:
    """A body under construction with what its nets gave."""

    context: Context
    environment: RecipeEnvironment
    #: Values of lets that another body reads, by name.
    given: dict[str, SymbolicTensor] = field(default_factory=dict[str, SymbolicTensor])
    #: Names of shared lets that this body reads.
    taken: dict[str, None] = field(default_factory=dict[str, None])
    emits: dict[str, NetEmits] = field(default_factory=dict[str, NetEmits])


class Expressions:
    """Makes the bodies of one `train` section."""

    def __init__(self, state: State, names: Names, wanted: Iterable[str]) -> None:
        self.state, self.names = state, names
        self.report = state.report
        self.wanted = frozenset(wanted)
        #: The body of `train.model` on the types of the batch fields, made once.
        self.bound: CheckedBody | None = None
        #: By net: its bodies with what they emit as further outputs.
        self.widened: dict[str, dict[int, CheckedBody]] = {}
        self.facts = _facts(names.dataset)

    # ---- bodies --------------------------------------------------------------------------------------------------------

    def open(self, name: str, role: Literal["step", "metrics"], span: Span, shared: Open | None = None) -> Open:
        """A body whose names are the batch fields, the nets and the lets. With `shared`, lets are computed there, once for
        all bodies that read them, and come in as inputs."""
        self.state.facts = self.facts
        builder = Builder(self.report, name, role, span)
        environment = RecipeEnvironment(self.names.scope, metrics=role == "metrics", known=self.names.known)
        context = Context(self.state, builder, environment, Scope())
        opened = Open(context, environment)
        fields: dict[str, SymbolicTensor] = {}
        for item in self.names.dataset.fields:
            fields[item.name] = builder.input(item.type, item.name)
            environment.bind(item.name, fields[item.name], item.span, is_input=True)
            environment.fields[item.name] = item.span
        for spoiled in self.names.data.spoiled or ():
            environment.bind(spoiled, POISON, span, is_input=True)
        for size in ("B", *self.names.dataset.lengths):
            environment.bind_size(size, var(size), span)
        mistaken = self.names.data.spoiled and not fields
        environment.bind("data", POISON if mistaken else Outputs(dict(fields), "data"), span)
        for net in self.names.nets:
            if net.definition is None or net.callable is None or net.model < 0:
                self._mistaken(opened, net)
                continue
            instance = WeightOwner(builder, net.name or MODEL, net.callable, net.span)
            instance.statics = net.statics
            builder.instances[instance.path] = instance
            if net.name:
                self._read_emits(opened, net, instance, shared)
                environment.bind(net.name, instance, net.span)
            else:
                self._call_single(opened, net, instance, fields)
        for let in self.names.lets:
            compute = self._let if shared is None else self._shared_let
            environment.deferred[let.name.text] = lambda let=let, compute=compute: compute(opened, let, shared)
        return opened

    def _read_emits(self, opened: Open, net: NetUse, instance: WeightOwner, shared: Open | None) -> None:
        """`gen.load`: what the applications of a net emit, where the section reads it."""
        body = self.state.bodies[self.state.models[net.model].body]
        known = tuple(emitted(self.state.bodies, body))
        net.extra = tuple(name for name in known if f"{net.name}.{name}" in self.wanted)
        if not known or not any(name.startswith(f"{net.name}.") for name in self.wanted):
            return

        def elsewhere(name: str, span: Span) -> SymbolicTensor | None:
            if shared is not None:
                given = shared.environment.lookup(net.name, span)
                assert isinstance(given, WeightOwner)
                assert given.emits is not None
                value = given.emits.read(name, span)
                return self._taken(opened, shared, f"{net.name}.{name}", value)
            for let in self.names.lets:  # computing one that applies the net makes the value
                if let.name.text in opened.environment.deferred and mentions(let.value, net.name):
                    opened.environment.lookup(let.name.text, span)
            return None

        widened = self.widened.setdefault(net.name, {})
        instance.emits = opened.emits[net.name] = NetEmits(
            opened.context, net.name, net.extra, known, widened, elsewhere
        )

    def _shared_let(self, opened: Open, let: top_level.Let, shared: Open | None) -> None:
        """A `let` of the shared body as an input of this one."""
        assert shared is not None
        name = let.name.text
        try:
            value = shared.environment.lookup(name, let.name.span)
        except (Failed, Abandoned):
            value = POISON
        if value is POISON:
            opened.environment.bind(name, POISON, let.name.span)
            raise Abandoned
        opened.environment.bind(name, self._taken(opened, shared, name, value), let.name.span)

    def _taken(self, opened: Open, shared: Open, name: str, value: Any) -> Any:
        if isinstance(value, SymbolicTensor):
            shared.given[name] = value
            opened.taken[name] = None
            return opened.context.builder.input(value.type, name)
        if isinstance(value, Outputs):
            tensors = {
                leaf: self._taken(opened, shared, f"{name}.{leaf}", item) for leaf, item in value.tensors.items()
            }
            return Outputs(tensors, value.of)
        if isinstance(value, tuple):
            items = cast("tuple[Any, ...]", value)
            return tuple(self._taken(opened, shared, f"{name}.{index}", item) for index, item in enumerate(items))
        return value

    def _let(self, opened: Open, let: top_level.Let, _shared: Open | None = None) -> None:
        self.names.let_read.add(let.name.text)
        name = let.name.text
        value: Any = POISON
        with opened.context.attempt(let.value, let.value.span):
            value = opened.context.evaluate(let.value)
        if value is POISON:
            opened.environment.bind(name, POISON, let.name.span)
            raise Abandoned
        if (
            isinstance(value, SymbolicTensor)
            and value.builder is opened.context.builder
            and not value.builder.names[value.id]
        ):
            value.builder.names[value.id] = name
        opened.environment.bind(name, value, let.name.span)

    # ---- the net of `train.model` --------------------------------------------------------------------------------------

    def _mistaken(self, opened: Open, net: NetUse) -> None:
        """The names of a net that has a mistake, or is fed by a field that has one."""
        environment = opened.environment
        if net.name:
            environment.bind(net.name, POISON, net.span)
            return
        names = {"model", *mentioned(net.definition)} if net.definition is not None else {"model"}
        for name in names - set(environment.bindings):
            environment.bind(name, POISON, net.span)

    def _call_single(
        self, opened: Open, net: NetUse, instance: WeightOwner, fields: Mapping[str, SymbolicTensor]
    ) -> None:
        """Applies `train.model` to its fields; its outputs and the taps that are read become names."""
        assert net.definition is not None
        signature = signature_of(net.definition.node)
        if any(self.names.inputs[decl.name.text] not in fields for decl in signature.inputs):
            self._mistaken(opened, net)
            return
        tensors = [fields[self.names.inputs[decl.name.text]] for decl in signature.inputs]
        checked = self._bound_body(net, signature, tensors)
        instance.body = checked.body
        instance.used = True
        builder = opened.context.builder
        outputs = builder.node(
            CallNode,
            [type for _, type in checked.outputs],
            inputs=tuple(builder.use(tensor) for tensor in tensors),
            instance=instance.path,
            body=checked.body,
            instances={},
            span=net.span,
        )
        environment = opened.environment
        model: dict[str, SymbolicTensor] = {}
        for (name, _), tensor in zip(checked.outputs, outputs, strict=True):
            builder.names[tensor.id] = name
            model[name] = tensor
            if name in fields:
                environment.ambiguous[name] = net.span
            else:
                environment.bind(name, tensor, net.span)
        for decl in signature.inputs:
            model.setdefault(decl.name.text, fields[self.names.inputs[decl.name.text]])
            if decl.name.text not in fields:
                environment.bind(decl.name.text, model[decl.name.text], net.span)
        environment.bind("model", Outputs(model, "model"), net.span)

    def _bound_body(self, net: NetUse, signature: Signature, tensors: list[SymbolicTensor]) -> CheckedBody:
        """The body of `train.model` on the types of its fields, made once."""
        if self.bound is None:
            self.bound = self._same_body(net, tensors) or self._new_body(net, signature, tensors)
        return self.bound

    def _same_body(self, net: NetUse, tensors: list[SymbolicTensor]) -> CheckedBody | None:
        """The body on the model's own signature, where the fields have exactly its types."""
        model = self.state.models[net.model]
        body = self.state.bodies[model.body]
        own = Facts(model.divisors, model.bounds)
        if own != self.facts or [value.type for value in body.inputs] != [tensor.type for tensor in tensors]:
            return None
        outputs = {result.name: result.value for result in body.outputs}
        extra = {name: id for name, id in body.taps.items() if name in self.wanted and name not in outputs}
        index = model.body
        results = tuple(Result(name=name, value=id) for name, id in (outputs | extra).items())
        wider = with_emits(self.state.bodies, body.model_copy(update={"outputs": results}), self.wanted)
        net.extra = tuple(result.name for result in wider.outputs[len(outputs) :])
        if net.extra:
            index = self.state.add_body(wider)
        types = tuple((result.name, wider.value(result.value).type) for result in wider.outputs)
        return CheckedBody(index, types, {})

    def _new_body(self, net: NetUse, signature: Signature, tensors: list[SymbolicTensor]) -> CheckedBody:
        assert net.definition is not None
        node = net.definition.node
        assert isinstance(node, top_level.Model)
        builder = Builder(self.report, net.definition.name, "model", node.span)
        environment = Environment(net.definition.scope, dict(net.statics))
        context = Context(self.state, builder, environment, Scope())
        for decl, tensor in zip(signature.inputs, tensors, strict=True):
            assert decl.type is not None
            place = self.names.dataset.field(self.names.inputs[decl.name.text])
            try:
                demand = Demand(f"input `{decl.name.text}`", tensor.type, required=place.span)
                unify(context, decl.type, demand, bind=True)
            except Failed as failure:
                raise Failed(_at_field(failure.diagnostic, place.span, place.type)) from None
            environment.bind(decl.name.text, builder.input(tensor.type, decl.name.text), decl.name.span, is_input=True)
        outputs = run_body(context, node.body, signature, is_model=True)
        if outputs is None:
            raise Abandoned
        declared = {name for name, _ in outputs}
        for name, tensor in taps(builder, environment).items():
            builder.taps[name] = tensor.id
            if name in self.wanted and name not in declared:
                outputs.append((name, tensor))
        body = builder.finish(outputs, statics=json_arguments(net.statics), dims=environment.dims())
        body = with_emits(self.state.bodies, body, self.wanted)
        net.extra = tuple(result.name for result in body.outputs[len(declared) :])
        self.facts = self.state.facts
        types = tuple((result.name, body.value(result.value).type) for result in body.outputs)
        return CheckedBody(self.state.add_body(body), types, {})

    # ---- losses and metrics --------------------------------------------------------------------------------------------

    def terms(
        self, opened: Open, items: Iterable[tuple[str, syntax.Pipe]]
    ) -> list[tuple[str, SymbolicTensor, syntax.Pipe]]:
        """Evaluated loss terms; each is one number."""
        found: list[tuple[str, SymbolicTensor, syntax.Pipe]] = []
        for name, node in items:
            with opened.context.attempt(node, node.span):
                found.append((name, self._number(opened, name, node), node))
        return found

    def _number(self, opened: Open, name: str, node: syntax.Pipe) -> SymbolicTensor:
        for emits in opened.emits.values():
            emits.began = len(opened.context.builder.types)
        value = opened.context.evaluate(node)
        if not isinstance(value, (SymbolicTensor, Outputs, tuple)):
            raise Failed(errors.not_a_loss(node.span, name, "a constant"))
        tensor = as_tensor(opened.context, value, node.span)
        if tensor.type.shape or not is_float(tensor.type.dtype):
            raise Failed(errors.loss_not_scalar(node.span, name, str(tensor.type)))
        return tensor

    def term(self, opened: Open, name: str, tensor: SymbolicTensor) -> Term:
        """What a term is made of: which built-in losses, and whether anything joins examples."""
        builder = opened.context.builder
        counts: list[int] = []
        across = False
        nodes = reaching(builder, tensor.id)
        plain_means = plain_means_of(builder, tensor.id)
        read = {operand for index in nodes for operand in builder.nodes[index][1]["inputs"]} | {tensor.id}
        for index in nodes:
            kind, fields, outputs = builder.nodes[index]
            if kind is not OpNode:
                if any(not has_batch(builder, id) for id in outputs if id in read):
                    across = True  # a net gives it for the micro-batch as a whole: an emit
                continue
            loss = LOSSES.get(fields["op"])
            if loss is not None:
                across = across or loss.across
                if loss.counted:
                    counts.append(index)
            elif joins_examples(builder, index) and index not in plain_means:
                across = True
        return Term(name=name, value=tensor.id, counts=tuple(counts), across=across)

    def metric(self, opened: Open, name: str, tensor: SymbolicTensor, node: syntax.Pipe) -> Metric:
        builder = opened.context.builder
        parts: list[int] = []
        for index in reaching(builder, tensor.id):
            kind, fields, _ = builder.nodes[index]
            if kind is OpNode and fields["op"] in METRICS:
                parts.append(index)
        if parts and self._mixed(builder, tensor.id, parts):
            raise Failed(errors.metric_mixes(node.span, name))
        return Metric(
            name=name, value=tensor.id, direction=direction(builder, tensor.id), parts=tuple(parts), span=node.span
        )

    def _mixed(self, builder: Builder, value: int, parts: list[int]) -> bool:
        """Whether a value is computed from figures of the whole split and from a batch."""
        producers = {id: index for index, (_, _, ids) in enumerate(builder.nodes) for id in ids}
        stack, seen = [value], set[int]()
        while stack:
            id = stack.pop()
            if id in seen:
                continue
            seen.add(id)
            index = producers.get(id)
            if index is None:
                return True  # a batch field, not by way of a metric
            if index not in parts:
                inputs = [operand for operand in builder.nodes[index][1]["inputs"] if isinstance(operand, int)]
                stack.extend(inputs)
        return False

    def close(self, opened: Open, outputs: list[tuple[str, SymbolicTensor]]) -> int:
        """The finished body's index."""
        body = opened.context.builder.finish(outputs, statics={}, dims={})
        used = {operand for node in body.nodes for operand in node.inputs if isinstance(operand, int)}
        used |= {result.value for result in body.outputs}
        inputs = tuple(value for value in body.inputs if value.id in used)
        if not inputs:  # something has to give the batch size
            inputs = body.inputs[:1]
        references: list[str | None] = [getattr(node, "instance", None) for node in body.nodes]
        named = {reference.partition(".")[0] for reference in references if reference}
        instances = tuple(instance for instance in body.instances if instance.path in named)
        return self.state.add_body(body.model_copy(update={"inputs": inputs, "instances": instances}))


def _facts(dataset: DataSet) -> Facts:
    facts = NO_FACTS
    for name, longest in dataset.lengths.items():
        if longest is not None:
            facts = facts.bound(var(name), low=1, high=longest)
    return facts


def _at_field(diagnostic: Diagnostic, place: Span, type: TensorType) -> Diagnostic:
    labels = tuple(
        Label(label.span, f"the data field is `{type}`") if label.span == place else label
        for label in diagnostic.labels
    )
    if not any(label.span == place for label in labels):
        labels = (*labels, Label(place, f"the data field is `{type}`"))
    return Diagnostic(
        diagnostic.code,
        diagnostic.message,
        diagnostic.span,
        diagnostic.label,
        labels,
        diagnostic.notes,
        diagnostic.helps,
    )
