"""Where the weights of an export come from: a run, a file, given arrays, or what a spec begins with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...backends import safetensors_file
from ...backends.onnx import stored
from ...backends.onnx.weights import Weight
from ...backends.safetensors_file import Content
from ...compiler.dataclass import dataclass
from ..failure import BadInput, RunFailure, no_file
from ..run import Run
from ..spec import Loaded
from .request import Request

_OF_THE_SPEC = "export with the spec that the weights were trained with"


@dataclass(frozen=True)
class ChosenWeights:
    """Weights by parameter path, the safetensors file they lie in (if they do), and words on where they come from."""

    values: Mapping[str, Weight]
    file: Path | None
    words: str
    stamp: tuple[int, int] | None = None  # distinguishes the file from one that takes its place

    def check_unchanged(self) -> None:
        """Raises RunFailure when the file was replaced since it was opened: what was read may be of two trainings."""
        if self.file is not None and self.stamp != _stamp(self.file):
            raise RunFailure(
                f"`{self.file}` was replaced during the export: the run is still training", helps=("export again",)
            )


def choose_weights(request: Request, source: Loaded | Run) -> ChosenWeights:
    """The weights of a model: those given, else the run's kept ones, else those that the spec begins with."""
    given, net = request.options.weights, request.net
    if isinstance(given, Mapping):
        return ChosenWeights({name: _numpy(value) for name, value in given.items()}, None, "given arrays")
    if given is not None:
        return _from_file(Path(given), "", f"the file {Path(given).name}")
    if isinstance(source, Run):
        file = source.kept_weights()
        return _from_file(file, f"{net}." if net else "", f"the run {source.path.name}, {file.parent.name}")
    from ..weights.load import first_values  # loads torch

    root = source.path.parent  # paths of weights are relative to the spec
    made, words = first_values(request.spec, request.model, request.train, net, root)
    return ChosenWeights({path: _numpy(value) for path, value in made.items()}, None, words)


def _from_file(file: Path, prefix: str, words: str) -> ChosenWeights:
    try:
        stamp = _stamp(file)
        table = stored(file)
    except FileNotFoundError:
        raise no_file(file, "weights file") from None
    except (ValueError, OSError) as error:
        raise BadInput(
            f"`{file}` cannot be read as weights",
            notes=(str(error),),
            helps=("use a safetensors file, such as `best/model.safetensors` of a run",),
            code="E0412",
        ) from None
    values = {name[len(prefix) :]: value for name, value in table.items() if name.startswith(prefix)}
    return ChosenWeights(values, file, words, stamp)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def saved(chosen: ChosenWeights, file: Path) -> ChosenWeights:
    """The weights in a safetensors file, to link to."""
    safetensors_file.write(
        file, {name: _content(array_of(value)) for name, value in chosen.values.items()}, {"made_by": "dlc"}
    )
    return _from_file(file, "", chosen.words)


def _content(array: np.ndarray[Any, Any]) -> Content:
    plain = np.array(array, order="C")
    return Content(plain.dtype.name, plain.shape, lambda: plain.reshape(-1).view(np.uint8).data)


def _numpy(value: Any) -> np.ndarray[Any, Any]:
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def array_of(value: Weight) -> np.ndarray[Any, Any]:
    """The numbers of a weight, wherever they lie."""
    return value if isinstance(value, np.ndarray) else value.array()


def missing(error: Any, chosen: ChosenWeights) -> BadInput:
    """What is wrong with weights of which the graph needs one that they lack, or have in another shape."""
    wanted, found = list(error.wanted), error.found
    if found is not None:
        return BadInput(
            f"`{error.path}` is {wanted} in the model and {list(found)} in the weights",
            notes=(f"the weights: {chosen.words}",),
            helps=(_OF_THE_SPEC,),
        )
    return BadInput(
        f"the weights have no `{error.path}` {wanted}", notes=(f"the weights: {chosen.words}",), helps=(_OF_THE_SPEC,)
    )
