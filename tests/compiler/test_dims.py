"""The dimension algebra, against plain integers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlc.compiler.sizes.dims import (
    Dim,
    DimOverflow,
    Size,
    evaluate,
    floordiv,
    from_text,
    mod,
    substitute,
    to_text,
    var,
    variables,
)
from dlc.compiler.sizes.facts import Facts, equal, exact_div, missing_divisor, missing_fact

H, W, T, C = var("H"), var("W"), var("T"), var("C")
KNOWN = Facts({"H": 16, "W": 6}, {"T": (5, 1024)})


def test_whole_multiples_leave_the_floor() -> None:
    assert floordiv(4 * H + 3, 2) == 2 * H + 1
    assert floordiv(H * 2, 2) == H
    assert str(floordiv(H + 4, 4)) == "⌊H/4⌋ + 1"


def test_nested_floors_merge() -> None:
    assert floordiv(floordiv(H, 2), 2) == floordiv(H, 4)
    assert floordiv(floordiv(H, 2) + 1, 3) == floordiv(H + 2, 6)


def test_exact_division() -> None:
    assert exact_div(12 * C, 4 * C) == 3
    assert exact_div(H * W + H, W + 1) == H
    assert exact_div(H, 2) is None
    assert exact_div(H, 2, KNOWN) == substitute(from_text("H/2"), {})
    assert exact_div(C, H) is None
    assert exact_div(3, 2) is None


def test_texts() -> None:
    assert str(floordiv(H, 8)) == "⌊H/8⌋"
    assert str(2 * floordiv(H, 16)) == "2*⌊H/16⌋"
    assert str(KNOWN.normalize(floordiv(H, 2))) == "H/2"
    assert str(1 + T) == "T + 1"
    assert str(W * H + 1) == "H*W + 1"
    assert str(3 - T) == "-T + 3"
    assert to_text(2 * floordiv(H, 16) + 1) == "2*floor(H/16) + 1"
    assert to_text(7) == 7


def test_three_answers() -> None:
    assert equal(T + 1, 1 + T) is True
    assert equal(T + 1, T) is False
    assert equal(2 * T, T) is False
    assert equal(2 * T, 5) is False
    assert equal(T, 3) is None
    assert equal(T, 3, KNOWN) is False
    assert equal(floordiv(H, 8), 2 * floordiv(H, 16)) is None
    assert equal(floordiv(H, 8), 2 * floordiv(H, 16), KNOWN) is True


def test_the_missing_fact() -> None:
    assert missing_fact(floordiv(H, 8), 2 * floordiv(H, 16)) == "H % 16 == 0"
    assert missing_fact(2 * floordiv(H, 2), H) == "H % 2 == 0"
    assert missing_fact(H, W) is None
    assert missing_divisor(3 * H, 12) == "H % 4 == 0"


def test_bounds() -> None:
    assert KNOWN.at_least(T, 5) is True
    assert KNOWN.at_least(T, 6) is None
    assert KNOWN.at_most(2 * T, 2048) is True
    assert KNOWN.at_most(T, 4) is False
    assert KNOWN.at_least(mod(T, 3), 0) is True
    assert KNOWN.at_most(mod(T, 3), 2) is True
    claimed = Facts().bound(H - W, low=2)
    assert claimed.at_least(H - W + 1, 3) is True
    assert equal(H, W, claimed) is False


def test_blow_up_is_stopped() -> None:
    with pytest.raises(DimOverflow):
        size: Size = H
        for _ in range(40):
            size = size * H
    with pytest.raises(DimOverflow):
        size = H
        for _ in range(400):
            size = floordiv(size * 3 + 1, 2)
    with pytest.raises(DimOverflow):
        _ = H * 2**40 * 2**40


@pytest.mark.parametrize("text", ["", "H +", "floor(H", "H/0", "2 2", "H~", "(" * 200 + "H", "1/2/", "1/2"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)


def test_in_pydantic_models() -> None:
    from pydantic import BaseModel

    class Holder(BaseModel):
        sizes: tuple[int | Dim, ...]

    held = Holder(sizes=(3, floordiv(H + 1, 2)))
    assert held.model_dump_json() == '{"sizes":[3,"floor((H + 1)/2)"]}'
    assert Holder.model_validate_json(held.model_dump_json()) == held


# ---- against integers --------------------------------------------------------------------------------------------------

NAMES = ("H", "W", "T")


def _build(node: object) -> Size:
    if isinstance(node, int):
        return node
    if isinstance(node, str):
        return var(node)
    op, left, right = node  # type: ignore[misc]
    a = _build(left)
    if op == "//":
        return floordiv(a, right)
    b = _build(right)
    return a + b if op == "+" else a - b if op == "-" else a * b


def _value(node: object, values: dict[str, int]) -> int:
    if isinstance(node, int):
        return node
    if isinstance(node, str):
        return values[node]
    op, left, right = node  # type: ignore[misc]
    a = _value(left, values)
    if op == "//":
        return a // right
    b = _value(right, values)
    return a + b if op == "+" else a - b if op == "-" else a * b


TREES = st.recursive(
    st.sampled_from(NAMES) | st.integers(-9, 9),
    lambda inner: st.tuples(st.sampled_from("+-*"), inner, inner) | st.tuples(st.just("//"), inner, st.integers(1, 9)),
    max_leaves=7,
)
VALUES = st.fixed_dictionaries({name: st.integers(1, 60) for name in NAMES})
SATISFYING = st.builds(
    lambda h, w, t: {"H": 16 * h, "W": 6 * w, "T": t}, *[st.integers(1, 9)] * 2, st.integers(5, 1024)
)


@given(TREES, VALUES)
def test_a_size_has_the_value_of_its_expression(tree: object, values: dict[str, int]) -> None:
    size = _build(tree)
    assert evaluate(size, values) == _value(tree, values)
    assert from_text(to_text(size)) == size
    assert variables(size) <= set(NAMES)
    assert evaluate(substitute(size, {"H": W + 1}), {**values, "H": 0}) == _value(
        tree, {**values, "H": values["W"] + 1}
    )


@given(TREES, TREES, SATISFYING)
def test_facts_never_lie(left: object, right: object, values: dict[str, int]) -> None:
    a, b = _build(left), _build(right)
    x, y = _value(left, values), _value(right, values)
    assert evaluate(KNOWN.normalize(a), values) == x
    answer = equal(a, b, KNOWN)
    assert answer is None or answer == (x == y)
    low, high = KNOWN.range(a)
    assert (low is None or low <= x) and (high is None or x <= high)
    if y:
        quotient = exact_div(a, b, KNOWN)
        assert quotient is None or evaluate(quotient, values) * y == x
