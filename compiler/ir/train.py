"""`train` sections: phases of updates, what is evaluated, and what the run keeps and follows.

Expressions are bodies with role `step` or `metrics`. Their inputs are batch fields, by name. A net (`train.model` or a
`let`) is an `Instance` of the body whose path is its name (`model` when it has none) and a `CallNode` applies it; the
node's outputs are the declared outputs, then the taps and emits that the expressions read, each under its name
(`Value.name`). Emits come from an `OpNode` `emitted` (args: name; no inputs) at the end of the net's body: the values of
all applications in execution order, stacked on a new first axis. Losses and metrics are `OpNode`s whose `op` is a loss or
metric of the catalogue. Units are kept (`Duration`) until the number of records is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ..messages.source import Span
from .arguments import Argument, EntryUse, Selector
from .data import Split
from .record import Record, field


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

    kind: str
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
    """All hyperparameters of the entry by name; one with a schedule is in `args` with its value at time 0."""

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

    def schedules(self) -> Iterator[tuple[str, Schedule]]:
        """Those of the optimizer and its groups, by what they change."""
        yield from self.optimizer.schedules.items()
        for group in self.groups:
            yield from group.schedules.items()


class Batch(Record):
    """Samples (or at most that many tokens) an optimizer step over all devices; `micro` is per device, None: derived.

    `batches` is how many of tokens an epoch has, which is known with the data."""

    amount: int
    unit: Literal["samples", "tokens"] = "samples"
    micro: int | None = None
    batches: int | None = None

    def evaluation(self) -> Batch:
        """The batch of evaluation; what is measured does not depend on it."""
        size = self.micro or self.amount
        return Batch(amount=size if self.unit == "tokens" else max(size, 256), unit=self.unit)


class Validate(Record):
    """How often, and on how many batches of the validation split (None: all). One that is not written has no `span`."""

    every: Duration
    batches: int | None = None
    span: Span | None = None


class Log(Record):
    """`every` None: the runtime's own rhythm; `span` is where it is written. `images` and `values` are names of fields, lets or bindings; `body` (role
    `step`) computes them from a batch. It is None when nothing but losses and metrics is logged."""

    every: Duration | None = None
    images: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    body: int | None = None
    span: Span | None = None


class Runtime(Record):
    """What may change speed and memory, never the mathematics (but `sync_batch_norm`)."""

    shard: Literal["fsdp"] | None = None
    recompute: tuple[str, ...] = ()
    sync_batch_norm: bool = False
    workers: int | None = None


class Phase(Record):
    """A stretch of training, complete with what it takes over from the section. A section without phases has one, named
    "". `fresh`: the optimizer starts from scratch here.

    `sampling` is how the records of an epoch are drawn; None: each once.
    `shared` is a body (role `step`) over batch fields whose outputs are the lets that updates read: it runs once a batch,
    before them, and their gradients flow through it. A section without `step` has none: its lets are in its body."""

    name: str = ""
    duration: Duration
    shared: int | None = None
    updates: tuple[Update, ...]
    freeze: tuple[Freeze, ...] = ()
    batch: Batch
    sampling: EntryUse | None = None
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
    `direction`: which is better; None if unknown.
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
    """Which weights the run keeps in addition to the last: the best by a figure, the last, or an average of the last n."""

    kind: Literal["best", "last", "average"]
    metric: Watched | None = None
    last: int | None = None
    span: Span | None = None


class Stop(Record):
    """Stops when the figure has not improved for `patience`."""

    metric: Watched
    patience: Duration
    span: Span


class WeightSource(Record):
    """Where a net's first weights come from: `torchvision`, `hf` or `file`, maybe through a weight map."""

    entry: EntryUse
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
