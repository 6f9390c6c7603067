"""A model of the IR to an ONNX graph: bodies inlined under their full paths, in their evaluation form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

import onnx_ir as ir

from ...compiler.analysis.cached import cached_length
from ...compiler.catalogue.ops import find
from ...compiler.dataclass import dataclass
from ...compiler.ir.expand import join, turns
from ...compiler.ir.liveness import Liveness, reached
from ...compiler.ir.model import (
    AnyNode,
    Body,
    CallNode,
    Model,
    ModeNode,
    Operand,
    OpNode,
    RepeatNode,
    Requirement,
    Scalar,
    ScanNode,
    Spec,
    Value,
    WeightNode,
)
from ...compiler.messages import export as errors
from ...compiler.messages.diagnostics import Failed
from ...compiler.sizes.dims import Dim, Size, substitute, var, variables
from ...compiler.sizes.types import TensorType
from .cache import PAST, Cache
from .form import PLAIN, GraphForm, Lookup
from .graph import DATA_TYPES, DOMAINS, IR_VERSION, OPSET, Attribute, GraphBuilder, dimension_text
from .lowering import BACKEND, Use, defaults, lowering_of
from .tensor import Tensor
from .weights import Weights

_NO_OFFSETS: Mapping[str, int] = {}


#: The number of a string without one: outside every table.
NO_NUMBER = 2**63 - 1


@dataclass(frozen=True)
class Frame:
    """Where a body is instantiated: its path, the slots of its turns, and what its instance inputs stand for."""

    prefix: str
    offsets: Mapping[str, int]
    instances: Mapping[str, str]

    def path(self, reference: str) -> str:
        """The full path of an instance that a node refers to."""
        if reference.startswith("@"):
            name, _, rest = reference[1:].partition(".")
            return join(self.instances[name], rest)
        return join(self.prefix, reference, self.offsets)

    def mapped(self, instances: Mapping[str, str]) -> dict[str, str]:
        return {name: self.path(reference) for name, reference in instances.items()}


def lower(spec: Spec, model: Model, weights: Weights, form: GraphForm = PLAIN) -> ir.Model:
    """Lowers a model (a part of one is cut out before, see `compiler/ir/submodel.py`). Raises MissingWeight, and Failed for
    what ONNX cannot express (E0501, E0502, E0504 ...) or for a cached form that does not exist (E0503)."""
    return _Lowering(spec, model, weights, form).run()


class _Lowering:
    def __init__(self, spec: Spec, model: Model, weights: Weights, form: GraphForm) -> None:
        self.spec, self.model, self.form, self.fix = spec, model, form, form.fix
        length = cached_length(spec, model, form.fix) if form.cached else None
        self.graph = GraphBuilder(weights, form.precision, form.quantize)
        self.cache = Cache(self.graph, length) if length is not None else None
        self.live = Liveness(spec.bodies)

    # ---- the whole -------------------------------------------------------------------------------------------------

    def run(self) -> ir.Model:
        body = self.spec.body_of(self.model)
        graph_inputs, environment = self.feed(body)
        names = [result.name or "output" for result in body.outputs]
        results = self.body(body, Frame("", _NO_OFFSETS, {}), environment, [result.value for result in body.outputs])
        graph_outputs = [self.output(name, tensor) for name, tensor in zip(names, results, strict=True)]
        if self.cache is not None:
            graph_inputs += self.cache.inputs
            graph_outputs += self.cache.outputs
        return self.finish(graph_inputs, graph_outputs)

    def feed(self, body: Body) -> tuple[list[ir.Value], dict[int, Tensor]]:
        """Graph inputs, and the tensors that they are inside."""
        graph_inputs: list[ir.Value] = []
        environment: dict[int, Tensor] = {}
        for given in body.inputs:
            type = self.type_of(given)
            value = self.declare(self.graph.unique(given.name), type)
            graph_inputs.append(value)
            self.graph.learn_sizes(value, type.shape)
            inner = value
            if given.name in self.form.lookups:
                inner = self.looked_up(value, self.form.lookups[given.name])
            if type.dtype == "f32" and self.graph.precision != "f32":
                inner = self.graph.node("Cast", value, to=int(self.graph.data_type("f32")))
            environment[given.id] = Tensor(self.graph, inner, type)
        return graph_inputs, environment

    def looked_up(self, value: ir.Value, lookup: Lookup) -> ir.Value:
        """The numbers of strings. One that has no number gets one that is in no table: an embedding refuses it, a one-hot vector of
        it is 0."""
        value.type = ir.TensorType(ir.DataType.STRING)
        if lookup.lower:  # the locale `C` is there on every machine
            value = self.graph.node("StringNormalizer", value, case_change_action="LOWER", locale="C")
        missing = lookup.missing if lookup.unknown else ()
        numbers: dict[str, Attribute] = {
            "keys_strings": [*lookup.names, *missing],
            "values_int64s": [*range(len(lookup.names)), *(NO_NUMBER for _ in missing)],
            "default_int64": len(lookup.names) if lookup.unknown else NO_NUMBER,
        }
        return self.graph.nodes_of("LabelEncoder", [value], numbers, domain="ai.onnx.ml")[0]

    def declare(self, name: str, type: TensorType) -> ir.Value:
        shape = ir.Shape([dimension_text(size) for size in type.shape])
        return ir.Value(name=name, shape=shape, type=ir.TensorType(DATA_TYPES[type.dtype]))

    def output(self, name: str, tensor: Tensor) -> ir.Value:
        """A graph output under its own name; a value that has another use as input, output or weight is copied."""
        value = tensor.value
        if tensor.dtype == "f32" and self.graph.precision != "f32":
            value = self.graph.node("Cast", value, to=int(ir.DataType.FLOAT))
        elif value.producer() is None or value.shape is not None:
            value = self.graph.node("Identity", value)
        declared = self.declare(name, tensor.type)
        self.graph.rename(value, name)
        value.shape, value.type = declared.shape, declared.type
        return value

    def finish(self, inputs: Sequence[ir.Value], outputs: Sequence[ir.Value]) -> ir.Model:
        nodes = _alive(self.graph.nodes, outputs)
        read = {value for node in nodes for value in _read(node)}
        initializers = [value for value in self.graph.initializers.values() if value in read]
        imports = {"": OPSET, **{node.domain: DOMAINS.get(node.domain, 1) for node in nodes if node.domain}}
        graph = ir.Graph(
            inputs, outputs, nodes=nodes, initializers=initializers, opset_imports=imports, name=self.model.name
        )
        model = ir.Model(graph, ir_version=IR_VERSION, producer_name="dlc", producer_version=version("dlc"))
        model.metadata_props.update(self.facts())
        if self.graph.quantize is not None:
            model.metadata_props["dlc.quantized"] = str(self.graph.quantized)
        model.metadata_props.update(self.form.metadata)
        return model

    def facts(self) -> dict[str, str]:
        """What our session checks before it runs: divisors, bounds and requirements of the symbolic sizes."""
        body = self.spec.body_of(self.model)
        free = {name for value in body.inputs for size in value.type.shape for name in variables(size)} - set(self.fix)
        bounds = {name: list(bound) for name, bound in self.model.bounds.items() if name in free}
        divisors = {name: divisor for name, divisor in self.model.divisors.items() if name in free}
        whole: Callable[[Size], Size] = self.cache.whole if self.cache is not None else lambda size: size
        requirements = [
            {
                "left": str(dimension_text(whole(r.left))),
                "op": r.op,
                "right": str(dimension_text(whole(r.right))),
                "text": r.text,
                "message": r.message,
            }
            for r in self.requirements()
        ]
        found = {"dlc.model": self.model.name, "dlc.edition": self.spec.edition}
        if self.cache is not None:
            length = str(self.cache.length)
            _, most = bounds.get(length, (1, None))
            bounds[length] = [1, most]
            bounds[PAST] = [0, None if most is None else most - 1]
            found["dlc.cached"] = json.dumps({"length": length, "past": PAST, "layers": len(self.cache.inputs) // 2})
        return found | {"dlc.facts": json.dumps({"bounds": bounds, "divisors": divisors, "requirements": requirements})}

    def requirements(self) -> list[Requirement]:
        """Requirements of the bodies that the model reaches, each once."""
        found: dict[tuple[object, ...], Requirement] = {}
        for body in reached(self.spec.bodies, self.model.body):
            for requirement in body.requirements:
                found.setdefault((requirement.left, requirement.op, requirement.right), requirement)
        return list(found.values())

    # ---- bodies ----------------------------------------------------------------------------------------------------

    def body(self, body: Body, frame: Frame, environment: dict[int, Tensor], targets: Sequence[int]) -> list[Tensor]:
        """Lowers the nodes that the targets need, in order; `environment` holds the tensors known so far."""
        for node in self.live.nodes(body, environment.keys(), targets):
            for value, tensor in zip(node.outputs, self.node(body, node, frame, environment), strict=True):
                environment[value.id] = tensor
                produced = tensor.raw.producer()
                if value.name and produced is not None and produced.name == tensor.raw.name:
                    self.graph.rename(tensor.raw, f"{frame.prefix}/{value.name}")
        return [environment[target] for target in targets]

    def node(self, body: Body, node: AnyNode, frame: Frame, environment: Mapping[int, Tensor]) -> Sequence[Tensor]:
        def tensor(operand: Operand) -> Tensor | None:
            """None for a value that only training reads."""
            assert isinstance(operand, int), "a number is only an operand of an operator"
            return environment.get(operand)

        match node:
            case OpNode():
                return self.operator(node, frame, environment)
            case WeightNode():
                type = node.outputs[0].type
                shape = tuple(size for size in type.shape if isinstance(size, int))
                path = join(frame.path(node.instance), node.name)
                return [Tensor(self.graph, self.graph.parameter(path, shape, type.dtype), type)]
            case CallNode():
                inner = Frame(frame.path(node.instance), _NO_OFFSETS, frame.mapped(node.instances))
                return self.inline(node.body, inner, [tensor(operand) for operand in node.inputs])
            case ModeNode():
                inner = Frame(frame.prefix, frame.offsets, frame.mapped(node.instances))
                return self.inline(node.evaluation, inner, [tensor(operand) for operand in node.inputs])
            case RepeatNode():
                carried: Sequence[Tensor | None] = [tensor(operand) for operand in node.inputs]
                for index, prefix, offsets, run in turns(node, frame.prefix, frame.offsets):
                    inner = Frame(prefix, offsets, frame.mapped(node.runs[run].instances))
                    captures = [tensor(operand) for operand in node.runs[run].captures]
                    carried = self.inline(index, inner, [*carried, *captures])
                return [value for value in carried if value is not None]
            case ScanNode():
                return self.scan(
                    node, frame, [environment[operand] for operand in node.inputs if isinstance(operand, int)]
                )

    def inline(self, index: int, frame: Frame, inputs: Sequence[Tensor | None]) -> list[Tensor]:
        body = self.spec.bodies[index]
        environment = {v.id: tensor for v, tensor in zip(body.inputs, inputs, strict=True) if tensor is not None}
        return self.body(body, frame, environment, [result.value for result in body.outputs])

    def operator(self, node: OpNode, frame: Frame, environment: Mapping[int, Tensor]) -> Sequence[Tensor]:
        kind = find(node.op)
        assert kind is not None, f"{node.op} is not in the catalogue"
        lowering = lowering_of(node.op)
        path = frame.path(node.instance) if node.instance is not None else frame.prefix
        if node.instance is None and node.path is not None:
            path = join(frame.prefix, node.path, frame.offsets)
        if kind.random:
            raise Failed(errors.random_in_export(node.op, self.model.name, node.span))
        if lowering is None:
            raise Failed(errors.no_lowering(node.op, BACKEND, node.span))
        self.graph.scope = path
        types = tuple(self.type_of(value) for value in node.outputs)
        args = {**defaults(node.op), **node.args}
        if self.fix:
            args = {name: self.fixed(value) for name, value in args.items()}
        inputs = tuple(
            environment[operand]
            if isinstance(operand, int)
            else Scalar(value=self.fixed(operand.value))
            if isinstance(operand, Scalar)
            else None
            for operand in node.inputs
        )
        use = Use(self.graph, node.op, args, inputs, types, path, node.span, self.cache)
        refused = kind.not_in_export(args, *(item.type if isinstance(item, Tensor) else None for item in inputs))
        if refused is not None:
            use.reject(*refused)
        result = lowering(use, *inputs)
        results = [result] if isinstance(result, (ir.Value, Tensor)) else list(result)
        assert len(results) == len(types), f"{node.op} gives {len(results)} of {len(types)} outputs"
        return [
            item if isinstance(item, Tensor) else Tensor(self.graph, item, type)
            for item, type in zip(results, types, strict=True)
        ]

    def scan(self, node: ScanNode, frame: Frame, inputs: Sequence[Tensor]) -> list[Tensor]:
        """One `Scan`: carries, then sequences, over a body that reads everything else from outside."""
        body = self.spec.bodies[node.body]
        sequences, carries = inputs[: node.sequences], inputs[node.sequences : node.sequences + node.carries]
        captures = inputs[node.sequences + node.carries :]
        outer = [tensor.value for tensor in (*sequences, *carries, *captures)]  # emitted outside
        del outer
        for name in {n for v in body.values() for size in self.type_of(v).shape for n in variables(size)}:
            if self.graph.knows(var(name)):
                self.graph.vector(var(name))  # computed outside
        axis = node.axis % sequences[0].rank
        with self.graph.nested() as nodes:
            environment: dict[int, Tensor] = {}
            parameters: list[ir.Value] = []
            order = [*range(node.sequences, node.sequences + node.carries), *range(node.sequences)]
            for position in order:
                value = body.inputs[position]
                type = self.type_of(value)
                inner = self.declare(self.graph.unique(f"{frame.prefix}/scan/{value.name or position}"), type)
                inner.type = ir.TensorType(self.graph.data_type(type.dtype))
                parameters.append(inner)
                environment[value.id] = Tensor(self.graph, inner, type)
            for value, tensor in zip(body.inputs[node.sequences + node.carries :], captures, strict=True):
                environment[value.id] = Tensor(self.graph, tensor.value, tensor.type)
            inner_frame = Frame(frame.prefix, frame.offsets, frame.mapped(node.instances))
            results = self.body(body, inner_frame, environment, [result.value for result in body.outputs])
            values: list[ir.Value] = []
            for tensor in results:
                value = self.graph.node("Identity", tensor.value)
                declared = self.declare("", tensor.type)
                value.shape, value.type = declared.shape, ir.TensorType(self.graph.data_type(tensor.dtype))
                values.append(value)
            inner_graph = ir.Graph(parameters, values, nodes=nodes, name="scan")
        self.graph.scope = frame.prefix
        stacked = self.type_of(node.outputs[0])
        attributes: dict[str, ir.Graph | int | Sequence[int]] = {
            "body": inner_graph, "num_scan_inputs": node.sequences,
            "scan_input_axes": [axis] * node.sequences, "scan_output_axes": [min(axis, stacked.rank - 1)],
        }  # fmt: skip
        made = self.graph.nodes_of(
            "Scan", [tensor.value for tensor in (*carries, *sequences)], attributes, outputs=node.carries + 1
        )
        ordered = [made[-1], *made[:-1]]
        return [
            Tensor(self.graph, value, self.type_of(output)) for value, output in zip(ordered, node.outputs, strict=True)
        ]

    # ---- types -----------------------------------------------------------------------------------------------------

    def type_of(self, value: Value) -> TensorType:
        if not self.fix:
            return value.type
        return TensorType(value.type.dtype, tuple(self.size(size) for size in value.type.shape))

    def size(self, size: Size) -> Size:
        return substitute(size, dict(self.fix))

    def fixed(self, value: object) -> object:
        if isinstance(value, tuple):
            items: tuple[object, ...] = value  # pyright: ignore[reportUnknownVariableType]
            return tuple(self.fixed(item) for item in items)
        return self.size(value) if self.fix and isinstance(value, Dim) else value


def _read(node: ir.Node) -> list[ir.Value]:
    """What a node reads, inside its body too."""
    found = [value for value in node.inputs if value is not None]
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            inner: ir.Graph = attribute.value
            found += [value for part in inner for value in _read(part)]
            found += list(inner.outputs)
    return found


def _alive(nodes: Sequence[ir.Node], outputs: Sequence[ir.Value]) -> list[ir.Node]:
    """The nodes that the outputs need."""
    wanted = set(outputs)
    kept: list[ir.Node] = []
    for node in reversed(nodes):
        if any(value in wanted for value in node.outputs):
            kept.append(node)
            wanted.update(_read(node))
    return kept[::-1]


__all__ = ["lower"]
