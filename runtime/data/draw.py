"""The random numbers of a chunk of records."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.dataclass import dataclass
from .. import randomness

#: Numbers of records.
Records = NDArray[np.int64]


@dataclass
class ChunkDraw:
    """What random transforms of a chunk depend on: a key a record, or None outside training."""

    base: int
    records: Records
    device: torch.device

    def keys(self, node: int) -> Tensor:
        found = randomness.record_keys(randomness.key(self.base, "node", node), self.records)
        return randomness.as_tensor(found).to(self.device)
