"""Keyed randomness: uniform, independent of batching, and frozen."""

from __future__ import annotations

import itertools

import numpy as np
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
