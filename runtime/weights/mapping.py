"""Foreign tensors through a weight map to ours, and back.

    spec = dlc.load("gpt2.dlspec").spec
    ours = ours_from(spec.recipe.weight_map("openai"), parameters(spec, spec.models[0]), reference.state_dict())
    module.load_state_dict(ours)

`parameters` are those of `compiler.expand`; a map of None means that names are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from ...compiler.ir.expand import COUNTER, ParameterEntry
from ...compiler.ir.weights import Foreign, WeightMap
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.source import Span
from . import mistakes
from .mismatch import diagnostic
from .plan import NotInvertible, Piece, Shape, pieces, plan, source_of

NOWHERE = Span("", 0, 0)


def ours_from(
    weight_map: WeightMap | None,
    parameters: Iterable[ParameterEntry],
    foreign: Mapping[str, Tensor],
    skip: Sequence[str] = (),
    *,
    span: Span | None = None,
    where: str = "the foreign checkpoint",
) -> dict[str, Tensor]:
    """Our parameters and buffers by path, made of foreign tensors; views of them where that is possible.

    Left out are those that `skip` names and buffers of the spec that the foreign side lacks; counters of batch norms that
    it lacks are 0. Raises Failed (E0405) when the map is not total; `span` and `where` are for its message.
    """
    entries = list(parameters)
    made = plan(weight_map, entries, {n: tuple(t.shape) for n, t in foreign.items()}, skip, shared(foreign))
    if made.mistakes:
        place = span or (weight_map.span if weight_map else NOWHERE)
        raise Failed(diagnostic(made, place, where))
    ours = {path: value_of(source, foreign.__getitem__) for path, source in made.sources.items()}
    for path in made.absent:
        if path.rpartition(".")[2] == COUNTER:
            ours[path] = torch.zeros((), dtype=torch.int64)
    return ours


def value_of(source: Foreign, tensor: Callable[[str], Tensor]) -> Tensor:
    """The value of an expression over foreign tensors; a view where there is no `concat`."""
    if source.kind == "tensor":
        return tensor(source.pattern)
    items = [value_of(item, tensor) for item in source.items]
    if source.kind == "transpose":
        return items[0].permute(*reversed(range(items[0].ndim)))
    if source.kind == "slice":
        return items[0][source.start : source.stop]
    return torch.cat(items, dim=source.axis)


def foreign_from(
    weight_map: WeightMap | None,
    ours: Mapping[str, Tensor],
    known: Mapping[str, Shape] | None = None,
    *,
    span: Span | None = None,
) -> dict[str, Tensor]:
    """Foreign tensors by name, without the stripped prefix: the inverse of `ours_from`.

    `known` are shapes of foreign tensors where they are known (from the file that the weights came from): they are needed
    only where a `concat` joined tensors of unequal sizes. Raises Failed (E0405) when the map cannot be inverted.
    """
    place = span or (weight_map.span if weight_map else NOWHERE)
    found: dict[str, list[tuple[str, Piece]]] = {}
    for path, tensor in ours.items():
        source = source_of(weight_map, path)
        if source is None:
            if path.rpartition(".")[2] == COUNTER:
                continue
            raise Failed(mistakes.not_made(place, path))
        try:
            for piece in pieces(source, tuple(tensor.shape), known or {}):
                found.setdefault(piece.name, []).append((path, piece))
        except NotInvertible as error:
            raise Failed(mistakes.not_invertible(place, path, str(error))) from None
    return {name: _assembled(name, parts, ours, place) for name, parts in found.items()}


def _assembled(name: str, parts: Sequence[tuple[str, Piece]], ours: Mapping[str, Tensor], span: Span) -> Tensor:
    """One foreign tensor of its pieces, which have to reach every element and agree where they overlap."""
    first, piece = parts[0]
    size = [max(p.at[axis][1] for _, p in parts) for axis in range(len(piece.at))]
    if len(parts) == 1 and all(at == (0, n) for at, n in zip(piece.at, size, strict=True)):
        return _part(ours[first], piece)
    whole = torch.zeros(size, dtype=ours[first].dtype)
    written = torch.zeros(size, dtype=torch.bool)
    for path, part in parts:
        at = tuple(slice(*edges) for edges in part.at)
        value = _part(ours[path], part)
        if not bool(torch.where(written[at], whole[at] == value, True).all()):
            raise Failed(mistakes.untied(span, name, [other for other, _ in parts]))
        whole[at] = value
        written[at] = True
    if not bool(written.all()):
        raise Failed(mistakes.partly_made(span, name, size))
    return whole


def _part(tensor: Tensor, piece: Piece) -> Tensor:
    value = tensor.detach()[tuple(slice(*edges) for edges in piece.of)]
    return (value.permute(*reversed(range(value.ndim))) if piece.transposed else value).contiguous()


def shared(foreign: Mapping[str, Tensor]) -> dict[str, Hashable]:
    """For each tensor the memory it lies in: tied weights, which a PyTorch file may hold twice, are one tensor."""
    return {
        name: (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
        for name, tensor in foreign.items()
        if tensor.numel()
    }
