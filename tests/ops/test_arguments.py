"""Static arguments: what each annotation takes, and the words when it does not."""

from __future__ import annotations

from typing import Any

import pytest

from dlc.compiler.catalogue.arguments import read
from dlc.compiler.messages.statics import StaticError
from dlc.compiler.sizes.dims import var
from dlc.compiler.sizes.statics import binary

TAKEN: list[tuple[str, Any, Any]] = [
    ("int", -3, -3),
    ("Count", 1, 1),
    ("Natural", 0, 0),
    ("float", 2, 2.0),
    ("float", 0.5, 0.5),
    ("Share", 0, 0.0),
    ("Share", 1.0, 1.0),
    ("Positive", 1e-5, 1e-5),
    ("Number", 2, 2),
    ("Number", 2.5, 2.5),
    ("Number | None", None, None),
    ("bool", False, False),
    ("str", "a", "a"),
    ('Literal["none", "tanh"]', "tanh", "tanh"),
    ("Ints", 3, 3),
    ("Ints", (3, 1), (3, 1)),
    ("Naturals", (0, 1), (0, 1)),
    ("Pad", "same", "same"),
    ("Pad", 1, 1),
    ("Axis", -1, -1),
    ("Axes", None, None),
    ("Axes", (0, -1), (0, -1)),
    ("Sizes", (2, 3), (2, 3)),
    ("Amounts", (1, 2), (1, 2)),
    ("Extent", var("T"), var("T")),
    ("Shape", (2, var("B")), (2, var("B"))),
    ("Shape", (), ()),
    ("DType", "i64", "i64"),
    ("Constant", ((1, 2.5), (3, 4)), ((1, 2.5), (3, 4))),
]

REFUSED: list[tuple[str, Any, str]] = [
    ("int", 1.0, "an int"),
    ("int", True, "an int"),
    ("Count", 0, "a whole number of at least 1"),
    ("Natural", -1, "a whole number of at least 0"),
    ("float", "a", "a number"),
    ("float", float("nan"), "a number"),
    ("Share", 1.5, "a number from 0 to 1"),
    ("Positive", 0.0, "a number above 0"),
    ("bool", 1, "`true` or `false`"),
    ("str", 1, "a string"),
    ('Literal["none", "tanh"]', "tan", '"none" or "tanh"'),
    ("Ints", 0, "a whole number of at least 1, or one for each spatial axis"),
    ("Ints", (1, 0), "a whole number of at least 1, or one for each spatial axis"),
    ("Ints", (), "a whole number of at least 1, or one for each spatial axis"),
    ("Pad", "valid", 'a whole number, "same" or "causal"'),
    ("Axes", "a", "an axis or a list of axes"),
    ("Amounts", 1, "a list of ints: before and after, in pairs from the last axis backwards"),
    ("Shape", 3, "a list of sizes"),
    ("Shape", (2.5,), "a list of sizes"),
    ("DType", "float", "a dtype, one of f16 bf16 f32 f64 i8 i16 i32 i64 u8 bool"),
    ("int | None", "a", "an int"),
    ("Path | Fraction | None", 1, "a path as a string, or a fraction above 0 and below 1"),
    ('Literal["imagenet"] | Channels', "cifar", '"imagenet", or a number, or a list of numbers, one per channel'),
    ("Momenta", (0.9,), "two numbers of at least 0 and below 1"),
    ("Odd", 4, "an odd whole number"),
    ("Factors", (2, 1), "two numbers (low, high) above 0"),
    ("float", float("inf"), "a number"),
]


@pytest.mark.parametrize("annotation, value, taken", TAKEN)
def test_taken(annotation: str, value: Any, taken: Any) -> None:
    found = read(annotation, value)
    assert found == taken
    assert type(found) is type(taken)


@pytest.mark.parametrize("annotation, value, expected", REFUSED)
def test_refused(annotation: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        read(annotation, value)
    assert str(caught.value) == expected


@pytest.mark.parametrize("annotation", ["int", "Count", "float", "Number", "Ints", "Axis"])
def test_symbolic_size_is_not_static(annotation: str) -> None:
    with pytest.raises(StaticError) as caught:
        read(annotation, var("T"))
    assert caught.value.code == "E0208"


def test_quotient_that_is_not_whole() -> None:
    with pytest.raises(StaticError) as caught:
        read("Count", binary("/", 7, 2))
    assert caught.value.code == "E0206"
