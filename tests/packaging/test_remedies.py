"""Every failure that a user meets names a way out: what ends a command cannot be written without `helps`.

The type `Helps` refuses an empty tuple where the type checker looks; here every place is found, whatever is looked at.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlc.runtime.failure import Interrupted, RunFailure, RunWarning

ROOT = Path(__file__).resolve().parents[2]
#: What reports a mistake without being one of the exceptions, and the position of its remedies (None: by name only).
FUNCTIONS = {
    "Diagnostic": 6,
    "_fail": None,
    "complain": 1,
    "Misused": 1,
    "Unreadable": 2,
    "damaged": 2,
    "RunWarning": None,
}
#: `damaged` has a remedy by default: the other checkpoint of the run.
DEFAULT = ("damaged",)


def failures() -> set[str]:
    """The names of RunFailure and everything below it."""
    found: list[type[RunFailure]] = [RunFailure]
    for known in found:
        found += known.__subclasses__()
    return {known.__name__ for known in found if known.__init__ is RunFailure.__init__}


def remedies(call: ast.Call, position: int | None) -> ast.expr | None:
    """What a call gives as remedies."""
    for keyword in call.keywords:
        if keyword.arg in ("helps", "help"):
            return keyword.value
    if position is not None and len(call.args) > position:
        return call.args[position]
    return None


def places(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Calls that report a mistake and give no remedy: (line, what is called)."""
    known: dict[str, int | None] = {**dict.fromkeys(failures()), **FUNCTIONS}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = (
            node.func.id
            if isinstance(node.func, ast.Name)
            else node.func.attr
            if isinstance(node.func, ast.Attribute)
            else ""
        )
        if name not in known or name in DEFAULT:
            continue
        given = remedies(node, known[name])
        if given is None or (isinstance(given, ast.Tuple) and not given.elts) or _empty(given):
            yield node.lineno, name


def _empty(given: ast.expr) -> bool:
    return isinstance(given, ast.Constant) and not given.value


@pytest.mark.parametrize("room", ["runtime", "cli"])
def test_every_failure_has_a_remedy(room: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: `{name}` without a remedy"
        for file in sorted((ROOT / room).rglob("*.py"))
        for line, name in places(ast.parse(file.read_text("utf-8")))
    ]
    assert not found, "\n".join(["", *found])


def test_what_is_found() -> None:
    wrong = 'BadInput("a")\nInUse("a", helps=())\n_fail("E0412", "a", span)\ncomplain("a")\nDiagnostic("E0501", "a", span)\n'
    right = 'BadInput("a", helps=("b",))\ncomplain("a", ("b",))\nUnreadable(path, "a", help)\nother("a")\n'
    assert [line for line, _ in places(ast.parse(wrong))] == [1, 2, 3, 4, 5]
    assert not list(places(ast.parse(right)))


def test_the_classes_ask_for_one() -> None:
    """Interrupted is not a mistake, and has its own: `--resume`."""
    for known in (RunFailure, RunWarning):
        with pytest.raises(TypeError, match="helps"):
            known("a") if known is RunFailure else known("W0409", "a")  # pyright: ignore[reportCallIssue]
    assert Interrupted(2, Path("runs/1")).helps
