"""What a body binds, drops, unpacks and returns, and the inputs it declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import programs
from .diagnostics import Diagnostic
from .explanation import Explanation
from .source import Span
from .wording import PrintedType, kind, listed


def unused_binding(name: str, span: Span) -> Diagnostic:
    helps = (f"remove it, or write `_{name}` to keep it on purpose",)
    return Diagnostic("E0309", f"`{name}` is never read", span, "bound but not used", helps=helps)


def value_dropped(span: Span) -> Diagnostic:
    helps = (
        "a line that starts with an operator does not continue the line above: end that line with the operator, or use parentheses",
    )
    return Diagnostic("E0309", "this value is not used", span, "computed and dropped", helps=helps)


def condition_dropped(span: Span, text: str) -> Diagnostic:
    helps = (f"state a fact about sizes with its word: `require {text}`",)
    return Diagnostic("E0309", "this condition is not used", span, "computed and dropped", helps=helps)


def if_without_value(span: Span, bound: Sequence[str]) -> Diagnostic:
    last = f"end the body with `{bound[-1]}`, or give" if bound else "give"
    helps = (f"{last} every branch a last expression, `else` included",)
    return Diagnostic("E0307", "this `if` has no value", span, "the last statement of the body", helps=helps)


def no_result(span: Span, bound: Sequence[str] = ()) -> Diagnostic:
    last = f"`{bound[0]}`" if bound else "an expression"
    helps = (f"end the body with {last}; or name the outputs in the signature and assign them",)
    return Diagnostic("E0307", "this body has no result", span, "the last statement has no value", helps=helps)


def output_not_assigned(name: str, span: Span) -> Diagnostic:
    helps = (f"assign it in the body: `{name} = ..`",)
    return Diagnostic("E0307", f"output `{name}` is not assigned", span, "declared here", helps=helps)


def model_outputs_unnamed(name: str, span: Span) -> Diagnostic:
    helps = (f"write `model {name}(..) -> (logits: [B, classes])` and assign `logits` in the body",)
    return Diagnostic("E0307", "model outputs must be named", span, "unnamed output", helps=helps)


def ellipsis_here(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`...` stands for axes, but there are none here",
        span,
        "not a value",
        helps=("use it in a shape, `[B, ..., D]`, or in an index, `x[..., 0]`",),
    )


def unpack_outputs(of: str, names: list[str], span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202",
        "named outputs cannot be unpacked by position",
        span,
        f"outputs {listed(names)}",
        helps=(f"bind the result, `r = ..`, and select `r.{names[0]}`",),
    )


def unpack_axis(type: PrintedType, span: Span) -> Diagnostic:
    helps = ("to split another axis, write `x -> unbind(axis = 1)` or `x -> chunk(2, axis = -1)`",)
    return Diagnostic(
        "E0202", f"`{type}` cannot be unpacked", span, "the size of its first axis is not a number", helps=helps
    )


def unpack_count(names: int, values: int, span: Span) -> Diagnostic:
    helps = ("`_` skips a value" if names < values else "write as many names as there are values",)
    message = f"{names} name{'s' * (names != 1)} for {values} value{'s' * (values != 1)}"
    return Diagnostic("E0202", message, span, "counts differ", helps=helps)


def unpack_other(value: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202",
        "this value cannot be unpacked",
        span,
        f"it is {kind(value)}",
        helps=("`[a, b] = ..` unpacks a list, or a tensor along its first axis",),
    )


def open_model_input(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0308", "a model input must name every axis", span, "unnamed axis", helps=("give the axis a name: `T`",)
    )


def input_without_type(name: str, span: Span, default: str | None = None) -> Diagnostic:
    """`default`: of an input that looks like a setting, as it is written."""
    form = f"`{name}: [B, 8]`, `{name}: i64[B, T]`"
    if default is not None:
        form = f"settings have brackets of their own, before those of the inputs: `({name} = {default})(x: [B, 8])`"
    return Diagnostic("E0304", f"input `{name}` needs a type", span, "no type", helps=(form,))


def explanations() -> dict[str, Explanation]:
    return {
        "E0307": Explanation(
            "output not assigned",
            "Outputs named in the signature are assigned by name, so two of them cannot be swapped by accident.",
            programs.body("z = x -> relu"),
            programs.body("y = x -> relu"),
        ),
        "E0308": Explanation(
            "size that no input binds",
            "Each axis of a model input has a name or a number, and each size of an output comes from one of them. If a model\n"
            "is cut for export, the listed inputs must carry these sizes.",
            programs.body("y = x -> flatten -> Linear(8)", "x: [B, _]"),
            programs.body("y = x -> flatten -> Linear(8)", "x: [B, 4]"),
        ),
        "E0309": Explanation(
            "value or binding not used",
            "A value that is computed and dropped is nearly always a mistake: a line that starts with an operator does not\n"
            "continue the line above. A leading `_` allows an unused binding.",
            programs.body("y = x\n  - 1"),
            programs.body("y = x -\n  1"),
        ),
    }
