"""The canonical layout of a spec (`dlc fmt`).

Indentation, the spaces between tokens, the `=` of keys, blank lines and trailing commas are laid down. Where a line
breaks is the author's choice as long as it fits; so are columns: spaces are kept where they line up with the line
above or below. What is too long is broken before `->`, else inside the outermost bracket.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ..messages.source import Source
from . import top_level
from .layout_tokens import LayoutToken, read_tokens
from .roles import Roles

WIDTH = 120
STEP = 2
OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}
BREAK_AFTER = frozenset("{ ( [ , ; = += ~ <- + - * / // % @ ** == != < <= > >= and or".split())  # noqa: SIM905
BREAK_BEFORE = frozenset("-> } ) ] else".split())  # noqa: SIM905


def format_file(file: top_level.File, source: Source) -> str:
    """The text of a parsed spec in canonical layout; formatting twice changes nothing more."""
    roles = Roles(file)
    tokens, last_comments = read_tokens(source)
    if not tokens and not last_comments:
        return ""
    _join(tokens, roles)
    _gaps(tokens, roles, source)
    while True:
        while _brackets(tokens, roles):  # a comma that goes may leave a line end behind
            pass
        _separators(tokens)
        lines = _lines(tokens)
        _place(lines, roles)
        _align_keys(lines, roles)
        _place(lines, roles)
        _keep_columns(lines, roles)
        if not _break_long(lines, roles):
            return _text(lines, last_comments)


# ---- breaks and commas that are written ----------------------------------------------------------------------------


def _join(tokens: list[LayoutToken], roles: Roles) -> None:
    """Takes back line breaks where no line should end: in the middle of a value, before a comma."""
    for before, token in pairwise(tokens):
        breakable = (
            before.text in BREAK_AFTER
            or token.text in BREAK_BEFORE
            or token.start in roles.statements
            or token.start in roles.second
        )
        if token.breaks and not (breakable or before.trailing or token.above):
            token.breaks = token.blank = False
    for a, b in _pairs(tokens):
        alone = tokens[b].text != "}" and not tokens[a + 1].breaks
        if alone and not (tokens[b - 1].trailing or tokens[b].above):
            tokens[b].breaks = tokens[b].blank = False


def _pairs(tokens: list[LayoutToken]) -> Iterator[tuple[int, int]]:
    """Indices of matching brackets, inner ones first."""
    stack: list[int] = []
    for i, token in enumerate(tokens):
        if token.text in OPENERS:
            stack.append(i)
        elif token.text in CLOSERS:
            yield stack.pop(), i


def _brackets(tokens: list[LayoutToken], roles: Roles) -> bool:
    """Braces around several lines go at line ends; trailing commas only before a closing bracket on a new line.
    Whether there were commas to take or to give."""
    drop: set[int] = set()
    insert: list[int] = []
    for a, b in _pairs(tokens):
        if tokens[a].text == "{":
            if b == a + 1:
                tokens[b].breaks = bool(tokens[b].above) or bool(tokens[a].trailing)
                continue
            if _breaks_inside(tokens, a, b):
                tokens[a + 1].breaks = tokens[b].breaks = True
            tokens[a + 1].blank = tokens[a + 1].blank and bool(tokens[a + 1].above)
            continue
        if tokens[a].start not in roles.lists:
            continue
        comma = tokens[b - 1].text == ","
        broken = tokens[b].breaks
        if comma and not broken and tokens[a].start not in roles.must:
            drop.add(b - 1)
        elif broken and not comma:
            insert.append(b - 1)
    for i in sorted(insert, reverse=True):
        comma_token = LayoutToken(-1, -1, ",")
        comma_token.trailing, comma_token.comment = tokens[i].trailing, tokens[i].comment
        tokens[i].trailing = ""
        tokens.insert(i + 1, comma_token)
        drop = {j if j <= i else j + 1 for j in drop}
    for i in sorted(drop, reverse=True):
        _remove(tokens, i)
    return bool(insert or drop)


def _breaks_inside(tokens: list[LayoutToken], a: int, b: int) -> bool:
    """Does a line end directly inside these braces (not in a bracket within them)?"""
    depth = 0
    for token in tokens[a + 1 : b + 1]:
        if token.text in CLOSERS:
            depth -= 1
        if depth == 0 and token.breaks and token.text != "else" and (depth < 0 or token.text not in CLOSERS):
            return True
        if token.text in OPENERS:
            depth += 1
    return False


def _remove(tokens: list[LayoutToken], index: int) -> None:
    """Take a token out; its comments go to its neighbours."""
    gone = tokens.pop(index)
    before = tokens[index - 1]
    homeless = list(gone.above)
    if gone.trailing and before.trailing:
        homeless.append((gone.trailing, False))
    elif gone.trailing:
        before.trailing, before.comment = gone.trailing, gone.comment
    if index < len(tokens):
        tokens[index].above = homeless + tokens[index].above
        tokens[index].breaks = tokens[index].breaks or gone.breaks or bool(homeless)


def _separators(tokens: list[LayoutToken]) -> None:
    """`;` goes between two statements on one line, not at the end of a line."""
    for index in range(len(tokens) - 1, -1, -1):
        if tokens[index].text == ";":
            last = index + 1 == len(tokens)
            if last or tokens[index + 1].breaks or tokens[index + 1].text == "}" or tokens[index].trailing:
                if not last and tokens[index + 1].text != "}":
                    tokens[index + 1].breaks = True
                _remove(tokens, index)
            elif tokens[index].breaks:
                tokens[index].breaks = False


# ---- spaces --------------------------------------------------------------------------------------------------------


def _gaps(tokens: list[LayoutToken], roles: Roles, source: Source) -> None:
    index_ends = roles.end_of_value
    for before, token in pairwise(tokens):
        tight = token.start in roles.tight or (token.text == "[" and before.end in index_ends and not _is_stage(before))
        token.least = _least(before, token, tight, roles)
        written = token.start - before.end
        same_line = "\n" not in source.text[before.end : token.start]
        token.gap = max(token.least, written) if same_line and token.least else token.least


def _is_stage(token: LayoutToken) -> bool:
    return token.text in ("->", "=", ",", "(", "[", "=>", ":")


def _least(before: LayoutToken, token: LayoutToken, tight: bool, roles: Roles) -> int:
    a, b = before.text, token.text
    if tight or b in (",", ";", ")", "]", ".") or a in ("(", "[", "."):
        return 0
    if a == ",":
        return 1
    if ".." in (a, b) and "..." not in (a, b) or before.start in roles.unary and a == "-":
        return 0
    if b == ":":
        return 0
    if a == ":":
        return 0 if any(start <= before.start < end for start, end in roles.slices) else 1
    return 0 if (a, b) == ("{", "}") else 1


# ---- lines ---------------------------------------------------------------------------------------------------------


def _lines(tokens: list[LayoutToken]) -> list[list[LayoutToken]]:
    lines: list[list[LayoutToken]] = []
    for token in tokens:
        if token.breaks or not lines:
            lines.append([])
        lines[-1].append(token)
    return lines


def _place(lines: list[list[LayoutToken]], roles: Roles) -> None:
    """Columns of all tokens, from indentation and gaps."""
    open_: list[tuple[LayoutToken, int, int]] = []  # bracket, indentation of its content, of its closing bracket
    columns: dict[int, int] = {}
    statement = 0  # indentation of the statement that a line belongs to
    for number, line in enumerate(lines):
        first = line[0]
        indent = _indent(first, open_, statement, columns, roles) if number else 0
        if first.start in roles.statements and (not open_ or open_[-1][0].text == "{"):
            statement = indent
        at = indent
        for i, token in enumerate(line):
            if i:
                at += token.gap
            token.column = columns[token.start] = at
            at += len(token.text)
            if token.text in OPENERS:
                hangs = token.start in roles.bodies
                base = statement if hangs else indent
                content = base + STEP if token.text == "{" or i + 1 == len(line) else at
                open_.append((token, content, base))
            elif token.text in CLOSERS:
                opener, _, base = open_.pop()
                if opener.start in roles.bodies:
                    statement = base


def _indent(
    first: LayoutToken, open_: list[tuple[LayoutToken, int, int]], statement: int, columns: dict[int, int], roles: Roles
) -> int:
    if first.text in CLOSERS:
        return open_[-1][2]
    if first.text == "else":
        for start, end, owner in roles.ifs:
            if start <= first.start < end:
                return columns.get(owner, 0)
    if first.start in roles.second:
        return columns.get(roles.second[first.start], 0)
    content = open_[-1][1] if open_ else 0
    bracket = open_[-1][0] if open_ else None
    if bracket is not None and bracket.text != "{":
        return content + (STEP if first.text == "->" else 0)
    if first.start in roles.statements:
        return content
    if bracket is not None and bracket.start not in roles.bodies:
        return content  # stages of a group, branches of an `if`
    return content + STEP


def _end(line: list[LayoutToken]) -> int:
    return line[-1].column + len(line[-1].text)


# ---- columns -------------------------------------------------------------------------------------------------------


def _align_keys(lines: list[list[LayoutToken]], roles: Roles) -> None:
    """`=` in one column for the keys of a section that begin lines, up to a blank line, `let` or field; sub-sections
    in between do not count."""
    heads = {line[0].start: (i, line) for i, line in enumerate(lines)}
    for section in roles.sections:
        run: list[list[LayoutToken]] = []
        for item in (*section.items, None):
            place = heads.get(item.span.start) if item is not None else None
            if isinstance(item, (top_level.Sub, top_level.SubFor)) and place is not None and not place[1][0].blank:
                continue
            if isinstance(item, top_level.Key) and place is not None:
                if place[1][0].blank or any(blank for _, blank in place[1][0].above):
                    _align(run)
                    run = []
                run.append(place[1])
            else:
                _align(run)
                run = []


def _align(run: list[list[LayoutToken]]) -> None:
    width = max((len(line[0].text) for line in run), default=0)
    for line in run:
        if len(line) > 1 and line[1].text == "=":
            line[1].gap = line[1].least = width - len(line[0].text) + 1


def _keep_columns(lines: list[list[LayoutToken]], roles: Roles) -> None:
    """More than one space stays where it brings a token under or above a like one; elsewhere it goes."""
    while True:
        changed = False
        for i, line in enumerate(lines):
            around = [lines[j] for j in (i - 1, i + 1) if 0 <= j < len(lines)]
            around += [*_beyond(lines, i, -1), *_beyond(lines, i, 1)]
            for token in line[1:]:
                if token.gap > token.least and not any(_lines_up(token, other) for other in around):
                    token.gap = token.least
                    changed = True
        if not changed:
            return
        _place(lines, roles)


def _beyond(lines: list[list[LayoutToken]], index: int, step: int) -> Iterator[list[LayoutToken]]:
    """The next two lines of the same depth: one that is too wide, or has lines below it, does not part the others."""
    indent = lines[index][0].column
    left = 2
    index += step
    while 0 <= index < len(lines) and left and lines[index][0].column >= indent:
        if lines[index][0].column == indent and lines[index][0].text not in CLOSERS:
            yield lines[index]
            left -= 1
        index += step


def _lines_up(token: LayoutToken, line: list[LayoutToken]) -> bool:
    """Does a like token of the line begin (a number: or end) in the same column?"""
    end = token.column + len(token.text)
    return any(
        (other.column == token.column or (token.text[0].isdigit() and other.column + len(other.text) == end))
        and (other.text == token.text or (_is_value(other) and _is_value(token)))
        for other in line[1:]
    )


def _is_value(token: LayoutToken) -> bool:
    return token.text[0].isalnum() or token.text[0] in '_"'


# ---- long lines ----------------------------------------------------------------------------------------------------


def _break_long(lines: list[list[LayoutToken]], roles: Roles) -> bool:
    """Break one line that is too long. False when none is, or none can be."""
    for line in lines:
        if _end(line) > WIDTH and (_at_arrow(line) or _at_comma(line) or _in_bracket(line, roles)):
            return True
    return False


def _depths(line: list[LayoutToken]) -> Iterator[tuple[LayoutToken, LayoutToken, int]]:
    """Each token but the first with the one before it, and how many of the line's brackets are open around it."""
    depth = 0
    for before, token in pairwise(line):
        depth = max(depth + (before.text in OPENERS) - (token.text in CLOSERS), 0)
        yield before, token, depth


def _at_arrow(line: list[LayoutToken]) -> bool:
    """Before the last `->` outside of the line's brackets that lets it fit."""
    return _last_that_fits([(b, t) for b, t, depth in _depths(line) if depth == 0 and t.text == "->"])


def _at_comma(line: list[LayoutToken]) -> bool:
    """After the last comma outside of the line's brackets that lets it fit."""
    return _last_that_fits([(b, t) for b, t, depth in _depths(line) if depth == 0 and b.text == ","])


def _last_that_fits(places: list[tuple[LayoutToken, LayoutToken]]) -> bool:
    if not places:
        return False
    fitting = [token for before, token in places if before.column + len(before.text) <= WIDTH]
    (fitting[-1] if fitting else places[0][1]).breaks = True
    return True


def _in_bracket(line: list[LayoutToken], roles: Roles) -> bool:
    """Inside the widest bracket that opens and closes on the line; the branches of an `if` are left together."""
    widest: list[LayoutToken] = []
    stack: list[int] = []
    for i, token in enumerate(line):
        if token.text in OPENERS:
            stack.append(i)
        elif token.text in CLOSERS and stack:
            a = stack.pop()
            breakable = line[a].text != "{" or line[a].start in roles.bodies | roles.groups
            if not stack and breakable and i > a + 1 and i - a + 1 > len(widest):
                widest = line[a : i + 1]
    if not widest:
        return False
    widest[1].breaks = True
    if widest[0].text == "{":
        widest[-1].breaks = True
        for before, token, depth in _depths(widest):
            if depth == 1 and before.text == ";":
                token.breaks = True
    return True


# ---- writing -------------------------------------------------------------------------------------------------------


def _text(lines: list[list[LayoutToken]], last_comments: list[tuple[str, bool]]) -> str:
    out: list[str] = []
    for number, line in enumerate(lines):
        first = line[0]
        indent = first.column
        if first.text in CLOSERS and first.above:
            indent += STEP
        for text, blank in first.above:
            if blank and out:
                out.append("")
            out.append(" " * indent + text)
        if first.blank and out and first.text not in CLOSERS and number:
            out.append("")
        text = ""
        for token in line:
            text = text.ljust(token.column) + token.text
            if token.trailing:
                text = text.ljust(max(token.comment, len(text) + 2)) + token.trailing
        out.append(text.rstrip())
    for text, blank in last_comments:
        if blank and out:
            out.append("")
        out.append(text)
    return "\n".join(out) + "\n"
