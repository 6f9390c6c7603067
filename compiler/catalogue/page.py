"""The page of what a recipe may say, `docs/recipe.md`, from the definitions that the checker reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from inspect import cleandoc

from ..elaborate.initializers import REQUIRED
from ..elaborate.initializers import TABLE as INITS
from ..sizes.statics import describe
from . import examples, explain
from .entry import MISSING, Entry, Table
from .losses import LOSSES
from .metrics import METRICS
from .ops import explain as operators
from .ops.base import Function, Op
from .optimizers import OPTIMIZERS
from .schedules import CLIPS, KEEPS, SEGMENTS, STOPS, VALIDATIONS
from .transforms import TRANSFORMS

_HEAD = """# What a recipe may say

Losses, metrics, optimizers, schedules, transforms of data and first values of weights. `dlc explain AdamW` prints one entry.
Every example line is checked by the tests in a spec that has what it names; values are compared with published formulas,
PyTorch, scikit-learn, kornia and Pillow. Data sources are in [sources.md](sources.md), functions of tensors in
[operators.md](operators.md). This page is written by `python -m dlc.compiler.catalogue`."""

_INIT_WORDS = {
    "normal": "A normal distribution.",
    "trunc_normal": "A normal distribution, drawn again beyond two standard deviations.",
    "uniform": "Evenly from `low` to `high`.",
    "zeros": "0 everywhere.",
    "ones": "1 everywhere.",
    "constant": "`v` everywhere; nested lists for a shape.",
    "xavier_uniform": "Evenly, with the deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010).",
    "xavier_normal": "Normal, with the deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010).",
    "kaiming_uniform": "Evenly, with the deviation gain / sqrt(fan), the gain that of `act` (He et al., 2015).",
    "kaiming_normal": "Normal, with the deviation gain / sqrt(fan), the gain that of `act` (He et al., 2015).",
    "orthogonal": "An orthogonal matrix times `gain` (Saxe et al., 2013).",
    "s4d_real": "log 1, log 2, log 3, ... along the last axis: how fast the states of a state space decay (Gu et al., 2022).",
}

#: Tables of `train` whose entries are few: title, entries, example lines.
_SETTINGS: tuple[tuple[str, Table, Mapping[str, str]], ...] = (
    ("Optimizers", OPTIMIZERS, examples.OPTIMIZERS),
    ("Schedules", SEGMENTS, examples.SEGMENTS),
    ("Clipping of gradients", CLIPS, examples.CLIPS),
    ("Which checkpoint is kept", KEEPS, examples.KEEPS),
    ("When to stop", STOPS, examples.STOPS),
    ("When to validate", VALIDATIONS, examples.VALIDATIONS),
)


def reference() -> str:
    """The whole page."""
    parts = [_HEAD, *_functions("Losses", LOSSES, examples.LOSSES), *_functions("Metrics", METRICS, examples.METRICS)]
    for title, table, lines in _SETTINGS:
        parts += [f"## {title}", *_entries(table, lines)]
    lines = {name: example for name, (_, example) in examples.TRANSFORMS.items()}
    return "\n\n".join([*parts, "## Transforms of data", *_entries(TRANSFORMS, lines), *_inits()]) + "\n"


def _functions(title: str, table: Mapping[str, type[Function]], lines: Mapping[str, str]) -> Iterator[str]:
    yield f"## {title}"
    for name, function in table.items():
        yield f"### {name}"
        yield f"`{operators.signature(function)}`"
        yield cleandoc(function.__doc__ or "")
        yield from _arguments(_of_function(function))
        yield _example(lines[name])


def _of_function(function: type[Op]) -> list[tuple[str, str, str]]:
    return [(name, what, default.removeprefix("default ")) for name, what, default in operators.arguments(function)]


def _entries(table: Table, lines: Mapping[str, str]) -> Iterator[str]:
    for name in table:
        entry = table[name]
        yield f"### {name}"
        yield f"`{explain.signature(entry)}`"
        yield cleandoc(entry.__doc__ or "")
        yield from _arguments(_of_entry(entry))
        notes = list(explain.facts(entry))
        if notes:
            yield "\n".join(f"- {word}: {rest.strip()}" for word, _, rest in (note.partition(" ") for note in notes))
        yield _example(lines[name])


def _of_entry(entry: type[Entry]) -> list[tuple[str, str, str]]:
    return [(n, explain.words(kind), "" if d is MISSING else describe(d)) for n, kind, d in entry.arguments]


def _inits() -> Iterator[str]:
    yield "## First values of weights"
    yield (
        "`init SELECTOR = ENTRY` in a model or block, `init = ENTRY` on a layer. A draw is a function of the seed and the\n"
        "parameter's path, so adding a layer changes no other. `fan_in` is the number of inputs of an output."
    )
    for name, arguments in INITS.items():
        given = [key if default is REQUIRED else f"{key} = {describe(default)}" for key, default in arguments.items()]
        yield f"### init {name}"
        yield f"`{name}({', '.join(given)})`" if given else f"`{name}`"
        yield _INIT_WORDS[name]
        yield _example(examples.INITS[name])


def _arguments(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    if rows:
        lines = [f"| `{name}` | {what.replace('|', chr(92) + '|')} | {default} |" for name, what, default in rows]
        yield "\n".join(["| argument | what | default |", "|---|---|---|", *lines])


def _example(text: str) -> str:
    return f"```dlspec\n{text}\n```"
