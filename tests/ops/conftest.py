"""What the tests of operators share: values for a sample, and what PyTorch itself says they give."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlc.compiler.catalogue.ops.base import Example, Sample
from dlc.compiler.ir.model import Parameter

DTYPES = {
    "f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64, "i8": torch.int8,
    "i16": torch.int16, "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8, "bool": torch.bool,
}  # fmt: skip

#: Sizes other than the samples' own, for every named axis.
LARGER = {"B": 3, "T": 7, "S": 6, "H": 11, "W": 9}
SMALLER = {"B": 1, "T": 4, "S": 2, "H": 6, "W": 5}

#: Inputs by position: tensors, numbers, None for an absent one.
Values = list[Any]
Reference = Callable[[dict[str, Any], Values, dict[str, Tensor]], Any]


def draw_inputs(sample: Sample, sizes: dict[str, int]) -> Values:
    """Inputs of a sample at these sizes, the same ones each time."""
    generator = torch.Generator().manual_seed(1 + sum(sizes.values()))
    drawn: Values = []
    for example in sample.inputs:
        if not isinstance(example, Example):
            drawn.append(sizes[example] if isinstance(example, str) else example)
            continue
        shape = [sizes[size] if isinstance(size, str) else size for size in example.shape]
        low, high = example.low, example.high
        if example.dtype.startswith(("f", "bf")):
            value = torch.randn(shape, generator=generator)
            if low is not None and high is not None:
                value = low + (high - low) * torch.rand(shape, generator=generator)
        else:
            assert low is not None and high is not None, "an example of whole numbers says its range"
            value = torch.randint(int(low), int(high), shape, generator=generator)
        drawn.append(value.to(DTYPES[example.dtype]))
    return drawn


def draw_weights(parameters: Sequence[Parameter]) -> dict[str, Tensor]:
    """Values for the parameters of a layer; constants as they are."""
    generator = torch.Generator().manual_seed(7)
    drawn: dict[str, Tensor] = {}
    for parameter in parameters:
        if parameter.init is not None and parameter.init.name == "constant":
            drawn[parameter.name] = torch.tensor(parameter.init.args["v"], dtype=DTYPES[parameter.dtype])
        elif parameter.dtype != "f32":
            drawn[parameter.name] = torch.zeros(parameter.shape, dtype=DTYPES[parameter.dtype])
        else:
            value = 0.5 * torch.randn(parameter.shape, generator=generator)
            drawn[parameter.name] = value.abs() + 0.5 if parameter.name == "running_var" else value
    return drawn


# ---- layers ----------------------------------------------------------------------------------------------------------


def conv(args: dict[str, Any], inputs: Values, weights: dict[str, Tensor]) -> Tensor:
    (x,) = inputs
    axes = x.ndim - 2
    function = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
    pad = args["pad"]
    if pad == "causal":
        x, pad = F.pad(x, (args["dilation"] * (args["kernel"] - 1), 0)), 0
    elif pad == "same":
        reach = [k - 1 for k in reversed(args["kernel"])]
        x, pad = F.pad(x, [side for r in reach for side in (r // 2, r - r // 2)]), 0
    return function(x, weights["weight"], weights.get("bias"), args["stride"], pad, args["dilation"], args["groups"])


def conv_transpose(args: dict[str, Any], inputs: Values, weights: dict[str, Tensor]) -> Tensor:
    (x,) = inputs
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[x.ndim - 3]
    return function(
        x,
        weights["weight"],
        weights.get("bias"),
        args["stride"],
        args["pad"],
        args["output_pad"],
        args["groups"],
        args["dilation"],
    )


def recurrent(kind: type[nn.RNNBase]) -> Reference:
    def reference(args: dict[str, Any], inputs: Values, weights: dict[str, Tensor]) -> Any:
        x, lengths, *states = [*inputs, None, None, None][:4]
        net = kind(
            x.shape[-1], args["hidden"], args["layers"], batch_first=True, bidirectional=args["bidirectional"]
        ).to(x.dtype)
        net.load_state_dict(weights)
        state = None if states[0] is None else tuple(states) if kind is nn.LSTM else states[0]
        if lengths is None:
            y, last = net(x, state)
        else:
            some = (lengths > 0)[:, None]  # packing refuses sequences without an element: they give zeros
            ends = lengths.clamp(min=1)
            packed = nn.utils.rnn.pack_padded_sequence(x, ends, batch_first=True, enforce_sorted=False)
            y, last = net(packed, state)
            y = some[..., None] * nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0]
            last = tuple(some * part for part in last) if kind is nn.LSTM else some * last
        return (y, *last) if kind is nn.LSTM else (y, last)

    return reference


def attention(args: dict[str, Any], inputs: Values, weights: dict[str, Tensor]) -> Tensor:
    q, k, v, mask = [*inputs, None][:4]
    groups = q.shape[1] // k.shape[1]
    k, v = (t.repeat_interleave(groups, 1) for t in (k, v))
    scores = q @ k.mT * (args["scale"] or q.shape[-1] ** -0.5)
    allowed = torch.ones_like(scores, dtype=torch.bool)
    if args["causal"]:
        allowed = allowed.tril(k.shape[2] - q.shape[2])
    if mask is not None:
        allowed = allowed & mask
    return scores.masked_fill(~allowed, -math.inf).softmax(-1).nan_to_num(0.0) @ v


def multi_head(args: dict[str, Any], inputs: Values, weights: dict[str, Tensor]) -> Tensor:
    x, memory, mask = [*inputs, None, None][:3]
    memory = x if memory is None else memory
    width = x.shape[-1]
    if "in_proj_weight" in weights:
        matrices = weights["in_proj_weight"].split(width)
    else:
        matrices = tuple(weights[f"{letter}_proj_weight"] for letter in "qkv")
    biases = weights["in_proj_bias"].split(width) if args["bias"] else (None, None, None)
    q, k, v = (
        F.linear(t, w, b).unflatten(-1, (args["heads"], -1)).transpose(1, 2)
        for t, w, b in zip((x, memory, memory), matrices, biases, strict=True)
    )
    result = attention({"causal": args["causal"], "scale": None}, [q, k, v, mask], {})
    return F.linear(result.transpose(1, 2).flatten(2), weights["out_proj.weight"], weights.get("out_proj.bias"))


def rope(args: dict[str, Any], inputs: Values, weights: dict[str, Tensor]) -> Tensor:
    (x,) = inputs
    rows, width = x.shape[-2:]
    turns = torch.arange(rows)[:, None] * args["theta"] ** (-torch.arange(0, width, 2) / width)
    pairs = torch.complex(*x.double().chunk(2, -1)) * torch.polar(torch.ones(()).double(), turns.double())
    return torch.cat([pairs.real, pairs.imag], -1).to(x.dtype)


def sinusoid(n: int, d: int) -> Tensor:
    angles = torch.arange(n)[:, None] / 10000 ** (torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def index(x: Tensor, items: tuple[Any, ...]) -> Tensor:
    plain = [slice(*i[1:]) if isinstance(i, tuple) else Ellipsis if i == "..." else i for i in items]
    return x[tuple(plain)]


def rearrange(x: Tensor, expanded: tuple[int, ...], order: tuple[int, ...], merged: tuple[int, ...]) -> Tensor:
    ends = [sum(merged[:at]) for at in range(len(merged) + 1)]
    sizes = [math.prod(expanded[axis] for axis in order[a:b]) for a, b in itertools.pairwise(ends)]
    return x.reshape(expanded).permute(order).reshape(sizes)


def axes_of(x: Tensor, axis: Any) -> Any:
    return tuple(range(x.ndim)) if axis is None else axis


def pool(functions: Sequence[Any]) -> Reference:
    def reference(args: dict[str, Any], inputs: Values, weights: dict[str, Tensor]) -> Tensor:
        (x,) = inputs
        if args.get("adaptive"):
            return (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[x.ndim - 3](x, args["kernel"])
        return functions[x.ndim - 3](x, args["kernel"], args["stride"], args["pad"])

    return reference


def of(function: Callable[..., Any]) -> Reference:
    """A function of the tensors, then of the arguments by name."""
    return lambda args, inputs, weights: function(*inputs, **args)


def eager(function: Callable[..., Any]) -> Reference:
    """A function of the tensors alone."""
    return lambda args, inputs, weights: function(*inputs)


def layer(function: Callable[..., Tensor]) -> Reference:
    """A function of one tensor, the weights and the arguments."""
    return lambda args, inputs, weights: function(inputs[0], weights, **args)


#: What each operator gives, said with PyTorch's own functions, where `torch.NAME(*tensors, **arguments)` does not say it.
REFERENCES: dict[str, Reference] = {
    "Linear": layer(lambda x, w, **_: F.linear(x, w["weight"], w.get("bias"))),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "BatchNorm": layer(
        lambda x, w, eps, momentum: F.batch_norm(
            x, w["running_mean"], w["running_var"], w["weight"], w["bias"], False, momentum, eps
        )
    ),
    "LayerNorm": layer(lambda x, w, eps: F.layer_norm(x, x.shape[-1:], w["weight"], w["bias"], eps)),
    "RMSNorm": layer(lambda x, w, eps: F.rms_norm(x, x.shape[-1:], w["weight"], eps)),
    "GroupNorm": layer(lambda x, w, groups, eps: F.group_norm(x, groups, w["weight"], w["bias"], eps)),
    "InstanceNorm": layer(
        lambda x, w, eps, affine: F.instance_norm(x, None, None, w.get("weight"), w.get("bias"), eps=eps)
    ),
    "Embedding": layer(lambda ids, w, **_: F.embedding(ids, w["weight"])),
    "RNN": recurrent(nn.RNN),
    "GRU": recurrent(nn.GRU),
    "LSTM": recurrent(nn.LSTM),
    "MultiHeadAttention": multi_head,
    "Param": lambda args, inputs, weights: weights[""],
    "Buffer": lambda args, inputs, weights: weights[""],
    "hard_swish": eager(F.hardswish),
    "hard_sigmoid": eager(F.hardsigmoid),
    "identity": eager(lambda x: x),
    "gelu": of(lambda x, approx: F.gelu(x, approximate=approx)),
    "leaky_relu": of(lambda x, slope: F.leaky_relu(x, slope)),
    "softmax": of(lambda x, axis: x.softmax(axis)),
    "log_softmax": of(lambda x, axis: x.log_softmax(axis)),
    "dropout": eager(lambda x: x),
    "drop_path": eager(lambda x: x),
    "stop_grad": eager(lambda x: x),
    "cast": of(lambda x, dtype: x.to(DTYPES[dtype])),
    "concat": lambda args, inputs, weights: torch.cat(inputs, args["axis"]),
    "stack": lambda args, inputs, weights: torch.stack(inputs, args["axis"]),
    "split": of(lambda x, size, axis: x.split(list(size) if isinstance(size, tuple) else size, axis)),
    "chunk": of(lambda x, n, axis: x.chunk(n, axis)),
    "unbind": of(lambda x, axis: x.unbind(axis)),
    "split_heads": of(lambda x, heads: x.unflatten(-1, (heads, -1)).transpose(1, 2)),
    "merge_heads": eager(lambda x: x.transpose(1, 2).flatten(2)),
    "flatten": of(lambda x, start: x.flatten(start)),
    "squeeze": of(lambda x, axis: x.squeeze(axis)),
    "expand": of(lambda x, shape: x.expand(shape)),
    "pad": of(lambda x, amounts, value: F.pad(x, amounts, value=value)),
    "roll": of(lambda x, shift, axis: x.roll(shift, axis)),
    "pixel_shuffle": of(lambda x, r: F.pixel_shuffle(x, r)),
    "take": of(lambda x, i, axis: x.select(axis, i)),
    "gather": lambda args, inputs, weights: torch.gather(inputs[0], args["axis"], inputs[1]),
    "topk": of(lambda x, k, axis: x.topk(k, axis)),
    "scatter": of(lambda v, i, size: torch.zeros(*v.shape[:-1], size, dtype=v.dtype).scatter(-1, i, v)),
    "max_pool": pool((F.max_pool1d, F.max_pool2d, F.max_pool3d)),
    "avg_pool": pool((F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)),
    "global_avg_pool": eager(lambda x: x.flatten(2).mean(2)),
    "upsample": of(
        lambda x, factor, mode, align_corners: F.interpolate(
            x, scale_factor=factor, mode=mode, align_corners=align_corners or None
        )
    ),
    "sum": of(lambda x, axis, keepdim: x.sum(axes_of(x, axis), keepdim)),
    "mean": of(lambda x, axis, keepdim: x.mean(axes_of(x, axis), keepdim)),
    "max": of(lambda x, axis, keepdim: x.amax(axes_of(x, axis), keepdim)),
    "min": of(lambda x, axis, keepdim: x.amin(axes_of(x, axis), keepdim)),
    "var": of(lambda x, axis, keepdim, correction: x.var(axes_of(x, axis), correction=correction, keepdim=keepdim)),
    "norm": of(lambda x, p, axis, keepdim: torch.linalg.vector_norm(x, p, axis, keepdim)),
    "l2_normalize": of(lambda x, axis: F.normalize(x, dim=axis)),
    "argmax": of(lambda x, axis: x.argmax(axis)),
    "cumsum": of(lambda x, axis: x.cumsum(axis)),
    "zeros": of(lambda shape: torch.zeros(shape)),
    "ones": of(lambda shape: torch.ones(shape)),
    "arange": of(lambda n: torch.arange(n)),
    "sinusoid": of(sinusoid),
    "randn": of(lambda shape: torch.randn(shape)),
    "rand": of(lambda shape: torch.rand(shape)),
    "randint": of(lambda low, high, shape: torch.randint(low, high, shape)),
    "bernoulli": of(lambda p, shape: torch.full(shape, p).bernoulli()),
    "attention": attention,
    "rope": rope,
    "maximum": eager(lambda x, y: torch.maximum(torch.as_tensor(x), torch.as_tensor(y))),
    "minimum": eager(lambda x, y: torch.minimum(torch.as_tensor(x), torch.as_tensor(y))),
    "plus": eager(operator.add),
    "minus": eager(operator.sub),
    "times": eager(operator.mul),
    "divide": eager(operator.truediv),
    "floor_divide": eager(operator.floordiv),
    "modulo": eager(operator.mod),
    "power": eager(operator.pow),
    "negative": eager(torch.neg),
    "matmul": eager(torch.matmul),
    "equal": eager(operator.eq),
    "not_equal": eager(operator.ne),
    "less": eager(operator.lt),
    "less_equal": eager(operator.le),
    "greater": eager(operator.gt),
    "greater_equal": eager(operator.ge),
    "logical_and": eager(torch.logical_and),
    "logical_or": eager(torch.logical_or),
    "logical_not": eager(torch.logical_not),
    "index": of(index),
    "transpose": eager(lambda x: x.mT),
    "rearrange": of(rearrange),
    "constant": of(lambda value, dtype: torch.tensor(value, dtype=DTYPES[dtype])),
    "size": of(lambda value: torch.tensor(value)),
}


def same_name(name: str) -> Callable[..., Any]:
    """PyTorch's word means PyTorch's thing: its function of the same name, which takes our arguments by our names."""
    found = getattr(torch, name, None) or getattr(F, name, None)
    assert found is not None, f"PyTorch has no `{name}`: say in REFERENCES what it gives"
    return found


def reference_outputs(name: str, args: dict[str, Any], inputs: Values, weights: dict[str, Tensor]) -> list[Tensor]:
    """What PyTorch gives for a sample with these values."""
    with torch.no_grad():
        result = (REFERENCES.get(name) or of(same_name(name)))(args, inputs, weights)
    return [result] if isinstance(result, Tensor) else list(result)


@pytest.fixture(scope="session")
def references() -> Callable[[str, dict[str, Any], Values, dict[str, Tensor]], list[Tensor]]:
    return reference_outputs


@pytest.fixture(scope="session")
def draw() -> Any:
    """`draw.inputs(sample, sizes)` and `draw.weights(parameters)`."""

    class Draw:
        inputs = staticmethod(draw_inputs)
        weights = staticmethod(draw_weights)
        larger = LARGER
        smaller = SMALLER
        dtypes = DTYPES

    return Draw
