"""What README and docs say is true: their commands run, their figures were measured."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: A measured quantity in prose or a table; `<!-- figure: NAME -->` behind it says where it was recorded.
QUANTITY = re.compile(
    r"(?<![\w.])(\d[\d,]*(?:\.\d+)?) ?(%|s|ms|µs|us|min|kB|MB|GB|KiB|MiB|GiB|x|×|nats?|tokens/s)(?!\w)"
)
FIGURE = re.compile(r"\s*<!-- figure: ([a-z0-9_.]+) -->")


def console_blocks(text: str) -> list[str]:
    return [body for language, body in FENCE.findall(text) if language == "console"]


def steps(block: str) -> list[tuple[str, str]]:
    """(command, what it prints) of a block whose commands stand behind `$ `."""
    found: list[tuple[str, str]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            assert found, f"a block must begin with a command: {line!r}"
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def blurred(line: str) -> str:
    """A line without what differs between machines: decimals, column widths, times."""
    line = re.sub(r"\d+(\.\d+)?(e[-+]?\d+)? ?(s|ms|min)\b|\d+\.\d+(e[-+]?\d+)?|\d+e-\d+", "#", line)
    return re.sub(r"\s+", " ", line).strip()


def prose(text: str) -> str:
    """The text without fenced blocks and inline code, which are no claims."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def test_the_two_commands_come_first() -> None:
    first = console_blocks((ROOT / "README.md").read_text("utf-8"))[:2]
    assert [steps(block)[0][0] for block in first] == ["make demo", "make test"]


def test_readme_commands(tmp_path: Path) -> None:
    """Runs every command of the README's console blocks, `make` apart, in one empty directory and compares."""
    tried = 0
    for block in console_blocks((ROOT / "README.md").read_text("utf-8")):
        if block.startswith("$ make"):
            continue
        for command, expected in steps(block):
            compare(command, expected, tmp_path)
            tried += 1
    assert tried >= 8


@pytest.mark.long
def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """What `make demo` runs when the environment is there."""
    _, _, shown = console_blocks((ROOT / "README.md").read_text("utf-8"))[0].partition("\n")
    expected = "\n".join(line for line in shown.splitlines() if not line.startswith("install"))
    compare(f"bash {ROOT / 'benchmarks' / 'demo.sh'}", expected, tmp_path)


def compare(command: str, expected: str, directory: Path) -> None:
    """Runs a command; each expected line (but `...`) is among those that it prints, decimals aside."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=directory,
        env=os.environ | {"PATH": path, "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    printed = [blurred(line) for line in done.stdout.splitlines()]
    for line in filter(None, map(blurred, expected.splitlines())):
        if line != "...":
            assert line in printed, f"`{command}` does not print\n  {line}\nbut\n{done.stdout}"


def test_the_spec_that_is_shown_is_the_one_that_ships() -> None:
    (shown,) = [
        body for language, body in FENCE.findall((ROOT / "README.md").read_text("utf-8")) if language == "dlspec"
    ]
    assert shown == (ROOT / "specs" / "digits_mlp.dlspec").read_text("utf-8")


def test_the_table_of_specs_has_all_of_them_once() -> None:
    section = (ROOT / "README.md").read_text("utf-8").partition("\n## What ships\n")[2].partition("\n## ")[0]
    named = re.findall(r"`([a-z0-9_]+)`", "".join(line for line in section.splitlines() if line.startswith("| ")))
    assert sorted(named) == sorted(path.stem for path in (ROOT / "specs").glob("*.dlspec"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_figure_was_measured(document: Path) -> None:
    """A quantity in README or docs names the figure of benchmarks/results/full.json that it quotes."""
    results = ROOT / "benchmarks" / "results" / "full.json"
    figures = json.loads(results.read_text("utf-8"))["figures"] if results.exists() else {}
    text = prose(document.read_text("utf-8"))
    for quantity in QUANTITY.finditer(text):
        marked = FIGURE.match(text, quantity.end())
        assert marked, f"{quantity.group()!r} names no figure: put `<!-- figure: NAME -->` behind it"
        name = marked.group(1)
        assert name in figures, f"{quantity.group()!r}: {name} is not in benchmarks/results/full.json"
        quoted = quantity.group(1).replace(",", "")
        digits = len(quoted.partition(".")[2])
        assert f"{figures[name]['value']:.{digits}f}" == quoted, f"{name} is {figures[name]['value']}, not {quoted}"
        assert figures[name]["unit"] == quantity.group(2)


def test_the_figure_check_sees_figures() -> None:
    """The guard above would be worth nothing if it saw no quantities."""
    seen = [m.group() for m in QUANTITY.finditer(prose("It takes 0.2 s, 97.5 % at 1,024 MB; `5 s` and v1.2 no."))]
    assert seen == ["0.2 s", "97.5 %", "1,024 MB"]


PAGES = [path for path in DOCUMENTS if path.parent.name == "docs" and console_blocks(path.read_text("utf-8"))]


@pytest.mark.long
@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_commands_of_the_pages(document: Path, tmp_path: Path) -> None:
    """Runs every command of a page's console blocks in one empty directory and compares."""
    for block in console_blocks(document.read_text("utf-8")):
        for command, expected in steps(block):
            compare(command, expected, tmp_path)
