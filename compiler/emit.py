"""What each stage of `check.STAGES` found: `dlc build FILE --emit STAGE`.

A stage runs with those before it, so it can be looked at while a later one still reports a mistake.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from . import check
from .check import Compilation, Stage
from .ir.recipe import Recipe
from .messages.render import ordered, place_data, to_data
from .resolve.flatten import flatten
from .text.printer import print_file
from .text.top_level import File
from .text.tree_json import ast_to_json

View: TypeAlias = Callable[[Compilation], Any]


def emitted(stage: str, found: Compilation) -> tuple[str, str]:
    """The output of a stage that found no mistakes, as a file name and its text: a spec, or JSON.

    Raises Failed when `resolve` cannot write the spec as one file.
    """
    assert found.report.ok, "what has mistakes is not shown"
    shown = next(view for kind, view in VIEWS.items() if kind.__name__ == stage)(found)
    if isinstance(shown, File):
        return f"{stage}.dlspec", print_file(shown)
    return f"{stage}.json", json.dumps(shown, indent=2) + "\n"


def trees(found: Compilation) -> Any:
    """Every file that was read."""
    return [ast_to_json(file) for file in found.project.files]


def resolved(found: Compilation) -> Any:
    """The spec as one file."""
    return flatten(found.project)


def uses(found: Compilation) -> Any:
    """The models that are used, the statics given to each, and where."""
    distinct = {id(use): use for use in found.roots.values() if use is not None}
    sources = found.project.sources
    return [
        {"model": use.definition.name, "use": str(use.callable), **place_data(use.span, sources)}
        for use in distinct.values()
    ]


def models(found: Compilation) -> Any:
    """The IR without a recipe."""
    return found.spec().model_copy(update={"recipe": Recipe()}).model_dump(mode="json")


def sections(found: Compilation) -> Any:
    """The recipe; its `body` numbers are those of `--emit ir`."""
    return (found.recipe or Recipe()).model_dump(mode="json")


def warnings(found: Compilation) -> Any:
    """What was reported up to here, of a stage that makes nothing."""
    sources = found.project.sources
    return [to_data(diagnostic, sources) for diagnostic in ordered(found.report.diagnostics, sources)]


VIEWS: dict[Stage, View] = {
    check.load: trees,
    check.resolve: resolved,
    check.roots: uses,
    check.elaborate: models,
    check.bind: sections,
    check.pair: warnings,
    check.gradients: warnings,
    check.idle_keys: warnings,
    check.exports: warnings,
    check.unused: warnings,
}
