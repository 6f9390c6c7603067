"""A run on disk as the runtime uses it: its directory, the typed IR it was trained from, and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ..compiler.analysis.verify import verify
from ..compiler.ir.model import Spec
from ..compiler.messages.source import Source, Sources
from .checkpoints import rundir
from .checkpoints.rundir import AVERAGED, WEIGHTS, RunDir
from .failure import damaged

#: What can be done about a run whose IR is lost.
LOST = "copy `ir.json` from a backup of the run, or train again: its weights fit no other"


class Run:
    """A run on disk. `figures` are those of its result (`test.acc`), empty while it is not complete."""

    def __init__(self, path: str | Path) -> None:
        self.directory: RunDir = rundir.find(Path(path))
        self.path = self.directory.path
        self._named = Path(path) if Path(path) != self.path else None  # its `best/` or `last/`

    @cached_property
    def spec(self) -> Spec:
        """The typed IR that the run was trained from; raises BadInput when `ir.json` is damaged: it can't be read, or holds
        what is not a legal IR."""
        from pydantic import ValidationError

        file = self.path / "ir.json"
        try:
            spec = Spec.model_validate_json(self.directory.text(file.name))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise damaged(file, f"{place}: {first['msg']}" if place else first["msg"], LOST) from None
        for fault in verify(spec):
            raise damaged(file, str(fault), LOST)
        return spec

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
        return self.result.get("figures", {})

    def __repr__(self) -> str:
        return f"<dlc run {self.path}>"
