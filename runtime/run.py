"""A run on disk as the runtime uses it: its directory, the typed IR it was trained from, and its figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..compiler.analysis.verify import verify
from ..compiler.ir.model import Spec
from ..compiler.ir.train import Train
from ..compiler.messages.source import Source, Sources
from .checkpoints import rundir
from .checkpoints.records import DataRecord
from .checkpoints.rundir import AVERAGED, WEIGHTS, RunDir
from .data import learned
from .failure import BadInput, OtherVersion, damaged
from .forms import FormReader

DATA = FormReader(DataRecord)
#: What can be done about a run whose IR is lost.
LOST = "copy `ir.json` from a backup of the run, or train again: its weights fit no other"


def _writer(text: str) -> str | None:
    """The version of dlc that wrote an IR; empty for one that did not say, None if the text is not an IR at all."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return str(found.get("dlc", "")) if isinstance(found, dict) and {"edition", "bodies"} <= found.keys() else None


class Run:
    """A run on disk. `figures` are those of its result (`test.acc`), empty while it is not complete."""

    def __init__(self, path: str | Path) -> None:
        self.directory: RunDir = rundir.find(Path(path))
        self.path = self.directory.path
        self._named = Path(path) if Path(path) != self.path else None  # its `best/` or `last/`

    @cached_property
    def spec(self) -> Spec:
        """The typed IR that the run was trained from; raises BadInput when `ir.json` can't be read, or holds what is not a
        legal IR: it is damaged, or was written by another version of dlc."""
        from pydantic import ValidationError

        text = self.directory.text("ir.json")
        try:
            spec = Spec.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise self._not_an_ir(text, f"{place}: {first['msg']}" if place else first["msg"]) from None
        for fault in verify(spec):
            raise self._not_an_ir(text, str(fault))
        return spec

    def _not_an_ir(self, text: str, fault: str) -> BadInput:
        file, ours, writer = self.path / "ir.json", version("dlc"), _writer(text)
        if writer in (None, ours):
            return damaged(file, fault, LOST)
        return OtherVersion(
            f"`{file}` was written by {f'dlc {writer}' if writer else 'an earlier dlc'}, and dlc {ours} does not read it",
            notes=(fault,),
            helps=(
                f"write it again from the spec in the run: `dlc build {self.path / 'spec.dlspec'} --emit ir -o {self.path}`",
                f"or use dlc {writer} for this run" if writer else "or use the dlc that trained it",
            ),
        )

    @cached_property
    def data(self) -> DataRecord:
        """What the run was trained on; raises BadInput when the record is damaged, or is not of this spec."""
        found = self.directory.record("data.json", DATA)
        recipe, file = self.spec.recipe, self.path / "data.json"
        train = next((train for train in recipe.trains if train.name == found.train), None)
        if train is None:
            raise damaged(file, f"the spec has no `train` section `{found.train}`", LOST)
        for node in recipe.dataset(train.data).nodes:
            wrong = learned.fault(node, found.fitted.get(node.id, {}))
            if wrong is not None:
                raise damaged(file, f"it {wrong}", LOST)
        return found

    @property
    def train(self) -> Train:
        """The `train` section that the run is of."""
        return self.spec.recipe.train(self.data.train)

    @property
    def sources(self) -> Mapping[str, Source]:
        """The texts that the spec was read from, for messages about them."""
        found = Sources()
        for source in self.spec.sources:
            found.add(source.name, source.text)
        return found

    def kept(self) -> Path:
        """The checkpoint that evaluation and export use: `best/` or `last/` where the path named it, else the best that the
        run keeps. Raises BadInput when there is none yet."""
        return self._named if self._named is not None else self.directory.kept()

    def kept_weights(self) -> Path:
        """The safetensors file of that checkpoint: the moving average where there is one."""
        place = self.kept()
        return place / (AVERAGED if (place / AVERAGED).exists() else WEIGHTS)

    @property
    def result(self) -> dict[str, Any]:
        return self.directory.json("result.json") if self.directory.finished else {}

    @property
    def figures(self) -> dict[str, float]:
        found = self.result.get("figures", {})
        return {name: math.nan if value is None else value for name, value in found.items()}

    def __repr__(self) -> str:
        return f"<dlc run {self.path}>"
