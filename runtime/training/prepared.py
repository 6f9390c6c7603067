"""A prepared run: everything that training, its explanation when it diverges, and its records are made from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from ...compiler.dataclass import dataclass
from ...compiler.ir.data import Split
from ...compiler.ir.expand import ParameterEntry, parameters
from ...compiler.ir.model import Spec
from ...compiler.ir.train import Train
from ...compiler.messages.source import Source
from ...compiler.resolve.flatten import flatten
from ...compiler.text.printer import print_file
from ..checkpoints import atomic, checkpoint
from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.environment import environment
from ..checkpoints.rundir import RunDir, digest
from ..data import facts
from ..data.feed import Data
from ..failure import Diverged
from ..generated import build, outside
from ..generated.functions import Program
from ..spec import Loaded
from ..weights import load as weights
from . import baselines, loop, memory, metrics, precision
from .diverged import FirstNonFinite, LocatedDivergence, Watch
from .evaluate import JudgingWitness
from .events import Listener, Note, silent
from .losses import NotFinite
from .options import TrainOptions
from .state import SAVE_EVERY, Job


@dataclass(frozen=True)
class Prepared:
    """A run that can begin. `pretrained` are the weights from elsewhere that it begins with; none when it is resumed."""

    loaded: Loaded
    spec: Spec  # checked with the facts of the data
    section: Train
    data: Data
    root: Path  # of the data
    run: RunDir
    device: torch.device
    pretrained: Sequence[weights.Fitted]
    options: TrainOptions

    def train(self, saved: Checkpoint | None) -> None:
        """Records what the run is made from and trains, from `saved` on if it is given. Raises Diverged, Interrupted and
        OutOfMemory."""
        files = build.sources(self.spec, self.section, len(self.data.part("train")))
        generated = self.record_sources(files)
        job = self.job(self.program(files, self.options.listener))
        metrics.accumulators(job.program.parts, self.data)  # what cannot be counted fails before the first step
        for found in self.pretrained:
            self.options.listener(Note(f"weights {weights.summary(found)}"))
        self.record(generated)
        try:
            with memory.explained(self.section.phases[0], self.device), outside.explained(self.spec, job.program.nets):
                loop.run(job, saved)
        except NotFinite as failure:
            raise self.diverged(job.program.sources, failure.step) from None

    def program(self, files: Mapping[str, str], listener: Listener) -> Program:
        """The generated code with first weights, those from elsewhere among them."""
        given = {path for found in self.pretrained for path in found.paths}
        records = len(self.data.part("train"))
        made = build.build(
            self.spec, self.section, self.run.path, self.device, records=records, given=given, files=files
        )
        used = {phase.precision for phase in self.section.phases} if self.device.type == "cpu" else set[str | None]()
        for name, dtype in precision.HALF.items():
            kinds = precision.in_f32(made.nets.values(), dtype) if name in used else []
            if kinds:
                names = ", ".join(f"`{kind}`" for kind in kinds)
                listener(Note(f"{names} computes in f32: this processor has no {name} kernel for it"))
        for found in self.pretrained:
            weights.fill(found, made.tensors())
        return made

    def job(self, program: Program) -> Job:
        seconds = self.options.save_every
        return Job(
            self.section,
            program,
            checkpoint_entries(self.spec, self.section),
            self.data,
            self.run,
            self.device,
            self.options.listener,
            metadata(self.spec),
            SAVE_EVERY if seconds is None else seconds,
            judge=self.judge(program),
            baselines=lambda program, feed: baselines.figures(program, feed, self.spec, self.section),
        )

    def judge(self, program: Program) -> Callable[[Split], JudgingWitness] | None:
        """What judges the answers of the program on a split."""
        judging = self.options.judge
        if judging is None:
            return None
        return lambda split: judging(self.spec, self.section, program, self.data, split, facts.class_names(self.data))

    def diverged(self, files: Mapping[str, str], seen: int) -> Diverged:
        """Trains again from the last checkpoint, looking at every step, until the first number that is not finite: where it
        comes from. `seen` is the step at which the loss was found not to be finite."""
        again = self.job(self.program(files, silent))
        again.listener, again.save_every, again.records, again.judge = silent, float("inf"), False, None
        again.watch = Watch(again.program, again.entries, self.device)
        saved = checkpoint.read(self.run.last) if atomic.settle(self.run.last) else None
        first = FirstNonFinite(
            seen, "the loss is not finite, and a second run from the last checkpoint did not show it again"
        )
        try:
            loop.run(again, saved)
        except LocatedDivergence as found:
            first = found.first
        except NotFinite as failure:
            first = FirstNonFinite(failure.step, "the loss is not finite")
        half = any(phase.precision == "f16" for phase in self.section.phases)
        wider = ('or `precision = "bf16"`, which has the range of f32',) if half else ()
        notes = [first.what]
        if first.path:
            notes.append(f"in `{first.path}`" + (f", {_place(self.spec, first)}" if first.span else ""))
        if first.line:
            notes.append(first.line)
        if saved is not None:
            notes.append(f"{self.run.last} holds the weights of step {saved.loop['step']}")
        self.run.log(f"diverged at step {first.step}: {'; '.join(notes)}")
        return Diverged(
            f"diverged at step {first.step}: the loss is not a finite number",
            notes=tuple(notes),
            helps=("try a smaller learning rate, `clip = norm(1.0)` or a warm-up (`lr = 0 -> linear(..)`)", *wider),
        )

    def record_sources(self, files: Mapping[str, str]) -> dict[str, str]:
        """Writes the generated files; their digests by name. A file that was edited since the run began is kept next to them:
        training continues with the spec."""
        run = self.run
        for name in run.edited():
            kept = run.path / f"{Path(name).stem}.edited.py"
            with run.writing(kept.name):
                os.replace(run.path / name, kept)
            text = f"`{run.path / name}` was edited: training continues with the spec; the edited file is now `{kept.name}`"
            self.options.listener(Note(text, "W0409"))
        for name, text in files.items():
            run.write(name, text)
        return {name: digest(text) for name, text in files.items()}

    def record(self, generated: Mapping[str, str]) -> None:
        """Writes what else the run is made from. `generated` are the digests of the generated files."""
        run, loaded = self.run, self.loaded
        if self.pretrained:
            run.write_json("weights.json", [weights.record(found) for found in self.pretrained])
        run.write("spec.dlspec", print_file(flatten(loaded.checked.project)))
        run.write("ir.json", self.spec.written(indent=1))
        settings = {"overrides": loaded.overrides, "variant": loaded.variant}
        run.write_json("env.json", {**environment(self.device), **settings, "generated": generated})
        table = self.data.table
        files = [{"path": str(f.path.resolve()), "size": f.size, "mtime_ns": f.mtime_ns} for f in table.files]
        run.write_json(
            "data.json",
            {
                "section": self.section.data,
                "train": self.section.name,
                "root": str(self.root),
                "digest": table.digest,
                "files": files[:10_000],
                "records": {split: len(part) for split, part in self.data.parts.items()},
                "classes": facts.class_names(self.data),
                "texts": facts.texts(self.data),
                "fitted": {str(node): learned for node, learned in self.data.graph.fitted.items()},
            },
        )


def checkpoint_entries(spec: Spec, section: Train) -> dict[str, ParameterEntry]:
    """Parameters and buffers of all nets of a section, by the paths of the checkpoint."""
    found: dict[str, ParameterEntry] = {}
    for net in section.nets:
        prefix = f"{net.name}." if net.name else ""
        found.update({prefix + entry.path: entry for entry in parameters(spec, spec.models[net.model])})
    return found


def metadata(spec: Spec) -> dict[str, str]:
    """The metadata of every weights file of a run."""
    digest = hashlib.blake2b(spec.model_dump_json().encode(), digest_size=16).hexdigest()
    return {"spec": spec.name, "spec_hash": digest, "edition": spec.edition}


def _place(spec: Spec, first: FirstNonFinite) -> str:
    assert first.span is not None
    for source in spec.sources:
        if source.name == first.span.file:
            line, column = Source(source.name, source.text).position(first.span.start)
            return f"{source.name}:{line}:{column}"
    return first.span.file
