"""Which bodies of a model become classes, and in which order they are written: the innermost first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...compiler.dataclass import dataclass
from ...compiler.ir.model import CallNode, ModeNode, RepeatNode, ScanNode, Spec
from .bodies import owns, singular
from .python import camel


@dataclass(frozen=True)
class ClassBody:
    """A body that becomes a class: a block, the model, or a turn that is an element of a list (`strip` its slot)."""

    index: int
    name: str
    strip: str = ""


class Members:
    """The bodies under `roots` that become classes; `heights` count the classes below each."""

    def __init__(self, spec: Spec, roots: Sequence[int]) -> None:
        self.spec = spec
        self.by_body: dict[int, ClassBody] = {}
        self.heights: dict[int, int] = {}
        for index in roots:
            self._collect(ClassBody(index, spec.bodies[index].name))
        self._level()

    def levels(self) -> Iterator[list[ClassBody]]:
        """Members of each height, from those without classes inside to the roots."""
        for height in range(max(self.heights.values()) + 1):
            yield [member for index, member in self.by_body.items() if self.heights[index] == height]

    def _collect(self, member: ClassBody) -> int:
        if member.index in self.heights:
            return self.heights[member.index]
        height = 1 + max((self._collect(inner) for inner in self._inside(member.index)), default=-1)
        self.by_body[member.index] = member
        self.heights[member.index] = height
        return height

    def _level(self) -> None:
        """Brings the bodies of one block to one height, that of the highest, so that they are compared together."""
        heights = dict(self.heights)
        inside = {index: [inner.index for inner in self._inside(index)] for index in heights}
        blocks: dict[tuple[str, str], list[int]] = {}
        for member in self.by_body.values():
            blocks.setdefault((member.name, member.strip), []).append(member.index)
        changed = True
        while changed:
            changed = False
            for indexes in blocks.values():
                top = max(heights[index] for index in indexes)
                top = max(top, *(1 + heights[inner] for index in indexes for inner in inside[index]), 0)
                if top > len(heights):  # a recursive block
                    return
                if any(heights[index] != top for index in indexes):
                    heights.update(dict.fromkeys(indexes, top))
                    changed = True
        self.heights = heights

    def _inside(self, index: int) -> list[ClassBody]:
        """Classes that a body uses, those of its regions included."""
        body = self.spec.bodies[index]
        found: list[ClassBody] = []
        for node in body.nodes:
            match node:
                case CallNode():
                    found.append(ClassBody(node.body, self.spec.bodies[node.body].name))
                case RepeatNode():
                    for run in node.runs:
                        paths = list(owns(lambda i: self.spec.bodies[i], self.spec.bodies[run.body]))
                        if node.scope and run.strides == {"": 1} and all(p.startswith("#0.") for p in paths):
                            found.append(ClassBody(run.body, camel(singular(node.scope)), "#0"))
                        else:
                            found += self._inside(run.body)
                case ModeNode():
                    found += self._inside(node.training) + self._inside(node.evaluation)
                case ScanNode():
                    found += self._inside(node.body)
                case _:
                    pass
        for instance in body.instances:
            if instance.body is not None:
                found.append(ClassBody(instance.body, self.spec.bodies[instance.body].name))
        return found


__all__ = ["ClassBody", "Members"]
