"""Instances of one class in a row whose arguments differ, as a table with a row for each and a loop over it.

    for (kernel, out, stride) in [(3, 24, 2), (3, 24, 1), ..] { Residual(kernel, out, stride) }      the spec
    Residual(16, 3, out=24, stride=2), Residual(24, 3, out=24, stride=1), ..      the entries of an `nn.Sequential`

    rows = [(3, 24, 2), (3, 24, 1), ..]                                           the source
    layers: list[nn.Module] = []
    in_channels = 16
    for kernel, out, stride in rows:
        layers.append(Residual(in_channels, kernel, out=out, stride=stride))
        in_channels = out

An argument that is in each row what another one was in the row before is carried along instead of being a column.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ...compiler.dataclass import dataclass
from .lines import Line
from .python import WIDTH, layout, split_top, unique
from .stages import LAYERS, added

#: The fewest rows, and the most columns, of a table.
ROWS, COLUMNS = 4, 8
#: The most equal instances that are a row each.
EQUAL = 4

#: A statement that makes a list of layers: what comes before the entries, the entries, and what comes after them.
_LIST = re.compile(
    r"((?:super\(\)\.__init__|[\w.]+ = nn\.Sequential)\()(.*)(\))|([\w.]+ = nn\.ModuleList\(\[)(.*)(\]\))"
)
_CALL = re.compile("(\x03\\d+\x04)\\((.*)\\)")
_EQUAL = re.compile(r"\*\[(.*) for _ in range\((\d+)\)\]")
_KEYWORD = re.compile(r"(\w+)=(?!=)(.*)")
#: A number, constant or class of `nn` in an expression: what may be a column.
_LITERAL = re.compile(r"(?<![\w.])(-?\d[\w.]*(?:(?<=e)-\d+)?|True|False|None|nn\.\w+)(?![\w.(])")


@dataclass(frozen=True)
class ClassSignature:
    """What a class is called about, the arguments of its constructor, and the defaults of those that have one, as source."""

    called: str
    names: Sequence[str]
    defaults: Mapping[str, str]


@dataclass(frozen=True)
class _Call:
    """A constructor call as source: the class, and its arguments by name; the first `places` have no keyword."""

    callee: str
    arguments: Mapping[str, str]
    places: int


@dataclass(frozen=True)
class _Table:
    """Rows, what the loop calls their columns, and the arguments of an instance. `carried` is an argument that is, in each
    row but the first, what the argument `source` was in the row before."""

    columns: Mapping[str, tuple[str, ...]]
    call: _Call
    carried: str = ""
    source: str = ""


def with_rows(lines: Sequence[Line], signatures: Mapping[str, ClassSignature], taken: Collection[str]) -> list[Line]:
    """The statements of a constructor, with tables where those are shorter; `taken` are names that mean something there."""
    names = {*taken, *(line.text.partition(":")[0].partition(" = ")[0] for line in lines)}
    found: list[Line] = []
    for line in lines:
        match = _LIST.fullmatch(line.text)
        groups = [group for group in match.groups() if group is not None] if match is not None else []
        made = _tabulated(line.indent, groups[0], groups[1], groups[2], signatures, names) if groups else None
        found += [line] if made is None else made
    return found


def _tabulated(
    indent: int, head: str, inner: str, tail: str, signatures: Mapping[str, ClassSignature], names: set[str]
) -> list[Line] | None:
    """The statements for one list of layers, with a table in the place of its longest run; None where that is not shorter."""
    entries = split_top(inner)
    runs = [run for run in _runs(entries) if len(run[2]) >= ROWS]
    if not runs:
        return None
    start, stop, calls = max(runs, key=lambda run: len(run[2]))
    signature = signatures.get(calls[0].callee)
    if signature is None:
        return None
    given = [_named(call, signature) for call in calls]
    table = _table(calls, given, signature, names)
    if table is None:
        return None
    rows, layers = unique("rows", names), unique(LAYERS, names)
    before, after = entries[:start], entries[stop:]
    listed = [row[0] if len(row) == 1 else f"({', '.join(row)})" for row in zip(*table.columns.values(), strict=True)]
    if any(indent + 4 + len(row) + 1 > WIDTH for row in listed):
        return None
    lines = [Line(f"{rows} = [{', '.join(listed)}]", indent)]
    turn = f"for {', '.join(table.columns)} in {rows}"
    if not table.carried:
        entry = f"[{_text(table.call)} {turn}]"
        whole = not before and not after and tail == "])"
        made = entry[1:-1] if whole else ", ".join([*before, f"*{entry}", *after])
        lines.append(Line(f"{head}{made}{tail}", indent))
    else:
        variable = table.call.arguments[table.carried]
        lines.append(Line(f"{layers}: list[nn.Module] = [{', '.join(before)}]", indent))
        lines.append(Line(f"{variable} = {given[0][table.carried]}", indent))
        lines.append(Line(f"{turn}:", indent))
        lines.append(Line(f"{layers}.append({_text(table.call)})", indent + 1))
        lines.append(Line(f"{variable} = {table.call.arguments[table.source]}", indent + 1))
        last = given[-1][table.source]
        if after:
            lines.append(Line(added(layers, [_with(variable, last, entry) for entry in after]), indent))
        lines.append(Line(f"{head.removesuffix('[')}{'' if tail == '])' else '*'}{layers})", indent))
    plain = [Line(f"{head}{inner}{tail}", indent)]
    long, short = (_length(found, calls[0].callee, signature.called) for found in (plain, lines))
    if short >= long:
        return None
    names |= {rows, layers, *table.columns, *([table.call.arguments[table.carried]] if table.carried else [])}
    return lines


def _runs(entries: Sequence[str]) -> list[tuple[int, int, list[_Call]]]:
    """Runs of calls of one class among the entries of a list: first and last place, and the calls."""
    found: list[tuple[int, int, list[_Call]]] = []
    for at, entry in enumerate(entries):
        equal = _EQUAL.fullmatch(entry)
        text, count = (equal[1], int(equal[2])) if equal is not None else (entry, 1)
        call = _call(text) if count <= EQUAL else None
        if call is None:
            continue
        if found and found[-1][1] == at and found[-1][2][0].callee == call.callee:
            start, _, calls = found.pop()
            found.append((start, at + 1, [*calls, *[call] * count]))
        else:
            found.append((at, at + 1, [call] * count))
    return found


def _call(text: str) -> _Call | None:
    match = _CALL.fullmatch(text)
    if match is None:
        return None
    arguments: dict[str, str] = {}
    items = split_top(match[2])
    places = 0
    for at, item in enumerate(items):
        keyword = _KEYWORD.fullmatch(item)
        if keyword is None:
            arguments[str(at)], places = item, at + 1
        else:
            arguments[keyword[1]] = keyword[2]
    return _Call(match[1], arguments, places)


def _table(
    calls: Sequence[_Call], rows: Sequence[Mapping[str, str]], signature: ClassSignature, names: Collection[str]
) -> _Table | None:
    """The columns that explain all arguments of some calls; None where there are none, or too many."""
    said = [*signature.names, *rows[0]]  # tables come as further arguments
    order = [name for name in dict.fromkeys(said) if any(row.get(name) != signature.defaults.get(name) for row in rows)]
    if any(name not in row for row in rows for name in order):
        return None
    by_name = {name: [row[name] for row in rows] for name in order}
    differing = [name for name in order if len(set(by_name[name])) > 1]
    follows = ((a, b) for a in differing for b in differing if a != b and by_name[a][1:] == by_name[b][:-1])
    carried, source = next(follows, ("", ""))
    taken = {*names, *([carried] if carried else [])}
    columns: dict[str, tuple[str, ...]] = {}
    arguments: dict[str, str] = {}
    for name in order:
        if name == carried:
            arguments[name] = unique(name, names)
            continue
        written = _template(by_name[name], name, {*taken, *columns})
        if written is None:
            return None
        arguments[name], added_columns = written
        columns |= added_columns
    if not columns or len(columns) > COLUMNS:
        return None
    return _Table(columns, _Call(calls[0].callee, arguments, calls[0].places), carried, source)


def _named(call: _Call, signature: ClassSignature) -> dict[str, str]:
    """All arguments of a call by name, with the defaults of those that it does not give."""
    given = {signature.names[int(name)] if name.isdigit() else name: text for name, text in call.arguments.items()}
    return {**signature.defaults, **given}


def _template(texts: Sequence[str], name: str, taken: Collection[str]) -> tuple[str, dict[str, tuple[str, ...]]] | None:
    """An argument of each row as one expression of columns: `round_to(out * width, 8)`; None where they differ otherwise."""
    split = [_LITERAL.split(text) for text in texts]  # literals are at odd places
    if len({len(parts) for parts in split}) > 1 or len({tuple(parts[::2]) for parts in split}) > 1:
        return None
    parts, columns = list(split[0]), dict[str, tuple[str, ...]]()
    for at in range(1, len(parts), 2):
        values = tuple(row[at] for row in split)
        if len(set(values)) == 1:
            continue
        known = next((column for column, have in columns.items() if have == values), None)
        parts[at] = known or unique(name, {*taken, *columns})
        columns[parts[at]] = values
    return "".join(parts), columns


def _text(call: _Call) -> str:
    items = [text if at < call.places else f"{name}={text}" for at, (name, text) in enumerate(call.arguments.items())]
    return f"{call.callee}({', '.join(items)})"


def _with(variable: str, value: str, text: str) -> str:
    """A text with a variable for the expression that it holds; a number or a name may mean something else."""
    return text.replace(value, variable) if value.endswith(")") else text


def _length(lines: Sequence[Line], callee: str, called: str) -> int:
    return sum(len(layout(line.text.replace(callee, called), 4 * line.indent)) for line in lines)


__all__ = ["ClassSignature", "with_rows"]
