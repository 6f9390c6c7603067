"""A spec as the runtime uses it: a file with its overrides, checked, and the error that shows its mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiler.check import Checked, check
from ..compiler.ir.model import Spec
from ..compiler.messages.diagnostics import Diagnostic, Failed
from ..compiler.messages.render import render
from ..compiler.messages.source import Source
from .loading import loading

if TYPE_CHECKING:
    from torch import nn


class SpecError(Exception):
    """A spec, or the data it names, has mistakes. `diagnostics` holds them; `str()` renders them with their places."""

    exit_code = 2

    def __init__(self, diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source]) -> None:
        super().__init__("\n" + render(diagnostics, sources).rstrip())
        self.diagnostics = list(diagnostics)
        self.sources = sources


class Loaded:
    """A spec with its overrides. Nothing is raised for its mistakes until it is used."""

    def __init__(
        self, path: Path, overrides: Sequence[str], variant: str | None, checked: Checked | None = None
    ) -> None:
        self.path, self.overrides, self.variant = path, tuple(overrides), variant
        self.checked: Checked = check(path, self.overrides, variant) if checked is None else checked

    @property
    def name(self) -> str:
        """`digits_mlp`, or `digits_mlp@wide`."""
        return self.path.stem + (f"@{self.variant}" if self.variant else "")

    @property
    def spec(self) -> Spec:
        """The typed IR; raises SpecError when there are mistakes."""
        if self.checked.spec is None:
            raise SpecError(self.checked.report.diagnostics, self.checked.sources)
        return self.checked.spec

    @property
    def sources(self) -> Mapping[str, Source]:
        """The texts of the file and its imports, for messages about them."""
        return self.checked.sources

    def check(self) -> list[Diagnostic]:
        """All mistakes and warnings; no errors among them when the spec is right."""
        return list(self.checked.report.diagnostics)

    def module(self, model: str | None = None, *, seed: int | None = None) -> nn.Module:
        """A model as `torch.nn.Module` with the initial weights of `seed` (the spec's own by default)."""
        with loading():
            from .generated.build import initial_module

        spec = self.spec
        train = spec.recipe.trains[0] if spec.recipe.trains else None
        if model is not None:
            chosen = spec.model(model)
        else:
            chosen = spec.models[train.nets[0].model if train else 0]
        return initial_module(spec, chosen, train.seed if seed is None and train else seed or 0)

    def __repr__(self) -> str:
        return f"<dlc spec {self.name}>"


def load(path: str | Path, variant: str | None = None, **overrides: Any) -> Loaded:
    """A spec file (`digits.dlspec` or `digits.dlspec@wide`) with overrides: `load(path, hidden=64)`.

    Settings with a dot go in as `**{"train.batch": 32}`. A string value is the language's own text: `"5 epochs"`.
    """
    text = str(path)
    if variant is None and "@" in Path(text).name and not Path(text).exists():
        text, _, variant = text.rpartition("@")
    return Loaded(Path(text), [f"{name}={written(value)}" for name, value in overrides.items()], variant)


def written(value: Any) -> str:
    """A Python value in the language's syntax."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(written, value))}]"
    return str(value)


@contextmanager
def spec_errors(sources: Mapping[str, Source]) -> Iterator[None]:
    """Within, a mistake found in data or weights (`Failed`) becomes a SpecError with the sources that show its place."""
    try:
        yield
    except Failed as failure:
        raise SpecError([failure.diagnostic], sources) from None
