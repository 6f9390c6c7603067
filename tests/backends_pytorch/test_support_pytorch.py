"""Supporting functions of a generated file have the options that the file uses, and no others."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from dlc.backends.pytorch.recipe import recipe_source
from dlc.backends.pytorch.support import SOURCES, source, support
from dlc.compiler.ir.model import Spec

LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
CLASSES, SHARES = torch.tensor([0, 1, 2, 3, 0, 1]), LOGITS.sigmoid().round()


def made(name: str, *calls: str) -> Callable[..., torch.Tensor]:
    text = source(name, name, [f"x = {support(name)}(a, b, {call}) + f(c)" for call in calls])
    names: dict[str, Any] = {"torch": torch, "F": functional, "Tensor": torch.Tensor}
    exec(text, names)
    return names[name]


@pytest.mark.parametrize(
    ("calls", "parameters"),
    [
        (("",), ["logits", "target"]),
        (("gamma=3.0",), ["logits", "target", "gamma"]),
        (("reduction=reduction, alpha=0.25",), ["logits", "target", "alpha", "reduction"]),
        (("gamma=3.0, alpha=0.25", "alpha=0.5"), ["logits", "target", "alpha", "gamma=2.0"]),
    ],
)
def test_options_that_no_call_gives_are_left_out(calls: tuple[str, ...], parameters: list[str]) -> None:
    shown = [str(p).partition(":")[0] + (f"={p.default}" if p.default is not p.empty else "")
             for p in signature(made("focal_loss", *calls)).parameters.values()]  # fmt: skip
    assert shown == parameters


@pytest.mark.parametrize("target", [CLASSES, SHARES])
def test_a_default_in_the_place_of_an_option_gives_the_same_bits(target: torch.Tensor) -> None:
    name = "binary_focal_loss" if target.is_floating_point() else "focal_loss"
    full = made(name, "gamma=2.0, alpha=0.25, reduction=r", "")
    cases: list[dict[str, Any]] = [
        {},
        {"gamma": 2.0},
        {"alpha": 0.25},
        {"alpha": 0.25, "reduction": "sum"},
        {"reduction": "mean"},
    ]
    for given in cases:
        short = made(name, ", ".join(f"{option}={value!r}" for option, value in given.items()))
        assert torch.equal(short(LOGITS, target, **given), full(LOGITS, target, **given))


def test_of_a_loss_with_class_weights_and_one_without() -> None:
    both = made("counted_cross_entropy", "ignore_index=1", "weight=w")
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0])
    given: list[dict[str, Any]] = [{"ignore_index": 1}, {"weight": weight}]
    for options in given:
        theirs = functional.cross_entropy(LOGITS, CLASSES, **options)
        torch.testing.assert_close(both(LOGITS, CLASSES, **options), theirs)


def test_no_condition_of_a_line_is_left(example: Callable[[str], Spec]) -> None:
    for name in SOURCES:
        text = source(name, name)
        assert "#if" not in text and max(map(len, text.splitlines())) <= 88
        compile(text, name, "exec")
    for path in sorted((Path(__file__).resolve().parent.parent.parent / "specs").glob("*.dlspec")):
        spec = example(f"specs/{path.name}")
        assert all("#if" not in recipe_source(spec, train) for train in (spec.recipe.trains if spec.recipe else ()))


def test_a_factor_of_one_is_not_written(written: Callable[..., tuple[Spec, str]]) -> None:
    _, text = written("""
model M(x: [B, 8]) -> (y: [B, 8]) { y = 1.0 * (x / 1 - 0.0) ** 1 + 0.0 }
""")
    assert "return x + 0.0" in text
