"""`if` as a statement: which names its branches leave behind, and how they are run.

    if depth > 2 {
      z = x -> extra: Linear(64)     # only in this branch
      y = y + z                      # bound before: known after the `if`
    }

A name survives when it was bound before the `if`, or when every branch binds it. That is a rule of the text, so whether
a spec is right does not depend on which branch a setting chooses. A static condition chooses one branch, which is run
in the body around it; on `training` both are run as bodies, and what survives are the outputs of the mode node.
"""

from __future__ import annotations

from collections.abc import Callable as Function
from typing import Any, TypeAlias

from ..messages import bodies as bodies_errors
from ..messages import control as control_errors
from ..messages.diagnostics import Abandoned, Failed
from ..text import syntax
from .bindings import names_of
from .control import region
from .modes import by_mode, condition
from .nodes import as_tensor
from .state import Context
from .values import POISON, Outputs, SymbolicTensor

#: `statements.run_statement`, which runs the statements of the branches.
RunStatement: TypeAlias = Function[..., Any]
Branch: TypeAlias = syntax.Body | syntax.If | None


def run(context: Context, node: syntax.If, run_statement: RunStatement, *, final: bool) -> Any:
    """Runs an `if` and binds what survives; its value where it ends a body (`final`)."""
    names = surviving(context, node)
    if final and not ends_in_value(node):
        raise Failed(bodies_errors.if_without_value(node.span, names))
    if not final and not names and not _acts(node):
        raise Failed(control_errors.branches_without_effect(node.span))
    try:
        answer = condition(context, node.condition)
        if answer is None:
            return _both(context, node, names, run_statement, final=final)
        taken, other = (node.then, node.orelse) if answer else (node.orelse, node.then)
        if other is not None:
            context.environment.mark_read(other)
        inner = region(context)
        value = _statements(inner, taken, run_statement, final=final)
    except (Failed, Abandoned):
        for name in names:
            context.environment.bind(name, POISON, node.span)
        raise
    _survive(context, inner, names)
    _leave(context, inner, node, names)
    return value


def _statements(inner: Context, branch: Branch, run_statement: RunStatement, *, final: bool) -> Any:
    """The statements of one branch, each reported on its own; the value of the last one."""
    parts = branch.statements if isinstance(branch, syntax.Body) else () if branch is None else (branch,)
    before, value = inner.state.failures, None
    for position, part in enumerate(parts):
        with inner.attempt(part, part.span):
            value = run_statement(inner, part, final=final and position == len(parts) - 1)
    if final and inner.state.failures > before:
        raise Abandoned
    return value


def _survive(context: Context, inner: Context, names: list[str]) -> None:
    for name in names:
        binding = inner.environment.binding(name)
        if binding is not None:
            context.environment.bind(name, binding.value, binding.span)


def _leave(context: Context, inner: Context, node: syntax.If, names: list[str]) -> None:
    """What a branch keeps to itself: it must be read there, and is remembered for the message about a use after it."""
    for name, binding in inner.environment.bindings.items():
        if name in names or binding.is_size:
            continue
        context.environment.left[name] = node.span
        unread = not binding.read and not name.startswith("_") and binding.value is not POISON
        if unread and context.builder.owner().role == "block":
            context.state.report.add(context.state.located(bodies_errors.unused_binding(name, binding.span)))


# ---- on `training` -------------------------------------------------------------------------------------------------


def _both(context: Context, node: syntax.If, names: list[str], run_statement: RunStatement, *, final: bool) -> Any:
    def branch(body: Branch) -> Function[[Context], Any]:
        def run_branch(inner: Context) -> tuple[Any, ...]:
            before = inner.state.failures
            for part in _forbidden(body):
                raise Failed(control_errors.not_in_mode(part.span))
            value = _statements(inner, body, run_statement, final=final)
            if inner.state.failures > before:
                raise Abandoned
            kept = [_tensor_of(inner, name) for name in names]
            _leave(context, inner, node, names)
            return (*kept, *([as_tensor(inner, value, node.span)] if final else []))

        return run_branch

    made = by_mode(context, branch(node.then), branch(node.orelse), (), node.span)
    outputs: list[Any] = list(made) if isinstance(made, tuple) else [made]  # pyright: ignore[reportUnknownArgumentType]
    for name, tensor in zip(names, outputs, strict=False):
        context.environment.bind(name, tensor, node.span)
    return outputs[-1] if final else None


def _tensor_of(inner: Context, name: str) -> SymbolicTensor:
    binding = inner.environment.binding(name)
    assert binding is not None
    if not isinstance(binding.value, (SymbolicTensor, Outputs)):
        raise Failed(control_errors.mode_binds_static(name, binding.value, binding.span))
    return as_tensor(inner, binding.value, binding.span)


def _forbidden(branch: Branch) -> list[syntax.Statement]:
    return [part for part in _parts(branch) if isinstance(part, (syntax.Emit, syntax.Init, syntax.Require))]


# ---- the names of the text -----------------------------------------------------------------------------------------


def surviving(context: Context, node: syntax.If) -> list[str]:
    """Names that are known after the `if`, in the order in which they are written."""
    everywhere = _bound_everywhere(node)
    names = dict.fromkeys(name for part in _parts(node) for name in names_of(getattr(part, "target", None)))
    return [name for name in names if name != "_" and (name in everywhere or _known(context, name))]


def _known(context: Context, name: str) -> bool:
    return context.environment.binding(name) is not None or context.environment.static(name)[0]


def _bound_everywhere(branch: Branch) -> set[str]:
    """Names that every way through binds."""
    if branch is None:
        return set()
    if isinstance(branch, syntax.If):
        return _bound_everywhere(branch.then) & _bound_everywhere(branch.orelse)
    found: set[str] = set()
    for part in branch.statements:
        found |= (
            _bound_everywhere(part) if isinstance(part, syntax.If) else set(names_of(getattr(part, "target", None)))
        )
    return found


def _parts(branch: Branch) -> list[syntax.Statement]:
    """The statements of all branches, those of an `if` among them in its place."""
    if branch is None:
        return []
    if isinstance(branch, syntax.If):
        return [*_parts(branch.then), *_parts(branch.orelse)]
    return [inner for part in branch.statements for inner in (_parts(part) if isinstance(part, syntax.If) else (part,))]


def _acts(node: syntax.If) -> bool:
    """Whether a branch does something other than to bind names."""
    return bool(_forbidden(node)) or any(isinstance(part, syntax.Gap) for part in _parts(node))


def ends_in_value(branch: Branch) -> bool:
    if isinstance(branch, syntax.If):
        return ends_in_value(branch.then) and ends_in_value(branch.orelse)
    last = branch.statements[-1] if branch is not None and branch.statements else None
    return ends_in_value(last) if isinstance(last, syntax.If) else isinstance(last, syntax.Pipe | syntax.Gap)
