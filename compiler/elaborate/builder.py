"""Collects the nodes, instances and captures of one body, and gives paths to what is placed in it."""

from __future__ import annotations

import re
from typing import Any

from ..ir.expand import join, moved
from ..ir.model import (
    AnyNode,
    Body,
    CallNode,
    InitRule,
    Instance,
    ModeNode,
    Operand,
    OpNode,
    RepeatNode,
    RepeatRun,
    Requirement,
    Result,
    ScanNode,
    Value,
    WeightNode,
)
from ..messages import paths as errors
from ..messages.diagnostics import Failed, Report
from ..messages.source import Span
from ..messages.wording import describe
from ..sizes.dims import Dim, Size, need_countable
from ..sizes.types import TensorType
from .values import InitValue, SymbolicTensor, WeightOwner

NodeClass = type[OpNode] | type[WeightNode] | type[CallNode] | type[RepeatNode] | type[ModeNode] | type[ScanNode]

#: Attributes of torch.nn.Module and ModuleDict, frozen with the edition (reference 3.3).
RESERVED = frozenset(
    """
    T_destination add_module apply bfloat16 buffers call_super_init children clear compile cpu cuda double
    dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu
    items keys load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
    pop register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty
    train training type update values xpu zero_grad False None True and as assert async await break class continue
    def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try
    while with yield
    """.split()  # noqa: SIM905 - a list takes a line a name
)


class Scope:
    """Where the next stage gets its number or name.

    `prefix` is the path of the scope in its body. In a numbered scope every stage takes the next number; otherwise an
    unlabelled layer is named after its kind. In the scope of a turn (`slots`) they are slots, offset by the expansion.
    `arguments` counts the argument lists that are being evaluated: a function in them is not a stage.
    """

    __slots__ = ("arguments", "counters", "first", "numbered", "prefix", "slots")

    def __init__(self, prefix: str = "", numbered: bool = False, slots: bool = False) -> None:
        self.prefix, self.numbered, self.slots = prefix, numbered, slots
        self.counters: dict[str, int] = {}
        self.first: dict[str, Span] = {}
        self.arguments = 0

    def path(self, tail: str) -> str:
        return f"{self.prefix}.{tail}" if self.prefix else tail

    def number(self) -> str:
        """The next number, as a full path in the body."""
        count = self.counters.get("", 0)
        self.counters[""] = count + 1
        return self.path(f"#{count}" if self.slots else str(count))

    def name(self, base: str) -> str:
        """The name of the next unlabelled layer of this kind."""
        count = self.counters.get(base, 0)
        self.counters[base] = count + 1
        if self.slots:
            return self.path(f"{base}#{count}")
        return self.path(base if count == 0 else f"{base}_{count + 1}")


class Builder:
    """One body under construction. `parent` is the body a region (turn, branch, scan) lies in."""

    def __init__(self, report: Report, name: str, role: Any, span: Span, parent: Builder | None = None) -> None:
        self.report, self.name, self.role, self.span, self.parent = report, name, role, span, parent
        self.types: list[TensorType] = []
        self.names: list[str] = []
        self.inputs: list[int] = []
        self.nodes: list[tuple[NodeClass, dict[str, Any], list[int]]] = []
        self.instances: dict[str, WeightOwner] = {}
        self.taken: dict[str, Span] = {}  # leaf paths and their places, those of the turns of loops too
        self.held: dict[str, WeightOwner] = {}  # what has these paths, as far as this body made it
        self.prefixes: dict[str, Span] = {}  # every proper prefix of a taken path
        self.instance_inputs: dict[str, WeightOwner] = {}
        self.captures: dict[tuple[int, int], tuple[SymbolicTensor, SymbolicTensor]] = {}
        self.requirements: list[Requirement] = []
        self.init_rules: list[InitRule] = []
        self.emits: list[Result] = []
        self.taps: dict[str, int] = {}
        self.read: set[int] = set()
        self.ranges: dict[int, tuple[Size, Size]] = {}  # of whole numbers, where they are known

    # ---- values ----------------------------------------------------------------------------------------------------

    def new(self, type: TensorType, name: str = "") -> SymbolicTensor:
        """A value; DimOverflow for one that no machine holds."""
        need_countable(type.shape)
        self.types.append(type)
        self.names.append(name)
        return SymbolicTensor(self, len(self.types) - 1, type)

    def input(self, type: TensorType, name: str = "") -> SymbolicTensor:
        tensor = self.new(type, name)
        self.inputs.append(tensor.id)
        return tensor

    def use(self, tensor: SymbolicTensor) -> int:
        """The id of a tensor in this body; one from around a region is captured."""
        if tensor.builder is self:
            self.read.add(tensor.id)
            return tensor.id
        key = (id(tensor.builder), tensor.id)
        if key not in self.captures:
            assert self.parent is not None, "a value of another body that is not around this one"
            outer = (
                tensor
                if tensor.builder is self.parent
                else SymbolicTensor(self.parent, self.parent.use(tensor), tensor.type)
            )
            local = self.new(tensor.type, tensor.builder.names[tensor.id])
            self.captures[key] = (outer, local)
        return self.captures[key][1].id

    def node(self, kind: NodeClass, outputs: list[TensorType], /, **fields: Any) -> list[SymbolicTensor]:
        tensors = [self.new(type) for type in outputs]
        self.nodes.append((kind, fields, [tensor.id for tensor in tensors]))
        return tensors

    def origin(self, tensor: SymbolicTensor) -> Span | None:
        """The stage that gave a tensor its shape: functions that keep the shape are passed over."""
        made = {id: (fields, ids) for _, fields, ids in self.nodes for id in ids}
        current, found = tensor.id, None
        while tensor.builder is self and current in made:
            fields, _ = made[current]
            found = fields["span"]
            inputs = [i for i in fields["inputs"] if isinstance(i, int)]
            if fields.get("instance") is not None or len(inputs) != 1 or self.types[inputs[0]] != tensor.type:
                break
            current = inputs[0]
        return found

    # ---- instances and paths ---------------------------------------------------------------------------------------

    def owner(self) -> Builder:
        """The body whose path space this one writes into: a branch shares that of the body around it."""
        return self.parent.owner() if self.role in ("branch", "scan") and self.parent is not None else self

    def place(self, path: str, span: Span) -> None:
        """Takes a path for a leaf layer or a block; E0306 when it clashes, E0312 when a segment is reserved."""
        refuse_reserved(path, span)
        parts = path.split(".")
        space = self.owner()
        prefixes = [".".join(parts[:count]) for count in range(1, len(parts))]
        around = next((prefix for prefix in prefixes if prefix in space.taken), None)
        if path in space.taken:
            raise Failed(errors.path_taken(path, space.taken[path], span))
        if around is not None:
            raise Failed(errors.path_inside(path, around, space.taken[around], span))
        if path in space.prefixes:
            raise Failed(errors.path_around(path, space.prefixes[path], span))
        space.taken[path] = span
        for prefix in prefixes:
            space.prefixes.setdefault(prefix, span)

    def place_turns(self, turn: Builder, run: RepeatRun, scope: str, *, slots: bool) -> None:
        """Takes the paths of equal turns of a loop. `slots`: the loop is part of a turn itself and shares its numbers."""
        for count in range(run.count):
            offsets = {
                name: run.offsets.get(name, 0) + count * run.strides.get(name, 0)
                for name in {*run.offsets, *run.strides}
            }
            for path, span in turn.taken.items():
                full = moved(path, offsets) if slots else join(scope, path, offsets)
                self.place(full, span)
                if path in turn.held:
                    self.held[full] = turn.held[path]

    def labelled(self, name: str) -> WeightOwner | None:
        """A layer or block of this body, or of those around it, whose path is or begins with `name`."""
        for path, instance in self.instances.items():
            if path.partition(".")[0] == name:
                return instance
        return self.parent.labelled(name) if self.parent is not None else None

    def reference(self, instance: WeightOwner) -> str:
        """How a node of this body refers to an instance: its path, or `@name` for one from outside."""
        if instance.builder is self:
            return instance.path
        for name, known in self.instance_inputs.items():
            if known is instance:
                return f"@{name}"
        base = name = re.sub(r"\W", "_", instance.path)
        count = 1
        while name in self.instance_inputs:
            count += 1
            name = f"{base}_{count}"
        self.instance_inputs[name] = instance
        return f"@{name}"

    # ---- the finished body -----------------------------------------------------------------------------------------

    def finish(
        self, outputs: list[tuple[str, SymbolicTensor]], *, statics: dict[str, Any], dims: dict[str, Size]
    ) -> Body:
        results = tuple(Result(name=name, value=self.use(tensor)) for name, tensor in outputs)

        def value(id: int) -> Value:
            return Value(id=id, type=self.types[id], name=self.names[id])

        captured = [local.id for _, local in self.captures.values()]
        nodes: list[AnyNode] = [kind(outputs=tuple(map(value, ids)), **fields) for kind, fields, ids in self.nodes]
        return Body(
            name=self.name,
            role=self.role,
            statics=statics,
            dims=dims,
            inputs=tuple(map(value, [*self.inputs, *captured])),
            instance_inputs=tuple(self.instance_inputs),
            instances=tuple(record(instance) for instance in self.instances.values()),
            nodes=tuple(nodes),
            outputs=results,
            taps=self.taps,
            emits=tuple(self.emits),
            requirements=tuple(self.requirements),
            init_rules=tuple(self.init_rules),
            span=self.span,
        )

    def captured(self) -> tuple[Operand, ...]:
        """The outer operands of the captures, for the node that enters this region."""
        assert self.parent is not None
        return tuple(self.parent.use(outer) for outer, _ in self.captures.values())

    def instance_arguments(self) -> dict[str, str]:
        """The outer references of the instances this region uses, for the node that enters it."""
        assert self.parent is not None
        return {name: self.parent.reference(instance) for name, instance in self.instance_inputs.items()}


def refuse_reserved(path: str, span: Span) -> None:
    """E0312 when a segment of a path is reserved."""
    for part in path.split("."):
        if part in RESERVED or part.startswith("_"):
            raise Failed(errors.reserved_label(part, span))


def record(instance: WeightOwner) -> Instance:
    """The IR form of an instance."""
    target = instance.callable.target
    return Instance(
        path=instance.path,
        op=target.name if isinstance(target, type) else None,
        args=json_arguments(instance.args or {}),
        parameters=instance.parameters or (),
        body=instance.body,
        span=instance.span,
    )


def json_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Static arguments as the IR holds them: opaque values by their text."""
    return {name: _plain(value) for name, value in arguments.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str, Dim)):
        return value
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, InitValue):
        return (value.name, *((name, _plain(argument)) for name, argument in value.args))
    return describe(value)
