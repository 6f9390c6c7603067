"""Every sample of every operator through the real IR and both backends: parameters, outputs, gradients, ONNX Runtime.

A new operator is covered by its samples; a missing lowering fails by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from dlc.backends.onnx.form import GraphForm
from dlc.backends.onnx.lower import lower
from dlc.backends.onnx.lowering import lowering_of
from dlc.backends.onnx.write import to_bytes
from dlc.backends.pytorch.lowering import has_lowering
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.catalogue.ops.base import Example, Op, Sample
from dlc.compiler.catalogue.ops.sampling import bind, sample_spec
from dlc.compiler.ir.model import Init, Spec
from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.sizes.dims import evaluate
from dlc.runtime.training import precision

#: ONNX Runtime rewrites graphs before it runs them; both what we wrote and what it makes of it must be right.
LEVELS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")


def operator(name: str) -> type[Op]:
    found = find(name)
    assert found is not None
    return found


def samples(*, random: bool = False, differentiable: bool = False) -> list[Any]:
    """All samples of operators that both backends know; random functions apart. What a backend does not know is named by the
    tests of completeness, once."""
    return [
        pytest.param(name, at, id=f"{name}-{at}")
        for name in names(syntax=True)
        if has_lowering(name) and (random or lowering_of(name) is not None)
        for at, sample in enumerate(operator(name).samples)
        if operator(name).random == random and (sample.differentiable or not differentiable)
    ]


@dataclass
class Built:
    """A sample as a spec and as the generated module, with weights."""

    op: type[Op]
    sample: Sample
    spec: Spec
    source: str
    module: nn.Module
    weights: dict[str, Tensor]

    def arguments(self, sizes: dict[str, int]) -> dict[str, Any]:
        values = bind(self.op, self.sample, sizes).values
        return {name: value for name, value in values.items() if not isinstance(value, Init) and name != "init"}


def module_of(source: str, name: str) -> nn.Module:
    scope: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "model.py", "exec"), scope)
    return scope[name]().eval()


@pytest.fixture(scope="module")
def build(draw: Any) -> Any:
    @cache
    def built(name: str, at: int) -> Built:
        op = operator(name)
        spec = sample_spec(op, op.samples[at])
        source = module_source(spec, spec.models[0])
        body = spec.bodies[0]
        weights = draw.weights(body.instances[0].parameters if body.instances else ())
        module = module_of(source, class_name(spec.models[0]))
        module.load_state_dict({("layer." + leaf).rstrip("."): value for leaf, value in weights.items()})
        return Built(op, op.samples[at], spec, source, module, weights)

    return built


def fed(built: Built, draw: Any, sizes: dict[str, int]) -> dict[str, Tensor]:
    """The model's inputs by name; `like` only carries sizes."""
    given = dict(enumerate(draw.inputs(built.sample, sizes)))
    return {
        value.name: torch.zeros([evaluate(size, sizes) for size in value.type.shape])
        if value.name == "like"
        else given[value.id]
        for value in built.spec.bodies[0].inputs
    }


def run(module: nn.Module, inputs: dict[str, Tensor]) -> list[Tensor]:
    result = module(*inputs.values())
    return [result] if isinstance(result, Tensor) else list(result)


def assert_close(found: list[Tensor], wanted: list[Tensor], sample: Sample) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=sample.tolerance, atol=sample.tolerance)


# ---- completeness ----------------------------------------------------------------------------------------------------


def test_every_operator_has_a_pytorch_lowering() -> None:
    assert [name for name in names(syntax=True) if not has_lowering(name)] == []


def test_every_operator_has_an_onnx_lowering() -> None:
    wanted = [name for name in names(syntax=True) if not operator(name).random]  # those are E0502 in an output
    assert [name for name in wanted if lowering_of(name) is None] == []


# ---- PyTorch ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, at", [*samples(), *samples(random=True)])
def test_module_has_the_declared_parameters(name: str, at: int, build: Any) -> None:
    built = build(name, at)
    layers = built.spec.bodies[0].instances
    declared = [(f"layer.{p.name}".rstrip("."), p.shape) for layer in layers for p in layer.parameters]
    trained = [f"layer.{p.name}".rstrip(".") for layer in layers for p in layer.parameters if not p.buffer]
    assert [(key, tuple(value.shape)) for key, value in built.module.state_dict().items()] == declared
    assert [key for key, _ in built.module.named_parameters()] == trained


@pytest.mark.parametrize("which", ["own", "larger", "smaller"])
@pytest.mark.parametrize("name, at", samples())
def test_module_computes_what_pytorch_does(
    name: str, at: int, which: str, build: Any, draw: Any, references: Any
) -> None:
    built = build(name, at)
    sizes = {"own": dict(built.sample.sizes), "larger": draw.larger, "smaller": draw.smaller}[which]
    with torch.no_grad():
        found = run(built.module, fed(built, draw, sizes))
    wanted = references(name, built.arguments(sizes), draw.inputs(built.sample, sizes), built.weights)
    assert_close(found, wanted, built.sample)


@pytest.mark.parametrize("name, at", samples(random=True))
def test_random_module_gives_the_declared_type(name: str, at: int, build: Any, draw: Any) -> None:
    built = build(name, at)
    inputs = fed(built, draw, draw.larger)
    (first,), (second,) = run(built.module, inputs), run(built.module, inputs)
    type = built.spec.bodies[0].nodes[0].outputs[0].type
    assert first.dtype == draw.dtypes[type.dtype]
    assert list(first.shape) == [evaluate(size, draw.larger) for size in type.shape]
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name, at", samples(differentiable=True))
def test_gradients(name: str, at: int, build: Any, draw: Any) -> None:
    """Numeric against computed gradients of inputs and parameters, in float64."""
    built = build(name, at)
    module = module_of(built.source, class_name(built.spec.models[0]))
    module.load_state_dict(built.module.state_dict())
    module.double()
    inputs = fed(built, draw, dict(built.sample.sizes))
    ready = {
        key: value.double().requires_grad_() if value.is_floating_point() else value for key, value in inputs.items()
    }
    parameters = dict(module.named_parameters())

    def call(*values: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(parameters, values[len(ready) :], strict=True))
        result = torch.func.functional_call(module, given, values[: len(ready)])
        outputs = [result] if isinstance(result, Tensor) else result
        return tuple(output for output in outputs if output.is_floating_point())

    assert torch.autograd.gradcheck(call, (*ready.values(), *parameters.values()), fast_mode=True)


def floating(name: str) -> bool:
    """Whether some sample has floats among its inputs and its outputs."""
    op = operator(name)
    given = [any(isinstance(x, Example) and x.dtype.startswith("f") for x in sample.inputs) for sample in op.samples]
    return any(given) and not op.random and has_lowering(name)


@pytest.mark.parametrize("name", [name for name in names(syntax=True) if floating(name)])
def test_what_is_not_flat_passes_a_gradient_on(name: str, build: Any, draw: Any) -> None:
    """Every result of floats has a derivative that PyTorch can compute, also by a number's other operand; it is 0 where the
    operator is `flat`."""
    seen = moved = False
    for at in range(len(operator(name).samples)):
        built = build(name, at)
        inputs = fed(built, draw, dict(built.sample.sizes))
        ready = {k: v.clone().requires_grad_() if v.is_floating_point() else v for k, v in inputs.items()}
        given = [value for value in ready.values() if value.requires_grad]
        outputs = [y for y in run(built.module, ready) if y.is_floating_point()]
        seen = seen or bool(given and outputs)
        found = [y for y in outputs if given and y.requires_grad]
        if found:
            gradients = torch.autograd.grad([y.square().sum() for y in found], given, allow_unused=True)
            moved = moved or any(g is not None and bool(g.any()) for g in gradients)
    assert not seen or moved != operator(name).flat


# ---- ONNX ------------------------------------------------------------------------------------------------------------


def session(data: bytes, level: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name, at", samples())
def test_onnx_runtime_agrees(name: str, at: int, build: Any, draw: Any) -> None:
    """One file, both optimization levels, the sample's sizes, larger ones, and one example."""
    built = build(name, at)
    arrays = {key: value.numpy() for key, value in built.module.state_dict().items()}
    data = to_bytes(lower(built.spec, built.spec.models[0], arrays))
    onnx.checker.check_model(data, full_check=True)
    sessions = [session(data, level) for level in LEVELS]
    outputs = built.spec.bodies[0].outputs
    for sizes in (dict(built.sample.sizes), draw.larger, draw.smaller):
        inputs = fed(built, draw, sizes)
        with torch.no_grad():
            wanted = run(built.module, inputs)
        for runtime in sessions:
            assert [value.name for value in runtime.get_outputs()] == [output.name for output in outputs]
            feed = {value.name: inputs[value.name].numpy() for value in runtime.get_inputs()}
            found = [torch.from_numpy(np.asarray(value)) for value in runtime.run(None, feed)]
            assert_close(found, wanted, built.sample)


@pytest.mark.parametrize("symbolic", [True, False], ids=["symbolic", "concrete"])
@pytest.mark.parametrize("name, at", samples())
def test_onnx_infers_our_shapes(name: str, at: int, symbolic: bool, build: Any) -> None:
    """ONNX's own strict inference finds our shapes; of symbolic ones it may know less, never otherwise."""
    built = build(name, at)
    arrays = {key: value.numpy() for key, value in built.module.state_dict().items()}
    spec = sample_spec(built.op, built.sample, symbolic=symbolic)
    proto = onnx.load_from_string(to_bytes(lower(spec, spec.models[0], arrays)))
    ours = [sizes_of(output) for output in proto.graph.output]
    del proto.graph.value_info[:]
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")
    made = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    found = [sizes_of(output) for output in made.graph.output]
    if symbolic:
        known = [
            [theirs if str(theirs).startswith("unk__") else mine for mine, theirs in zip(*both, strict=True)]
            for both in zip(ours, found, strict=True)
        ]
        assert found == known
    else:
        assert found == ours


def sizes_of(output: onnx.ValueInfoProto) -> list[int | str]:
    return [dim.dim_param or dim.dim_value for dim in output.type.tensor_type.shape.dim]


@pytest.mark.parametrize("name, at", samples(random=True))
def test_random_functions_cannot_be_exported(name: str, at: int) -> None:
    spec = sample_spec(operator(name), operator(name).samples[at])
    with pytest.raises(Failed) as caught:
        lower(spec, spec.models[0], {})
    assert caught.value.diagnostic.code == "E0502"


# ---- half precision --------------------------------------------------------------------------------------------------

#: Largest difference from float32 as a share of the output's scale: eleven and eight bits of significand, and some
#: operations. Sums and statistics are taken in float32 by both runtimes.
HALF = {"f16": 5e-3, "bf16": 3e-2}


def assert_half(found: list[Tensor], wanted: list[Tensor], precision: str) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        if not other.is_floating_point():
            assert torch.equal(one, other)
            continue
        scale = max(float(other.detach().abs().max()), 1e-3)
        assert float((one.double() - other.detach().double()).abs().max()) <= HALF[precision] * scale


def in_half(*forms: str) -> list[Any]:
    """All samples in these forms; one that a sample expects to fail has to fail."""
    found: list[Any] = []
    for param in samples():
        name, at = param.values
        for form in forms:
            reason = operator(name).samples[at].xfail.get(form)
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            found.append(pytest.param(name, at, form, marks=marks, id=f"{name}-{at}-{form}"))
    return found


@pytest.mark.parametrize("name, at, form", in_half("f16", "bf16", "autocast"))
def test_module_in_half_precision(name: str, at: int, form: str, build: Any, draw: Any) -> None:
    """The generated module converted as a whole, and under autocast, as `precision = "bf16"` trains it."""
    built = build(name, at)
    inputs = fed(built, draw, draw.larger)
    with torch.no_grad():
        wanted = run(built.module, inputs)
        if form == "autocast":
            precision.in_f32([built.module], torch.bfloat16)
            with torch.autocast("cpu", torch.bfloat16):
                return assert_half(run(built.module, inputs), wanted, "bf16")
        dtype = draw.dtypes[form]
        module = module_of(built.source, class_name(built.spec.models[0]))
        module.load_state_dict(built.module.state_dict())
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        assert_half(run(module.to(dtype), given), wanted, form)


@pytest.mark.parametrize("name, at, form", in_half("onnx"))
def test_onnx_in_half_precision(name: str, at: int, form: str, build: Any, draw: Any) -> None:
    """f16 runs; bf16 is checked as a graph only, since ONNX Runtime has next to no bf16 kernels for the processor."""
    built = build(name, at)
    arrays = {key: value.numpy() for key, value in built.module.state_dict().items()}
    model = built.spec.models[0]
    onnx.checker.check_model(to_bytes(lower(built.spec, model, arrays, GraphForm(precision="bf16"))), full_check=True)
    data = to_bytes(lower(built.spec, model, arrays, GraphForm(precision="f16")))
    onnx.checker.check_model(data, full_check=True)
    inputs = fed(built, draw, draw.larger)
    with torch.no_grad():
        wanted = run(built.module, inputs)
    for level in LEVELS:
        runtime = session(data, level)
        feed = {value.name: inputs[value.name].numpy() for value in runtime.get_inputs()}
        assert_half([torch.from_numpy(np.asarray(value)) for value in runtime.run(None, feed)], wanted, "f16")
