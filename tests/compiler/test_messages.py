"""Every message has a program that gets it: a literate case, the register's wrong program, or a call below."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import dlc.compiler.messages
from dlc.compiler.check import check
from dlc.compiler.messages import export, resolve, statics, training
from dlc.compiler.messages.diagnostics import Diagnostic
from dlc.compiler.messages.register import REGISTER
from dlc.compiler.messages.render import render
from dlc.compiler.messages.source import Source, Span
from dlc.compiler.messages.statics import StaticError


def cases() -> list[Any]:
    """What test_cases.py reads; test files are no package to import from."""
    spec = importlib.util.spec_from_file_location("literate_cases", Path(__file__).with_name("test_cases.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ALL


SOURCE = Source("a.dlspec", "model M(x: [B, 8])\n")
AT, OTHER = Span("a.dlspec", 6, 7), Span("a.dlspec", 8, 9)
SAID_AT_BUILD: dict[str, tuple[Callable[[], Diagnostic | StaticError], str]] = {
    "export.inexpressible": (
        lambda: export.inexpressible("avg_pool", "ONNX", "7 does not divide 32", AT, "pool to a divisor"),
        "error[E0501]: `avg_pool` cannot be expressed in ONNX: 7 does not divide 32; help: pool to a divisor",
    ),
    "export.no_lowering": (
        lambda: export.no_lowering("scan", "ONNX", AT),
        "error[E0501]: `scan` is not supported by ONNX: no lowering",
    ),
    "export.quantized_half": (
        lambda: export.quantized_half("f16", AT),
        (
            'error[E0501]: `quantize` cannot be expressed in ONNX with `precision = "f16"`: quantized '
            'weights are multiplied in f32; help: set `precision = "f32"`, or remove `quantize`'
        ),
    ),
    "export.nothing_to_quantize": (
        lambda: export.nothing_to_quantize(1024, AT),
        (
            "error[E0501]: `quantize` has nothing to do: no `Linear` is large enough: only those with 1,024 "
            "weights or more are quantized; help: remove `quantize`"
        ),
    ),
    "export.random_in_export": (
        lambda: export.random_in_export("randn", "y", AT),
        (
            "error[E0502]: an exported output of `y` depends on random numbers: `randn` draws them; help: "
            "draw only in training, `if training { .. } else { .. }`, or export another output"
        ),
    ),
    "export.input_not_listed": (
        lambda: export.input_not_listed("y", "mask", ("x",), AT, OTHER),
        (
            "error[E0504]: the output `y` needs the input `mask`, which is not listed; needs `mask`; note: the inputs of this "
            "export are `x`; help: add `mask` to `inputs`"
        ),
    ),
    "export.no_such_tap": (
        lambda: export.no_such_tap("lgits", "M", ("x", "logits"), "logits", AT),
        "error[E0301]: `M` has no input, output or binding `lgits`: not found; help: did you mean `logits`?",
    ),
    "export.dimension_without_input": (
        lambda: export.dimension_without_input("T", ("x",), AT),
        (
            "error[E0308]: no listed input has the size `T`; note: the inputs of this export are `x`; help: "
            "list an input with an axis `T`, or fix its size: `fix { T = .. }`"
        ),
    ),
    "training.vocabulary": (
        lambda: training.vocabulary(AT, "tokens", 65, 50, OTHER),
        (
            "error[E0205]: `tokens` has ids up to 64, but the embedding has 50 rows: 50 rows; `tokens`; "
            "help: give it at least 65 rows"
        ),
    ),
    "resolve.import_depth": (
        lambda: resolve.import_depth(AT, 50),
        "error[E0315]: imports are nested more than 50 deep",
    ),
    "resolve.too_many_of_a_name": (
        lambda: resolve.too_many_of_a_name(AT, "Block"),
        (
            "error[E0311]: too many blocks named `Block` to write into one file: one of them; help: label "
            "their uses, `name: Block(..)`, so that parameter names do not depend on the block's name"
        ),
    ),
    "resolve.too_deep": (
        lambda: resolve.too_deep(AT),
        "error[E0105]: nesting over 100: too deep; help: bind a part of it to a name",
    ),
    "statics.unknown_function": (
        lambda: statics.unknown_function("relu"),
        "error[E0301]: `relu` is not a function of numbers",
    ),
}


def line(found: Diagnostic | StaticError) -> str:
    parts = [f"error[{found.code}]: {found.message}" + (f": {found.label}" if found.label else "")]
    if isinstance(found, Diagnostic):
        assert found.message.splitlines()[0] in render([found], {"a.dlspec": SOURCE}, width=200)
        parts += [label.text for label in found.labels] + [f"note: {note}" for note in found.notes]
    return "; ".join([*parts, *(f"help: {help}" for help in found.helps)])


@pytest.mark.parametrize("name", SAID_AT_BUILD)
def test_said_at_build(name: str) -> None:
    make, text = SAID_AT_BUILD[name]
    assert line(make()) == text


NO_THEMES = ("__main__", "diagnostics", "explanation", "names", "programs", "register", "render", "source", "wording")


def messages() -> dict[str, FunctionType]:
    """The public functions of compiler/messages by `module.name`."""
    found: dict[str, FunctionType] = {}
    for info in pkgutil.iter_modules(dlc.compiler.messages.__path__):
        if info.name in NO_THEMES:
            continue
        module = importlib.import_module(f"dlc.compiler.messages.{info.name}")
        for name, value in vars(module).items():
            own = isinstance(value, FunctionType) and value.__module__ == module.__name__
            if own and not name.startswith("_") and name != "explanations":
                found[f"{info.name}.{name}"] = value
    return found


def test_every_message_has_a_program(tmp_path: Path) -> None:
    codes = {function.__code__: name for name, function in messages().items()}
    said: set[str] = set()

    def record(frame: Any, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code in codes:
            said.add(codes[frame.f_code])

    before = sys.getprofile()
    sys.setprofile(record)
    try:
        for case in cases():
            case.answer(tmp_path)
        for entry in REGISTER.values():
            if entry.wrong:
                (tmp_path / "wrong.dlspec").write_text(entry.wrong, "utf-8")
                check(tmp_path / "wrong.dlspec")
    finally:
        sys.setprofile(before)
    assert set(codes.values()) - said - set(SAID_AT_BUILD) == set()
    assert said & set(SAID_AT_BUILD) == set(), "a program says it: it needs no call here"
