"""Literate cases: every program in `tests/cases/*.md` and what `dlc check` says about it.

A case is a heading, a `dlspec` block and a `text` block with the rendered diagnostics (`ok` when there are none), and
maybe a `parameters` block with the paths and shapes of its last model. Before the program may stand other files (their
names behind `dlspec`), after it an `arguments` block with what follows the file on the command line, one a line
(`@name` picks a variant; `--cached` asks for the cached form of the last model, as `dlc export` does). `DLC_WRITE_CASES=1` writes what is said now; read the difference before committing it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlc.compiler.analysis.cached import cached_length
from dlc.compiler.check import check
from dlc.compiler.ir.expand import parameters
from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.messages.render import render

CASES = Path(__file__).resolve().parent.parent / "cases"
CASE = re.compile(
    r"^## (?P<title>.+)\n(?P<prose>(?:(?!^## |^```).*\n)*)"
    r"(?P<files>(?:```dlspec \S+\n(?:(?!^```$).*\n)*```\n\n*)*)"
    r"```dlspec\n(?P<program>[\s\S]*?)^```\n(?:\n*```arguments\n(?P<arguments>[\s\S]*?)^```\n)?"
    r"(?:\n*```text\n(?P<said>[\s\S]*?)^```\n)?(?:\n*```parameters\n(?P<parameters>[\s\S]*?)^```\n)?",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Case:
    file: Path
    title: str
    prose: str
    files: str
    program: str
    arguments: str | None
    said: str
    parameters: str | None

    def answer(self, folder: Path) -> tuple[str, str]:
        for name, text in re.findall(r"^```dlspec (\S+)\n([\s\S]*?)^```$", self.files, re.MULTILINE):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
        return answer(self.program, folder, (self.arguments or "").splitlines())


def read(file: Path) -> list[Case]:
    return [
        Case(file, m["title"], m["prose"], m["files"], m["program"], m["arguments"], m["said"] or "", m["parameters"])
        for m in CASE.finditer(file.read_text("utf-8"))
    ]


def answer(program: str, folder: Path, arguments: Sequence[str] = ()) -> tuple[str, str]:
    path = folder / "case.dlspec"
    path.write_text(program, "utf-8")
    before = Path.cwd()
    os.chdir(folder)
    try:
        variant = next((argument[1:] for argument in arguments if argument.startswith("@")), None)
        checked = check("case.dlspec", [a for a in arguments if not a.startswith("@") and a != "--cached"], variant)
    finally:
        os.chdir(before)
    diagnostics = list(checked.report.diagnostics)
    if "--cached" in arguments and checked.spec is not None:
        try:
            cached_length(checked.spec, checked.spec.models[-1])
        except Failed as failure:
            diagnostics.append(failure.diagnostic)
    said = render(diagnostics, checked.sources, color=False, unicode=True, width=120)
    said = said.replace(str(folder.resolve()), "/project")
    table = ""
    if checked.spec is not None and checked.spec.models:
        model = checked.spec.models[-1]
        table = "".join(f"{e.path} {list(e.shape)}\n" for e in parameters(checked.spec, model))
    return (said.rstrip() + "\n") if said.strip() else "ok\n", table


ALL = [case for file in sorted(CASES.glob("*.md")) for case in read(file)]


@pytest.mark.parametrize("case", ALL, ids=lambda c: f"{c.file.stem}: {c.title}")
def test_case(case: Case, tmp_path: Path) -> None:
    said, table = case.answer(tmp_path)
    assert said == case.said
    if case.parameters is not None:
        assert table == case.parameters


def test_every_heading_is_a_case() -> None:
    headings = sum(len(re.findall(r"^## ", file.read_text("utf-8"), re.MULTILINE)) for file in CASES.glob("*.md"))
    assert len(ALL) == headings > 0


def write() -> None:
    import tempfile

    for file in sorted(CASES.glob("*.md")):
        text = file.read_text("utf-8")
        head = text[: text.index("## ")]
        parts: list[str] = []
        for case in read(file):
            with tempfile.TemporaryDirectory() as folder:
                said, table = case.answer(Path(folder))
            block = f"## {case.title}\n{case.prose}{case.files}```dlspec\n{case.program}```\n\n"
            if case.arguments is not None:
                block += f"```arguments\n{case.arguments}```\n\n"
            block += f"```text\n{said}```\n"
            if case.parameters is not None:
                block += f"\n```parameters\n{table}```\n"
            parts.append(block)
        file.write_text(head + "\n".join(parts), "utf-8")


if __name__ == "__main__" and os.environ.get("DLC_WRITE_CASES"):
    write()
