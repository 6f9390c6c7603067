"""The recipe half of the typed IR: data, training, export.

Everything a runtime or a backend needs is here in full: defaults are filled in, names are resolved, expressions are
bodies of the same kind as those of models. Units are kept (`Duration`) until the number of records is known.

**Data** is a small graph a record: `DataSet.nodes` in an order in which each reads only earlier ones, fields point at
nodes. A node that several fields read is computed once (so a random window is drawn once for tokens and targets).

**Expressions of `train`** are bodies with role `step` or `metrics`. Their inputs are batch fields, by name. A net
(`train.model` or a `let`) is an `Instance` of the body whose path is its name (`model` when it has none) and a
`CallNode` applies it; the node's outputs are the declared outputs, then the taps and emits that the expressions read,
each under its name (`Value.name`). Emits come from an `OpNode` `emitted` (args: name; no inputs) at the end of the net's
body: the values of all applications in execution order, stacked on a new first axis. Losses and metrics are `OpNode`s
whose `op` is in the loss or metric table.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ..messages.source import Span
from ..sizes.dims import Size
from ..sizes.types import TensorType
from .arguments import Argument, Selector
from .record import Record, field

Split: TypeAlias = Literal["train", "val", "test"]


class Entry(Record):
    """A use of an entry of a recipe table: its name and all its arguments, defaults included."""

    name: str
    args: dict[str, Argument] = field(default_factory=dict)
    span: Span


# ---- data ----------------------------------------------------------------------------------------------------------


class Classes(Record):
    """What is known of a class field: the count, and the names in the order of their numbers. None: known only from
    the data."""

    count: int | None = None
    names: tuple[str, ...] | None = None


class ItemType(Record):
    """What one record holds at a node, as far as it is known without looking at the data.

    `tensor`: dtype and shape (None: unknown; a None axis is one too). `column`: a cell of a table, a number or a text
    (or, where the shape is unknown, an array), known only from the data. `stream`: a sequence of i64 or f32 that is no record yet
    (`random_window` cuts it). `text`: a string. `words`: a list of strings. `record`: named members.
    """

    kind: Literal["tensor", "column", "stream", "text", "words", "record"]
    dtype: str | None = None
    shape: tuple[Size | None, ...] | None = None
    classes: Classes | None = None
    members: dict[str, ItemType] = field(default_factory=dict)


class DataNode(Record):
    """One value of a record. `op` is a transform of the table, or one of

    - `source` (args: field): a field of the source;
    - `columns` (args: except): all columns of a table but these, as f32[n], in the file's order;
    - `tuple`: a record of the inputs, members `first`, `second`, ...;
    - `member` (args: name): a member of a record;
    - `slice` (args: start, stop; None is open): along the first axis;
    - `index` (args: at): one element of the first axis, which is dropped;
    - `to_float`: u8 as value / 255, f32;
    - `choose`: inputs[0] in training, inputs[1] in evaluation; the other is not computed.

    A transform of a record applies to each member, with one random draw for all.
    """

    id: int
    op: str
    args: dict[str, Argument] = field(default_factory=dict)
    inputs: tuple[int, ...] = ()
    type: ItemType
    name: str = ""
    span: Span


class DataField(Record):
    """A batch field: `type` has the batch axis `B` first, and what follows is the declared type of a record."""

    name: str
    type: TensorType
    node: int
    classes: Classes | None = None
    span: Span


class Condition(Record):
    """`where`: `op` is `and`, `or`, `not` over `items`, or a comparison sign over `left` and `right`: a dimension of the
    fields (`{"dim": name}` as a `Dim`), `("node", id)`, or a constant."""

    op: str
    items: tuple[Condition, ...] = ()
    left: Argument = None
    right: Argument = None
    span: Span


class DataSet(Record):
    """A `data` section.

    `split` is one of
    - `random` (train, val, test: fractions; stratify, group: source fields or None; seed),
    - `contiguous` (train, val, test; by: source field or None),
    - `folders`, `files` (train, val, test: a name, a fraction taken from train, or None; seed),
    - `all` (split).

    `lengths` are the ragged dimensions with their largest value (None: unbounded), each one length a record.
    Paths are as written, relative to the spec.
    """

    name: str
    source: Entry
    split: Entry
    skip: tuple[str, ...] = ()
    where: Condition | None = None
    nodes: tuple[DataNode, ...]
    fields: tuple[DataField, ...]
    lengths: dict[str, int | None] = field(default_factory=dict)
    span: Span

    def node(self, identifier: int) -> DataNode:
        return next(node for node in self.nodes if node.id == identifier)

    def field(self, name: str) -> DataField:
        return next(field for field in self.fields if field.name == name)


class FieldFacts(Record):
    """What the data says of a field: dtype and shape of one record (an axis that varies is None), its classes, and for
    a fitted or fixed vocabulary the largest id + 1."""

    dtype: str
    shape: tuple[int | None, ...]
    classes: tuple[str, ...] | None = None
    vocabulary: int | None = None


class DataFacts(Record):
    """What was found by looking at the data of one section: records a split (windows of a stream; the train split's are
    those of one epoch), and fields by name."""

    records: dict[str, int]
    fields: dict[str, FieldFacts] = field(default_factory=dict)


# ---- training ------------------------------------------------------------------------------------------------------


class Duration(Record):
    """A length of training: `100 epochs`, `2k steps`, or the rest of the duration."""

    amount: int | float = 0
    unit: Literal["steps", "epochs", "samples", "tokens", "s", "min", "h", "rest"]


class Segment(Record):
    """A piece of a schedule.

    `linear`, `cosine` go to `to` within `length`; `hold` keeps the value for `length`; `decay` multiplies by `factor`
    after every `length`, to the end; `inverse_sqrt` falls with the square root of the time since the schedule began, for
    `length`; `jump` goes to `to` at once.
    """

    kind: Literal["linear", "cosine", "hold", "decay", "inverse_sqrt", "jump"]
    to: float | None = None
    factor: float | None = None
    length: Duration | None = None
    span: Span


class Schedule(Record):
    """A hyperparameter over time: `scale` times the curve that begins at `start`. Time is updates completed."""

    start: float
    segments: tuple[Segment, ...]
    scale: float = 1.0
    span: Span


class Optimizer(Record):
    """All hyperparameters of the entry by name; one that has a schedule stands in `args` with its value at time 0."""

    name: str
    args: dict[str, Argument]
    schedules: dict[str, Schedule] = field(default_factory=dict)
    span: Span


class ParameterGroup(Record):
    """Overrides for the parameters that a selector chooses; later groups win."""

    selectors: tuple[Selector, ...]
    args: dict[str, Argument]
    schedules: dict[str, Schedule] = field(default_factory=dict)
    span: Span


class Freeze(Record):
    """Parameters (and their batch statistics) that do not move, for good or for a time from the start of the phase."""

    selectors: tuple[Selector, ...]
    until: Duration | None = None
    span: Span


class Clip(Record):
    """`norm`: the gradient's total norm is cut to `limit`; `value`: each element."""

    kind: Literal["norm", "value"]
    limit: float


class Term(Record):
    """A loss term: its name (`loss` when there is one without a name) and its value in the body.

    `counts` are the indices of the body's nodes that are losses with a sum and a count, and that the term contains:
    over micro-batches and devices a step's loss is total sum / total count of each. Everything else in the term is
    computed on a micro-batch and averaged (`across`: it joins examples so that this is not the same, W0405).
    """

    name: str
    value: int
    counts: tuple[int, ...] = ()
    across: bool = False


class Update(Record):
    """One optimizer with what it follows: a `step` section, or the section itself (`name` is then "").

    `nets` are the names of the nets whose parameters it updates. The total loss is the sum of `terms`. `lets` are the
    values of `Phase.shared` that the body reads, as inputs of these names.
    """

    name: str
    body: int
    terms: tuple[Term, ...]
    nets: tuple[str, ...]
    optimizer: Optimizer
    groups: tuple[ParameterGroup, ...] = ()
    clip: Clip | None = None
    repeat: int = 1
    lets: tuple[str, ...] = ()
    span: Span


class Batch(Record):
    """Samples (or at most that many tokens) an optimizer step over all devices; `micro` is per device, None: derived."""

    amount: int
    unit: Literal["samples", "tokens"] = "samples"
    micro: int | None = None


class Validate(Record):
    """How often, and on how many batches of the validation split (None: all)."""

    every: Duration
    batches: int | None = None


class Log(Record):
    """`every` None: the runtime's own rhythm. `images` and `values` are names of fields, lets or bindings; `body` (role
    `step`) computes them from a batch. It is None when nothing but losses and metrics is logged."""

    every: Duration | None = None
    images: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    body: int | None = None


class Runtime(Record):
    """What may change speed and memory, never the mathematics (but `sync_batch_norm`)."""

    shard: Literal["fsdp"] | None = None
    recompute: tuple[str, ...] = ()
    sync_batch_norm: bool = False
    workers: int | None = None


class Phase(Record):
    """A stretch of training, complete with what it takes over from the section. A section without phases has one, named
    "". `fresh`: the optimizer starts anew here.

    `shared` is a body (role `step`) over batch fields whose outputs are the lets that updates read: it runs once a batch,
    before them, and their gradients flow through it. A section without `step` has none: its lets stand in its body."""

    name: str = ""
    duration: Duration
    shared: int | None = None
    updates: tuple[Update, ...]
    freeze: tuple[Freeze, ...] = ()
    batch: Batch
    validate_every: Validate
    precision: Literal["f32", "bf16", "f16"] | None = None
    mixup: float | None = None
    log: Log = Log()
    runtime: Runtime = Runtime()
    fresh: bool = True
    span: Span


class Metric(Record):
    """A metric and its value in the evaluation's body.

    Its built-in parts are the body's `OpNode`s of the metric table: each gathers over the whole split, and what the
    body computes from them is computed once, at the end. A metric without built-in parts is averaged over examples.
    `direction` says which is better; None: it follows from nothing.
    """

    name: str
    value: int
    direction: Literal["max", "min"] | None
    parts: tuple[int, ...] = ()
    span: Span


class Evaluation(Record):
    """What is computed on `val` and `test`: the loss terms and the metrics, over one application of the nets."""

    body: int
    terms: tuple[Term, ...]
    metrics: tuple[Metric, ...]


class Watched(Record):
    """A figure that `keep`, `stop` and `objective` follow: `val.acc`."""

    split: Split
    name: str
    direction: Literal["max", "min"]


class Keep(Record):
    """Which weights the run keeps beside the last: the best by a figure, the last, or an average of the last n."""

    kind: Literal["best", "last", "average"]
    metric: Watched | None = None
    last: int | None = None


class Stop(Record):
    """Stops when the figure has not improved for `patience`."""

    metric: Watched
    patience: Duration


class WeightSource(Record):
    """Where a net's first weights come from: `torchvision`, `hf` or `file`, maybe through a weight map."""

    entry: Entry
    map: str | None = None
    skip: tuple[str, ...] = ()


class Net(Record):
    """A root use of a model: `name` is its `let` ("" for `train.model`), `model` an index into `Spec.models`.

    Parameter paths of a net with a name begin with `name.` in selectors and checkpoints. The expressions call it on a
    body checked with the types of the batch fields; `model` is checked on its own signature. `extra` are the taps that
    this section reads: they follow the declared outputs of every call, and of the class generated for the run.
    """

    name: str
    model: int
    extra: tuple[str, ...] = ()
    span: Span


class Train(Record):
    """A `train` section. `inputs` maps inputs of `train.model` to batch fields."""

    name: str
    data: str
    nets: tuple[Net, ...]
    inputs: dict[str, str] = field(default_factory=dict)
    phases: tuple[Phase, ...]
    evaluation: Evaluation
    keep: Keep
    stop: Stop | None = None
    seed: int = 0
    ema: float | None = None
    weights: dict[str, WeightSource] = field(default_factory=dict)
    span: Span

    def net(self, name: str) -> Net:
        return next(net for net in self.nets if net.name == name)


# ---- export --------------------------------------------------------------------------------------------------------


class Export(Record):
    """An `export` section.

    `model` is an index into `Spec.models`, `net` the name of the net in `train` whose weights it has. `inputs` are
    inputs or taps of the model. `tail` is a body (role `step`) whose inputs are values of the model by name (inputs,
    outputs, taps) and whose outputs are those of the graph; an output that is passed on unchanged is an input there.
    """

    name: str
    onnx: str
    train: str | None = None
    net: str = ""
    model: int
    inputs: tuple[str, ...]
    tail: int
    fix: dict[str, int] = field(default_factory=dict)
    precision: Literal["f32", "f16", "bf16"] = "f32"
    opset: int | None = None
    preprocess: bool = False
    quantize: Entry | None = None
    span: Span


# ---- search and weight maps ----------------------------------------------------------------------------------------


class DrawCase(Record):
    condition: Condition | None = None
    distribution: Entry


class Draw(Record):
    """`path ~ distribution`: a setting (its full path) that each trial draws.

    `cases` are tried in order; the first whose condition holds is drawn from. A condition compares other settings of the
    search, `("setting", path)`, with constants; the last case may have none. Distributions: `choice` (values), `uniform`,
    `log_uniform`, `int_uniform` (low, high), `fixed` (value). Functions and layers stand there by their text.
    """

    path: str
    cases: tuple[DrawCase, ...]
    span: Span


class Prune(Record):
    """`asha`: after `min`, and ever longer, only the best 1/`factor` go on; `median`: from `min` on, the better half."""

    kind: Literal["asha", "median"]
    min: Duration
    factor: int = 3


class Search(Record):
    """A `search` section. `method` is `grid`, `random` or `bayes`."""

    name: str
    train: str
    method: Entry
    objective: Watched
    prune: Prune | None = None
    draws: tuple[Draw, ...]
    span: Span


class Foreign(Record):
    """What a rule takes from foreign tensors: one that `pattern` names, transposed or sliced along the first axis, or
    several joined along `axis`."""

    kind: Literal["tensor", "transpose", "slice", "concat"]
    pattern: str = ""
    items: tuple[Foreign, ...] = ()
    start: int | None = None
    stop: int | None = None
    axis: int = 0


class WeightRule(Record):
    """`"ours" <- theirs`: wildcards correspond in order."""

    ours: str
    theirs: Foreign
    span: Span


class WeightMap(Record):
    """A `weights NAME for Model` section: the first rule that matches one of our parameters produces it."""

    name: str
    model: str
    rules: tuple[WeightRule, ...]
    ignore: tuple[str, ...] = ()
    strip: str = ""
    span: Span


class Recipe(Record):
    """All sections of a spec but the models."""

    data: tuple[DataSet, ...] = ()
    trains: tuple[Train, ...] = ()
    exports: tuple[Export, ...] = ()
    searches: tuple[Search, ...] = ()
    maps: tuple[WeightMap, ...] = ()

    def dataset(self, name: str) -> DataSet:
        return next(data for data in self.data if data.name == name)

    def weight_map(self, name: str) -> WeightMap:
        return next(found for found in self.maps if found.name == name)

    def train(self, name: str = "") -> Train:
        return next(train for train in self.trains if train.name == name)


__all__ = [
    "Batch", "Classes", "Clip", "Condition", "DataFacts", "DataField", "DataNode", "DataSet", "Draw", "DrawCase",
    "Duration", "Entry", "Evaluation", "Export", "FieldFacts", "Foreign", "Freeze", "ItemType", "Keep", "Log", "Metric", "Net", "Optimizer",
    "ParameterGroup", "Phase", "Prune", "Recipe", "Runtime", "Schedule", "Search", "Segment", "Split", "Stop", "Term", "Train", "Update",
    "Validate", "Watched", "WeightMap", "WeightRule", "WeightSource",
]  # fmt: skip
