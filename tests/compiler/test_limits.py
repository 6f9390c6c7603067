"""Limits hold in every form: what is far beyond any real spec ends at once in a coded message, as the work is counted."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.check import Checked, check

SPEC = """dlspec 1

data D {{
  source = npz("a.npz")
  split  = random(train = 0.8, val = 0.2)
  x: f32[8] = source.x
}}

{blocks}
model M(x: [B, 8]) -> (y: [B, 8]) {{
  y = x -> {body}
  {init}
}}

train {{
  model     = M
  data      = D
  loss      = mse(y, x)
  optimizer = Adam(1e-3)
  batch     = 8
  duration  = 10 steps
  {train}
}}
{rest}
"""
STARS, LONG = f'"{"*a" * 40}b"', "a" * 90
DEEP = f'"{".".join(["**"] * 60)}.b"'
#: Blocks of which each uses the next one twice: 2^24 of the last.
TWICE = "\n".join(f"block {{0}}{i}(x: [B, 8]) -> [B, 8] {{{{ x -> {{0}}{i + 1} -> {{0}}{i + 1} }}}}" for i in range(24))


@pytest.fixture
def checked(tmp_path: Path, within: Any) -> Callable[..., Checked]:
    """`checked(**parts)`: a spec with these parts, checked within a second of processor time and 500 MB."""

    def checked(**parts: str) -> Checked:
        path = tmp_path / "m.dlspec"
        given = {"blocks": "", "body": "fc: Linear(8)", "init": "", "train": "", "rest": ""} | parts
        path.write_text(SPEC.format(**given), "utf-8")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with within(1):
            found = check(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB
        return found

    return checked


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"body": f"{LONG}: Linear(8)", "train": f"freeze {STARS}"}, "E0402"),
        ({"body": f"{LONG}: Linear(8)", "train": f"freeze {DEEP}"}, "E0402"),
        ({"body": f"{LONG}: Linear(8)", "init": f"init {STARS} = zeros"}, "E0402"),
        ({"body": f"{LONG}: Linear(8)", "train": f"runtime {{ recompute = [{STARS}] }}"}, "E0402"),
        ({"body": f"{LONG}: Linear(8)", "train": f"group {STARS} {{ lr = base.lr / 3 }}"}, "E0402"),
        ({"rest": f"weights w for M {{ {STARS} <- {STARS} }}"}, "E0402"),
        ({"body": "repeat 1000 { repeat 1000 { relu } } -> fc: Linear(8)"}, "E0316"),
        ({"body": "repeat 100 { repeat 100 { repeat 100 { repeat 100 { relu } } } } -> fc: Linear(8)"}, "E0316"),
        ({"body": "repeat 100000000 { relu } -> fc: Linear(8)"}, "E0316"),
        ({"body": "for i in 0..1000 { for j in 0..1000 { relu } } -> fc: Linear(8)"}, "E0316"),
        (
            {"blocks": TWICE.format("B") + "\nblock B24(x: [B, 8]) -> [B, 8] { x -> fc: Linear(8) }", "body": "B0"},
            "E0316",
        ),
        (
            {
                "blocks": TWICE.format("b") + "\nblock b24(x: [B, 8]) -> [B, 8] { x -> relu }",
                "body": "b0 -> fc: Linear(8)",
            },
            "E0316",
        ),
        ({"body": f"{LONG + LONG}: Linear(8)"}, "E0105"),
        ({"rest": f"block {'B' * 300} = relu"}, "E0105"),
        ({"train": "runtime { workers = 10000 }"}, "E0304"),
    ],
)
def test_it_ends_in_a_message(parts: dict[str, str], code: str, checked: Callable[..., Checked]) -> None:
    found = checked(**parts)
    assert found.report.errors[0].code == code


def test_thousands_of_variants_end_in_a_message(checked: Callable[..., Checked]) -> None:
    """`dlc check` checks each, which takes minutes."""
    variants = [f"variant v{i} {{ train.batch = {i + 1} }}" for i in range(4000)]
    assert checked(rest="\n".join(variants[:1000])).ok
    found = checked(rest="\n".join(variants))
    assert [(one.code, one.message) for one in found.report.diagnostics] == [
        ("E0316", "4,000 variants; a spec has at most 1,000")
    ]
    assert not found.project.variants


def test_equal_turns_are_checked_once(checked: Callable[..., Checked]) -> None:
    assert checked(body=f"for i in [{', '.join(['1'] * 3000)}] {{ relu }} -> fc: Linear(8)").ok
    assert checked(body="for i in [1, 1, true] { Linear(8) -> if i == 1 { relu } }").ok is False
