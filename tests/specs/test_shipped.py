"""Every spec that ships: checked, formatted, built, trained, resumed, exported, agreeing, predicting."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import dlc
from dlc.cli.app import run as command_line
from dlc.compiler.catalogue.builtin import BUILTIN
from dlc.compiler.check import check
from dlc.compiler.ir.recipe import Recipe
from dlc.compiler.ir.train import Train
from dlc.compiler.sizes.dims import evaluate, from_text
from dlc.runtime.inference.session import Session
from dlc.runtime.training.events import Event, Validated

SPECS = Path(__file__).resolve().parents[2] / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.dlspec"))

#: Warnings of what has no effect, and how many there were.
IDLE = re.compile(r"warning\[W0415\].*?\n\n|\d+ warnings?\n", re.DOTALL)

#: What a spec that begins with the weights of another one needs to have been trained before.
BEFORE = {"finetune": "resnet18.dlspec@small"}


def dlc_ok(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0, notes: bool = False) -> str:
    """One command line that succeeds without a word on standard error (but `note: ..`, if wanted); what it printed."""
    capsys.readouterr()
    found = command_line([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert found == code, f"dlc {' '.join(map(str, arguments))} exits with {found}\n{out}\n{err}"
    if any("duration=" in str(argument) for argument in arguments):  # then schedules are longer than the run
        err = IDLE.sub("", err)
    if notes:
        err = "".join(line for line in err.splitlines(keepends=True) if not line.startswith("note: "))
    assert not err, err
    return out


def interrupted(event: Event) -> None:
    """Ctrl-C after the first step: the loop finishes what it does and saves."""
    if isinstance(event, Validated):
        os.kill(os.getpid(), signal.SIGINT)


def weights(run: Path) -> dict[str, bytes]:
    """Every tensor, bit for bit (the order of the file's metadata is not fixed)."""
    return {name: array.tobytes() for name, array in load_file(run / "last" / "model.safetensors").items()}


def small(name: str) -> tuple[str, str | None]:
    """The spec's file, and the variant that fits a small machine, where it has one."""
    file = f"{name}.dlspec"
    variants = check(SPECS / file).project.variants
    return file, next((variant for variant in ("small", "tiny") if variant in variants), None)


def two_steps(train: Train) -> dict[str, str]:
    """Settings for two updates in all, each followed by a short validation."""
    section = f"train.{train.name}" if train.name else "train"
    found = {f"{section}.phase.{phase.name}.duration": "1 steps" for phase in train.phases if phase.name}
    found = found or {f"{section}.duration": "2 steps"}
    return found | {f"{section}.validate": "every(1 steps, batches = 2)"}


def short_validation(recipe: Recipe) -> dict[str, str]:
    """A tenth of a long text takes longer to validate with, at the end of each run, than everything else here."""
    return {
        f"{data.name}.split": "contiguous(train = 0.995, val = 0.005)"
        for data in recipe.data
        if data.source.name == "builtin"
        and data.split.name == "contiguous"
        and BUILTIN[data.source.args["name"]].records > 100_000
    }


def raw_records(session: Session, sizes: Mapping[str, int]) -> dict[str, Any]:
    """Five records for each input of an exported model; whole numbers are such as every vocabulary has."""
    random = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for port in session.inputs:
        shape = [evaluate(from_text(size), {**sizes, "B": 5}) for size in port.shape]
        whole = np.dtype(port.dtype).kind in "iub"
        found[port.name] = (random.integers(0, 2, shape) if whole else 16 * random.random(shape)).astype(port.dtype)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_checks_without_a_word_and_is_in_canonical_layout(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = SPECS / f"{name}.dlspec"
    assert dlc_ok(capsys, "check", spec).strip().endswith("ok")
    assert dlc.load(spec).check() == []
    dlc_ok(capsys, "fmt", "--check", spec)
    lines = spec.read_text("utf-8").splitlines()
    assert lines[0] == "dlspec 1"
    assert lines[1].startswith("# "), "the second line says what the spec is about: `dlc new` shows it"
    assert len(lines) <= 100, "a spec to start from fits two screens"


@pytest.mark.parametrize("name", NAMES)
def test_from_text_to_predictions(
    name: str, sizes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The normal size resumes one in six."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dlc.cli.progress.PATIENCE", 3600.0)  # progress that a busy machine would see is no complaint
    dlc_ok(capsys, "new", name)
    file, variant = small(name)
    assert Path(file).read_bytes() == (SPECS / file).read_bytes()
    spec = f"{file}@{variant}" if variant else file

    if name in BEFORE:
        short = ("train.duration=2 steps", "train.validate=every(1 steps, batches = 2)")
        dlc_ok(capsys, "train", BEFORE[name], *short, "--device", "cpu")
    recipe = dlc.load(spec).spec.recipe
    settings = {key: value for train in recipe.trains for key, value in two_steps(train).items()}
    settings |= short_validation(recipe)
    written = [f"{setting}={value}" for setting, value in settings.items()]
    dlc_ok(capsys, "build", spec, *written)
    sources = list(Path("build").rglob("model*.py"))
    assert sources
    for source in sources:
        compile(source.read_text("utf-8"), str(source), "exec")

    runs: dict[str, str] = {}
    for train in recipe.trains:
        chosen = ["--section", train.name] if train.name else []
        whole, halves = f"whole-{train.name}", f"halves-{train.name}"
        dlc_ok(capsys, "train", spec, *written, *chosen, "--out", whole, "--device", "cpu")
        runs[train.name] = whole
        if not sizes.full and NAMES.index(name) % 6:
            continue
        with pytest.raises(dlc.RunFailure) as stopped:
            dlc.train(
                dlc.load(spec, **settings), section=train.name or None, out=halves, device="cpu", listener=interrupted
            )
        assert stopped.value.exit_code == 130
        assert weights(Path(halves)) != weights(Path(whole))
        dlc_ok(capsys, "train", spec, *written, "--resume", halves, "--device", "cpu")
        assert weights(Path(halves)) == weights(Path(whole)), "a resumed run is the uninterrupted one, bit for bit"

    assert recipe.exports, "a spec that ships says what is exported"
    for section in recipe.exports:
        agrees_and_predicts(runs[section.train or ""], section.name or None, tmp_path, capsys)


def agrees_and_predicts(run: str, section: str | None, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = f"{section or 'model'}.onnx"
    exported = dlc.export(run, model, section=section)
    assert exported.parity is not None
    rows = exported.parity.rows
    assert {row.level for row in rows} >= {"none", "all"}
    assert {row.sizes["B"] for row in rows} >= {1, 7}
    assert all(row.share <= 1e-4 for row in rows)
    free = [size for size in rows[0].sizes if size != "B"]
    assert all(len({row.sizes[size] for row in rows}) >= 2 for size in free), "every free size was varied"
    assert not list(folder.glob(".*.part")), "nothing is left beside the destination"

    session = Session(Path(model), "cpu")
    raw = raw_records(session, rows[0].sizes)
    np.savez("raw.npz", **raw)
    assert len(dlc_ok(capsys, "predict", model, "raw.npz", notes=True).splitlines()) == 6
    answers = session.predict(raw)
    assert all(len(values) == 5 and np.isfinite(values).all() for values in answers.values())
