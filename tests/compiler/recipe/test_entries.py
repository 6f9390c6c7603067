"""What every entry must say. One test a family and fact, which names the entries that leave it out."""

from __future__ import annotations

import pytest

from dlc.compiler.catalogue import FAMILIES, LOSSES, METRICS, NOTATIONS, TRANSFORMS
from dlc.compiler.catalogue.arguments import read, words
from dlc.compiler.catalogue.entry import MISSING, Family

#: Kinds that the binder reads where the expression is at hand.
BOUND = {"Time", "Watch", "Column"}


@pytest.mark.parametrize("family", [*FAMILIES, NOTATIONS], ids=lambda family: family.root)
def test_class_lines_and_classes_agree(family: Family) -> None:
    """The name that is read off the class line is the entry's own, and it has documentation of its own."""
    assert [name for name in family if family[name].name != name] == []
    assert [name for name in family if not family[name].__dict__.get("__doc__")] == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.root)
def test_arguments_are_of_known_kinds_and_defaults_fit(family: Family) -> None:
    for name, entry in family.items():
        for argument, kind, default in entry.arguments:
            assert words(kind), f"{name}: {argument}"
            if default is not MISSING and kind.removesuffix(" | None") not in BOUND:
                assert read(kind, default) == default, f"{name}: {argument}"


def test_every_loss_and_metric_says_what_its_target_means() -> None:
    entries = {**LOSSES, **METRICS}
    assert [name for name, entry in entries.items() if getattr(entry, "target", "unsaid") == "unsaid"] == []
    named = {"class": ("target",), "share": ("target",), "value": ("y",)}
    for name, entry in entries.items():
        if entry.target is not None:
            assert entry.tensors[1][0] in named[entry.target], name


def test_every_transform_says_what_it_is_applied_to_and_whether_a_graph_can_hold_it() -> None:
    entries = {**TRANSFORMS, **NOTATIONS}
    for fact in ("takes", "in_graph"):
        assert [name for name, entry in entries.items() if getattr(entry, fact, None) is None] == [], fact


def test_every_random_transform_of_images_says_what_it_is_in_evaluation() -> None:
    images = {name: entry for name, entry in TRANSFORMS.items() if entry.takes == "image"}
    assert [name for name, entry in images.items() if entry.random != (entry.evaluation is not None)] == []
    known = {*TRANSFORMS, *NOTATIONS}
    assert [name for name, entry in images.items() if not known.issuperset(entry.evaluation or ())] == []
