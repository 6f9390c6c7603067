"""Whether an exported file computes what the model does.

The same inputs go through the PyTorch module and through ONNX Runtime, at optimization levels none and all, at batch 1 and
7 and at another length of every other dimension. A difference is measured against the scale of the output, its largest
magnitude in PyTorch. A cached form is fed each sequence in several ways, whole and piece by piece, and must give what
PyTorch gives for the whole.

    probs: max relative difference 2e-07 (limit 1e-4) at B = 1, 7      max |onnx - torch| / max |torch|, the worst of the runs

Where that is too much, PyTorch computes the same in f64: a model that magnifies rounding (weights of very different sizes, equal
rows) may differ by some times what f32 costs PyTorch itself, and the limit shown is then that.

Two batches show a batch size that was baked in; a second length shows a length that was. Level none compares our graph, level
all what ONNX Runtime makes of it. This is a comparison on sampled inputs, not a guarantee for all.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass
from ...compiler.ir.liveness import reached
from ...compiler.ir.model import Body, Model, Spec
from ...compiler.messages.diagnostics import Failed
from ...compiler.sizes.dims import Size, evaluate, var, variables
from ..failure import BadInput, RunFailure
from ..inference.session import Session, as_size
from . import inputs as inputs_of

if TYPE_CHECKING:
    from torch import nn

Array: TypeAlias = "NDArray[Any]"
Level: TypeAlias = Literal["none", "all"]

#: Largest difference as a share of the output's scale, by the precision inside the graph, or that of its weights.
TOLERANCES = {"f32": 1e-4, "f16": 2e-2, "bf16": 1e-1, "int8": 1e-1, "int4": 5e-1}
ROUNDINGS = 8  # a difference of as many times the rounding error of PyTorch itself is one of rounding
F16_MOST = 65504.0  # the largest f16
LEVELS: tuple[Level, ...] = ("none", "all")
BATCHES = (1, 7)


@dataclass(frozen=True)
class OutputRow:
    """One output compared once: at these sizes, at this optimization level."""

    output: str
    sizes: Mapping[str, int]
    level: Level
    difference: float
    scale: float
    tolerance: float
    steps: tuple[int, ...] = ()  # of a cached form: how many positions were fed at a time

    @property
    def share(self) -> float:
        """The difference as a share of the output's scale."""
        return self.difference / self.scale if self.scale else self.difference

    @property
    def ok(self) -> bool:
        return self.share <= self.tolerance  # false for NaN


@dataclass(frozen=True)
class Parity:
    """Everything that was compared."""

    rows: tuple[OutputRow, ...]

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    @property
    def worst(self) -> tuple[OutputRow, ...]:
        """The row of the largest difference of each output, in order."""
        found: dict[str, OutputRow] = {}
        for row in self.rows:
            known = found.get(row.output)
            if known is None or not row.share <= known.share:
                found[row.output] = row
        return tuple(found.values())


class Disagrees(RunFailure):
    """The exported file and the model differ beyond the tolerance."""

    code = "E0609"

    def __init__(self, parity: Parity) -> None:
        bad = [row for row in parity.worst if not row.ok]
        notes = tuple(
            f"`{row.output}`: max difference {row.difference:.3g}, relative to its largest value {row.scale:.3g}: "
            f"{row.share:.2g} (limit {row.tolerance:g}), at {sizes_text(row)}, optimization level {row.level}"
            for row in bad
        )
        names = ", ".join(f"`{row.output}`" for row in bad)
        half = any(row.tolerance == TOLERANCES["f16"] for row in bad)
        helps = (
            "f16 holds numbers up to 65504, and others are cut to it: write a mask as `where(mask, scores, -1e9)`, not as a sum",
            "export in f32",
        )
        ours = (
            "report this as a bug of dlc, with the spec",
            "`--no-verify` writes the file all the same, for a look at it",
        )
        super().__init__(
            f"the exported file and the model disagree on {names}", notes=notes, helps=helps if half else ours
        )
        self.parity = parity
        self.expected = half  # of half precision; in f32 it is a fault of dlc


def verify(
    module: nn.Module,
    path: Path,
    spec: Spec,
    model: Model,
    *,
    precision: str = "f32",
    fix: Mapping[str, int] | None = None,
    seed: int = 0,
    strings: Mapping[str, Sequence[str]] | None = None,
) -> Parity:
    """Compares a file with the module it was made from; `spec` and `model` say what the inputs are. `strings` are those by
    number of inputs that the file takes as strings."""
    body = spec.body_of(model)
    sessions: dict[Level, Session] = {level: Session(path, "cpu", optimization=level) for level in LEVELS}
    names = [result.name or "output" for result in body.outputs]
    reference = module.eval()
    rows: list[OutputRow] = []
    for number, sizes in enumerate(choose_sizes(spec, model, sessions["all"], fix or {})):
        draws = inputs_of.draws(spec, body, {**sizes, **(fix or {})}, (seed, number))
        drawn = (_with_names(inputs, strings or {}) for inputs in draws)
        inputs, made = _computed(spec, reference, body, drawn)
        expected = {
            n: v.cpu().numpy() for n, v in zip(names, made if isinstance(made, tuple) else (made,), strict=False)
        }
        compared: list[OutputRow] = []
        for level, session in sessions.items():
            for steps in _ways(session, sizes):
                found = _predicted(session, body, _as_strings(inputs, strings or {}), steps)
                compared += [
                    _compare(
                        OutputRow(name, sizes, level, 0.0, 0.0, TOLERANCES[precision], steps),
                        wanted,
                        found[name],
                        precision == "f16",
                    )
                    for name, wanted in expected.items()
                ]
        if not all(row.ok for row in compared):
            own = rounding(reference, [inputs[value.name] for value in body.inputs], expected)
            compared = [replace(row, tolerance=max(row.tolerance, ROUNDINGS * own[row.output])) for row in compared]
        rows += compared
    return Parity(tuple(rows))


def _with_names(inputs: Mapping[str, Array], names: Mapping[str, Sequence[str]]) -> dict[str, Array]:
    """Inputs whose numbers have names where they need one."""
    return {name: array % len(names[name]) if name in names else array for name, array in inputs.items()}


def _as_strings(inputs: Mapping[str, Array], names: Mapping[str, Sequence[str]]) -> dict[str, Array]:
    """Inputs as the file takes them."""
    return {name: np.array(names[name], object)[array] if name in names else array for name, array in inputs.items()}


def rounding(module: nn.Module, inputs: Sequence[Array], expected: Mapping[str, Array]) -> dict[str, float]:
    """How far f32 is from f64 in PyTorch itself, for each output as a share of the largest value: of a model that magnifies rounding,
    two programs agree no better. 0 where the module cannot be computed in f64."""
    import torch

    found = dict.fromkeys(expected, 0.0)
    wide = copy.deepcopy(module).double()
    given = [torch.from_numpy(array.astype(np.float64) if array.dtype == np.float32 else array) for array in inputs]
    try:
        with torch.no_grad():
            made = wide(*given)
    except RuntimeError:  # a part of it is f32 whatever its inputs are
        return found
    for name, value in zip(expected, made if isinstance(made, tuple) else (made,), strict=False):
        row = _compare(OutputRow(name, {}, "none", 0.0, 0.0, 0.0), value.cpu().numpy(), expected[name], False)
        found[name] = row.share if math.isfinite(row.share) else 0.0
    return found


def _computed(
    spec: Spec, reference: nn.Module, body: Body, draws: Iterator[dict[str, Array]]
) -> tuple[dict[str, Array], Any]:
    """The first inputs that the module can compute, and what it computes. A number that it has no row for, or a division of
    whole numbers by 0, is a matter of the inputs: others are drawn then. Raises Failed (E0414) where none will do."""
    import torch

    from ..generated import outside

    failure: Exception | None = None
    for inputs in draws:
        try:
            with torch.no_grad(), outside.explained(spec, {"": reference}):
                return inputs, reference(*(torch.from_numpy(inputs[value.name].copy()) for value in body.inputs))
        except (Failed, IndexError, RuntimeError) as error:
            failure = error
    assert failure is not None
    raise failure


def _ways(session: Session, sizes: Mapping[str, int]) -> list[tuple[int, ...]]:
    """How a sequence is fed to a cached form: at once, with one more step, in uneven pieces, one by one."""
    if session.cached is None:
        return [()]
    n = sizes[session.cached.length]
    third = n // 3
    ways = [(n,), (n - 1, 1), (third, 1, n - third - 1), (1,) * n]
    return list(dict.fromkeys(tuple(part for part in way if part) for way in ways))


def _predicted(session: Session, body: Body, inputs: Mapping[str, Array], steps: Sequence[int]) -> dict[str, Array]:
    """The outputs of a file for inputs; a cached form is fed `steps` positions at a time."""
    if session.cached is None:
        return session.predict(inputs)
    length = var(session.cached.length)
    axes = {value.name: value.type.shape.index(length) for value in body.inputs if length in value.type.shape}
    joined = {
        result.name or "output": shape.index(length)
        for result in body.outputs
        if length in (shape := body.value(result.value).type.shape)
    }
    batch = next(iter(inputs.values())).shape[0]
    past = session.cached.empty(batch)
    parts: dict[str, list[Array]] = {}
    start = 0
    for count in steps:
        fed = {
            name: array if name not in axes else array.take(range(start, start + count), axes[name])
            for name, array in inputs.items()
        }
        found = session.predict({**fed, **past})
        past = session.cached.following(found)
        for port in session.outputs:
            parts.setdefault(port.name, []).append(found[port.name])
        start += count
    return {name: np.concatenate(made, joined[name]) if name in joined else made[-1] for name, made in parts.items()}


def _compare(row: OutputRow, wanted: Array, found: Array, half: bool) -> OutputRow:
    if wanted.shape != found.shape:
        return replace(row, difference=float("inf"))
    a, b = wanted.astype(np.float64), found.astype(np.float64)
    if half:  # what f16 cannot hold is infinite in one of them at most
        a, b = np.clip(a, -F16_MOST, F16_MOST), np.clip(b, -F16_MOST, F16_MOST)
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return replace(row, difference=float("nan"))
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite & ~np.isnan(a)], b[~finite & ~np.isnan(b)]):
        return replace(row, difference=float("inf"))
    difference = float(np.abs(a[finite] - b[finite]).max(initial=0.0))
    return replace(row, difference=difference, scale=float(np.abs(a)[finite].max(initial=0.0)))


def sizes_text(row: OutputRow) -> str:
    """`B = 7, T = 5 as 4+1`."""
    text = ", ".join(f"{name} = {size}" for name, size in row.sizes.items()) or "its sizes"
    return f"{text} as {'+'.join(map(str, row.steps))}" if len(row.steps) > 1 else text


# ---- sizes -------------------------------------------------------------------------------------------------------------------


def choose_sizes(spec: Spec, model: Model, session: Session, fix: Mapping[str, int]) -> list[dict[str, int]]:
    """Sizes to compare at: every batch size of BATCHES, and another value of every other dimension, all within the facts."""
    if session.cached is not None:
        fix = {**fix, session.cached.past: 0}  # the whole sequence; how it is fed is decided by `_ways`
    free = [name for name in session.dimensions if name not in fix]
    if not free:
        return [{}]
    first = [port.shape[0] for port in session.inputs if port.shape]
    batch = next((name for name in free if first and all(axis == name for axis in first)), None)
    batch = batch or next((name for name in free if name in first), None)
    sizes = _all_sizes(spec, model.body)

    def fits(chosen: Mapping[str, int]) -> bool:
        known = {**chosen, **fix}
        try:
            if any(evaluate(size, known) < 1 for size in sizes if variables(size) <= known.keys()):
                return False
            session.check_sizes(
                {port.name: [evaluate(as_size(a), known) for a in port.shape] for port in session.inputs}
            )
        except (BadInput, ValueError):
            return False
        return True

    others = [name for name in free if name != batch]
    start = _first_fit(others, {batch: 1} if batch else {}, session, fits)
    if start is None:
        raise RunFailure(
            "no sizes were found at which the exported file can be compared",
            notes=(f"dynamic sizes: {', '.join(free)}",),
            helps=("fix their sizes in the export: `fix { .. }`", "export without the comparison: `--no-verify`"),
        )
    found = [start]
    if batch:
        found += [{**start, batch: n} for n in BATCHES if n != 1 and fits({**start, batch: n})]
    for name in others:
        for candidate in _candidates(name, session):
            changed = {**start, name: candidate, **({batch: 2} if batch else {})}
            if candidate != start[name] and fits(changed):
                found.append(changed)
                break
    return found


def _first_fit(
    names: Sequence[str], start: dict[str, int], session: Session, fits: Callable[[Mapping[str, int]], bool]
) -> dict[str, int] | None:
    """Small sizes, different for different dimensions if that fits, growing until the model has room for them."""
    for scale in range(8):
        spread: dict[str, int] = dict(start)
        for position, name in enumerate(names):
            options = _candidates(name, session)
            spread[name] = options[min(scale + position, len(options) - 1)]
        for chosen in (spread, {**start, **{name: _candidates(name, session)[min(scale, 7)] for name in names}}):
            if fits(chosen):
                return chosen
    return None


def _candidates(name: str, session: Session) -> list[int]:
    """Sizes of a dimension within its facts; eight or more, the last ones repeated where there is little room."""
    step = session.divisors.get(name, 1)
    low, high = session.bounds.get(name, (1, None))
    low = -(-low // step) * step
    raw = (
        [5, 11, 4, 17, 32, 64, 96, 128, 224, 256, 512] if step == 1 else [step * n for n in (1, 2, 3, 4, 6, 8, 14, 16)]
    )
    kept = [size for size in raw if size >= low and (high is None or size <= high)]
    kept += [low + step * n for n in range(8) if high is None or low + step * n <= high]
    unique = list(dict.fromkeys(kept))
    return unique + [unique[-1]] * max(0, 8 - len(unique)) if unique else [low] * 8


def _all_sizes(spec: Spec, index: int) -> set[Size]:
    """Every symbolic size in the bodies that a model reaches."""
    found: set[Size] = set()
    for body in reached(spec.bodies, index):
        for value in body.values():
            found.update(size for size in value.type.shape if not isinstance(size, int))
    return found
