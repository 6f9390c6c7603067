"""What flows through the body of a loss: outputs of nets and fields of the data, in sums, ratios and blends (`targets.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from ..catalogue.ops import find
from ..catalogue.ops.base import Kind
from ..dataclass import dataclass, field
from ..ir.model import OpNode, Scalar
from ..sizes.dims import Size
from ..sizes.types import TensorType
from .meaning import Meaning

#: An output of a net: the net's name, and that of the output, tap or emit.
Output: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class FlowStep:
    """A function that an output or field went through; its arguments and scalar operands as text."""

    op: str
    text: str = ""
    elementwise: bool = True


@dataclass(frozen=True)
class Atom:
    """An output or field with what happened to it: `steps` changed its values, `views` their places."""

    kind: Literal["output", "field"]
    owner: str
    name: str
    type: TensorType
    steps: tuple[FlowStep, ...] = ()
    views: tuple[FlowStep, ...] = ()
    reshaped: bool = True  # the views keep all elements in their order

    @property
    def plain(self) -> bool:
        return not self.steps


@dataclass(frozen=True)
class FlowSum:
    """The sum of factor * atom, plus a number; None: of a number that is not known here."""

    terms: tuple[tuple[Atom, float], ...] = ()
    constant: float | None = 0.0

    @property
    def single(self) -> Atom | None:
        return self.terms[0][0] if len(self.terms) == 1 else None

    @property
    def compares(self) -> bool:
        kinds = {atom.kind for atom, _ in self.terms}
        return kinds == {"output", "field"}


@dataclass(frozen=True)
class FlowRatio:
    """factor * top / bottom + constant."""

    top: Atom
    bottom: Atom
    factor: float
    constant: float = 0.0


@dataclass(frozen=True)
class Rest:
    """What is 0 where an output is a field in the way that `meaning` describes; without one, `why` that is unknown.
    `rises`: it grows with the output; None where that depends."""

    outputs: frozenset[Output]
    fields: frozenset[str]
    meaning: Meaning | None
    why: str = ""
    rises: bool | None = None


@dataclass(frozen=True)
class Blend:
    """Computed from these in a way from which nothing can be read."""

    outputs: frozenset[Output] = frozenset()
    fields: frozenset[str] = frozenset()


Flow: TypeAlias = "FlowSum | FlowRatio | Rest | Blend"
NOTHING = Blend()


@dataclass
class Contacts:
    """Which outputs were compared with which fields, and which only met them."""

    compared: dict[Output, dict[Meaning, None]] = field(default_factory=dict[Output, "dict[Meaning, None]"])
    met: dict[Output, dict[str, None]] = field(default_factory=dict[Output, "dict[str, None]"])
    bounds: set[Rest] = field(default_factory=set[Rest])

    def compare(self, output: Output, meaning: Meaning) -> None:
        self.compared.setdefault(output, {})[meaning] = None

    def settle(self, rest: Rest) -> None:
        """Training brings this to 0."""
        if rest.meaning is None:
            self.meet(rest.outputs, [rest.why])
        for output in rest.outputs if rest.meaning is not None else ():
            self.compare(output, rest.meaning or Meaning("unknown"))

    def bound(self, rest: Rest) -> None:
        """Training keeps this from growing above 0; where it keeps its opposite from that too, it brings it to 0."""
        self.bounds.add(rest)
        if rest.rises is not None and replace(rest, rises=not rest.rises) in self.bounds:
            self.settle(rest)
        else:
            listed = " and ".join(f"`{name}`" for name in sorted(rest.fields))
            self.meet(rest.outputs, [f"{listed} bounds it on one side"])

    def meet(self, outputs: Iterable[Output], why: Iterable[str]) -> None:
        for output in outputs:
            self.met.setdefault(output, {}).update(dict.fromkeys(why))

    def meanings(self) -> dict[Output, Meaning]:
        found: dict[Output, Meaning] = {}
        for output in {**self.compared, **self.met}:
            several = list(self.compared.get(output, ()))
            if len(several) == 1:
                found[output] = several[0]
            elif several:
                fields = list(dict.fromkeys(meaning.field for meaning in several))
                listed = " and ".join(f"`{name}`" for name in fields)
                how = f"with {listed}" if len(fields) > 1 else f"with {listed} in more than one way"
                found[output] = Meaning("unknown", why=f"the loss compares it {how}")
            else:
                found[output] = Meaning("unknown", why=next(iter(self.met[output])))
        return found


@dataclass(frozen=True)
class View(FlowStep):
    """A change of places, and the shape after it."""

    shape: tuple[Size, ...] = field(default=(), compare=False)


def step_of(node: OpNode) -> FlowStep:
    beside = [operand.value for operand in node.inputs if isinstance(operand, Scalar)]
    text = f"{sorted(node.args.items(), key=str)} {beside}"
    return View(node.op, text, shape=node.outputs[0].type.shape)


def same_shape(given: Sequence[Flow], types: Sequence[TensorType | None]) -> bool:
    """Whether outputs and fields are compared element by element: none is broadcast."""
    shapes = {
        type.shape
        for flow, type in zip(given, types, strict=True)
        if type is not None and flow != FlowSum(constant=0) and blended(flow) != NOTHING
    }
    return len(shapes) <= 1


def blended(flow: Flow) -> Blend:
    """The outputs and fields of a value."""
    if isinstance(flow, Blend):
        return flow
    if isinstance(flow, Rest):
        return Blend(flow.outputs, flow.fields)
    atoms = [atom for atom, _ in flow.terms] if isinstance(flow, FlowSum) else [flow.top, flow.bottom]
    return Blend(
        frozenset((atom.owner, atom.name) for atom in atoms if atom.kind == "output"),
        frozenset(atom.name for atom in atoms if atom.kind == "field"),
    )


def constant_of(flow: Flow) -> Flow:
    """What no gradient flows through: the outputs in it are not trained by it, so it does not define what they mean."""
    part = blended(flow)
    if not part.outputs:
        return flow
    return Blend(fields=part.fields)


def number_of(flow: Flow) -> float | None:
    return flow.constant if isinstance(flow, FlowSum) and not flow.terms else None


# ---- what scores are ---------------------------------------------------------------------------------------------------


def of_classes(scores: Atom, labels: Atom, factor: float, axis: int) -> Meaning | None:
    """What class scores are before the functions between the output and the loss; None if unknown."""
    place = _class_axis(scores, axis)
    if place is None or factor <= 0:
        return None
    if not scores.steps:
        return Meaning("scores", labels.name, place, factor)
    if factor != 1:
        return None
    kinds: tuple[Kind, ...] = ("scores", "probabilities")
    return next((Meaning(kind, labels.name, place) for kind in kinds if _turned(kind, scores.steps) == "scores"), None)


def _turned(kind: Kind | None, steps: Iterable[FlowStep]) -> Kind | None:
    """What a value means after some functions; None where one of them loses it."""
    for step in steps:
        operator = find(step.op)
        kind = dict(operator.turns).get(kind) if operator is not None and kind is not None else None
    return kind


def of_shares(scores: Atom, labels: Atom, factor: float, shift: float) -> Meaning | None:
    if scores.steps or (scores.views != labels.views and not (scores.reshaped and labels.reshaped)):
        return None
    return Meaning("logit", labels.name, scale=factor, shift=shift)


def _class_axis(scores: Atom, axis: int) -> int | None:
    """The class axis in the output itself, counted from the end."""
    shape = scores.type.shape
    if not scores.views:
        return axis if axis < 0 else axis - len(shape)
    size = _size_after(scores, axis)
    places = [at - len(shape) for at, each in enumerate(shape) if each == size]
    if len(places) == 1:
        return places[0]
    return -1 if -1 in places and axis == -1 else None


def _size_after(scores: Atom, axis: int) -> Size | None:
    last = scores.views[-1]
    return last.shape[axis] if isinstance(last, View) and -len(last.shape) <= axis < len(last.shape) else None
