"""What a model costs, read off the IR: layers, parameters, operations, memory. No tensor is made.

Every body is counted once and multiplied by its uses, so an 8B model costs what its one layer costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from ..catalogue.ops import find
from ..catalogue.ops.base import Op
from ..dataclass import dataclass
from ..ir.expand import join
from ..ir.model import AnyNode, Body, CallNode, Instance, Model, ModeNode, OpNode, RepeatNode, RepeatRun, ScanNode, Spec
from ..sizes.dims import Size, evaluate, variables
from ..sizes.types import TensorType, byte_size


@dataclass(frozen=True)
class LayerRow:
    """A layer, or a function that multiplies, with `count` equal uses; `parameters` and `flops` are those of all.

    `path` names them all: `h.0..11.attn.c_attn`.
    """

    path: str
    operator: str
    output: str
    count: int
    parameters: int
    flops: int


@dataclass(frozen=True)
class Summary:
    """`flops`: one forward pass of one example at `sizes`, a multiply-add counted as two, of matrix products,
    convolutions, recurrences and attention. `activations`: bytes that one example's intermediate values take."""

    model: str
    sizes: dict[str, int]
    rows: tuple[LayerRow, ...]
    parameters: int
    buffers: int
    weight_bytes: int
    flops: int
    activations: int

    @property
    def training_bytes(self) -> int:
        """Weights, gradients and two f32 moments a parameter, as AdamW keeps them; without activations."""
        return self.weight_bytes + self.parameters * 12


def summarize(spec: Spec, model: Model, sizes: Mapping[str, int] | None = None) -> Summary:
    """The summary of one model of a spec. `sizes` fixes symbolic sizes beyond batch 1 and the model's own bounds."""
    chosen = default_sizes(spec, model) | dict(sizes or {})
    count = _Count(spec, chosen)
    total = count.body(model.body, {})
    weights = count.weights(model.body)
    return Summary(
        model=model.name,
        sizes=chosen,
        rows=tuple(count.rows(model.body, _Place("", {}, {}, 1), {})),
        parameters=sum(w.parameters for w in weights.values()),
        buffers=sum(w.buffers for w in weights.values()),
        weight_bytes=sum(w.bytes for w in weights.values()),
        flops=total.flops,
        activations=total.activations,
    )


def default_sizes(spec: Spec, model: Model) -> dict[str, int]:
    """Batch 1; other axes as long as the data that the recipe feeds, else at their upper bound, else at the smallest size
    that their facts allow."""
    sizes = _fed_sizes(spec, model)
    for value in spec.body_of(model).inputs:
        for position, size in enumerate(value.type.shape):
            for name in sorted(variables(size)):
                low, high = model.bounds.get(name, (1, None))
                step = model.divisors.get(name, 1)
                sizes.setdefault(name, 1 if position == 0 else high or -(-low // step) * step)
    return sizes


def _fed_sizes(spec: Spec, model: Model) -> dict[str, int]:
    """Sizes that the fields of a `train` section give to the model's own symbolic axes."""
    sizes: dict[str, int] = {}
    recipe = spec.recipe
    for train in recipe.trains:
        if not any(net.name == "" and spec.models[net.model] is model for net in train.nets):
            continue
        fields = {field.name: field.type for field in recipe.dataset(train.data).fields}
        for value in spec.body_of(model).inputs:
            fed = fields.get(train.inputs.get(value.name, value.name))
            for own, given in zip(value.type.shape[1:], fed.shape[1:] if fed else (), strict=False):
                if isinstance(given, int) and str(own) in variables(own):  # a plain letter
                    sizes.setdefault(str(own), given)
    return sizes


@dataclass(frozen=True)
class _Weights:
    parameters: int
    buffers: int
    bytes: int

    def times(self, count: int) -> _Weights:
        return _Weights(self.parameters * count, self.buffers * count, self.bytes * count)


@dataclass(frozen=True)
class _Work:
    flops: int
    activations: int


class _Owner(NamedTuple):
    """An instance with its full path (`h.0..11.attn` for all turns at once) and how many of it there are."""

    path: str
    instance: Instance
    copies: int


#: What a body takes from around it, by the name it uses (`@embed`).
_Outer: TypeAlias = Mapping[str, _Owner]


class _Place(NamedTuple):
    """Where a body is: its path, the slot offsets of its first and last turn, and how many there are."""

    prefix: str
    first: Mapping[str, int]
    last: Mapping[str, int]
    uses: int

    def path(self, relative: str) -> str:
        """The path of all turns at once: `h.#0` at offsets 0 to 11 is `h.0..11`."""
        near, far = join("", relative, self.first), join("", relative, self.last)
        if near != far:
            pairs = zip(near.split("."), far.split("."), strict=True)
            near = ".".join(a if a == b else f"{a}..{b.rpartition('_')[2]}" for a, b in pairs)
        return join(self.prefix, near)

    def turns(self, scope: str, run: RepeatRun) -> _Place:
        near = {} if scope else dict(self.first)
        far = {} if scope else dict(self.last)
        for name in {*run.offsets, *run.strides}:
            offset = run.offsets.get(name, 0)
            near[name] = near.get(name, 0) + offset
            far[name] = far.get(name, 0) + offset + (run.count - 1) * run.strides.get(name, 0)
        return _Place(self.path(scope), near, far, self.uses * run.count)


class _Count:
    """The memo of one summary: work and weights by body."""

    def __init__(self, spec: Spec, sizes: Mapping[str, int]) -> None:
        self.spec = spec
        self.sizes = dict(sizes)
        self.works: dict[tuple[int, object], _Work] = {}
        self.owned: dict[int, dict[str, _Weights]] = {}
        self.listed: set[str] = set()  # rows that showed their parameters

    def size(self, size: Size) -> int:
        return size if isinstance(size, int) else evaluate(size, self.sizes)

    def shape(self, tensor: TensorType) -> tuple[int, ...]:
        return tuple(self.size(size) for size in tensor.shape)

    # ---- weights: by the path within the body, so that a shared layer counts once ------------------------------

    def weights(self, index: int) -> dict[str, _Weights]:
        if index not in self.owned:
            body = self.spec.bodies[index]
            found = {instance.path: self.instance(instance) for instance in body.instances}
            for number, node in enumerate(body.nodes):
                if isinstance(node, RepeatNode):
                    for position, run in enumerate(node.runs):
                        for path, owned in self.weights(run.body).items():
                            found[f"@{number}.{position}.{path}"] = owned.times(run.count)
                elif isinstance(node, ModeNode):
                    found |= self.weights(node.training) | self.weights(node.evaluation)
                elif isinstance(node, ScanNode):
                    found |= {f"@{number}.{path}": owned for path, owned in self.weights(node.body).items()}
            self.owned[index] = found
        return self.owned[index]

    def instance(self, instance: Instance) -> _Weights:
        if instance.body is not None:
            inner = self.weights(instance.body).values()
            return _Weights(*(sum(getattr(w, key) for w in inner) for key in ("parameters", "buffers", "bytes")))
        parameters = buffers = size = 0
        for parameter in instance.parameters:
            volume = _volume(parameter.shape)
            size += volume * byte_size(parameter.dtype)
            if parameter.buffer:
                buffers += volume
            else:
                parameters += volume
        return _Weights(parameters, buffers, size)

    # ---- work of the evaluation form ---------------------------------------------------------------------------

    def body(self, index: int, outer: _Outer) -> _Work:
        key = (index, tuple((name, id(owner.instance)) for name, owner in sorted(outer.items())))
        if key not in self.works:
            body = self.spec.bodies[index]
            types = {value.id: value.type for value in body.values()}
            flops = activations = 0
            for node in body.nodes:
                if isinstance(node, OpNode):
                    flops += self.node_flops(node, types)
                    activations += sum(_volume(self.shape(v.type)) * byte_size(v.type.dtype) for v in node.outputs)
                for inner, times, taken in self.regions(body, node, types, _NOWHERE, outer):
                    work = self.body(inner, taken)
                    flops += times * work.flops
                    activations += times * work.activations
            self.works[key] = _Work(flops, activations)
        return self.works[key]

    def regions(
        self, body: Body, node: AnyNode, types: Mapping[int, TensorType], place: _Place, outer: _Outer
    ) -> list[tuple[int, int, _Outer]]:
        """The bodies that a node enters: index, how often, and the instances it hands in."""

        def taken(references: Mapping[str, str]) -> _Outer:
            owners = {name: self.owner(body, reference, place, outer) for name, reference in references.items()}
            return {name: owner for name, owner in owners.items() if owner is not None}

        match node:
            case RepeatNode():
                return [(run.body, run.count, taken(run.instances)) for run in node.runs]
            case CallNode():
                return [(node.body, 1, taken(node.instances))]
            case ModeNode():
                return [(node.evaluation, 1, taken(node.instances))]
            case ScanNode():
                first = node.inputs[0]
                length = self.shape(types[first])[node.axis] if isinstance(first, int) else 1
                return [(node.body, length, taken(node.instances))]
            case _:
                return []

    def owner(self, body: Body, reference: str | None, place: _Place, outer: _Outer) -> _Owner | None:
        """The instance that a reference in a body means: its own, one handed in (`@embed`), or one inside these."""
        if reference is None:
            return None
        if reference.startswith("@"):
            name, _, rest = reference[1:].partition(".")
            found = outer.get(name)
        else:
            instance = next((i for i in body.instances if f"{reference}.".startswith(f"{i.path}.")), None)
            found = None if instance is None else _Owner(place.path(instance.path), instance, place.uses)
            rest = "" if instance is None else reference[len(instance.path) + 1 :]
        while found is not None and rest and found.instance.body is not None:
            inside = self.spec.bodies[found.instance.body].instances
            instance = next((i for i in inside if f"{rest}.".startswith(f"{i.path}.")), None)
            if instance is None:
                return None
            rest = rest[len(instance.path) + 1 :]
            found = _Owner(f"{found.path}.{instance.path}", instance, found.copies)
        return found

    def node_flops(self, node: OpNode, types: Mapping[int, TensorType]) -> int:
        """The catalogue's count; it needs neither weights nor the init among a layer's arguments."""
        kind = find(node.op)
        if kind is None or kind.flops is Op.flops:
            return 0
        operator = kind(**{name: value for name, value in node.args.items() if name != "init"})
        inputs = [types[i].with_shape(*self.shape(types[i])) if isinstance(i, int) else None for i in node.inputs]
        outputs = [value.type.with_shape(*self.shape(value.type)) for value in node.outputs]
        return self.size(operator.flops(inputs, outputs))

    # ---- the table ---------------------------------------------------------------------------------------------

    def rows(self, index: int, place: _Place, outer: _Outer) -> list[LayerRow]:
        body = self.spec.bodies[index]
        types = {value.id: value.type for value in body.values()}
        found: list[LayerRow] = []
        for node in body.nodes:
            if isinstance(node, OpNode):
                owner = self.owner(body, node.instance, place, outer)
                flops = self.node_flops(node, types) * place.uses
                if owner is None and not flops:
                    continue
                path = owner.path if owner else place.path(node.path or "")
                owned = 0
                if owner is not None and path not in self.listed:
                    self.listed.add(path)
                    owned = self.instance(owner.instance).parameters * owner.copies
                output = " ".join(str(value.type) for value in node.outputs)
                found.append(LayerRow(path, node.op, output, place.uses, owned, flops))
                continue
            for position, (inner, times, taken) in enumerate(self.regions(body, node, types, place, outer)):
                if isinstance(node, RepeatNode):
                    there = place.turns(node.scope, node.runs[position])
                elif isinstance(node, CallNode):
                    owner = self.owner(body, node.instance, place, outer)
                    there = _Place(owner.path if owner else place.prefix, {}, {}, place.uses)
                else:
                    there = place._replace(uses=place.uses * times)
                found += self.rows(inner, there, taken)
        return found


_NOWHERE = _Place("", {}, {}, 1)


def _volume(shape: tuple[int, ...]) -> int:
    volume = 1
    for axis in shape:
        volume *= axis
    return volume
