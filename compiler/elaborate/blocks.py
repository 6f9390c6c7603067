"""Runs the bodies of blocks and models."""

from __future__ import annotations

from typing import Any

from ..ir.faults import entered
from ..ir.model import Body
from ..messages import bodies as bodies_errors
from ..messages import paths as paths_errors
from ..messages.diagnostics import Failed
from ..messages.shapes import Demand
from ..messages.source import Span
from ..resolve.definitions import Definition
from ..sizes.types import TensorType
from ..text import syntax, top_level
from .builder import Builder, Scope, json_arguments
from .control import run
from .environment import Environment
from .nodes import as_outputs, as_tensor
from .shapes import unify
from .signatures import Signature, default_of, signature_of
from .state import Context, State
from .statements import run_statement
from .values import POISON, CheckedBody, SymbolicTensor


def run_block(
    state: State, definition: Definition, statics: dict[str, Any], inputs: list[TensorType | None], span: Span
) -> CheckedBody | None:
    """Runs a block's body symbolically; None when it had mistakes (they are reported)."""
    node = definition.node
    assert isinstance(node, (top_level.Block, top_level.BlockSeq, top_level.Model))
    role = "sequence" if isinstance(node, top_level.BlockSeq) else "block"
    builder = Builder(state.report, definition.name, role, node.span)
    environment = Environment(definition.scope, dict(statics))
    if isinstance(node, top_level.BlockSeq):
        context = Context(state, builder, environment, Scope(numbered=True))
        flow = tuple(builder.input(type, "x" if len(inputs) == 1 else f"x{i}") for i, type in enumerate(inputs) if type)
        result = run(context, flow[0] if len(flow) == 1 else flow, node.stages)
        outputs = as_outputs(context, result, node.span)
    else:
        signature = signature_of(node)
        context = Context(state, builder, environment, Scope())
        for decl, type in zip(signature.inputs, inputs, strict=True):
            if type is None:
                environment.bind(decl.name.text, None, decl.name.span, is_input=True)
                continue
            tensor = builder.input(type, decl.name.text)
            if decl.type is None:
                raise Failed(bodies_errors.input_without_type(decl.name.text, decl.span, default_of(decl)))
            what = f"input `{decl.name.text}` of `{definition.name}`"
            unify(context, decl.type, Demand(what, type, required=span), bind=True)
            environment.bind(decl.name.text, tensor, decl.name.span, is_input=True)
        found = run_body(context, node.body, signature, is_model=False)
        if found is None:
            return None
        outputs = found
    body = builder.finish(outputs, statics=json_arguments(environment.statics), dims=environment.dims())
    if definition.name[:1].islower() and _owns_parameters(state, body):
        raise Failed(paths_errors.lowercase_owns_weights(definition.name, node.name.span))
    index = state.add_body(body)
    types = tuple((name, tensor.type) for name, tensor in outputs)
    return CheckedBody(index, types, dict(builder.instance_inputs))


def run_body(
    context: Context, body: syntax.Body, signature: Signature, *, is_model: bool
) -> list[tuple[str, SymbolicTensor]] | None:
    """Statements in order, then the outputs; None when there were mistakes."""
    before = len(context.state.report.errors), context.state.failures
    named = isinstance(signature.outs, syntax.Decls)
    last: Any = None
    outputs: list[tuple[str, SymbolicTensor]] | None = None
    if isinstance(signature.outs, syntax.Decls):
        context.environment.outputs = frozenset(decl.name.text for decl in signature.outs.items)
    ended = -1  # where the last statement with a mistake ends
    for position, statement in enumerate(body.statements):
        final = position == len(body.statements) - 1 and not named
        failures = context.state.failures
        with context.attempt(statement, statement.span):
            cut = (
                0 <= statement.span.start - ended <= len("; ")
            )  # `x -> layer; Block(2)`: its end was taken for a statement
            value = (
                POISON
                if cut and not isinstance(statement, syntax.Bind)
                else run_statement(context, statement, final=final)
            )
            if final:
                last = value
        if context.state.failures > failures:
            ended = statement.span.end
    failed = (len(context.state.report.errors), context.state.failures) != before
    if not is_model and not failed:
        unused_bindings(context, signature)
    if named:
        assert isinstance(signature.outs, syntax.Decls)
        outputs = []
        for decl in signature.outs.items:
            if failed and decl.name.text not in context.environment.bindings:
                continue  # the statement with the mistake may have been to assign it
            with context.state.reporting(decl.span):
                outputs.append((decl.name.text, named_output(context, decl)))
    elif not failed:
        if last is None:
            context.state.report.add(context.state.located(bodies_errors.no_result(body.span)))
            return None
        with context.state.reporting(body.span):
            outputs = as_outputs(context, last, body.span)
            if isinstance(signature.outs, syntax.Type):
                for _, tensor in outputs:
                    demand = Demand("the result", tensor.type, required=body.statements[-1].span)
                    unify(context, signature.outs, demand, bind=False)
    return None if (len(context.state.report.errors), context.state.failures) != before else outputs


def named_output(context: Context, decl: syntax.Decl) -> SymbolicTensor:
    binding = context.environment.bindings.get(decl.name.text)
    if binding is None or binding.is_input or binding.is_size:
        raise Failed(bodies_errors.output_not_assigned(decl.name.text, decl.span))
    binding.read = True
    tensor = as_tensor(context, binding.value, binding.span)
    if decl.type is not None:
        demand = Demand(f"output `{decl.name.text}`", tensor.type, required=binding.span)
        unify(context, decl.type, demand, bind=False)
    return tensor


def unused_bindings(context: Context, signature: Signature) -> None:
    named = signature.outs.items if isinstance(signature.outs, syntax.Decls) else ()
    outputs = {decl.name.text for decl in named}
    for name, binding in context.environment.bindings.items():
        if binding.read or binding.is_input or binding.is_size or name.startswith("_") or name in outputs:
            continue
        if binding.value is not POISON:
            context.state.report.add(context.state.located(bodies_errors.unused_binding(name, binding.span)))


def _owns_parameters(state: State, body: Body) -> bool:
    """Whether a layer with weights lies in a body, in its turns and branches, or in the blocks that it uses."""
    stack, seen = [body], set[int]()
    while stack:
        current = stack.pop()
        if any(instance.parameters for instance in current.instances):
            return True
        below = [instance.body for instance in current.instances if instance.body is not None]
        below += [inner for node in current.nodes for inner, _ in entered(node)]
        stack += [state.bodies[index] for index in below if index not in seen]
        seen.update(below)
    return False
