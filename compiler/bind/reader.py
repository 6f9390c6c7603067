"""Reads sections: closed keys, static values, units, and uses of table entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from ..catalogue import Family
from ..catalogue import arguments as kinds
from ..catalogue.entry import MISSING, Entry
from ..catalogue.keys import Form
from ..catalogue.sections import SECTIONS, renamed
from ..dataclass import dataclass, field
from ..ir.arguments import EntryUse
from ..ir.train import Duration
from ..messages import resolve as resolve_errors
from ..messages import sections as errors
from ..messages.diagnostics import Abandoned, Diagnostic, Failed, Report
from ..messages.names import nearest, unquoted
from ..messages.source import Span
from ..resolve.definitions import FileScope
from ..resolve.evaluate import evaluate_static
from ..resolve.parameters import value_of_name
from ..sizes.statics import Quantity, StaticError, describe, truth
from ..text import syntax, top_level
from ..text.printer import print_expression

Item: TypeAlias = (
    top_level.Key | top_level.Field | top_level.Let | top_level.Draw | top_level.Rule | top_level.Sub | top_level.SubFor
)
#: Reads an argument that is not a plain value: gets the expression and its name.
Special: TypeAlias = Mapping[str, Callable[[syntax.Pipe, str], Any]]

_FORMS = {
    "key": "`{name} = value`",
    "sub": "`{name} {{ key = value }}`",
    "sub_for": "`{name} argument {{ key = value }}`",
    "key or sub": "`{name} = value`, or `{name} {{ a = value; b = value }}`",
}

#: Keys whose value is a string.
STRINGS = ("precision", "shard", "onnx", "quantize")

TIME_UNITS = ("epochs", "steps")

#: The largest amount of a duration: up to here a float holds every integer.
LONGEST = 2**53


def _reads(item: top_level.Key) -> bool:
    """Whether a key of `data` is meant to be a field: its value begins with one of the source."""
    return print_expression(item.value).startswith(("source.", "source[", "window."))


@dataclass
class Section:
    """The entries of a section by kind: `keys` by name (each once), `many` those that may be repeated."""

    name: str
    span: Span
    keys: dict[str, top_level.Key | top_level.Sub] = field(default_factory=dict[str, "top_level.Key | top_level.Sub"])
    many: dict[str, list[top_level.SubFor]] = field(default_factory=dict[str, "list[top_level.SubFor]"])
    #: Keys that a misspelled one was taken for: they are not missed too.
    meant: set[str] = field(default_factory=set[str])
    unknown: bool = False  # it has a key that is not one of it
    lets: list[top_level.Let] = field(default_factory=list[top_level.Let])
    fields: list[top_level.Field] = field(default_factory=list[top_level.Field])
    draws: list[top_level.Draw] = field(default_factory=list[top_level.Draw])
    rules: list[top_level.Rule] = field(default_factory=list[top_level.Rule])

    def value(self, name: str) -> syntax.Pipe | None:
        """The value of `name = value`."""
        found = self.keys.get(name)
        return found.value if isinstance(found, top_level.Key) else None

    def sub(self, name: str) -> top_level.Sub | None:
        found = self.keys.get(name)
        return found if isinstance(found, top_level.Sub) else None


class SectionReader:
    """Static values and entries as one section sees them."""

    def __init__(self, scope: FileScope, report: Report, root: FileScope | None = None) -> None:
        self.scope, self.report = scope, report
        self.root = root or scope
        self.keys: dict[int, str] = {}  # of the values read, by their identity: `train.precision`
        self._lacking: dict[
            Span, dict[str, str]
        ] = {}  # by section, the required keys that it lacks with an example of each

    # ---- mistakes ----------------------------------------------------------------------------------------------------

    def attempt(self, action: Callable[[], Any]) -> Any:
        """Runs one step; a mistake is reported and gives None."""
        try:
            return action()
        except Failed as failure:
            self.report.add(failure.diagnostic)
        except Abandoned:
            pass
        return None

    # ---- sections ----------------------------------------------------------------------------------------------------

    def section(
        self,
        name: str,
        entries: top_level.Entries,
        span: Span,
        forms: Mapping[str, Form],
        *,
        lets: bool = False,
        fields: bool = False,
        draws: bool = False,
        rules: bool = False,
        elsewhere: Mapping[str, str] | None = None,
    ) -> Section:
        """Sorts entries by the table of keys; what does not belong is reported (E0401, E0408)."""
        found = Section(name, span)
        for item in entries.items:
            if isinstance(item, top_level.Draw) and draws:
                found.draws.append(item)
            elif isinstance(item, top_level.Rule) and rules:
                found.rules.append(item)
            elif isinstance(item, top_level.Draw):
                self.report.add(errors.entry_misplaced(item.span, "a draw (`~`)", name))
            elif isinstance(item, top_level.Rule):
                self.report.add(errors.entry_misplaced(item.span, "a weight rule (`<-`)", name))
            elif isinstance(item, top_level.Let):
                if lets:
                    found.lets.append(item)
                else:
                    self.report.add(errors.entry_misplaced(item.span, "`let`", name))
            elif isinstance(item, top_level.Field):
                if fields:
                    found.fields.append(item)
                elif item.name.text in forms:
                    found.meant.add(item.name.text)
                    self.report.add(errors.not_a_field_here(item.name.span, item.name.text, name))
                else:
                    self.report.add(self._unknown(item.name, found, forms, elsewhere))
            elif fields and isinstance(item, top_level.Key) and item.name.text not in forms and _reads(item):
                self.report.add(errors.field_without_type(item.name.span, item.name.text, print_expression(item.value)))
            elif item.name.text not in forms:
                self.report.add(self._unknown(item.name, found, forms, elsewhere))
            else:
                self._sort(found, item, forms[item.name.text])
        return found

    def _unknown(
        self, name: syntax.Name, section: Section, forms: Mapping[str, Form], elsewhere: Mapping[str, str] | None
    ) -> Diagnostic:
        section.unknown = True
        owner = (elsewhere or {}).get(name.text)
        if owner is not None:
            return errors.key_elsewhere(name.span, name.text, section.name, owner)
        other = renamed(name.text)
        near = other if other in forms else nearest(name.text, forms)
        if near is not None:
            section.meant.add(near)
        return errors.unknown_key(name.span, name.text, section.name, near, forms)

    def _sort(self, found: Section, item: top_level.Key | top_level.Sub | top_level.SubFor, form: Form) -> None:
        name = item.name.text
        if isinstance(item, top_level.SubFor):
            right = form == "sub_for"
        else:
            right = form == "key or sub" or form == ("key" if isinstance(item, top_level.Key) else "sub")
        if not right:
            found.meant.add(name)
            section = SECTIONS.get(found.name.partition(" ")[0])
            example = next((key.example for key in section or () if key.name == name and "\n" not in key.example), "")
            self.report.add(errors.key_form(item.name.span, name, found.name, _FORMS[form].format(name=name), example))
        elif isinstance(item, top_level.SubFor):
            found.many.setdefault(name, []).append(item)
        elif name in found.keys:
            self.report.add(errors.key_twice(item.name.span, name, found.keys[name].name.span))
        else:
            found.keys[name] = item
            if isinstance(item, top_level.Key) and name in STRINGS:
                self.keys[id(item.value)] = f"{found.name}.{name}"

    def missing(self, section: Section, name: str, example: str, *, of: str = "", at: Span | None = None) -> None:
        """Reports a required key, together with the others that the section lacks; unless a misspelled one was taken for it.
        `of` is what the section is called in the message, `at` its place."""
        if self._meant(section, name):
            return
        owner, span = of or section.name, at or section.span
        lacking = self._lacking.setdefault(span, {})
        if not lacking:
            lacking[name] = example
            self.report.add(errors.keys_missing(span, owner, lacking))
            return
        before = errors.keys_missing(span, owner, lacking)
        lacking[name] = example
        self.report.replace(before, errors.keys_missing(span, owner, lacking))

    def lacks(self, section: Section, name: str, diagnostic: Diagnostic) -> None:
        """Reports what is lacking in words of its own, unless a misspelled key was taken for it."""
        if not self._meant(section, name):
            self.report.add(diagnostic)

    def _meant(self, section: Section, name: str) -> bool:
        """Whether a key that is misspelled, or in a line that could not be read, may be this one."""
        return name in section.meant or self.scope.hides(name)

    # ---- static values -----------------------------------------------------------------------------------------------

    def static(self, node: syntax.Pipe) -> Any:
        """The value of a static expression. An override's names are those of the file it is given to."""
        try:
            return evaluate_static(node, self.lookup)
        except Failed as failure:
            key = self.keys.get(id(node))
            if key is None or not isinstance(node, syntax.Ref) or failure.diagnostic.code != "E0301":
                raise
            in_shell = node.span.file != self.scope.name and node.span.file.startswith("argument ")
            raise Failed(resolve_errors.without_quotes(node.span, node.name, key if in_shell else None)) from None

    def lookup(self, ref: syntax.Ref) -> Any:
        scope = self.scope if ref.span.file == self.scope.name else self.root
        return value_of_name(scope, ref)

    def condition(self, node: syntax.Pipe) -> bool:
        value = self.static(node)
        try:
            return truth(value)
        except StaticError:
            raise Failed(errors.wrong_value(node.span, "the condition", "`true` or `false`", describe(value))) from None

    def plain(self, node: syntax.Pipe) -> syntax.Pipe:
        """Without parentheses, and the branch taken of a static `if`."""
        while True:
            if isinstance(node, syntax.Paren):
                node = node.value
            elif isinstance(node, syntax.IfExpr):
                node = node.then if self.condition(node.condition) else node.orelse
            else:
                return node

    def value(self, node: syntax.Pipe, key: str, kind: str) -> Any:
        """The value of a key, of one of the kinds of `arguments`."""
        value = self.static(node)
        try:
            return kinds.read(kind, value)
        except (kinds.Unfit, StaticError):
            if isinstance(value, Quantity):
                raise Failed(errors.unit_unwanted(node.span, f"`{key}`", describe(value))) from None
            raise Failed(errors.wrong_value(node.span, key, kinds.expected(kind), describe(value))) from None

    def setting(self, section: Section, name: str, kind: str, default: Any) -> Any:
        """The plain value of a key, or its default; a mistake is reported."""
        node = section.value(name)
        if node is None:
            return default
        value = self.attempt(lambda: self.value(node, name, kind))
        return default if value is None else value

    def named(self, section: Section, key: str) -> list[tuple[str, syntax.Pipe]]:
        """`loss = e` or `loss { a = e }` by name."""
        found = section.keys.get(key)
        if isinstance(found, top_level.Key):
            return [(key, found.value)]
        items: list[tuple[str, syntax.Pipe]] = []
        places: dict[str, Span] = {}
        for item in found.entries.items if found is not None else ():
            if not isinstance(item, top_level.Key):
                self.report.add(errors.entry_misplaced(item.span, "this", key))
            elif item.name.text in places:
                self.report.add(errors.key_twice(item.name.span, item.name.text, places[item.name.text]))
            else:
                places[item.name.text] = item.name.span
                items.append((item.name.text, item.value))
        return items

    def duration(
        self, node: syntax.Pipe, what: str = "a duration", units: Sequence[str] = TIME_UNITS, *, rest: bool = False
    ) -> Duration:
        """`100 epochs`; E0403 without a unit or with one that does not fit."""
        node = self.plain(node)
        if isinstance(node, syntax.Ref) and node.name == "rest":
            if rest:
                return Duration(unit="rest")
            raise Failed(errors.rest_here(node.span))
        value = self.static(node)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            text = node.text if isinstance(node, syntax.Number) else describe(value)
            raise Failed(errors.unit_missing(node.span, text, what, units))
        if not isinstance(value, Quantity):
            raise Failed(errors.not_a_duration(node.span, what, f"`{describe(value)}`"))
        text = node.number.text if isinstance(node, syntax.Quantity) else describe(value.number)
        if value.unit not in units:
            span = node.unit.span if isinstance(node, syntax.Quantity) else node.span
            near = nearest(value.unit, units)
            raise Failed(errors.unit_wrong(span, text, value.unit, what, units, near))
        if value.number <= 0:
            raise Failed(errors.duration_not_positive(node.span, what, describe(value)))
        if value.number > LONGEST:
            raise Failed(errors.duration_too_long(node.span, what, describe(value)))
        return Duration(amount=value.number, unit=cast(Any, value.unit))

    # ---- entries -------------------------------------------------------------------------------------------------------

    def entry(
        self, node: syntax.Pipe, family: Family[Any], example: str, special: Special | None = None
    ) -> tuple[type[Entry], EntryUse]:
        """A use of an entry of `family`: `AdamW(1e-3)` or `last`. E0301 for a name that is not in it."""
        name, args, whole = self.used(node, family, example)
        entry = family[name.text]
        return entry, EntryUse(name=name.text, args=self.bind(entry, args, whole, special or {}), span=whole)

    def used(
        self, node: syntax.Pipe, family: Family[Any], example: str
    ) -> tuple[syntax.Name, tuple[syntax.Pipe | syntax.Kwarg, ...], Span]:
        """Name, arguments and place of a use; the name is one of the family."""
        node = self.plain(node)
        if isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Ref):
            name, args = syntax.Name(node.callee.span, node.callee.name), node.args.items
        elif isinstance(node, syntax.Ref):
            name, args = syntax.Name(node.span, node.name), ()
        else:
            quoted = unquoted(node.value, family) if isinstance(node, syntax.String) else None
            raise Failed(errors.not_an_entry(node.span, family.what, example, quoted))
        if name.text not in family:
            raise Failed(errors.unknown_entry(name.span, name.text, family.what, nearest(name.text, family), family))
        return name, args, node.span

    def bind(
        self, entry: type[Entry], items: Sequence[syntax.Pipe | syntax.Kwarg], span: Span, special: Special
    ) -> dict[str, Any]:
        """Arguments of a use, complete with defaults. `special` reads the kinds that are not plain values: it gets the
        expression, and what it is called."""
        names = [name for name, _, _ in entry.arguments]
        given: dict[str, syntax.Pipe] = {}
        rest: list[syntax.Pipe] = []
        positional = 0
        for item in items:
            if isinstance(item, syntax.Kwarg):
                name = item.name.text
                if name not in names:
                    near = nearest(name, names)
                    raise Failed(errors.unknown_argument(item.name.span, entry.name, name, near, names))
                if name in given:
                    raise Failed(errors.argument_twice(item.name.span, entry.name, name))
                given[name] = item.value
            elif entry.variadic:
                rest.append(item)
            elif positional >= len(names):
                raise Failed(errors.too_many_arguments(item.span, entry.name, positional + 1, names))
            elif names[positional] in given:
                raise Failed(errors.argument_twice(item.span, entry.name, names[positional]))
            else:
                given[names[positional]] = item
                positional += 1
        bound: dict[str, Any] = {}
        failed = False
        for name, kind, default in entry.arguments:
            if name in given or (name == entry.variadic and rest):
                try:
                    bound[name] = (
                        self.argument(entry, name, kind, given[name], special)
                        if name in given
                        else self._several(entry, name, kind, rest, special)
                    )
                except Failed as failure:  # the other arguments are checked all the same
                    failed = True
                    self.report.add(failure.diagnostic)
                except Abandoned:
                    failed = True
            elif default is MISSING:
                required = [name for name, _, default in entry.arguments if default is MISSING]
                raise Failed(errors.argument_missing(span, entry.name, name, required))
            else:
                bound[name] = default
        if failed:
            raise Abandoned
        problem = entry.check(bound)
        if problem is not None:
            raise Failed(errors.wrong_arguments(span, entry.name, problem))
        return bound

    def argument(self, entry: type[Entry], name: str, kind: str, node: syntax.Pipe, special: Special) -> Any:
        bare = kind.removesuffix(" | None")
        if bare in special:
            return special[bare](node, f"`{name}` of `{entry.name}`")
        value = self.static(node)
        if bare == "Path" and isinstance(value, str) and is_absolute(value):
            raise Failed(errors.absolute_path(node.span, value))
        return self._fit(entry, name, kind, value, node.span)

    def _several(self, entry: type[Entry], name: str, kind: str, nodes: Sequence[syntax.Pipe], special: Special) -> Any:
        if kind in special:
            items = nodes[0].items if len(nodes) == 1 and isinstance(nodes[0], syntax.List) else nodes
            return tuple([special[kind](item, f"`{name}` of `{entry.name}`") for item in items])
        values = [self.static(node) for node in nodes]
        if len(values) == 1 and isinstance(values[0], tuple):
            return self._fit(entry, name, kind, values[0], nodes[0].span)
        return self._fit(entry, name, kind, tuple(values), nodes[0].span.to(nodes[-1].span))

    def _fit(self, entry: type[Entry], name: str, kind: str, value: Any, span: Span) -> Any:
        try:
            return kinds.read(kind, value)
        except (kinds.Unfit, StaticError):
            if isinstance(value, Quantity):
                what = f"`{name}` of `{entry.name}`"
                raise Failed(errors.unit_unwanted(span, what, describe(value))) from None
            raise Failed(errors.wrong_argument(span, entry.name, name, kinds.expected(kind), describe(value))) from None


def is_absolute(path: str) -> bool:
    """An absolute path on any system."""
    return path.startswith(("/", "\\", "~")) or path[1:2] == ":"
