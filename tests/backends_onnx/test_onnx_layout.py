"""Layouts against NumPy: any chain of readings gives the array that NumPy's own reshapes and transposes give."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dlc.backends.onnx.layout import Layout
from dlc.compiler.sizes.dims import var


def materialized(layout: Layout, array: np.ndarray) -> np.ndarray:
    """The steps carried out."""
    atoms, order, shape = layout.steps(layout.logical)
    result = array.reshape(atoms) if atoms is not None else array
    result = result.transpose(order) if order is not None else result
    return result.reshape(shape) if shape is not None else result


@st.composite
def chains(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[str, tuple[int, ...]]]]:
    start = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4)))
    shape, steps = start, list[tuple[str, tuple[int, ...]]]()
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            order = tuple(draw(st.permutations(range(len(shape)))))
            shape = tuple(shape[axis] for axis in order)
            steps.append(("permute", order))
        else:
            total = math.prod(shape)
            first = draw(st.sampled_from([n for n in range(1, total + 1) if total % n == 0]))
            rest = total // first
            second = draw(st.sampled_from([n for n in range(1, rest + 1) if rest % n == 0]))
            shape = (first, second, rest // second)
            steps.append(("reshape", shape))
    return start, steps


@given(chains())
def test_chain_of_readings_is_numpys(case: tuple[tuple[int, ...], list[tuple[str, tuple[int, ...]]]]) -> None:
    shape, steps = case
    array = np.arange(math.prod(shape)).reshape(shape)
    layout, raw, expected = Layout.dense(shape), array, array
    for kind, argument in steps:
        if kind == "permute":
            layout, expected = layout.permute(argument), expected.transpose(argument)
            continue
        expected = expected.reshape(argument)
        found = layout.reshape(argument)
        if found is None:  # cannot be said: the tensor is laid out first
            raw = materialized(layout, raw).reshape(argument)
            found = Layout.dense(argument)
        layout = found
    assert layout.shape == expected.shape
    np.testing.assert_array_equal(materialized(layout, raw), expected)


def test_split_and_merge_of_heads_is_nothing() -> None:
    batch, length = var("B"), var("T")
    layout = Layout.dense((batch, length, 12)).reshape((batch, length, 3, 4))
    assert layout is not None
    merged = layout.permute((0, 2, 1, 3)).permute((0, 2, 1, 3)).merge((1, 1, 2))
    assert merged.steps(merged.logical) == (None, None, None)


def test_symbolic_rows_come_apart_by_a_reshape() -> None:
    batch, length = var("B"), var("T")
    rows = Layout.dense((batch, length, 12)).rows()
    assert rows.physical_shape == (batch * length, 12)
    assert rows.steps(rows.logical) == (None, None, (batch, length, 12))


def test_sizes_that_do_not_divide_are_not_guessed() -> None:
    assert Layout.dense((6, 4)).reshape((8, 3)) is None


def test_taking_one_of_the_outermost_parts() -> None:
    layout = Layout.dense((2, 12)).split(1, (3, 4))
    assert layout is not None
    found = layout.part(1)
    assert found is not None
    axis, rest = found
    assert (axis, rest.shape, rest.physical_shape) == (1, (2, 4), (2, 4))
    assert layout.part(2) is None  # the inner part is spread over the axis
