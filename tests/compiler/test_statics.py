"""Arithmetic on static values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dlc.compiler.sizes.dims import var
from dlc.compiler.sizes.facts import NO_FACTS, Facts
from dlc.compiler.sizes.static_functions import call
from dlc.compiler.sizes.statics import (
    Quantity,
    StaticError,
    as_bool,
    as_float,
    as_int,
    as_size,
    as_string,
    binary,
    describe,
    truth,
    unary,
)

D, T = var("D"), var("T")


@pytest.mark.parametrize(
    ("left", "op", "right", "value"),
    [
        (6, "/", 3, 2),
        (1, "/", 255, 1 / 255),
        (7, "//", 2, 3),
        (-7, "//", 2, -4),
        (-7, "%", 3, 2),
        (7.5, "//", 2, 3.0),
        (2, "**", 10, 1024),
        (64, "**", -0.5, 0.125),
        (2, "**", -1, 0.5),
        (3, "+", 0.5, 3.5),
        (1, "<", 1.5, True),
        (2, "==", 2.0, True),
        ("a", "==", "b", False),
        (None, "!=", 3, True),
        ((1, 2), "==", (1, 2), True),
        (2, "..", 5, (2, 3, 4)),
        (5, "..", 2, ()),
        (4 * D, "/", 4, D),
        (8 * D, "//", 4, 2 * D),
        (4 * D, "%", 2, 0),
        (D * T, "/", T, D),
        (D, "**", 2, D * D),
        (D, "==", D, True),
        (D, "==", D + 1, False),
        (D, ">=", 1, True),
        (D + 1, "<=", 1, False),
        (Quantity(5, "epochs"), "*", 2, Quantity(10, "epochs")),
        (Quantity(5, "epochs"), "-", Quantity(2, "epochs"), Quantity(3, "epochs")),
        (Quantity(5, "s"), "<", Quantity(6, "s"), True),
    ],
)
def test_operators(left: Any, op: str, right: Any, value: Any) -> None:
    result = binary(op, left, right, NO_FACTS)
    assert result == value
    assert isinstance(result, type(value))


@pytest.mark.parametrize(
    ("left", "op", "right", "code"),
    [
        (1, "/", 0, "E0211"),
        (D, "//", 0, "E0211"),
        (0, "**", -1, "E0211"),
        (10, "**", 30, "E0105"),
        (10.0, "**", 400, "E0105"),
        (2**62, "*", 4, "E0105"),
        (D, "**", 40, "E0105"),
        (1e308, "*", 10.0, "E0105"),
        (-8, "**", 0.5, "E0304"),
        ("a", "+", 1, "E0304"),
        (True, "+", 1, "E0304"),
        ("a", "==", 1, "E0304"),
        (None, "<", 1, "E0304"),
        (D, "*", 0.5, "E0208"),
        (D, "//", T, "E0208"),
        (D, "==", 64, "E0208"),
        (D, "<", 64, "E0208"),
        (0, "..", 100_001, "E0316"),
        (0, "..", 2.0, "E0304"),
        (Quantity(5, "s"), "+", Quantity(1, "epochs"), "E0403"),
    ],
)
def test_operators_without_a_result(left: Any, op: str, right: Any, code: str) -> None:
    with pytest.raises(StaticError) as caught:
        binary(op, left, right, NO_FACTS)
    assert caught.value.code == code


def test_an_undecided_equality_names_the_fact() -> None:
    half = binary("//", D, 2)
    with pytest.raises(StaticError) as caught:
        binary("==", 2 * half, D)
    assert caught.value.code == "E0207"
    assert "D % 2 == 0" in caught.value.helps[0]
    assert binary("==", 2 * half, D, Facts({"D": 2})) is True


def test_a_quotient_of_sizes_is_whole_when_proved() -> None:
    third = binary("/", D, 3)
    with pytest.raises(StaticError) as caught:
        as_size(third, NO_FACTS, "the width")
    assert caught.value.code == "E0206"
    assert "D % 3 == 0" in caught.value.helps[0]
    assert as_size(third, Facts({"D": 3}), "the width") == third
    assert as_size(binary("*", third, 3), NO_FACTS, "the width") == D


@pytest.mark.parametrize(
    ("name", "args", "value"),
    [
        ("sqrt", [16], 4.0),
        ("floor", [2.7], 2),
        ("floor", [-2.5], -3),
        ("min", [3, 1.5], 1.5),
        ("max", [3, 1], 3),
        ("round_to", [30, 8], 32),
        ("round_to", [18, 8], 24),  # 16 would be below 0.9 * 18
        ("round_to", [1, 8], 8),
        ("round_to", [120 // 4, 8], 32),  # MobileNetV3's squeeze of 120 channels
        ("log", [math.e], 1.0),
    ],
)
def test_functions(name: str, args: list[Any], value: Any) -> None:
    result = call(name, args)
    assert result == value
    assert isinstance(result, type(value))


@pytest.mark.parametrize(
    ("name", "args", "code"),
    [
        ("sqrt", [-1], "E0304"),
        ("sqrt", ["a"], "E0304"),
        ("sqrt", [1, 2], "E0304"),
        ("sqrt", [D], "E0208"),
        ("log", [0], "E0304"),
        ("exp", [1000], "E0105"),
        ("max", [], "E0304"),
        ("round_to", [30, 0], "E0211"),
        ("tan", [1], "E0301"),
    ],
)
def test_functions_without_a_result(name: str, args: list[Any], code: str) -> None:
    with pytest.raises(StaticError) as caught:
        call(name, args)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("convert", "value", "code"),
    [
        (as_int, 2.5, "E0304"),
        (as_int, 2.0, "E0304"),
        (as_int, True, "E0304"),
        (as_int, binary("/", 7, 2), "E0206"),
        (as_int, D, "E0208"),
        (as_float, "1", "E0304"),
        (as_float, True, "E0304"),
        (as_bool, 1, "E0304"),
        (as_string, 1, "E0304"),
    ],
)
def test_only_int_to_float_converts(convert: Any, value: Any, code: str) -> None:
    with pytest.raises(StaticError) as caught:
        convert(value, "`x`")
    assert caught.value.code == code
    assert "`x`" in caught.value.message


def test_conversions() -> None:
    assert isinstance(as_float(3, "x"), float)
    assert as_int(3, "x") == 3
    assert as_size(D, NO_FACTS, "x") is D
    assert truth(True) is True
    assert unary("not", False) is True
    assert unary("-", D) == -1 * D
    assert describe((1, "a\n", None, True, 0.5, Quantity(5, "s"))) == '[1, "a\\n", none, true, 0.5, 5 s]'
