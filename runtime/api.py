"""The Python API: specs, runs, training, evaluation. What the command line does, without printing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiler.check import Checked, check
from ..compiler.messages.diagnostics import Diagnostic, Failed
from ..compiler.messages.render import render
from .training.events import Listener, silent

if TYPE_CHECKING:
    from torch import nn

    from ..compiler.ir.model import Spec
    from ..compiler.ir.train import Train
    from ..compiler.messages.source import Source
    from .checkpoints.rundir import RunDir
    from .exporting.export import Exported
    from .weights.foreign import Written


class SpecError(Exception):
    """A spec, or the data it names, has mistakes. `diagnostics` are they, the text shows them with their places."""

    exit_code = 2

    def __init__(self, diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source]) -> None:
        super().__init__("\n" + render(diagnostics, sources).rstrip())
        self.diagnostics = list(diagnostics)
        self.sources = sources


class Loaded:
    """A spec with its overrides. Nothing is raised for its mistakes until it is used."""

    def __init__(self, path: Path, overrides: Sequence[str], variant: str | None) -> None:
        self.path, self.overrides, self.variant = path, tuple(overrides), variant
        self.checked: Checked = check(path, self.overrides, variant)

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

    def check(self) -> list[Diagnostic]:
        """All mistakes and warnings; no errors among them when the spec is right."""
        return list(self.checked.report.diagnostics)

    def module(self, model: str | None = None, *, seed: int | None = None) -> nn.Module:
        """A model as `torch.nn.Module` with the initial weights of `seed` (the spec's own by default)."""
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


class Run:
    """A run on disk. `figures` are those of its result (`test.acc`), empty while it is not complete."""

    def __init__(self, path: str | Path) -> None:
        from .checkpoints import rundir

        self.directory: RunDir = rundir.find(Path(path))
        self.path = self.directory.path

    @property
    def sources(self) -> dict[str, Source]:
        """The texts that the run's spec was read from, for messages about it."""
        from ..compiler.messages.source import Source
        from .training.prepare import read_spec

        return {text.name: Source(text.name, text.text) for text in read_spec(self.directory).sources}

    @property
    def result(self) -> dict[str, Any]:
        return self.directory.json("result.json") if self.directory.finished else {}

    @property
    def figures(self) -> dict[str, float]:
        return self.result.get("figures", {})

    def __repr__(self) -> str:
        return f"<dlc run {self.path}>"


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


def train(
    spec: Loaded | str | Path,
    *,
    section: str | None = None,
    out: str | Path | None = None,
    resume: bool | str | Path = False,
    device: str = "auto",
    data_root: str | Path | None = None,
    listener: Listener = silent,
    base: str | Path = "runs",
    save_every: float | None = None,
) -> Run:
    """Trains a spec and gives the run.

    `out` is the run directory itself, by default the next number in `base/NAME`. `resume=True` continues the newest
    unfinished run, a path that run. `section` names the `train` section where there are several. Raises SpecError for
    mistakes of spec and data, and subclasses of RunFailure (diverged, interrupted, out of memory) otherwise.
    """
    from .training import prepare

    loaded = spec if isinstance(spec, Loaded) else load(spec)
    with told(loaded):
        return Run(
            prepare.train(
                loaded,
                section=section,
                out=Path(out) if out else None,
                resume=resume,
                device=device,
                data_root=Path(data_root) if data_root else None,
                listener=listener,
                base=Path(base),
                save_every=save_every,
            )
        )


def evaluate(
    run: Run | str | Path, split: str = "test", *, device: str = "auto", data_root: str | Path | None = None
) -> dict[str, float]:
    """Losses and metrics of a run's kept weights on a split: `{"loss": .., "acc": ..}`."""
    from .training import prepare

    opened = prepare.reopen(run if isinstance(run, Run) else Run(run), device, Path(data_root) if data_root else None)
    with told(opened.sources):
        return opened.evaluate(split)


def predict(run: Run | str | Path, inputs: Any, *, device: str = "auto", data_root: str | Path | None = None) -> Any:
    """What the run's model says of raw records: files (`.npz`, `.csv`, images, text) or arrays by source field.

    The inputs go through the same preprocessing as in training; see `Prediction` for what comes back.
    """
    from .inference.predict import predict as predict_with
    from .training import prepare

    opened = prepare.reopen(run if isinstance(run, Run) else Run(run), device, Path(data_root) if data_root else None)
    with told(opened.sources):
        return predict_with(opened, inputs)


def runs(*places: str | Path) -> list[dict[str, Any]]:
    """The runs in directories (default: `runs`), a record each: run, spec, started, state, step, seconds, the settings in
    which runs of one spec differ, figures. Made for `pandas.json_normalize`; needs no torch."""
    from .checkpoints.runs import as_json, compare

    return as_json(compare(*(places or ("runs",))))


def export(
    spec_or_run: Loaded | Run | str | Path,
    path: str | Path | None = None,
    *,
    section: str | None = None,
    weights: Mapping[str, Any] | str | Path | None = None,
    linked: bool = False,
    verify: bool = True,
    precision: str | None = None,
    cached: bool = False,
) -> Exported:
    """Writes an ONNX file and compares it with PyTorch; nothing is at `path` unless they agree.

    A run exports its kept weights, a spec the initial ones; `weights` are arrays by parameter path or a safetensors file
    instead. The arguments beat the spec's `export` section; `section` names one where there are several. `cached` is the
    form for generation: keys and values of earlier positions come in, those of all positions go out.
    """
    from .exporting.export import export as export_with

    source = spec_or_run
    if isinstance(source, (str, Path)):
        source = Run(source) if Path(source).is_dir() else load(source)
    with told(source if isinstance(source, Loaded) else source.sources):
        return export_with(
            source,
            path,
            section=section,
            weights=weights,
            linked=linked,
            verify=verify,
            precision=precision,
            cached=cached,
        )


def export_weights(
    spec_or_run: Loaded | Run | str | Path, layout: str, path: str | Path | None = None, *, net: str | None = None
) -> Written:
    """Writes weights as safetensors in the layout of another library, which the weight map `layout` of the spec describes;
    `own` keeps the spec's names. `net` is needed where several nets have the map's model."""
    from .weights.foreign import export_weights as export_with

    source = spec_or_run
    if isinstance(source, (str, Path)):
        source = Run(source) if Path(source).is_dir() else load(source)
    with told(source if isinstance(source, Loaded) else source.sources):
        return export_with(source, layout, path, net=net)


class told:
    """Turns a mistake found in data into a SpecError with the sources that show its place."""

    def __init__(self, sources: Loaded | Mapping[str, Source]) -> None:
        self.sources = sources.checked.sources if isinstance(sources, Loaded) else sources

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Failed):
            raise SpecError([error.diagnostic], self.sources) from None


def find_section(spec: Spec, name: str | None) -> Train:
    """The `train` section to use."""
    from .failure import BadInput

    trains = spec.recipe.trains
    if not trains:
        raise BadInput(f"`{spec.name}` has no `train` section", helps=("add one: `train { model = .. data = .. }`",))
    if name is None and len(trains) == 1:
        return trains[0]
    for found in trains:
        if found.name == name:
            return found
    names = ", ".join(f"`{found.name}`" for found in trains)
    raise BadInput(f"which `train` section? this spec has {names}", helps=("`--section NAME` chooses one",))
