"""The front door of the compiler: a file in, the typed IR or diagnostics out, in the stages of `STAGES`."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from .analysis import batch_sizes, exportable, gradient, idle, statistics
from .bind import recipe as recipes
from .bind.roots import find_roots
from .dataclass import dataclass, field
from .elaborate.elaborator import Elaborator
from .elaborate.roots import RootModel, RootUse
from .ir.data import DataFacts
from .ir.model import Body, SourceText, Spec
from .ir.recipe import Recipe
from .messages.diagnostics import Abandoned, Diagnostic, Failed, Report
from .messages.source import Source, Sources
from .resolve import definitions
from .resolve import project as projects
from .resolve.idle_overrides import report_idle_overrides
from .resolve.parameters import value_of
from .resolve.project import Project


@dataclass(frozen=True)
class Bound:
    """What a compilation had found when the data came into play."""

    diagnostics: Sequence[Diagnostic]
    bodies: Sequence[Body]
    recipe: Recipe | None


@dataclass
class Compilation:
    """One run over a file: what it is given, then what each stage finds. Mistakes go into `report`."""

    path: str | Path | Source
    overrides: Sequence[str] = ()
    variant: str | None = None
    folder: Path | None = None  # of the project: where imports begin
    facts: Mapping[str, DataFacts] = field(default_factory=dict[str, DataFacts])  # by data section

    project: Project = field(init=False)  # load; resolve settles its settings
    elaborator: Elaborator = field(init=False)  # resolve; elaborate fills its bodies and models
    roots: dict[int, RootUse | None] = field(init=False)  # roots: by the node that uses a model
    recipe: Recipe | None = None  # bind
    bound: Bound | None = None  # before the stages of the data

    @property
    def report(self) -> Report:
        return self.project.report

    @property
    def unreadable(self) -> bool:
        """So little of the file was read that its further mistakes would be those of what is missing."""
        return not self.report.ok and (self.project.root.incomplete or not self.project.root.file.items)

    def spec(self) -> Spec:
        """The IR as far as it was made."""
        project = self.project
        return Spec(
            edition=project.edition,
            name=Path(project.root.name).stem,
            bodies=tuple(self.elaborator.bodies),
            models=tuple(self.elaborator.models),
            params={name: _plain(value_of(slot)) for name, slot in project.root.params.items()},
            recipe=self.recipe or Recipe(),
            sources=tuple(SourceText(name=name, text=source.text) for name, source in project.sources.items()),
        )


Stage: TypeAlias = Callable[[Compilation], None]


def load(found: Compilation) -> None:
    """The file and all it imports or extends, as trees with their names."""
    found.project = projects.load(found.path, found.variant, found.folder)


def resolve(found: Compilation) -> None:
    """Settings: the command line, the variant, `set`, defaults."""
    projects.settle(found.project, found.overrides)
    found.elaborator = Elaborator(found.project)


def roots(found: Compilation) -> None:
    """Which models are used, with which statics."""
    found.roots = find_roots(found.elaborator)


def elaborate(found: Compilation) -> None:
    """Models to bodies, each use once."""
    made: dict[int, RootModel | None] = {}
    found.elaborator.uses = found.roots
    for node, use in found.roots.items():
        if use is not None and id(use) not in made:
            made[id(use)] = found.elaborator.root(use)
        found.elaborator.roots[node] = made.get(id(use))


def bind(found: Compilation) -> None:
    """Sections to the recipe."""
    try:
        found.recipe = recipes.bind_recipe(found.elaborator)
    except Failed as failure:
        found.report.add(failure.diagnostic)
    except Abandoned:
        pass


def pair(found: Compilation) -> None:
    """Losses and metrics against the data that they meet; batches of tokens counted, and classes that are balanced."""
    if found.recipe is not None:
        recipes.pair(found.elaborator, found.recipe, found.facts)
        recipes.weigh(found.elaborator, found.recipe, found.facts)
        found.recipe = recipes.counted(found.elaborator, found.recipe, found.facts)


def gradients(found: Compilation) -> None:
    """Losses from which no gradient leads to a weight, and batch statistics of a single number; batches that a net refuses."""
    if found.recipe is not None and found.recipe.trains:
        bodies, models = tuple(found.elaborator.bodies), tuple(found.elaborator.models)
        spec = Spec(edition=found.project.edition, name="", bodies=bodies, models=models, recipe=found.recipe)
        for train in found.recipe.trains:
            for diagnostic in gradient.untrained(spec, train):
                found.report.add(diagnostic)
            for diagnostic in statistics.alone(spec, train, found.facts.get(train.data)):
                found.report.add(diagnostic)
            for diagnostic in batch_sizes.refused(spec, train, found.facts.get(train.data)):
                found.report.add(diagnostic)


def idle_keys(found: Compilation) -> None:
    """Keys of training that change nothing."""
    if found.report.ok and found.recipe is not None:
        for train in found.recipe.trains:
            for diagnostic in idle.idle(train, found.recipe.dataset(train.data), found.facts.get(train.data)):
                found.report.add(diagnostic)


def exports(found: Compilation) -> None:
    """What an exported graph cannot hold."""
    if found.report.ok and found.recipe is not None:
        for diagnostic in exportable.refused(found.spec()):
            found.report.add(diagnostic)


def unused(found: Compilation) -> None:
    """Settings and overrides that change nothing."""
    found.project.report_unused()
    if found.report.ok:
        report_idle_overrides(found.project)


#: The compiler, in order. A stage reports mistakes and continues; the next ones find theirs in what there is.
STAGES: tuple[Stage, ...] = (load, resolve, roots, elaborate, bind, pair, gradients, idle_keys, exports, unused)
#: Those that look at the data, and those after them. What the others find does not depend on it.
OF_DATA = STAGES[STAGES.index(pair) :]


@dataclass(frozen=True)
class Checked:
    """What a check found. `spec` is None when there are errors."""

    report: Report
    sources: Sources
    spec: Spec | None
    project: Project
    compilation: Compilation = field(repr=False, compare=False)

    @property
    def ok(self) -> bool:
        return self.report.ok


def check(
    path: str | Path | Source,
    overrides: Sequence[str] = (),
    variant: str | None = None,
    facts: Mapping[str, DataFacts] | None = None,
    *,
    root: Path | None = None,
) -> Checked:
    """Parses, resolves and elaborates a spec, in a file or as a text; with `facts` (by data section) also checks it against its data."""
    return _checked(run(Compilation(path, overrides, variant, root, facts or {})))


def against(checked: Checked, facts: Mapping[str, DataFacts]) -> Checked:
    """A spec without errors checked with its data. What does not depend on the data is not found again."""
    found = checked.compilation
    assert found.bound is not None
    found.report.reset(found.bound.diagnostics)
    found.elaborator.bodies[:] = found.bound.bodies
    found.recipe, found.facts = found.bound.recipe, facts
    with paused():
        for stage in OF_DATA:
            stage(found)
    return _checked(found)


def _checked(found: Compilation) -> Checked:
    spec = found.spec() if found.report.ok and found.recipe is not None else None
    return Checked(found.report.copy(), found.project.sources, spec, found.project, found)


def run(found: Compilation, last: str = "") -> Compilation:
    """Runs the stages, up to the one named `last` if it is given."""
    with paused():
        for stage in STAGES:
            if stage is OF_DATA[0]:
                found.bound = Bound(tuple(found.report.diagnostics), tuple(found.elaborator.bodies), found.recipe)
            stage(found)
            if stage.__name__ == last or (stage is resolve and found.unreadable):
                break
    return found


@contextmanager
def paused() -> Generator[None]:
    """Without Python's cycle collector: every object of a compilation lives until its end, and looking through all of them
    again and again costs more than half of the time of a 10,000-line spec, growing faster than the spec."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _plain(value: Any) -> Any:
    """A parameter as the IR holds it: a function or layer by its text."""
    return str(value) if isinstance(value, definitions.Callable) else value
