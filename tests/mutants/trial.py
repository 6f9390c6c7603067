"""Everything that can be done with a spec that `dlc check` accepts; what must not happen is an exception that is none of ours."""

from __future__ import annotations

import contextlib
import shutil
import signal
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import dlc
from dlc.backends.pytorch.module import module_source
from dlc.compiler.analysis.verify import verify
from dlc.compiler.check import check
from dlc.compiler.ir.expand import parameters
from dlc.compiler.ir.model import Spec
from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.resolve.flatten import flatten
from dlc.compiler.text.printer import print_file
from dlc.runtime.exporting.parity import Disagrees
from dlc.runtime.failure import Interrupted
from dlc.runtime.generated.build import sources
from dlc.runtime.training.events import Event, Progress
from dlc.tests.programs_run import differences, unshared_source

FILES = Path(__file__).parent / "files"  # data that specs read
LARGEST = 300_000  # parameters of a model that is trained
STEPS = 20  # after these a run is interrupted at its next report
SECONDS = 20


@dataclass
class Trial:
    """How far a spec came: `refused` by the check, `failed` at a stage with a coded message, `fault`, or `ran`."""

    outcome: str
    stage: str = ""
    text: str = ""


class TooLong(BaseException):
    pass


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raises TooLong after some seconds of processor time, whatever else the machine does."""

    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attempt(text: str, folder: Path, until: str = "session", *, sources_alike: bool = False) -> Trial:
    """Check, resolved text, IR, sources, two steps, evaluation, export, session; the stages up to `until`.

    `sources_alike`: what the source runs is compared with a plainer source of the same model, which takes about as long as
    all the rest.
    """
    stage = "check"
    try:
        with limited(SECONDS):
            for stage, action in stages(text, folder, sources_alike):
                found = action()
                if found is False:
                    return Trial("refused", stage)
                if stage == until:
                    break
    except (dlc.SpecError, dlc.RunFailure, Failed) as known:
        wrong = isinstance(known, Disagrees) and not known.expected
        return Trial("fault" if wrong else "failed", stage, f"{type(known).__name__}: {known}")
    except TooLong:
        return Trial("long", stage)
    except Exception:  # noqa: BLE001 - this is what the test is about
        return Trial("fault", stage, traceback.format_exc())
    return Trial("ran")


def _drawn(port: Any, rng: np.random.Generator) -> Any:
    """An input of a file: ones for ids, so that they are rows of any table."""
    shape = [size if isinstance(size, int) else 4 for size in port.shape]
    if np.issubdtype(port.dtype, np.floating):
        return rng.standard_normal(shape).astype(port.dtype)
    return np.ones(shape, port.dtype)


def no_longer(event: Event) -> None:
    """Ends a run of very many steps, as Ctrl+C does; its checkpoint is evaluated and exported."""
    if isinstance(event, Progress) and STEPS <= event.step < event.steps:
        signal.raise_signal(signal.SIGINT)


def stages(text: str, folder: Path, sources_alike: bool) -> Iterator[tuple[str, Any]]:
    path = folder / "mutant.dlspec"
    path.write_text(text, "utf-8")
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    made: dict[str, Any] = {}

    def checks() -> bool:
        made["loaded"] = loaded = dlc.load(path)
        return loaded.checked.ok

    def resolves() -> None:
        other = folder / "resolved.dlspec"
        other.write_text(print_file(flatten(made["loaded"].checked.project)), "utf-8")
        again = check(other)
        assert again.ok, [f"{d.code} {d.message}" for d in again.report.errors]

    def round_trips() -> None:
        spec: Spec = made["loaded"].spec
        assert Spec.model_validate_json(spec.model_dump_json()) == spec
        assert verify(spec) == []

    def builds() -> None:
        spec: Spec = made["loaded"].spec
        for train in spec.recipe.trains:
            for source in sources(spec, train).values():
                compile(source, "generated", "exec")
        for model in spec.models if sources_alike else ():
            found = differences(spec, model, [unshared_source(spec, model), module_source(spec, model)])
            assert not found, found

    def trains() -> None:
        spec: Spec = made["loaded"].spec
        size = sum(entry.size for model in spec.models for entry in parameters(spec, model) if not entry.buffer)
        if size <= LARGEST and spec.recipe.trains:
            try:
                made["run"] = dlc.train(made["loaded"], out=folder / "run", device="cpu", listener=no_longer)
            except Interrupted:
                made["run"] = dlc.Run(folder / "run")

    def evaluates() -> None:
        if "run" in made:
            dlc.evaluate(made["run"], "val" if "val" in made["run"].data.records else "train")

    def exports() -> None:
        if "run" in made and made["loaded"].spec.recipe.exports:
            made["file"] = dlc.export(made["run"], folder / "mutant.onnx").path

    def answers() -> None:
        if "file" in made:
            session = dlc.Session(made["file"], "cpu")
            rng = np.random.default_rng(0)
            given = {port.name: _drawn(port, rng) for port in session.inputs}
            with contextlib.suppress(dlc.RunFailure):  # sizes that the file refuses
                answers = session.predict(given)
                assert set(answers) == {port.name for port in session.outputs}

    yield "check", checks
    yield "resolved", resolves
    yield "ir", round_trips
    yield "build", builds
    yield "train", trains
    yield "evaluate", evaluates
    yield "export", exports
    yield "session", answers
