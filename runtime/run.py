"""A run on disk as the runtime uses it: its directory, the typed IR it was trained from, and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ..compiler.ir.model import Spec
from ..compiler.messages.source import Source, Sources
from .checkpoints import rundir
from .checkpoints.rundir import RunDir
from .failure import damaged


class Run:
    """A run on disk. `figures` are those of its result (`test.acc`), empty while it is not complete."""

    def __init__(self, path: str | Path) -> None:
        self.directory: RunDir = rundir.find(Path(path))
        self.path = self.directory.path

    @cached_property
    def spec(self) -> Spec:
        """The typed IR that the run was trained from; raises BadInput when `ir.json` is damaged."""
        try:
            return Spec.model_validate_json(self.directory.text("ir.json"))
        except ValueError as error:
            raise damaged(self.path / "ir.json", str(error).splitlines()[0]) from None

    @property
    def sources(self) -> Mapping[str, Source]:
        """The texts that the spec was read from, for messages about them."""
        found = Sources()
        for source in self.spec.sources:
            found.add(source.name, source.text)
        return found

    @property
    def result(self) -> dict[str, Any]:
        return self.directory.json("result.json") if self.directory.finished else {}

    @property
    def figures(self) -> dict[str, float]:
        return self.result.get("figures", {})

    def __repr__(self) -> str:
        return f"<dlc run {self.path}>"
