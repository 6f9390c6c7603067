"""Every entry of a recipe has what runs it, found by its name. One test a family, which names what is missing."""

from __future__ import annotations

from dlc.backends.pytorch import initial_statements
from dlc.backends.pytorch.lowering import has_lowering
from dlc.backends.pytorch.schedules import segment_text
from dlc.compiler.catalogue import (
    INITS,
    LOSSES,
    METRICS,
    NOTATIONS,
    OPTIMIZERS,
    SAMPLINGS,
    SEGMENTS,
    SOURCES,
    SPLITS,
    TRANSFORMS,
    WEIGHT_SOURCES,
)
from dlc.runtime.data import sampling, splits, transforms
from dlc.runtime.data.sources import reader
from dlc.runtime.exporting import preprocessing
from dlc.runtime.generated import initialize
from dlc.runtime.training import metrics, optimizers
from dlc.runtime.weights import sources as sources_of_weights


def missing(family: object, found: object) -> list[str]:
    """Names for which `found(name)` fails or gives nothing."""
    names: list[str] = []
    for name in family:  # type: ignore[attr-defined]
        try:
            there = found(name)  # type: ignore[operator]
        except (AttributeError, KeyError):
            there = False
        if not there:
            names.append(name)
    return names


def test_every_loss_has_a_pytorch_lowering() -> None:
    """One of parameters alone (`l1`) is written out by the recipe; tests/backends_pytorch/test_losses_pytorch.py has it."""
    assert missing([name for name, loss in LOSSES.items() if loss.tensors], has_lowering) == []


def test_every_optimizer_has_a_builder() -> None:
    assert missing(OPTIMIZERS, optimizers.builder) == []


def test_every_source_has_a_reader() -> None:
    assert missing(SOURCES, reader) == []


def test_every_transform_has_a_function() -> None:
    """`None` in its place says where it is done instead."""
    assert missing(TRANSFORMS, lambda name: transforms.function(name) or True) == []
    learning = [name for name in TRANSFORMS if TRANSFORMS[name].learns]
    assert missing(learning, lambda name: transforms.learning(name) or True) == []


def test_every_transform_that_a_graph_can_hold_has_a_builder() -> None:
    held = [name for family in (TRANSFORMS, NOTATIONS) for name, entry in family.items() if entry.in_graph]
    assert missing(held, preprocessing.builder) == []


def test_every_metric_has_an_accumulator() -> None:
    assert missing(METRICS, metrics.accumulator_of) == []


def test_every_split_is_made() -> None:
    assert missing(SPLITS, splits.divider) == []


def test_every_way_to_sample_weighs_records() -> None:
    assert missing(SAMPLINGS, sampling.weigher) == []


def test_every_source_of_weights_is_found_and_shown() -> None:
    assert missing(WEIGHT_SOURCES, sources_of_weights.finder) == []
    assert missing(WEIGHT_SOURCES, lambda name: "shown" in vars(WEIGHT_SOURCES[name])) == []


def test_every_initializer_is_drawn_and_written() -> None:
    assert missing(INITS, initial_statements.statement) == []
    assert missing(INITS, initialize.filler) == []


def test_every_schedule_segment_that_lasts_is_written() -> None:
    """tests/runtime/test_schedules.py compares the values of each kind."""
    lasting = [name for name, entry in SEGMENTS.items() if any(kind == "Time" for _, kind, _ in entry.arguments)]
    assert missing(lasting, segment_text) == []
