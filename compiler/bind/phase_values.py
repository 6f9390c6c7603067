"""Values of the keys that a phase and its section have in common: duration, batch, rhythm of validation, precision."""

from __future__ import annotations

from typing import Any, cast

from ..catalogue import CLIPS, SAMPLINGS, VALIDATIONS
from ..catalogue.sampling import Sampling
from ..catalogue.token_batches import has_tokens
from ..ir.arguments import EntryUse
from ..ir.train import Batch, Clip, Duration, Validate
from ..messages import batches as batch_errors
from ..messages import sections as sections_errors
from ..messages import training as training_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..sizes.statics import Quantity, describe
from ..sizes.types import is_float, is_integer
from ..text import syntax
from .data import ReadData
from .reader import Section, SectionReader


def duration(reader: SectionReader, section: Section, phase: str | None) -> Duration | None:
    node = section.value("duration")
    if node is None:
        if phase is None:
            reader.missing(section, "duration", "duration = 10 epochs", of="train")
        else:
            reader.lacks(section, "duration", sections_errors.duration_missing(section.span, phase))
        return None
    return reader.attempt(lambda: reader.duration(node))


def batch(reader: SectionReader, section: Section, data: ReadData) -> Batch:
    node = section.value("batch")
    if node is None:
        reader.missing(section, "batch", "batch = 64", of="train")
        raise Abandoned
    amount, unit = _amount(reader, node, "batch")
    if unit == "tokens" and data.whole and not has_tokens(data.dataset):
        raise Failed(batch_errors.no_tokens(node.span, data.dataset.name))
    micro_node = section.value("micro_batch")
    micro = None
    if micro_node is not None:
        micro, _ = _amount(reader, micro_node, "micro_batch", unit)
        if micro > amount or (unit == "samples" and amount % micro):
            raise Failed(batch_errors.batch_not_whole(micro_node.span, amount, micro, unit))
    return Batch(amount=amount, unit=cast(Any, unit), micro=micro)


def _amount(reader: SectionReader, node: syntax.Pipe, key: str, wanted: str | None = None) -> tuple[int, str]:
    """Samples (a number alone will do) or tokens."""
    value = reader.static(node)
    unit = "samples"
    if isinstance(value, Quantity):
        if value.unit not in ("samples", "tokens"):
            units = ("samples", "tokens")
            text = describe(value.number)
            raise Failed(
                sections_errors.unit_wrong(node.span, text, value.unit, f"`{key}`", units, nearest(value.unit, units))
            )
        value, unit = value.number, value.unit
    if wanted is not None and unit != wanted:
        raise Failed(sections_errors.unit_wrong(node.span, describe(value), unit, f"`{key}`", (wanted,), None))
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Failed(sections_errors.wrong_value(node.span, key, "a whole number of at least 1", describe(value)))
    return value, unit


def sampling(reader: SectionReader, section: Section, data: ReadData, batch: Batch | None) -> EntryUse | None:
    node = section.value("sampling")
    if node is None:
        return None
    fields = {field.name: field for field in data.dataset.fields}

    def field(value: syntax.Pipe, what: str) -> str:
        value = reader.plain(value)
        if not isinstance(value, syntax.Ref):
            raise Failed(sections_errors.not_an_entry(value.span, "the name of a field", "balanced(label)"))
        name = value.name
        if name not in fields:
            if data.spoiled is None or name in data.spoiled:
                raise Abandoned  # it may be a field whose mistake is reported
            near = nearest(name, fields)
            raise Failed(training_errors.field_unknown(value.span, data.dataset.name, name, near, list(fields)))
        return name

    entry, use = reader.entry(node, SAMPLINGS, "balanced(label)", {"Field": field})
    found = fields[use.args["field"]]
    classes = cast(type[Sampling], entry).reads == "classes"
    fits = is_integer(found.type.dtype) if classes else is_float(found.type.dtype)
    if found.type.rank != 1 or not fits:
        raise Failed(
            batch_errors.sampled_field(node.span, entry.name, classes, found.name, str(found.type), found.span)
        )
    if batch is not None and batch.unit == "tokens":
        raise Failed(batch_errors.sampled_tokens(node.span))
    return use


def validate(reader: SectionReader, section: Section) -> Validate:
    node = section.value("validate")
    if node is None:
        return Validate(every=Duration(amount=1, unit="epochs"))
    _, entry = reader.entry(
        node, VALIDATIONS, "every(1 epochs)", {"Time": lambda node, what: reader.duration(node, what)}
    )
    return Validate(every=entry.args["n"], batches=entry.args["batches"], span=node.span)


def precision(reader: SectionReader, section: Section) -> Any:
    node = section.value("precision")
    if node is None:
        return None
    value = reader.static(node)
    if value not in ("f32", "bf16", "f16"):
        words = '`"f32"`, `"bf16"` or `"f16"`'
        raise Failed(sections_errors.wrong_value(node.span, "precision", words, describe(value)))
    return value


def clip(reader: SectionReader, section: Section) -> Clip | None:
    node = section.value("clip")
    if node is None:
        return None
    entry = reader.attempt(lambda: reader.entry(node, CLIPS, "norm(1.0)"))
    return None if entry is None else Clip(kind=entry[1].name, limit=entry[1].args["limit"])
