"""Which blocks become plain functions rather than classes, and what those are called.

A block that owns nothing and does the same in training and in evaluation is a function, called directly:

    block quick_gelu(x: [...]) -> [...] { x * sigmoid(1.702 * x) }      the spec

    def quick_gelu(x: Tensor) -> Tensor:                                the source
        return x * torch.sigmoid(1.702 * x)

It stays a class where PyTorch counts modules (as a stage of an `nn.Sequential`, an element of an `nn.ModuleList`: the
next stage's names follow from it) and where it is handed to another block.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Mapping

from ...compiler.ir.model import Body, CallNode, Spec
from .bodies import location, numbered, regions_of
from .group import handed
from .lines import Line
from .python import identifier, snake, unique

_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*+(?!=[^=])")


def modules(spec: Spec, root: int) -> set[int]:
    """Bodies that must be modules everywhere: stages, elements of lists, and instances that are passed to blocks."""
    found: set[int] = set()
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        index = waiting.pop()
        if index in seen:
            continue
        seen.add(index)
        body = spec.bodies[index]
        found |= _modules_in(spec, body)
        waiting += [inner for node in body.nodes for inner in regions_of(node)]
        waiting += [instance.body for instance in body.instances if instance.body is not None]
    return found


def _modules_in(spec: Spec, body: Body) -> set[int]:
    found: set[int] = set()
    places = [location(lambda i: spec.bodies[i], node) for node in body.nodes]
    everything = [*(place for place in places if place), *(tuple(i.path.split(".")) for i in body.instances)]
    references: set[str] = set()
    for node, place in zip(body.nodes, places, strict=True):
        references |= set(handed(node).values())
        if not isinstance(node, CallNode):
            continue
        if node.instance.startswith("@"):
            found.add(node.body)
        elif place is not None and numbered(place[-1]):
            scope = place[:-1]
            beside = {other[len(scope)] for other in everything if other[: len(scope)] == scope != other}
            if all(map(numbered, beside)):
                found.add(node.body)
    for instance in body.instances:
        if instance.body is not None and any(f"{r}.".startswith(f"{instance.path}.") for r in references):
            found.add(instance.body)
    return found


def is_plain(lines: Iterable[Line]) -> bool:
    """Whether the statements of a `forward` read nothing of the module, not even whether it trains."""
    return not any(_reads_self(line.text) for line in lines)


def _reads_self(text: str) -> bool:
    return re.search(r"\bself\b", text.replace("def forward(self", "def forward(")) is not None


def function_name(block: str, words: Iterable[str]) -> str:
    """`quick_gelu`; another where a variable or an argument of the file has this name, as it would hide the function."""
    return unique(identifier(snake(block)), {*words, *dir(builtins)})


def words(lines: Iterable[Line]) -> set[str]:
    """Names in statements, but for those of attributes."""
    return {word for line in lines for word in _WORD.findall(line.text)}


def renamed(text: str, names: Mapping[str, str]) -> str:
    """An expression with other variables."""
    return _WORD.sub(lambda match: names.get(match[0], match[0]), text)


__all__ = ["function_name", "is_plain", "modules", "renamed", "words"]
