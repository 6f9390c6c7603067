"""Losses, metrics and `let`s of `train`: expressions over batch fields and nets, as bodies of the same IR as models."""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .. import syntax
from ..diagnostics import Abandoned, Diagnostic, Failed, Label
from ..dims import NO_FACTS, Facts, var
from ..elaborate import expressions, signatures
from ..elaborate.builder import Builder, Scope
from ..elaborate.elaborator import Checked, Context, Elaborator, sizes
from ..elaborate.environment import Environment
from ..elaborate.values import POISON, Callable, Instance, Outputs, Tensor
from ..errors import recipe as errors
from ..ir import CallNode, OpNode, Result
from ..names import nearest
from ..ops.base import Op
from ..recipe.ir import DataSet, Metric, Term
from ..recipe.losses import LOSSES
from ..recipe.metrics import METRICS
from ..source import Span
from ..types import TensorType, is_float
from .scopes import Definition, FileScope

MODEL = "model"


@dataclass
class NetUse:
    """A root use of a model in `train`: `name` is its `let`, or "" for `train.model`."""

    name: str
    definition: Definition
    callable: Callable
    statics: dict[str, Any]
    span: Span
    model: int = -1
    extra: tuple[str, ...] = ()


@dataclass
class Names:
    """What expressions of one `train` section may read."""

    dataset: DataSet
    scope: FileScope
    nets: list[NetUse]
    inputs: dict[str, str] = field(default_factory=dict[str, str])
    lets: list[syntax.Let] = field(default_factory=list["syntax.Let"])
    let_read: set[str] = field(default_factory=set[str])

    @property
    def single(self) -> NetUse | None:
        """The net of `train.model`."""
        return next((net for net in self.nets if not net.name), None)


class RecipeEnvironment(Environment):
    """Also knows losses and metrics, and computes a `let` when it is first read."""

    __slots__ = ("ambiguous", "deferred", "fields", "metrics")

    def __init__(self, file: FileScope, metrics: bool) -> None:
        super().__init__(file)
        self.metrics = metrics
        self.deferred: dict[str, Function[[], Any]] = {}
        self.ambiguous: dict[str, Span] = {}
        self.fields: dict[str, Span] = {}

    def lookup(self, name: str, span: Span) -> Any:
        self._compute(name)
        if name in self.ambiguous:
            helps = (f"write `data.{name}` or `model.{name}`",)
            raise Failed(
                errors.namespace_clash(span, name, "a data field", "a value of the model", self.ambiguous[name], helps)
            )
        return super().lookup(name, span)

    def callable(self, name: str, span: Span) -> Callable | Instance:
        self._compute(name)
        bound = self.binding(name)
        if bound is None or not isinstance(bound.value, (Instance, Callable)):
            target: type[Op] | None = LOSSES.get(name)
            if target is None and name in METRICS:
                if not self.metrics:
                    near = nearest(name, LOSSES)
                    raise Failed(errors.metric_in_loss(span, name, near))
                target = METRICS[name]
            if target is not None:
                return Callable(target, name)
        try:
            return super().callable(name, span)
        except Failed as failure:
            near = nearest(name, [*LOSSES, *(METRICS if self.metrics else ())])
            if failure.diagnostic.code != "E0301" or near is None:
                raise
            what = "a loss, metric or function" if self.metrics else "a loss or function"
            raise Failed(errors.unknown_entry(span, name, what, near, ())) from None

    def _compute(self, name: str) -> None:
        compute = self.deferred.pop(name, None)
        if compute is not None:
            compute()

    def candidates(self) -> list[str]:
        return [*super().candidates(), *self.deferred, *LOSSES, *(METRICS if self.metrics else ())]


@dataclass
class Open:
    """A body under construction with what its nets gave."""

    context: Context
    environment: RecipeEnvironment
    calls: list[tuple[NetUse, int]] = field(default_factory=list[tuple[NetUse, int]])


class Binder:
    """Makes the bodies of one `train` section."""

    def __init__(self, elaborator: Elaborator, names: Names, wanted: Iterable[str]) -> None:
        self.elaborator, self.names = elaborator, names
        self.report = elaborator.report
        self.wanted = frozenset(wanted)
        #: The body of `train.model` on the types of the batch fields, made once.
        self.bound: Checked | None = None
        self.facts = _facts(names.dataset)

    # ---- bodies --------------------------------------------------------------------------------------------------------

    def open(self, name: str, role: Literal["step", "metrics"], span: Span) -> Open:
        """A body whose names are the batch fields, the nets and the lets."""
        self.elaborator.facts = self.facts
        builder = Builder(self.report, name, role, span)
        environment = RecipeEnvironment(self.names.scope, metrics=role == "metrics")
        context = Context(self.elaborator, builder, environment, Scope())
        opened = Open(context, environment)
        fields: dict[str, Tensor] = {}
        for item in self.names.dataset.fields:
            fields[item.name] = builder.input(item.type, item.name)
            environment.bind(item.name, fields[item.name], item.span, is_input=True)
            environment.fields[item.name] = item.span
        for size in ("B", *self.names.dataset.lengths):
            environment.bind_size(size, var(size), span)
        environment.bind("data", Outputs(dict(fields), "data"), span)
        for net in self.names.nets:
            instance = Instance(builder, net.name or MODEL, net.callable, net.span)
            instance.statics = net.statics
            builder.instances[instance.path] = instance
            if net.name:
                environment.bind(net.name, instance, net.span)
            else:
                self._call_single(opened, net, instance, fields)
        for let in self.names.lets:
            environment.deferred[let.name.text] = lambda let=let: self._let(opened, let)
        return opened

    def _let(self, opened: Open, let: syntax.Let) -> None:
        self.names.let_read.add(let.name.text)
        name = let.name.text
        try:
            value = expressions.evaluate(opened.context, let.value)
        except (Failed, Abandoned) as failure:
            opened.environment.bind(name, POISON, let.name.span)
            if isinstance(failure, Failed):
                self.report.add(failure.diagnostic)
            raise Abandoned from None
        if isinstance(value, Tensor) and value.builder is opened.context.builder and not value.builder.names[value.id]:
            value.builder.names[value.id] = name
        opened.environment.bind(name, value, let.name.span)

    # ---- the net of `train.model` --------------------------------------------------------------------------------------

    def _call_single(self, opened: Open, net: NetUse, instance: Instance, fields: Mapping[str, Tensor]) -> None:
        """Applies `train.model` to its fields; its outputs and the taps that are read become names."""
        signature = signatures.signature_of(net.definition.node)
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
        model: dict[str, Tensor] = {}
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

    def _bound_body(self, net: NetUse, signature: signatures.Signature, tensors: list[Tensor]) -> Checked:
        """The body of `train.model` on the types of its fields, made once."""
        if self.bound is None:
            self.bound = self._same_body(net, tensors) or self._new_body(net, signature, tensors)
        return self.bound

    def _same_body(self, net: NetUse, tensors: list[Tensor]) -> Checked | None:
        """The body on the model's own signature, where the fields have exactly its types."""
        model = self.elaborator.models[net.model]
        body = self.elaborator.bodies[model.body]
        own = Facts(model.divisors, model.bounds)
        if own != self.facts or [value.type for value in body.inputs] != [tensor.type for tensor in tensors]:
            return None
        outputs = {result.name: result.value for result in body.outputs}
        extra = {name: id for name, id in body.taps.items() if name in self.wanted and name not in outputs}
        net.extra = tuple(extra)
        index = model.body
        if extra:
            results = tuple(Result(name=name, value=id) for name, id in (outputs | extra).items())
            index = self.elaborator.add_body(body.model_copy(update={"outputs": results}))
        types = tuple((name, body.value(id).type) for name, id in (outputs | extra).items())
        return Checked(index, types, {})

    def _new_body(self, net: NetUse, signature: signatures.Signature, tensors: list[Tensor]) -> Checked:
        node = net.definition.node
        assert isinstance(node, syntax.Model)
        builder = Builder(self.report, net.definition.name, "model", node.span)
        environment = Environment(net.definition.scope, dict(net.statics))
        context = Context(self.elaborator, builder, environment, Scope())
        for decl, tensor in zip(signature.inputs, tensors, strict=True):
            assert decl.type is not None
            place = self.names.dataset.field(self.names.inputs[decl.name.text])
            try:
                signatures.unify(
                    context, decl.type, tensor.type, f"input `{decl.name.text}`", bind=True, required=place.span
                )
            except Failed as failure:
                raise Failed(_at_field(failure.diagnostic, place.span, place.type)) from None
            environment.bind(decl.name.text, builder.input(tensor.type, decl.name.text), decl.name.span, is_input=True)
        outputs = self.elaborator.run_body(context, node.body, signature, is_model=True)
        if outputs is None:
            raise Abandoned
        declared = {name for name, _ in outputs}
        for name, tensor in taps(builder, environment).items():
            builder.taps[name] = tensor.id
            if name in self.wanted and name not in declared:
                outputs.append((name, tensor))
        net.extra = tuple(name for name, _ in outputs[len(declared) :])
        body = builder.finish(outputs, statics=expressions.plain_statics(net.statics), dims=sizes(environment))
        self.facts = self.elaborator.facts
        types = tuple((name, tensor.type) for name, tensor in outputs)
        return Checked(self.elaborator.add_body(body), types, {})

    # ---- losses and metrics --------------------------------------------------------------------------------------------

    def terms(self, opened: Open, items: Iterable[tuple[str, syntax.Pipe]]) -> list[tuple[str, Tensor, syntax.Pipe]]:
        """Evaluated loss terms; each is one number."""
        found: list[tuple[str, Tensor, syntax.Pipe]] = []
        for name, node in items:
            with self.elaborator.reporting():
                found.append((name, self._number(opened, name, node), node))
        return found

    def _number(self, opened: Open, name: str, node: syntax.Pipe) -> Tensor:
        value = expressions.evaluate(opened.context, node)
        if not isinstance(value, (Tensor, Outputs, tuple)):
            raise Failed(errors.not_a_loss(node.span, name, "a constant"))
        tensor = expressions.as_tensor(opened.context, value, node.span)
        if tensor.type.shape or not is_float(tensor.type.dtype):
            raise Failed(errors.loss_not_scalar(node.span, name, str(tensor.type)))
        return tensor

    def term(self, opened: Open, name: str, tensor: Tensor) -> Term:
        """What a term is made of: which built-in losses, and whether anything joins examples."""
        builder = opened.context.builder
        counts: list[int] = []
        across = False
        for index in reaching(builder, tensor.id):
            kind, fields, _ = builder.nodes[index]
            if kind is not OpNode:
                continue
            loss = LOSSES.get(fields["op"])
            if loss is not None:
                across = across or loss.across
                if loss.counted:
                    counts.append(index)
            elif _joins_examples(builder, index):
                across = True
        return Term(name=name, value=tensor.id, counts=tuple(counts), across=across)

    def metric(self, opened: Open, name: str, tensor: Tensor, node: syntax.Pipe) -> Metric:
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

    def close(self, opened: Open, outputs: list[tuple[str, Tensor]]) -> int:
        """The finished body's index."""
        body = opened.context.builder.finish(outputs, statics={}, dims={})
        used = {operand for node in body.nodes for operand in node.inputs if isinstance(operand, int)}
        used |= {result.value for result in body.outputs}
        inputs = tuple(value for value in body.inputs if value.id in used)
        return self.elaborator.add_body(body.model_copy(update={"inputs": inputs}))


# ---- what a value is made of -------------------------------------------------------------------------------------------


def taps(builder: Builder, environment: Environment) -> dict[str, Tensor]:
    """The last binding of each tensor name of a model."""
    found: dict[str, Tensor] = {}
    for name, binding in environment.bindings.items():
        if isinstance(binding.value, Tensor) and not binding.is_input and binding.value.builder is builder:
            found[name] = binding.value
        elif isinstance(binding.value, Outputs):
            for leaf, tensor in binding.value.tensors.items():
                if tensor.builder is builder:
                    found[f"{name}.{leaf}"] = tensor
    return found


def reaching(builder: Builder, value: int) -> list[int]:
    """Indices of the nodes that a value is computed from, in order; nets are not entered."""
    producers = {id: index for index, (_, _, ids) in enumerate(builder.nodes) for id in ids}
    found: set[int] = set()
    stack = [value]
    while stack:
        index = producers.get(stack.pop())
        if index is None or index in found:
            continue
        found.add(index)
        stack.extend(operand for operand in builder.nodes[index][1].get("inputs", ()) if isinstance(operand, int))
    return sorted(found)


def _joins_examples(builder: Builder, index: int) -> bool:
    """Whether a node of a recipe reduces the batch axis away: its input has `B`, its output has not."""
    _, fields, ids = builder.nodes[index]
    batch = var("B")

    def has(id: int) -> bool:
        return any(size == batch for size in builder.types[id].shape)

    inputs = [operand for operand in fields["inputs"] if isinstance(operand, int)]
    return any(map(has, inputs)) and not any(map(has, ids))


def direction(builder: Builder, value: int) -> Literal["max", "min"] | None:
    """Which way is better follows from the one metric or loss inside, through signs and positive factors."""
    producers = {id: index for index, (_, _, ids) in enumerate(builder.nodes) for id in ids}
    sign = 1
    while True:
        index = producers.get(value)
        if index is None:
            return None
        kind, fields, _ = builder.nodes[index]
        if kind is not OpNode:
            return None
        operator, inputs = fields["op"], fields["inputs"]
        found: Literal["max", "min"] | None = None
        if operator in METRICS:
            found = METRICS[operator].direction
        elif operator in LOSSES:
            found = "min"
        if found is not None:
            return found if sign > 0 else ("min" if found == "max" else "max")
        tensors = [operand for operand in inputs if isinstance(operand, int)]
        numbers = [operand.value for operand in inputs if operand is not None and not isinstance(operand, int)]
        if len(tensors) != 1:
            return None
        if operator == "negative" or (operator == "minus" and not isinstance(inputs[0], int)):
            sign = -sign
        elif operator in ("times", "divide"):
            if isinstance(numbers[0], bool) or not isinstance(numbers[0], (int, float)) or numbers[0] == 0:
                return None
            if operator == "divide" and not isinstance(inputs[0], int):
                return None
            sign = sign if numbers[0] > 0 else -sign
        elif operator not in ("plus", "minus", "exp", "sqrt", "log"):
            return None
        value = tensors[0]


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


def read_names(nodes: Iterable[Any]) -> set[str]:
    """Every name that expressions read, and `x` of `model.x`; more than are taps."""
    found: set[str] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, syntax.Ref):
            found.add(node.name)
        elif isinstance(node, syntax.Attr):
            found.add(node.name.text)
            if isinstance(node.value, syntax.Ref):
                found.add(f"{node.value.name}.{node.name.text}")
            elif isinstance(node.value, syntax.Attr):
                found.add(f"{node.value.name.text}.{node.name.text}")
            stack.append(node.value)
        elif isinstance(node, tuple):
            stack.extend(node)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(node, syntax.Node):
            stack.extend(getattr(node, name) for name in node.__match_args__ if name != "span")
    return found


__all__ = ["Binder", "Names", "NetUse", "direction", "reaching", "read_names"]
