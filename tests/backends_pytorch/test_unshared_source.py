"""Classes that bodies share, with arguments and expressions, run what a class for each body runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlc.backends.pytorch.module import module_source
from dlc.compiler.ir.model import Spec
from dlc.tests.programs_run import differences, unshared_source
from dlc.tests.sizes import thinned

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("specs", "tests/language", "tests/runtime/foreign", "tests/backends_pytorch")
PATHS = [str(path.relative_to(ROOT)) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.dlspec"))]


def compared(spec: Spec) -> None:
    for model in spec.models:
        sources = [
            unshared_source(spec, model),
            module_source(spec, model, resizable=False),
            module_source(spec, model),
        ]
        found = differences(spec, model, sources)
        assert found == [], f"{model.name}: {found}"


@pytest.mark.parametrize("path", thinned(PATHS, 16))
def test_a_file_of_the_repository(path: str, example: Callable[[str], Spec]) -> None:
    compared(example(path))


#: What one of two uses of a block lacks.
OPTIONAL = {
    "layer": "short: Linear(width)",
    "group": "short: { Linear(width) -> LayerNorm }",
    "block": "short: Norm(width)",
    "block with a function": "short: Norm(width) -> relu",
    "block of no weights": "Twice",
    "loop": "short: repeat 2 { Norm(width) }",
    "two parts": "short: Norm(width) -> more: Linear(width)",
    "number": "dropout(width / 64)",
}


@pytest.mark.parametrize("part", OPTIONAL.values(), ids=OPTIONAL)
def test_a_part_that_one_use_lacks(part: str, written: Callable[..., tuple[Spec, str]]) -> None:
    spec, _ = written(
        "block Norm(width)(x: [B, D]) -> [B, width] { x -> Linear(width) -> LayerNorm }\n"
        "block Twice(x: [B, D]) -> [B, D] { x + x }\n"
        "block Unit(width)(x: [B, D]) -> [B, width] {\n"
        f"  shortcut = x -> if D != width {{ {part} }}\n"
        "  h = x -> first: Linear(width) -> relu -> last: Norm(width)\n"
        "  h * mean(shortcut)\n"
        "}\n"
        "model M(x: [B, 8]) -> (y: [B, 32]) { y = x -> a: Unit(16) -> b: Unit(16) -> c: Unit(32) -> d: Unit(32) }"
    )
    compared(spec)


#: Loops after another layer.
LOOPS = {
    "layers": "rest: repeat count { Linear(width) }",
    "blocks": "rest: repeat count { Scale(f) }",
    "by number": "rest: for i in 0..count { Scale(f * i) }",
    "elements": "rest: repeat count { { norm: LayerNorm -> fc: Linear(width) -> relu } }",
    "stages of a group": "rest: { Linear(width) -> repeat count { Linear(width) -> tanh } }",
    "functions": "repeat count { tanh }",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_loop_without_turns_in_one_use(loop: str, written: Callable[..., tuple[Spec, str]]) -> None:
    spec, source = written(
        "block Scale(f: float)(x: [B, D]) -> [B, D] { x + f * (x -> fc: Linear(D) -> relu) }\n"
        "block Stack(width: int, count: int, f: float)(x: [B, C]) -> [B, width] {\n"
        f"  x -> first: Linear(width) -> {loop} -> last: LayerNorm\n}}\n"
        "model M(x: [B, 4]) -> (y: [B, 8]) {\n"
        "  y = x -> a: Stack(6, 0, 0.5) -> b: Stack(8, 2, 0.25) -> c: Stack(8, 3, 0.5)\n}"
    )
    assert source.count("class Stack") == 1
    compared(spec)


@pytest.mark.parametrize(
    "number",
    ["n / 8", "n / 8 / 2", "(n + 1) / 16", "1 / n", "min(n / 8, 0.9)", "n * 1.0 / 8", "n / 8 + 1 / 16", "n // 8 + 0.5",
     "sqrt(n / 8) / 2", "floor(n / 3) / 8", "n / 2 * 0.125", "n % 3 / 4", "-n / -8", "(n / 8) ** 2", "n ** 2 / 64"],
)  # fmt: skip
def test_a_number_that_follows_from_a_static(number: str, written: Callable[..., tuple[Spec, str]]) -> None:
    spec, _ = written(
        f"block Unit(n)(x: [B, D]) -> [B, D] {{ x -> Linear(D) -> dropout({number}) -> Linear(n) -> Linear(D) }}\n"
        "model M(x: [B, 8]) -> (y: [B, 8]) { y = x -> a: Unit(2) -> b: Unit(3) -> c: Unit(4) }"
    )
    compared(spec)
