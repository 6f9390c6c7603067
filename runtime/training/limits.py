"""What the environment asks for and this runtime does not do: refused, not ignored. `dlc check` reports all that a spec can ask.

A run is one process on one device.
"""

from __future__ import annotations

import os

from ..failure import BadInput


def refuse() -> None:
    """Raises for several processes, each of which would train the same run."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise BadInput("`dlc train` does not support several processes yet", helps=("start it without `torchrun`",))
