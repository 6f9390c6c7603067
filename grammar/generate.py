"""From dlspec.lark to tables.json: LALR tables by Lark, renumbered so that equal grammars give equal files.

What is written: the terminals by how they are recognised, one row of actions and one of gotos for each state, and for
each production which of its symbols reach the builder.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from lark import Lark
from lark.grammar import NonTerminal, Rule, Terminal
from lark.parsers.lalr_analysis import Shift

HERE = Path(__file__).parent
GRAMMAR = HERE / "dlspec.lark"
TABLES = HERE / "tables.json"
STARTS = ["start", "setting", "pipe"]
BY_PATTERN = ("NAME", "NUMBER", "STRING")
UNSEEN = ("_NL", "COMMENT")  # recognised by the scanner itself


class _NoPostlex:
    always_accept = ("_NL",)

    def process(self, stream: Any) -> Any:
        return stream


def lark_parser(*, strict: bool = False, postlex: Any = None) -> Lark:
    return Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        lexer="contextual",
        start=STARTS,
        maybe_placeholders=True,
        propagate_positions=True,
        strict=strict,
        postlex=postlex or _NoPostlex(),
    )


def digest() -> str:
    """The grammar's hash; line ends do not count, so that a checkout on Windows is not stale."""
    text = GRAMMAR.read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def render() -> str:
    """tables.json, one row a line so that a change of the grammar can be read as a diff."""
    tables = build()
    parts: list[str] = []
    for key, value in tables.items():
        if isinstance(value, list) and value and isinstance(value[0], list):
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            parts.append(f'"{key}": [\n{rows}\n]')
        else:
            parts.append(f'"{key}": {json.dumps(value, separators=(",", ":"))}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def build() -> dict[str, Any]:
    lark = lark_parser()
    lalr: Any = lark.parser.parser
    table = lalr._parse_table
    words, symbols, soft = _recognisers(lark)
    terminals = [
        "$END",
        "_NL",
        *BY_PATTERN,
        *sorted({*words.values(), *symbols.values(), *(name for name, _ in soft.values())}),
    ]
    terminal_number = {name: i for i, name in enumerate(terminals)}
    rules = sorted(
        {rule for row in table.states.values() for action, rule in row.values() if action is not Shift}, key=_rule_key
    )
    nonterminals = sorted({rule.origin.name for rule in rules})
    nonterminal_number = {name: i for i, name in enumerate(nonterminals)}
    rule_number = {rule: i for i, rule in enumerate(rules)}

    # breadth first from the starts, symbols in order: Lark's own numbers differ from run to run
    order: dict[int, int] = {}
    reached_by: list[str] = []
    queue = [(table.start_states[name], name) for name in STARTS]
    while queue:
        state, symbol = queue.pop(0)
        if state in order:
            continue
        order[state] = len(order)
        reached_by.append(symbol)
        row = table.states[state]
        queue += [(target, name) for name, (action, target) in sorted(row.items()) if action is Shift]

    actions: list[list[int]] = []
    gotos: list[list[int]] = []
    for state in order:
        shifts: list[int] = []
        jumps: list[int] = []
        for name, (action, target) in sorted(table.states[state].items()):
            if name in terminal_number:
                shifts += [terminal_number[name], order[target] + 1 if action is Shift else -rule_number[target] - 1]
            elif name in nonterminal_number:
                jumps += [nonterminal_number[name], order[target]]
        actions.append(shifts)
        gotos.append(jumps)
    return {
        "grammar": digest(),
        "terminals": terminals,
        "nonterminals": nonterminals,
        "words": {text: terminal_number[name] for text, name in sorted(words.items())},
        "symbols": {text: terminal_number[name] for text, name in sorted(symbols.items())},
        "soft": {text: [terminal_number[name], pattern] for text, (name, pattern) in sorted(soft.items())},
        "patterns": {t.name: t.pattern.value for t in lark.terminals if t.name in BY_PATTERN},
        "starts": {name: [order[table.start_states[name]], order[table.end_states[name]]] for name in STARTS},
        "reached_by": reached_by,
        "rules": [[nonterminal_number[r.origin.name], len(r.expansion), *_plan(r)] for r in rules],
        "actions": actions,
        "gotos": gotos,
    }


def _recognisers(lark: Lark) -> tuple[dict[str, str], dict[str, str], dict[str, tuple[str, str]]]:
    """Terminals apart: words of the language, symbols, and soft keywords with the lookahead that makes them one."""
    words: dict[str, str] = {}
    symbols: dict[str, str] = {}
    soft: dict[str, tuple[str, str]] = {}
    ignored = set(lark.ignore_tokens)
    for terminal in lark.terminals:
        if terminal.name in BY_PATTERN or terminal.name in UNSEEN or terminal.name in ignored:
            continue
        value = terminal.pattern.value
        if terminal.pattern.type == "str":
            (words if value.isidentifier() else symbols)[value] = terminal.name
        elif match := re.fullmatch(r"([a-z]+)(\(\?=.*\))", value):
            soft[match[1]] = (terminal.name, match[2])
        else:
            for text in _alternatives(value):
                symbols[text] = terminal.name
    return words, symbols, soft


def _alternatives(pattern: str) -> list[str]:
    """The symbols of a pattern such as `(?:==|<)` or `\\*(?!\\*)|%`; the longest match makes the lookahead needless."""
    pattern = re.sub(
        r"\(\?!.*?\)", "", pattern.removeprefix("(?:").removesuffix(")") if pattern.startswith("(?:") else pattern
    )
    return [re.sub(r"\\(.)", r"\1", part) for part in pattern.split("|")]


def _rule_key(rule: Rule) -> tuple[Any, ...]:
    return rule.origin.name, rule.alias or "", [symbol.name for symbol in rule.expansion], _plan(rule)[1]


def _plan(rule: Rule) -> tuple[str, list[int | None]]:
    """The builder's name ("" = hand on what there is) and its arguments: i is symbol i, -i-1 the items of symbol i."""
    missing = rule.options.empty_indices or ()
    holes = (
        [len(ones) for ones in "".join(str(int(b)) for b in missing).split("0")]
        if missing
        else [0] * (len(rule.expansion) + 1)
    )
    plan: list[int | None] = []
    for i, symbol in enumerate(rule.expansion):
        plan += [None] * holes[i]
        if isinstance(symbol, Terminal) and symbol.filter_out:
            continue
        plan.append(-i - 1 if isinstance(symbol, NonTerminal) and symbol.name.startswith("_") else i)
    plan += [None] * holes[len(rule.expansion)]
    if rule.origin.name.startswith("_"):
        return "*", plan
    if rule.options.expand1 and not rule.alias and len(plan) == 1:
        return "", plan
    return rule.alias or rule.origin.name, plan
