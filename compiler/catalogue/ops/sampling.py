"""A sample of an operator as a spec of one node, so that tests run it through the real IR and the real lowerings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...ir.model import Body, Instance, Model, OpNode, Result, Scalar, SourceText, Spec, Value
from ...messages.source import Span
from ...sizes.dims import Dim, Size, substitute, var, variables
from ...sizes.facts import NO_FACTS
from ...sizes.types import TensorType
from .base import Example, Layer, Op, Operand, Outputs, Sample

#: Annotations of arguments that may hold symbolic sizes; a sample writes these by name.
_SIZED = ("Extent", "Shape", "ShapeLike", "Items")


def sample_spec(operator: type[Op], sample: Sample, *, symbolic: bool = True) -> Spec:
    """A model `Sample` that applies the operator once.

    Its inputs are named after the operator's tensor inputs (`parts_0`, `parts_1` where it takes any number), its outputs
    after the operator's, or `out` (`out_0`, ..). Named axes are dimensions of the model, or the sample's sizes when not
    `symbolic`. Where no input carries a size that is asked for, or there is no input at all, one called `like` is added.
    The layer's path is `layer`.
    """
    sizes: Mapping[str, Size] = {name: var(name) if symbolic else size for name, size in sample.sizes.items()}
    text = _text(operator, sample)
    span = Span("sample.dlspec", 0, len(text))
    rule = bind(operator, sample, sizes)
    names = input_names(operator, len(sample.inputs))
    given = operands(sample, sizes)
    types = operator.operand_types(given)
    inputs = [
        Value(id=at, type=operand, name=name)
        for at, (name, operand) in enumerate(zip(names, given, strict=True))
        if isinstance(operand, TensorType)
    ]
    carried = {name for value in inputs for size in value.type.shape for name in variables(size)}
    missing = sorted((size_names(rule.values) | size_names(given)) - carried)
    if missing or not inputs:
        like = TensorType("f32", tuple(var(name) for name in missing))
        inputs.append(Value(id=len(types), type=like, name="like"))
    results = named(rule.infer(NO_FACTS, *types))
    first = len(types) + 1
    outputs = [Value(id=first + at, type=type, name=name) for at, (name, type) in enumerate(results.items())]
    layer = issubclass(operator, Layer)
    args = {name: value for name, value in rule.values.items() if name != "init"}  # which is given with the parameter
    node = OpNode(
        inputs=tuple(
            at if isinstance(operand, TensorType) else None if operand is None else Scalar(value=operand)
            for at, operand in enumerate(given)
        ),
        outputs=tuple(outputs),
        span=span,
        op=operator.name,
        args=args,
        instance="layer" if layer else None,
    )
    instance = Instance(path="layer", op=operator.name, args=args, parameters=rule.parameters(*types), span=span)
    body = Body(
        name="Sample",
        role="model",
        dims={
            str(size): size for size in sorted({s for v in inputs for s in v.type.shape}, key=str) if variables(size)
        },
        inputs=tuple(inputs),
        instances=(instance,) if layer else (),
        nodes=(node,),
        outputs=tuple(Result(name=value.name, value=value.id) for value in outputs),
        span=span,
    )
    return Spec(
        edition="1",
        name="sample",
        bodies=(body,),
        models=(Model(name="Sample", statics={}, body=0),),
        sources=(SourceText(name="sample.dlspec", text=text),),
    )


def bind(operator: type[Op], sample: Sample, sizes: Mapping[str, Size]) -> Op:
    """The operator with the sample's arguments, sizes by name filled in."""
    kinds = {name: kind for name, kind, _ in operator.arguments}
    return operator(
        **{name: _filled(value, sizes) if kinds[name] in _SIZED else value for name, value in sample.args.items()}
    )


def operands(sample: Sample, sizes: Mapping[str, Size]) -> tuple[Operand, ...]:
    """The type of each input, at these sizes."""
    return tuple(
        TensorType(one.dtype, tuple(sizes[s] if isinstance(s, str) else s for s in one.shape))
        if isinstance(one, Example)
        else sizes[one]
        if isinstance(one, str)
        else one
        for one in sample.inputs
    )


def input_names(operator: type[Op], count: int) -> list[str]:
    """Names of the tensor inputs of a use with `count` of them."""
    names = [name for name, kind in operator.tensors if kind != "many"]
    many = next((name for name, kind in operator.tensors if kind == "many"), "")
    return [*names, *(f"{many}_{at}" for at in range(count - len(names)))][:count]


def named(outputs: Outputs) -> dict[str, TensorType]:
    """Outputs with names: those of the operator, else `out` or `out_0`, `out_1`, .."""
    if isinstance(outputs, dict):
        return outputs
    if isinstance(outputs, TensorType):
        return {"out": outputs}
    return {f"out_{at}": output for at, output in enumerate(outputs)}


def at_sizes(type: TensorType, sizes: Mapping[str, int]) -> TensorType:
    """A type with its dimensions replaced by numbers."""
    return type.with_shape(*(substitute(size, sizes) for size in type.shape))


def _filled(value: Any, sizes: Mapping[str, Size]) -> Any:
    if isinstance(value, str) and value in sizes:
        return sizes[value]
    if isinstance(value, tuple):
        return tuple(_filled(item, sizes) for item in cast("tuple[Any, ...]", value))
    return value


def size_names(value: Any) -> set[str]:
    """Dimensions in arguments or operands."""
    if isinstance(value, dict):
        return set[str]().union(*map(size_names, cast("dict[str, Any]", value).values()))
    if isinstance(value, tuple):
        return set[str]().union(*map(size_names, cast("tuple[Any, ...]", value)))
    return set(variables(value)) if isinstance(value, Dim) else set()


def _text(operator: type[Op], sample: Sample) -> str:
    given = ", ".join(f"{name} = {value}" for name, value in sample.args.items())
    return f"{operator.name}({given})"
