"""A transform of texts in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ....compiler.dataclass import dataclass
from ....compiler.ir.data import DataNode
from ..cells import PLAIN, CellRule

Place: TypeAlias = Callable[[int], str]


@dataclass(frozen=True)
class TextUse:
    """`place` names a record in a message, `path` finds a file that is named in the spec, `columns` are the columns of the
    source that the texts are from, `rule` how these are read."""

    node: DataNode
    fitted: Mapping[str, Any]
    place: Place
    path: Callable[[str], Path]
    columns: Sequence[str] = ()
    rule: CellRule = PLAIN

    @property
    def args(self) -> Mapping[str, Any]:
        return self.node.args
