"""A run that was trained, opened again with its kept weights: to evaluate it, or to predict with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ...compiler.dataclass import dataclass
from ...compiler.ir.data import DataSet, Split
from ...compiler.ir.model import Spec
from ...compiler.ir.train import Train
from ...compiler.messages.source import Source
from ..checkpoints import checkpoint
from ..checkpoints.rundir import RunDir
from ..data.feed import Data, Feed, open_data
from ..failure import BadInput
from ..generated import build, outside
from ..generated.functions import Program
from ..run import Run
from . import baselines
from .device import device_of
from .edited import mistakes_of, warn_of_edits
from .evaluate import Measurement


@dataclass
class TrainedModel:
    """A run with its code, kept weights and what its data learned, ready to evaluate or predict."""

    run: RunDir
    spec: Spec
    train: Train
    program: Program
    device: torch.device
    root: Path
    fitted: dict[int, dict[str, Any]]
    digest: str
    sources: Mapping[str, Source]
    classes: Mapping[str, tuple[str, ...]]  # class names by field, where the data gave them
    edited: Mapping[str, str]  # files of the run that its code was read from; none when it was generated

    @property
    def section(self) -> DataSet:
        return self.spec.recipe.dataset(self.train.data)

    def data(self) -> Data:
        """The run's data, read again; fitted values are those of the run."""
        return open_data(self.section, self.root, self.fitted)

    def evaluate(self, split: str) -> dict[str, float]:
        chosen = split_of(split)
        measurement = self.measurement(self.data(), chosen)
        with self.explained():
            for _ in measurement.run():
                pass
            figures, losses = measurement.figures()
            figures |= baselines.figures(self.program, measurement.feed, self.spec, self.train)
        return {**losses, **figures}

    def measurement(self, data: Data, split: Split) -> Measurement:
        """Losses and metrics of a split, which are yet to be computed."""
        feed = Feed(data, split, training=False, device=self.device)
        return Measurement(self.program, feed, self.train.phases[-1].batch.evaluation())

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Within, what the code of the run refuses is a message."""
        with mistakes_of(self.edited, self.run), outside.explained(self.spec, self.program.nets):
            yield


def split_of(name: str) -> Split:
    """The split of this name; raises BadInput for any other word."""
    known: dict[str, Split] = {"train": "train", "val": "val", "test": "test"}
    if name not in known:
        raise BadInput(f"there is no split `{name}`", helps=("use `train`, `val` or `test`",))
    return known[name]


def reopen(
    run: Run, device: str = "auto", data_root: str | Path | None = None, *, edited: bool = False
) -> TrainedModel:
    """A run's model with its kept weights. Its code is generated from the run's IR; with `edited` it is what `model.py` and
    `recipe.py` hold now. Warns of edited files that are not used (W0409)."""
    directory = run.directory
    spec, place = run.spec, device_of(device)
    about, chosen = run.data, run.train
    weights_at = run.kept()
    saved = checkpoint.read(weights_at, everything=False)
    records = about.records.get("train")
    own = directory.sources() if edited else {}
    if not edited:
        warn_of_edits(run, "code generated from the spec is used")
    files = {name: own.get(name, text) for name, text in build.sources(spec, chosen, records, resizable=False).items()}
    with mistakes_of(own, directory):
        program = build.build(spec, chosen, directory.path, place, initial=False, records=records, files=files)
        weights = saved.averaged or saved.weights
        tensors = program.tensors()
        checkpoint.compare(tensors, weights, weights_at)
        buffers = {name for name, tensor in tensors.items() if not isinstance(tensor, torch.nn.Parameter)}
        checkpoint.check_finite(weights, buffers, weights_at)
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(weights[name])
    return TrainedModel(
        directory,
        spec,
        chosen,
        program,
        place,
        Path(data_root or about.root),
        dict(about.fitted),
        about.digest,
        run.sources,
        about.classes,
        own,
    )
