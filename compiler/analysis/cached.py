"""Whether a model has a cached form: positions are fed a few at a time, and what earlier ones left behind is kept.

It has one if the length `T` of its tokens reaches only causal attention (whose keys and values are kept), stages that
work position by position, and `arange(T)`, `sinusoid(T, ..)` and `rope`, which then begin at the number of positions
already seen. Everything else would need the whole sequence: E0503 shows the stage.

A value is one of three: *still*, the same at every step; *positions*, with an axis of the size `T`; *last*, computed from
the last position alone (`x[:, -1]`), which is the same whether the positions before it are there or kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NoReturn, TypeAlias

from ..catalogue.ops import find
from ..catalogue.ops.base import Op
from ..catalogue.ops.positions import FOR_KEYS, Left, NotPiecewise, Positions
from ..dataclass import dataclass
from ..ir.expand import join
from ..ir.liveness import Liveness, reached
from ..ir.model import (
    AnyNode,
    Body,
    CallNode,
    Model,
    ModeNode,
    OpNode,
    RepeatNode,
    Requirement,
    Scalar,
    ScanNode,
    Spec,
    WeightNode,
)
from ..messages import export as errors
from ..messages.diagnostics import Failed
from ..sizes.dims import Size, var, variables
from ..sizes.types import TensorType

Kind: TypeAlias = Literal["still", "positions", "last"]


def cached_length(spec: Spec, model: Model, fixed: Collection[str] = ()) -> str:
    """The dimension that is fed piece by piece. `fixed` are dimensions that the export gives sizes. Raises Failed, E0503."""
    body = spec.body_of(model)
    names = dict.fromkeys(
        str(size)
        for value in body.inputs
        for size in value.type.shape[1:]
        if variables(size) == frozenset((str(size),))
    )
    open_names = [name for name in names if name not in fixed]
    if not open_names:
        raise Failed(errors.no_sequence(model.name, sorted(names), body.span))
    failures: list[tuple[bool, Failed]] = []
    for name in open_names:
        reader = _Reader(spec, model, name)
        try:
            reader.run()
        except Failed as failure:
            failures.append((not reader.causal, failure))
        else:
            return name
    raise min(failures, key=lambda found: found[0])[1]  # of several sequences, the one that is meant to be generated


@dataclass(frozen=True)
class _Use:
    """One use of an operator."""

    node: OpNode
    types: tuple[TensorType | None, ...]
    kinds: tuple[Kind, ...]
    place: str


class _Reader:
    """Follows one dimension through a model."""

    def __init__(self, spec: Spec, model: Model, length: str) -> None:
        self.spec, self.model, self.length = spec, model, length
        self.size, self.positions = var(length), Positions(length, ())
        self.live = Liveness(spec.bodies)
        self.kept = 0  # attentions whose keys and values are kept
        self.causal = False  # whether there is causal attention at all
        self._known: dict[tuple[int, tuple[Kind, ...]], tuple[Kind, ...]] = {}

    def run(self) -> None:
        body = self.spec.body_of(self.model)
        kinds: dict[int, Kind] = {value.id: self._of(value.type) for value in body.inputs}
        self._body(body, kinds, "")
        for result in body.outputs:
            type = body.value(result.value).type
            if any(type.shape[axis] != self.size for axis in self._axes(type)):
                raise Failed(
                    errors.output_of_other_length(self.model.name, result.name, self.length, str(type), body.span)
                )
        if not self.kept:
            raise Failed(errors.nothing_to_keep(self.model.name, self.length, body.span))
        for inner in reached(self.spec.bodies, self.model.body):
            for requirement in inner.requirements:
                if self.length in variables(requirement.left) | variables(requirement.right):
                    self._requirement(requirement)

    def _requirement(self, requirement: Requirement) -> None:
        """`T <= n` concerns the whole length; a step of one position is not a multiple of anything."""
        if requirement.op in ("==", "!="):
            raise Failed(errors.length_required(self.model.name, self.length, requirement.text, requirement.span))

    # ---- bodies ----------------------------------------------------------------------------------------------------

    def _of(self, type: TensorType) -> Kind:
        return "positions" if self._axes(type) else "still"

    def _axes(self, type: TensorType | None) -> tuple[int, ...]:
        """The axes whose size speaks of `T`."""
        return self.positions.axes(type)

    def _body(self, body: Body, kinds: dict[int, Kind], place: str) -> tuple[Kind, ...]:
        targets = [result.value for result in body.outputs]
        types = {value.id: value.type for value in body.values()}
        for node in self.live.nodes(body, kinds.keys(), targets):
            made = self._node(node, kinds, types, place)
            kinds.update(zip((value.id for value in node.outputs), made, strict=True))
        return tuple(kinds[target] for target in targets)

    def _enter(self, index: int, given: Sequence[Kind], place: str) -> tuple[Kind, ...]:
        key = (index, tuple(given))
        if key not in self._known:
            body = self.spec.bodies[index]
            kinds: dict[int, Kind] = {value.id: kind for value, kind in zip(body.inputs, given, strict=True)}
            self._known[key] = self._body(body, kinds, place)
        return self._known[key]

    def _node(
        self, node: AnyNode, kinds: Mapping[int, Kind], types: Mapping[int, TensorType], place: str
    ) -> tuple[Kind, ...]:
        def kinds_of(operands: Sequence[Any]) -> list[Kind]:
            """What only training reads was not computed; it stays as it is."""
            return [kinds.get(operand, "still") if isinstance(operand, int) else "still" for operand in operands]

        match node:
            case WeightNode():
                return ("still",)
            case OpNode():
                found = tuple(types[operand] if isinstance(operand, int) else None for operand in node.inputs)
                return self._operator(_Use(node, found, tuple(kinds_of(node.inputs)), place))
            case CallNode():
                return self._enter(node.body, kinds_of(node.inputs), join(place, node.instance.lstrip("@")))
            case ModeNode():
                return self._enter(node.evaluation, kinds_of(node.inputs), place)
            case RepeatNode():
                carried = kinds_of(node.inputs)
                for run in node.runs:
                    captures = kinds_of(run.captures)
                    inner = join(place, node.scope) if node.scope else place
                    for _ in range(min(run.count, 3)):  # kinds settle: still may become last, never back
                        carried = list(self._enter(run.body, [*carried, *captures], inner))
                return tuple(carried)
            case ScanNode():
                given = kinds_of(node.inputs)
                if "positions" in given or any(self._axes(value.type) for value in node.outputs):
                    raise Failed(
                        errors.no_cached_form(
                            self.model.name,
                            "scan",
                            f"iterates over the positions along `{self.length}`",
                            node.span,
                            place,
                        )
                    )
                return tuple("last" if "last" in given else "still" for _ in node.outputs)

    # ---- operators -------------------------------------------------------------------------------------------------

    def _operator(self, use: _Use) -> tuple[Kind, ...]:
        node = use.node
        outputs = [self._axes(value.type) for value in node.outputs]
        spoken = [value for value in node.args.values() if self.positions.speaks(value)]
        numbers = [
            operand for operand in node.inputs if isinstance(operand, Scalar) and self.positions.speaks(operand.value)
        ]
        if numbers or (spoken and not _known(node.op).sized):
            self._reject(use, f"computes with the number `{self.length}`, which is unknown in a single step")
        if "positions" not in use.kinds and not any(outputs) and not spoken:
            return tuple("last" if "last" in use.kinds else "still" for _ in node.outputs)
        if "last" in use.kinds and ("positions" in use.kinds or any(outputs)):
            self._reject(use, "passes the last position to earlier ones")
        chosen = self._rule(use)
        for axes, value in zip(outputs, node.outputs, strict=True):
            if len(axes) > 1:
                self._reject(use, f"compares all pairs of positions: `{value.type}`", FOR_KEYS)
            if not axes and "positions" in use.kinds and chosen == "still":
                self._reject(use, f"drops the axis `{self.length}`")
            if any(not _whole(value.type.shape[axis], self.length) for axis in axes):
                self._reject(use, f"changes the number of positions: `{value.type}`")
        return tuple("positions" if axes else chosen for axes in outputs)

    def _rule(self, use: _Use) -> Left:
        """Rejects what needs other positions; what a result without positions is."""
        # no rule needs the init among a layer's arguments, which is not that of a spec in the IR
        args = {name: value for name, value in use.node.args.items() if name != "init"}
        positions = Positions(self.length, use.types)
        try:
            return _known(use.node.op)(**args).piecewise(positions)
        except NotPiecewise as found:
            self._reject(use, found.reason, *found.helps)
        finally:
            self.causal |= positions.causal
            self.kept += positions.kept

    def _reject(self, use: _Use, reason: str, *helps: str) -> NoReturn:
        node = use.node
        raise Failed(errors.no_cached_form(self.model.name, _written(node.op), reason, node.span, use.place, *helps))


def _known(op: str) -> type[Op]:
    found = find(op)
    assert found is not None, op
    return found


def _whole(size: Size, length: str) -> bool:
    """Whether a size is `T` times something: one product, `T` in it once."""
    if isinstance(size, int) or len(size.terms) != 1:
        return False
    monomial, coefficient = size.terms[0]
    return dict(monomial).get(length) == 1 and coefficient.denominator == 1


def _written(op: str) -> str:
    """An operator as a spec writes it."""
    kind = find(op)
    return kind.syntax or op if kind is not None else op
