"""Signs between tensors."""

from __future__ import annotations

from ..lowering import Application, function
from ..python import BIT_AND, BIT_OR, COMPARISON, POWER, PRODUCT, SUM, UNARY, Expr

_SIGNS = {
    "plus": ("+", SUM), "minus": ("-", SUM), "times": ("*", PRODUCT), "divide": ("/", PRODUCT),
    "floor_divide": ("//", PRODUCT), "modulo": ("%", PRODUCT), "power": ("**", POWER),
    "logical_and": ("&", BIT_AND), "logical_or": ("|", BIT_OR),
}  # fmt: skip
_COMPARISONS = {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip


@function(*_SIGNS)
def sign(use: Application) -> Expr:
    return use.binary(*_SIGNS[use.op])


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
