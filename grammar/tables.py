"""The generated tables as the machine wants them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "tables.json"


class ParserTables:
    """LALR tables and what the scanner needs; terminals, nonterminals and states are small numbers."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.digest: str = data["grammar"]
        self.terminals: list[str] = data["terminals"]
        self.nonterminals: list[str] = data["nonterminals"]
        self.terminal: dict[str, int] = {name: i for i, name in enumerate(self.terminals)}
        self.nonterminal: dict[str, int] = {name: i for i, name in enumerate(self.nonterminals)}
        self.words: dict[str, int] = data["words"]
        self.symbols: dict[str, int] = data["symbols"]
        self.soft: dict[str, tuple[int, re.Pattern[str]]] = {
            word: (number, re.compile(lookahead)) for word, (number, lookahead) in data["soft"].items()
        }
        self.patterns: dict[str, str] = data["patterns"]
        self.starts: dict[str, tuple[int, int]] = {name: (a, b) for name, (a, b) in data["starts"].items()}
        self.reached_by: list[str] = data["reached_by"]
        # (nonterminal, number of symbols, builder, which symbols it gets)
        self.rules: list[tuple[int, int, str, list[int | None]]] = [(a, b, c, d) for a, b, c, d in data["rules"]]
        # shift to s: s + 1; reduce by r: -r - 1
        self.actions: list[dict[int, int]] = [dict(zip(row[::2], row[1::2], strict=True)) for row in data["actions"]]
        self.gotos: list[dict[int, int]] = [dict(zip(row[::2], row[1::2], strict=True)) for row in data["gotos"]]


@cache
def load() -> ParserTables:
    return ParserTables(json.loads(PATH.read_text(encoding="utf-8")))
