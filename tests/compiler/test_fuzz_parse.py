"""Damaged specs: diagnostics in words, never a traceback, never a long wait; what still reads is formatted and printed."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.messages.render import render
from dlc.compiler.messages.source import Source
from dlc.compiler.text.layout import format_file
from dlc.compiler.text.parse import parse, parse_setting
from dlc.compiler.text.printer import print_file
from dlc.grammar.scanner import Token, scan
from dlc.grammar.tables import load

pytestmark = pytest.mark.usefixtures("small_heap")

SPECS = [p.read_text(encoding="utf-8") for p in sorted((Path(__file__).parent.parent / "language").glob("*/*.dlspec"))]
LONGEST = 1.0  # seconds of computing for one spec
PIECES = [
    *load().symbols, *load().words, *load().soft, ";", "\n", "\n\n", "#", '"', "'", "\\", "\x00", "\x1b[2J", "\ufeff", "é", "日",
    "1e999", "99999999999999999999", "_", "0", "1.5M", "\r", "\t", "((((", "}}}}", "{{{{", "[[[[", "...", "$", "self.x", "def f():",
]  # fmt: skip


def damage(text: str, rng: random.Random) -> str:
    tokens = [t for t in scan(text, load())[0] if t.text]
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        token: Token = rng.choice(tokens)
        start, end = min(token.start, len(text)), min(token.end, len(text))
        match rng.randrange(9):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:start] + rng.choice(PIECES) + text[start:]
            case 2:
                text = text[:start] + rng.choice(PIECES) + text[end:]
            case 3:
                other = rng.choice(tokens)
                text = text[:start] + text[other.start : other.end] + text[end:]
            case 4:
                at = rng.randrange(len(text) + 1)
                text = text[:at] + chr(rng.choice([rng.randrange(128), rng.randrange(0x3000)])) + text[at:]
            case 5:
                text = text[: rng.randrange(len(text) + 1)]
            case 6:
                a, b = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
                text = text[:a] + text[b:] if b - a < 200 else text[:a] + text[a : a + 200] * 2 + text[a:]
            case 7:
                lines = text.split("\n")
                rng.shuffle(lines) if rng.random() < 0.1 else lines.insert(rng.randrange(len(lines)), rng.choice(lines))
                text = "\n".join(lines)
            case _:
                text = text.replace(token.text, rng.choice(PIECES), 1) if token.text else text
    return text


def test_damaged_specs(sizes: Any, slowness: Any) -> None:
    rng = random.Random(sizes.cases)
    read = 0
    for _ in range(sizes.cases // 2):
        text = damage(rng.choice(SPECS), rng)
        source = Source("x", text)
        start = time.process_time()
        file, diagnostics = parse(source)
        taken = time.process_time() - start
        assert taken < LONGEST or taken < LONGEST * slowness(), text
        assert (file is None) == bool(diagnostics)
        for d in diagnostics:
            assert 0 <= d.span.start <= d.span.end <= len(text), (d, text)
            assert d.code.startswith("E01")
            assert d.message
            assert not d.message.startswith("unexpected __")
        if diagnostics:
            assert render(diagnostics, {"x": source}, unicode=False, color=True).isascii()
        if file is not None:
            read += 1
            formatted = format_file(file, source)
            again, _ = parse(Source("x", formatted))
            assert again is not None, text
            assert format_file(again, Source("x", formatted)) == formatted, text
            if read % 10 == 0:
                print_file(file)
    assert read > sizes.cases // 40


def test_damaged_settings(sizes: Any) -> None:
    rng = random.Random(sizes.cases)
    for _ in range(sizes.cases // 4):
        text = "".join(
            rng.choice([*PIECES, "train", ".", "batch", "=", "=", "3", " "]) for _ in range(rng.randrange(12))
        )
        setting, diagnostics = parse_setting(Source("x", text))
        assert (setting is None) == bool(diagnostics), text
