"""What one run over a project shares: the bodies, the cache of checked bodies, the facts, the stack of instantiations.

This is the bottom of elaboration: it runs nothing itself. Elaboration is recursive (an expression holds stages, a stage
applies a block, a block's body holds expressions), and the modules are not: where a lower one needs what an upper one
does, it calls one of the five methods that `State` declares here and `elaborator.Elaborator`, at the top, fills in.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable as Function
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..dataclass import dataclass
from ..ir.model import Body, CallNode, Model, ModeNode, RepeatNode, ScanNode
from ..messages import application as application_errors
from ..messages import control as control_errors
from ..messages import paths as paths_errors
from ..messages import shapes as shapes_errors
from ..messages.diagnostics import Abandoned, Diagnostic, Failed, Report
from ..messages.source import Span
from ..resolve.definitions import SET, Callable, Definition, FileScope
from ..resolve.project import Project
from ..sizes.dims import DimOverflow
from ..sizes.facts import NO_FACTS, Facts
from ..sizes.types import TensorType
from ..text import syntax
from ..text.node import Node
from .builder import Builder, Scope
from .environment import Environment
from .roots import RootModel, RootUse
from .values import CheckedBody

MAX_INSTANCES = 100_000
MAX_OPERATIONS = 200_000  # of a model, every turn and every use of a block counted
MAX_TURNS = 2_000  # of `for` that differ: each is checked on its own
MAX_DEPTH = 100
MAX_VERSIONS = 500  # of one block: each is checked on its own, which takes about a millisecond
MOST_GIVEN = 4  # settings that a note lists


@dataclass
class Context:
    """The state of evaluation: the body being built, the names, the numbering, and what is shared."""

    state: State
    builder: Builder
    environment: Environment
    scope: Scope

    @property
    def facts(self) -> Facts:
        return self.state.facts

    def evaluate(self, node: syntax.Pipe) -> Any:
        """The value of an expression here; raises Failed or Abandoned."""
        return self.state.evaluate(self, node)

    @contextmanager
    def attempt(self, statement: Node, span: Span) -> Generator[None]:
        """Runs one statement; a mistake in it is reported, evaluation continues with the next one, and what the statement
        would have read is not called unread for that. Where an earlier mistake ended it, its names are checked all the same."""
        before = self.state.failures
        with self.state.reporting(span):
            try:
                yield
            except Abandoned:
                self.state.check_names(self, statement)
                raise
            except Failed:
                self.state.check_blocks(self, statement)
                raise
        if self.state.failures > before:
            self.environment.mark_read(statement)

    def all_of(self, *actions: Function[[], Any]) -> list[Any]:
        """What each of several independent parts of an expression gives. One with a mistake does not hide the mistakes of the
        others: the first is raised (Failed or Abandoned), the others are reported here."""
        values: list[Any] = []
        first: Failed | Abandoned | None = None
        for action in actions:
            try:
                values.append(action())
            except (Failed, Abandoned) as mistake:
                if first is None:
                    first = mistake
                elif isinstance(mistake, Failed):
                    self.state.report.add(self.state.located(mistake.diagnostic))
        if first is not None:
            raise first
        return values

    def with_scope(self, scope: Scope) -> Context:
        return Context(self.state, self.builder, self.environment, scope)


class Instantiation(NamedTuple):
    """A block being instantiated: where, and as what path."""

    name: str
    span: Span
    path: str


class State(ABC):
    """What the functions of this room share during one run."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.report: Report = project.report
        self.bodies: list[Body] = []
        self.layers: list[int] = []  # by body: how many layers it expands to
        self.operations: list[int] = []  # likewise
        self.turns = 0  # that were run
        self.models: list[Model] = []
        self.roots: dict[int, RootModel | None] = {}  # by the node that uses it; None: it has mistakes
        self.uses: dict[int, RootUse | None] = {}  # likewise; None: there is no such model
        self.cache: dict[Any, CheckedBody | None] = {}
        self.facts: Facts = NO_FACTS
        self.frames: list[Instantiation] = []
        self.scopes: list[str] = []  # labels of the repeats around, inside the innermost frame
        self.applications = 0
        self.versions: dict[int, int] = {}  # how many each block has, by its node
        self.failures = 0  # statements left for a mistake, be it their own or one before
        self.unlabelled: set[Span] = set()  # layers and blocks whose path follows from their kind
        self.warned: set[Span] = set()  # the first of several unlabelled layers (W0404)
        self.passed: set[int] = set()  # blocks whose names were checked because no use of them could be run
        self.running: set[Any] = set()  # keys of the blocks being run, to catch one that contains itself

    # ---- contexts --------------------------------------------------------------------------------------------------

    def file_context(self, scope: FileScope, statics: dict[str, Any] | None = None) -> Context:
        """A context for static expressions of a file: arguments, defaults, recipe values."""
        environment = Environment(scope)
        if statics is not None:
            environment.statics = statics
        span = Span(scope.name, 0, 0)
        return Context(self, Builder(self.report, "", "block", span), environment, Scope())

    @contextmanager
    def reporting(self, span: Span | None = None) -> Generator[None]:
        """Runs one statement (at `span`); a mistake in it is reported, and evaluation continues with the next statement."""
        try:
            yield
        except Failed as failure:
            self.failures += 1
            self.report.add(self.located(failure.diagnostic))
        except Abandoned:
            self.failures += 1
        except DimOverflow as overflow:
            if span is None:
                raise
            self.failures += 1
            self.report.add(self.located(shapes_errors.size_too_large(str(overflow), span)))

    def located(self, diagnostic: Diagnostic) -> Diagnostic:
        """Adds where the blocks around a mistake were instantiated."""
        notes: tuple[str, ...] = ()
        if self.frames:
            frame = self.frames[-1]
            notes = (
                application_errors.instantiated(
                    frame.name, self.project.sources[frame.span.file], frame.span, frame.path
                ),
            )
        if diagnostic.span.file != self.project.root.name:  # a mistake in a base may come from what overrides it
            notes += tuple(
                application_errors.overridden(found.name, self.project.sources[found.place.file], found.place)
                for found in self.project.definitions("block")
                if found.override_of is not None
            )
        if diagnostic.code.startswith("E02"):
            notes += self.given(diagnostic)
        if not notes:
            return diagnostic
        return Diagnostic(
            diagnostic.code,
            diagnostic.message,
            diagnostic.span,
            diagnostic.label,
            diagnostic.labels,
            (*diagnostic.notes, *notes),
            diagnostic.helps,
        )

    def given(self, diagnostic: Diagnostic) -> tuple[str, ...]:
        """A note on sizes given by the command line or a variant: those whose name appears where the mistake is,
        or all when none does."""
        project = self.project
        found = [
            (setting.path, setting.span)
            for setting in project.settings.values()
            if setting.target.kind == "static" and setting.origin != "set"
        ]
        found += [(path, span) for path, (slot, span) in project.overridden.items() if slot.strength > SET]
        if not found or diagnostic.span.file not in project.sources:
            return ()
        source = project.sources[diagnostic.span.file].text
        words = set(re.findall(r"\w+", source[diagnostic.span.start : diagnostic.span.end]))
        near = [(path, span) for path, span in found if path.rpartition(".")[2] in words]
        chosen = near or found
        if len(chosen) > MOST_GIVEN or any(span.file == diagnostic.span.file for _, span in chosen):
            return ()
        texts = [(project.sources[span.file].text[span.start : span.end], span.file) for _, span in chosen]
        return (application_errors.given(texts),)

    def add_body(self, body: Body) -> int:
        self.bodies.append(body)
        self.layers.append(self.count_layers(body))
        self.operations.append(self.count_operations(body))
        return len(self.bodies) - 1

    def count_layers(self, body: Body) -> int:
        """Catalogue layers of a body with all that it contains, every turn counted."""
        count = sum(1 if one.body is None else self.layers[one.body] for one in body.instances)
        for node in body.nodes:
            if isinstance(node, RepeatNode):
                count += sum(run.count * self.layers[run.body] for run in node.runs)
            elif isinstance(node, ModeNode):
                count += self.layers[node.training] + self.layers[node.evaluation]
            elif isinstance(node, ScanNode):
                count += self.layers[node.body]
        return count

    def count_operations(self, body: Body) -> int:
        """Operations of a body with all that it contains, every turn counted."""
        count = 0
        for node in body.nodes:
            match node:
                case RepeatNode():
                    count += sum(run.count * self.operations[run.body] for run in node.runs)
                case ModeNode():
                    count += self.operations[node.training] + self.operations[node.evaluation]
                case CallNode() | ScanNode():
                    count += 1 + self.operations[node.body]
                case _:
                    count += 1
        return count

    # ---- counts ----------------------------------------------------------------------------------------------------

    def count_application(self, span: Span) -> None:
        self.applications += 1
        if self.applications > MAX_INSTANCES:
            raise Failed(control_errors.too_many_instances(span))

    def check_operations(self, count: int, span: Span) -> None:
        if count > MAX_OPERATIONS:
            raise Failed(control_errors.too_many_operations(span))

    def count_turn(self, span: Span) -> None:
        self.turns += 1
        if self.turns > MAX_TURNS:
            raise Failed(control_errors.too_many_turns(MAX_TURNS, span))

    def count_version(self, definition: Definition, span: Span) -> None:
        count = self.versions.get(id(definition.node), 0) + 1
        if count > MAX_VERSIONS:
            raise Failed(control_errors.too_many_versions(definition.name, MAX_VERSIONS, span))
        self.versions[id(definition.node)] = count

    def numbered_by_order(self, kind: str, first: Span, span: Span) -> None:
        """W0404, once for each kind of a body: of the first layer and the second."""
        if first not in self.warned:
            self.warned.add(first)
            self.report.add(paths_errors.unlabelled_again(kind, first, span))

    # ---- what the top fills in -------------------------------------------------------------------------------------

    @abstractmethod
    def evaluate(self, context: Context, node: syntax.Pipe) -> Any:
        """The value of an expression (`expressions.evaluate`)."""

    @abstractmethod
    def check_names(self, context: Context, node: Node) -> None:
        """Reports names that mean nothing in a statement that evaluation left (`names.check_names`)."""

    @abstractmethod
    def check_blocks(self, context: Context, node: Node) -> None:
        """The same in the blocks that a statement with a mistake would have run (`names.check_blocks`)."""

    @abstractmethod
    def realize(self, context: Context, value: Callable, span: Span) -> Any:
        """The tensor of a constructor that takes none: `Param(..)` as a value (`apply.apply`)."""

    @abstractmethod
    def run_block(
        self, definition: Definition, statics: dict[str, Any], inputs: list[TensorType | None], span: Span
    ) -> CheckedBody | None:
        """Runs a block's body; None when it had mistakes, which are reported (`blocks.run_block`)."""
