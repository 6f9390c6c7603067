"""The front door of the compiler: a file in, the typed IR or diagnostics out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bind.recipe import bind_recipe
from .collector import paused
from .elaborate.elaborator import Elaborator
from .ir.data import DataFacts
from .ir.model import Source as SourceRecord
from .ir.model import Spec
from .messages.diagnostics import Abandoned, Failed, Report
from .messages.source import Sources
from .resolve.definitions import Callable
from .resolve.idle_overrides import report_idle_overrides
from .resolve.parameters import value_of
from .resolve.project import Project, resolve


@dataclass(frozen=True)
class Checked:
    """What a check found. `spec` is None when there are errors."""

    report: Report
    sources: Sources
    spec: Spec | None
    project: Project

    @property
    def ok(self) -> bool:
        return self.report.ok


def check(
    path: str | Path,
    overrides: Sequence[str] = (),
    variant: str | None = None,
    facts: Mapping[str, DataFacts] | None = None,
    *,
    root: Path | None = None,
) -> Checked:
    """Parses, resolves and elaborates a spec; with `facts` (by data section) also checks it against its data."""
    with paused():
        project = resolve(path, overrides, variant, root)
        if not project.report.ok and (project.root.incomplete or not project.root.file.items):
            return Checked(project.report, project.sources, None, project)
        spec = elaborate(project, facts)
        return Checked(project.report, project.sources, spec if project.report.ok else None, project)


def elaborate(project: Project, facts: Mapping[str, DataFacts] | None = None) -> Spec | None:
    """Models, then the recipe; mistakes go into the project's report."""
    elaborator = Elaborator(project)
    recipe = None
    try:
        recipe = bind_recipe(project, elaborator, facts)
    except Failed as failure:
        project.report.add(failure.diagnostic)
    except Abandoned:
        pass
    for definition in project.definitions("model"):
        if id(definition.node) not in elaborator.elaborated:
            elaborator.model(definition)
    project.report_unused()
    if project.report.ok:
        report_idle_overrides(project)
    if recipe is None or not project.report.ok:
        return None
    return Spec(
        edition=project.edition,
        name=Path(project.root.name).stem,
        bodies=tuple(elaborator.bodies),
        models=tuple(elaborator.models),
        params={name: _plain(value_of(slot)) for name, slot in project.root.params.items()},
        recipe=recipe,
        sources=tuple(SourceRecord(name=name, text=source.text) for name, source in project.sources.items()),
    )


def _plain(value: Any) -> Any:
    """A parameter as the IR holds it: a function or layer by its text."""
    return str(value) if isinstance(value, Callable) else value
