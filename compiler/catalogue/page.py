"""The reference pages from the definitions that the checker reads: docs/operators.md, docs/recipe.md, docs/sources.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import cleandoc
from typing import Any

from . import (
    CLIPS,
    FAMILIES,
    INITS,
    KEEPS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    SEGMENTS,
    SOURCES,
    SPLITS,
    STOPS,
    TRANSFORMS,
    VALIDATIONS,
    explain,
)  # fmt: skip
from .builtin import BUILTIN, described, facts
from .entry import Entry, Family
from .ops.base import Op
from .ops.sample_program import program

_WRITTEN = "This page is written by `python -m dlc.compiler.catalogue`."


# ---- operators -------------------------------------------------------------------------------------------------------

_OPERATORS = f"""# Operators

Layers own weights and are written with a capital; functions own nothing. `dlc explain Conv` prints one entry. Sizes are
written as in the language; `[B, 4]` without a dtype holds floats. ONNX lists the nodes of the graph that `dlc export`
writes, but for those that only move or convert data. Every example is checked, run and compared with PyTorch by the
tests, in float32 and in half precision, and in ONNX Runtime. {_WRITTEN}"""

#: Files of `ops/` as sections, in the order of the page.
_SECTIONS = {
    "linear": "Linear maps", "convolution": "Convolutions", "embedding": "Tables", "normalization": "Normalization",
    "recurrent": "Recurrent layers", "attention": "Attention and positions", "parameter": "Weights of one's own",
    "activation": "Activations", "regularization": "With a mode; control", "structure": "Structure",
    "selection": "Selection", "pooling": "Pooling and resampling", "reduction": "Reductions",
    "arithmetic": "Functions of an element", "making": "Making tensors", "operators": "Signs", "notation": "Notation",
}  # fmt: skip


def operators() -> str:
    """docs/operators.md."""
    found: dict[str, list[type[Entry]]] = {section: [] for section in _SECTIONS}
    families = [family for family in FAMILIES if family.folder == "ops"]
    for name in sorted(name for family in families for name in family):
        family = next(family for family in families if name in family)
        found[family.module_of(name)].append(family[name])
    contents = [
        [_SECTIONS[section], " ".join(f"[`{o.name}`](#{o.name.lower()})" for o in entries)]
        for section, entries in found.items()
    ]
    parts = [_OPERATORS, _table(("", ""), contents, keep_empty=True)]
    for section, title in _SECTIONS.items():
        parts.append(f"## {title}")
        for entry in found[section]:
            parts += _entry(entry)
    return "\n\n".join(parts) + "\n"


# ---- recipes ---------------------------------------------------------------------------------------------------------

_RECIPE = f"""# What a recipe may say

Losses, metrics, optimizers, schedules, transforms of data and first values of weights. `dlc explain AdamW` prints one entry.
Every example line is checked by the tests in a spec that has what it names; values are compared with published formulas,
PyTorch, scikit-learn, kornia and Pillow. Data sources are in [sources.md](sources.md), functions of tensors in
[operators.md](operators.md). {_WRITTEN}"""

_INITS = """`init SELECTOR = ENTRY` in a model or block, `init = ENTRY` on a layer. A draw is a function of the seed and the
parameter's path, so adding a layer changes no other. `fan_in` is the number of inputs of an output."""

_CHAPTERS: tuple[tuple[str, Family[Any]], ...] = (
    ("Losses", LOSSES),
    ("Metrics", METRICS),
    ("Optimizers", OPTIMIZERS),
    ("Schedules", SEGMENTS),
    ("Clipping of gradients", CLIPS),
    ("Which checkpoint is kept", KEEPS),
    ("When to stop", STOPS),
    ("When to validate", VALIDATIONS),
    ("Transforms of data", TRANSFORMS),
)


def recipe() -> str:
    """docs/recipe.md."""
    parts = [_RECIPE]
    for title, family in _CHAPTERS:
        parts.append(f"## {title}")
        for entry in family.values():
            parts += _entry(entry)
    parts += ["## First values of weights", _INITS]
    for entry in INITS.values():
        parts += _entry(entry, "init ")
    return "\n\n".join(parts) + "\n"


# ---- sources ---------------------------------------------------------------------------------------------------------

_SOURCES = f"""# Data sources

What `source` of a `data` section may be; `dlc explain csv` prints one entry, `dlc explain digits` one built-in data set.
Paths are relative to the spec. {_WRITTEN}"""

_BUILTIN = """## Built-in data sets

They need no download: each ships inside a package that `dlc` depends on or that the extra named with it installs, or is
made from what does. A set is the same at every reading with the same versions; SHA-256 is of its content as arrays and
texts (`runtime.data.builtin.content_digest`), measured with the versions beside it and compared by a test. With other
versions of a package its texts may differ.

`region` of `textures` and `digit_scenes`: their patches overlap, so a random split of records would try a model on pixels
that it was trained on. `split = random(train = 0.7, val = 0.15, test = 0.15, group = source.region)` keeps all patches of
a region in one split; any other division gets a warning (W0408)."""


def sources() -> str:
    """docs/sources.md."""
    rows = [[f"`{explain.signature(entry)}`", _line(entry), entry.extra] for entry in SOURCES.values()]
    splits = [[f"`{explain.signature(entry)}`", _line(entry)] for entry in SPLITS.values()]
    parts = [_SOURCES, _table(("source", "what it reads", "extra"), rows)]
    parts += [f"## Splits\n\n{_table(('split', 'what it does'), splits)}", _BUILTIN]
    for name, found in BUILTIN.items():
        fields = [[f"`{key}`", described(value)] for key, value in found.fields.items()]
        parts += [f"### {name}", found.about, _table(("field", "type"), fields)]
        parts.append("\n".join(f"- {word}: {text}" for word, text in facts(found)))
    return "\n\n".join(parts) + "\n"


# ---- one entry -------------------------------------------------------------------------------------------------------


def _entry(entry: type[Entry], prefix: str = "") -> Iterator[str]:
    yield f"### {prefix}{entry.name}"
    syntax = entry.syntax if issubclass(entry, Op) else ""
    yield f"Written `{syntax}`." if syntax else f"`{explain.signature(entry)}`"
    yield cleandoc(entry.__doc__ or "")
    arguments = [[f"`{a}`", b, c.removeprefix("default ")] for a, b, c in explain.arguments(entry)]
    if arguments:
        yield _table(("argument", "what", "default"), arguments)
    tensors = explain.tensors(entry)
    if any(note for _, note in tensors):
        yield _table(("tensor", ""), [[f"`{name}`", note] for name, note in tensors])
    parameters = explain.parameters(entry)[1:]
    if parameters:
        rows = [
            [f"`{name}`", shape, f"`{init}`{f', {kind}' if kind else ''}"] for name, shape, init, kind in parameters
        ]
        yield _table(("parameter of the example", "shape", "first value"), rows)
    example = _program(entry)
    if example:
        yield f"```dlspec\n{example}\n```"
    notes = [f"- {word}: {text}" for word, text in explain.facts(entry)]
    if notes:
        yield "\n".join(notes)


def _program(entry: type[Entry]) -> str:
    """A use as a spec has it; of an operator a whole one, from the first sample that can be written."""
    if entry.example or not issubclass(entry, Op):
        return entry.example
    return next((text for text in (program(entry, sample) for sample in entry.samples) if text), "")


def _line(entry: type[Entry]) -> str:
    return " ".join(cleandoc(entry.__doc__ or "").split())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, keep_empty: bool = False) -> str:
    """A table; columns without a cell are left out."""
    kept = [at for at in range(len(head)) if keep_empty or any(row[at] for row in rows)]
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line[at] for at in kept)} |" for line in lines)
