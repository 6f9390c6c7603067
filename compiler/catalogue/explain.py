"""Pages of the entries of recipe tables as plain text: what `dlc explain AdamW` prints and the reference is made of."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

from ..sizes.statics import describe
from . import arguments as kinds
from . import builtin
from .entry import MISSING, Entry, Table
from .losses import LOSSES
from .metrics import METRICS
from .ops import explain as operators
from .optimizers import OPTIMIZERS
from .schedules import CLIPS, KEEPS, SEGMENTS, STOPS, VALIDATIONS, WEIGHT_SOURCES
from .search import DRAWS, METHODS, PRUNERS
from .sources import SOURCES, SPLITS
from .transforms import TRANSFORMS, Transform

#: Tables with where their entries stand.
TABLES: tuple[tuple[Table, str], ...] = (
    (SOURCES, "`source` of data"),
    (SPLITS, "`split` of data"),
    (TRANSFORMS, "transform of data"),
    (OPTIMIZERS, "`optimizer` of train"),
    (SEGMENTS, "segment of a schedule"),
    (CLIPS, "`clip` of train"),
    (KEEPS, "`keep` of train"),
    (STOPS, "`stop` of train"),
    (VALIDATIONS, "`validate` of train"),
    (WEIGHT_SOURCES, "`weights` of train"),
    (METHODS, "`method` of search"),
    (PRUNERS, "`prune` of search"),
    (DRAWS, "draw of search"),
)

_WORDS = {
    "Hyper": "a number of at least 0, or a schedule",
    "Time": "a duration such as `3 epochs`",
    "Column": "a field of the source, such as `source.label`",
    "Watch": "a figure, such as `val.acc`",
    "Constant": "any value",
    "Constants": "values",
}


def names() -> list[str]:
    """All entries, losses, metrics and built-in data sets, each once."""
    return list(dict.fromkeys([*(name for table, _ in TABLES for name in table), *LOSSES, *METRICS, *builtin.BUILTIN]))


def explain(name: str) -> str | None:
    """The pages of everything of that name, one after the other; None when there is nothing."""
    pages = [page(table[name], where) for table, where in TABLES if name in table]
    for functions, word in ((LOSSES, "loss"), (METRICS, "metric")):
        if name in functions:
            text = operators.explain(functions[name]).partition("\nalso\n")[0].rstrip() + "\n"
            pages.append(text.replace("    function\n", f"    {word}\n", 1))
    if name in builtin.BUILTIN:
        pages.append(builtin.page(name))
    return "\n".join(pages) or None


def page(entry: type[Entry], where: str) -> str:
    """Signature, place, documentation and arguments of an entry."""
    parts = [f"{signature(entry)}    {where}", _indented(cleandoc(entry.__doc__ or ""))]
    rows = list(_arguments(entry))
    if rows:
        width = max(len(name) for name, _ in rows)
        parts.append("arguments\n" + "\n".join(f"  {name:<{width}}  {text}" for name, text in rows))
    notes = list(facts(entry))
    if notes:
        parts.append("also\n" + "\n".join(f"  {note}" for note in notes))
    return "\n\n".join(parts) + "\n"


def signature(entry: type[Entry]) -> str:
    """`AdamW(lr = 0.001, betas = [0.9, 0.999], ..)`."""
    given = [
        f"{name}, .." if name == entry.variadic else name if default is MISSING else f"{name} = {describe(default)}"
        for name, _, default in entry.arguments
    ]
    return f"{entry.name}({', '.join(given)})" if given else entry.name


def _arguments(entry: type[Entry]) -> Iterator[tuple[str, str]]:
    for name, kind, default in entry.arguments:
        yield name, words(kind) + ("" if default is MISSING else f"  default {describe(default)}")


def words(kind: str) -> str:
    """What an argument of a kind is, in words."""
    if kind in _WORDS:
        return _WORDS[kind]
    nothing: Any = object()
    try:
        kinds.read(kind, nothing)
    except kinds.Unfit as unfit:
        return unfit.expected
    raise AssertionError(f"{kind} takes anything")


def facts(entry: type[Entry]) -> Iterator[str]:
    if issubclass(entry, Transform) and entry.fitted:
        yield "fitted  on the train split, kept in the checkpoint"
    if issubclass(entry, Transform) and entry.random:
        yield "random  one draw a record, the same for all members of a tuple"
    if entry.extra:
        yield f'needs   pip install "dlc[{entry.extra}]"'


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())
