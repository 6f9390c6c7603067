"""An LALR(1) machine over the generated tables, with the newline rule and keywords by context.

Lark builds the tables and is the oracle in the tests; at run time it would cost more than the whole check of a spec
(import, one regular expression for each set of terminals that a state accepts).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .scanner import BAD, NEWLINE, WORD, Token
from .tables import ParserTables

# a line does not end after these
CONTINUING = [
    "PLUS",
    "MINUS",
    "MUL",
    "POWER",
    "RANGE",
    "CMP",
    "OR",
    "AND",
    "NOT",
    "COMMA",
    "COLON",
    "EQUAL",
    "TILDE",
    "DOT",
    "LPAR",
    "LSQB",
    "LBRACE",
    "_NL",
    "__ANON_0",
    "__ANON_1",
    "__ANON_2",
    "__ANON_3",
]
OPENS = frozenset("([{")
CLOSES = frozenset(")]}")
MOST_BRACKETS = 100
MOST_LEVELS = 200  # of the tree; a bracket makes one or two

Build = Callable[[list[Any], int, int], Any]
HOLE = object()  # stands for a piece that could not be read


class Listener(Protocol):
    """Who is asked when the machine cannot continue."""

    def unexpected(self, machine: Machine, token: Token) -> bool:
        """`token` does not fit. True when the machine was brought to a place where it can continue (`Machine.resume`)."""
        ...

    def too_deep(self, machine: Machine, start: int, end: int) -> bool:
        """Brackets or operators are nested too deep; as above."""
        ...


class Machine:
    """One parse. `builders` make values of productions, `tokens_to` makes the value of a token."""

    def __init__(
        self,
        tables: ParserTables,
        text: str,
        tokens: list[Token],
        builders: Mapping[str, Build],
        make: Callable[[int, Token], Any],
        listener: Listener,
    ) -> None:
        self.tables = tables
        self.text = text
        self.tokens = tokens
        self.builders = builders
        self.make = make
        self.listener = listener
        self.at = 0  # index of the token looked at
        self.states: list[int] = []
        self.values: list[Any] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.levels: list[int] = []
        self.brackets: list[tuple[Token, int]] = []  # open ones, with the height of the stack below them
        self.last = -1  # terminal shifted last

    def expected(self) -> list[str]:
        """Terminals that have an action in the present state."""
        return [self.tables.terminals[number] for number in self.tables.actions[self.states[-1]]]

    def symbols(self) -> list[str]:
        """What has been read and not yet put together, outermost first."""
        return [self.tables.reached_by[state] for state in self.states[1:]]

    def heights(self, nonterminals: tuple[str, ...]) -> list[tuple[int, str]]:
        """Heights of the stack at which one of these could begin, innermost first; not inside of closed braces."""
        wanted = [(self.tables.nonterminal[name], name) for name in nonterminals]
        open_braces = {height for bracket, height in self.brackets if bracket.text == "{"}
        reached_by = self.tables.reached_by
        found: list[tuple[int, str]] = []
        closed = 0
        for height in range(len(self.states), 0, -1):
            if height < len(self.states):
                symbol = reached_by[self.states[height]]
                closed += symbol == "RBRACE"
                closed -= symbol == "LBRACE" and height not in open_braces
            if closed:
                continue
            gotos = self.tables.gotos[self.states[height - 1]]
            found += [(height, name) for number, name in wanted if number in gotos]
        return found

    def resume(self, height: int, nonterminal: str | None, token: int, value: Any = HOLE) -> None:
        """Cut the stack to `height`, put a hole there (`value`; or nothing), and continue with the token of that index."""
        start = self.starts[height] if height < len(self.starts) else self.tokens[token].start
        for stack in (self.states, self.values, self.starts, self.ends, self.levels):
            del stack[height:]
        while self.brackets and self.brackets[-1][1] >= height:
            self.brackets.pop()
        if nonterminal is not None:
            self._push(self.tables.gotos[self.states[-1]][self.tables.nonterminal[nonterminal]], value, start, start, 0)
            self.last = -1
        self.at = token

    def _push(self, state: int, value: Any, start: int, end: int, level: int) -> None:
        self.states.append(state)
        self.values.append(value)
        self.starts.append(start)
        self.ends.append(end)
        self.levels.append(level)

    def run(self, start: str) -> Any:
        """The value of the whole text, or HOLE where the listener gave up."""
        tables = self.tables
        actions, gotos, rules, words, soft = tables.actions, tables.gotos, tables.rules, tables.words, tables.soft
        terminal = tables.terminal
        name, newline, end_of_text = terminal["NAME"], terminal["_NL"], terminal["$END"]
        continuing = frozenset(terminal[t] for t in CONTINUING)
        states, values, starts, ends, levels = self.states, self.values, self.starts, self.ends, self.levels
        builders, tokens, brackets, make = self.builders, self.tokens, self.brackets, self.make
        chains: dict[tuple[int, int, int], int] = {}
        first, final = tables.starts[start]
        self._push(first, None, 0, 0, 0)

        while True:
            step = 1  # of the index when the token is shifted
            token = tokens[self.at]
            kind, begin, end, text = token
            row = actions[states[-1]]
            if kind == WORD:
                kind = words.get(text, name)
                if kind == name and text in soft:
                    number, lookahead = soft[text]
                    if lookahead.match(self.text, end):
                        kind = number
                if kind not in row:
                    kind = name
            elif kind == NEWLINE:
                following = tokens[self.at + 1]
                if (
                    (brackets and brackets[-1][0].text != "{")
                    or self.last in continuing
                    or self.last == -1
                    and len(states) == 1
                    or following.kind == end_of_text
                    or following.text in ("->", "}", "else")
                ):
                    self.at += 1
                    continue
                kind = newline
            elif text == "<-" and kind not in row:  # `x <-1`: less than minus one
                tokens[self.at] = Token(tables.symbols["-"], begin + 1, end, "-")
                token = Token(tables.symbols["<"], begin, begin + 1, "<")
                kind, begin, end, text = token
                step = 0

            while True:
                action = actions[states[-1]].get(kind, 0)
                if action > 0:  # shift
                    if text in OPENS:
                        if len(brackets) >= MOST_BRACKETS:
                            if self.listener.too_deep(self, begin, end):
                                break
                            return HOLE
                        brackets.append((token, len(states)))
                    elif text in CLOSES and brackets:
                        brackets.pop()
                    states.append(action - 1)
                    values.append(make(kind, token))
                    starts.append(begin)
                    ends.append(end)
                    levels.append(0)
                    self.last = kind
                    self.at += step
                    break
                if action < 0:  # reduce
                    origin, size, builder, plan = rules[-action - 1]
                    if not builder and size == 1:  # one symbol stands for another: follow the whole chain at once
                        key = (states[-2], states[-1], kind)
                        state = chains.get(key, -1)
                        if state < 0:
                            jumps = gotos[states[-2]]
                            state = jumps[origin]
                            while (action := actions[state].get(kind, 0)) < 0:
                                origin, size, builder, _ = rules[-action - 1]
                                if builder or size != 1:
                                    break
                                state = jumps[origin]
                            chains[key] = state
                        states[-1] = state
                    elif size:
                        below = len(states) - size
                        value, level = self._reduce(builder, plan, below)
                        if level > MOST_LEVELS:
                            if self.listener.too_deep(self, starts[below], ends[-1]):
                                break
                            return HOLE
                        del states[below:], values[below:]
                        begins, stop = starts[below], ends[-1]
                        del starts[below:], ends[below:], levels[below:]
                        states.append(gotos[states[-1]][origin])
                        values.append(value)
                        starts.append(begins)
                        ends.append(stop)
                        levels.append(level)
                    else:
                        at = ends[-1]
                        self._push(gotos[states[-1]][origin], builders[builder]([], at, at), at, at, 0)
                    continue
                if kind == end_of_text and states[-1] == final:
                    return values[-1]
                if not self.listener.unexpected(self, token):
                    return HOLE
                break

    def _reduce(self, builder: str, plan: list[int | None], below: int) -> tuple[Any, int]:
        values = self.values
        items: list[Any] = []
        for part in plan:
            if part is None:
                items.append(None)
            elif part >= 0:
                items.append(values[below + part])
            elif items:
                items.extend(values[below - part - 1])
            else:
                items = values[below - part - 1]  # the list grows in place: a long one stays linear
        level = max(self.levels[below:])
        if builder == "*":
            return items, level
        if not builder:
            return items[0], level
        # the stages of a pipeline lie side by side
        return self.builders[builder](items, self.starts[below], self.ends[-1]), level + (builder != "pipe")


__all__ = ["BAD", "HOLE", "Build", "Listener", "Machine"]
