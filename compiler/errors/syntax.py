"""E01xx: what the text of a spec can get wrong before any name is looked up."""

from __future__ import annotations

from .. import syntax as s
from ..diagnostics import Diagnostic
from ..source import Span


def unexpected(span: Span, found: str) -> Diagnostic:
    return Diagnostic("E0101", f"unexpected {found}", span)


def unknown_escape(span: Span, escape: str) -> Diagnostic:
    return Diagnostic(
        "E0101",
        f"unknown escape `{escape}` in a string",
        span,
        helps=('the escapes are `\\"`, `\\\\`, `\\n` and `\\t`; a backslash itself is written `\\\\`',),
    )


def not_a_label(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0101",
        "a label is a name or a dotted path",
        span,
        "not a label",
        helps=("write `name: Layer(..)`",),
    )


def not_assignable(target: s.Pipe) -> Diagnostic:
    return Diagnostic(
        "E0103",
        "this cannot be assigned to",
        target.span,
        "not a name",
        helps=("the left side is a name, or a list of names as in `[q, k, v] = ..`",),
    )


def body_without_scan(span: Span, value: s.Pipe) -> Diagnostic:
    return Diagnostic(
        "E0104",
        "only `scan(..)` is followed by a body",
        span,
        "this body belongs to nothing",
        helps=("`y = scan(axis = 1, x_t = x, h = carry(h0)) { .. }`",),
    )


def number_too_large(span: Span, text: str) -> Diagnostic:
    shown = text if len(text) <= 24 else text[:20] + "…"
    return Diagnostic("E0105", f"the number `{shown}` is too large", span, "above 2^63")


def too_deep(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0105",
        "nesting over 100",
        span,
        "too deep",
        helps=("give a part of it a name, and use the name",),
    )
