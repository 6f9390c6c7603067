"""E01xx: mistakes in the text of a spec, found before any name is looked up."""

from __future__ import annotations

import re

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .names import nearest
from .source import Span


def unexpected(span: Span, found: str, wanted: str) -> Diagnostic:
    return Diagnostic("E0101", f"unexpected {found}", span, f"expected {wanted}" if wanted else "")


def never_closed(span: Span, opener: str, closer: str, labels: tuple[Label, ...]) -> Diagnostic:
    return Diagnostic(
        "E0101",
        f"this `{opener}` is never closed",
        span,
        f"no matching `{closer}`",
        labels=labels,
        helps=(f"add `{closer}`",),
    )


def closes_nothing(span: Span, closer: str) -> Diagnostic:
    return Diagnostic("E0101", f"unmatched `{closer}`", span, "no bracket is open", helps=("remove it",))


def wrong_closer(span: Span, closer: str, opener_span: Span, opener: str, wanted: str) -> Diagnostic:
    return Diagnostic(
        "E0101",
        f"`{closer}` does not close `{opener}`",
        span,
        f"expected `{wanted}`",
        labels=(Label(opener_span, "opened here"),),
        helps=(f"write `{wanted}`",),
    )


# characters of other notations, and ours
INSTEAD = {
    "→": "->", "⇒": "=>", "←": "<-", "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "≤": "<=", "≥": ">=",
    "≠": "!=", "“": '"', "”": '"', "„": '"', "&": "and", "!": "not", "|": "or", "^": "**", "…": "...",
}  # fmt: skip
INVISIBLE = {"\u00a0", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u2028", "\u2029", "\u3000", "\r", "\f", "\v"}


def bad_text(span: Span, text: str, rest: str) -> Diagnostic:
    """Characters that start no token; `rest` is the line from there."""
    helps: tuple[str, ...] = ()
    if text[0] == '"':
        stripped = text.rstrip()
        span = Span(span.file, span.start, span.start + len(stripped))
        return Diagnostic("E0101", "this string is not closed", span, 'no `"` before the end of the line')
    if text[0] in "'`":
        quoted = re.match(rf"{text[0]}([^{text[0]}]*){text[0]}", rest)
        if quoted:
            span = Span(span.file, span.start, span.start + quoted.end())
            helps = (f'write `"{quoted[1]}"`',)
        return Diagnostic("E0101", 'strings are written with `"`', span, "not a quote of the language", helps=helps)
    if text[0].isdigit():
        if match := re.fullmatch(r"([\d_.]*\d)([A-Za-z]\w*)", text):
            helps = (f"a number with a unit has a space: `{match[1]} {match[2]}`; a name starts with a letter",)
        return Diagnostic("E0101", f"`{_short(text)}` is neither a number nor a name", span, "", helps=helps)
    if text[0] in INVISIBLE or not text[0].isprintable():
        point = f"U+{ord(text[0]):04X}"
        return Diagnostic(
            "E0101", f"invisible character {point}", span, "not part of the language", helps=("delete it",)
        )
    if text[0] == "|" and rest.startswith("|>"):
        return Diagnostic(
            "E0101", "unexpected `|>`", Span(span.file, span.start, span.start + 2), helps=("write `->`",)
        )
    if text[0] in INSTEAD:
        return Diagnostic("E0101", f"unexpected `{text[0]}`", span, helps=(f"write `{INSTEAD[text[0]]}`",))
    if text[0].isalpha():
        helps = ("names consist of the letters a-z and A-Z, digits and `_`",)
        return Diagnostic("E0101", f"`{_short(text)}` is not a name", span, helps=helps)
    if text == "\\":
        helps = ("a statement continues after an operator, inside brackets and before `->`: no `\\` is needed",)
    if text[0] == "$":
        helps = ("a value that differs is a `param`, given by `dlc train SPEC name=value`",)
    if text[0] == "?" and re.match(r"\?\s*[],]", rest):
        helps = ("an axis of any size has a name: `[B, 8]`",)
    elif text[0] == "?":
        helps = ("a choice by data is `where(x > 0, a, b)`, one by a setting `if c { a } else { b }`",)
    return Diagnostic("E0101", f"unexpected character `{text[0]}`", span, "not part of the language", helps=helps)


def other_statement(span: Span, word: str) -> Diagnostic:
    return Diagnostic("E0101", f"there is no `{word}`", span, "not part of the language", helps=(STATEMENTS[word],))


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:20] + "…"


#: What other languages begin a statement with.
STATEMENTS = {
    "//": "a comment begins with `#`", "/": "a comment begins with `#`",
    "assert": "state it: `require B > 0`",
    "def": "a function of your own is a block: `block twice(x: [B, ...]) -> [B, ...] { 2 * x }`, applied with `x -> twice`",
    "with": "leave it out: `stop_grad(x)` stops gradients, and precision is a key of `train`",
    "while": "a loop has a known number of turns: `repeat n { .. }`, `for i in 0..n { .. }`",
}  # fmt: skip

_PARAM, _BLOCK = (
    "a value at file level is a param: `param n = 3`",
    "a block is `block Name(x: [B, D]) -> [B, D] { .. }`",
)
HABITS = {
    "const": _PARAM,
    "let": _PARAM,
    "var": _PARAM,
    "layer": _BLOCK,
    "function": _BLOCK,
    "fn": _BLOCK,
    "func": _BLOCK,
    "module": _BLOCK,
    "include": 'blocks and models come from other specs: `from "other.dlspec" import Name`',
    "import": 'blocks and models come from other specs: `from "other.dlspec" import Name`',
    "class": "a model is `model Name(x: [B, 8]) -> (y: [B, 2]) { .. }`",
    "def": "a block is `block Name(x: [B, D]) -> [B, D] { .. }`",
    "optimizer": "training settings belong in `train { .. }`",
    "extends": 'the path is quoted: `extends "base.dlspec"`',
    "override": "only blocks are overridden: `override block Name(..) { .. }`",
    "variant": "a variant is `variant name { setting = value }`",
    "set": "a setting is `set train.batch = 64`",
}


def unknown_item(span: Span, name: str, line: str, items: tuple[str, ...]) -> Diagnostic:
    """A word at file level that starts no declaration or section."""
    known = ", ".join(f"`{item}`" for item in items)
    if name in HABITS:
        helps = (HABITS[name],)
    elif re.match(r"\s*[\w.]+\s*=(?!=)", line):
        helps = (f"a value at file level is a param: `param {line.strip()}`; settings go in a section, or after `set`",)
    elif (guess := nearest(name, items)) is not None:
        helps = (f"did you mean `{guess}`?",)
    else:
        helps = (f"a file contains {known}",)
    return Diagnostic("E0101", f"`{_short(name)}` does not start a declaration or section", span, "", helps=helps)


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


def adds_to_several(span: Span) -> Diagnostic:
    helps = ("write one for each name: `x += ..`", "or assign to all of them: `[q, k, v] = ..`")
    return Diagnostic("E0103", "`+=` adds to a single name", span, "several names", helps=helps)


def not_assignable(span: Span, of_self: str | None) -> Diagnostic:
    """`of_self`: the name after `self.`, if that is the left side."""
    help = "the left side must be a name, or a list of names as in `[q, k, v] = ..`"
    if of_self is not None:
        help = f"there is no `self`: bind the instance, `{of_self} = ..`"
    return Diagnostic("E0103", "this cannot be assigned to", span, "not a name", helps=(help,))


def body_without_scan(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0104",
        "only `scan(..)` is followed by a body",
        span,
        "unexpected body",
        helps=("`y = scan(axis = 1, x_t = x, h = carry(h0)) { .. }`",),
    )


def statements_piped(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0102",
        "an `if` with statements in its branches cannot be piped on",
        span,
        "a statement",
        helps=("bind the same name in both branches, and pipe that: `if c { y = a } else { y = b }`, then `y -> ..`",),
    )


def number_too_large(span: Span, text: str) -> Diagnostic:
    shown = text if len(text) <= 24 else text[:20] + "…"
    return Diagnostic(
        "E0105",
        f"the number `{shown}` is too large",
        span,
        "above 2^63" if text.isdigit() else "too large",
        helps=("write a smaller number",),
    )


def name_too_long(span: Span, most: int) -> Diagnostic:
    return Diagnostic(
        "E0105",
        f"this name has more than {most} characters",
        span,
        "too long",
        helps=("names become names of files and classes: choose a shorter one",),
    )


def too_deep(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0105",
        "nesting over 100",
        span,
        "too deep",
        helps=("bind a part of it to a name",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0101": Explanation(
            "syntax",
            "The text does not follow the grammar. The message shows what was expected; an unclosed bracket is shown where it\n"
            "opens. Parsing continues at the next statement, so one check reports all mistakes of a file.",
            programs.digits("batch     = 64", "batch: 64"),
            programs.DIGITS,
        ),
        "E0102": Explanation(
            "operator after a pipeline",
            "`->` has the lowest precedence, so in `x -> f + y` the sum could belong to the stage or to the result. It is never\n"
            "guessed: put the pipeline, or the sum, in parentheses.",
            programs.body("y = x -> relu + x"),
            programs.body("y = (x -> relu) + x"),
        ),
        "E0103": Explanation(
            "cannot be assigned to",
            "The left side of `=` is a name, or a list of names that unpacks several outputs.",
            programs.body("f(x) = x -> relu\ny = f"),
            programs.body("f = x -> relu\ny = f"),
        ),
        "E0104": Explanation(
            "a body after `name = e`, where `e` is not a `scan`",
            "Only a signature or `scan(..)` is followed by statements in braces. Arguments go in parentheses.",
            programs.body("y = x { x }"),
            programs.body("y = x"),
        ),
        "E0105": Explanation(
            "nesting over 100; a literal or static integer above 2^63; a name over 100 characters",
            "Limits that no real spec reaches; they protect every tool that reads specs from hostile input.",
            "dlspec 1\n\nparam big = 9223372036854775809\n",
            "dlspec 1\n\nparam big = 9223372036854775807\n",
        ),
    }
