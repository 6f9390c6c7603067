"""Positions outside of a table, and other numbers that an operation of whole numbers refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span


class RefusedUse(NamedTuple):
    """A use of an operator that may have refused what it was given; `last` is the last of its positions, if it has any."""

    span: Span
    operator: str
    last: str


def refused(what: str, found: Sequence[RefusedUse], path: str, numbers: tuple[int, int] | None) -> Diagnostic:
    """`what`: `outside` or `zero`. `found`: where it may have been. `path`: of the layer around it."""
    first = found[0]
    message = f"the data leads to a position outside of `{first.operator}`"
    help = "make it larger, or bring the numbers into its range"
    if what == "zero":
        message, help = "a whole number is divided by 0", "keep the divisor above 0, such as with `clamp(min = 1)`"
    notes: list[str] = []
    if first.last:
        notes.append(f"its positions are 0 to {first.last}")
    if numbers is not None and first.last:
        notes.append(f"these numbers go from {numbers[0]} to {numbers[1]}")
    if path:
        notes.append(f"in `{path}`")
    others = tuple(Label(other.span, "or here") for other in found[1:4])
    return Diagnostic("E0414", message, first.span, "here", others, tuple(notes), (help,))


def explanations() -> dict[str, Explanation]:
    return {
        "E0414": Explanation(
            "a position outside of its table, or whole numbers divided by 0",
            "Rows of an `Embedding`, classes of a target and indices count from 0. Where the numbers follow from the spec\n"
            "alone, such as `arange(16)`, `dlc check` compares them with the size; numbers that only the data holds end the run.",
            programs.digits("cross_entropy(logits, label)", "cross_entropy(logits, randint(0, 20, [B]))"),
            programs.digits("cross_entropy(logits, label)", "cross_entropy(logits, randint(0, 10, [B]))"),
        ),
    }
