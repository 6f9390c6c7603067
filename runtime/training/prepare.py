"""Putting a run together: spec, data, generated code, weights and directory; and opening one again later."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...compiler.check import check
from ...compiler.ir.data import DataSet, Split
from ...compiler.ir.expand import ParameterEntry, parameters
from ...compiler.ir.model import Spec
from ...compiler.ir.train import Train
from ...compiler.messages.source import Source, Sources
from ..checkpoints import checkpoint, rundir
from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.rundir import RunDir
from ..data import facts
from ..data.feed import Data, Feed, open_data
from ..failure import BadInput, Diverged
from ..generated import build
from ..weights import load as weights
from . import limits, loop, memory, precision
from .diverged import Found, Origin, Watch
from .evaluate import evaluate
from .events import Listener, Note, silent

if TYPE_CHECKING:
    from ..api import Loaded, Run


def device_of(text: str) -> torch.device:
    """`auto` is CUDA, else Apple's GPU, else the CPU."""
    if text == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(text)
    except RuntimeError:
        raise BadInput(
            f"there is no device `{text}`", helps=("it is `auto`, `cpu`, `cuda`, `cuda:N` or `mps`",)
        ) from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise BadInput(f"`{text}` is not usable: torch sees {count} CUDA devices", helps=("`dlc doctor` says why",))
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise BadInput("`mps` is not usable here", helps=("`dlc doctor` says why",))
    return device


def paths(spec: Spec, train: Train) -> dict[str, ParameterEntry]:
    """Parameters and buffers of all nets of a section, by the paths of the checkpoint."""
    found: dict[str, ParameterEntry] = {}
    for net in train.nets:
        prefix = f"{net.name}." if net.name else ""
        found.update({prefix + entry.path: entry for entry in parameters(spec, spec.models[net.model])})
    return found


def metadata(spec: Spec) -> dict[str, str]:
    """What every weights file of a run says about itself."""
    digest = hashlib.blake2b(spec.model_dump_json().encode(), digest_size=16).hexdigest()
    return {"spec": spec.name, "spec_hash": digest, "edition": spec.edition}


# ---- training ----------------------------------------------------------------------------------------------------------------


def train(
    loaded: Loaded,
    *,
    section: str | None,
    out: Path | None,
    resume: bool | str | Path,
    device: str,
    data_root: Path | None,
    listener: Listener,
    base: Path,
    save_every: float | None,
) -> Path:
    """Trains (or goes on with) a run; its directory."""
    from ..api import SpecError, find_section

    spec = loaded.spec
    chosen = find_section(spec, section)
    limits.refuse(chosen)
    place = device_of(device)
    root = (data_root or loaded.path.parent).resolve()
    data = open_data(spec.recipe.dataset(chosen.data), root, workers=chosen.phases[0].runtime.workers)
    checked = check(loaded.path, loaded.overrides, loaded.variant, {chosen.data: facts.of(data)})
    if checked.spec is None:
        raise SpecError(checked.report.diagnostics, checked.sources)
    spec = checked.spec
    chosen = find_section(spec, section)
    saved: Checkpoint | None = None
    if resume:
        run = _resumed(loaded, resume, out, base)
        if checkpoint.settle(run.last):
            saved = checkpoint.read(run.last)
            ours = {path: torch.empty(e.shape, device="meta") for path, e in paths(spec, chosen).items()}
            checkpoint.compare(ours, saved.weights, run.last)
    else:
        run = rundir.create(base, loaded.name, out)
    if run.finished:
        if saved is not None and loop.complete(chosen, saved.loop, len(data.part("train"))):
            listener(Note(f"the run in {run.path} is complete: there is nothing to resume"))
            return run.path
        (run.path / "result.json").unlink()
    for text in limits.without_effect(chosen):
        listener(Note(text))
    try:
        found = [] if saved is not None else list(weights.fitted(spec, chosen, loaded.path.parent))
        job = _job(spec, chosen, data, run, place, listener, found)
        if save_every is not None:
            job.save_every = save_every
        _begin(found, run, job, listener)
        _write(run, loaded, spec, chosen, data, job, root, place)
        with memory.explained(chosen.phases[0], place):
            _run(job, saved, spec, found)
    finally:
        if not checkpoint.settle(run.last) and not resume and not any(run.path.glob("metrics.csv")):
            _forget(run)
    return run.path


def _begin(found: Sequence[weights.Fitted], run: RunDir, job: loop.Job, listener: Listener) -> None:
    """Puts weights from elsewhere into the nets, and records which they were."""
    for one in found:
        weights.fill(one, job.program.tensors())
        listener(Note(f"weights {weights.told(one)}"))
    if found:
        run.write_json("weights.json", [weights.record(one) for one in found])


def _resumed(loaded: Loaded, resume: bool | str | Path, out: Path | None, base: Path) -> RunDir:
    if not isinstance(resume, bool):
        return rundir.find(Path(resume))
    return rundir.find(out) if out is not None else rundir.newest_unfinished(base, loaded.name)


def _forget(run: RunDir) -> None:
    """Removes a run that never began, so that nothing half-written stays."""
    for file in run.path.iterdir():
        if file.is_file():
            file.unlink()
    if not any(run.path.iterdir()):
        run.path.rmdir()


def _job(
    spec: Spec,
    train: Train,
    data: Data,
    run: RunDir,
    device: torch.device,
    listener: Listener,
    found: Sequence[weights.Fitted],
) -> loop.Job:
    program = _program(spec, train, data, run, device, listener, found)
    return loop.Job(train, program, paths(spec, train), data, run, device, listener, metadata(spec))


def _program(
    spec: Spec,
    train: Train,
    data: Data,
    run: RunDir,
    device: torch.device,
    listener: Listener,
    found: Sequence[weights.Fitted],
) -> build.Program:
    """The section's program with its initial weights, on `device`."""
    given = {path for one in found for path in one.paths}
    program = build.build(spec, train, run.path, device, records=len(data.part("train")), given=given)
    if device.type == "cpu" and any(phase.precision == "bf16" for phase in train.phases):
        kinds = precision.in_f32(program.nets.values(), torch.bfloat16)
        if kinds:
            names = ", ".join(f"`{kind}`" for kind in kinds)
            listener(Note(f"{names} computes in f32: this processor has no bf16 kernel for it"))
    return program


def _run(job: loop.Job, saved: Checkpoint | None, spec: Spec, found: Sequence[weights.Fitted]) -> None:
    try:
        loop.run(job, saved)
    except loop.NotFinite as failure:
        raise _diverged(job, spec, failure.step, found) from None


def _diverged(job: loop.Job, spec: Spec, seen: int, found: Sequence[weights.Fitted]) -> Diverged:
    """Goes on once more from the last checkpoint, watching, and says where the first such number comes from."""
    program = _program(spec, job.train, job.data, job.run, job.device, silent, found)
    for one in found:
        weights.fill(one, program.tensors())
    again = loop.Job(
        job.train, program, job.entries, job.data, job.run, job.device, silent, job.metadata, save_every=float("inf")
    )
    again.careful = Watch(again.program, job.entries, job.device)
    again.records = False
    saved = checkpoint.read(job.run.last) if checkpoint.settle(job.run.last) else None
    origin = Origin(seen, "the loss is not finite, and a second run from the last checkpoint did not show it again")
    try:
        loop.run(again, saved)
    except Found as first:
        origin = first.origin
    except loop.NotFinite as failure:
        origin = Origin(failure.step, "the loss is not finite")
    notes = [origin.what]
    if origin.path:
        notes.append(f"in `{origin.path}`" + (f", {_place(spec, origin)}" if origin.span else ""))
    if origin.line:
        notes.append(origin.line)
    if saved is not None:
        notes.append(f"{job.run.last} holds the weights of step {saved.loop['step']}")
    job.run.log(f"diverged at step {origin.step}: {'; '.join(notes)}")
    return Diverged(
        f"diverged at step {origin.step}: the loss is not a finite number",
        notes=tuple(notes),
        helps=("a smaller learning rate, `clip = norm(1.0)` or a warm-up (`lr = 0 -> linear(..)`) often help",),
    )


def _place(spec: Spec, origin: Origin) -> str:
    assert origin.span is not None
    for source in spec.sources:
        if source.name == origin.span.file:
            line, column = Source(source.name, source.text).position(origin.span.start)
            return f"{source.name}:{line}:{column}"
    return origin.span.file


def _write(
    run: RunDir, loaded: Loaded, spec: Spec, train: Train, data: Data, job: loop.Job, root: Path, device: torch.device
) -> None:
    """Everything a run records about what it is made from."""
    from ...compiler.resolve.flatten import flatten
    from ...compiler.text.printer import print_file

    for name, text in job.program.sources.items():
        run.write(name, text)
    run.write("spec.dlspec", print_file(flatten(loaded.checked.project)))
    run.write("ir.json", spec.model_dump_json(indent=1))
    run.write_json("env.json", {**rundir.environment(device), "overrides": loaded.overrides, "variant": loaded.variant})
    files = [{"path": str(f.path.resolve()), "size": f.size, "mtime_ns": f.mtime_ns} for f in data.table.files]
    run.write_json(
        "data.json",
        {
            "section": train.data,
            "train": train.name,
            "root": str(root),
            "digest": data.table.digest,
            "files": files[:10_000],
            "records": {split: len(part) for split, part in data.parts.items()},
            "classes": {name: found.classes for name, found in facts.of(data).fields.items() if found.classes},
            "texts": facts.texts(data),
            "fitted": {str(node): learned for node, learned in data.graph.fitted.items()},
        },
    )


# ---- an existing run ---------------------------------------------------------------------------------------------------------


@dataclass
class Opened:
    """A run with its code, kept weights and what its data learned, ready to evaluate or predict."""

    run: RunDir
    spec: Spec
    train: Train
    program: build.Program
    device: torch.device
    root: Path
    fitted: dict[int, dict[str, Any]]
    digest: str
    sources: Mapping[str, Source]
    classes: Mapping[str, tuple[str, ...]]  # class names by field, where the data gave them

    @property
    def section(self) -> DataSet:
        return self.spec.recipe.dataset(self.train.data)

    def data(self) -> Data:
        """The run's data, read again; fitted values are those of the run."""
        return open_data(self.section, self.root, self.fitted)

    def evaluate(self, split: str) -> dict[str, float]:
        known: tuple[Split, ...] = ("train", "val", "test")
        if split not in known:
            raise BadInput(f"there is no split `{split}`", helps=("it is `train`, `val` or `test`",))
        data = self.data()
        feed = Feed(data, split, training=False, device=self.device)
        figures, losses = evaluate(self.program, feed, loop.evaluation_batch(self.train.phases[-1]))
        return {**losses, **figures}


def read_spec(run: RunDir) -> Spec:
    """The typed IR of a run."""
    from pydantic import ValidationError

    try:
        return Spec.model_validate_json(run.text("ir.json"))
    except ValidationError as error:
        raise checkpoint.damaged(run.path / "ir.json", str(error).splitlines()[0]) from None


def reopen(run: Run, device: str = "auto", data_root: Path | None = None) -> Opened:
    """A run's model with its kept weights."""
    directory = run.directory
    spec, place = read_spec(directory), device_of(device)
    about = directory.json("data.json")
    chosen = spec.recipe.train(about["train"])
    weights_at = directory.path / "last" if Path(run.path).name == "last" else directory.kept()
    saved = checkpoint.read(weights_at, everything=False)
    records = about["records"].get("train")
    program = build.build(spec, chosen, directory.path, place, initial=False, records=records)
    weights = saved.averaged or saved.weights
    tensors = program.tensors()
    checkpoint.compare(tensors, weights, weights_at)
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(weights[name])
    sources = Sources()
    for source in spec.sources:
        sources.add(source.name, source.text)
    return Opened(
        directory,
        spec,
        chosen,
        program,
        place,
        data_root or Path(about["root"]),
        {int(node): learned for node, learned in about["fitted"].items()},
        about["digest"],
        sources,
        {name: tuple(names) for name, names in about["classes"].items()},
    )
