"""E05xx: what a backend cannot express, and cuts of a model that do not hold together."""

from __future__ import annotations

from .diagnostics import Diagnostic, Label
from .source import Span


def inexpressible(operator: str, backend: str, reason: str, span: Span, *helps: str) -> Diagnostic:
    return Diagnostic("E0501", f"`{operator}` cannot be expressed in {backend}", span, reason, helps=helps)


def no_lowering(operator: str, backend: str, span: Span) -> Diagnostic:
    return Diagnostic("E0501", f"`{operator}` is not supported by {backend}", span, "no lowering")


def random_in_export(operator: str, model: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0502",
        f"an exported output of `{model}` depends on random numbers",
        span,
        f"`{operator}` draws them",
        helps=("draw only while training: `if training { .. } else { .. }`", "or export another output"),
    )


def input_not_listed(output: str, needed: str, listed: tuple[str, ...], span: Span, at: Span) -> Diagnostic:
    known = ", ".join(f"`{name}`" for name in listed)
    return Diagnostic(
        "E0504",
        f"the output `{output}` needs the input `{needed}`, which is not listed",
        span,
        labels=(Label(at, f"needs `{needed}`"),),
        notes=(f"the inputs of this export are {known}",),
        helps=(f"add `{needed}` to `inputs`",),
    )


def no_such_tap(name: str, model: str, known: tuple[str, ...], near: str | None, span: Span) -> Diagnostic:
    helps = (f"did you mean `{near}`?",) if near else (f"there are {', '.join(f'`{k}`' for k in known)}",)
    return Diagnostic("E0301", f"`{model}` has no input, output or binding `{name}`", span, "not found", helps=helps)


def dimension_without_input(dimension: str, listed: tuple[str, ...], span: Span) -> Diagnostic:
    known = ", ".join(f"`{name}`" for name in listed)
    return Diagnostic(
        "E0308",
        f"no listed input carries the size `{dimension}`",
        span,
        notes=(f"the inputs of this export are {known}",),
        helps=(f"add an input with an axis `{dimension}`, or give its size: `fix {{ {dimension} = .. }}`",),
    )


def no_sequence(model: str, fixed: list[str], span: Span) -> Diagnostic:
    if fixed:
        listed = ", ".join(f"`{name}`" for name in fixed)
        return Diagnostic(
            "E0503",
            f"`{model}` has no cached form: its length is fixed",
            span,
            notes=(f"the export gives {listed} a size",),
            helps=("leave it out of `fix { .. }`",),
        )
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: no input has a length",
        span,
        "only symbolic sizes after the first axis count",
        helps=("a sequence is an input like `tokens: i64[B, T]`",),
    )


def no_cached_form(model: str, stage: str, reason: str, span: Span, place: str, *helps: str) -> Diagnostic:
    notes = (f"in `{place}`",) if place else ()
    otherwise = "without `--cached` the export computes whole sequences"
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: `{stage}` {reason}",
        span,
        "needs more than the positions of one step",
        notes=notes,
        helps=(*helps, otherwise),
    )


def nothing_to_keep(model: str, length: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: no causal attention reads `{length}`",
        span,
        "there is nothing to keep",
        helps=("without `--cached` the export computes whole sequences",),
    )


def output_of_other_length(model: str, output: str, length: str, type: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: the output `{output}` is `{type}`, not along `{length}`",
        span,
        helps=(f"an output has an axis `{length}`, or none for the last position alone",),
    )


def length_required(model: str, length: str, text: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: `{text}` cannot hold for one step",
        span,
        f"a step may be one position of `{length}`",
        helps=("without `--cached` the export computes whole sequences",),
    )


def quantized_half(precision: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0501",
        f'`quantize` cannot be expressed in ONNX with `precision = "{precision}"`',
        span,
        "rounded weights are multiplied in f32",
        helps=('`precision = "f32"`, or leave `quantize` out',),
    )


def nothing_to_quantize(least: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0501",
        "`quantize` has nothing to do: no `Linear` is large enough",
        span,
        f"those with {least:,} weights or more are rounded",
        helps=("leave `quantize` out",),
    )
