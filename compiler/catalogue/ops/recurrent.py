"""Recurrent layers over [B, T, D]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ...ir.model import Init, Parameter
from ...sizes.dims import Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Count, Share
from .base import Example, Layer, Rejected, Sample
from .positions import Left, Positions
from .rules import need_equal, need_f32, need_integer, need_rank, product, weight_size

MOST_LAYERS = 1000


class _Recurrent(Layer):
    hidden: Count
    layers: Count = 1
    bidirectional: bool = False
    dropout: Share = 0.0

    has_mode = True
    along = "example"
    outputs = ("y", "h")
    #: Rows of the weights by gate.
    gates: ClassVar[int] = 1

    @classmethod
    def misread(cls, given: Sequence[Any], x: TensorType) -> str:
        many = len(given) > 1 and isinstance(given[1], int) and given[1] >= 5
        return "in, hidden" if many and x.rank == 3 and given[0] == x.shape[2] else ""

    def sequence(self, facts: Facts, x: TensorType, lengths: TensorType | None) -> dict[str, TensorType]:
        """Checks the sequence and its lengths; the types of the outputs."""
        if self.layers > MOST_LAYERS:
            raise Rejected("E0316", f"{self.layers} layers in one {self.name}", f"at most {MOST_LAYERS}")
        need_f32(x, self.name)
        need_rank(x, 3, 3, self.name, "[B, T, D]")
        if lengths is not None:
            need_integer(lengths, "`lengths`")
            need_rank(lengths, 1, 1, "`lengths`", "i64[B]")
            need_equal(facts, lengths.shape[0], x.shape[0], "`lengths` must have one number per example", x)
        y, state = x.with_shape(*x.shape[:2], self.hidden * self.directions), self.state_type(x)
        return {name: state if at else y for at, name in enumerate(self.outputs)}

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def state_type(self, x: TensorType) -> TensorType:
        return x.with_shape(self.layers * self.directions, x.shape[0], self.hidden)

    def check_state(self, facts: Facts, x: TensorType, state: TensorType | None) -> None:
        if state is None:
            return
        need_f32(state, f"the state of {self.name}")
        expected = self.state_type(x)
        if state.rank != 3:
            raise Rejected("E0202", "a state must be [layers * directions, B, hidden]", f"the tensor is `{state}`")
        for size, wanted in zip(state.shape, expected.shape, strict=True):
            need_equal(facts, size, wanted, f"the state of {self.name} must be `{expected}`", state)

    def weights(self, x: TensorType) -> tuple[Parameter, ...]:
        inputs = weight_size(x.shape[2], "the last axis")
        rows = self.gates * self.hidden
        bound = self.hidden**-0.5
        init = Init(name="uniform", args={"low": -bound, "high": bound})
        found: list[Parameter] = []
        for layer in range(self.layers):
            width = inputs if layer == 0 else self.hidden * self.directions
            for suffix in ("", "_reverse")[: self.directions]:
                shapes = {
                    "weight_ih": (rows, width),
                    "weight_hh": (rows, self.hidden),
                    "bias_ih": (rows,),
                    "bias_hh": (rows,),
                }
                found += [
                    Parameter(name=f"{name}_l{layer}{suffix}", shape=shape, init=init) for name, shape in shapes.items()
                ]
        return tuple(found)

    def piecewise(self, use: Positions) -> Left:
        use.keep_apart(range(1, use.type(0).rank), "give it `state`, export the final state too, and feed it back")
        return "still"

    def flops(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> Size:
        x = inputs[0]
        assert x is not None
        matrices = [p.shape for p in self.weights(x) if len(p.shape) == 2]
        return 2 * product(x.shape[:2]) * sum(rows * columns for rows, columns in matrices)


_SEQUENCE = Example("f32", ("B", "T", 3))
_LENGTHS = Example("i64", ("B",), 0, 5)
_STATE = Example("f32", (2, "B", 4))


class RNN(_Recurrent):
    """Elman network, h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    f32[B, T, D] -> `y` [B, T, hidden * directions], `h` [layers * directions, B, hidden]. `lengths` (i64[B]) ends
    every sequence early: `y` is 0 after its end and `h` is the state at the end; a length of 0 gives 0 everywhere. `state`
    is the first `h` (0 if absent). `dropout` acts between layers. Errors: E0212 when D is symbolic.
    """

    onnx = "one RNN node a layer"
    samples = (
        Sample({"hidden": 4}, (_SEQUENCE,)),
        Sample({"hidden": 4, "bidirectional": True}, (_SEQUENCE, _LENGTHS, _STATE)),
    )

    def infer(
        self, facts: Facts, x: TensorType, lengths: TensorType | None = None, state: TensorType | None = None
    ) -> dict[str, TensorType]:
        outputs = self.sequence(facts, x, lengths)
        self.check_state(facts, x, state)
        return outputs

    def parameters(
        self, x: TensorType, lengths: TensorType | None = None, state: TensorType | None = None
    ) -> tuple[Parameter, ...]:
        return self.weights(x)


class GRU(_Recurrent):
    """Gated recurrent unit; gates in PyTorch's order r, z, n.

    Inputs and outputs as `RNN`.
    """

    gates = 3
    paper = "Cho et al. 2014, arXiv:1406.1078"
    onnx = "one GRU node a layer, linear_before_reset = 1"
    samples = (
        Sample({"hidden": 4}, (_SEQUENCE,)),
        Sample({"hidden": 4, "layers": 2}, (_SEQUENCE, _LENGTHS)),
        Sample({"hidden": 4, "bidirectional": True}, (_SEQUENCE, None, _STATE)),
    )

    def infer(
        self, facts: Facts, x: TensorType, lengths: TensorType | None = None, state: TensorType | None = None
    ) -> dict[str, TensorType]:
        outputs = self.sequence(facts, x, lengths)
        self.check_state(facts, x, state)
        return outputs

    def parameters(
        self, x: TensorType, lengths: TensorType | None = None, state: TensorType | None = None
    ) -> tuple[Parameter, ...]:
        return self.weights(x)


class LSTM(_Recurrent):
    """Long short-term memory; gates in PyTorch's order i, f, g, o.

    Inputs and outputs as `RNN`, and `c`, of the shape of `h`. `state` is the pair `(h, c)`.
    """

    outputs = ("y", "h", "c")
    gates = 4
    tensor_groups: ClassVar[Mapping[str, tuple[str, ...]]] = {"state": ("h0", "c0")}
    paper = "Hochreiter, Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735"
    onnx = "one LSTM node a layer; initial states: Split"
    samples = (
        Sample({"hidden": 4}, (_SEQUENCE,)),
        Sample({"hidden": 4, "layers": 2, "bidirectional": True}, (_SEQUENCE, _LENGTHS)),
        Sample({"hidden": 4, "layers": 2}, (_SEQUENCE, None, _STATE, _STATE)),
    )

    def infer(
        self,
        facts: Facts,
        x: TensorType,
        lengths: TensorType | None = None,
        h0: TensorType | None = None,
        c0: TensorType | None = None,
    ) -> dict[str, TensorType]:
        outputs = self.sequence(facts, x, lengths)
        if (h0 is None) is not (c0 is None):
            raise Rejected("E0304", "the state of LSTM must be a pair, `state = (h, c)`", "one of the two is missing")
        self.check_state(facts, x, h0)
        self.check_state(facts, x, c0)
        return outputs

    def parameters(
        self,
        x: TensorType,
        lengths: TensorType | None = None,
        h0: TensorType | None = None,
        c0: TensorType | None = None,
    ) -> tuple[Parameter, ...]:
        return self.weights(x)
