"""Measures one row: names, shapes, outputs of both backends, gradients."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

import dlc
from dlc.backends.onnx.lower import lower
from dlc.backends.onnx.write import write_packed
from dlc.compiler.analysis.summary import summarize
from dlc.compiler.ir.expand import parameters
from dlc.compiler.ir.model import Model, Spec
from dlc.runtime.inference.session import Session
from dlc.runtime.weights.mapping import ours_from

from .reference import Reference

SPECS = Path(__file__).resolve().parents[2] / "specs"

#: Largest allowed difference as a share of the scale (the largest magnitude) of an output, or of a parameter's gradient.
PYTORCH, ONNX, GRADIENTS = 1e-5, 1e-4, 1e-5

LEVELS: tuple[Literal["none", "all"], ...] = ("none", "all")


@dataclass(frozen=True)
class Comparison:
    """What was measured. Differences are shares of the scale; `gradients` is None where they were not asked for."""

    id: str
    spec: str
    overrides: tuple[str, ...]
    reference: str
    version: str
    map: str | None
    tensors: int
    parameters: int  # trainable, at the size that was compared
    published: int | None  # trainable, at full size: what was published, and counted by the checker
    pytorch: float
    onnx: float
    gradients: float | None
    full: bool

    def check(self) -> None:
        assert self.pytorch <= PYTORCH, f"generated PyTorch differs by {self.pytorch:.2g} of the output's scale"
        assert self.onnx <= ONNX, f"ONNX Runtime differs by {self.onnx:.2g} of the output's scale"
        assert self.gradients is None or self.gradients <= GRADIENTS, f"gradients differ by {self.gradients:.2g}"


def measure(row: Reference) -> Comparison:
    """Raises AssertionError for names, shapes or counts that differ; the differences of values are in the result."""
    spec, model = checked(row)
    torch.manual_seed(0)
    theirs = row.make().eval()
    shake(theirs)
    inputs = row.inputs()
    ours = loaded(row, row.overrides).module(model.name).eval()
    foreign = dict(theirs.state_dict())
    fill(ours, foreign, spec, model, row)
    with torch.no_grad():
        wanted = row.answers(theirs, inputs)
        pytorch = differences(named(ours, spec, model, inputs), wanted)
    return Comparison(
        id=row.id,
        spec=row.spec,
        overrides=row.overrides,
        reference=row.name,
        version=version(row.library),
        map=row.weights,
        tensors=len(ours.state_dict()),
        parameters=summarize(spec, model).parameters,
        published=published(row),
        pytorch=pytorch,
        onnx=onnx_differences(ours, spec, model, inputs, wanted),
        gradients=gradient_differences(ours, theirs, spec, model, inputs, row) if row.gradients else None,
        full=row.full,
    )


def checked(row: Reference, *, whole: bool = False) -> tuple[Spec, Model]:
    """The spec of a row and its model; `whole`: as published, without settings."""
    spec = loaded(row, () if whole else row.overrides).spec
    if row.model:
        return spec, spec.model(row.model)
    train = spec.recipe.trains[0] if spec.recipe.trains else None
    return spec, spec.models[train.nets[0].model if train else 0]


def loaded(row: Reference, overrides: tuple[str, ...]) -> Any:
    name, at, variant = row.spec.partition("@")
    settings = {name: value for name, _, value in (setting.partition("=") for setting in overrides)}
    return dlc.load(f"{SPECS / name}.dlspec{at}{variant}", **settings)


def published(row: Reference) -> int | None:
    if row.parameters is None:
        return None
    counted = summarize(*checked(row, whole=True)).parameters
    assert counted == row.parameters, f"{counted:,} trainable parameters, published are {row.parameters:,}"
    return counted


def version(library: str) -> str:
    return metadata.version(library).split("+")[0]


# ---- weights ---------------------------------------------------------------------------------------------------------


def shake(theirs: nn.Module) -> None:
    """Gives noise to every constant tensor and draws statistics of batch norms."""
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.numel() and bool((parameter == parameter.flatten()[0]).all()):
                parameter.add_(0.1 * torch.randn_like(parameter))
        for name, buffer in theirs.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)


def fill(ours: nn.Module, foreign: Mapping[str, Tensor], spec: Spec, model: Model, row: Reference) -> None:
    """Puts the reference's weights into our module by the row's map; names and shapes must fit exactly."""
    state = ours.state_dict()
    found = dict(foreign) if row.weights is None else through_map(foreign, spec, model, row.weights, state)
    missing, unused = [n for n in state if n not in found], [n for n in found if n not in state]
    assert not missing and not unused, f"without a source: {missing[:5]}; unused: {unused[:5]}"
    shapes = [f"{n}: {[*state[n].shape]}, theirs {[*t.shape]}" for n, t in found.items() if state[n].shape != t.shape]
    assert not shapes, f"other shapes: {shapes[:5]}"
    ours.load_state_dict(found)


def through_map(
    foreign: Mapping[str, Tensor], spec: Spec, model: Model, name: str, state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Foreign tensors by our names."""
    return ours_from(spec.recipe.weight_map(name), parameters(spec, model), foreign)


# ---- values ----------------------------------------------------------------------------------------------------------


def names(spec: Spec, model: Model) -> list[str]:
    return [result.name or "output" for result in spec.body_of(model).outputs]


def named(ours: nn.Module, spec: Spec, model: Model, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    made: Any = ours(*(inputs[value.name] for value in spec.body_of(model).inputs))
    return dict(zip(names(spec, model), made if isinstance(made, tuple) else (made,), strict=True))


def differences(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> float:
    """The largest difference over the outputs, each as a share of its scale."""
    assert set(wanted) <= set(found), f"outputs {sorted(wanted)}, the spec has {sorted(found)}"
    assert wanted, "a row compares at least one output"
    shares: list[float] = []
    for name, value in wanted.items():
        assert found[name].shape == value.shape, f"{name}: {[*found[name].shape]}, theirs {[*value.shape]}"
        scale = float(value.abs().max())
        assert 0 < scale < float("inf"), f"{name}: a scale of {scale} proves nothing"
        shares.append(float((found[name].double() - value.double()).abs().max()) / scale)
    return max(shares)


def onnx_differences(
    ours: nn.Module, spec: Spec, model: Model, inputs: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> float:
    arrays = {name: tensor.numpy() for name, tensor in ours.state_dict().items()}
    feed = {name: tensor.numpy() for name, tensor in inputs.items()}
    shares: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_packed(lower(spec, model, arrays), path)
        for level in LEVELS:
            answers = Session(path, "cpu", optimization=level, verify_weights=False).predict(feed)
            shares.append(differences({name: torch.from_numpy(value) for name, value in answers.items()}, wanted))
    return max(shares)


def gradient_differences(
    ours: nn.Module, theirs: nn.Module, spec: Spec, model: Model, inputs: Mapping[str, Tensor], row: Reference
) -> float:
    """Gradients of a loss that weighs every element of every output at random, in float64; batch norms train, dropout
    does not. A parameter's difference is a share of its largest gradient; where that is only rounding (a bias before a
    batch norm), of a millionth of the largest of all."""
    doubled = {name: value.double() if value.is_floating_point() else value for name, value in inputs.items()}
    for module in (*ours.double().modules(), *theirs.double().modules()):
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
    for network in (ours, theirs):
        network.zero_grad()
    loss(row.answers(theirs, doubled), row).backward()
    loss(named(ours, spec, model, doubled), row).backward()
    have = {name: p.grad for name, p in ours.named_parameters()}
    foreign = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in theirs.named_parameters()}
    want = foreign if row.weights is None else through_map(foreign, spec, model, row.weights, ours.state_dict())
    largest = max(float(gradient.abs().max()) for gradient in want.values())
    shares: list[float] = []
    for name, gradient in have.items():
        assert gradient is not None, f"no gradient for {name}"
        scale = max(float(want[name].abs().max()), 1e-6 * largest)
        shares.append(float((gradient - want[name]).abs().max()) / scale)
    return max(shares)


def loss(outputs: Mapping[str, Tensor], row: Reference) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    weighed = [
        (outputs[name] * torch.randn(outputs[name].shape, generator=generator, dtype=torch.float64)).mean()
        for name in sorted(outputs)
    ]
    return torch.stack(weighed).sum()
