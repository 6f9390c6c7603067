"""Signs between tensors."""

from __future__ import annotations

from ....compiler.sizes.dims import Dim
from ....compiler.sizes.types import is_float
from ..constants import ClassNumber
from ..lowering import Application, function
from ..python import BIT_AND, BIT_OR, COMPARISON, POWER, PRODUCT, SUM, UNARY, Expr

_SIGNS = {
    "plus": ("+", SUM), "minus": ("-", SUM), "times": ("*", PRODUCT), "divide": ("/", PRODUCT),
    "power": ("**", POWER),
    "logical_and": ("&", BIT_AND), "logical_or": ("|", BIT_OR),
}  # fmt: skip
_COMPARISONS = {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip


#: Numbers that leave each bit of the other operand as it is, by their place. Adding 0.0 is not: it makes 0.0 of -0.0.
_NEUTRAL = {"times": (1, 1), "divide": (None, 1), "power": (None, 1), "minus": (None, 0)}


@function(*_SIGNS)
def sign(use: Application) -> Expr:
    for place, neutral in enumerate(_NEUTRAL.get(use.op, ())):
        other = use.operand(1 - place)
        dtype = None if other.type is None else other.type.dtype
        if neutral is not None and _is_number(use, place, neutral) and dtype == use.outputs[0].dtype:
            return other.expr
    return use.binary(*_SIGNS[use.op])


def _is_number(use: Application, place: int, value: int) -> bool:
    """Whether an operand is this number, in all bodies of the class."""
    operand = use.operand(place)
    number = operand.number.values if isinstance(operand.number, ClassNumber) else (operand.number,)
    return operand.type is None and all(not isinstance(one, Dim) and one == value for one in number)


@function("floor_divide")
def floor_divide(use: Application) -> Expr:
    """PyTorch's `//` of floats has no derivative, not even one of 0."""
    if not is_float(use.outputs[0].dtype):
        return use.binary("//", PRODUCT)
    return use.call("torch.div", _dividend(use), use[1], 'rounding_mode="floor"')


@function("modulo")
def modulo(use: Application) -> Expr:
    """PyTorch's `%` of a number and a tensor of floats has no derivative."""
    if not is_float(use.outputs[0].dtype):
        return use.binary("%", PRODUCT)
    return use.expr(f"{_dividend(use, PRODUCT)} % {use.at(1, PRODUCT + 1)}", PRODUCT, 0)


def _dividend(use: Application, level: int = 0) -> str:
    """The left operand as a tensor."""
    if use.operand(0).type is None:
        return f"torch.full_like({use[1]}, {use[0]})"
    return use.at(0, level) if level else use[0]


@function("matmul")
def matmul(use: Application) -> Expr:
    """An elementwise product on its left gets parentheses, although both operators have the same precedence."""
    return use.expr(f"{use.at(0, UNARY)} @ {use.at(1, UNARY)}", PRODUCT, 0)


@function(*_COMPARISONS)
def comparison(use: Application) -> Expr:
    return use.expr(f"{use.at(0, COMPARISON + 1)} {_COMPARISONS[use.op]} {use.at(1, COMPARISON + 1)}", COMPARISON, 0)


@function("negative")
def negative(use: Application) -> Expr:
    return use.expr(f"-{use.at(0, UNARY)}", UNARY, 0)


@function("logical_not")
def logical_not(use: Application) -> Expr:
    return use.expr(f"~{use.at(0, UNARY)}", UNARY, 0)
