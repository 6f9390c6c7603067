"""From the root file to scopes: reads and parses every file, follows imports and `extends`."""

from __future__ import annotations

import os
from pathlib import Path

from ..catalogue.ops import names as operators
from ..dataclass import dataclass, field
from ..messages import resolve as errors
from ..messages.diagnostics import Abandoned, Diagnostic, Report
from ..messages.names import nearest
from ..messages.source import Source, Sources, Span
from ..sizes.static_functions import STATIC_FUNCTIONS
from ..sizes.statics import CONSTANTS
from ..text import syntax, top_level
from ..text.node import Node
from ..text.parse import Remains, parse_remains
from ..text.read import is_pipe, read_source
from .definitions import IMPORT_ARGUMENT, Definition, FileScope, Kind, ParamSlot

STANDARD = Path(__file__).resolve().parents[2] / "specs" / "std"
DEEPEST = 50
MOST_VARIANTS = 1000  # each is a check of its own

_KINDS: dict[type[Node], Kind] = {
    top_level.Block: "block", top_level.BlockSeq: "block", top_level.Model: "model", top_level.Data: "data",
    top_level.Weights: "weights", top_level.Train: "train", top_level.Export: "export", top_level.Search: "search",
}  # fmt: skip


def project_root(path: Path) -> Path:
    """The nearest directory upward with `pyproject.toml` or `.git`, else that of the spec."""
    try:
        folder = path.resolve().parent
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL: reported when the spec is read
        return Path()
    for candidate in (folder, *folder.parents):
        if (candidate / "pyproject.toml").exists() or (candidate / ".git").exists():
            return candidate
    return folder


@dataclass
class SpecFile:
    """A file on the way: its name as shown, where it really is, and the directory its imports may not leave."""

    shown: str
    real: Path
    boundary: Path


@dataclass
class Loader:
    """Loads each file once per set of import arguments."""

    report: Report
    sources: Sources
    given: Source | None = None  # the text of the spec itself, where it is not in a file
    files: dict[Path, top_level.File | None] = field(default_factory=dict[Path, "top_level.File | None"])
    #: Of files with mistakes of syntax, the items without.
    remains: dict[Path, Remains] = field(default_factory=dict[Path, Remains])
    modules: dict[tuple[Path, str], FileScope | None] = field(
        default_factory=dict[tuple[Path, str], "FileScope | None"]
    )
    #: Every scope, imported ones before those that import them.
    scopes: list[FileScope] = field(default_factory=list[FileScope])
    chain: list[SpecFile] = field(default_factory=list[SpecFile])

    # ---- files -----------------------------------------------------------------------------------------------------

    def root(self, path: Path, shown: str, boundary: Path) -> FileScope | None:
        """The scope of the spec itself."""
        try:
            place = SpecFile(shown, path if is_pipe(path) else path.resolve(), boundary.resolve())
        except (OSError, RuntimeError, ValueError):
            place = SpecFile(shown, path, boundary)
        file = self._read(place)
        if isinstance(file, Diagnostic):
            self.sources.add(shown, "")
            self.report.add(file)
            return None
        if file is not None:
            return self._scope(place, file)
        remains = self.remains.get(place.real)
        if remains is None:
            return None
        scope = FileScope(place.shown, remains.file, self.report, damaged=remains.lost, nameless=remains.nameless)
        scope.unread, scope.keyless, scope.cracked = remains.missing, remains.keyless, remains.cracked
        scope.broken |= remains.missing.difference(operators(), STATIC_FUNCTIONS, CONSTANTS)
        self._fill(scope, place, remains.file)
        self.scopes.append(scope)
        return scope

    def _read(self, place: SpecFile) -> top_level.File | Diagnostic | None:
        """The tree of a file; a diagnostic if it cannot be read; None if its text has mistakes, which are reported."""
        if place.real not in self.files:
            given = self.given is not None and place.shown == self.given.name
            source = self.given if given and self.given else read_source(place.real, place.shown)
            if isinstance(source, Diagnostic):
                return source
            self.sources[place.shown] = source
            file, remains, diagnostics = parse_remains(source)
            self.report.extend(diagnostics)
            if remains is not None:
                self.remains[place.real] = remains
            if file is not None and file.version is not None and file.version.text.partition(".")[0] != "1":
                self.report.add(errors.edition_unknown(file.version.span, file.version.text))
                file = None
            self.files[place.real] = file
        return self.files[place.real]

    def _scope(self, place: SpecFile, file: top_level.File) -> FileScope:
        scope = FileScope(place.shown, file, self.report)
        self._fill(scope, place, file)
        self.scopes.append(scope)
        return scope

    def _fill(self, scope: FileScope, place: SpecFile, file: top_level.File) -> None:
        """Adds what a file defines; the extended file first, so that this one can override."""
        self.chain.append(place)
        try:
            extends = [item for item in file.items if isinstance(item, top_level.Extends)]
            for second in extends[1:]:
                self.report.add(errors.second_extends(second.span, extends[0].span))
            for item in extends[:1]:
                base = self._open(item.path.value, item.path.span, place)
                if base is not None:
                    self._fill(scope, *base)
                else:
                    scope.incomplete = True
            for item in file.items:
                if isinstance(item, top_level.Param) and self._take(scope, item.name.text, item.name.span):
                    scope.params[item.name.text] = ParamSlot(item, scope)
            for item in file.items:
                if isinstance(item, top_level.Import):
                    self._import(scope, item, place)
            for item in file.items:
                self._define(scope, item, bool(extends))
            if len(scope.variants) > MOST_VARIANTS:
                span = list(scope.variants.values())[MOST_VARIANTS].name.span
                self.report.add(errors.too_many_variants(span, len(scope.variants), MOST_VARIANTS))
                scope.variants.clear()
                scope.incomplete = True
        finally:
            self.chain.pop()

    # ---- definitions -----------------------------------------------------------------------------------------------

    def _take(self, scope: FileScope, name: str, span: Span) -> bool:
        first = scope.places.get(name)
        if first is not None:
            helps: tuple[str, ...] = ()
            if first.file != span.file and name in scope.params:
                helps = (f"`set {name} = ..` gives the parameter of `{first.file}` another value",)
            elif first.file != span.file:
                helps = (f"`override block {name}` replaces the block of `{first.file}`",)
            self.report.add(errors.defined_twice(span, name, first, helps))
            return False
        scope.places[name] = span
        return True

    def _define(self, scope: FileScope, item: top_level.Item, extends: bool) -> None:
        match item:
            case top_level.Block() | top_level.BlockSeq() if item.override:
                self._override(scope, item, extends)
            case top_level.Block() | top_level.BlockSeq() | top_level.Model() | top_level.Data() | top_level.Weights():
                name = item.name.text
                if self._take(scope, name, item.name.span):
                    scope.definitions[name] = Definition(_KINDS[type(item)], name, item, scope)
            case top_level.Train() | top_level.Export() | top_level.Search():
                kind, name = _KINDS[type(item)], item.name.text if item.name is not None else ""
                span = (
                    item.name.span
                    if item.name is not None
                    else Span(item.span.file, item.span.start, item.span.start + len(kind))
                )
                for other in scope.sections:
                    if other.kind == kind and other.name == name:
                        self.report.add(errors.section_twice(span, kind, name, other.place))
                        return
                scope.sections.append(Definition(kind, name, item, scope))
            case top_level.Variant():
                name = item.name.text
                if name in scope.variants:
                    self.report.add(errors.defined_twice(item.name.span, name, scope.variants[name].name.span))
                else:
                    scope.variants[name] = item
            case top_level.Set():
                scope.settings.append(item.setting)
            case _:
                pass

    def _override(self, scope: FileScope, item: top_level.Block | top_level.BlockSeq, extends: bool) -> None:
        name = item.name.text
        base = scope.definitions.get(name)
        if base is None or base.kind != "block":
            if scope.incomplete:
                scope.definitions[name] = Definition("block", name, item, scope)
                return
            blocks = [d.name for d in scope.definitions.values() if d.kind == "block"]
            if extends:
                self.report.add(errors.overrides_nothing(item.name.span, name, nearest(name, blocks)))
            else:
                self.report.add(errors.override_without_extends(item.name.span, name))
            return
        if base.node.span.file == item.span.file:
            self.report.add(errors.defined_twice(item.name.span, name, base.node.name.span))
            return
        scope.definitions[name] = Definition("block", name, item, scope, override_of=base)

    # ---- imports ---------------------------------------------------------------------------------------------------

    def _import(self, scope: FileScope, item: top_level.Import, place: SpecFile) -> None:
        opened = self._open_import(item, place)
        module = self._module(scope, item, *opened) if opened is not None else None
        for alias in item.names:
            here = alias.alias or alias.name
            if module is None:
                scope.broken.add(here.text)
                continue
            try:
                found = module.lookup(alias.name.text)
            except Abandoned:
                scope.broken.add(here.text)
                continue
            if found is None:
                if module.incomplete:
                    scope.broken.add(here.text)
                    continue
                has = module.candidates()
                near = nearest(alias.name.text, has)
                self.report.add(errors.import_name(alias.name.span, module.name, alias.name.text, near, has))
                scope.broken.add(here.text)
            elif self._take(scope, here.text, here.span):
                scope.imported[here.text] = found

    def _open_import(self, item: top_level.Import, place: SpecFile) -> tuple[SpecFile, top_level.File] | None:
        if isinstance(item.path, syntax.String):
            return self._open(item.path.value, item.path.span, place)
        names = [name.text for name in item.path.names]
        if names[0] != "std" or len(names) < 2:
            known = ["std." + path.stem for path in sorted(STANDARD.glob("*.dlspec"))]
            why = "only `std` has names; other files are given by path, in quotes"
            self.report.add(
                errors.import_missing(item.path.span, item.path.text, why, nearest(item.path.text, known), known)
            )
            return None
        file = STANDARD.joinpath(*names[1:]).with_suffix(".dlspec")
        if not file.is_file():
            known = ["std." + path.stem for path in sorted(STANDARD.glob("*.dlspec"))]
            why = "the standard library has no such file"
            self.report.add(
                errors.import_missing(item.path.span, item.path.text, why, nearest(item.path.text, known), known)
            )
            return None
        return self._parsed(SpecFile("/".join(("<std>", *names[1:])) + ".dlspec", file, STANDARD), item.path.span)

    def _open(self, written: str, span: Span, place: SpecFile) -> tuple[SpecFile, top_level.File] | None:
        """The file at a path relative to `place`; reports and gives None when there is none to be had."""
        if not written or "\0" in written:
            self.report.add(errors.import_missing(span, written, "not a path", None))
            return None
        if os.path.isabs(written) or Path(written).drive or written.startswith(("/", "\\")):
            self.report.add(errors.import_absolute(span))
            return None
        shown = os.path.normpath(os.path.join(os.path.dirname(place.shown), written))
        real = Path(os.path.normpath(place.real.parent / written))
        try:
            real = real.resolve()
        except (OSError, RuntimeError):  # a loop of links
            self.report.add(errors.import_missing(span, shown, "a loop of links", None))
            return None
        if not real.is_relative_to(place.boundary):
            self.report.add(errors.import_outside(span, written, str(place.boundary)))
            return None
        return self._parsed(SpecFile(shown, real, place.boundary), span)

    def _parsed(self, place: SpecFile, span: Span) -> tuple[SpecFile, top_level.File] | None:
        reals = [step.real for step in self.chain]
        if place.real in reals:
            start = reals.index(place.real)
            self.report.add(errors.import_cycle(span, [*(step.shown for step in self.chain[start:]), place.shown]))
            return None
        if len(self.chain) > DEEPEST:
            self.report.add(errors.import_depth(span, DEEPEST))
            return None
        file = self._read(place)
        if isinstance(file, Diagnostic):
            near, missing = None, not place.real.exists()
            if missing and place.real.parent.is_dir():
                others = sorted(place.real.parent.glob("*.dlspec"))[:500]
                near = nearest(place.real.name, [other.name for other in others])
            self.report.add(errors.import_unreadable(file, span, near, missing=missing))
            return None
        return None if file is None else (place, file)

    def _module(
        self, scope: FileScope, item: top_level.Import, place: SpecFile, file: top_level.File
    ) -> FileScope | None:
        """The scope of an imported file; with arguments it is one of its own."""
        given = item.args.items if item.args is not None else ()
        text = ""
        if given and item.args is not None:
            written = self.sources[item.span.file].text[item.args.span.start : item.args.span.end]
            text = f"{id(scope)}:{' '.join(written.split())}"
        key = (place.real, text)
        if key in self.modules:
            return self.modules[key]
        module = self._scope(place, file)
        self.modules[key] = module
        seen: dict[str, Span] = {}
        for argument in given:
            if not isinstance(argument, syntax.Kwarg):
                self.report.add(errors.import_positional(argument.span))
                continue
            name = argument.name.text
            slot = module.params.get(name)
            if name in seen:
                self.report.add(errors.argument_twice(argument.name.span, name, seen[name]))
            elif slot is None:
                near = nearest(name, module.params)
                self.report.add(
                    errors.import_argument(argument.name.span, place.shown, name, near, list(module.params))
                )
            else:
                slot.override(argument.value, scope, argument.span, IMPORT_ARGUMENT)
            seen.setdefault(name, argument.name.span)
        return module
