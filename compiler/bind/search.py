"""`search` sections: which settings are drawn from what, towards which figure."""

from __future__ import annotations

from typing import Any, cast

from ..catalogue import DRAWS, METHODS, PRUNERS
from ..catalogue.sections import SEARCH
from ..ir.arguments import EntryUse
from ..ir.data import Condition
from ..ir.search import Draw, DrawCase, Prune, Search
from ..ir.train import Train
from ..messages import search as search_errors
from ..messages import sections as errors
from ..messages.diagnostics import Abandoned, Failed, Report
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.callables import APPLIED, applied_kind, evaluate_callable
from ..resolve.definitions import Callable, Definition, statics_of
from ..resolve.parameters import EXPECTED, applied, convert, default_of, kind_of
from ..resolve.project import Project
from ..resolve.settings import Target
from ..sizes.statics import StaticError, describe
from ..text import syntax, top_level
from .reader import Section, SectionReader, Special
from .train import Figures, watch


class SearchBinder:
    """One `search` section."""

    def __init__(
        self,
        project: Project,
        report: Report,
        definition: Definition,
        trains: dict[str, Train | None],
        figures: dict[str, Figures],
    ) -> None:
        self.project, self.report, self.trains, self.figures = project, report, trains, figures
        self.node: top_level.Search = definition.node
        self.name = definition.name
        self.reader = SectionReader(definition.scope, report, project.root)
        start = self.node.span.start
        self.span = (
            self.node.name.span
            if self.node.name is not None
            else Span(self.node.span.file, start, start + len("search"))
        )

    def run(self) -> Search | None:
        before = len(self.report.errors)
        section = self.reader.section("search", self.node.entries, self.span, SEARCH.forms, draws=True)
        method = self.reader.attempt(lambda: self._method(section))
        name: str | None = self.reader.attempt(lambda: self._train(section))
        train = self.trains[name] if name is not None else None
        objective = self.reader.attempt(lambda: self._objective(section, name))
        prune = self.reader.attempt(lambda: self._prune(section))
        draws = self._draws(section, method)
        if len(self.report.errors) > before or method is None or train is None or objective is None:
            return None
        self.report.add(errors.search_not_run(self.span))
        return Search(
            name=self.name,
            train=train.name,
            method=method,
            objective=objective,
            prune=prune,
            draws=tuple(draws),
            span=self.span,
        )

    # ---- keys ----------------------------------------------------------------------------------------------------------

    def _method(self, section: Section) -> EntryUse:
        node = section.value("method")
        if node is None:
            self.reader.missing(section, "method", "method = random(trials = 50)", of="search", at=self.span)
            raise Abandoned
        return self.reader.entry(node, METHODS, "random(trials = 50)")[1]

    def _train(self, section: Section) -> str:
        """The name of the section that is searched."""
        node = section.value("train")
        if node is not None:
            node = self.reader.plain(node)
            if not isinstance(node, syntax.Ref) or node.name not in self.trains:
                name = node.name if isinstance(node, syntax.Ref) else "this"
                near = nearest(name, self.trains)
                raise Failed(errors.unknown_definition(node.span, name, "`train` section", near, list(self.trains)))
            return node.name
        if len(self.trains) > 1:
            raise Failed(search_errors.which_train(self.span, list(self.trains)))
        if not self.trains:
            raise Failed(search_errors.no_train(self.span))
        return next(iter(self.trains))

    def _objective(self, section: Section, train: str | None) -> Any:
        node = section.value("objective")
        if node is None:
            self.reader.missing(section, "objective", "objective = val.loss", of="search", at=self.span)
            raise Abandoned
        if train is None:
            raise Abandoned
        return watch(self.reader, node, self.figures[train])

    def _prune(self, section: Section) -> Prune | None:
        node = section.value("prune")
        if node is None:
            return None
        times: Special = {"Time": lambda node, what: self.reader.duration(node, what)}
        _, entry = self.reader.entry(node, PRUNERS, "asha(min = 2 epochs)", times)
        return Prune(kind=cast(Any, entry.name), min=entry.args["min"], factor=entry.args.get("factor", 3))

    # ---- draws ---------------------------------------------------------------------------------------------------------

    def _draws(self, section: Section, method: EntryUse | None) -> list[Draw]:
        drawn: dict[str, Span] = {}
        targets: list[tuple[top_level.Draw, Target]] = []
        for item in section.draws:
            target: Target | None = self.reader.attempt(lambda item=item: self.project.finder.find(item.path))
            if target is None:
                continue
            if target.path in drawn:
                self.report.add(search_errors.draw_twice(item.path.span, target.path, drawn[target.path]))
            drawn.setdefault(target.path, item.path.span)
            targets.append((item, target))
        if not section.draws and not section.unknown and not self.reader.scope.unread:
            self.report.add(search_errors.draws_nothing(self.span))
        draws: list[Draw] = []
        for item, target in targets:
            cases = self.reader.attempt(lambda item=item, target=target: self._cases(item.value, target, drawn, method))
            if cases is not None:
                draws.append(Draw(path=target.path, cases=tuple(cases), span=item.path.span))
        return draws

    def _cases(
        self, node: syntax.Pipe, target: Target, drawn: dict[str, Span], method: EntryUse | None
    ) -> list[DrawCase]:
        """`if` chooses between distributions by other draws."""
        while isinstance(node, syntax.Paren):
            node = node.value
        if isinstance(node, syntax.IfExpr):
            condition = self._condition(node.condition, drawn)
            then = self._cases(node.then, target, drawn, method)
            rest = self._cases(node.orelse, target, drawn, method)
            if len(then) != 1:
                raise Failed(search_errors.draw_condition(node.then.span))
            return [DrawCase(condition=condition, distribution=then[0].distribution), *rest]
        kind = self._kind(target)
        special: Special = {}
        if kind in APPLIED:
            special = dict.fromkeys(("Static", "Statics"), lambda node, _: self._applied(node, kind, target))
        _, entry = self.reader.entry(node, DRAWS, "choice(16, 32, 64)", special)
        if method is not None and METHODS[method.name].exhausts and not DRAWS[entry.name].finite:
            raise Failed(search_errors.draw_open_grid(entry.span, target.path, entry.name))
        self._check(entry, target)
        return [DrawCase(distribution=entry)]

    def _applied(self, node: syntax.Pipe, kind: str, target: Target) -> str:
        """A function or layer that is drawn, by its text, as the command line takes it."""
        value = evaluate_callable(node, self.reader.scope, self.reader.lookup, kind)
        if kind_of(value) != kind:
            shown = str(value) if isinstance(value, Callable) else describe(value)
            raise Failed(search_errors.draw_value(node.span, target.path, APPLIED[kind], shown))
        return str(value)

    def _condition(self, node: syntax.Pipe, drawn: dict[str, Span]) -> Condition:
        while isinstance(node, syntax.Paren):
            node = node.value
        if isinstance(node, syntax.Binary) and node.op in ("and", "or"):
            items = (self._condition(node.left, drawn), self._condition(node.right, drawn))
            return Condition(op=node.op, items=items, span=node.span)
        if isinstance(node, syntax.Unary) and node.op == "not":
            return Condition(op="not", items=(self._condition(node.value, drawn),), span=node.span)
        if isinstance(node, syntax.Binary) and node.op in syntax.COMPARISONS:
            left, right = self._compared(node.left, drawn), self._compared(node.right, drawn)
            if isinstance(left, tuple) or isinstance(right, tuple):
                return Condition(op=node.op, left=left, right=right, span=node.span)
        raise Failed(search_errors.draw_condition(node.span))

    def _compared(self, node: syntax.Pipe, drawn: dict[str, Span]) -> Any:
        path = _path(node)
        if path is not None:
            try:
                found = self.project.finder.find(path).path
            except Failed:
                found = None
            if found in drawn:
                return ("setting", found)
        value = self.reader.static(node)
        if isinstance(value, (int, float, str, bool)):
            return value
        raise Failed(search_errors.draw_condition(node.span))

    def _check(self, entry: EntryUse, target: Target) -> None:
        """Drawn values have the setting's type."""
        kind = self._kind(target)
        allowed = self._allowed(target)
        if allowed is not None and DRAWS[entry.name].finite:
            for value in DRAWS[entry.name].values_of(entry.args):
                if value not in allowed:
                    expected = "one of " + ", ".join(f"`{describe(item)}`" for item in allowed)
                    raise Failed(search_errors.draw_value(entry.span, target.path, expected, describe(value)))
        if kind in APPLIED and not DRAWS[entry.name].finite:
            expected = f"{APPLIED[kind]}: draw it with `choice`"
            raise Failed(search_errors.draw_value(entry.span, target.path, expected, entry.name))
        if kind not in EXPECTED or kind in APPLIED:
            return
        draw = DRAWS[entry.name]
        if kind == "int" and not draw.finite and not draw.whole:
            expected = f"{EXPECTED[kind]}: draw it with `int_uniform` or `choice`"
            raise Failed(search_errors.draw_value(entry.span, target.path, expected, entry.name))
        for value in draw.values_of(entry.args):
            try:
                convert(value, kind, target.path)
            except StaticError:
                raise Failed(
                    search_errors.draw_value(entry.span, target.path, EXPECTED[kind], describe(value))
                ) from None

    def _allowed(self, target: Target) -> list[Any] | None:
        """The values of a `one_of`."""
        declared = target.slot.node.type if target.slot is not None else None
        if declared is None or declared.name is None or declared.name.text != "one_of" or declared.args is None:
            return None
        return [self.reader.static(item) for item in declared.args.items if not isinstance(item, syntax.Kwarg)]

    def _kind(self, target: Target) -> str:
        """The type of a setting by name, or "" if it may be anything."""
        try:
            if target.slot is not None:
                if kind := applied(target.slot):
                    return kind
                declared = target.slot.node.type
                if declared is not None and declared.name is not None:
                    return declared.name.text
                return kind_of(default_of(target.slot))
            if target.kind == "static" and target.owner is not None:
                decl = next(decl for decl in statics_of(target.owner) if decl.name.text == target.keys[0])
                if decl.type is not None and decl.type.name is not None:
                    return decl.type.name.text
                if decl.default is not None and applied_kind(decl.default, target.owner.scope):
                    return applied_kind(decl.default, target.owner.scope)
                return kind_of(self.reader.static(decl.default)) if decl.default is not None else ""
        except (Failed, Abandoned):
            pass
        return ""


def _path(node: syntax.Pipe) -> syntax.Path | None:
    """`opt`, `Cnn.depth` as the path of a setting."""
    names: list[syntax.Name] = []
    while isinstance(node, syntax.Attr):
        names.insert(0, node.name)
        node = node.value
    if not isinstance(node, syntax.Ref):
        return None
    names.insert(0, syntax.Name(node.span, node.name))
    return syntax.Path(names[0].span.to(names[-1].span), tuple(names))
