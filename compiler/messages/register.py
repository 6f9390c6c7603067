"""Every code with its explanation, collected from the themes: `dlc explain E0207`, docs/diagnostics.md.

A code keeps its meaning for ever; a new one takes a free number. Only what explains imports this file: a check does not.
"""

from __future__ import annotations

from . import (
    application,
    bodies,
    control,
    data,
    export,
    lookup,
    parameters,
    paths,
    resolve,
    sections,
    shapes,
    statics,
    syntax,
    training,
    weights,
)
from .explanation import Explanation

THEMES = (
    syntax,
    shapes,
    statics,
    training,
    lookup,
    paths,
    application,
    bodies,
    resolve,
    control,
    sections,
    parameters,
    weights,
    data,
    export,
)

REGISTER: dict[str, Explanation] = dict(sorted(row for theme in THEMES for row in theme.explanations().items()))


def explain(code: str) -> str | None:
    """The page of a code as plain text; None for what is no code."""
    entry = REGISTER.get(code.upper())
    if entry is None:
        return None
    word = "error" if code.upper().startswith("E") else "warning"
    parts = [f"{word} {code.upper()}: {entry.meaning}", entry.why]
    if entry.when:
        parts.append(f"It is said by `{entry.when}`.")
    if entry.wrong:
        parts += ["wrong:", _indented(entry.wrong), "right:", _indented(_mended(entry))]
    return "\n\n".join(parts) + "\n"


def reference() -> str:
    """The page of all codes, `docs/diagnostics.md`."""
    head = (
        "What `dlc` says about a spec, by code; `dlc explain E0207` prints one entry. The first program of an entry gets the\n"
        "code and no other, the second none. A code keeps its meaning for ever. This page is written by\n"
        "`python -m dlc.compiler.messages`."
    )
    parts = [
        "# Diagnostics",
        head,
        "\n".join(
            [
                "| code | meaning |",
                "|---|---|",
                *(f"| [{c}](#{c.lower()}) | {e.meaning} |" for c, e in REGISTER.items()),
            ]
        ),
    ]
    for code, entry in REGISTER.items():
        parts += [f"## {code}", f"**{entry.meaning}**", entry.why]
        if entry.when:
            parts.append(f"It is said by `{entry.when}`.")
        parts += [f"```\n{program.strip()}\n```" for program in (entry.wrong, entry.right) if program]
    return "\n\n".join(parts) + "\n"


def _mended(entry: Explanation) -> str:
    """The right program; of a long one only the lines that change."""
    wrong, right = entry.wrong.splitlines(), entry.right.splitlines()
    if len(right) <= 8:
        return entry.right
    from difflib import ndiff

    return "\n".join(line for line in ndiff(wrong, right) if line[0] in "+-")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.strip("\n").split("\n"))
