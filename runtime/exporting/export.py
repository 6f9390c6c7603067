"""Writing a model as ONNX: weights, cut and precision as the `export` section says, verified before it is there."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...compiler.ir.expand import parameters
from ...compiler.ir.export import Export
from ...compiler.ir.model import Model, Spec
from ...compiler.ir.submodel import cut
from ...compiler.ir.train import Train
from ...compiler.messages import export as errors
from ...compiler.messages.diagnostics import Failed
from ..failure import BadInput, RunFailure
from .weights_of_export import Origin, array_of, missing, origin_of, saved

if TYPE_CHECKING:
    from ..api import Loaded, Run
    from .parity import Parity


@dataclass(frozen=True)
class Exported:
    """What was written. `weights` says where they come from; `parity` is None when nothing was compared; `kept` counts the
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


def sections(source: Loaded | Run | str | Path) -> list[str]:
    """Names of the `export` sections; [""] when there is none, since the model can be exported all the same."""
    spec, _ = _opened(source)
    found = [section.name for section in spec.recipe.exports]
    return found or [""]


def export(
    source: Loaded | Run | str | Path,
    destination: str | Path | None = None,
    *,
    section: str | None = None,
    weights: Mapping[str, Any] | str | Path | None = None,
    linked: bool = False,
    verify: bool = True,
    precision: str | None = None,
    cached: bool = False,
) -> Exported:
    """Exports a spec or a run; the arguments beat the spec.

    `section` names the `export` section where there are several. `weights` are arrays by parameter path or a safetensors
    file, by default the run's kept weights, or initial ones. `linked` leaves the weights in a safetensors file beside the
    model. `cached` writes the form that continues a sequence, with keys and values of earlier positions as inputs. Nothing is at the destination unless everything, the comparison with PyTorch included, went well. Raises
    Disagrees, BadInput, and Failed for what the spec asks for and ONNX cannot say.
    """
    from ...backends.onnx import MissingWeight, lower, write_linked, write_packed
    from ...backends.onnx.quantize import LEAST

    spec, run = _opened(source)
    chosen = _section(spec, section)
    model = spec.models[chosen.model] if chosen else _default_model(spec)
    train = _train_of(spec, chosen)
    net = chosen.net if chosen else (train.nets[0].name if train else "")
    path = _destination(spec, run, chosen, destination)
    precision = precision or (chosen.precision if chosen else "f32")
    if precision not in ("f32", "f16", "bf16"):
        raise BadInput(f"there is no precision `{precision}`", helps=('`"f32"`, `"f16"` or `"bf16"`',))
    if chosen is not None and chosen.opset not in (None, 23):
        raise Failed(
            errors.inexpressible(
                f"opset = {chosen.opset}",
                "ONNX",
                "opset 23 is written: `Attention` and `RMSNormalization` begin with it",
                chosen.span,
            )
        )
    quantize = chosen.quantize.name if chosen is not None and chosen.quantize is not None else None
    if chosen is not None and chosen.quantize is not None and precision != "f32":
        raise Failed(errors.quantized_half(precision, chosen.quantize.span))
    fix = dict(chosen.fix) if chosen else {}
    origin = origin_of(spec, model, net, train, run, weights)
    part, part_model = spec, model
    if chosen is not None:
        part, part_model = cut(spec, model, inputs=chosen.inputs, tail=spec.bodies[chosen.tail])
    described = ""
    if chosen is not None and train is not None:
        from .preprocessing import pipeline, with_preprocessing

        data, fitted = spec.recipe.dataset(train.data), _fitted(run)
        described = pipeline(data, train, chosen.inputs, fitted if chosen.preprocess else None)
        if chosen.preprocess:
            part, part_model, constants = with_preprocessing(part, part_model, data, train, fitted)
            origin = Origin({**origin.values, **constants}, origin.file, origin.words)
    seconds: dict[str, float] = {}
    with _staging(path) as folder:
        if linked and origin.file is None:
            origin = saved(origin, folder / f"{path.stem}.safetensors")
        start = time.perf_counter()
        metadata = {
            "dlc.spec": spec.name, "dlc.spec_hash": _digest(spec), "dlc.weights": origin.words,
            "dlc.parameters": str(sum(entry.size for entry in parameters(spec, model) if not entry.buffer)),
            "dlc.precision": quantize or precision, "dlc.preprocessing": described, "dlc.classes": json.dumps(_classes(run)),
            "dlc.vocabulary": json.dumps(_vocabulary(run, train, chosen)),
        }  # fmt: skip
        if verify:
            metadata["dlc.compared_on"] = processor()
        try:
            made = lower(
                part,
                part_model,
                origin.values,
                fix=fix,
                precision=precision,
                cached=cached,
                quantize=quantize,
                metadata=metadata,
            )
        except MissingWeight as error:
            raise missing(error, origin) from None
        if chosen is not None and chosen.quantize is not None and made.metadata_props["dlc.quantized"] == "0":
            raise Failed(errors.nothing_to_quantize(LEAST, chosen.quantize.span))
        seconds["lower"] = time.perf_counter() - start
        start = time.perf_counter()
        staged = folder / path.name
        if linked:
            assert origin.file is not None
            inside = origin.file.resolve().parent == path.resolve().parent
            files = write_linked(made, staged, origin.file, origin.file.name if inside else None)
        else:
            files = write_packed(made, staged)
        seconds["write"] = time.perf_counter() - start
        _check(made)
        parity = None
        if verify:
            start = time.perf_counter()
            parity = _verified(part, part_model, origin, staged, quantize or precision, fix)
            seconds["verify"] = time.perf_counter() - start
        placed = _place(files, path)
    graph = made.graph
    return Exported(
        path,
        tuple(placed),
        len(graph),
        sum(file.stat().st_size for file in placed),
        _ports(graph.inputs),
        _ports(graph.outputs),
        quantize or precision,
        origin.words,
        seconds,
        parity,
        sum((value.name or "").startswith("past_key_values.") for value in graph.inputs) // 2,
    )


# ---- what is exported ----------------------------------------------------------------------------------------------------------


def _opened(source: Loaded | Run | str | Path) -> tuple[Spec, Run | None]:
    """The spec, and the run when it is one."""
    from ..api import Loaded, Run, load

    if isinstance(source, Loaded):
        return source.spec, None
    if isinstance(source, Run):
        from ..training.prepare import read_spec

        return read_spec(source.directory), source
    path = Path(source)
    if path.is_dir():
        return _opened(Run(path))
    return load(source).spec, None


def _section(spec: Spec, name: str | None) -> Export | None:
    found = spec.recipe.exports
    if name is None:
        if len(found) > 1:
            listed = ", ".join(f"`{section.name}`" for section in found)
            raise BadInput(f"`{spec.name}` has several `export` sections: {listed}", helps=("name one",))
        return found[0] if found else None
    for section in found:
        if section.name == name:
            return section
    if name == "" and not found:
        return None
    listed = ", ".join(f"`{section.name}`" for section in found) or "none"
    raise BadInput(f"`{spec.name}` has no `export` section `{name}`", notes=(f"its sections: {listed}",))


def _default_model(spec: Spec) -> Model:
    """The model of the only `train` section, else the only model."""
    trains = spec.recipe.trains
    if len(trains) == 1 and len(trains[0].nets) == 1:
        return spec.models[trains[0].nets[0].model]
    if len(spec.models) == 1:
        return spec.models[0]
    listed = ", ".join(f"`{model.name}`" for model in spec.models) or "none"
    raise BadInput(
        f"`{spec.name}` does not say which model to export: {listed}", helps=("`export { model = .. }` names it",)
    )


def _train_of(spec: Spec, section: Export | None) -> Train | None:
    """The `train` section whose weights are exported; None for a model that none trains."""
    trains = spec.recipe.trains
    if section is not None:
        return (
            next((train for train in trains if train.name == section.train), None)
            if section.train is not None
            else None
        )
    return trains[0] if len(trains) == 1 and len(trains[0].nets) == 1 else None


def _destination(spec: Spec, run: Run | None, section: Export | None, wanted: str | Path | None) -> Path:
    if wanted is not None:
        path = Path(wanted)
    else:
        name = section.onnx if section is not None else f"{spec.name}.onnx"
        path = run.path / "export" / name if run is not None else Path(name)
    if path.is_dir():
        raise BadInput(f"`{path}` is a directory", helps=("name the file: `-o model.onnx`",))
    return path


def processor() -> str:
    """The processor that compares, and the kernels that PyTorch and ONNX Runtime choose for it: `x86_64 AVX2, ...`."""
    import onnxruntime
    import torch

    features = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} {features}, onnxruntime {onnxruntime.__version__}, torch {torch.__version__}"


# ---- what the run knew --------------------------------------------------------------------------------------------------------


def _fitted(run: Run | None) -> dict[int, dict[str, Any]]:
    """What the run's data learned; nothing for a spec."""
    if run is None:
        return {}
    about = run.directory.json("data.json")
    return {int(node): learned for node, learned in about["fitted"].items()}


def _classes(run: Run | None) -> dict[str, list[str]]:
    """Class names by data field, where the run's data gave them."""
    return run.directory.json("data.json").get("classes", {}) if run is not None else {}


def _vocabulary(run: Run | None, train: Train | None, section: Export | None) -> dict[str, list[str]]:
    """What the numbers of an input stand for, by input, where the run's data knew: characters."""
    texts: dict[str, list[str]] = run.directory.json("data.json").get("texts", {}) if run is not None else {}
    if train is None or not texts:
        return {}
    fields = {name: train.inputs.get(name, name) for name in (section.inputs if section is not None else texts)}
    return {name: texts[field] for name, field in fields.items() if field in texts}


def _digest(spec: Spec) -> str:
    return hashlib.blake2b(spec.model_dump_json().encode(), digest_size=16).hexdigest()


# ---- checking and placing ------------------------------------------------------------------------------------------------------


@contextmanager
def _staging(path: Path) -> Iterator[Path]:
    """A folder beside the destination, gone at the end; a folder made for the destination goes too when it stays empty."""
    new = [parent for parent in (path.parent, *path.parent.parents) if not parent.exists()]
    folder = path.parent / f".{path.name}.{os.getpid()}.part"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in new:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _check(made: Any) -> None:
    """`onnx.checker` on the graph; what it finds is our fault."""
    import onnx

    from ...backends.onnx.write import skeleton

    try:
        onnx.checker.check_model(skeleton(made))
    except (onnx.checker.ValidationError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise AssertionError(f"the graph of {made.graph.name} is not valid ONNX: {first}") from error


def _verified(spec: Spec, model: Model, origin: Origin, staged: Path, precision: str, fix: Mapping[str, int]) -> Parity:
    from .parity import Disagrees, verify
    from .reference_model import module_of

    module = module_of(spec, model, {name: array_of(value) for name, value in origin.values.items()})
    try:
        parity = verify(module, staged, spec, model, precision=precision, fix=fix)
    except BadInput as error:  # it is not the user's input that is bad here
        raise RunFailure(
            f"ONNX Runtime cannot run what was exported in {precision}, so nothing was compared",
            notes=(str(error.notes[0]),) if error.notes else (str(error),),
            helps=("`--no-verify` exports without the comparison",),
        ) from None
    if not parity.ok:
        raise Disagrees(parity)
    return parity


def _place(files: list[Path], path: Path) -> list[Path]:
    """Moves what is beside the destination into place, the model last."""
    placed: list[Path] = []
    for file in reversed(files):
        target = path.parent / file.name
        if not (target.exists() and os.path.samefile(target, file)):
            os.replace(file, target)
        placed.append(target)
    return placed[::-1]


def _port(value: Any) -> str:
    from ...backends.onnx.graph import DATA_TYPES

    dtype = next(name for name, data_type in DATA_TYPES.items() if data_type == value.dtype)
    return f"{value.name} {dtype}[{', '.join(str(d) for d in value.shape)}]"


def _ports(values: Any) -> tuple[str, ...]:
    """Inputs or outputs; of what a cached form keeps, only the first pair in full."""
    kept = [value for value in values if (value.name or "").startswith(("past_key_values.", "present."))]
    shown = [_port(value) for value in values if value not in kept]
    if kept:
        many = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
        shown.append(f"{_port(kept[0])}{many}")
    return tuple(shown)
