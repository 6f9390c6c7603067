"""The summary counts bodies once and multiplies: paths, parameters, operations, memory."""

from __future__ import annotations

from dlc.compiler.analysis.summary import summarize
from dlc.compiler.ir.model import (
    Body,
    CallNode,
    Instance,
    Model,
    OpNode,
    Parameter,
    RepeatNode,
    RepeatRun,
    Result,
    Spec,
    Value,
)
from dlc.compiler.messages.source import Span
from dlc.compiler.sizes.dims import var
from dlc.compiler.sizes.types import TensorType

HERE = Span("test", 0, 0)
B, T = var("B"), var("T")


def linear(path: str, fan_in: int, fan_out: int) -> Instance:
    weights = (Parameter(name="weight", shape=(fan_out, fan_in)), Parameter(name="bias", shape=(fan_out,)))
    return Instance(path=path, op="Linear", parameters=weights, span=HERE)


def apply(path: str, source: int, target: int, kind: TensorType) -> OpNode:
    output = Value(id=target, type=kind)
    return OpNode(op="Linear", args={"out": 8}, instance=path, inputs=(source,), outputs=(output,), span=HERE)


def repeated(turns: int) -> Spec:
    """`x -> embed: Linear(8) -> h: repeat turns { Block() } -> embed` with Block = { fc: Linear(8) }."""
    kind = TensorType("f32", (B, T, 8))
    x = Value(id=0, type=kind, name="x")
    block = Body(
        name="Block",
        role="block",
        inputs=(x,),
        instances=(linear("fc", 8, 8),),
        nodes=(apply("fc", 0, 1, kind),),
        outputs=(Result(name="", value=1),),
        span=HERE,
    )
    call = CallNode(instance="#0", body=0, inputs=(0,), outputs=(Value(id=1, type=kind),), span=HERE)
    turn = Body(
        name="",
        role="turn",
        inputs=(x,),
        instances=(Instance(path="#0", body=0, span=HERE),),
        nodes=(call,),
        outputs=(Result(name="", value=1),),
        span=HERE,
    )
    run = RepeatRun(body=1, count=turns, offsets={"": 0}, strides={"": 1})
    loop = RepeatNode(scope="h", runs=(run,), inputs=(1,), outputs=(Value(id=2, type=kind),), span=HERE)
    model = Body(
        name="Net",
        role="model",
        inputs=(x,),
        instances=(linear("embed", 8, 8),),
        nodes=(apply("embed", 0, 1, kind), loop, apply("embed", 2, 3, kind)),
        outputs=(Result(name="y", value=3),),
        span=HERE,
    )
    root = Model(name="Net", statics={}, body=2, bounds={"T": (1, 16)})
    return Spec(edition="1", name="test", bodies=(block, turn, model), models=(root,))


def test_repeats_are_one_row() -> None:
    spec = repeated(12)
    summary = summarize(spec, spec.models[0])
    assert summary.sizes == {"B": 1, "T": 16}
    assert [(row.path, row.count, row.parameters) for row in summary.rows] == [
        ("embed", 1, 72),
        ("h.0..11.fc", 12, 12 * 72),
        ("embed", 1, 0),  # shared: its weights count once
    ]
    assert summary.parameters == 13 * 72
    assert summary.flops == 14 * 2 * 16 * 8 * 8
    assert summary.weight_bytes == 4 * summary.parameters
    assert summary.activations == 14 * 16 * 8 * 4


def test_the_cost_does_not_depend_on_the_count() -> None:
    spec = repeated(10**9)
    summary = summarize(spec, spec.models[0])
    assert summary.parameters == 72 + 10**9 * 72
    assert summary.rows[1].path == "h.0..999999999.fc"


def test_sizes_can_be_chosen() -> None:
    spec = repeated(1)
    assert summarize(spec, spec.models[0], {"T": 2}).flops == 3 * 2 * 2 * 8 * 8
    assert summarize(spec, spec.models[0]).rows[1].path == "h.0.fc"
