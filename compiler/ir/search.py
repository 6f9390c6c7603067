"""`search` sections."""

from __future__ import annotations

from typing import Literal

from ..messages.source import Span
from .arguments import EntryUse
from .data import Condition
from .record import Record
from .train import Duration, Watched


class DrawCase(Record):
    condition: Condition | None = None
    distribution: EntryUse


class Draw(Record):
    """`path ~ distribution`: a setting (its full path) that each trial draws.

    `cases` are tried in order; the first whose condition holds is drawn from. A condition compares other settings of the
    search, `("setting", path)`, with constants; the last case may have none. Distributions: `choice` (values), `uniform`,
    `log_uniform`, `int_uniform` (low, high), `fixed` (value). Functions and layers are given as text.
    """

    path: str
    cases: tuple[DrawCase, ...]
    span: Span


class Prune(Record):
    """`asha`: after `min`, and ever longer, only the best 1/`factor` continue; `median`: from `min` on, the better half."""

    kind: Literal["asha", "median"]
    min: Duration
    factor: int = 3


class Search(Record):
    """A `search` section. `method` is `grid`, `random` or `bayes`."""

    name: str
    train: str
    method: EntryUse
    objective: Watched
    prune: Prune | None = None
    draws: tuple[Draw, ...]
    span: Span
