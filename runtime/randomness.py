"""Randomness as a pure function of named keys: no generator state to save, the same on every device and version.

A key is a 64-bit number made of words (`key(seed, "order", epoch)`); numbers for records follow from a key and the
record's number by the finaliser of SplitMix64 (Steele, Lea and Flood, 2014), in numpy or in torch.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def key(*words: int | str) -> int:
    """A 64-bit key of these words, in their order."""
    text = "\0".join(f"{type(word).__name__}:{word}" for word in words)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def record_keys(base: int, records: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A key for each record number."""
    with np.errstate(over="ignore"):
        return _mix(np.uint64(base) + (records.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN))


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
        return z ^ (z >> np.uint64(31))


def permutation(base: int, count: int) -> NDArray[np.int64]:
    """The numbers below `count` in an order that the key decides."""
    keys = record_keys(base, np.arange(count, dtype=np.int64))
    return np.argsort(keys, kind="stable").astype(np.int64)


class Permutation:
    """The numbers below `count` in an order that the key decides, each computed where it is asked for: nothing is made of all.

    A Feistel network over the least power of two that holds `count` (Luby and Rackoff, 1988), its two parts mixed in turn; a number
    at or above `count` goes through it again, which ends since the network is one-to-one (cycle walking; Black and Rogaway, 2002).
    """

    ROUNDS = 8  # four are random enough in theory where the mixing is; they cost less than 1 us a number

    def __init__(self, base: int, count: int) -> None:
        bits = max(2, (count - 1).bit_length())
        self.count, self.low = count, np.uint64(bits // 2)
        self.masks = tuple(np.uint64((1 << part) - 1) for part in (bits // 2, bits - bits // 2))
        self.keys = [key(base, "round", number) for number in range(self.ROUNDS)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, places: slice | NDArray[np.int64]) -> NDArray[np.int64]:
        if isinstance(places, slice):
            places = np.arange(*places.indices(self.count), dtype=np.int64)
        found = self._once(places.astype(np.uint64))
        while len(above := np.flatnonzero(found >= self.count)):
            found[above] = self._once(found[above])
        return found.astype(np.int64)

    def _once(self, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        low, high = numbers & self.masks[0], numbers >> self.low
        for number, base in enumerate(self.keys):
            if number % 2:
                low ^= record_keys(base, high.view(np.int64)) & self.masks[0]
            else:
                high ^= record_keys(base, low.view(np.int64)) & self.masks[1]
        return high << self.low | low


#: Above so many records an order is a `Permutation`: to sort that of 1,048,576 takes 0.1 s and 25 MB, which grow with their number.
#: At most so many are sorted, so that a run continues as it began: a change of this number is another order for what lies between.
SORTED = 1 << 20


def order(base: int, count: int) -> NDArray[np.int64] | Permutation:
    """The numbers below `count` in an order that the key decides, of which some places are read at a time."""
    return permutation(base, count) if count <= SORTED else Permutation(base, count)


def as_tensor(keys: NDArray[np.uint64]) -> torch.Tensor:
    """Keys as i64, which torch can compute with."""
    import torch

    return torch.from_numpy(keys.view(np.int64))


def uniform(keys: torch.Tensor, count: int) -> torch.Tensor:
    """Numbers in [0, 1) for each key: f32 [len(keys), count]."""
    import torch

    steps = torch.arange(1, count + 1, dtype=torch.int64, device=keys.device) * _signed(_GOLDEN)
    z = keys[:, None] + steps
    z = (z ^ _shifted(z, 30)) * _signed(_MIX_1)
    z = (z ^ _shifted(z, 27)) * _signed(_MIX_2)
    z = z ^ _shifted(z, 31)
    return _shifted(z, 40).to(torch.float32) * 2.0**-24


def uniform_array(keys: NDArray[np.uint64], count: int) -> NDArray[np.float32]:
    """The same numbers as `uniform`, without torch."""
    with np.errstate(over="ignore"):
        z = _mix(keys[:, None] + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN))
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def normal(keys: torch.Tensor, count: int) -> torch.Tensor:
    """Standard normal numbers for each key, by Box and Muller: f32 [len(keys), count]."""
    import torch

    pairs = uniform(keys, 2 * ((count + 1) // 2)).reshape(len(keys), -1, 2)
    radius = torch.sqrt(-2.0 * torch.log1p(-pairs[..., 0]))
    angle = 2.0 * torch.pi * pairs[..., 1]
    return torch.stack((radius * torch.cos(angle), radius * torch.sin(angle)), -1).flatten(1)[:, :count]


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _shifted(z: torch.Tensor, bits: int) -> torch.Tensor:
    """Logical shift to the right (torch's is arithmetic)."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def seed(*words: int | str) -> int:
    """These words as the seed of a torch generator."""
    return key(*words) & (2**63 - 1)


def generator(*words: int | str, device: Any = "cpu") -> torch.Generator:
    """A torch generator seeded by these words."""
    import torch

    return torch.Generator(device=device).manual_seed(seed(*words))


def seed_torch(seed: int, step: int, device: torch.device) -> None:
    """Seeds the generators that dropout and its kin draw from, by (seed, rank 0, step)."""
    import torch

    number = key(seed, "device", 0, step) & (2**63 - 1)
    torch.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)
