"""What a value of a model stands for, and what follows from it for values computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ..catalogue.ops import find
from ..catalogue.ops.base import Kind
from ..dataclass import dataclass
from ..ir.model import Body, OpNode, Scalar
from ..sizes.types import TensorType, is_float


@dataclass(frozen=True)
class Meaning:
    """What an output stands for.

    - `scores`: `scale` times it is a logit for each class of `field`, along `axis` of the output;
    - `probabilities`: one for each class of `field`, along `axis`;
    - `class`: a class number of `field`;
    - `logit`: the sigmoid of `scale * output + shift` is the mean of `field`, which lies between 0 and 1;
    - `chance`: that sigmoid;
    - `value`: `scale * output + shift` is `field`, after the transforms of the data;
    - `unknown`: `why` is the reason.
    """

    kind: Kind
    field: str = ""
    axis: int = -1
    scale: float = 1.0
    shift: float = 0.0
    why: str = ""


#: Of an output that no loss compares.
NOT_COMPARED = Meaning("unknown", why="the loss compares it with no field of the data")


def through(body: Body, known: Mapping[int, Meaning]) -> dict[int, Meaning]:
    """The meanings of further values of a body, of a model or of a part of one, that follow from those known."""
    found = dict(known)
    types = {value.id: value.type for value in body.values()}
    for node in body.nodes:
        if not isinstance(node, OpNode) or len(node.outputs) != 1 or node.outputs[0].id in found:
            continue
        sources = [operand for operand in node.inputs if isinstance(operand, int) and operand in found]
        if sources:
            first = sources[0]
            made = _derived(node, found[first], first, types[first])
            found[node.outputs[0].id] = made or Meaning("unknown", why=f"it is computed with `{written(node)}`")
    return found


def _derived(node: OpNode, meaning: Meaning, source: int, type: TensorType) -> Meaning | None:
    """The meaning after one function; None where it is lost."""
    if meaning.kind == "unknown":
        return meaning
    others = [operand for operand in node.inputs if operand != source]
    rank = len(type.shape)
    axis = node.args.get("axis", -1)
    at = axis if isinstance(axis, int) and axis < 0 else axis - rank if isinstance(axis, int) else None
    one = meaning.scale == 1 and meaning.shift == 0
    if not others:
        operator = find(node.op)
        turned = dict(operator.turns).get(meaning.kind) if operator is not None else None
        if turned is not None and operator is not None and (operator.elementwise or at == meaning.axis):
            if turned == "class":  # the largest, whatever the scale
                return Meaning(turned, meaning.field)
            if one:
                return Meaning(turned, meaning.field, meaning.axis)
        view = view_of(node, type)
        if view is not None:
            return _viewed(node, meaning, view, type)
    if meaning.kind in ("value", "logit") or (meaning.kind == "scores" and node.op in ("times", "divide")):
        return _affine(node, meaning, source)
    return None


def _viewed(node: OpNode, meaning: Meaning, view: str, type: TensorType) -> Meaning | None:
    if meaning.kind not in ("scores", "probabilities"):
        return meaning if view == "reshaped" or meaning.kind == "class" else None
    made, size = node.outputs[0].type.shape, type.shape[meaning.axis]
    places = [at - len(made) for at, each in enumerate(made) if each == size]
    if meaning.axis in places and made[meaning.axis :] == type.shape[meaning.axis :]:
        return meaning
    return replace(meaning, axis=places[0]) if len(places) == 1 else None


def _affine(node: OpNode, meaning: Meaning, source: int) -> Meaning | None:
    """After x * k, x / k, x + k, x - k, k - x or -x, with numbers k."""
    numbers = [_plain_number(operand) for operand in node.inputs if operand != source]
    if node.op == "negative":
        factor, added = -1.0, 0.0
    elif len(node.inputs) != 2 or len(numbers) != 1 or numbers[0] is None:
        return None
    else:
        k, first = numbers[0], node.inputs[0] == source
        match node.op:
            case "times":
                factor, added = k, 0.0
            case "divide" if first and k:
                factor, added = 1 / k, 0.0
            case "plus":
                factor, added = 1.0, k
            case "minus":
                factor, added = (1.0, -k) if first else (-1.0, k)
            case _:
                return None
    if factor == 0 or (meaning.kind == "scores" and factor < 0):
        return None
    # y = factor * x + added, and scale * x + shift is the field
    scale = meaning.scale / factor
    return replace(meaning, scale=scale, shift=meaning.shift - scale * added)


def view_of(node: OpNode, type: TensorType | None) -> Literal["reshaped", "moved"] | None:
    """Whether a function hands its first input, of this type, on: all elements in their order, or others left out or elsewhere.
    None for a function that computes, which a cast to whole numbers does."""
    operator = find(node.op)
    if type is None or operator is None:
        return None
    rounds = is_float(type.dtype) and not is_float(node.outputs[0].type.dtype)
    return None if rounds else operator.view_with(node.args)


def written(node: OpNode) -> str:
    operator = find(node.op)
    return (operator.syntax if operator is not None else "") or node.op


def _plain_number(operand: Any) -> float | None:
    value = operand.value if isinstance(operand, Scalar) else None
    return float(value) if isinstance(value, (int, float)) else None
