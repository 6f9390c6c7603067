"""Keys of `train` whose value changes nothing: for the length of the run, or for the data at hand."""

from __future__ import annotations

from .diagnostics import Diagnostic
from .source import Span


def _idle(span: Span, message: str, label: str, *helps: str, notes: tuple[str, ...] = ()) -> Diagnostic:
    return Diagnostic("W0415", message, span, label, notes=notes, helps=helps)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("es" if what.endswith("ch") else "s") * (number != 1)


def fewer_than_batch(span: Span, batch: int, records: int) -> Diagnostic:
    return Diagnostic(
        "W0407",
        f"the train split has {_count(records, 'record')}, fewer than `batch = {batch}`",
        span,
        "each step uses all of them",
        helps=(f"write `batch = {records}`, which trains the same, or fewer for several steps an epoch",),
    )


def all_batches(span: Span, batches: int, records: int, size: int) -> Diagnostic:
    whole = -(-records // size)
    return _idle(
        span,
        f"`batches = {batches}` has no effect: all of the validation split is {_count(whole, 'batch')}",
        "covers the whole split",
        "remove `batches`" + (f", or write fewer than {whole}" if whole > 1 else ""),
        notes=(f"the split has {_count(records, 'record')}, and evaluation takes {size} at a time",),
    )


def rarely(span: Span, what: str, where: str) -> Diagnostic:
    return _idle(
        span,
        f"`{what}` is longer than {where}: it validates once, at the end",
        "never passes",
        "shorten it, or train longer",
    )


def log_rarely(span: Span, what: str, where: str) -> Diagnostic:
    return _idle(
        span,
        f"`{what}` has no effect: it is longer than {where}",
        "never passes",
        "shorten it, or remove it to log at each validation",
    )


def never_reached(span: Span, name: str, where: str) -> Diagnostic:
    return _idle(
        span,
        f"this part of `{name}` has no effect: {where} ends before it begins",
        "never reached",
        "shorten what is before it, train longer, or remove it",
    )


def cut_short(span: Span, name: str, share: float, to: float, where: str) -> Diagnostic:
    return _idle(
        span,
        f"`{name}` does not reach {to:g}: {where} ends after {share:.0%} of the way".replace("%", " %"),
        f"longer than {where}",
        "shorten it, or train longer",
    )


def never_repeats(span: Span, name: str, where: str) -> Diagnostic:
    return _idle(
        span,
        f"this part of `{name}` has no effect: its first period is longer than what is left of {where}",
        "never multiplies",
        "shorten the period, or remove it",
    )


def frozen_throughout(span: Span, what: str, where: str) -> Diagnostic:
    return _idle(
        span,
        f"`until = {what}` has no effect: {where} ends before it",
        "frozen to the end",
        "shorten it, or remove it if these parameters are not to be trained",
    )


def never_stops(span: Span, patience: str, where: str) -> Diagnostic:
    return _idle(
        span,
        f"`stop` has no effect: {where} ends before `patience = {patience}` can pass",
        "never stops",
        "shorten `patience`, train longer, or remove `stop`",
        notes=("`patience` counts from the best validation, and the first is the earliest",),
    )


def only_candidate(span: Span, what: str, every: str) -> Diagnostic:
    return _idle(
        span,
        f"`{what}` keeps the last weights: the only validation is at the end",
        "nothing to choose from",
        f"validate more often, such as `validate = every({every})`, or write `keep = last`",
    )


def fewer_to_average(span: Span, asked: int, validations: int) -> Diagnostic:
    return _idle(
        span,
        f"`average` has {_count(validations, 'validation')} to average, not {asked}",
        "more than there are",
        f"write `average(last = {validations})`, validate more often, or train longer",
    )


def nothing_validated(span: Span, key: str, data: str) -> Diagnostic:
    return _idle(
        span,
        f"`{key}` has no effect: `{data}` has no validation split",
        "nothing is validated",
        "give the data one, such as `split = random(train = 0.8, val = 0.2)`, or remove this key",
    )


def nothing_measured(span: Span, data: str) -> Diagnostic:
    return _idle(
        span,
        f"`metrics` has no effect: `{data}` has neither a validation nor a test split",
        "never measured",
        "give the data one, such as `split = random(train = 0.8, val = 0.2)`, or remove the metrics",
    )
