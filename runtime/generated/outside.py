"""What depends on the data: a position outside of its table, and whole numbers divided by 0.

PyTorch reports it by an exception from somewhere below the generated line:

    return F.embedding(torch.clamp(x, 0).long(), self.table)       IndexError: index out of range in self

Of the nodes that may refuse what they are given (`Op.refuses`), those that this line mentions are shown.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.catalogue import LOSSES, METRICS
from ...compiler.catalogue.ops import find
from ...compiler.catalogue.ops.base import Op
from ...compiler.ir.model import OpNode, Spec
from ...compiler.messages import positions as errors
from ...compiler.messages.diagnostics import Failed
from ..failure import RunFailure

_GENERATED = re.compile(r"(model(_\w+)?|recipe)\.py>?$")

#: What PyTorch's exceptions say, by what was refused.
_SAYS = {
    "outside": re.compile(r"index out of range|out of bounds|is out of range"),
    "zero": re.compile(r"ZeroDivisionError"),
}


@contextmanager
def explained(spec: Spec, nets: Mapping[str, nn.Module]) -> Iterator[None]:
    """Turns such an exception into E0414 with the place in the spec."""
    try:
        yield
    except (IndexError, RuntimeError) as error:
        if "device-side assert" in str(error):
            raise RunFailure(
                "a position lies outside of its table", helps=("the same command with `--device cpu` shows where",)
            ) from error
        refused = next((name for name, pattern in _SAYS.items() if pattern.search(str(error))), None)
        frame, line = _generated(error.__traceback__), _metric(error.__traceback__)
        if refused is None or (frame is None and not line):
            raise
        if frame is not None:
            line = linecache.getline(frame.tb_frame.f_code.co_filename, frame.tb_lineno).strip()
        found = _mentioned(spec, refused, line)
        if not found:
            raise
        module = frame.tb_frame.f_locals.get("self") if frame is not None else None
        path = next((_full(name, at) for name, net in nets.items() for at, m in net.named_modules() if m is module), "")
        raise Failed(errors.refused(refused, found, path, _numbers(error.__traceback__))) from error


def _generated(trace: TracebackType | None) -> TracebackType | None:
    """The innermost frame of generated source."""
    found = None
    while trace is not None:
        if _GENERATED.search(trace.tb_frame.f_code.co_filename):
            found = trace
        trace = trace.tb_next
    return found


def _metric(trace: TracebackType | None) -> str:
    """The name of the metric that was being added up (that is not generated source): what adds is called as its entry."""
    entries = {entry.__name__: name for name, entry in METRICS.items()}
    while trace is not None:
        adding = type(trace.tb_frame.f_locals.get("self")).__name__
        if adding in entries and trace.tb_frame.f_code.co_name == "sums":
            return entries[adding]
        trace = trace.tb_next
    return ""


def _full(net: str, path: str) -> str:
    return ".".join(part for part in (net, path) if part)


def _mentioned(spec: Spec, refused: str, line: str) -> list[errors.RefusedUse]:
    """The nodes that may refuse it, as far as the line mentions them; all where it mentions none."""
    found: dict[errors.RefusedUse, bool] = {}
    for body in spec.bodies:
        types = {value.id: value.type for value in body.values()}
        for node in body.nodes:
            operator = _operator(node.op) if isinstance(node, OpNode) else None
            if not isinstance(node, OpNode) or operator is None or operator.refuses != refused:
                continue
            plain = {name: value for name, value in node.args.items() if name != "init"}
            given = [types[operand] if isinstance(operand, int) else None for operand in node.inputs]
            positions = operator(**plain).positions(*given)
            refusal = errors.RefusedUse(
                node.span, operator.syntax or node.op, str(positions[1] - 1) if positions else ""
            )
            words = (node.instance or node.op).rpartition(".")[2], operator.syntax or node.op
            found[refusal] = found.get(refusal, False) or any(word in line for word in words)
    return [refusal for refusal, here in found.items() if here] or list(found)


def _operator(name: str) -> type[Op] | None:
    return find(name) or LOSSES.get(name) or METRICS.get(name)


def _numbers(trace: TracebackType | None) -> tuple[int, int] | None:
    """The smallest and the largest of the whole numbers that the innermost Python function of torch was given."""
    last = trace
    while trace is not None:
        last, trace = trace, trace.tb_next
    values: dict[str, Any] = last.tb_frame.f_locals if last is not None else {}
    for name in ("input", "target"):
        tensor = values.get(name)
        if isinstance(tensor, Tensor) and tensor.numel() and tensor.dtype in (torch.int64, torch.int32):
            return int(tensor.min()), int(tensor.max())
    return None
