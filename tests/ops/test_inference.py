"""Shape rules: symbolic and concrete sizes agree on every sample, and what a rule refuses it says in words."""

from __future__ import annotations

from typing import Any

import pytest

from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.catalogue.ops.base import Op, Rejected, Sample
from dlc.compiler.catalogue.ops.sampling import at_sizes, sample_spec
from dlc.compiler.ir.model import Spec
from dlc.compiler.sizes.dims import floordiv, substitute, var
from dlc.compiler.sizes.facts import Facts
from dlc.compiler.sizes.types import TensorType

B, C, H, T, W = map(var, "BCHTW")


def operator(name: str) -> type[Op]:
    found = find(name)
    assert found is not None
    return found


def samples() -> list[Any]:
    return [
        pytest.param(operator(name), sample, id=f"{name}-{at}")
        for name in names(syntax=True)
        for at, sample in enumerate(operator(name).samples)
    ]


@pytest.mark.parametrize("op, sample", samples())
def test_symbolic_inference_is_the_concrete_one(op: type[Op], sample: Sample) -> None:
    symbolic = sample_spec(op, sample).bodies[0]
    concrete = sample_spec(op, sample, symbolic=False).bodies[0]
    (general,), (plain,) = symbolic.nodes, concrete.nodes
    assert [at_sizes(v.type, sample.sizes) for v in general.outputs] == [v.type for v in plain.outputs]
    assert [i.parameters for i in symbolic.instances] == [i.parameters for i in concrete.instances]


@pytest.mark.parametrize("op, sample", samples())
def test_work_at_symbolic_sizes_is_the_concrete_one(op: type[Op], sample: Sample) -> None:
    def work(symbolic: bool) -> Any:
        body = sample_spec(op, sample, symbolic=symbolic).bodies[0]
        (node,) = body.nodes
        types = {value.id: value.type for value in body.values()}
        inputs = [types[i] if isinstance(i, int) else None for i in node.inputs]
        return op(**{**node.args, **sample_inits(op, sample)}).flops(inputs, [v.type for v in node.outputs])  # type: ignore[union-attr]

    assert substitute(work(True), sample.sizes) == work(False)


def sample_inits(op: type[Op], sample: Sample) -> dict[str, Any]:
    return {"init": sample.args["init"]} if "init" in sample.args else {}


@pytest.mark.parametrize("op, sample", samples())
def test_a_sample_is_a_valid_spec(op: type[Op], sample: Sample) -> None:
    spec = sample_spec(op, sample)
    assert Spec.model_validate_json(spec.model_dump_json()) == spec


# ---- what rules refuse -----------------------------------------------------------------------------------------------


def f32(*shape: Any) -> TensorType:
    return TensorType("f32", shape)


def i64(*shape: Any) -> TensorType:
    return TensorType("i64", shape)


def bools(*shape: Any) -> TensorType:
    return TensorType("bool", shape)


REJECTED: list[tuple[str, dict[str, Any], tuple[TensorType | None, ...], str, str]] = [
    # dtypes
    ("Linear", {"out": 2}, (i64(B, 4),), "E0204", "Linear takes f32, not `i64`"),
    ("relu", {}, (i64(B),), "E0204", "relu takes floats, not `i64`"),
    ("Embedding", {"count": 3, "dim": 2}, (f32(B),), "E0204", "an id for Embedding must be i64, not `f32`"),
    ("plus", {}, (f32(B), i64(B)), "E0204", "cannot combine `f32[B]` with `i64[B]`"),
    ("plus", {}, (bools(B), bools(B)), "E0204", "`+` takes numbers, not `bool`"),
    ("divide", {}, (i64(B), i64(B)), "E0204", "`/` takes floats, not `i64`"),
    ("logical_and", {}, (f32(B), bools(B)), "E0204", "an operand of `and` must be bool, not `f32`"),
    ("where", {}, (f32(B), f32(B), f32(B)), "E0204", "the condition of `where` must be bool, not `f32`"),
    ("mean", {"axis": None}, (i64(B),), "E0204", "mean takes floats, not `i64`"),
    ("clamp", {"min": 0.5}, (i64(B),), "E0204", "integers cannot be clamped at `0.5`"),
    ("constant", {"value": 0.5, "dtype": "i64"}, (), "E0204", "`0.5` is not `i64`"),
    ("Buffer", {"value": (1, True)}, (), "E0204", "a buffer holds numbers or bools, not both"),
    # shapes
    ("plus", {}, (f32(B, 256), f32(B, 64)), "E0201", "cannot combine `f32[B, 256]` with `f32[B, 64]`"),
    ("plus", {}, (f32(B, 5), f32(5, 5)), "E0207", "cannot combine `f32[B, 5]` with `f32[5, 5]`"),
    ("add", {}, (f32(2, 3), f32(2)), "E0201", "cannot combine `f32[2, 3]` with `f32[2]`"),
    ("matmul", {}, (f32(B, 3), f32(4, 2)), "E0201", "cannot multiply `f32[B, 3]` with `f32[4, 2]`"),
    ("concat", {"axis": 1}, (f32(2, 3), f32(4, 3)), "E0201",
     "cannot join `f32[2, 3]` and `f32[4, 3]` along axis 1"),
    ("stack", {"axis": 0}, (f32(2), f32(3)), "E0201", "cannot stack `f32[2]` and `f32[3]`"),
    ("split", {"size": (2, 3), "axis": 1}, (f32(B, 6),), "E0201", "the parts of axis 1 must add up to `6`"),
    ("squeeze", {"axis": 1}, (f32(B, 5),), "E0201", "cannot squeeze axis 1: its size is 5, not 1"),
    ("squeeze", {"axis": 1}, (f32(B, T),), "E0207", "cannot squeeze axis 1: its size is T, not 1"),
    ("expand", {"shape": (2, 3)}, (f32(2, 4),), "E0201", "cannot expand `f32[2, 4]` to `f32[2, 3]`"),
    ("Conv", {"out": 1, "kernel": 5}, (f32(B, 1, 3),), "E0201", "a window of 5 does not fit into an axis of 3"),
    ("max_pool", {"kernel": 4}, (f32(B, 1, 3),), "E0201", "a window of 4 does not fit into an axis of 3"),
    ("take", {"i": 3, "axis": 1}, (f32(B, 3),), "E0201", "position 3 of axis 1 needs an axis of at least 4, not 3"),
    ("take", {"i": -4, "axis": 1}, (f32(B, 3),), "E0201", "position -4 of axis 1 needs an axis of at least 4, not 3"),
    ("topk", {"k": 4}, (f32(B, 3),), "E0201", "`k` = 4 needs an axis of at least 4, not 3"),
    ("LSTM", {"hidden": 4}, (f32(B, T, 3), None, f32(2, B, 4), f32(1, B, 4)), "E0201",
     "the state of LSTM must be `f32[1, B, 4]`"),
    ("attention", {}, (f32(B, 4, T, 6), f32(B, 4, 5, 6), f32(B, 4, 5, 6), bools(B, T)), "E0201",
     "the mask must broadcast to [B, H, T, S]"),
    ("Buffer", {"value": ((1, 2), (3,))}, (), "E0201", "the lists of a buffer have different lengths"),
    # ranks and counts
    ("LSTM", {"hidden": 4}, (f32(B, 3),), "E0202", "LSTM takes [B, T, D]"),
    ("Conv", {"out": 1, "kernel": 3}, (f32(B, 1),), "E0202", "Conv takes [B, C, *] with 1 to 3 spatial axes"),
    ("Conv", {"out": 1, "kernel": (3, 3)}, (f32(B, 1, T),), "E0202", "kernel has 2 numbers for 1 spatial axis"),
    ("softmax", {"axis": 2}, (f32(B, 3),), "E0202", "there is no axis 2: the tensor has 2 axes"),
    ("upsample", {"factor": 2, "mode": "bilinear"}, (f32(B, 2, T),), "E0202",
     '`mode = "bilinear"` takes [B, C, *] with 2 spatial axes'),
    ("transpose", {}, (f32(B),), "E0202", "`.T` takes at least two axes"),
    ("pad", {"amounts": (1,)}, (f32(B),), "E0202", "`amounts` must be pairs of before and after, from the last axis backwards"),
    ("index", {"items": (0, 0)}, (f32(B),), "E0202", "2 indices for 1 axes"),
    # not whole
    ("split_heads", {"heads": 5}, (f32(B, T, 6),), "E0206", "the last axis in 5 heads: `6` is not a multiple of 5"),
    ("chunk", {"n": 4, "axis": 1}, (f32(B, 6),), "E0206", "axis 1 in 4 equal parts: `6` is not a multiple of 4"),
    ("attention", {}, (f32(B, 4, T, 6), f32(B, 3, 5, 6), f32(B, 3, 5, 6)), "E0206",
     "heads of `q` in groups: `4` is not a multiple of 3"),
    ("rope", {"theta": 1e4}, (f32(B, 2, T, 5),), "E0206", "the width of `rope` must be even, not 5"),
    ("sinusoid", {"n": T, "d": 5}, (), "E0206", "the width of `sinusoid` must be even, not 5"),
    ("pixel_shuffle", {"r": 2}, (f32(B, 6, H, W),), "E0206", "channels into r*r: `6` is not a multiple of 4"),
    # arguments that contradict each other
    ("upsample", {"factor": 2, "align_corners": True}, (f32(B, 2, T),), "E0304",
     '`align_corners` applies only to interpolation, not to `mode = "nearest"`'),
    # the missing fact
    ("index", {"items": (("slice", None, None), ("slice", None, 5))}, (f32(B, T),), "E0207",
     "`:5` may be outside axis 1, which has T"),
    ("take", {"i": 4, "axis": 1}, (f32(B, T),), "E0207", "position 4 of axis 1 needs an axis of at least 5"),
    # not static
    ("unbind", {"axis": 1}, (f32(B, T),), "E0208",
     "`unbind` needs a concrete axis 1: the number of parts depends on `T`"),
    ("split", {"size": 2, "axis": 1}, (f32(B, T),), "E0208",
     "`split` needs a concrete axis 1: the number of parts depends on `T`"),
    # weights
    ("Conv", {"out": 1, "kernel": 1}, (f32(B, C, H, W),), "E0212",
     "the weight's size would depend on `C`, which is not concrete"),
    # arguments
    ("Conv", {"out": 4, "kernel": 1, "groups": 2}, (f32(B, 3, T),), "E0304", "`groups` must divide the input channels"),
    ("Conv", {"out": 1, "kernel": 3, "stride": 2, "pad": "same"}, (f32(B, 1, T),), "E0304",
     '`pad = "same"` needs a stride of 1'),
    ("Conv", {"out": 1, "kernel": 3, "pad": "causal"}, (f32(B, 1, H, W),), "E0304",
     '`pad = "causal"` needs exactly one spatial axis, [B, C, T]'),
    ("GroupNorm", {"groups": 2}, (f32(B, 3),), "E0304", "`groups` must divide the channels"),
    ("max_pool", {"kernel": 2, "pad": 2}, (f32(B, 1, T),), "E0304", "`pad` must be at most half the kernel"),
    ("sum", {"axis": (0, -2)}, (f32(B, T),), "E0304", "an axis is given twice"),
    ("clamp", {}, (f32(B),), "E0304", "`clamp` needs `min`, `max` or both"),
    ("Embedding", {"count": 3, "dim": 2, "pad": 3}, (i64(B),), "E0304", "`pad` must be a row of the table"),
    ("LSTM", {"hidden": 4}, (f32(B, T, 3), None, f32(1, B, 4)), "E0304",
     "the state of LSTM must be a pair, `state = (h, c)`"),
    ("randint", {"low": 3, "high": 3, "shape": (2,)}, (), "E0304", "`low` must be below `high`"),
]  # fmt: skip


@pytest.mark.parametrize("name, args, inputs, code, message", REJECTED, ids=[f"{r[0]}-{r[3]}" for r in REJECTED])
def test_rejected(
    name: str, args: dict[str, Any], inputs: tuple[TensorType | None, ...], code: str, message: str
) -> None:
    rule = operator(name)(**args)
    with pytest.raises(Rejected) as caught:
        rule.infer(Facts(), *inputs)
        rule.parameters(*inputs)
    assert (caught.value.code, caught.value.message) == (code, message)
    assert caught.value.label or caught.value.notes


REDUCING = [
    name for name in names() if {"axis", "keepdim"} <= {argument for argument, _, _ in operator(name).arguments}
]
ALONG = ("softmax", "log_softmax", "l2_normalize", "argmax", "logsumexp")


@pytest.mark.parametrize("name", sorted({*REDUCING, *filter(find, ALONG)}))
def test_nothing_is_reduced(name: str) -> None:
    """`mean(x[:, 5:5])` is NaN, and PyTorch raises for a maximum of nothing; of what is not reduced, none may be there."""
    with pytest.raises(Rejected) as caught:
        operator(name)(axis=-1).infer(Facts(), f32(B, 0))
    assert (caught.value.code, caught.value.message) == ("E0201", f"`{name}` of no elements: axis 1 has size 0")
    operator(name)(axis=0).infer(Facts(), f32(B, 0))


@pytest.mark.parametrize("size, correction", [(1, 1), (2, 2), (1, 3)])
def test_a_variance_divided_by_nothing(size: int, correction: int) -> None:
    with pytest.raises(Rejected, match=f"the variance of {size} numbers? is divided by {size - correction}"):
        operator("var")(axis=-1, correction=correction).infer(Facts(), f32(B, size))
    operator("var")(axis=0, correction=1).infer(Facts(), f32(B, size))


def test_the_missing_fact_is_the_help() -> None:
    with pytest.raises(Rejected) as caught:
        operator("index")(items=(("slice", None, 5),)).infer(Facts(), f32(T))
    assert caught.value.helps == ("state the bound: `require T >= 5`",)
    half = floordiv(H, 2)
    with pytest.raises(Rejected) as caught:
        operator("plus")().infer(Facts(), f32(H), f32(2 * half))
    assert caught.value.helps == ("if this always holds, state it: `require H % 2 == 0`",)


def test_a_fact_lets_it_pass() -> None:
    facts = Facts(bounds={"T": (5, None)})
    assert operator("index")(items=(("slice", None, 5),)).infer(facts, f32(T)) == f32(5)
    even = Facts(divisors={"H": 2})
    assert operator("plus")().infer(even, f32(H), f32(2 * floordiv(H, 2))) in (f32(H), f32(2 * floordiv(H, 2)))


def test_conv_on_symbolic_sizes() -> None:
    conv = operator("Conv")(out=8, kernel=7, stride=2, pad=3)
    assert str(conv.infer(Facts(), f32(B, 3, H, W))) == "f32[B, 8, ⌊(H + 1)/2⌋, ⌊(W + 1)/2⌋]"


def test_named_outputs() -> None:
    outputs = operator("LSTM")(hidden=4, bidirectional=True).infer(Facts(), f32(B, T, 3))
    assert {name: str(type) for name, type in outputs.items()} == {  # type: ignore[union-attr]
        "y": "f32[B, T, 8]",
        "h": "f32[2, B, 4]",
        "c": "f32[2, B, 4]",
    }
