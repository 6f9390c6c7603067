"""Damaged specs through the whole check: diagnostics, never a traceback, never a long wait, never much memory.

Two kinds of damage: to the text (bytes and tokens, as in test_fuzz_parse.py), and to the tree: arguments and statements
are swapped, deleted and doubled, names and numbers replaced, so that what comes out mostly parses and goes deep.
"""

from __future__ import annotations

import random
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.analysis.verify import verify
from dlc.compiler.catalogue.ops import names as operator_names
from dlc.compiler.check import check
from dlc.compiler.messages.render import render
from dlc.compiler.messages.source import Source
from dlc.compiler.text import syntax, top_level
from dlc.compiler.text.node import Node
from dlc.compiler.text.parse import parse
from dlc.grammar.scanner import scan
from dlc.grammar.tables import load

pytestmark = pytest.mark.usefixtures("small_heap")

LANGUAGE = Path(__file__).parent.parent / "language"
LONGEST = 1.0  # seconds of computing for one spec
LARGEST = 500  # MB more than before the first
PIECES = [
    *load().symbols, *load().words, *load().soft, ";", "\n", "#", '"', "'", "\\", "\x00", "é", "_", "0", "1e999", "none",
    "99999999999999999999", "((((", "}}}}", "{{{{", "...", "self.x",
]  # fmt: skip
NUMBERS = [
    "0", "1", "2", "-1", "0.5", "-0.0", "1e308", "1e-308", "100k", "1.5M", "9223372036854775807", "10 ** 12", "2 ** 62",
    "1 / 3", "(1 - 1)", "7", "10 epochs", "3 steps", "0 epochs", "true", "none", '"x"', "[]", "[1, 2]", "(1, 2)", "0..3",
    "0..100000", "pi", "B", "T", "_", "...", "training",
]  # fmt: skip


class Parts:
    """The places of a parsed spec, by what stands there."""

    def __init__(self, text: str) -> None:
        file, _ = parse(Source("x", text))
        assert file is not None
        self.expressions: list[tuple[int, int]] = []
        self.numbers: list[tuple[int, int]] = []
        self.names: list[tuple[int, int]] = []
        self.lines: list[tuple[int, int]] = []  # statements, keys, stages, declarations, items
        for node in walk(file):
            span = getattr(node, "span", None)
            if span is None or span.end <= span.start:
                continue
            place = (span.start, span.end)
            if isinstance(node, (syntax.Number, syntax.Quantity)):
                self.numbers.append(place)
            if isinstance(node, (syntax.Ref, syntax.Name)):
                self.names.append(place)
            if isinstance(node, syntax.Pipe):
                self.expressions.append(place)
            elif not isinstance(node, (syntax.Name, top_level.File)):
                self.lines.append(place)


def walk(node: Any) -> Iterator[Node]:
    if isinstance(node, Node):
        yield node
        for name in node.__match_args__:
            yield from walk(getattr(node, name))
    elif isinstance(node, tuple) and not hasattr(node, "_fields"):
        for item in node:
            yield from walk(item)


def damage_tree(text: str, parts: Parts, names: list[str], rng: random.Random) -> str:
    """A few changes at places of the tree, from the last to the first so that places stay right."""
    changes: list[tuple[int, int, str]] = []
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        kind = rng.randrange(9)
        if kind == 0:  # swap
            pool = rng.choice([parts.expressions, parts.lines, parts.names])
            (a, b), (c, d) = rng.choice(pool), rng.choice(pool)
            changes += [(a, b, text[c:d]), (c, d, text[a:b])]
        elif kind == 1:  # delete
            changes.append((*rng.choice(parts.lines), ""))
        elif kind == 2:  # double
            a, b = rng.choice(parts.lines)
            changes.append((b, b, rng.choice(["\n", ", ", " -> ", "; "]) + text[a:b]))
        elif kind == 3:
            changes.append((*rng.choice(parts.numbers), rng.choice(NUMBERS)))
        elif kind == 4:
            changes.append((*rng.choice(parts.names), rng.choice(names)))
        elif kind == 5:
            a, b = rng.choice(parts.names)
            changes.append((a, b, text[slice(*rng.choice(parts.names))]))
        elif kind == 6:
            changes.append((*rng.choice(parts.expressions), rng.choice(NUMBERS)))
        elif kind == 7:
            a, b = rng.choice(parts.expressions)
            shapes = ["({0})", "-{0}", "[{0}]", "({0}, {0})", "{0}.T", "{0}[0]", "{0}[:, none]", "{0} + {0}", "{0} // 0", "{0} % 2 == 0",
                      "if training {{ {0} }} else {{ {0} }}", "repeat 3 {{ {0} }}", "{0} ** 2", "{0}.x", "{0}(1)", "{0} -> relu",
                      "{0} -> Linear(3)", "({0}) -> {0}", "x: {0}", "f = {0}", "for i in {0} {{ relu }}"]  # fmt: skip
            changes.append((a, b, rng.choice(shapes).format(text[a:b])))
        else:
            a, b = rng.choice(parts.expressions)
            changes.append((a, b, text[slice(*rng.choice(parts.expressions))]))
    last = len(text) + 1
    for start, end, new in sorted(changes, reverse=True):
        if end <= last:
            text = text[:start] + new + text[end:]
            last = start
    return text


def damage_text(text: str, rng: random.Random) -> str:
    tokens = [token for token in scan(text, load())[0] if token.text]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        token = rng.choice(tokens)
        start, end = min(token.start, len(text)), min(token.end, len(text))
        match rng.randrange(5):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:start] + rng.choice(PIECES) + text[start:]
            case 2:
                text = text[:start] + rng.choice(PIECES) + text[end:]
            case 3:
                other = rng.choice(tokens)
                text = text[:start] + text[other.start : other.end] + text[end:]
            case _:
                at = rng.randrange(len(text) + 1)
                text = text[:at] + chr(rng.choice([rng.randrange(128), rng.randrange(0x3000)])) + text[at:]
    return text


def cases(folder: Path, count: int, seed: int) -> Iterator[tuple[Path, str]]:
    """Damaged specs, each with the path where its imports are found."""
    shutil.copytree(LANGUAGE, folder / "language")
    paths = sorted((folder / "language").glob("*/*.dlspec"))
    texts = {path: path.read_text("utf-8") for path in paths}
    parts = {path: Parts(text) for path, text in texts.items()}
    rng = random.Random(seed)
    for _ in range(count):
        path = rng.choice(paths)
        text = texts[path]
        names = [*operator_names(), *(text[a:b] for a, b in parts[path].names)]
        if rng.random() < 0.75:
            text = damage_tree(text, parts[path], names, rng)
        if rng.random() < 0.3:
            text = damage_text(text, rng)
        target = path.with_name("damaged.dlspec")
        target.write_text(text, "utf-8", errors="replace")
        yield target, text


def test_damaged_specs(sizes: Any, slowness: Any, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sound = rendered = 0
    for path, text in cases(tmp_path, sizes.cases, sizes.cases):
        start = time.process_time()
        checked = check(path)
        taken = time.process_time() - start
        assert taken < LONGEST or taken < LONGEST * slowness(), f"{taken:.1f} s\n{text}"
        assert checked.ok == (checked.spec is not None), text
        if checked.spec is not None:
            assert verify(checked.spec) == [], text
        for diagnostic in checked.report.diagnostics:
            size = len(checked.sources[diagnostic.span.file].text) if diagnostic.span.file in checked.sources else 0
            assert 0 <= diagnostic.span.start <= diagnostic.span.end <= size, (diagnostic, text)
            assert diagnostic.message
        if checked.report.diagnostics:
            rendered += 1
            assert render(checked.report.diagnostics, checked.sources, color=False, unicode=False, width=100).isascii()
        sound += checked.ok
    assert sound > sizes.cases // 100
    assert rendered > sizes.cases // 2
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (
        1024 if sys.platform != "darwin" else 1 << 20
    )
    assert grown < LARGEST
