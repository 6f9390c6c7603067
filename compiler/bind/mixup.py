"""What `mixup` can mix: a net has to see floating-point numbers alone.

image: f32[1, 8, 8], read by the net        mixed
label: i64, read by the loss                the loss of both examples counts, by their shares
words: i64[T], read by the net              E0303: half of one word and half of another is not a word
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..ir.model import Body, CallNode
from ..ir.train import Update
from ..messages import batches as errors
from ..messages.diagnostics import Diagnostic
from ..messages.source import Span
from ..sizes.types import is_float


def unmixable(bodies: Sequence[Body], updates: Sequence[Update], place: Span) -> Iterator[Diagnostic]:
    """E0303 where the `mixup` at `place` cannot mix the batches that the updates read."""
    if any(update.name for update in updates):
        yield errors.mixup_of_steps(place)
        return
    for update in updates:
        body = bodies[update.body]
        live = _live(body)
        found = _whole_numbers_read(body, live)
        if found is not None:
            field, node = found
            yield errors.mixup_whole_numbers(place, field, bodies[node.body].name, node.span)
            return
        if not any(value.id in live and is_float(value.type.dtype) for value in body.inputs):
            yield errors.mixup_of_nothing(place)
            return


def _live(body: Body) -> set[int]:
    """The values from which something leads to a result."""
    found = {result.value for result in body.outputs}
    for node in reversed(body.nodes):
        if any(value.id in found for value in node.outputs):
            found.update(operand for operand in node.inputs if isinstance(operand, int))
    return found


def _whole_numbers_read(body: Body, live: set[int]) -> tuple[str, CallNode] | None:
    """A field of whole numbers from which something leads into a net, and where."""
    fields = {value.id: value.name for value in body.inputs if not is_float(value.type.dtype)}
    for node in body.nodes:
        read = next(
            (fields[operand] for operand in node.inputs if isinstance(operand, int) and operand in fields), None
        )
        if read is None or not any(value.id in live for value in node.outputs):
            continue
        if isinstance(node, CallNode):
            return read, node
        fields.update({value.id: read for value in node.outputs})
    return None
