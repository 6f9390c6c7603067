"""What the models and sections of a spec name, directly or not: an `override block` beyond that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from ..messages import resolve as errors
from ..text import syntax, top_level
from ..text.node import Node
from .definitions import Definition, ParamSlot

if TYPE_CHECKING:
    from .project import Project


def words(node: Any) -> Iterator[str]:
    """Every name that a tree may refer to."""
    match node:
        case tuple():
            for item in cast("tuple[Any, ...]", node):
                yield from words(item)
        case syntax.Ref():
            yield node.name
        case syntax.Path():
            yield node.names[0].text
        case top_level.Weights():
            yield node.model.text
            yield from words(node.entries)
        case Node():
            for name in node.__match_args__:
                yield from words(getattr(node, name))
        case _:
            pass


def report_idle_overrides(project: Project) -> None:
    """E0406 for each `override block` of the root file whose block is named by nothing that is used.

    A use that a static condition skips counts: the same file may be run with another value. A file without models and
    sections is there to be imported, so all of it is used.
    """
    root = project.root
    idle = [
        found for found in root.definitions.values() if found.override_of is not None and found.place.file == root.name
    ]
    used = [*(found for found in root.definitions.values() if found.kind != "block"), *root.sections]
    if not idle or not used:
        return
    reached = _reached(project, used)
    near = [found.name for found in root.definitions.values() if found.kind == "block" and found in reached]
    for found in idle:
        if found not in reached:
            project.report.add(errors.override_not_reached(found.place, found.name, near))


def _reached(project: Project, used: list[Definition]) -> set[Definition | ParamSlot]:
    reached: set[Definition | ParamSlot] = set(used)
    waiting: list[tuple[Any, Any]] = [(found.node, found.scope) for found in used]
    waiting += [(setting.node, setting.scope) for setting in project.settings.values()]
    while waiting:
        node, scope = waiting.pop()
        for name in words(node):
            found = scope.lookup(name)
            if found is None or found in reached:
                continue
            reached.add(found)
            if isinstance(found, ParamSlot):
                waiting.append((found.value, found.value_scope))
            else:
                waiting.append((found.node, found.scope))
    return reached
