"""Inputs to compare a file on: drawn to reach the corners of what the model takes.

    tokens: i64[B, T]   below the rows of the table that they index
    n: i64[B]           above and below 0, where it is only computed with; never 0 where it divides
    keep: bool[B, T]    one row that sees nothing, and one that sees everything

What a number leads to on its way through other operators is not followed: where the model cannot compute a draw, the next one
is plainer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...compiler.catalogue.ops import find
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.model import Body, CallNode, ModeNode, OpNode, RepeatNode, ScanNode, Spec
from ...compiler.sizes.dims import Size, evaluate
from ...compiler.sizes.types import is_float, is_integer

Array: TypeAlias = "NDArray[Any]"

PLAIN = 10  # whole numbers that are only computed with are below this
_DTYPES = {
    "f16": np.float16, "f32": np.float32, "f64": np.float64, "i8": np.int8, "i16": np.int16, "i32": np.int32,
    "i64": np.int64, "u8": np.uint8, "bool": np.bool_,
}  # fmt: skip


@dataclass
class Domain:
    """Whole numbers that an input may be: below each of `highs`, and from 0 on where there are any. `divides`: not 0."""

    highs: list[Size] = field(default_factory=list[Size])
    divides: bool = False

    def join(self, other: Domain) -> None:
        self.highs += other.highs
        self.divides |= other.divides

    def most(self, sizes: Mapping[str, int]) -> int | None:
        """The least of `highs`; None where nothing is known."""
        return min((high if isinstance(high, int) else evaluate(high, sizes) for high in self.highs), default=None)


def draws(spec: Spec, body: Body, sizes: Mapping[str, int], seed: tuple[int, ...]) -> Iterator[dict[str, Array]]:
    """Inputs of these sizes: first some that reach the corners, then plainer ones for a model that cannot compute these: whole
    numbers from 0, then 1 alone, then 0, with floats between 0 and 1 that may be made whole numbers."""
    domains = [domain(spec, body, value.id) for value in body.inputs]
    for attempt in range(4):
        random = np.random.default_rng((*seed, attempt) if attempt else seed)
        found: dict[str, Array] = {}
        for value, known in zip(body.inputs, domains, strict=True):
            shape = tuple(evaluate(size, sizes) for size in value.type.shape)
            dtype: Any = _DTYPES[value.type.dtype]
            if is_float(value.type.dtype):
                made = random.standard_normal(shape) if attempt < 2 else random.random(shape)
                found[value.name] = made.astype(dtype)
            elif is_integer(value.type.dtype):
                found[value.name] = _whole(random, shape, known, sizes, dtype, attempt)
            else:
                found[value.name] = _mask(random, shape, attempt)
        yield found


def _whole(
    random: np.random.Generator,
    shape: tuple[int, ...],
    known: Domain,
    sizes: Mapping[str, int],
    dtype: Any,
    attempt: int,
) -> Array:
    if attempt >= 2:
        return np.full(shape, 1 if attempt == 2 or known.divides else 0, dtype)
    limits, most = np.iinfo(dtype), known.most(sizes)
    low = -PLAIN + 1 if most is None and attempt == 0 and limits.min < 0 else 0
    high = most if most is not None else 256 if limits.max == 255 else PLAIN
    made = random.integers(low, max(low + 1, min(high, int(limits.max) + 1, 1 << 62)), shape).astype(dtype)
    return np.where(made == 0, 1, made).astype(dtype) if known.divides else made


def _mask(random: np.random.Generator, shape: tuple[int, ...], attempt: int) -> Array:
    made = random.random(shape) < 0.75
    if attempt == 0 and len(shape) > 1 and made.size:
        rows = made.reshape(-1, shape[-1])
        if len(rows) > 1:
            rows[0], rows[-1] = False, True
    return made


def domain(spec: Spec, body: Body, identifier: int, depth: int = 0) -> Domain:
    """What the operators that a value of a body goes into, as it is, can do with it."""
    found = Domain()
    if depth > 100:
        return found
    for node in body.nodes:
        for at, operand in enumerate(node.inputs):
            if operand == identifier:
                for inner, value in _into(spec, body, node, at, found):
                    found.join(domain(spec, inner, value, depth + 1))
        if isinstance(node, RepeatNode):
            for run in node.runs:
                inner = spec.bodies[run.body]
                for at, operand in enumerate((*node.inputs, *run.captures)):
                    if operand == identifier:
                        found.join(domain(spec, inner, inner.inputs[at].id, depth + 1))
    return found


def _into(spec: Spec, body: Body, node: Any, at: int, found: Domain) -> Iterator[tuple[Body, int]]:
    """Where a value is used next, by a node whose operand `at` it is; what the node itself needs of it is added to `found`."""
    match node:
        case OpNode():
            operator = find(node.op)
            if operator is None:
                return
            types = [body.value(v).type if isinstance(v, int) else None for v in node.inputs]
            args = {name: value for name, value in node.args.items() if name != "init"}
            positions = operator(**args).positions(*types)
            if positions is not None and positions[0] == at:
                found.highs.append(positions[1])
            elif operator.tensors[min(at, len(operator.tensors) - 1)][0] == "lengths":
                assert types[0] is not None
                found.highs.append(types[0].shape[1] + 1)
            elif operator.refuses == "zero" and at == 1:
                found.divides = True
            elif operator.keeps:
                yield from ((body, output.id) for output in node.outputs)
        case CallNode() | ScanNode():
            inner = spec.bodies[node.body]
            yield inner, inner.inputs[at].id
        case ModeNode():
            inner = spec.bodies[node.evaluation]
            yield inner, inner.inputs[at].id
        case _:
            pass
