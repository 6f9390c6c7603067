"""The columns of a table that the numbers of an input are from, in the metadata of a file (`dlc.columns`).

    x: f32[2] = source.all_except("label")      {"x": {"names": ["width", "height"]}}

A table is then read by the names of its columns, in whatever order it has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from ...compiler.dataclass import dataclass


@dataclass(frozen=True)
class InputColumns:
    """`names` in the order of the input's last axis; a single one of an input that is one number a record. `fills`: the graph
    fills in what is missing, so that NaN may be fed."""

    names: tuple[str, ...]
    fills: bool = False


def as_json(columns: Mapping[str, InputColumns]) -> str:
    return json.dumps({name: asdict(found) for name, found in columns.items()})
