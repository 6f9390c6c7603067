"""What a cached form keeps from step to step: the keys and values of the positions seen so far."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...compiler.dataclass import dataclass
from .ports import Array, Port


@dataclass(frozen=True)
class KeyValues:
    """Inputs by the outputs that follow them. `length` is the dimension fed piece by piece, `past` that of what is kept."""

    length: str
    past: str
    pairs: Mapping[str, str]  # output -> input
    ports: tuple[Port, ...]  # the inputs

    def empty(self, batch: int) -> dict[str, Array]:
        """Inputs for the beginning of a sequence: nothing is kept."""
        return {
            port.name: np.zeros([batch if isinstance(axis, str) else axis for axis in self._nothing(port)], port.dtype)
            for port in self.ports
        }

    def following(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        """Inputs for the next step, from the outputs of this one."""
        return {name: outputs[made] for made, name in self.pairs.items()}

    def _nothing(self, port: Port) -> list[int | str]:
        """The shape of an input with no positions: only its batch is left open."""
        return [0 if axis == self.past else axis for axis in port.shape]
