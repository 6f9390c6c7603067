"""The names of classes and functions, and the order in which the file defines them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...compiler.catalogue.ops import find
from ...compiler.ir.model import OpNode, Spec
from .definition import Class
from .functions import function_name, words
from .python import camel, identifier, unique_class


def ordered(classes: Sequence[Class], root: Class, spec: Spec) -> list[Class]:
    """Classes in order of use, each after those it uses; named on the way."""
    order: list[Class] = []
    by_number = {cls.number: cls for cls in classes}

    def visit(cls: Class) -> None:
        if cls in order:
            return
        for number in cls.uses:
            visit(by_number[number])
        order.append(cls)

    visit(root)
    taken: set[str] = set()
    root.name = unique_class(_class_name(root.base_name), taken)
    taken.add(root.name)
    for cls in order:
        if not cls.name and not cls.is_function:
            name = _class_name(cls.base_name)
            if name in taken:
                name = next((name + end for end in _differences(cls, classes, spec) if name + end not in taken), name)
            cls.name = unique_class(name, taken)
            taken.add(cls.name)
    taken |= words(line for cls in order for line in cls.lines)
    for cls in order:
        if cls.is_function:
            cls.name = function_name(cls.base_name, taken)
            taken.add(cls.name)
    return order


def _differences(cls: Class, classes: Sequence[Class], spec: Spec) -> Iterator[str]:
    """What distinguishes a class from others of the same block, the best first: a static that no other has (`Causal`, `Count3`),
    that it adds its input, a static that the first has not."""
    first = next((other for other in classes if other.base_name == cls.base_name and other.name), None)
    if first is None:  # another block, or the model, has this name
        return
    yield from _statics_of(spec, cls, [other for other in classes if other.base_name == cls.base_name])
    mine, others = ({n.op for n in spec.bodies[c.bodies[0]].nodes if isinstance(n, OpNode)} for c in (cls, first))
    if any(operator.linear == "sum" for op in mine - others if (operator := find(op)) is not None):
        yield "Residual"
    yield from _statics_of(spec, cls, [first])


def _statics_of(spec: Spec, cls: Class, classes: Sequence[Class]) -> Iterator[str]:
    mine = [spec.bodies[index].statics for index in cls.bodies]
    others = [spec.bodies[index].statics for other in classes if other is not cls for index in other.bodies]
    for name, value in sorted(mine[0].items(), key=lambda item: type(item[1]) is int):
        if any(statics.get(name) != value for statics in mine) or any(s.get(name) == value for s in others):
            continue
        if isinstance(value, bool):
            yield camel(name) if value else f"Without{camel(name)}"
        elif isinstance(value, int):
            yield f"{camel(name)}{value}"
        elif isinstance(value, str) and value.isidentifier():
            yield camel(value)


def _class_name(name: str) -> str:
    return identifier(name if name[:1].isupper() else camel(name))


__all__ = ["ordered"]
