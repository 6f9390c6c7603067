"""Keyed randomness: uniform, independent of batching, and frozen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from dlc.runtime import randomness as keyed


def test_numbers_are_frozen() -> None:
    keys = keyed.record_keys(keyed.key(0, "augment", 3), np.arange(2))
    assert [hex(k) for k in keys.tolist()] == ["0xa5bb57c5210b34c3", "0x39eb82ac42e055f4"]
    assert keyed.permutation(keyed.key(0, "order", 0), 8).tolist() == [1, 4, 0, 2, 5, 6, 3, 7]


def test_a_records_numbers_do_not_depend_on_the_batch() -> None:
    keys = keyed.as_tensor(keyed.record_keys(7, np.arange(100)))
    whole = keyed.uniform(keys, 3)
    assert torch.equal(whole[40:60], keyed.uniform(keys[40:60], 3))
    assert torch.equal(whole[:, :2], keyed.uniform(keys, 2))


def test_uniform_and_normal() -> None:
    keys = keyed.as_tensor(keyed.record_keys(1, np.arange(200_000)))
    u = keyed.uniform(keys, 2)
    assert 0 <= float(u.min())
    assert float(u.max()) < 1
    assert torch.allclose(torch.histc(u, 10, 0, 1) / u.numel(), torch.tensor(0.1), atol=2e-3)
    assert abs(float(torch.corrcoef(u.T)[0, 1])) < 0.01
    z = keyed.normal(keys, 3)
    assert abs(float(z.mean())) < 0.01
    assert abs(float(z.std()) - 1) < 0.01


def test_permutations_are_whole_and_differ() -> None:
    orders = [keyed.permutation(keyed.key(0, "order", epoch), 1000) for epoch in range(3)]
    assert all(sorted(order.tolist()) == list(range(1000)) for order in orders)
    assert all(int((a == b).sum()) < 20 for a, b in itertools.pairwise(orders))


# ---- permutations of which nothing is made but what is asked for ---------------------------------------------------------------


@pytest.mark.parametrize("count", [*range(1, 70), 127, 128, 129, 1000, 4095, 4096, 4097, 2**16 + 1])
def test_a_keyed_permutation_has_each_number_once(count: int) -> None:
    orders = [keyed.Permutation(keyed.key(count, "order", epoch), count)[:] for epoch in range(2)]
    assert all(np.array_equal(np.sort(order), np.arange(count)) for order in orders)
    assert count < 1000 or int((orders[0] == orders[1]).sum()) < 10


def test_places_of_a_keyed_permutation_are_computed_alone() -> None:
    whole = (found := keyed.Permutation(7, 5000))[:]
    assert len(found) == 5000
    assert np.array_equal(found[4990:6000], whole[4990:])
    assert np.array_equal(found[np.array([4999, 3, 3])], whole[[4999, 3, 3]])
    assert keyed.Permutation(7, 10**12)[:3].tolist() == [378048303195, 911917436351, 256256350326]


def test_a_keyed_permutation_is_uniform() -> None:
    """Chi-square of where numbers land, of the pair of numbers at neighbouring places, and of where one number lands for many keys."""
    count, cells = 200_000, 100
    found = keyed.Permutation(keyed.key(0, "order", 0), count)[:]
    first = np.bincount(found[: count // 10] * cells // count, minlength=cells)
    pairs = np.bincount(found[:-1] * 10 // count * 10 + found[1:] * 10 // count, minlength=cells)
    ends = [int(keyed.Permutation(key, 1000)[np.array([17])][0]) for key in range(2000)]
    lands = np.bincount(np.array(ends) * cells // 1000, minlength=cells)
    for counts in (first, pairs, lands):
        expected = counts.sum() / cells
        assert (
            50 < float(((counts - expected) ** 2 / expected).sum()) < 150
        )  # 99 degrees of freedom: 148 is one in a thousand
    assert abs(float(np.corrcoef(found[:-1], found[1:])[0, 1])) < 0.01


def test_short_orders_are_sorted_and_long_ones_keyed() -> None:
    assert keyed.order(3, 8).__class__ is np.ndarray
    assert np.array_equal(keyed.order(3, 8)[:], keyed.permutation(3, 8))
    assert isinstance(keyed.order(3, keyed.SORTED + 1), keyed.Permutation)
    assert isinstance(keyed.order(3, keyed.SORTED), np.ndarray)
