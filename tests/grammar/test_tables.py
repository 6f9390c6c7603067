"""The tables are those of the grammar, the grammar has no conflict, and the machine reads what Lark reads."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lark import Token, Tree
from lark.exceptions import LarkError

from dlc.grammar import generate
from dlc.grammar.machine import CONTINUING, HOLE, Machine
from dlc.grammar.scanner import scan
from dlc.grammar.tables import PATH, load

SPECS = sorted((Path(__file__).parent.parent / "language").glob("*/*.dlspec"))


def test_tables_are_up_to_date() -> None:
    assert load().digest == generate.digest(), "run python -m dlc.grammar"
    assert PATH.read_text(encoding="utf-8") == generate.render(), "run python -m dlc.grammar"


def test_tables_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from dlc.grammar.generate import render; import hashlib; print(hashlib.sha256(render().encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_grammar_has_no_conflict() -> None:
    """Lark raises on reduce/reduce conflicts always, on shift/reduce and colliding terminals when strict."""
    assert generate.lark_parser(strict=True)


def test_a_conflict_would_be_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ambiguous = generate.GRAMMAR.read_text(encoding="utf-8").replace(
        "sum (PLUS | MINUS) term", "sum (PLUS | MINUS) sum"
    )
    (tmp_path / "g.lark").write_text(ambiguous, encoding="utf-8")
    monkeypatch.setattr(generate, "GRAMMAR", tmp_path / "g.lark")
    with pytest.raises(LarkError, match="conflict"):
        generate.lark_parser(strict=True)


def test_run_time_needs_no_lark() -> None:
    code = "import sys, dlc.compiler.text.parse, dlc.compiler.text.printer; print(*[m for m in ('lark', 'dlc.grammar.generate') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# ---- Lark as the oracle --------------------------------------------------------------------------------------------


class Newlines:
    """The newline rule once more, as a filter behind Lark's lexer."""

    always_accept = ("_NL",)

    def __init__(self) -> None:
        self.text = ""

    def process(self, stream: Any) -> Any:
        brackets: list[str] = []
        last = ""
        for token in stream:
            if token.type == "_NL":
                rest = self.text[token.end_pos :].lstrip()
                while rest.startswith("#"):
                    rest = rest.partition("\n")[2].lstrip()
                word = rest[:4] == "else" and not (rest[4:5].isalnum() or rest[4:5] == "_")
                hidden = last in (*CONTINUING, "") or (brackets and brackets[-1] != "{")
                if token != ";" and (hidden or word or not rest or rest.startswith(("->", "}"))):
                    continue
            elif token in ("(", "[", "{"):
                brackets.append(str(token))
            elif token in (")", "]", "}") and brackets:
                brackets.pop()
            last = token.type
            yield token


NEWLINES = Newlines()
LARK = generate.lark_parser(postlex=NEWLINES)


def by_lark(text: str) -> Any:
    NEWLINES.text = text
    return plain(LARK.parse(text, start="start"))


def plain(node: Any) -> Any:
    if isinstance(node, Tree):
        return (str(node.data), *[plain(child) for child in node.children])
    return str(node) if isinstance(node, Token) else node


class NoRecovery:
    def unexpected(self, machine: Machine, token: Any) -> bool:
        return False

    def too_deep(self, machine: Machine, start: int, end: int) -> bool:
        return False


def by_machine(text: str) -> Any:
    tables = load()

    def builder(name: str) -> Any:
        return lambda items, start, end: (name, *items)

    builders = {name: builder(name) for _, _, name, _ in tables.rules if name not in ("", "*")}
    tokens, _ = scan(text, tables)
    return Machine(tables, text, tokens, builders, lambda kind, token: token.text, NoRecovery()).run("start")


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_machine_reads_what_lark_reads(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert by_machine(text) == by_lark(text)


def test_machine_rejects_what_lark_rejects() -> None:
    """Tokens deleted, doubled and swapped: both read the same tree, or neither reads any."""
    rng = random.Random(0)
    agreed = rejected = 0
    for path in SPECS:
        text = path.read_text(encoding="utf-8")
        tokens, _ = scan(text, load())
        for _ in range(12):
            mutated = mutate(text, [t for t in tokens if t.text], rng)
            mine = by_machine(mutated)
            try:
                lark = by_lark(mutated)
            except LarkError:
                lark = HOLE
            assert mine == lark, mutated
            agreed += mine is not HOLE
            rejected += mine is HOLE
    assert agreed > 10
    assert rejected > 100


def mutate(text: str, tokens: list[Any], rng: random.Random) -> str:
    a, b = rng.choice(tokens), rng.choice(tokens)
    match rng.randrange(3):
        case 0:
            return text[: a.start] + text[a.end :]
        case 1:
            return text[: a.start] + b.text + " " + text[a.start :]
        case _:
            return text[: a.start] + b.text + text[a.end :]


def test_tables_are_json_with_the_hash_of_the_grammar() -> None:
    data = json.loads(PATH.read_text(encoding="utf-8"))
    assert data["grammar"] == generate.digest()
    assert len(data["actions"]) == len(data["gotos"]) == len(data["reached_by"])
