"""The page of data sources, `docs/sources.md`, from the definitions that the checker reads."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

from . import explain
from .builtin import BUILTIN, described, facts
from .sources import SOURCES, SPLITS

_HEAD = """# Data sources

What `source` of a `data` section may be; `dlc explain csv` prints one entry, `dlc explain digits` one built-in data set.
Paths are relative to the spec. This page is written by `python -m dlc.compiler.catalogue`."""

_BUILTIN = """## Built-in data sets

They need no download: each ships inside a package that `dlc` depends on or that the extra named with it installs, or is
made from what does. A set is the same at every reading with the same versions; SHA-256 is of its content as arrays and
texts (`runtime.data.builtin.content_digest`), measured with the versions beside it and compared by a test. With other
versions of a package its texts may differ.

`region` of `textures` and `digit_scenes`: their patches overlap, so a random split of records would try a model on pixels
that it was trained on. `split = random(train = 0.7, val = 0.15, test = 0.15, group = source.region)` keeps all patches of
a region in one split; any other division gets a warning (W0408)."""


def reference() -> str:
    """The whole page."""
    return "\n\n".join([_HEAD, _sources(), _splits(), _BUILTIN, *_sets()]) + "\n"


def _sources() -> str:
    rows = [
        f"| `{explain.signature(SOURCES[name])}` | {_line(SOURCES[name].__doc__)} | {SOURCES[name].extra} |"
        for name in SOURCES
    ]
    return "\n".join(["| source | what it reads | extra |", "|---|---|---|", *rows])


def _splits() -> str:
    rows = [f"| `{explain.signature(SPLITS[name])}` | {_line(SPLITS[name].__doc__)} |" for name in SPLITS]
    return "\n".join(["## Splits", "", "| split | what it does |", "|---|---|", *rows])


def _sets() -> Iterator[str]:
    for name, found in BUILTIN.items():
        yield f"### {name}"
        yield found.about
        yield "\n".join(
            ["| field | type |", "|---|---|", *(f"| `{k}` | {described(v)} |" for k, v in found.fields.items())]
        )
        yield "\n".join(f"- {word}: {text}" for word, text in facts(found))


def _line(text: str | None) -> str:
    return " ".join(cleandoc(text or "").split())
