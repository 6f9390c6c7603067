"""The fields of a section on the page, as they enter the model: classes by split, images as augmentation makes them, tokens with
their texts, windows of series, vectors of numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.ir.data import DataFacts, DataField, DataNode, DataSet
from ...compiler.sizes.types import shape_text
from .. import randomness
from ..data import vocabulary
from ..data.draw import Records
from ..data.feed import Data, Feed
from ..data.values import Value
from ..data.vocabulary import Vocabulary
from . import drawings, html

SAMPLES = 8
EPOCHS = 2  # in which an image is drawn
TOKENS = 120
IGNORED = -100  # the number of a token that no loss is computed for
MOST = 200_000  # records whose classes are counted
NUMBERS = 12
ROUNDING = 1e-15  # of the largest number of a record: less is the error of a sine, shown as 0
SIDE = 8  # pixels of the smallest image


def shown(data: Data, facts: DataFacts) -> Iterator[str]:
    """The parts of the page for all fields of a section."""
    split = "train" if "train" in data.parts else next(iter(data.parts))
    feed = Feed(data, split, training=split == "train", device=torch.device("cpu"), share=0.0)
    order = randomness.permutation(randomness.key(0, "look"), len(feed))[:SAMPLES]
    positions = np.sort(order)
    draws = [
        feed.chunk(positions, randomness.key(0, "augment", epoch) if feed.training else None) for epoch in range(EPOCHS)
    ]
    records = data.part(split).records[positions] if not data.graph.windows() else positions
    places = [data.table.place(int(record)) for record in records]
    for field in data.section.fields:
        known = facts.fields[field.name]
        yield html.heading(f"{field.name}: {known.dtype}{shape_text(field.type.shape)}")
        if known.classes is not None and known.shape == ():
            yield from _balance(data, field, known.classes)
            continue
        texts = vocabulary.of_field(data.section, field.name, data.graph.fitted)
        values = [_arrays(draw[field.name]) for draw in draws]
        yield from _samples(values, places, texts, _in_order(data.section, field))


def _balance(data: Data, field: DataField, classes: tuple[str, ...]) -> Iterator[str]:
    """How many records of each class a split has."""
    boxes: list[tuple[str, str, str]] = []
    for split, part in data.parts.items():
        positions = np.arange(min(len(part), MOST))
        value = data.graph.evaluate([field.node], part, positions, training=False)[field.node]
        assert isinstance(value, Tensor)
        counts = torch.bincount(value.to(torch.int64).clamp(min=0), minlength=len(classes)).tolist()
        names = [*classes, *("another name" for _ in counts[len(classes) :])]
        boxes.append((split, f"{len(part):,} records", drawings.bars(dict(zip(names, counts, strict=True)))))
    yield html.cards(boxes)


def _arrays(value: Value) -> list[NDArray[np.generic]]:
    """A record an array."""
    assert isinstance(value, (Tensor, list))
    return [item.cpu().numpy() if isinstance(item, Tensor) else np.asarray(item) for item in value]


def _in_order(section: DataSet, field: DataField) -> bool:
    """Whether the numbers of a field follow each other, as those of windows and of arrays do: not columns of a table side by side."""
    nodes, stack = list[DataNode](), [field.node]
    while stack:
        nodes.append(section.node(stack.pop()))
        stack += nodes[-1].inputs
    return any(transforms.of(node.op).windows for node in nodes) or not any(node.op == "columns" for node in nodes)


def _samples(
    values: list[list[NDArray[np.generic]]], places: list[str], texts: Vocabulary | None, in_order: bool
) -> Iterator[str]:
    first = values[0]
    if not first:
        return
    if _is_image(first[0]):
        changed = any((a != b).any() for a, b in zip(values[0], values[1], strict=True) if a.shape == b.shape)
        for epoch, draw in enumerate(values if changed else values[:1]):
            yield html.paragraph(f"as epoch {epoch + 1} of training sees them" if changed else "as the model sees them")
            yield f'<div class="images">{"".join(map(drawings.picture, draw, places))}</div>'
    elif _is_text(first[0]):
        yield "".join(f'<p class="text">{_tokens(record.tolist(), texts)}</p>' for record in first)
    elif in_order and _is_series(first[0]):
        yield html.cards((place, "", drawings.line(record)) for place, record in zip(places, first, strict=True))
    else:
        rows = ([place, *_numbers(record)] for place, record in zip(places, first, strict=True))
        yield html.table(["record", *_columns(first[0])], rows)


def drawings_of(data: Data, feed: Feed, positions: Records, leave_out: str) -> list[str]:
    """Examples of a split as they enter the model, without the field that is predicted: images, texts, series."""
    batch = feed.chunk(positions, None)
    drawn = [""] * len(positions)
    for field in data.section.fields:
        if field.name == leave_out:
            continue
        texts = vocabulary.of_field(data.section, field.name, data.graph.fitted)
        in_order = _in_order(data.section, field)
        for at, record in enumerate(_arrays(batch[field.name])):
            drawn[at] += _drawn(record, texts, in_order)
    return drawn


def _drawn(record: NDArray[np.generic], texts: Vocabulary | None, in_order: bool) -> str:
    if _is_image(record):
        return drawings.picture(record)
    if _is_text(record):
        return f'<p class="text">{_tokens(record.tolist(), texts)}</p>'
    return drawings.line(record) if in_order and _is_series(record) else ""


def _is_text(array: NDArray[np.generic]) -> bool:
    return array.ndim == 1 and array.dtype.kind == "i"


def _is_series(array: NDArray[np.generic]) -> bool:
    """Whether a line shows it better than a row of a table: it is long, or has several numbers at each step."""
    return array.dtype.kind == "f" and (
        array.ndim in (1, 2) and array.shape[0] > NUMBERS or array.ndim == 2 and array.shape[0] > 2
    )


def _is_image(array: NDArray[np.generic]) -> bool:
    return array.ndim == 3 and array.shape[0] in (1, 3) and min(array.shape[1:]) >= SIDE


def _numbers(record: NDArray[np.generic]) -> list[str]:
    numbers = record.reshape(-1)[:NUMBERS].astype(np.float64)
    least = ROUNDING * np.abs(numbers[np.isfinite(numbers)]).max(initial=0.0)
    values = [f"{0.0 if abs(value) < least else value:.4g}" for value in numbers.tolist()]
    return [*values, *(["..."] if record.size > NUMBERS else [])]


def _columns(record: NDArray[np.generic]) -> list[str]:
    return [*map(str, range(min(NUMBERS, record.size))), *([""] if record.size > NUMBERS else [])]


def _tokens(numbers: list[int], texts: Vocabulary | None) -> str:
    """Each token in a box: its text, or its number where the text is not known."""
    boxes: list[str] = []
    for number in numbers[:TOKENS]:
        if number == IGNORED:
            boxes.append('<span class="token silent">&middot;</span>')
            continue
        name = texts.name(number) if texts is not None else None
        kind = " silent" if texts is not None and texts.is_silent(number) else "" if name is not None else " masked"
        text = html.escaped(str(number) if name is None else name)
        boxes.append(f'<span class="token{kind if texts is not None else ""}">{text}</span>')
    return "".join(boxes) + ("..." if len(numbers) > TOKENS else "")
