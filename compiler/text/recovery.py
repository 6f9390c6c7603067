"""Messages for text that does not fit the grammar, and where parsing resumes.

Most messages are in `grammar/mistakes.py`; here are those that need more than the location: brackets that
do not match, characters that begin no token, words at file level.

    data D {                                   the text
      source = csv("t.csv"
      split  = all("train")
    MODEL NAME .. | NAME                       where the machine stops: `split` cannot follow `"t.csv"`
    E0101 this `(` is never closed             `brackets.py` knows which bracket was meant by the indentation
    DATA NAME { source .. | split              reading resumes at the next entry; `remains.py` keeps the others
"""

from __future__ import annotations

import re

from ...grammar import mistakes
from ...grammar.machine import Machine
from ...grammar.scanner import BAD, NEWLINE, WORD, Token
from ...grammar.tables import ParserTables
from ..messages import syntax as errors
from ..messages.diagnostics import Diagnostic, Label
from ..messages.source import Source, Span
from .brackets import CLOSERS, HEADER, OPENERS, Brackets
from .remains import Skipped, gap

MOST_ERRORS = 20
ITEMS = (
    "from",
    "extends",
    "param",
    "override",
    "block",
    "model",
    "data",
    "train",
    "export",
    "search",
    "weights",
    "variant",
    "set",
)
CLOSED = re.compile(
    r"(?<= )([(\[]) (?:(?:[^()\[\] ]\S*|\(\)|\[\]) )*([)\]])(?= )"
)  # brackets within one line of symbols


class Recovery:
    """Listens to the machine: reports, and brings it to the next statement or item."""

    def __init__(self, source: Source, tables: ParserTables, diagnostics: list[Diagnostic]) -> None:
        self.source = source
        self.text = source.text
        self.tables = tables
        self.diagnostics = diagnostics
        self.count = 0
        self.stopped_at = -1  # token index of the error before
        self.tries = 0  # how often reading stopped there
        self.line = 0  # of the error before
        self.leftovers = False  # were such lines left out?
        self.skipped: list[Skipped] = []  # to continue
        self.unclosed: set[int] = set()  # positions of brackets that were reported as never closed
        by_symbol: dict[int, list[str]] = {}
        for text, number in tables.symbols.items():
            by_symbol.setdefault(number, []).append(text)
        self.shown = {tables.terminals[n]: texts[0] for n, texts in by_symbol.items() if len(texts) == 1}
        for name in ("PLUS", "MINUS", "POWER", "RANGE"):
            self.shown.pop(name, None)

    def span(self, start: int, end: int) -> Span:
        return Span(self.source.name, start, end)

    def token_span(self, token: Token) -> Span:
        if token.kind == NEWLINE or token.end == token.start:  # the end of a line: the place behind its last token
            start = len(self.text[: token.start].rstrip())
            return self.span(start, min(start + 1, max(len(self.text), start)))
        return self.span(token.start, token.end)

    # ---- the machine's questions -----------------------------------------------------------------------------------

    def too_deep(self, machine: Machine, start: int, end: int) -> bool:
        self.count += 1
        if self.count > MOST_ERRORS:
            return False
        self.diagnostics.append(errors.too_deep(self.span(start, min(end, start + 1))))
        return self._skip_statement(machine)

    def unexpected(self, machine: Machine, token: Token) -> bool:
        if machine.at == self.stopped_at:
            self.tries += 1
        else:
            self.stopped_at, self.tries = machine.at, 0
            self.count += 1
            if self.count > MOST_ERRORS:
                return False
            line = self.source.position(self.token_span(token).start)[0]
            again, self.line = (
                line == self.line,
                line,
            )  # what follows on the line of a mistake is mostly its consequence
            if self._is_leftover(machine, token) or again:
                pass
            elif token.kind == BAD:
                self.diagnostics.append(self._bad(token))
            elif (unclosed := self._unclosed(machine, token)) is not None:
                diagnostic, opener, going_on = unclosed
                if not any(opener.start < found.span.start < token.start for found in self.diagnostics):
                    self.diagnostics.append(diagnostic)  # else what is wrong inside may be why it looks open
                if going_on is not None:
                    self.line = self.source.position(opener.start)[0]
                    return self._resume_before(machine, opener, going_on)
            elif (stray := self._stray_closer(machine, token)) is not None:
                self.diagnostics.append(stray)
            else:
                self.diagnostics.append(self._explain(machine, token))
        return self._skip_statement(machine)

    # ---- going on --------------------------------------------------------------------------------------------------

    def _skip_statement(self, machine: Machine) -> bool:
        """Leave out the statement, setting or item that is being read."""
        heights = machine.heights(("stmt", "entry", "setting", "item"))
        if self.tries >= len(heights):
            return False
        height, nonterminal = heights[self.tries]
        around = [opener.text for opener, below in machine.brackets if below < height]
        inside = [opener.text for opener, below in machine.brackets if below >= height]
        tokens = machine.tokens
        lines = Brackets(self.source, tokens, self.unclosed)
        start = machine.starts[height] if height < len(machine.starts) else tokens[machine.at].start
        indent = lines.indent(Token(0, start, start, ""))
        newline = self.tables.terminal["_NL"]
        for index in range(machine.at, len(tokens) - 1):
            token, following = tokens[index], tokens[index + 1]
            if token.kind == NEWLINE:
                if following.text in ("->", "else"):
                    continue
                deeper = lines.indent(following) > indent
                if not around and not inside and (deeper or following.text in CLOSERS):
                    continue  # the lines of an item whose first line could not be read
                leaves = not deeper and following.text not in CLOSERS and (around or lines.is_header(index + 1))
                if not inside or leaves:
                    self._resume(machine, height, nonterminal, index)
                    return True
            elif token.kind == newline and around and not inside:
                self._resume(machine, height, nonterminal, index)
                return True
            elif token.text in OPENERS:
                if index > machine.at or not self._surplus(lines, index):
                    inside.append(token.text)
            elif token.text in CLOSERS:
                if CLOSERS[token.text] in inside:
                    while inside.pop() != CLOSERS[token.text]:
                        pass
                elif token.text == "}" and around and not self._lacks_opener(lines, index, start, indent, machine):
                    self._resume(machine, height, nonterminal, index)
                    return True
        if around:
            return False
        self._resume(machine, height, nonterminal, len(tokens) - 1)
        return True

    def _surplus(self, lines: Brackets, index: int) -> bool:
        """Whether an opening brace that is a mistake is one too many: its line does not close it, and no deeper line follows."""
        tokens = lines.tokens
        depth = 0
        for at in range(index, len(tokens) - 1):
            if tokens[at].kind == NEWLINE:
                return lines.indent(tokens[at + 1]) <= lines.indent(tokens[index])
            depth += (tokens[at].text in OPENERS) - (tokens[at].text in CLOSERS)
            if not depth:
                return False
        return False

    def _resume(self, machine: Machine, height: int, nonterminal: str, index: int) -> None:
        start = machine.starts[height] if height < len(machine.starts) else machine.tokens[machine.at].start
        end = machine.tokens[index].start
        self.skipped.append(Skipped(start, end, nonterminal))
        if nonterminal == "stmt":
            machine.resume(height, nonterminal, index, gap(self.source, start, end))
        else:
            machine.resume(height, nonterminal, index)

    def _lacks_opener(self, lines: Brackets, index: int, start: int, indent: int, machine: Machine) -> bool:
        """`metrics acc = f(a) }`: the brace at the end closes what was never opened, because the section continues below."""
        tokens = machine.tokens
        opener = next((o for o, _ in reversed(machine.brackets) if o.text == "{" and o.start < start), None)
        line = self.source.position(start)[0]
        same_line = self.source.position(tokens[index].start)[0] == line
        if opener is None or not same_line or self.source.position(opener.start)[0] == line:
            return False
        if tokens[index + 1].kind != NEWLINE:
            return False
        following = tokens[index + 2]
        return lines.indent(following) == (lines.indent(opener) if following.text == "}" else indent)

    def _resume_before(self, machine: Machine, opener: Token, index: int) -> bool:
        """Continue with the item or statement whose first token has that index, as if all since `opener` were closed."""
        is_item = Brackets(self.source, machine.tokens, ()).is_header(index)
        for height, nonterminal in machine.heights(("item",) if is_item else ("stmt", "entry", "setting", "item")):
            if height < len(machine.starts) and machine.starts[height] <= opener.start:
                self._resume(machine, height, nonterminal, index - 1)  # the line end before it
                return True
        return False

    # ---- brackets --------------------------------------------------------------------------------------------------

    def _unclosed(self, machine: Machine, token: Token) -> tuple[Diagnostic, Token, int | None] | None:
        """A bracket that is never closed, where the error shows that one is: the end of the text, the first line of
        an item, or a new statement inside it. With the index of the token to continue at."""
        if not machine.brackets:
            return None
        tokens = machine.tokens
        brackets = Brackets(self.source, tokens, self.unclosed, [skipped[:2] for skipped in self.skipped])
        innermost, _ = machine.brackets[-1]
        first = machine.at  # of its line
        while first > 0 and tokens[first].kind != NEWLINE and not brackets.begins_line(first):
            first -= 1
        header = self._header(machine, brackets, first)
        if header is not None:  # `innermost` may be a brace of the item that begins there
            innermost = next(o for o, _ in reversed(machine.brackets) if o.start < tokens[header].start)
        if header is not None or token.kind == self.tables.terminal["$END"]:
            brackets.scan(tokens[header].start if header is not None else len(self.text))
            opener, next_line = brackets.suspect or (innermost, None if header is None else tokens[header])
            return self._never_closed(opener, next_line), opener, header
        # `x = f(a` and then `y = b`: read as an argument `y = b`, found at what follows
        brackets.scan(token.start)
        found: int | None = None
        for index in range(machine.at + (token.kind == NEWLINE), 0, -1):
            if tokens[index].start <= innermost.start:
                break
            if brackets.ends_before(index, innermost):
                found = index
        if found is None or (innermost.text == "{" and not self._holds_stages(machine)):
            return None
        return self._never_closed(innermost, tokens[found]), innermost, found

    def _header(self, machine: Machine, brackets: Brackets, first: int) -> int | None:
        """The first token of the first item that begins inside of an open bracket, up to the line that begins with `first`."""
        outermost, _ = machine.brackets[0]
        found = None
        while first >= 0 and machine.tokens[first].start > outermost.start:
            if brackets.is_header(first):
                found = first
            first -= 1
        return found

    def _holds_stages(self, machine: Machine) -> bool:
        """Is the innermost open brace that of a stage, where statements are not allowed?"""
        _, height = machine.brackets[-1]
        return not any(below > height for below, _ in machine.heights(("stmt", "entry", "setting")))

    def _never_closed(self, opener: Token, next_line: Token | None) -> Diagnostic:
        self.unclosed.add(opener.start)
        labels: tuple[Label, ...] = ()
        if next_line is not None:
            if HEADER.match(self.text, next_line.start) and self.source.position(next_line.start)[1] == 1:
                what = "the next section already starts here"
            elif next_line.text in CLOSERS:
                what = "this closes something further out"
            else:
                what = "the next statement already starts here"
            labels = (Label(self.span(next_line.start, next_line.end), what),)
        return errors.never_closed(self.span(opener.start, opener.end), opener.text, OPENERS[opener.text], labels)

    def _stray_closer(self, machine: Machine, token: Token) -> Diagnostic | None:
        if token.text not in CLOSERS:
            return None
        span = self.span(token.start, token.end)
        if not machine.brackets:
            return errors.closes_nothing(span, token.text)
        opener, _ = machine.brackets[-1]
        if opener.text == CLOSERS[token.text]:
            return None  # the right bracket, too early
        wanted = OPENERS[opener.text]
        if not any(o.text == CLOSERS[token.text] for o, _ in machine.brackets):
            if opener.text == "{":
                return errors.closes_nothing(span, token.text)
            return errors.wrong_closer(span, token.text, self.span(opener.start, opener.end), opener.text, wanted)
        if opener.text == "{":
            return self._never_closed(opener, token)
        return errors.wrong_closer(span, token.text, self.span(opener.start, opener.end), opener.text, wanted)

    def _is_leftover(self, machine: Machine, token: Token) -> bool:
        """After a mistake, indented lines at file level and the brace behind them: the rest of what was left there."""
        if machine.brackets or not self.diagnostics or token.kind == BAD:
            return False
        indented = Brackets(self.source, machine.tokens, ()).indent(token) > 0
        at_item = bool(re.fullmatch(r"(?:(?:version|item)(?: __\w+)? _NL ?)?", " ".join(machine.symbols())))
        if indented and at_item:
            self.leftovers = True
        return at_item and (indented or (self.leftovers and token.text == "}"))

    # ---- characters ------------------------------------------------------------------------------------------------

    def _bad(self, token: Token) -> Diagnostic:
        line, column = self.source.position(token.start)
        rest = self.source.line(line)[column - 1 :]
        return errors.bad_text(self.span(token.start, token.end), token.text, rest)

    # ---- everything else -------------------------------------------------------------------------------------------

    def _explain(self, machine: Machine, token: Token) -> Diagnostic:
        shown = [self.shown.get(s, "*" if s.startswith("__") else s) for s in machine.symbols()]
        shown = ["pipe" if s == "value" else s for s in shown]  # a pipe that is a statement
        what = self._token_key(token)
        before = self._before(machine)
        line = " ".join([*shown, "|", what])
        while (closed := CLOSED.sub(r"\1\2", line)) != line:
            line = closed
        if (
            token.kind == WORD
            and token.text != "dlspec"
            and re.fullmatch(r"(?:(?:version|item)(?: \*)? _NL )?\| .*", line)
        ):
            return errors.unknown_item(self.token_span(token), token.text, self._line_text(token.start), ITEMS)
        first = token if token.text in ("//", "/") else before
        if (
            first is not None
            and first.text in errors.STATEMENTS
            and self._line_text(first.start).lstrip().startswith(first.text)
        ):
            return errors.other_statement(self.token_span(first), first.text)
        found = mistakes.find(line, before.text if before else "")
        if found is None:
            return errors.unexpected(self.token_span(token), self._describe(token), self._wanted(machine))
        place, height = self.token_span(token), len(shown)
        if found.place == "last" and before is not None:
            place = self.span(before.start, before.end)
        elif found.place:
            height = len(shown) - 1 - shown[::-1].index(found.place)
            place = self.span(machine.starts[height + 1], machine.ends[height + 1])
        key = self.text[machine.starts[height] : machine.ends[height]] if height > 0 else ""
        fields = {
            "text": self._describe(token).strip("`"),
            "last": before.text if before else "",
            "key": " ".join(key.split()),
            "value": self._value_after(place.end),
            "flow": self._flow(machine, shown, token),
        }
        return Diagnostic(
            found.code,
            found.message.format_map(fields),
            place,
            found.label.format_map(fields),
            helps=tuple(h.format_map(fields) for h in found.helps),
        )

    def _token_key(self, token: Token) -> str:
        if token.kind == WORD:
            return f"word:{token.text}" if token.text in self.tables.words else f"name:{token.text}"
        name = "NL" if token.kind == NEWLINE else self.tables.terminals[token.kind]
        if token.text == ";":
            return "NL"
        return {"$END": "END"}.get(name, self.shown.get(name, name))

    def _describe(self, token: Token) -> str:
        if token.kind == NEWLINE:
            return "end of the line"
        return f"`{token.text}`" if token.text else "end of the text"

    def _before(self, machine: Machine) -> Token | None:
        for index in range(machine.at - 1, -1, -1):
            if machine.tokens[index].kind != NEWLINE:
                return machine.tokens[index]
        return None

    def _line_text(self, offset: int) -> str:
        return self.source.line(self.source.position(offset)[0])

    def _value_after(self, offset: int) -> str:
        line, column = self.source.position(offset)
        rest = re.sub(r"\s*[#;].*", "", self.source.line(line)[column - 1 :]).strip()
        return rest.rstrip(" }").strip() or ".."

    def _flow(self, machine: Machine, shown: list[str], token: Token) -> str:
        """The pipeline before the token, short enough for a message."""
        for height in range(len(shown) - 1, 0, -1):
            if shown[height] in ("->", ":"):
                text = " ".join(self.text[machine.starts[height] : token.start].split())
                return text if len(text) <= 48 else f"… {text[-40:].partition(' ')[2]}"
        return ".. -> .."

    def _wanted(self, machine: Machine) -> str:
        """What would fit, in words; terminals have no names that a reader could know."""
        expected = set(machine.expected())
        words: list[str] = []
        if {"NUMBER", "STRING", "NONE"} <= expected:
            words.append("a value")
        elif "REPEAT" in expected:
            words.append("a stage")
        elif expected >= {"BLOCK", "MODEL"}:
            words.append("a section or a declaration")
        elif "NAME" in expected:
            words.append("a name")
        elif "STRING" in expected:
            words.append("a string")
        if "PLUS" in expected:
            words.append("an operator")
        for terminal, text in self.shown.items():
            if (
                terminal in expected
                and text in ["->", "=", "{", "}", "(", ")", "[", "]", ",", ":", "~", "<-", "=>"]
                and not words[3:]
            ):
                if text in "([" and "a value" in words:
                    continue
                words.append(f"`{text}`")
        words += [f"`{name.lower()}`" for name in ("ELSE", "FOR", "IMPORT", "IN") if {name} == expected]
        if "_NL" in expected:
            words.append("the end of the line")
        words = words[:4]
        return " or ".join(filter(None, [", ".join(words[:-1]), words[-1] if words else ""]))
