"""`apply` and `choice` are done where chains of image transforms are run (`runtime/data/image_chains.py`): each record takes one."""

from __future__ import annotations

apply = choice = None
