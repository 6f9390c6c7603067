"""What a data section writes with a sign, or what comes into its graph by itself. Its nodes have facts as transforms have."""

from __future__ import annotations

from .base import Notation


class Source(Notation):
    """`source.x`: a field of the source."""


class Columns(Notation):
    """`source.columns("a", "b")`: columns of a table as one vector; `source.all_except("y")`: all but these."""


class Tuple(Notation):
    """`(a, b)`: several values as a record, to which a transform applies with one draw."""


class Member(Notation):
    """`pair.first`: a value of a record."""

    keeps_words = True


class Slice(Notation):
    """`x[1:]`: part of the first axis."""

    picks = True
    keeps_words = True


class Index(Notation):
    """`x[0]`: one place of the first axis."""

    picks = True
    keeps_words = True


class Choose(Notation):
    """`if training { .. }`: one value in training, another in evaluation."""

    keeps_words = True


class ToFloat(Notation):
    """Floats where the other branch of an `if training` has them; u8 is read as value / 255."""

    in_graph = True
    to_float = True
