"""An exported model in ONNX Runtime. Works without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ...backends.safetensors_file import LINKED_FILE, LINKED_HASH, fingerprint
from ...compiler.ir.expand import compare
from ...compiler.messages.names import nearest
from ...compiler.sizes.dims import Size, evaluate, from_text, var, variables
from ..failure import BadInput, no_file
from . import answering, external_files
from .file_facts import FileFacts
from .generate import generate
from .ports import Array, Port
from .prediction import Prediction, joined
from .providers import CUDA, Choice, Provider, choose, failed

_DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(int16)": np.int16, "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_, "tensor(string)": np.object_,
}  # fmt: skip


MOST_THREADS = 1024


class Session:
    """Runs a model. `inputs`, `outputs`, `metadata` and `provider` say what it is and where it runs; `answers` what each output
    stands for, if the file names it; `cached` what it keeps from step to step (None: nothing); `pipeline` what leads from raw
    records to the inputs (None: the file does not hold it).

    `predict` takes arrays by input name and gives arrays by output name; facts that the spec states about sizes
    (`require H % 16 == 0`, `T <= ctx`) are checked first. Raises BadInput for what the caller got wrong.
    """

    def __init__(
        self,
        path: str | Path,
        providers: Choice = "auto",
        *,
        threads: int | None = None,
        optimization: Literal["all", "none"] = "all",
        verify_weights: bool = True,
    ) -> None:
        import onnxruntime

        self.path = Path(path)
        if threads is not None and not 1 <= threads <= MOST_THREADS:
            raise BadInput(
                f"`threads` must be between 1 and {MOST_THREADS}, not {threads}",
                helps=("leave `threads` out: ONNX Runtime then chooses",),
            )
        if self.path.is_dir():
            raise BadInput(f"`{path}` is a directory", helps=("name the file in it that `dlc export` wrote",))
        if not self.path.is_file():
            raise no_file(self.path, "model")
        self.provider: Provider = choose(providers)
        options = onnxruntime.SessionOptions()
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimization == "all" else levels.ORT_DISABLE_ALL
        options.log_severity_level = 4
        # Several live sessions called in turn would otherwise steal each other's cores by spinning (2.6 times slower).
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if self.provider.name == CUDA:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "0")
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session: Any = onnxruntime.InferenceSession(str(self.path), options, providers=[self.provider.name])
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions share no base class
            raise _unreadable(self.path, error) from None
        try:
            self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
            self.inputs = _ports(self._session.get_inputs())
            self.outputs = _ports(self._session.get_outputs())
        except UnicodeDecodeError as error:
            raise _unreadable(self.path, error) from None
        self.about = FileFacts(self.path, self.metadata)
        self.answers = self.about.answers()
        self.columns = self.about.columns()
        self.pipeline = self.about.pipeline(self.inputs)
        self.cached = self.about.cached(self.inputs, self.outputs)
        facts = self.about.sizes()
        self.bounds: dict[str, tuple[int, int | None]] = dict(facts.bounds)
        self.divisors: dict[str, int] = dict(facts.divisors)
        self._requirements = [(*requirement.sides, requirement) for requirement in facts.requirements]
        if verify_weights:
            self._verify_weights()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the sizes that the caller chooses."""
        found: dict[str, None] = {}
        for port in self.inputs:
            for size in port.shape:
                found.update(dict.fromkeys(sorted(variables(as_size(size)))))
        return tuple(found)

    def __repr__(self) -> str:
        inputs, outputs = (", ".join(map(str, ports)) for ports in (self.inputs, self.outputs))
        return f"<dlc session {self.path.name} on {self.provider.device}: {inputs} -> {outputs}>"

    def __call__(self, **inputs: ArrayLike) -> dict[str, Array]:
        return self.predict(inputs)

    def predict(self, inputs: Mapping[str, ArrayLike], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Runs the model once: arrays by input name to arrays by output name (all, or those named)."""
        feeds = self._feeds(inputs)
        wanted = [port.name for port in self.outputs] if outputs is None else list(outputs)
        for name in wanted:
            if name not in {port.name for port in self.outputs}:
                raise self._unknown("output", name, self.outputs)
        try:
            return dict(zip(wanted, self._session.run(wanted, feeds), strict=True))
        except Exception as error:  # noqa: BLE001 - see above
            raise failed(error) from None

    def answer(self, records: Any) -> Prediction:
        """Predictions for raw records, as `dlc.predict` gives them for a run: files and directories, or arrays by source field. The
        transforms of the data that the graph does not hold are applied first. A file that does not know its data (it was not
        exported from a run) takes arrays by input name, or files with these."""
        return joined(answering.stream(self, records))

    def generate(
        self,
        prompt: Sequence[int],
        count: int,
        *,
        temperature: float = 0.0,
        top_k: int | None = None,
        seed: int = 0,
        below: int | None = None,
    ) -> Iterator[int]:
        """`count` tokens that follow the tokens `prompt`, one after another; see `runtime/inference/generate.py`."""
        return generate(self, prompt, count, temperature=temperature, top_k=top_k, seed=seed, below=below)

    @property
    def raw(self) -> Any:
        """The `onnxruntime.InferenceSession`."""
        return self._session

    # ---- checks ----------------------------------------------------------------------------------------------------

    def _feeds(self, inputs: Mapping[str, ArrayLike]) -> dict[str, Array]:
        ports = {port.name: port for port in self.inputs}
        for name in inputs:
            if name not in ports:
                raise self._unknown("input", name, self.inputs)
        missing = [str(port) for name, port in ports.items() if name not in inputs]
        if missing:
            raise BadInput(
                f"missing input `{missing[0]}`",
                notes=(f"the model takes {_listed(self.inputs)}",),
                helps=("give an array for every input, by its name",),
            )
        feeds = {name: _array(inputs[name], port) for name, port in ports.items()}
        self.check_sizes({name: array.shape for name, array in feeds.items()})
        return feeds

    def check_sizes(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Whether shapes fit the model and its facts; BadInput if not."""
        sizes: dict[str, tuple[int, str]] = {}
        terms: list[tuple[Size, int, str]] = []
        for port in self.inputs:
            shape = shapes[port.name]
            if len(shape) != len(port.shape):
                one = len(shape) == len(port.shape) - 1 and not isinstance(port.shape[0], int)
                raise BadInput(
                    f"`{port.name}` needs {len(port.shape)} axes, not {len(shape)}",
                    notes=(f"the input is `{port}`",),
                    helps=(
                        f"the first axis is `{port.shape[0]}`: a single record is `array[None]`"
                        if one
                        else f"give an array of the shape `[{', '.join(map(str, port.shape))}]`",
                    ),
                )
            for axis, (wanted, found) in enumerate(zip(port.shape, shape, strict=True)):
                size, place = as_size(wanted), f"axis {axis} of `{port.name}`"
                if isinstance(size, int):
                    if size != found:
                        raise BadInput(
                            f"{place} must be {size}, not {found}",
                            helps=(f"give an array that fits the input, `{port}`",),
                        )
                    continue
                if found < 1 and self.bounds.get(str(wanted), (1, None))[0] > 0:
                    raise BadInput(
                        f"{place} is empty",
                        notes=(f"the input is `{port}`",),
                        helps=(f"give an array with at least one entry for `{wanted}`",),
                    )
                if isinstance(wanted, str) and wanted.isidentifier():
                    if wanted in sizes and sizes[wanted][0] != found:
                        before, where = sizes[wanted]
                        raise BadInput(
                            f"`{wanted}` is {before} on {where} and {found} on {place}",
                            helps=(f"give arrays with one size for `{wanted}`",),
                        )
                    sizes[wanted] = (found, place)
                else:
                    terms.append((size, found, place))
        known = {name: value for name, (value, _) in sizes.items()}
        for size, found, place in terms:
            if variables(size) <= known.keys() and (must := _whole(size, known)) != found:
                raise BadInput(
                    f"{place} must be {size} = {'not whole' if must is None else must}, not {found}",
                    helps=(
                        f"choose other sizes: `{size}` has to be a whole number"
                        if must is None
                        else f"give an array with {must} entries on this axis",
                    ),
                )
        self._check_facts(known)

    def _check_facts(self, sizes: Mapping[str, int]) -> None:
        for name, value in sizes.items():
            low, high = self.bounds.get(name, (1, None))
            if high is not None and value > high:
                raise BadInput(
                    f"`{name}` is {value}, but the model takes at most {high}",
                    helps=(f"give an input with `{name}` of at most {high}",),
                )
            if value < low:
                raise BadInput(
                    f"`{name}` is {value}, but the model takes at least {low}",
                    helps=(f"give an input with `{name}` of at least {low}",),
                )
            divisor = self.divisors.get(name, 1)
            if value % divisor:
                below = value // divisor * divisor
                sizes_near = f"{below} or {below + divisor}" if below >= max(low, 1) else str(below + divisor)
                raise BadInput(
                    f"`{name}` is {value}, which is not a multiple of {divisor}",
                    helps=(f"give an input with `{name}` = {sizes_near}",),
                )
        for left, right, requirement in self._requirements:
            names = variables(left) | variables(right)
            if not names <= sizes.keys():
                continue
            one, other = _whole(left, sizes), _whole(right, sizes)
            if one is None or other is None or not compare(one, requirement.op, other):
                given = ", ".join(f"{name} = {sizes[name]}" for name in sorted(names))
                raise BadInput(
                    requirement.message or f"`require {requirement.text}` does not hold",
                    notes=(f"`{requirement.text}` with {given}",),
                    helps=(f"give an input with other sizes: `{requirement.text}` has to hold",),
                )

    def _verify_weights(self) -> None:
        """A linked model breaks silently when its weights file is replaced: E.g. trained further in place."""
        name = self.about.plain_name(LINKED_FILE)
        if name is None:
            return
        file = self.path.resolve().parent / name
        if not file.is_file() or fingerprint(file) != self.metadata.get(LINKED_HASH):
            raise BadInput(
                f"`{name}` is not the weights file that `{self.path.name}` was exported with",
                helps=("export again", "export without `--linked` to pack the weights into the file"),
            )

    def _unknown(self, what: str, name: str, ports: Sequence[Port]) -> BadInput:
        near = nearest(name, [port.name for port in ports])
        known = ", ".join(f"`{port.name}`" for port in ports)
        return BadInput(
            f"the model has no {what} `{name}`",
            notes=(f"it has {_listed(ports)}",),
            helps=(f"did you mean `{near}`?" if near else f"use {known}",),
        )


def _whole(size: Size, known: Mapping[str, int]) -> int | None:
    """A size for given dimensions; None where it is not a whole number."""
    try:
        return evaluate(size, known)
    except ValueError:
        return None


def _ports(entries: Sequence[Any]) -> tuple[Port, ...]:
    return tuple(Port(entry.name, _DTYPES.get(entry.type, np.float32), tuple(entry.shape)) for entry in entries)


def as_size(text: int | str | None) -> Size:
    """A dimension of a graph as a size of the checker."""
    if text is None:
        return var("unnamed")
    try:
        return from_text(int(text) if isinstance(text, str) and text.lstrip("-").isdecimal() else text)
    except ValueError:  # of a file from elsewhere, where a dimension may have any name
        return var("_" + re.sub(r"\W", "_", str(text)))


def _array(value: ArrayLike, port: Port) -> Array:
    """The value in the input's dtype; whole numbers become floats, and other conversions must lose nothing."""
    try:
        array: Array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"`{port.name}` is not an array: {error}", helps=("give numbers in rows of equal lengths",)
        ) from None
    wanted = np.dtype(port.dtype)
    if wanted.kind == "O":
        if array.dtype.kind != "U" and not all(isinstance(item, str) for item in array.flat):
            raise BadInput(
                f"`{port.name}` must be strings, not {array.dtype}",
                notes=(f"the input is `{port}`",),
                helps=('give a list of texts: `["a", "b"]`',),
            )
        return array.astype(object)
    if array.dtype != wanted:
        number = array.dtype.kind in "biuf"
        widening = number and (np.can_cast(array.dtype, wanted, "same_kind") or wanted.kind == "f")
        if not widening:
            raise BadInput(
                f"`{port.name}` must be {wanted.name}, not {array.dtype}",
                notes=(f"the input is `{port}`",),
                helps=(_conversion(wanted, number),),
            )
        array = array.astype(wanted)
    return array if array.flags.c_contiguous else array.copy(order="C")


def _conversion(wanted: np.dtype[Any], number: bool) -> str:
    """How to get an array of a dtype. Numbers are never rounded or compared here: what they mean is the caller's."""
    if wanted.kind == "b":
        return "give an array of booleans"
    if wanted.kind in "iu" and number:
        return f'if the values are whole and in its range, convert them: `array.astype("{wanted.name}")`'
    return "give an array of numbers"


def _listed(ports: Sequence[Port]) -> str:
    return ", ".join(f"`{port}`" for port in ports)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _unreadable(path: Path, error: Exception) -> BadInput:
    known = external_files.complaint(path)
    if known is not None:
        return BadInput(known[0], code="E0603", helps=(known[1],))
    size = path.stat().st_size
    return BadInput(
        f"`{path}` cannot be loaded as an ONNX model" if size else f"`{path}` is empty",
        code="E0603",
        notes=(_first_line(error),) if size else (),
        helps=("get the file again from where it came, or export again",),
    )
