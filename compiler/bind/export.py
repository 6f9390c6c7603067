"""`export` sections: which net, cut at which values, with which outputs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from ..catalogue.keys import Form
from ..catalogue.ops import find
from ..catalogue.sections import EXPORT
from ..elaborate.builder import Builder, Scope
from ..elaborate.environment import Environment
from ..elaborate.instances import reachable
from ..elaborate.nodes import as_tensor
from ..elaborate.state import Context, State
from ..elaborate.values import Outputs, SymbolicTensor
from ..ir.arguments import EntryUse
from ..ir.export import Export
from ..ir.liveness import Liveness, entered
from ..ir.model import AnyNode, Body, Model, OpNode, RepeatNode
from ..messages import export as export_errors
from ..messages import files
from ..messages import sections as sections_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import Definition
from ..sizes.dims import variables
from ..sizes.facts import Facts
from ..sizes.statics import describe
from ..text import syntax, top_level
from ..text.node import Node
from .names import NetUse
from .net_emits import mentioned
from .reader import Section, SectionReader
from .roots import root_use

#: The only one that is written: `Attention` and `RMSNormalization` begin with it.
OPSET = 23


def _leads_out(path: str) -> bool:
    """Whether a path is absolute or has a `..`, as POSIX or Windows reads it."""
    return any(".." in kind(path).parts or kind(path).anchor for kind in (PurePosixPath, PureWindowsPath))


class ExportBinder:
    """One `export` section."""

    def __init__(
        self,
        state: State,
        definition: Definition,
        nets: dict[str, list[NetUse]],
        mistaken: Collection[str | None],
        stem: str,
    ) -> None:
        """`nets` by `train` section; `mistaken` are the sections with mistakes."""
        self.state, self.definition, self.nets, self.stem = state, definition, nets, stem
        self.mistaken = mistaken
        self.node: top_level.Export = definition.node
        self.report = state.report
        self.reader = SectionReader(definition.scope, self.report, state.project.root)
        start = self.node.span.start
        self.span = (
            self.node.name.span
            if self.node.name is not None
            else Span(self.node.span.file, start, start + len("export"))
        )

    def run(self) -> Export | None:
        before = len(self.report.errors)
        section = self.reader.section("export", self.node.entries, self.span, EXPORT.forms)
        root: tuple[str | None, str, int] | None = self.reader.attempt(lambda: self._root(section))
        plain: dict[str, Any] = {
            "precision": self._choice(section, "precision", "f32", ("f32", "f16", "bf16")),
            "opset": self._value(section, "opset", "Count | None", None),
            "preprocess": self._value(section, "preprocess", "bool", False),
        }
        name = self.definition.name
        onnx = self._value(section, "onnx", "str", f"{name or self.stem}.onnx")
        named = section.value("onnx")
        if named is not None and _leads_out(onnx):
            self.report.add(files.outside_name(named.span, onnx))
        opset = section.value("opset")
        if opset is not None and plain["opset"] not in (None, OPSET):
            self.report.add(export_errors.other_opset(plain["opset"], OPSET, opset.span))
        quantize = self._quantize(section)
        if quantize is not None and plain["precision"] != "f32":
            self.report.add(export_errors.quantized_half(plain["precision"], quantize.span))
        if root is None:
            self._check_names(section)
            return None
        train, net, index = root
        model = self.state.models[index]
        body = self.state.bodies[model.body]
        cut: tuple[tuple[str, ...], int] | None = self.reader.attempt(lambda: self._cut(section, model, body))
        fix = self._fix(section, model, body, cut[0] if cut is not None else ())
        if cut is None or len(self.report.errors) > before:
            return None
        inputs, tail = cut
        return Export(
            name=name,
            onnx=onnx,
            train=train,
            net=net,
            model=index,
            inputs=inputs,
            tail=tail,
            fix=fix,
            quantize=quantize,
            span=self.span,
            places={key: item.value.span for key, item in section.keys.items() if isinstance(item, top_level.Key)},
            **plain,
        )

    # ---- keys ----------------------------------------------------------------------------------------------------------

    def _value(self, section: Section, name: str, kind: str, default: Any) -> Any:
        node = section.value(name)
        if node is None:
            return default
        value = self.reader.attempt(lambda: self.reader.value(node, name, kind))
        return default if value is None else value

    def _choice(self, section: Section, name: str, default: str, words: tuple[str, ...]) -> str:
        value = self._value(section, name, "str", default)
        if value in words:
            return value
        expected = " or ".join(f'`"{word}"`' for word in words)
        self.report.add(sections_errors.wrong_value(section.keys[name].span, name, expected, describe(value)))
        return default

    def _quantize(self, section: Section) -> EntryUse | None:
        if "quantize" not in section.keys:
            return None
        value = self._choice(section, "quantize", "int8", ("int8", "int4"))
        return EntryUse(name=value, span=section.keys["quantize"].span)

    def _root(self, section: Section) -> tuple[str | None, str, int]:
        """The train section, the net in it, and the model: (name or None, name, index)."""
        train = self._train(section)
        node = section.value("model")
        if node is not None:
            if id(node) not in self.state.roots:
                models = [model.name for model in self.state.project.definitions("model")]
                nets = [net.name for net in self.nets[train] if net.name] if train is not None else []
                if train in self.mistaken:
                    raise Abandoned  # it may be the name of a net that was to be made there
                root_use(self.state, self.reader, node, "`model`", [*nets, *models])  # raises what is wrong with it
                raise Abandoned
            index = self._used(node)
            for net in self.nets[train] if train is not None else ():
                if net.model == index:
                    return train, net.name, index
            return None, "", index
        if train is None:
            if id(self.node) not in self.state.roots:
                models = self.state.project.definitions("model")
                raise Failed(export_errors.which_model(self.span, [d.name for d in models]))
            return None, "", self._used(self.node)
        nets = self.nets[train]
        if not nets:
            raise Abandoned
        if len(nets) > 1 and all(net.name for net in nets):
            raise Failed(export_errors.which_net(self.span, [net.name for net in nets]))
        net = next((net for net in nets if not net.name), nets[0])
        if net.model < 0:
            raise Abandoned
        return train, net.name, net.model

    def _train(self, section: Section) -> str | None:
        """The name of the section whose net is exported; None where none is trained."""
        node = section.value("train")
        if node is not None:
            node = self.reader.plain(node)
            if not isinstance(node, syntax.Ref):
                raise Failed(sections_errors.not_an_entry(node.span, "the name of a `train` section", "train = gan"))
            if node.name not in self.nets:
                near = nearest(node.name, self.nets)
                raise Failed(sections_errors.unknown_definition(node.span, node.name, "`train` section", near))
            return node.name
        if len(self.nets) > 1:
            raise Failed(export_errors.which_train(self.span, list(self.nets)))
        return next(iter(self.nets), None)

    def _used(self, node: Node) -> int:
        """The model that is used here; one that no net of the train section is has its initial weights."""
        root = self.state.roots.get(id(node))
        if root is None:
            raise Abandoned
        return root.model

    # ---- cut and outputs -----------------------------------------------------------------------------------------------

    def _cut(self, section: Section, model: Model, body: Body) -> tuple[tuple[str, ...], int]:
        """Names of the graph's inputs, and the tail that gives its outputs."""
        before = len(self.report.errors)
        values = named_values(body)
        inputs = self._listed(section, model, values)
        self.state.facts = Facts(model.divisors, model.bounds)
        builder = Builder(self.report, self.definition.name or "export", "step", self.span)
        environment = Environment(self.definition.scope)
        environment.training = False
        context = Context(self.state, builder, environment, Scope())
        tensors: dict[str, SymbolicTensor] = {}
        grouped: dict[str, dict[str, SymbolicTensor]] = {}
        for name, id in values.items():
            tensors[name] = builder.input(body.value(id).type, name)
            first, dot, leaf = name.partition(".")
            if dot:
                grouped.setdefault(first, {})[leaf] = tensors[name]
            else:
                environment.bind(name, tensors[name], self.span, is_input=True)
        for name, leaves in grouped.items():
            environment.bind(name, Outputs(leaves, name), self.span)
        outputs = self._outputs(section, context, body, tensors)
        if len(self.report.errors) > before:
            raise Abandoned  # what the outputs need is unknown
        names = [name for name, _, _ in outputs]
        for position, (name, _, span) in enumerate(outputs):
            if name in names[:position]:
                self.report.add(export_errors.two_outputs(span, name))
        tail = builder.finish([(name, tensor) for name, tensor, _ in outputs], statics={}, dims={})
        tail = without_unused_inputs(tail)
        inputs = self._check_reach(body, tail, values, inputs, outputs)
        for name, _, span in outputs:
            if name in inputs:
                self.report.add(export_errors.output_is_input(span, name))
        index = self.state.add_body(tail)
        owner = next(
            (i for at in reachable(self.state.bodies, index) for i in self.state.bodies[at].instances if i.parameters),
            None,
        )
        if owner is not None:
            self.report.add(export_errors.layer_in_output(owner.span, owner.op or ""))
        return inputs, index

    def _check_names(self, section: Section) -> None:
        """The listed values of a net whose model has a mistake."""
        written = section.value("train")
        name = written.name if isinstance(written, syntax.Ref) else next(iter(self.nets), "")
        definitions = [net.definition for net in self.nets.get(name, ()) if net.definition is not None]
        if len(definitions) != 1 or section.value("model") is not None:
            return
        known = mentioned(definitions[0])
        for key in ("inputs", "outputs"):
            node = section.value(key)
            for value, span in self._names(node, f"{key} = [logits]") if node is not None else ():
                if "." not in value and value not in known:
                    self.report.add(export_errors.no_tap(span, definitions[0].name, value, nearest(value, known)))

    def _listed(self, section: Section, model: Model, values: dict[str, int]) -> tuple[str, ...] | None:
        node = section.value("inputs")
        if node is None:
            return None
        found: list[str] = []
        for name, span in self._names(node, "inputs = [z]"):
            if name not in values:
                self.report.add(export_errors.no_tap(span, model.name, name, nearest(name, values)))
            else:
                found.append(name)
        return tuple(found)

    def _names(self, node: syntax.Pipe, example: str) -> Iterable[tuple[str, Span]]:
        items = node.items if isinstance(node, (syntax.List, syntax.Tuple)) else (node,)
        for item in items:
            if isinstance(item, syntax.Ref):
                yield item.name, item.span
            elif isinstance(item, syntax.Attr) and isinstance(item.value, syntax.Ref):
                yield f"{item.value.name}.{item.name.text}", item.span
            else:
                raise Failed(sections_errors.not_an_entry(item.span, "a list of names", example))

    def _outputs(
        self, section: Section, context: Context, body: Body, tensors: dict[str, SymbolicTensor]
    ) -> list[tuple[str, SymbolicTensor, Span]]:
        found = section.keys.get("outputs")
        if found is None:
            return [(result.name, tensors[result.name], self.span) for result in body.outputs]
        outputs: list[tuple[str, SymbolicTensor, Span]] = []
        if isinstance(found, top_level.Key):
            for name, span in self._names(found.value, "outputs = [logits]"):
                if name not in tensors:
                    self.report.add(export_errors.no_tap(span, body.name, name, nearest(name, tensors)))
                else:
                    outputs.append((name, tensors[name], span))
            return outputs
        for item in found.entries.items:
            if not isinstance(item, top_level.Key):
                self.report.add(sections_errors.entry_misplaced(item.span, "this", "outputs"))
                continue
            with context.attempt(item.value, item.value.span):
                value = context.evaluate(item.value)
                tensor = as_tensor(context, value, item.value.span)
                outputs.append((item.name.text, tensor, item.name.span))
        if not outputs:
            raise Abandoned
        return outputs

    def _check_reach(
        self,
        body: Body,
        tail: Body,
        values: dict[str, int],
        listed: tuple[str, ...] | None,
        outputs: list[tuple[str, SymbolicTensor, Span]],
    ) -> tuple[str, ...]:
        """E0504 for an output that needs an input that is not listed, E0502 for randomness; the inputs in order."""
        names = {value.id: value.name for value in body.inputs}
        stops = {values[name] for name in listed} if listed is not None else set(names)
        reached_all: set[int] = set()
        place = {name: span for name, _, span in outputs}
        live = Liveness(self.state.bodies)
        for result in tail.outputs:
            needed = [values[tail.value(id).name] for id in inputs_of(tail, result.value)]
            reached = reach(body, needed, stops)
            reached_all |= reached
            missing = [names[id] for id in reached if id in names and id not in stops]
            span = place.get(result.name, self.span)
            if missing:
                self.report.add(export_errors.cut_needs(span, result.name, missing))
            operator = self._random(live, body, stops, needed) or self._random(live, tail, (), [result.value])
            if operator is not None:
                self.report.add(export_errors.random_output(span, result.name, operator.op, operator.span))
        chosen = listed or tuple(names[id] for id in names if id in reached_all)
        bound: set[str] = set()
        for name in chosen:
            bound |= set().union(*(variables(size) for size in body.value(values[name]).type.shape), set[str]())
        for result in tail.outputs:
            open_sizes = set[str]().union(*(variables(size) for size in tail.value(result.value).type.shape)) - bound
            if open_sizes and not self.report.errors:
                self.report.add(
                    export_errors.open_size(place.get(result.name, self.span), result.name, min(open_sizes))
                )
        return chosen

    def _random(self, live: Liveness, body: Body, known: Collection[int], values: Sequence[int]) -> OpNode | None:
        """A random function that evaluation reaches on its way from the known values."""
        for node in live.nodes(body, known, values):
            if isinstance(node, OpNode):
                operator = find(node.op)
                if operator is not None and operator.random and not operator.has_mode:
                    return node
            for index in entered(node):
                inner = self.state.bodies[index]
                found = self._random(live, inner, (), [result.value for result in inner.outputs])
                if found is not None:
                    return found
        return None

    def _fix(self, section: Section, model: Model, body: Body, inputs: tuple[str, ...]) -> dict[str, int]:
        sub = section.sub("fix")
        if sub is None:
            return {}
        values = named_values(body)
        known = sorted({name for i in inputs for size in body.value(values[i]).type.shape for name in variables(size)})
        forms: dict[str, Form] = dict.fromkeys(known, "key")
        fixed: dict[str, int] = {}
        for item in sub.entries.items:
            if isinstance(item, top_level.Key) and item.name.text not in forms and inputs:
                name = item.name
                self.report.add(export_errors.fix_unknown(name.span, name.text, nearest(name.text, known), known))
            elif isinstance(item, top_level.Key):
                value = self.reader.attempt(lambda item=item: self.reader.value(item.value, item.name.text, "Count"))
                if value is None:
                    continue
                name = item.name.text
                low, high = model.bounds.get(name, (1, None))
                step = model.divisors.get(name, 1)
                broken = (
                    f"{name} >= {low}"
                    if value < low
                    else f"{name} <= {high}"
                    if high is not None and value > high
                    else f"{name} % {step} == 0"
                    if value % step
                    else None
                )
                if broken is not None:
                    self.report.add(export_errors.fix_outside(item.value.span, name, value, broken))
                fixed[name] = value
            else:
                self.report.add(sections_errors.entry_misplaced(item.span, "this", "fix"))
        return fixed


# ---- values of a body ------------------------------------------------------------------------------------------------


def named_values(body: Body) -> dict[str, int]:
    """Inputs, taps and outputs of a model by name; an output takes precedence over a tap, a tap over an input."""
    found = {value.name: value.id for value in body.inputs}
    found.update(body.taps)
    found.update({result.name: result.value for result in body.outputs})
    return found


def without_unused_inputs(body: Body) -> Body:
    """The body with only those inputs that something reads."""
    used = {operand for node in body.nodes for operand in operands(node) if isinstance(operand, int)}
    used |= {result.value for result in body.outputs}
    return body.model_copy(update={"inputs": tuple(value for value in body.inputs if value.id in used)})


def operands(node: AnyNode) -> list[Any]:
    """What flows into a node, captures included."""
    found: list[Any] = list(node.inputs)
    if isinstance(node, RepeatNode):
        for run in node.runs:
            found += run.captures
    return found


def inputs_of(body: Body, value: int) -> list[int]:
    """Ids of the inputs that a value of a body is computed from."""
    reached = reach(body, [value], set())
    inputs = {item.id for item in body.inputs}
    return [id for id in reached if id in inputs]


def reach(body: Body, values: Iterable[int], stops: Collection[int]) -> set[int]:
    """What the given values are computed from in either mode, not going beyond `stops`."""
    producers = {value.id: node for node in body.nodes for value in node.outputs}
    reached: set[int] = set()
    stack = list(values)
    while stack:
        id = stack.pop()
        if id in reached:
            continue
        reached.add(id)
        node = producers.get(id)
        if node is not None and id not in stops:
            stack.extend(operand for operand in operands(node) if isinstance(operand, int))
    return reached
