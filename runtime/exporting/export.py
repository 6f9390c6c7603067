"""Writing a model as ONNX: weights, cut and precision as the `export` section defines, verified before it is in place."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from ...backends.onnx import GraphForm, MissingWeight, lower, write_linked, write_packed
from ...backends.onnx.graph import DATA_TYPES
from ...backends.onnx.write import skeleton
from ...compiler.catalogue.ops.linear import LEAST_ROUNDED
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.model import Model, Spec
from ...compiler.ir.submodel import cut
from ...compiler.messages import export as errors
from ...compiler.messages.diagnostics import Failed
from .. import locks
from ..destination import refuse_foreign
from ..failure import BadInput, InUse, RunFailure
from ..inference.answers import Answer, as_json
from ..run import Run
from ..spec import Loaded
from ..training.edited import warn_of_edits
from ..writing import drop_empty, writing
from . import pipeline
from .chosen_weights import ChosenWeights, array_of, choose_weights, missing, saved
from .options import ExportOptions
from .outputs import answers_of
from .parity import Disagrees, Parity, verify
from .preprocessing import described, with_preprocessing
from .reference_model import module_of
from .request import Request, processor, request_of
from .units import in_units


@dataclass(frozen=True)
class Subject:
    """What the graph is made from: a model, whole or cut, and the spec that holds its bodies; and what its outputs stand for."""

    spec: Spec
    model: Model
    answers: Mapping[str, Answer] = field(default_factory=dict[str, Answer])


@dataclass(frozen=True)
class Exported:
    """What was written. `weights` describes where they come from; `parity` is None when nothing was compared; `kept` counts the
    attentions whose keys and values a cached form keeps."""

    path: Path
    files: tuple[Path, ...]
    nodes: int
    bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    precision: str
    weights: str
    seconds: Mapping[str, float]
    parity: Parity | None
    kept: int = 0


def export(source: Loaded | Run, options: ExportOptions) -> Exported:
    """Exports a spec or a run.

    Nothing is at the destination unless everything went well, the comparison with PyTorch included. Raises Disagrees,
    BadInput, and Failed for what the spec asks for and ONNX cannot express.
    """
    request = request_of(source, options)
    if request.run is not None:
        warn_of_edits(request.run, "the file is written from the spec")
    weights = choose_weights(request, source)
    subject, weights, preprocessing = _subject(request, weights)
    seconds: dict[str, float] = {}
    with _staging(request.path) as folder:
        if options.linked and weights.file is None:
            with writing(request.path):
                weights = saved(weights, folder / f"{request.path.stem}.safetensors")
        if options.verify:
            processor()  # loads torch, which only the comparison needs: not part of the time to lower
        with _timed(seconds, "lower"):
            made = _lowered(request, subject, weights, preprocessing)
        with _timed(seconds, "write"), writing(request.path):
            staged = folder / request.path.name
            if options.linked:
                assert weights.file is not None
                inside = weights.file.resolve().parent == request.path.resolve().parent
                files = write_linked(made, staged, weights.file, weights.file.name if inside else None)
            else:
                files = write_packed(made, staged)
        _check(made)
        parity = None
        if options.verify:
            with _timed(seconds, "verify"):
                parity = _compared(request, subject, weights, staged)
        weights.check_unchanged()
        with writing(request.path):
            placed = _place(files, request.path, weights)
    graph = made.graph
    return Exported(
        request.path,
        tuple(placed),
        len(graph),
        sum(file.stat().st_size for file in placed),
        _ports(graph.inputs),
        _ports(graph.outputs),
        request.written_as,
        weights.words,
        seconds,
        parity,
        sum((value.name or "").startswith("past_key_values.") for value in graph.inputs) // 2,
    )


def _subject(request: Request, weights: ChosenWeights) -> tuple[Subject, ChosenWeights, str]:
    """The part of the model that is exported, with preprocessing in front where the section asks for it; its weights; and
    what the metadata say about preprocessing."""
    section, train = request.section, request.train
    if section is None:
        return (
            Subject(request.spec, request.model, answers_of(request, request.spec.body_of(request.model))),
            weights,
            "",
        )
    spec, model = cut(request.spec, request.model, inputs=section.inputs, tail=request.spec.bodies[section.tail])
    subject = Subject(spec, model, answers_of(request, spec.body_of(model)))
    if train is None:
        return subject, weights, ""
    data, fitted = request.spec.recipe.dataset(train.data), request.fitted()
    told = described(data, train, section.inputs, fitted if section.preprocess else None)
    if section.preprocess:
        spec, model, constants = with_preprocessing(subject.spec, subject.model, data, train, fitted)
        answers = subject.answers
        if request.precision == "f32":  # values in the units of the data may exceed what f16 holds
            spec, model, more, answers = in_units(spec, model, answers)
            constants = {**constants, **more}
        subject, weights = Subject(spec, model, answers), replace(weights, values={**weights.values, **constants})
    return subject, weights, told


def _lowered(request: Request, subject: Subject, weights: ChosenWeights, preprocessing: str) -> Any:
    """The ONNX model. Raises BadInput for weights that lack one of the graph's."""
    body = subject.spec.body_of(subject.model)
    quantize, answers = request.quantize, subject.answers
    inputs = [value.name for value in body.inputs]
    data = request.pipeline(inputs)
    form = GraphForm(
        fix=request.fix,
        precision=request.precision,
        quantize=quantize.name if quantize is not None else None,
        cached=request.options.cached,
        lookups={name: found.lookup for name, found in request.lookups(inputs).items()},
        metadata={
            **request.metadata(weights.words, preprocessing),
            "dlc.outputs": as_json(answers),
            "dlc.data": pipeline.as_json(data, [answer.field for answer in answers.values()]),
        },
    )
    try:
        made = lower(subject.spec, subject.model, weights.values, form)
    except MissingWeight as error:
        raise missing(error, weights) from None
    if quantize is not None and made.metadata_props["dlc.quantized"] == "0":
        raise Failed(errors.nothing_to_quantize(LEAST_ROUNDED, quantize.span))
    return made


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


# ---- checking and placing ------------------------------------------------------------------------------------------------------


@contextmanager
def _staging(path: Path) -> Iterator[Path]:
    """A folder next to the destination, gone at the end; a folder made for the destination goes too when it stays empty. While it
    is there, no other process exports to the same destination."""
    new = [parent for parent in (path.parent, *path.parent.parents) if not parent.exists()]
    folder = path.parent / f".{path.name}.part"
    with ExitStack() as stack:
        for parent in reversed(new):
            stack.callback(drop_empty, parent)
        try:
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locks.held(path.parent / f".{path.name}{locks.NAME}"))
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
                shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
                folder.mkdir()
        except locks.LockHeld as other:
            raise InUse(
                f"{other.words} is exporting to `{path}`", helps=("wait for it, or name another file with `-o`",)
            ) from None
        yield folder


def _check(made: Any) -> None:
    """`onnx.checker` on the graph; what it finds is our fault."""
    try:
        onnx.checker.check_model(skeleton(made))
    except (onnx.checker.ValidationError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise AssertionError(f"the graph of {made.graph.name} is not valid ONNX: {first}") from error


def _compared(request: Request, subject: Subject, weights: ChosenWeights, staged: Path) -> Parity:
    """Compares the staged file with PyTorch on the same inputs. Raises Disagrees beyond the tolerance."""
    from .. import not_finite  # loads torch

    module = module_of(subject.spec, subject.model, {name: array_of(value) for name, value in weights.values.items()})
    words = not_finite.named(module.named_parameters()) + not_finite.named(
        module.named_buffers(), dict(module.named_buffers())
    )
    if words:
        raise BadInput(
            "the weights are not numbers, so the file would answer NaN",
            notes=(f"the weights: {weights.words}", *not_finite.summary(words)),
            helps=(
                "export other weights: a checkpoint from before the training diverged",
                "write the file all the same: `--no-verify`",
            ),
            code=not_finite.CODE,
        )
    try:
        inputs = [value.name for value in subject.spec.body_of(subject.model).inputs]
        strings = {name: found.lookup.names for name, found in request.lookups(inputs).items()}
        parity = verify(
            module, staged, subject.spec, subject.model, precision=request.written_as, fix=request.fix, strings=strings
        )
    except BadInput as error:  # it is not the user's input that is bad here
        raise RunFailure(
            f"ONNX Runtime cannot run what was exported in {request.written_as}, so nothing was compared",
            notes=(str(error.notes[0]),) if error.notes else (str(error),),
            helps=("export without the comparison: `--no-verify`",),
        ) from None
    if not parity.ok:
        raise Disagrees(parity)
    return parity


def _place(files: list[Path], path: Path, weights: ChosenWeights) -> list[Path]:
    """Moves what is next to the destination into place, the model last. Files next to the model that dlc did not write stay."""
    placed: list[Path] = []
    for file in files:
        if file.name != path.name and file.parent != path.parent:
            refuse_foreign(path.parent / file.name, path, weights.file)
    for file in reversed(files):
        target = path.parent / file.name
        if not (target.exists() and os.path.samefile(target, file)):
            os.replace(file, target)
        placed.append(target)
    return placed[::-1]


def _port(value: Any) -> str:
    named = {data_type: name for name, data_type in DATA_TYPES.items()}
    dtype = named.get(value.dtype, "string")
    return f"{value.name} {dtype}[{', '.join(str(d) for d in value.shape)}]"


def _ports(values: Any) -> tuple[str, ...]:
    """Inputs or outputs; of what a cached form keeps, only the first pair in full."""
    kept = [value for value in values if (value.name or "").startswith(("past_key_values.", "present."))]
    shown = [_port(value) for value in values if value not in kept]
    if kept:
        many = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
        shown.append(f"{_port(kept[0])}{many}")
    return tuple(shown)
