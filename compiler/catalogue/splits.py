"""How records are divided into train, val and test."""

from __future__ import annotations

from typing import ClassVar, Literal

from .arguments import Column, Fraction, Natural, Path, Share
from .entry import Entry


class Splitting(Entry):
    """Base of all splits."""

    #: What `train`, `val` and `test` are: fractions of all records that sum to 1, or names of files or directories (and
    #: fractions taken from train); None where everything is one split.
    divides: ClassVar[Literal["fractions", "names"] | None]
    #: Takes records in any order, which a stream does not allow.
    mixes: ClassVar[bool] = False
    #: Each split is what comes after the one before, so that rows of a time series are divided by their time.
    in_order: ClassVar[bool] = False


class Random(Splitting):
    """Records at random by fractions; `stratify` keeps the classes' shares, `group` keeps what is equal together (with
    both, a group is of the class that most of its records have)."""

    train: Share | None = None
    val: Share | None = None
    test: Share | None = None
    stratify: Column | None = None
    group: Column | None = None
    seed: Natural = 0

    mixes = True
    divides = "fractions"
    example = "split = random(train = 0.8, val = 0.1, test = 0.1, stratify = source.label)"


class Contiguous(Splitting):
    """Fractions in order, for streams, or by a time column."""

    train: Share | None = None
    val: Share | None = None
    test: Share | None = None
    by: Column | None = None

    divides = "fractions"
    in_order = True
    example = "split = contiguous(train = 0.9, val = 0.1)"


class Folders(Splitting):
    """`{split}` in the path is a directory: its name per split, or a fraction taken from train."""

    train: Path | Fraction | None = None
    val: Path | Fraction | None = None
    test: Path | Fraction | None = None
    seed: Natural = 0

    divides = "names"
    example = 'split = folders(train = "train", val = 0.1, test = "test")'


class Files(Splitting):
    """`{split}` in the path (or the name of an idx pair, or of a split of the hub) per split, or a fraction taken from
    train."""

    train: Path | Fraction | None = None
    val: Path | Fraction | None = None
    test: Path | Fraction | None = None
    seed: Natural = 0

    divides = "names"
    example = 'split = files(train = "train", val = "val")'


class All(Splitting):
    """Everything is one split."""

    split: Literal["train", "val", "test"]

    divides = None
    example = 'split = all("train")'
