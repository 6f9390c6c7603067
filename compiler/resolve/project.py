"""From the root file to named definitions: imports, `extends`, parameters, settings.

Nothing here raises for a mistake of the user: everything that is found is in `Project.report`, and the rest of the
project is as complete as it can be, so that later passes find their mistakes in the same run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from ..dataclass import dataclass, field
from ..messages import resolve as errors
from ..messages.diagnostics import Abandoned, Failed, Report
from ..messages.names import nearest
from ..messages.source import Source, Sources, Span
from ..sizes import statics
from ..text import top_level
from ..text.parse import parse_setting, parse_settings
from . import definitions, parameters, settings
from .definitions import Definition, FileScope, ParamSlot, statics_of
from .levels import check_levels
from .load import Loader, project_root
from .settings import Finder, SettingValue, Target

Origin = Literal["set", "variant", "command line"]


@dataclass
class Project:
    """A spec with everything it names.

    `settings` holds the statics and section keys that are overridden (a key is also already in its section's node);
    overridden parameters are in their slots.
    """

    root: FileScope
    sources: Sources
    report: Report
    edition: str = "1"
    variant: str | None = None
    settings: dict[str, SettingValue] = field(default_factory=dict[str, SettingValue])
    files: list[top_level.File] = field(default_factory=list[top_level.File])  # every file that was read, in order
    scopes: list[FileScope] = field(default_factory=list[FileScope])
    used: set[str] = field(default_factory=set[str])
    #: Parameters that are overridden, with the place that does.
    overridden: dict[str, tuple[ParamSlot, Span]] = field(default_factory=dict[str, "tuple[ParamSlot, Span]"])

    @property
    def variants(self) -> dict[str, top_level.Variant]:
        return self.root.variants

    @property
    def finder(self) -> Finder:
        """Resolves what a path of a setting means here (for `search`)."""
        return Finder(self.root)

    def sections(self, kind: str) -> list[Definition]:
        """The `train`, `export` or `search` sections, in order."""
        return [section for section in self.root.sections if section.kind == kind]

    def definitions(self, kind: str) -> list[Definition]:
        """Blocks, models, data or weight maps of the file itself (and of those it extends), in order."""
        return [definition for definition in self.root.definitions.values() if definition.kind == kind]

    def mark_used(self, path: str) -> None:
        """A pass read the setting at this full path."""
        self.used.add(path)

    def report_unused(self) -> None:
        """E0406 for overrides of the command line, a variant or `set` that nothing read; for the last pass to call.

        After another mistake nothing is reported: the code that reads it may not have been reached.
        """
        if not self.report.ok:
            return
        for path, setting in self.settings.items():
            if path not in self.used and setting.scope is self.root:
                self.report.add(errors.changes_nothing(setting.span, path))
        for path, (slot, span) in self.overridden.items():
            if not slot.used:
                self.report.add(errors.changes_nothing(span, path))


def load(path: str | Path | Source, variant: str | None = None, root: Path | None = None) -> Project:
    """Reads a spec and all it names. A text instead of a path is that of a spec in the current directory."""
    report, sources = Report(), Sources()
    given = path if isinstance(path, Source) else None
    name = given.name if given is not None else str(path)
    loader = Loader(report, sources, given)
    scope = loader.root(Path(name), name, root if root is not None else project_root(Path(name)))
    if scope is None:
        empty = top_level.File(Span(name, 0, 0), None, (), ())
        scope = FileScope(name, empty, report, incomplete=True)
    files = [file for file in loader.files.values() if file is not None]
    return Project(scope, sources, report, files=files, scopes=loader.scopes, variant=variant)


def settle(project: Project, overrides: Sequence[str] = ()) -> None:
    """Applies the settings: those of the command line, then of the variant, then `set`, then defaults."""
    given = _Settings(project)
    given.apply(overrides, project.variant)
    for module in project.scopes:
        check_levels(module)
        for slot in module.params.values():
            _settle(slot)
    given.check_statics()


def resolve(
    path: str | Path, overrides: Sequence[str] = (), variant: str | None = None, root: Path | None = None
) -> Project:
    """A spec read, with its settings applied."""
    project = load(path, variant, root)
    settle(project, overrides)
    return project


def _settle(slot: ParamSlot) -> None:
    """Finds the mistakes of a parameter, used or not."""
    try:
        parameters.value_of(slot)
    except (Abandoned, Failed):
        pass


class _Settings:
    """Gives every setting its strongest value."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.report = project.report

    def apply(self, overrides: Sequence[str], variant: str | None) -> None:
        root = self.project.root
        for module in self.project.scopes:
            if module is not root:
                self._group(module, module.settings, "set", definitions.FILE_SET)
        self._group(root, root.settings, "set", definitions.SET)
        for name, node in root.variants.items():
            if name == variant:
                self._group(root, node.settings, "variant", definitions.VARIANT)
            else:
                for setting in node.settings:
                    self._find(root, setting)
        if variant is not None and variant not in root.variants and not root.incomplete:
            source = self.project.sources.add("variant", variant)
            span = Span(source.name, 0, len(variant))
            near = nearest(variant, root.variants)
            self.report.add(errors.unknown_variant(span, variant, near, list(root.variants)))
        given: list[top_level.Setting] = []
        for number, text in enumerate(overrides, 1):
            source = self.project.sources.add(f"argument {number}", text)
            setting, diagnostics = parse_setting(source)
            if diagnostics and len(several := parse_settings(source)[0]) > 1:
                diagnostics = [errors.several_values(several[1].value.span, len(several))]
            self.report.extend(diagnostics)
            if setting is not None:
                given.append(setting)
        self._group(root, given, "command line", definitions.COMMAND_LINE)

    def _group(self, scope: FileScope, group: Sequence[top_level.Setting], origin: Origin, strength: int) -> None:
        found = [(setting, self._find(scope, setting, bare=origin == "command line")) for setting in group]
        for file in dict.fromkeys(setting.span.file for setting in group if origin != "command line"):
            same = [(t.path, setting.span) for setting, t in found if t is not None and setting.span.file == file]
            self.report.extend(settings.twice(same))
        if origin == "command line":
            self.report.extend(settings.twice((t.path, setting.span) for setting, t in found if t is not None))
        for setting, target in found:
            if target is not None and target.kind == "key":  # a key before it may have changed the section
                target = self._find(scope, setting, bare=origin == "command line")
            if target is not None:
                self._apply(scope, setting, target, origin, strength)

    def _find(self, scope: FileScope, setting: top_level.Setting, *, bare: bool = False) -> Target | None:
        try:
            return Finder(scope).find(setting.path, bare=bare)
        except Failed as failure:
            self.report.add(failure.diagnostic)
        except Abandoned:
            pass
        return None

    def _apply(
        self, scope: FileScope, setting: top_level.Setting, target: Target, origin: Origin, strength: int
    ) -> None:
        if target.slot is not None:
            target.slot.override(setting.value, scope, setting.span, strength)
            if scope is self.project.root:
                self.project.overridden[target.path] = (target.slot, setting.span)
            return
        value = SettingValue(target.path, setting.value, setting.span, scope, origin, target, setting.path.text)
        assert target.owner is not None
        if target.kind == "static":
            self.project.settings[target.path] = value
            return
        try:
            changed = settings.with_key(target.owner, target.keys, value, setting.path)
        except Failed as failure:
            self.report.add(failure.diagnostic)
            return
        self._replace(target.owner, changed)
        if scope is self.project.root:
            self.project.settings[target.path] = value
            self.project.mark_used(target.path)

    def _replace(self, before: Definition, after: Definition) -> None:
        for scope in self.project.scopes:
            scope.sections = [after if section is before else section for section in scope.sections]
            for name, found in scope.definitions.items():
                if found is before:
                    scope.definitions[name] = after
            for name, found in scope.imported.items():
                if found is before:
                    scope.imported[name] = after

    def check_statics(self) -> None:
        """Drops the settings whose value is of the wrong type; they are reported."""
        for path, value in list(self.project.settings.items()):
            if value.target.kind == "static" and not self._static_fits(value.target, value):
                del self.project.settings[path]

    def _static_fits(self, target: Target, value: SettingValue) -> bool:
        """Checks a static's type as far as it is plain; what takes functions or layers is the elaborator's to check."""
        assert target.owner is not None
        decl = next(decl for decl in statics_of(target.owner) if decl.name.text == target.keys[0])
        kind = decl.type.name.text if decl.type is not None and decl.type.name is not None else ""
        default: Any = None
        try:
            if decl.default is not None:
                default = parameters.static(decl.default, target.owner.scope)
            kind = kind or parameters.kind_of(default)
            if kind not in parameters.EXPECTED:
                return True
            found = parameters.static(value.node, value.scope)
        except (Failed, Abandoned):
            return True
        try:
            parameters.convert(found, kind, decl.name.text)
        except statics.StaticError as error:
            shown = statics.describe(default) if decl.default is not None else None
            self.report.add(
                errors.wrong_value(
                    value.node.span,
                    target.path,
                    parameters.EXPECTED[kind],
                    f"`{statics.describe(found)}`",
                    decl.span,
                    shown,
                    error.code,
                )
            )
            return False
        return True


__all__ = [
    "Definition",
    "FileScope",
    "ParamSlot",
    "Project",
    "SettingValue",
    "load",
    "project_root",
    "resolve",
    "settle",
]
