"""The catalogue as the reference lists it: names, arguments and defaults; modules are imported one by one."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from dlc.compiler.ops import find, module_of, names
from dlc.compiler.ops.arguments import READERS, check_argument
from dlc.compiler.ops.base import Op

#: Reference 3.15. What follows `;` are tensor inputs by name; `x | ..` says which tensors come first.
VOCABULARY = """
Linear(out, bias = true)
Conv(out, kernel, stride = 1, pad = 0, groups = 1, dilation = 1, bias = true)
ConvTranspose(out, kernel, stride = 1, pad = 0, output_pad = 0, groups = 1, dilation = 1, bias = true)
Embedding(count, dim, pad = none)
BatchNorm(eps = 1e-5, momentum = 0.1)
LayerNorm(eps = 1e-5)
GroupNorm(groups, eps = 1e-5)
InstanceNorm(eps = 1e-5)
RMSNorm(eps = 1e-6)
RNN(hidden, layers = 1, bidirectional = false, dropout = 0; lengths, state)
GRU(hidden, layers = 1, bidirectional = false, dropout = 0; lengths, state)
LSTM(hidden, layers = 1, bidirectional = false, dropout = 0; lengths, state)
MultiHeadAttention(heads, dropout = 0, bias = true, causal = false; memory, mask)
Param(shape, init = none)
Buffer(value)
relu silu tanh sigmoid hard_swish hard_sigmoid softplus identity
gelu(approx = "none")
softmax(axis = -1)
leaky_relu(slope = 0.01)
elu(alpha = 1)
dropout(p)
drop_path(p)
stop_grad
cast(dtype)
add(; y)
concat(axis)
stack(axis)
split(size, axis = 0)
chunk(n, axis = 0)
unbind(axis = 0)
split_heads(heads)
merge_heads
flatten(start = 1)
squeeze(axis)
expand(shape)
take(i, axis)
gather(axis; index)
where(; c, a, b)
pad(amounts, value = 0)
roll(shift, axis)
pixel_shuffle(r)
topk(k, axis = -1)
scatter(size; values, index)
max_pool(kernel, stride = none, pad = 0)
avg_pool(kernel, stride = none, pad = 0, adaptive = false)
global_avg_pool
upsample(factor, mode = "nearest", align_corners = false)
sum(axis = none, keepdim = false)
mean(axis = none, keepdim = false)
max(axis = none, keepdim = false)
min(axis = none, keepdim = false)
var(axis = none, keepdim = false, correction = 1)
norm(p = 2, axis = none, keepdim = false)
l2_normalize(axis = -1)
cumsum(axis)
exp log sqrt abs sin cos floor
clamp(min = none, max = none)
zeros(shape)
ones(shape)
arange(n)
sinusoid(n, d)
randn(shape)
rand(shape)
randint(low, high, shape)
bernoulli(p, shape)
attention(causal = false, dropout = 0, scale = none; q, k, v, mask)
rope(theta)
"""

SIGNS = """
plus minus times divide floor_divide modulo power negative matmul equal not_equal less less_equal greater
greater_equal logical_and logical_or logical_not index transpose rearrange constant size
"""
SYNTAX = set(SIGNS.split())

WORDS = {"none": None, "true": True, "false": False}


def entries() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in VOCABULARY.strip().splitlines():
        if "(" in line:
            name, signature = re.fullmatch(r"(\w+)\((.*)\)", line).groups()  # type: ignore[union-attr]
            found.append((name, signature))
        else:
            found += [(name, "") for name in line.split()]
    return found


@pytest.mark.parametrize("name, signature", entries(), ids=[name for name, _ in entries()])
def test_signature_is_the_reference_s(name: str, signature: str) -> None:
    operator = find(name)
    assert operator is not None
    statics, _, tensors = signature.partition(";")
    wanted: list[tuple[str, Any]] = []
    for part in filter(None, map(str.strip, statics.split(","))):
        key, equals, text = map(str.strip, part.partition("="))
        value = (
            WORDS[text] if text in WORDS else text.strip('"') if text.startswith('"') else float(text) if text else None
        )
        wanted.append((key, value if equals else Op.MISSING))
    assert [(key, default) for key, _, default in operator.arguments] == wanted
    known = {tensor for tensor, _ in operator.tensors} | set(operator.tensor_groups)
    assert set(map(str.strip, tensors.split(","))) - {""} <= known


def test_nothing_beside_the_reference() -> None:
    assert set(names()) == {name for name, _ in entries()}
    assert set(names(syntax=True)) - set(names()) == SYNTAX
    assert all(name[0].isupper() for name in names(functions=False))
    assert not any(name[0].isupper() for name in names(layers=False))


@pytest.mark.parametrize("name", names(syntax=True))
def test_entry_is_complete(name: str) -> None:
    operator = find(name)
    assert operator is not None and operator.name == name
    assert operator.__doc__, "documentation"
    assert operator.onnx, "how it is said in ONNX"
    assert operator.samples, "samples"
    assert bool(operator.syntax) == (name in SYNTAX)
    for argument, annotation, default in operator.arguments:
        kind = annotation.removesuffix(" | None")
        assert kind in READERS or kind.startswith("Literal["), f"{argument}: {annotation}"
        if default is not Op.MISSING:
            assert check_argument(annotation, default) == default


def test_unknown_name() -> None:
    assert find("Linaer") is None


def test_modules_load_one_by_one() -> None:
    program = (
        "import sys; from dlc.compiler.ops import find, names; names(); find('Linear');"
        "print(sorted(m.rsplit('.', 1)[1] for m in sys.modules if m.startswith('dlc.compiler.ops.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['base', 'linear', 'rules']"


def test_module_of() -> None:
    assert module_of("max_pool") == "pooling"
    assert module_of("Conv") == "convolution"
