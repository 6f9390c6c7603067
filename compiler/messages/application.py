"""Applying layers, functions and instances: what can be applied, its arguments, its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from . import habits, programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Source, Span
from .wording import describe, kind, listed, meant


class Rejection(Protocol):
    """Why an operator's rule does not hold (`catalogue.ops.base.Rejected`)."""

    code: str
    message: str
    label: str
    notes: tuple[str, ...]
    helps: tuple[str, ...]


def rejected(rejected: Rejection, name: str, span: Span, swapped: Sequence[str] = (), declared: str = "") -> Diagnostic:
    """An operator's rule that does not hold. `name` is empty for an operator that is written with symbols: its rules have
    helps of their own. `swapped` are its inputs where they fit in the other order; `declared` is how an input of the model has to
    be declared to fit."""
    otherwise = (f"`dlc explain {name}` shows what it takes",) if name and not rejected.notes else ()
    order = (f"swap them: the inputs of `{name}` are, in order, {listed(swapped)}",) if swapped else ()
    declare = (f"declare the input with its dtype: `{declared}`",) if declared else ()
    helps = order or declare or rejected.helps or otherwise
    return Diagnostic(rejected.code, rejected.message, span, rejected.label, notes=rejected.notes, helps=helps)


def instantiated(name: str, source: Source, span: Span, path: str) -> str:
    """The note on where the block around a mistake was used."""
    line, _ = source.position(span.start)
    where = f"in `{name}` instantiated at {source.name}:{line}"
    return f"{where} as `{path.replace('#', '')}`" if path else where


def given(settings: Sequence[tuple[str, str]]) -> str:
    """The note on values given from outside: (as written, where)."""
    return "with " + ", ".join(f"`{written}` ({where})" for written, where in settings)


def overridden(name: str, source: Source, span: Span) -> str:
    """The note that names the file that replaced a block of another."""
    line, _ = source.position(span.start)
    return f"`{name}` is overridden in {source.name}:{line}"


def not_applicable(name: str, value: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"`{name}` is a value, not a stage",
        span,
        f"it is {kind(value)}",
        helps=("to combine values, write `x + y` or `concat(x, y, axis = 1)`; to name one, `y = x -> ..`",),
    )


def instance_labelled(name: str, span: Span) -> Diagnostic:
    return Diagnostic("E0303", f"`{name}` already has a path", span, "a second label", helps=(f"write `-> {name}`",))


def instance_select(name: str, output: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "outputs are selected from the result of an application",
        span,
        "selected from the instance",
        helps=(f"write `(x -> {name}).{output}`",),
    )


def instance_arguments(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"`{name}` is already an instance: it takes only inputs, by name",
        span,
        "a positional argument",
        helps=(f"give further inputs by name: `x -> {name}(memory = m)`",),
    )


def dotted_stage(path: str, span: Span) -> Diagnostic:
    help = f"apply the whole of it: `-> {path.partition('.')[0]}`"
    return Diagnostic("E0303", f"`{path}` cannot be applied", span, "a stage is a single name", helps=(help,))


def constructor_as_value(name: str, span: Span, is_function: bool) -> Diagnostic:
    if is_function:
        return function_bound(name, span)
    return Diagnostic(
        "E0303",
        f"`{name}` needs an input",
        span,
        "nothing is piped into it",
        helps=(f"pipe a value into it, `x -> {name}(..)`, or bind an instance, `name = {name}(..)`",),
    )


def function_bound(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303", f"`{name}` is a function and needs an input", span, "not a value", helps=(f"write `x -> {name}`",)
    )


def not_applied_yet(path: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"the weights of `{path}` are not known yet",
        span,
        "read before it is applied",
        helps=("apply it first: its sizes depend on its input",),
    )


def unknown_argument(callee: str, name: str, known: Sequence[str], span: Span, near: str | None) -> Diagnostic:
    takes = f"it takes {listed(known)}" if known else "it takes no arguments"
    helps = habits.argument(name, tuple(known), near) or (takes,)
    return Diagnostic("E0304", f"`{callee}` has no argument `{name}`", span, "unknown", helps=helps)


def missing_argument(callee: str, name: str, span: Span, declared: Span | None) -> Diagnostic:
    labels = (Label(declared, "declared without a default"),) if declared is not None else ()
    return Diagnostic(
        "E0304", f"`{callee}` needs `{name}`", span, f"`{name}` is missing", labels, helps=(f"add `{name} = ..`",)
    )


def argument_twice(callee: str, name: str, span: Span, order: tuple[str, ...] = ()) -> Diagnostic:
    """`order` are the arguments of a layer, where another library gives the size of the input first."""
    helps = habits.sizes_first(order) or ("remove one of the two",)
    return Diagnostic("E0304", f"`{name}` of `{callee}` is given twice", span, "again", helps=helps)


def too_many_arguments(
    callee: str, most: int, found: int, span: Span, *, block: bool = False, helps: tuple[str, ...] = ()
) -> Diagnostic:
    helps = helps or (f"pipe inputs into it: `x -> {callee}`, or `(x, y) -> {callee}`",) * (block and not most)
    helps = helps or ("remove what is too many, or give arguments by name",)
    message = f"`{callee}` takes {most} positional argument{'s' * (most != 1)}, not {found}"
    return Diagnostic("E0304", message, span, "too many", helps=helps)


def other_order(callee: str, given: Sequence[Any], ours: Sequence[str], looks: str, span: Span) -> Diagnostic:
    """`Conv(3, 8, 3)`: `looks` is what the numbers look like."""
    values = [describe(value) for value in given]
    named = [
        value if at == 0 else f"{name} = {value}" for at, (name, value) in enumerate(zip(ours, values, strict=False))
    ]
    read = ", ".join(f"`{name} = {value}`" for name, value in zip(ours, values, strict=False))
    return Diagnostic(
        "W0418",
        f"the arguments of `{callee}` look like ({looks})",
        span,
        f"read as {read}",
        notes=(f"the size of the input is {values[0]} too, and it is not given",),
        helps=(
            f"write `{callee}({', '.join(values[1:5])})`",
            f"or name what is meant as it is read: `{callee}({', '.join(named)})`",
        ),
    )


def too_many_inputs(callee: str, most: int, found: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{callee}` takes {most} input{'s' * (most != 1)}, not {found}",
        span,
        "too many values",
        helps=("`x -> f` pipes one value, `(x, y) -> f` two",),
    )


def label_without_input(label: str, made: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{made}` has no input here",
        span,
        "a label, and nothing is piped in",
        helps=(f"write `x -> {label}: {made}`; an instance is bound to a name without a label: `name = {made}`",),
    )


def input_missing(callee: str, name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"input `{name}` of `{callee}` is missing",
        span,
        f"no `{name}`",
        helps=(f"pipe it in, or give it by name: `{name} = ..`",),
    )


def input_not_tensor(callee: str, name: str, value: Any, span: Span) -> Diagnostic:
    helps = (f"write them without a list: `{callee}(a, b, ..)`",) if isinstance(value, tuple) else ()
    helps = helps or ("give a tensor: an input, or what a layer or function returns",)
    message = f"input `{name}` of `{callee}` must be a tensor"
    return Diagnostic("E0304", message, span, f"it is {kind(value)}", helps=helps)


def wrong_argument(
    callee: str, name: str, expected: str, value: Any, span: Span, order: tuple[str, ...] = ()
) -> Diagnostic:
    helps = habits.value(name, expected, value, order)
    return Diagnostic("E0304", f"`{name}` of `{callee}` must be {expected}", span, f"it is {kind(value)}", helps=helps)


def wrong_static(name: str, expected: str, value: Any, span: Span, near: str | None = None) -> Diagnostic:
    return Diagnostic("E0304", f"`{name}` must be {expected}", span, f"it is {kind(value)}", helps=meant(near))


def several_outputs(of: str, names: list[str], span: Span) -> Diagnostic:
    if not names:
        help = "declare one: a field in a `data` section, an output in the signature of a block"
        return Diagnostic("E0305", f"`{of}` has no values, but one is needed", span, "no tensor", helps=(help,))
    return Diagnostic(
        "E0305",
        f"`{of}` has several outputs, but one is needed",
        span,
        f"outputs {listed(names)}",
        helps=(f"select one: `.{names[0]}`",),
    )


def tuple_as_tensor(count: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0305", f"{count} values where one is needed", span, "a tuple", helps=("unpack it: `[a, b] = ..`",)
    )


def not_a_tensor(value: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "a tensor is needed here",
        span,
        f"this is {kind(value)}",
        helps=("give a tensor: an input, or what a layer or function returns",),
    )


def operator_on_tensors(op: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"`{op}` does not work on tensors",
        span,
        "an operator of static values",
        helps=("it works on settings and sizes, which are known before the model runs",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "W0418": Explanation(
            "arguments of a layer in the order of another library",
            "A layer knows the size of its input, so its arguments begin with what comes out. Where the first one is the size of the\n"
            "input too, and the others are unusual as they are read, they may be in PyTorch's order. Names make it clear.",
            programs.body("y = x -> conv: Conv(3, 8, 3) -> flatten -> fc: Linear(2)", "x: [B, 3, 16, 16]", "y: [B, 2]"),
            programs.body("y = x -> conv: Conv(8, 3) -> flatten -> fc: Linear(2)", "x: [B, 3, 16, 16]", "y: [B, 2]"),
        ),
        "E0303": Explanation(
            "cannot be applied here",
            "An instance is applied with `->`, as in `x -> tower`, never called; a value is not a stage.",
            programs.body("fc = Linear(8)\ny = fc(x)"),
            programs.body("fc = Linear(8)\ny = x -> fc"),
        ),
        "E0304": Explanation(
            "arguments: unknown, missing, twice, too many, of the wrong static type",
            "Argument names are checked; none is silently ignored.",
            programs.body("y = x -> Linear(8, biass = false)"),
            programs.body("y = x -> Linear(8, bias = false)"),
        ),
        "E0305": Explanation(
            "several outputs where one is needed",
            "Select one output of a layer that has several: `.y`, `.h`.",
            programs.body("y = x -> LSTM(8) -> relu", "x: [B, T, 4]", "y: [B, T, 8]"),
            programs.body("y = x -> LSTM(8).y -> relu", "x: [B, T, 4]", "y: [B, T, 8]"),
        ),
    }
