"""Batches of `train`: their sizes and units, what sees a micro-batch alone, and what `mixup` cannot mix."""

from __future__ import annotations

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span


def across_examples(span: Span, what: str, place: Span, micro: str, batch: str) -> Diagnostic:
    return Diagnostic(
        "W0405",
        f"{what} is computed over each micro-batch of {micro}, not over the batch of {batch}",
        span,
        "smaller than the batch",
        (Label(place, "mixes examples"),),
        helps=("use a larger `micro_batch` if memory allows, or a norm that does not mix examples",),
    )


def single_statistic(span: Span, layer: str, place: Span, examples: int, batch: int, records: int | None) -> Diagnostic:
    few = records is not None and records < batch
    return Diagnostic(
        "E0206",
        f"`{layer}` cannot train on one number per channel",
        span,
        f"a step has {examples} example" + ("s" if examples > 1 else ""),
        (Label(place, "the batch is set here"),),
        notes=(f"the train split has {records} record{'s' if records != 1 else ''}",) if few else (),
        helps=(
            "use at least 2 examples in every micro-batch",
            "or use a norm that does not mix examples, such as `LayerNorm`",
        ),
    )


def batch_refused(
    span: Span, requirement: str, message: str | None, examples: int, split: str, place: Span
) -> Diagnostic:
    return Diagnostic(
        "E0210",
        message or f"`{requirement}` does not hold for the batches of `{split}`",
        span,
        f"a batch of `{split}` has {examples} example" + ("s" if examples > 1 else ""),
        (Label(place, "the batch is set here"),),
        helps=("use a batch for which it holds, or relax the requirement",),
    )


def batch_not_whole(span: Span, batch: int, micro: int, unit: str = "samples") -> Diagnostic:
    if unit == "tokens":
        help = f"use at most `micro_batch = {batch} tokens`"
        return Diagnostic(
            "E0206", f"`micro_batch` is {micro} tokens, more than `batch`, {batch}", span, "too large", helps=(help,)
        )
    return Diagnostic(
        "E0206",
        f"`batch` is {batch}, which is not a multiple of `micro_batch`, {micro}",
        span,
        "not whole",
        helps=(f"for example `batch = {max(batch // micro, 1) * micro}`",),
    )


def sampled_field(span: Span, entry: str, classes: bool, field: str, type: str, place: Span) -> Diagnostic:
    wanted = "one class number a record, `i64`" if classes else "one number a record, such as `f32`"
    return Diagnostic(
        "E0304",
        f"`{entry}` takes a field with {wanted}, and `{field}` is `{type}`",
        span,
        "not such a field",
        (Label(place, f"`{field}`"),),
        helps=(f"name the field that holds the {'classes' if classes else 'weights'}",),
    )


def sampled_tokens(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0403",
        "`sampling` draws records one by one, and a batch in tokens puts records of one length together",
        span,
        "not with a batch in tokens",
        helps=("write the batch in samples, such as `batch = 64`, or remove `sampling`",),
    )


def no_tokens(span: Span, data: str) -> Diagnostic:
    return Diagnostic(
        "E0403",
        f"a batch in tokens needs sequences, and no field of `{data}` is one",
        span,
        "in tokens",
        notes=("a sequence has a varying length, such as `i64[T]`, or is of ids, such as `i64[128]`",),
        helps=("write it in samples, such as `batch = 64`",),
    )


def mixup_of_steps(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "`mixup` cannot mix the batches of `step` sections",
        span,
        "mixes the targets of one loss",
        helps=("remove `mixup`", "or train with one `loss` and no `step`"),
    )


def mixup_whole_numbers(span: Span, field: str, net: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"`mixup` cannot mix `{field}`: its whole numbers go into `{net}`",
        span,
        "mixes floating-point numbers",
        (Label(place, f"reads `{field}`"),),
        helps=("remove `mixup`", f"or declare `{field}` as f32, if it is an amount and not a class or an id"),
    )


def mixup_of_nothing(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "`mixup` has nothing to mix: the loss reads no field of floating-point numbers",
        span,
        "mixes floating-point numbers",
        helps=("remove `mixup`",),
    )


def longer_than_batch(span: Span, longest: int, batch: int) -> Diagnostic:
    return Diagnostic(
        "E0206",
        f"the longest record has {longest} tokens, and a batch holds at most {batch}",
        span,
        "the batch is set here",
        helps=(f"use at least `batch = {longest} tokens`", f"or shorten longer records with `truncate({batch})`"),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "W0405": Explanation(
            "computed across the examples of a micro-batch",
            "Batch statistics and reductions over the batch see only one micro-batch, so results depend on `micro_batch`.",
            programs.micro_batched(programs.digits("flatten ->", "flatten -> norm: BatchNorm ->")),
            programs.micro_batched(programs.digits("flatten ->", "flatten -> norm: LayerNorm ->")),
        ),
    }
