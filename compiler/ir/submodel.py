"""A part of a model as a model of its own: from taps to taps, with expressions added behind."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ..messages import export as errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..sizes.dims import variables
from .model import AnyNode, Body, Model, Operand, RepeatNode, Result, Spec, Value


def cut(
    spec: Spec,
    model: Model,
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    tail: Body | None = None,
) -> tuple[Spec, Model]:
    """The model that computes `outputs` from `inputs`, names of its inputs, taps and outputs (default: its own).

    `tail` is a body whose inputs are values of the model by name; its outputs then become those of the model. Paths stay
    what they are. Raises Failed: E0301 for an unknown name, E0504 for an output that needs an input which is not listed,
    E0308 for an output axis that no listed input carries.
    """
    if inputs is None and outputs is None and tail is None:
        return spec, model
    body = spec.body_of(model)
    own = {value.name: value.id for value in body.inputs}
    results = {result.name or "output": result.value for result in body.outputs}
    known = {**own, **body.taps, **results}  # an input that is bound again is read under its last binding

    def find(name: str) -> int:
        if name not in known:
            raise Failed(errors.no_such_tap(name, model.name, tuple(known), nearest(name, known), body.span))
        return known[name]

    fed = {name: own[name] if name in own else find(name) for name in (own if inputs is None else inputs)}
    if tail is not None:
        wanted = {value.name: find(value.name) for value in tail.inputs}
    else:
        wanted = {name: find(name) for name in (results if outputs is None else outputs)}
    _check_inputs(body, fed, wanted, own)
    values = {value.id: value for value in body.values()}
    nodes = needed(body, fed.values(), wanted.values())
    if tail is None:
        made = [Result(name=name, value=identifier) for name, identifier in wanted.items()]
        new_values = values
    else:
        nodes, made, new_values = _with_tail(nodes, tail, wanted, values)
    _check_sizes(body, fed, made, new_values)
    carried = {name for i in fed.values() for size in values[i].type.shape for name in variables(size)}
    kept = {value.id for node in nodes for value in node.outputs} | set(fed.values())
    references = {reference for node in nodes for reference in _references(node)}
    part = body.model_copy(
        update={
            "inputs": tuple(values[i].model_copy(update={"name": name}) for name, i in fed.items()),
            "nodes": tuple(nodes),
            "outputs": tuple(made),
            "taps": {name: i for name, i in body.taps.items() if i in kept},
            "emits": (),
            "instances": tuple(i for i in body.instances if any(_within(r, i.path) for r in references)),
            "requirements": tuple(r for r in body.requirements if variables(r.left) | variables(r.right) <= carried),
        }
    )
    changed = model.model_copy(
        update={
            "body": len(spec.bodies),
            "bounds": {name: bound for name, bound in model.bounds.items() if name in carried},
            "divisors": {name: divisor for name, divisor in model.divisors.items() if name in carried},
        }
    )
    models = tuple(changed if other is model else other for other in spec.models)
    return spec.model_copy(update={"bodies": (*spec.bodies, part), "models": models}), changed


def needed(body: Body, known: Collection[int], targets: Iterable[int]) -> list[AnyNode]:
    """The nodes of a body that the targets need, in order, without those already computed."""
    wanted = {target for target in targets if target not in known}
    found: list[AnyNode] = []
    for node in reversed(body.nodes):
        if any(value.id in wanted for value in node.outputs):
            found.append(node)
            wanted.update(operand for operand in operands(node) if operand not in known)
    return found[::-1]


def operands(node: AnyNode) -> list[int]:
    """The values that a node reads."""
    given: list[Operand] = list(node.inputs)
    if isinstance(node, RepeatNode):
        given += [operand for run in node.runs for operand in run.captures]
    return [operand for operand in given if isinstance(operand, int)]


def _with_tail(
    nodes: list[AnyNode], tail: Body, wanted: Mapping[str, int], values: Mapping[int, Value]
) -> tuple[list[AnyNode], list[Result], dict[int, Value]]:
    """The tail's nodes behind those of the model, their values renumbered."""
    numbers = {value.id: wanted[value.name] for value in tail.inputs}
    following = max(values, default=-1) + 1
    everything = dict(values)
    for node in tail.nodes:
        for value in node.outputs:
            numbers[value.id] = following
            everything[following] = value.model_copy(update={"id": following})
            following += 1

    def operand(given: Operand) -> Operand:
        return numbers[given] if isinstance(given, int) else given

    moved = [
        node.model_copy(
            update={
                "inputs": tuple(map(operand, node.inputs)),
                "outputs": tuple(everything[numbers[value.id]] for value in node.outputs),
            }
        )
        for node in tail.nodes
    ]
    made = [Result(name=result.name, value=numbers[result.value]) for result in tail.outputs]
    return [*nodes, *moved], made, everything


def _check_inputs(body: Body, fed: Mapping[str, int], wanted: Mapping[str, int], own: Mapping[str, int]) -> None:
    missing = {identifier: name for name, identifier in own.items() if identifier not in fed.values()}
    if not missing:
        return
    for output, target in wanted.items():
        found = needed(body, fed.values(), [target])
        reader = next((node for node in found if any(i in missing for i in operands(node))), None)
        if reader is not None or target in missing:
            name = missing[next(i for i in operands(reader) if i in missing) if reader is not None else target]
            place = reader.span if reader is not None else body.span
            raise Failed(errors.input_not_listed(output, name, tuple(fed), body.span, place))


def _check_sizes(body: Body, fed: Mapping[str, int], made: Sequence[Result], values: Mapping[int, Value]) -> None:
    carried = {name for i in fed.values() for size in values[i].type.shape for name in variables(size)}
    declared = {name for value in body.inputs for size in value.type.shape for name in variables(size)}
    for result in made:
        for size in values[result.value].type.shape:
            unknown = sorted((variables(size) - carried) & declared)
            if unknown:
                raise Failed(errors.dimension_without_input(unknown[0], tuple(fed), body.span))


def _references(node: AnyNode) -> Iterable[str]:
    instance = getattr(node, "instance", None)
    if isinstance(instance, str):
        yield instance
    yield from getattr(node, "instances", {}).values()
    if isinstance(node, RepeatNode):
        for run in node.runs:
            yield from run.instances.values()


def _within(reference: str, path: str) -> bool:
    return reference == path or reference.startswith(path + ".")
