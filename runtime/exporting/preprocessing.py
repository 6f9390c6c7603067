"""The part of a data pipeline that goes into the exported graph: `scale normalize standardize one_hot rgb` and the like.

A model input fed by a batch field is followed back through the transforms of the field as evaluation applies them, as far
as operators of the catalogue can say them. The graph's input is then what goes into the first of these: a decoded, resized
image, the numbers of a table. They are added to the IR, so that both backends lower them and the comparison covers them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...compiler.catalogue import transforms
from ...compiler.catalogue.transforms.image import IMAGENET_MEAN, IMAGENET_STD
from ...compiler.dataclass import dataclass
from ...compiler.ir.data import DataNode, DataSet
from ...compiler.ir.model import Model, Scalar, Spec, Value
from ...compiler.ir.train import Train
from ...compiler.messages.source import Span
from ...compiler.sizes.dims import Size
from ...compiler.sizes.types import TensorType
from ..data.series import over_rows
from .added import Added


def with_preprocessing(
    spec: Spec, model: Model, data: DataSet, train: Train, fitted: Mapping[int, Mapping[str, Any]]
) -> tuple[Spec, Model, dict[str, np.ndarray[Any, Any]]]:
    """The model with the transforms of its inputs before it, and their constants by path.

    What has learned nothing yet (an export without a run) stays outside, with everything before it.
    """
    body = spec.body_of(model)
    builder = _Builder(max((value.id for value in body.values()), default=-1) + 1)
    inputs: list[Value] = []
    fields = {field.name: field for field in data.fields}
    own = {value.name for value in spec.body_of(next(m for m in spec.models if m.name == model.name)).inputs}
    for value in body.inputs:
        field = fields.get(train.inputs.get(value.name, value.name))
        chain = in_graph(data, field.node, fitted) if field is not None and value.name in own else []
        inputs.append(builder.apply(value, chain, data, fitted) if chain else value)
    if not builder.nodes:
        return spec, model, {}
    changed = body.model_copy(
        update={
            "inputs": tuple(inputs),
            "nodes": (*builder.nodes, *body.nodes),
            "instances": (*builder.instances, *body.instances),
        }
    )
    made = model.model_copy(update={"body": len(spec.bodies)})
    models = tuple(made if other is model else other for other in spec.models)
    return spec.model_copy(update={"bodies": (*spec.bodies, changed), "models": models}), made, builder.constants


def described(data: DataSet, train: Train, names: Sequence[str], fitted: Mapping[int, Mapping[str, Any]] | None) -> str:
    """The whole pipeline of the inputs as JSON, for the metadata: every transform with its arguments and what it learned,
    in order, and whether the graph holds it. `fitted` is None when the graph holds none of it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        field = next((f for f in data.fields if f.name == train.inputs.get(name, name)), None)
        if field is None:
            continue
        inside = {node.id for node in in_graph(data, field.node, fitted)} if fitted is not None else set[int]()
        found[name] = [
            {"op": node.op, "args": _plain(node.args), "in_graph": node.id in inside}
            | ({"fitted": dict(fitted[node.id])} if fitted is not None and node.id in fitted else {})
            for node in way_to(data, field.node)
        ]
    return json.dumps(found)


def _plain(args: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, (int, float, str, bool, tuple, type(None))) else str(value)
        for name, value in args.items()
    }


def way_to(data: DataSet, last: int) -> list[DataNode]:
    """The nodes that lead to a field in evaluation, first to last."""
    found: list[DataNode] = []
    node = data.node(last)
    while True:
        if node.op != "choose":
            found.append(node)
        if not node.inputs:
            return found[::-1]
        node = data.node(node.inputs[1] if node.op == "choose" else node.inputs[0])


def in_graph(data: DataSet, last: int, fitted: Mapping[int, Mapping[str, Any]]) -> list[DataNode]:
    """The last transforms of a field that the graph can hold, first to last."""
    found: list[DataNode] = []
    picks = 0
    rows = False  # of a table, from which a window was cut
    for node in reversed(way_to(data, last)):
        transform = transforms.of(node.op)
        if transform.evaluation == ():
            continue
        if over_rows(data, node):
            if picks > 1:  # which of them is one of rows, and which of their numbers?
                break
            rows = True
            continue
        if node.op == "member" and over_rows(data, data.node(node.inputs[0])):
            continue
        if transform.picks:  # what comes before it treats each value alike only on a stream, or as rows
            if rows:
                break
            picks += 1
            continue
        if picks and not rows and node.type.kind != "stream":
            break
        learned = not transform.learns or node.id in fitted
        if not transform.in_graph or not learned or not node.inputs or _dtype_before(data, node) is None:
            break
        if node.op == "rgb" and _channels_before(data, node) is None:
            break
        found.append(node)
    return found[::-1]


def _channels_before(data: DataSet, node: DataNode) -> Size | None:
    """How many channels the image has that `rgb` reads; None where only the data would say it."""
    shape = data.node(node.inputs[0]).type.shape
    return shape[0] if shape else None


def _dtype_before(data: DataSet, node: DataNode) -> str | None:
    """The dtype that goes into a transform. Where only the data would say it, what the transform makes of numbers; None
    where its meaning depends on it (bytes are read as shares of 255), and for what is not a tensor."""
    source = data.node(node.inputs[0])
    while transforms.of(source.op).evaluation == () or source.op == "choose":
        source = data.node(source.inputs[1] if source.op == "choose" else source.inputs[0])
    if source.type.kind not in ("tensor", "column", "stream"):
        return None
    if source.type.dtype is not None:
        return source.type.dtype
    transform = transforms.of(node.op)
    return None if transform.to_float else transform.reads


def _steps(op: str) -> tuple[str, ...]:
    """The transforms that a node is in evaluation, by name."""
    transform = transforms.of(op)
    return (transform.evaluation or ()) if transform.random else (op,)


def builder(op: str) -> bool:
    """Whether every step of a transform can be built: by the method of `_Builder` that has its name."""
    return all(hasattr(_Builder, name) for name in _steps(op))


#: A share of the deviation by which f32 may be off in a mean. The mean of years, or of times in seconds, is subtracted in two parts.
LOST = 1e-6


@dataclass(frozen=True)
class _Step:
    """A transform in its place; its constants are at `path`."""

    args: Mapping[str, Any]
    fitted: Mapping[str, Any]
    span: Span
    path: str


class _Builder(Added):
    """Operator nodes in front of a body. The methods named as transforms add what these compute."""

    def apply(
        self, value: Value, chain: Sequence[DataNode], data: DataSet, fitted: Mapping[int, Mapping[str, Any]]
    ) -> Value:
        """Adds the transforms that make `value`; the input that takes its place."""
        shape = value.type.shape
        for node in reversed(chain):
            if node.op == "one_hot":
                shape = shape[:-1]
            if node.op == "rgb":
                channels = _channels_before(data, node)
                assert channels is not None
                shape = (shape[0], channels, *shape[2:])
        dtype = _dtype_before(data, chain[0])
        assert dtype is not None
        raw = Value(id=self.fresh(), type=TensorType(dtype, shape), name=value.name)
        x = raw
        for number, node in enumerate(chain):
            x = self._transform(x, node, fitted.get(node.id, {}), f"preprocess.{value.name}.{number}")
        if x.type.dtype != value.type.dtype or x is raw:
            x = self.cast(x, value.type.dtype, chain[-1].span)
        last = self.nodes[-1]
        self.nodes[-1] = last.model_copy(update={"outputs": (value.model_copy(update={"name": ""}),)})
        return raw

    def _transform(self, x: Value, node: DataNode, fitted: Mapping[str, Any], path: str) -> Value:
        step = _Step(node.args, fitted, node.span, path)
        for name in _steps(node.op):
            x = getattr(self, name)(x, step)
        return x

    # ---- transforms by their names ---------------------------------------------------------------------------------------

    def scale(self, x: Value, step: _Step) -> Value:
        return self.binary("times", self.as_f32(x, step.span), Scalar(value=float(step.args["k"])), step.span)

    def normalize(self, x: Value, step: _Step) -> Value:
        named = step.args["mean"] == "imagenet"
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if named else (step.args["mean"], step.args["std"])
        channels = (-1, 1, 1) if x.type.rank == 4 else None
        return self._shifted(self.as_float(x, step.span), step, mean, std, channels)

    def standardize(self, x: Value, step: _Step) -> Value:
        mean, std = (np.asarray(step.fitted[name], np.float64) for name in ("mean", "std"))
        x, coarse = self.as_f32(x, step.span), mean.astype(np.float32)
        rest = mean - coarse
        if np.abs(rest / std).max(initial=0.0) > LOST:
            x = self.binary("minus", x, self.constant(f"{step.path}.coarse", coarse, step.span), step.span)
            mean = rest
        return self._shifted(x, step, mean, std, None)

    def _shifted(self, x: Value, step: _Step, mean: Any, std: Any, shape: tuple[int, ...] | None) -> Value:
        x = self.binary("minus", x, self.constant(f"{step.path}.mean", mean, step.span, shape), step.span)
        return self.binary("divide", x, self.constant(f"{step.path}.std", std, step.span, shape), step.span)

    def impute(self, x: Value, step: _Step) -> Value:
        x = self.as_f32(x, step.span)
        missing = self.op("not_equal", (x.id, x.id), TensorType("bool", x.type.shape), step.span)
        fill = self.constant(f"{step.path}.fill", step.fitted["fill"], step.span)
        return self.op("where", (missing.id, fill, x.id), x.type, step.span)

    def clip(self, x: Value, step: _Step) -> Value:
        x = self.as_f32(x, step.span)
        bounds = {name: step.args[name] for name in ("min", "max") if step.args[name] is not None}
        if not bounds:
            return x
        return self.op("clamp", (x.id,), x.type, step.span, {"min": None, "max": None, **bounds})

    def log1p(self, x: Value, step: _Step) -> Value:
        x = self.binary("plus", self.as_f32(x, step.span), Scalar(value=1.0), step.span)
        return self.op("log", (x.id,), x.type, step.span)

    def threshold(self, x: Value, step: _Step) -> Value:
        above = self.op("greater", (x.id, Scalar(value=step.args["v"])), TensorType("bool", x.type.shape), step.span)
        return self.cast(above, "i64", step.span)

    def rgb(self, x: Value, step: _Step) -> Value:
        if x.type.shape[1] == 3:
            return x
        shape = (x.type.shape[0], 3, *x.type.shape[2:])
        return self.op("expand", (x.id,), TensorType(x.type.dtype, shape), step.span, {"shape": shape})

    def to_float(self, x: Value, step: _Step) -> Value:
        return self.as_float(x, step.span)

    def one_hot(self, x: Value, step: _Step) -> Value:
        n, span = int(step.args["n"]), step.span
        x = x if x.type.dtype == "i64" else self.cast(x, "i64", span)
        raised: tuple[Size, ...] = (*x.type.shape, 1)
        column = self.op("index", (x.id,), TensorType("i64", raised), span, {"items": ("...", None)})
        numbers = self.op("arange", (), TensorType("i64", (n,)), span, {"n": n})
        same = self.op("equal", (column.id, numbers.id), TensorType("bool", (*x.type.shape, n)), span)
        return self.cast(same, "f32", span)
