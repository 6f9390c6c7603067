"""The Python API: the public functions. What the command line does, without printing.

The types that they take and return lie below: `spec.py` (Loaded, SpecError), `run.py` (Run), and the rooms that do the work. These are
imported where they are used, since each loads torch, ONNX or ONNX Runtime and `import dlc` loads none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoints.judgements import Judgement
from .checkpoints.runs import as_json, compare
from .exporting.halves import without_kernels
from .exporting.options import ExportOptions
from .loading import loading
from .run import Run
from .spec import Loaded, SpecError, load, spec_errors
from .training.events import Listener, Note, silent
from .training.options import TrainOptions

if TYPE_CHECKING:
    from .exporting.export import Exported
    from .inference.prediction import Prediction
    from .weights.foreign import Written

__all__ = [
    "Loaded",
    "Run",
    "SpecError",
    "evaluate",
    "export",
    "export_weights",
    "judge",
    "load",
    "predict",
    "predict_batches",
    "runs",
    "train",
]


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
    """Trains a spec and returns the run.

    `out` is the run directory itself (default: the next number in `base/NAME`). `resume=True` continues the newest
    unfinished run, a path that run. `section` names the `train` section where there are several. `save_every` are the seconds
    between two checkpoints. Raises SpecError for mistakes of spec and data, and subclasses of RunFailure (diverged,
    interrupted, out of memory) otherwise.
    """
    with loading():
        from .judging.judge import Judge
        from .training import prepare

    loaded = spec if isinstance(spec, Loaded) else load(spec)
    options = TrainOptions(
        section=section,
        out=out,
        resume=resume,
        device=device,
        data_root=data_root,
        listener=listener,
        base=base,
        save_every=save_every,
        judge=Judge,
    )
    with spec_errors(loaded.sources):
        for precision in without_kernels(loaded.spec):
            text = f"`export` asks for {precision}, which ONNX Runtime cannot run here: the file could not be compared"
            listener(Note(text, "W0411"))
        return prepare.train(loaded, options)


def evaluate(
    run: Run | str | Path,
    split: str = "test",
    *,
    device: str = "auto",
    data_root: str | Path | None = None,
    edited: bool = False,
) -> dict[str, float]:
    """Losses and metrics of a run's kept weights on a split: `{"loss": .., "acc": ..}`.

    The code is generated from the run's spec. Where its `model.py` or `recipe.py` was edited since, a RunWarning reports it;
    `edited` runs these files as they are now, which executes whatever they contain.
    """
    with loading():
        from .training.reopen import reopen

    opened = reopen(run if isinstance(run, Run) else Run(run), device, data_root, edited=edited)
    with spec_errors(opened.sources):
        return opened.evaluate(split)


def judge(
    run: Run | str | Path,
    split: str = "test",
    *,
    device: str = "auto",
    data_root: str | Path | None = None,
    edited: bool = False,
    worst: int = 10,
    save: str | Path | None = None,
    form: str = "csv",
    report: str | Path | None = None,
) -> Judgement:
    """What `evaluate` gives, and how good the answers are: tables of classes and calibration, or residuals, in the units of the data,
    with the `worst` examples.

    `save` is a file for every example's target, answer, probabilities and loss, in the format `form` (csv, json, jsonl, parquet);
    `report` a page of HTML with drawings of all of it, and the worst examples as the model sees them.
    """
    with loading():
        from .judging.judged import judged
        from .training.reopen import reopen

    opened = reopen(run if isinstance(run, Run) else Run(run), device, data_root, edited=edited)
    with spec_errors(opened.sources):
        saved, page = (Path(path) if path is not None else None for path in (save, report))
        return judged(opened, split, worst, saved, form, page)


def predict(
    run: Run | str | Path, inputs: Any, *, device: str = "auto", data_root: str | Path | None = None
) -> Prediction:
    """What a run or an exported file (`.onnx`, without torch) predicts for raw records: files (tables, arrays, images, texts),
    directories of images, or arrays by source field.

    The inputs go through the same preprocessing as in training; see `Prediction` for what comes back.
    """
    with loading():
        from .inference.prediction import joined

    return joined(predict_batches(run, inputs, device=device, data_root=data_root))


def predict_batches(
    run: Run | str | Path, inputs: Any, *, device: str = "auto", data_root: str | Path | None = None
) -> Iterator[Prediction]:
    """What `predict` gives, a batch at a time: for inputs that do not fit in memory."""
    if not isinstance(run, Run) and Path(run).suffix == ".onnx":
        with loading():
            from .inference import answering
            from .inference.session import Session

        place = "cpu" if device == "cpu" else "cuda" if device.startswith("cuda") else "auto"
        yield from answering.stream(Session(run, place), inputs)
        return
    with loading():
        from .inference import predict
        from .training.reopen import reopen

    opened = reopen(run if isinstance(run, Run) else Run(run), device, data_root)
    with spec_errors(opened.sources):
        yield from predict.stream(opened, inputs)


def runs(*places: str | Path) -> list[dict[str, Any]]:
    """The runs in directories (default: `runs`), a record each: run, spec, started, state, step, seconds, the settings in
    which runs of one spec differ, figures. Made for `pandas.json_normalize`; loads no torch."""
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
    instead. The arguments beat the spec's `export` section; `section` names one where there are several. `cached` exports
    the key/value-cache form used for generation.
    """
    with loading():
        from .exporting import export

    options = ExportOptions(
        path=path,
        section=section,
        weights=weights,
        linked=linked,
        verify=verify,
        precision=precision,
        cached=cached,
    )
    source = _opened(spec_or_run)
    with spec_errors(source.sources):
        return export.export(source, options)


def export_weights(
    spec_or_run: Loaded | Run | str | Path, layout: str, path: str | Path | None = None, *, net: str | None = None
) -> Written:
    """Writes weights as safetensors in the layout of another library, which the weight map `layout` of the spec describes;
    `own` keeps the spec's names. `net` is needed where several nets have the map's model."""
    with loading():
        from .weights import foreign

    source = _opened(spec_or_run)
    with spec_errors(source.sources):
        return foreign.export_weights(source, layout, path, net=net)


def _opened(source: Loaded | Run | str | Path) -> Loaded | Run:
    """A path is that of a run when it is a directory, else that of a spec."""
    if isinstance(source, (Loaded, Run)):
        return source
    return Run(source) if Path(source).is_dir() else load(source)
