"""Losses from which no gradient leads to a weight."""

from __future__ import annotations

from collections.abc import Sequence

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span
from .wording import listed


def trains_nothing(span: Span, blocked: Sequence[Label], frozen: Sequence[str]) -> Diagnostic:
    """`blocked`: where the search for a weight ended. `frozen`: the weights it found that the update does not move."""
    if blocked:
        helps = (
            "train on a smooth function of the outputs, such as `cross_entropy(logits, label)`; a count belongs in `metrics { .. }`",
        )
    elif frozen:
        helps = ("unfreeze one of them, or train on a value that other weights change",)
    else:
        helps = ("use an output of the model in it",)
    notes = (f"{listed(frozen, 6)} {'is' if len(frozen) == 1 else 'are'} not trained here",) if frozen else ()
    if not blocked and not frozen:
        notes = ("it is computed from the data alone",)
    return Diagnostic(
        "E0413",
        "this loss trains nothing: no gradient leads from it to a weight",
        span,
        "no weight changes it",
        _others(span, blocked),
        notes,
        helps,
    )


def idle_term(span: Span, blocked: Sequence[Label]) -> Diagnostic:
    return Diagnostic(
        "W0414",
        "this part of the loss trains nothing: no gradient leads from it to a weight",
        span,
        "no weight changes it",
        _others(span, blocked),
        helps=("leave it out, or put a smooth function in its place; a count belongs in `metrics { .. }`",),
    )


def no_gradient_of_net(span: Span, net: str, blocked: Sequence[Label]) -> Diagnostic:
    return Diagnostic(
        "E0413",
        f"the output of `{net}` has no gradient with respect to its input",
        span,
        "a penalty on a gradient that does not exist",
        _others(span, blocked),
        helps=("leave the penalty out, or let the net compute its output smoothly",),
    )


def _others(span: Span, blocked: Sequence[Label]) -> tuple[Label, ...]:
    """The first of the places, unless it is the one that the message is about."""
    return tuple([label for label in dict.fromkeys(blocked) if label.span != span][:1])


def no_second_gradient(span: Span, name: str, instead: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0413",
        f"a penalty on a gradient needs the derivative of it, which `{name}` does not have",
        span,
        "differentiates the net twice",
        _others(span, (Label(place, "differentiable once"),)),
        helps=(f"write `{instead}` in the net: it gives the same", "or leave the penalty out"),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0413": Explanation(
            "a loss that trains nothing",
            "A step follows the gradient of the loss to the weights. None leads there from comparisons, whole numbers, `floor`,\n"
            "`//` and `stop_grad`, from the data alone, or where every weight that the loss depends on is frozen.",
            programs.digits("cross_entropy(logits, label)", "mean(cast(logits > 0, f32))"),
            programs.DIGITS,
        ),
        "W0414": Explanation(
            "a part of a loss that trains nothing",
            "The loss as a whole trains weights, but one summand of it only shifts the figure: comparisons, whole numbers, `floor`,\n"
            "`//` and `stop_grad` carry no gradient.",
            programs.digits(
                "cross_entropy(logits, label)", "cross_entropy(logits, label) + mean(cast(logits > 0, f32))"
            ),
            programs.DIGITS,
        ),
    }
