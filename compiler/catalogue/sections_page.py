"""The keys of sections as text: what `dlc explain batch` prints, and docs/recipe_keys.md."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from . import sections
from .sections import REQUIRED, SECTIONS, Key, SectionKeys

_WIDTH = 110

_HEAD = """# Keys of the sections

Every key of `data`, `train`, `export`, `search` and the sections inside them: how it is written, what it takes, its default,
and what it means. A key that is in no table is an error with a suggestion (E0401). Any of them can be set on the command line
as `train.batch=32`, by `set train.batch = 32`, and in a `variant`. `dlc explain batch` prints one key, `dlc explain train` a section.
What may be written as an optimizer, a loss, a source, .. is in [recipe.md](recipe.md) and [sources.md](sources.md).
Every example is checked by the tests in a whole spec. This page is written by `python -m dlc.compiler.catalogue`."""


def explain(name: str) -> str | None:
    """The pages of a section and of the keys with this name (`train`, `batch`, `export.precision`), or None."""
    pages = [_section(SECTIONS[name])] if name in SECTIONS else []
    pages += [_key(section, key) for section, key in sections.find(name)]
    return "\n".join(pages) or None


def _section(section: SectionKeys) -> str:
    parts = [f"{section.opening}    section", _text(section.meaning)]
    if section.keys:
        width = max(len(key.name) for key in section)
        rows = [f"  {key.name:<{width}}  {_first_sentence(key.meaning)}" for key in section]
        parts.append("keys\n" + "\n".join(rows))
    if section.also:
        parts.append(_text(section.also))
    return "\n\n".join(parts) + "\n"


def _key(section: SectionKeys, key: Key) -> str:
    rows = (("takes", key.takes), ("default", key.default), ("example", key.example))
    table = "\n".join(f"  {name:<7}  {value}" for name, value in rows)
    return f"{_written(key)}    key of {section.name}\n\n{_text(key.meaning)}\n\n{table}\n"


def _written(key: Key) -> str:
    return {
        "key": f"{key.name} = ..",
        "sub": f"{key.name} {{ .. }}",
        "sub_for": f"{key.name} .. {{ .. }}",
        "key or sub": f"{key.name} = ..  or  {key.name} {{ .. }}",
    }[key.form]


def _text(words: str) -> str:
    return fill(words, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].removesuffix(".")


def reference() -> str:
    """The whole page."""
    return "\n\n".join([_HEAD, *(part for section in SECTIONS.values() for part in _chapter(section))]) + "\n"


def _chapter(section: SectionKeys) -> Iterator[str]:
    yield f"## {section.name}"
    yield f"`{section.opening}`" if ", or " not in section.opening else _openings(section.opening)
    yield section.meaning
    if section.also:
        yield section.also
    if section is sections.PHASE:
        yield f"Keys of `train`, with the same meaning: {', '.join(f'`{key.name}`' for key in section)}."
        return
    for key in section:
        yield f"### {section.name}.{key.name}"
        yield key.meaning
        default = "required" if key.default == REQUIRED else key.default
        yield f"| takes | default |\n|---|---|\n| {_cell(key.takes)} | {_cell(default)} |"
        yield f"```dlspec\n{key.example}\n```"


def _openings(text: str) -> str:
    return ", or ".join(f"`{part}`" for part in text.split(", or "))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
