"""Pages lead somewhere: links of README and docs exist, and the screenshots show what the program says today."""

from __future__ import annotations

import ast
import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlc.docs.screenshots import SHOTS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as they are made on the web."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}#{anchor}"


def statements(source: str) -> dict[str, tuple[list[str], list[str]]]:
    """Bases and fields of each class of a source."""
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    return {
        node.name: (
            [ast.unparse(base) for base in node.bases],
            [
                ast.unparse(part.target if isinstance(part, ast.AnnAssign) else part.targets[0])
                for part in node.body
                if isinstance(part, ast.AnnAssign | ast.Assign)
            ],
        )
        for node in classes
    }


def test_entries_that_a_page_shows_are_those_of_the_catalogue() -> None:
    """Who starts from an example of docs/extending.md has its base and its facts."""
    page = (ROOT / "docs" / "extending.md").read_text("utf-8")
    shown = statements("\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)))
    sources = [file.read_text("utf-8") for file in (ROOT / "compiler" / "catalogue").rglob("*.py")]
    assert shown
    for name, entry in shown.items():
        assert entry in [statements(source)[name] for source in sources if f"\nclass {name}(" in source], name


def test_every_page_is_reached_from_the_readme() -> None:
    linked = {target for target, _ in LINK.findall((ROOT / "README.md").read_text("utf-8"))}
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= linked


def test_the_map_of_the_code_has_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = [
        room.parent for floor in ("compiler", "runtime", "backends") for room in (ROOT / floor).glob("*/__init__.py")
    ]
    assert [
        f"{room.parent.name}/{room.name}/" for room in rooms if f"`{room.parent.name}/{room.name}/`" not in page
    ] == []


def test_the_screenshot_of_a_mistake_shows_what_is_said_today(tmp_path: Path) -> None:
    """`python -m dlc.docs.screenshots` takes it again."""
    prepare, command, _ = SHOTS["check"]
    dlc = f"{sys.executable} -m dlc"
    subprocess.run(prepare.replace("dlc new", f"{dlc} new"), shell=True, cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(
        command.replace("dlc check", f"{dlc} check"),
        shell=True,
        cwd=tmp_path,
        check=False,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "108", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 2
    image = (ROOT / "docs" / "images" / "check.svg").read_text("utf-8")
    shown = html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", "", image, flags=re.DOTALL)).replace("\xa0", " ")
    words = re.sub(r"\s+", "", shown)
    for line in (done.stdout + done.stderr).splitlines():
        assert re.sub(r"\s+", "", line) in words, line
