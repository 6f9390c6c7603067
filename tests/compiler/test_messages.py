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
from dlc.compiler.messages import batches, data, export, files, idle, positions, resolve, statics, training
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
    "idle.all_batches": (
        lambda: idle.all_batches(AT, 4, 600, 256),
        (
            "error[W0415]: `batches = 4` has no effect: all of the validation split is 3 batches: covers the whole split; "
            "note: the split has 600 records, and evaluation takes 256 at a time; help: remove `batches`, or write fewer than 3"
        ),
    ),
    "idle.fewer_than_batch": (
        lambda: idle.fewer_than_batch(AT, 96, 80),
        (
            "error[W0407]: the train split has 80 records, fewer than `batch = 96`: each step uses all of them; "
            "help: write `batch = 80`, which trains the same, or fewer for several steps an epoch"
        ),
    ),
    "resolve.too_many_variants": (
        lambda: resolve.too_many_variants(AT, 4000, 1000),
        (
            "error[E0316]: 4,000 variants; a spec has at most 1,000: too many; "
            "help: give the values on the command line, `train.batch=32,64`, or name them in a `search` section"
        ),
    ),
    "export.no_lowering": (
        lambda: export.no_lowering("scan", "ONNX", AT),
        (
            "error[E0501]: `scan` is not supported by ONNX: no lowering; "
            "help: export a part of the model without it: `inputs` and `outputs` of the section cut the model"
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
    "training.balance_uncounted": (
        lambda: training.balance_uncounted(AT),
        (
            'error[E0412]: `weight = "balanced"` counts the classes of the train split, and the data is not here: not counted; '
            "help: put the data where `source` looks for it, or list the weights: `weight = [1.0, 2.5]`"
        ),
    ),
    "training.not_yes_and_no": (
        lambda: training.not_yes_and_no(AT, "y", 2, OTHER),
        (
            "error[E0205]: `y` has the label 2, but one logit an example distinguishes 0 and 1: `y` has 2; `y`; "
            "help: give the model one logit per class"
        ),
    ),
    "training.label_outside": (
        lambda: training.label_outside(AT, "y", 3, 3, "the logits", OTHER),
        (
            "error[E0205]: `y` has the label 3, but the logits end in 3: labels are 0 to 2: `y` has 3; `y`; "
            "help: set `classes = 4`, or write `ignore = 3` if these records have no label"
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
        ("error[E0315]: imports are nested more than 50 deep; help: import the names from the file that defines them"),
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
    "data.empty_folder": (
        lambda: data.empty_folder(AT, "cats", "images"),
        (
            "error[W0413]: the folder `cats` has no images: it is not a class: directories of classes; "
            'help: add images to it, or list it: `skip = ["cats"]`'
        ),
    ),
    "data.as_found": (
        lambda: data.as_found(AT, "`t.csv` has `;` between its cells", 'separator = ";"'),
        (
            "error[W0416]: `t.csv` has `;` between its cells: not given in the source; "
            'help: give it, so that it stays what it is: `separator = ";"`'
        ),
    ),
    "data.left_out": (
        lambda: data.left_out(AT, 6, {"price": 4, "sold": 3}),
        (
            "error[W0417]: 6 records with a missing cell left out: `price` (4), `sold` (3): by `drop`; "
            "help: fill them in to keep such records: `-> impute(..)`"
        ),
    ),
    "files.outside": (
        lambda: files.outside("../m.onnx", "the current directory").at(AT),
        (
            "error[E0604]: `../m.onnx` is outside the current directory: not written there; "
            "help: use a path below it, or name the file on the command line: `-o FILE`"
        ),
    ),
    "files.not_ours": (
        lambda: files.not_ours("m.onnx").at(AT),
        (
            "error[E0604]: `m.onnx` already exists, and dlc did not write it: would be replaced; "
            "help: name another file, or replace this one: `-o FILE`"
        ),
    ),
    "positions.refused": (
        lambda: positions.refused("outside", [positions.RefusedUse(AT, "Embedding", "15")], "wpe", (0, 20)),
        (
            "error[E0414]: the data leads to a position outside of `Embedding`: here; note: its positions are 0 to 15; "
            "note: these numbers go from 0 to 20; note: in `wpe`; help: make it larger, or bring the numbers into its range"
        ),
    ),
    "batches.longer_than_batch": (
        lambda: batches.longer_than_batch(AT, 512, 256),
        (
            "error[E0206]: the longest record has 512 tokens, and a batch holds at most 256: the batch is set here; "
            "help: use at least `batch = 512 tokens`; help: or shorten longer records with `truncate(256)`"
        ),
    ),
    "batches.single_statistic": (
        lambda: batches.single_statistic(AT, "BatchNorm", OTHER, 1, 1, 1),
        (
            "error[E0206]: `BatchNorm` cannot train on one number per channel: a step has 1 example; the batch is set here; "
            "help: use at least 2 examples in every micro-batch; "
            "help: or use a norm that does not mix examples, such as `LayerNorm`"
        ),
    ),
    "statics.unknown_function": (
        lambda: statics.unknown_function("relu", ("sqrt", "floor")),
        "error[E0301]: `relu` is not a function of numbers; help: these are `floor`, `sqrt`",
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


NO_THEMES = (
    "__main__",
    "diagnostics",
    "explanation",
    "names",
    "printable",
    "programs",
    "register",
    "render",
    "source",
    "wording",
)


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
    made: list[tuple[str, Diagnostic]] = []

    def record(frame: Any, event: str, argument: object) -> None:
        if event == "call" and frame.f_code in codes:
            said.add(codes[frame.f_code])
        if event == "return" and frame.f_code in codes and isinstance(argument, Diagnostic):
            made.append((codes[frame.f_code], argument))

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
    assert said & set(SAID_AT_BUILD) == set(), f"a program says it: it needs no call here: {said & set(SAID_AT_BUILD)}"
    made += [(name, found) for name, (make, _) in SAID_AT_BUILD.items() if isinstance(found := make(), Diagnostic)]
    lost = {name: found.message for name, found in made if not shows_the_way(found)}
    assert lost == {}, lost


def shows_the_way(found: Diagnostic) -> bool:
    """A help or note, or the two things that should be one, or what is expected in place of what is there."""
    text = f"{found.message} {found.label}"
    return bool(found.helps or found.notes or found.labels) or any(word in text for word in ("must be", "expected"))
