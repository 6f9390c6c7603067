"""The typed IR: what every backend lowers and every report reads.

A block instance, a turn of a `repeat` and a branch of `if training` are *bodies*: checked once, instantiated often.
`Spec.bodies` holds each distinct body once and everything else refers to it by index. Paths and parameters are expanded
lazily by `compiler/ir/expand.py`, so `repeat 1000` costs one body.

Paths inside a body are relative to it. A segment written `#2` or `conv#1` is a *slot*: the body is a turn of an
unlabelled or labelled `repeat`, whose numbers (or counted names) continue those of the scope around it; the expansion
adds the turn's offset and writes `2`, or `conv_2`.

All classes are frozen records with a JSON round trip; spans point into `Spec.sources`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias

from ..messages.source import Span
from ..sizes.dims import Size
from ..sizes.types import TensorType
from .arguments import Argument, Selector
from .recipe import Recipe
from .record import Record, field


class _ByKind:
    """A union discriminated by the field `kind`."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic import Discriminator

        return handler.generate_schema(Annotated[source, Discriminator("kind")])


# ---- values --------------------------------------------------------------------------------------------------------


class Value(Record):
    """A tensor of a body. `id` is unique in its body; `name` is what the source calls it (`""`: nothing)."""

    id: int
    type: TensorType
    name: str = ""


class Scalar(Record):
    """A static number, bool or size in a tensor input's place; it takes the dtype of the other operand."""

    value: Argument


#: What flows into a node: a value's id, a scalar, or None for an optional input that is absent.
Operand: TypeAlias = int | Scalar | None


# ---- parameters ----------------------------------------------------------------------------------------------------


class Init(Record):
    """How a parameter gets its first value: an entry of the init table with its arguments (`normal`, {"std": 0.02})."""

    name: str
    args: dict[str, Argument] = field(default_factory=dict)


class Parameter(Record):
    """A tensor that a layer owns. `name` is its leaf name (`weight`); a buffer is not trained."""

    name: str
    shape: tuple[int, ...]
    init: Init | None = None
    dtype: str = "f32"
    buffer: bool = False


class InitRule(Record):
    """`init selectors = init` of a block or model; paths are relative to the body that contains it."""

    selectors: tuple[Selector, ...]
    init: Init
    span: Span


class Instance(Record):
    """Something that owns a path in a body: a catalogue layer (`op`, `args`, `parameters`) or a block (`body`).

    Applied several times it is shared. `body` is the one of the first application; later ones may differ in sizes of
    their inputs, never in parameters.
    """

    path: str
    op: str | None = None
    args: dict[str, Argument] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    body: int | None = None
    span: Span


# ---- nodes ---------------------------------------------------------------------------------------------------------


class BodyNode(Record):
    """What all nodes share. `inputs` follow the declared tensor inputs of the operator or the inputs of the body."""

    inputs: tuple[Operand, ...]
    outputs: tuple[Value, ...]
    span: Span


class OpNode(BodyNode):
    """An operator of the catalogue.

    A function: `op`, `args`; `path` is the number it takes in a numbered scope (`mlp.1`), or None.
    A layer: also `instance`, the reference to the `Instance` that owns the weights (its arguments are in `args` too).
    """

    kind: Literal["op"] = "op"
    op: str
    args: dict[str, Argument] = field(default_factory=dict)
    instance: str | None = None
    path: str | None = None


class WeightNode(BodyNode):
    """Reads a parameter as a tensor: `wte.weight` (instance `wte`, name `weight`)."""

    kind: Literal["weight"] = "weight"
    instance: str
    name: str


class CallNode(BodyNode):
    """Applies a block: `instance` owns its weights, `body` is what runs.

    `instances` gives the instances that the body takes as parameters (`Head(embed)`): its name -> reference here.
    """

    kind: Literal["call"] = "call"
    instance: str
    body: int
    instances: dict[str, str] = field(default_factory=dict)


class RepeatRun(Record):
    """`count` equal turns of a repeat. `offsets` are the slot numbers at the first turn, `strides` what a turn adds,
    both by counter (`""` for numbered stages, else the base name). `captures` are outer values in the order of the
    body's inputs after the carried ones."""

    body: int
    count: int
    offsets: dict[str, int]
    strides: dict[str, int]
    captures: tuple[Operand, ...] = ()
    instances: dict[str, str] = field(default_factory=dict)


class RepeatNode(BodyNode):
    """`repeat n { .. }` or `for x in .. { .. }`: turns in order, each fed the values the one before returned.

    `inputs` are the carried values. `scope` is the label (`h`), or "" when the turns are spliced into the scope around.
    """

    kind: Literal["repeat"] = "repeat"
    scope: str
    runs: tuple[RepeatRun, ...]


class ModeNode(BodyNode):
    """`if training { .. } else { .. }`: two bodies over the same `inputs`, with outputs of the same types.

    Paths in both bodies are relative to the body around the node, like those of a turn with offset 0.
    `instances` maps the instances both bodies take from around them.
    """

    kind: Literal["mode"] = "mode"
    training: int
    evaluation: int
    instances: dict[str, str] = field(default_factory=dict)


class ScanNode(BodyNode):
    """`scan`: `inputs` are the sequences, then the carries' start values, then captured values.

    The body's inputs are the slices, the carries, the captures; its outputs are the carries, then the stacked value.
    The node's outputs are the stacked result, then the final carries.
    """

    kind: Literal["scan"] = "scan"
    axis: int
    body: int
    sequences: int
    carries: int
    instances: dict[str, str] = field(default_factory=dict)


AnyNode: TypeAlias = Annotated[OpNode | WeightNode | CallNode | RepeatNode | ModeNode | ScanNode, _ByKind]


# ---- bodies --------------------------------------------------------------------------------------------------------


class Result(Record):
    """An output of a body: its name (`""` when the signature names none) and the value."""

    name: str
    value: int


class Requirement(Record):
    """A `require` or `T <= n` on symbolic sizes, checked on the input at run time.

    `op` is one of `== != < <= > >=`; `left` and `right` are sizes; `H % 16 == 0` has left `H - 16*floor(H/16)`.
    """

    left: Size
    op: str
    right: Size
    text: str
    message: str | None = None
    span: Span


class Body(Record):
    """Nodes in execution order over typed inputs, with the instances they use.

    `role`: `model` and `block` have a signature; `sequence` is a point-free block; `turn`, `branch` and `scan` are
    regions of the body around them; `step` and `metrics` belong to a recipe.
    `instance_inputs` are the names of instances that come from outside (parameters, or captured by a region); nodes
    refer to them as `@name` (and `@name.sub.layer` for something inside).
    `dims` gives the letters of the signature and their values here. `taps` are the last bindings of each tensor
    name (model bodies). `emits` are `emit name = value` statements.
    """

    name: str
    role: Literal["model", "block", "sequence", "turn", "branch", "scan", "step", "metrics"]
    statics: dict[str, Argument] = field(default_factory=dict)
    dims: dict[str, Size] = field(default_factory=dict)
    inputs: tuple[Value, ...]
    instance_inputs: tuple[str, ...] = ()
    instances: tuple[Instance, ...] = ()
    nodes: tuple[AnyNode, ...]
    outputs: tuple[Result, ...]
    taps: dict[str, int] = field(default_factory=dict)
    emits: tuple[Result, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    init_rules: tuple[InitRule, ...] = ()
    span: Span

    def values(self) -> Iterator[Value]:
        """Inputs, then every node's outputs."""
        yield from self.inputs
        for node in self.nodes:
            yield from node.outputs

    def value(self, identifier: int) -> Value:
        return next(value for value in self.values() if value.id == identifier)

    def instance(self, path: str) -> Instance:
        return next(instance for instance in self.instances if instance.path == path)


class Model(Record):
    """A root use of a model: the body checked on the model's own signature with these statics.

    `divisors` and `bounds` are the facts about its symbolic sizes (`{"H": 16}`, `{"T": (1, 1024)}`).
    """

    name: str
    statics: dict[str, Argument]
    body: int
    divisors: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, tuple[int, int | None]] = field(default_factory=dict)


class SourceText(Record):
    """Name and text of a source, so that a stored IR can still show places."""

    name: str
    text: str


class Spec(Record):
    """A whole checked spec."""

    edition: str
    name: str  # the file's stem
    dlc: str = ""  # in a file: the version of dlc that wrote it; empty in memory
    bodies: tuple[Body, ...]
    models: tuple[Model, ...]
    params: dict[str, Argument] = field(default_factory=dict)
    recipe: Recipe = Recipe()
    sources: tuple[SourceText, ...] = ()

    def written(self, indent: int) -> str:
        """As JSON for a file, with the version that writes it."""
        from importlib.metadata import version

        return self.model_copy(update={"dlc": version("dlc")}).model_dump_json(indent=indent)

    def model(self, name: str) -> Model:
        return next(model for model in self.models if model.name == name)

    def body_of(self, model: Model) -> Body:
        return self.bodies[model.body]
