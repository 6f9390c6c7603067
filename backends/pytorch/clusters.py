"""Bodies of a model at several sizes: which of them are one part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
        for a, b in parts(spec.bodies[one], spec.bodies[two]):
            join_(a, b)

    for other in others:
        join_(root, other)
    return {index: find(index) for index in parents}


def parts(one: Body, two: Body) -> Iterator[tuple[int, int]]:
    """Bodies that two bodies consist of, side by side. Turns that only one of them has go with the other's last one."""
    for node, other in zip(one.nodes, two.nodes, strict=True):
        inner, others = regions_of(node), regions_of(other)
        for at in range(max(len(inner), len(others))):
            yield inner[min(at, len(inner) - 1)], others[min(at, len(others) - 1)]
    for instance, another in zip(one.instances, two.instances, strict=True):
        if instance.body is not None and another.body is not None:
            yield instance.body, another.body


__all__ = ["clusters"]
