"""Bodies of a model at several sizes: which of them are one part of it."""

from __future__ import annotations

from collections.abc import Sequence

from ...compiler.ir.model import Body, Spec
from .bodies import regions_of


def clusters(spec: Spec, root: int, others: Sequence[int]) -> dict[int, int]:
    """Bodies that are one part of the model at several sizes, by the first of them."""
    parents: dict[int, int] = {}

    def find(index: int) -> int:
        while parents.setdefault(index, index) != index:
            index = parents[index]
        return index

    seen: set[tuple[int, int]] = set()

    def join_(one: int, two: int) -> None:
        if (one, two) in seen:
            return
        seen.add((one, two))
        first, second = sorted((find(one), find(two)))
        parents[second] = first
        for a, b in zip(parts(spec.bodies[one]), parts(spec.bodies[two]), strict=True):
            join_(a, b)

    for other in others:
        join_(root, other)
    return {index: find(index) for index in parents}


def parts(body: Body) -> list[int]:
    """Bodies that a body consists of."""
    found = [inner for node in body.nodes for inner in regions_of(node)]
    return [*found, *(instance.body for instance in body.instances if instance.body is not None)]


__all__ = ["clusters"]
