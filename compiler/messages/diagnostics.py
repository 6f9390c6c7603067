"""One type for every message about a spec.

Passes collect diagnostics in a `Report` and continue; only the edge (the command line, the Python API) prints or raises.
The messages themselves are functions in `compiler/messages/`, one a situation, so that a code has one home.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from ..dataclass import dataclass
from .source import Span

#: How to get out, the best first. A failure that ends a command has one: the type checker refuses an empty tuple.
Helps: TypeAlias = tuple[str, *tuple[str, ...]]


@dataclass(frozen=True)
class Label:
    """A second place that takes part in a mistake, with a few words on how."""

    span: Span
    text: str


@dataclass(frozen=True)
class Diagnostic:
    """A mistake or a lint: what, where, and how to fix it.

    `message` is one lower-case line. `label` is shown under the caret. `notes` state facts, `helps` propose the fix
    (the first one is the best). Codes that begin with `W` are warnings.
    """

    code: str
    message: str
    span: Span
    label: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.code.startswith("E")


class Failed(Exception):
    """Leaves the statement that cannot be understood; the diagnostic is reported where checking continues."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Abandoned(Exception):
    """Leaves a statement whose mistake was reported already (it uses a value that could not be computed)."""


class Report:
    """Diagnostics in the order found; the same one at the same place is kept once."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.errors: list[Diagnostic] = []
        self._known: set[tuple[str, Span, str]] = set()

    def add(self, diagnostic: Diagnostic) -> None:
        key = (diagnostic.code, diagnostic.span, diagnostic.message)
        if key in self._known:
            return
        self._known.add(key)
        self.diagnostics.append(diagnostic)
        if diagnostic.is_error:
            self.errors.append(diagnostic)

    def replace(self, old: Diagnostic, new: Diagnostic) -> None:
        """The new one where the old one is."""
        for found in (self.diagnostics, self.errors):
            found[:] = [new if diagnostic == old else diagnostic for diagnostic in found]

    def copy(self) -> Report:
        made = Report()
        made.extend(self.diagnostics)
        return made

    def reset(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Holds these diagnostics and no others."""
        for found in (self.diagnostics, self.errors, self._known):
            found.clear()
        self.extend(diagnostics)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            self.add(diagnostic)

    @property
    def ok(self) -> bool:
        return not self.errors
