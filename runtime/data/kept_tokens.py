"""Tokens of records, kept once a text was tokenized: `where`, lengths of batches and the feed read them one after another.

They take 4 bytes a token, of texts that would take longer to tokenize again than everything else; of more than `MOST` tokens the rest
is tokenized when it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.dataclass import dataclass, field
from .draw import Records
from .values import Value, packed

MOST = 1 << 26  # numbers of a node that are kept: 256 MB


@dataclass
class _Kept:
    """The numbers of a node, record after record, a row a member; a record that is not there begins at -1."""

    members: tuple[str, ...]
    starts: Records
    lengths: Records
    numbers: NDArray[np.int32]
    used: int = 0


@dataclass
class KeptTokens:
    """By node, of the records of a table that has `count` of them."""

    count: int
    nodes: dict[int, _Kept] = field(default_factory=dict[int, _Kept])
    lock: Any = field(default_factory=Lock)

    def of(self, node: int, records: Records) -> Value | None:
        """What was kept of a node; None unless all of these records are there."""
        with self.lock:
            kept = self.nodes.get(node)
            if kept is None or not len(records) or int(kept.starts[records].min()) < 0:
                return None
            ends = zip(kept.starts[records].tolist(), kept.lengths[records].tolist(), strict=True)
            found = [torch.from_numpy(kept.numbers[:, start : start + n].astype(np.int64)) for start, n in ends]
        if not kept.members:
            return packed([item[0] for item in found])
        return {name: packed([item[row] for item in found]) for row, name in enumerate(kept.members)}

    def keep(self, node: int, records: Records, value: Value) -> None:
        members: Mapping[str, Any] = value if isinstance(value, dict) else {"": value}
        rows = [list(member) for member in members.values()]
        if not len(records) or not all(isinstance(item, Tensor) and item.dim() == 1 for row in rows for item in row):
            return
        with self.lock:
            if node not in self.nodes:
                names = tuple(members) if isinstance(value, dict) else ()
                starts, lengths = np.full(self.count, -1, np.int64), np.zeros(self.count, np.int64)
                self.nodes[node] = _Kept(names, starts, lengths, np.zeros((len(rows), 0), np.int32))
            kept = self.nodes[node]
            new = [i for i, start in enumerate(kept.starts[records].tolist()) if start < 0]
            sizes = np.array([len(rows[0][i]) for i in new], np.int64)
            need = kept.used + int(sizes.sum())
            if not new or need * len(rows) > MOST:
                return
            if need > kept.numbers.shape[1]:
                larger = np.zeros((len(rows), max(need, 2 * kept.used)), np.int32)
                larger[:, : kept.used] = kept.numbers[:, : kept.used]
                kept.numbers = larger
            for row, items in zip(kept.numbers, rows, strict=True):
                row[kept.used : need] = torch.cat([items[i] for i in new]).numpy()
            at = records[new]
            kept.starts[at], kept.lengths[at] = kept.used + np.cumsum(sizes) - sizes, sizes
            kept.used = need
