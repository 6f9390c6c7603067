"""What may become an argument of a class's constructor, or be part of an expression of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...compiler.ir.model import Body
from ...compiler.sizes.dims import Dim, Size
from .group import BodyGroup
from .python import identifier, unique


def statics(bodies: Sequence[Body]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for name in bodies[0].statics:
        values = tuple(body.statics.get(name) for body in bodies)
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        if numbers or all(isinstance(v, bool) for v in values):
            found[identifier(name)] = values
    return found


#: What people call an axis with this letter, as an argument of a constructor.
_AXES = {"C": "in_channels", "D": "dim", "H": "height", "W": "width", "T": "length", "S": "length", "N": "count"}


def axis_name(letter: str) -> str:
    """What people call the size of an axis with this letter."""
    return _AXES.get(letter, letter.lower())


def input_sizes(
    bodies: Sequence[Body], taken: Mapping[str, Any], signature: Sequence[Sequence[str]] = ()
) -> dict[str, tuple[Any, ...]]:
    """Concrete sizes of the inputs under the names that people give them: by the letter of the `signature` (by input
    and axis; else one with this value), else by place. Two sides that are equal in all bodies are one `side`."""
    found: dict[str, tuple[Any, ...]] = {}
    for at, value in enumerate(bodies[0].inputs):
        rank = value.type.rank
        for axis in (1, *range(rank - 1, 1, -1)) if rank > 1 else ():
            sizes = tuple(body.inputs[at].type.shape[axis] for body in bodies)
            if any(isinstance(size, Dim) for size in sizes) or sizes in found.values():
                continue
            letters = [
                name
                for name in bodies[0].dims
                if all(b.dims.get(name) == s for b, s in zip(bodies, sizes, strict=True))
            ]
            own = signature[at][axis] if at < len(signature) and len(signature[at]) == rank else ""
            letter = own if own in letters else letters[0] if letters else ""
            square = letter in ("H", "W") and all("H" in b.dims and b.dims["H"] == b.dims.get("W") for b in bodies)
            if square:
                name = "side"
            elif (letter in _AXES or len(letter) > 1) and not (letter == "C" and rank == 2):
                name = axis_name(letter)
            elif axis == rank - 1 and at > 0 and value.name:
                name = f"{value.name}_dim"
            elif axis == rank - 1 and rank in (2, 3):
                name = "in_features" if rank == 2 else "dim"
            elif axis == 1 and rank in (3, 4, 5):
                name = "in_channels"
            else:
                name = {2: "height", 3: "width"}.get(axis, "size")
            found[unique(identifier(name), {*found, *taken})] = sizes
    return found


def fixed(bodies: Sequence[Body]) -> list[int]:
    """Concrete sizes of the inputs that are the same in all bodies."""
    shapes = zip(*([size for value in body.inputs for size in value.type.shape] for body in bodies), strict=True)
    return list(dict.fromkeys(row[0] for row in shapes if isinstance(row[0], int) and len(set(row)) == 1))


def spelled(
    bodies: Sequence[Body], named: Mapping[str, tuple[Any, ...]], sizes: Mapping[str, tuple[Any, ...]]
) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """The names of a block, with the arguments that they are and their values: `C` of a signature is `in_channels`."""
    known = {name: (name, values) for name, values in named.items()}
    for letter in bodies[0].dims:
        column = tuple(body.dims.get(letter) for body in bodies)
        argument = next((name for name, values in sizes.items() if values == column), None)
        if argument is not None and not any(isinstance(size, Dim) for size in column):
            known.setdefault(letter, (argument, column))
    return known


def letters_of(group: BodyGroup) -> dict[str, tuple[Size, ...]]:
    return {
        letter: tuple(group.facts.normalize(body.dims[letter]) for body in group.bodies)
        for letter in group.first.dims
        if all(letter in body.dims for body in group.bodies)
    }


__all__ = ["axis_name", "fixed", "input_sizes", "letters_of", "spelled", "statics"]
