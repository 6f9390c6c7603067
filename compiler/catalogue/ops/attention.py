"""Attention and its position codes."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.model import Init, Parameter
from ...sizes.dims import Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType, broadcast
from ..arguments import Count, Positive, Share
from .base import Example, Function, Layer, Rejected, Sample
from .linear import weight_and_bias
from .positions import Left, Positions
from .rules import (
    common_dtype,
    divide,
    need_equal,
    need_f32,
    need_float,
    need_mask,
    need_rank,
    need_some,
    product,
    weight_size,
)

_Q = Example("f32", ("B", 4, "T", 6))
_K = Example("f32", ("B", 4, "S", 6))


class Attention(Function):
    """softmax(scale * q @ k.T) @ v, with heads, masks and grouped keys.

    q[B, H, T, K], k[B, G, S, K], v[B, G, S, V] -> [B, H, T, V], where G divides H: query head h reads key head h // (H/G).
    `mask` is bool, true = may attend, and broadcasts to [B, H, T, S]. `causal` lets row t see keys up to t + S - T: the
    last row is aligned with the last key. Both combine by *and*; a row without keys gives 0. `scale` is
    K ** -0.5 if absent. `dropout` acts on the weights in training. Errors: E0201, E0202, E0206.
    """

    causal: bool = False
    dropout: Share = 0.0
    scale: Positive | None = None

    paper = "Vaswani et al. 2017, arXiv:1706.03762; grouped: Ainslie et al. 2023, arXiv:2305.13245"
    onnx = (
        "Attention; causal with a mask or other lengths: Range, LessOrEqual, And; a mask: ReduceMax, Where for rows that "
        "see nothing"
    )
    calls_inputs = True
    has_mode = True
    samples = (
        Sample({}, (_Q, _K, _K)),
        Sample({"causal": True}, (_Q, _Q, _Q)),
        Sample({"causal": True}, (_Q, _K, _K), note="the first rows see nothing where S < T"),
        Sample({"causal": True}, (_K, _Q, _Q), note="the last row sees all"),
        Sample({"causal": True}, (_K, _Q, _Q, Example("bool", ("B", 4, "S", "T"), 0, 2))),
        Sample(
            {"scale": 0.5}, (_Q, Example("f32", ("B", 2, "S", 6)), Example("f32", ("B", 2, "S", 3)),
                             Example("bool", ("B", 1, 1, "S"), 0, 2)), note="grouped heads; some rows see nothing",
        ),
        Sample({"causal": True}, (_Q, Example("f32", ("B", 1, "T", 6)), Example("f32", ("B", 1, "T", 6)),
                                  Example("bool", ("B", 1, "T", "T"), 0, 2))),
    )  # fmt: skip

    def infer(
        self, facts: Facts, q: TensorType, k: TensorType, v: TensorType, mask: TensorType | None = None
    ) -> TensorType:
        for name, tensor in (("q", q), ("k", k), ("v", v)):
            need_float(tensor, "attention")
            need_rank(tensor, 4, 4, f"`{name}`", "[B, heads, T, K]")
        dtype = common_dtype(q, k, v)
        batch, heads, rows, width = q.shape
        need_equal(facts, batch, k.shape[0], "`q` and `k` must have the same batch", k)
        need_equal(facts, width, k.shape[3], "`q` and `k` must have the same width", k)
        for axis, what in ((0, "batch"), (1, "heads"), (2, "length")):
            need_equal(facts, k.shape[axis], v.shape[axis], f"`k` and `v` must have the same {what}", v)
        divide(facts, heads, k.shape[1], "heads of `q` in groups", q)
        need_some(k, (2,), "attention")
        columns = k.shape[2]
        if mask is not None:
            need_mask(mask)
            wanted = (batch, heads, rows, columns)
            if broadcast((wanted, mask.shape), facts) != wanted:
                raise Rejected(
                    "E0201", "the mask must broadcast to [B, H, T, S]", f"`{mask}` to `{q.with_shape(*wanted)}`"
                )
        return TensorType(dtype, (batch, heads, rows, v.shape[3]))

    def piecewise(self, use: Positions) -> Left:
        q, k = use.type(0), use.type(1)
        if any(axis not in (0, 2) for type in (q, k) for axis in use.axes(type)):
            use.reject(f"has heads of `{use.length}` positions")
        use.attend(q.shape[2], k.shape[2], use.optional(3), causal=self.causal)
        return "still"

    def flops(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> Size:
        q, k, v = inputs[:3]
        assert q is not None and k is not None and v is not None
        return 2 * product(q.shape[:3]) * k.shape[2] * (q.shape[3] + v.shape[3])


class Rope(Function):
    """Rotary position codes: row t is rotated by the angles t * theta^(-2i/K); element i pairs with i + K/2.

    [.., T, K] -> the same. Errors: E0206 when K is odd, E0208 when it is symbolic.
    """

    theta: Positive

    paper = "Su et al. 2021, arXiv:2104.09864"
    onnx = "RotaryEmbedding, with tables from Mul, Cos and Sin"
    samples = (Sample({"theta": 10000.0}, (_Q,)), Sample({"theta": 500.0}, (Example("f32", ("B", 1, "T", 4)),)))

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, "rope")
        need_rank(x, 4, 4, "rope", "[B, heads, T, K]")
        width = x.shape[-1]
        if not isinstance(width, int):
            raise Rejected("E0208", f"the width of `rope` must be known, but `{width}` is not", f"the tensor is `{x}`")
        if width % 2:
            raise Rejected("E0206", f"the width of `rope` must be even, not {width}", f"the tensor is `{x}`")
        return x

    def piecewise(self, use: Positions) -> Left:
        use.keep_apart((1, 3))
        return "still"


class MultiHeadAttention(Layer):
    """Attention with its projections, over [B, T, D]; parameters as those of `torch.nn.MultiheadAttention`.

    f32[B, T, D] -> the same. `memory` [B, S, M] gives keys and values (default: the input). `mask` is bool, true =
    may attend, and broadcasts to [B, heads, T, S]; `causal` as for `attention`. Errors: E0206 when `heads` does not
    divide D, E0212 when D is symbolic.
    """

    heads: Count
    dropout: Share = 0.0
    bias: bool = True
    causal: bool = False

    paper = "Vaswani et al. 2017, arXiv:1706.03762"
    onnx = "Gemm, Attention, Gemm; Split of the stacked weights; a mask: ReduceMax, Where for rows that see nothing"
    has_mode = True
    samples = (
        Sample({"heads": 2}, (Example("f32", ("B", "T", 6)),)),
        Sample({"heads": 3, "causal": True, "bias": False}, (Example("f32", ("B", "T", 6)),)),
        Sample({"heads": 2}, (Example("f32", ("B", "T", 6)), Example("f32", ("B", "S", 4)),
                              Example("bool", ("B", 1, 1, "S"), 0, 2))),
    )  # fmt: skip

    def infer(
        self, facts: Facts, x: TensorType, memory: TensorType | None = None, mask: TensorType | None = None
    ) -> TensorType:
        need_f32(x, "MultiHeadAttention")
        need_rank(x, 3, 3, "MultiHeadAttention", "[B, T, D]")
        weight_size(x.shape[2], "the last axis")
        divide(facts, x.shape[2], self.heads, f"the last axis in {self.heads} heads", x)
        if memory is not None:
            need_f32(memory, "MultiHeadAttention")
            need_rank(memory, 3, 3, "`memory`", "[B, S, M]")
            need_equal(facts, x.shape[0], memory.shape[0], "`memory` must have the same batch as the input", memory)
            weight_size(memory.shape[2], "the last axis of `memory`")
        if mask is not None:
            need_mask(mask)
            wanted = (x.shape[0], self.heads, x.shape[1], (memory or x).shape[1])
            if broadcast((wanted, mask.shape), facts) != wanted:
                raise Rejected("E0201", "the mask must broadcast to [B, heads, T, S]", f"the mask is `{mask}`")
        return x

    def piecewise(self, use: Positions) -> Left:
        x = use.type(0)
        use.attend(x.shape[1], (use.optional(1) or x).shape[1], use.optional(2), causal=self.causal)
        return "still"

    def parameters(
        self, x: TensorType, memory: TensorType | None = None, mask: TensorType | None = None
    ) -> tuple[Parameter, ...]:
        width = weight_size(x.shape[2], "the last axis")
        keys = weight_size((memory or x).shape[2], "the last axis of `memory`")
        xavier = Init(name="xavier_uniform", args={"gain": 1.0})
        zeros = Init(name="zeros")
        if keys == width:
            projections = [Parameter(name="in_proj_weight", shape=(3 * width, width), init=xavier)]
        else:
            sizes = {"q": width, "k": keys, "v": keys}
            projections = [
                Parameter(name=f"{letter}_proj_weight", shape=(width, size), init=xavier)
                for letter, size in sizes.items()
            ]
        if self.bias:
            projections.append(Parameter(name="in_proj_bias", shape=(3 * width,), init=zeros))
        out = list(weight_and_bias((width, width), width, width, bias=self.bias, prefix="out_proj."))
        if self.bias:
            out[1] = out[1].model_copy(update={"init": zeros})
        return (*projections, *out)

    def flops(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> Size:
        x, memory = inputs[0], inputs[1] if len(inputs) > 1 else None
        assert x is not None
        batch, rows, width = x.shape
        _, columns, keys = (memory or x).shape
        projections = 2 * batch * (2 * rows * width * width + 2 * columns * keys * width)
        return projections + 2 * batch * rows * columns * 2 * width
