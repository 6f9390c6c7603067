"""`compiler/dataclass.py` makes what the standard library makes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
from types import ModuleType
from typing import Any

import pytest

from dlc.compiler import dataclass as ours

PROGRAM = """
from __future__ import annotations
from functools import cached_property
from typing import ClassVar

@dataclass
class Nothing:
    pass

@dataclass(frozen=True)
class Point:
    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    notes: list[str] = field(default_factory=list, compare=False, repr=False)

    @cached_property
    def far(self):
        return self.x > 9

@dataclass(frozen=True)
class Named(Point):
    name: str = "n"
    hidden: int = field(default=3, init=False)
    parts: list[int] = field(default_factory=list, init=False)

@dataclass
class Counter:
    count: int
    step: int = field(default=1, kw_only=True)
    seen: set[int] = field(default_factory=set)

    def __post_init__(self):
        self.seen.add(self.count)

@dataclass(frozen=True, kw_only=True)
class Options:
    first: int = 1
    second: str

@dataclass(frozen=True, eq=False)
class Identity:
    value: int

@dataclass(frozen=True)
class Own:
    value: int

    def __eq__(self, other):
        return isinstance(other, Own)

    def __hash__(self):
        return 7

    def __repr__(self):
        return "own"

class Under(Point):
    pass
"""


def module(name: str, source: Any) -> ModuleType:
    made = ModuleType(name)
    sys.modules[name] = made  # where pickle and annotations look
    made.__dict__.update(dataclass=source.dataclass, field=source.field)
    exec(PROGRAM, made.__dict__)
    return made


OURS, STANDARD = module("dataclass_ours", ours), module("dataclass_standard", dataclasses)
MADE = (
    "Nothing()",
    "Point(1)",
    "Point(1, y=3, notes=['a'])",
    "Named(1, 2, ['b'], 'c')",
    "Counter(4, step=2)",
    "Counter(4, {1})",
    "Options(second='s')",
    "Identity(1)",
    "Own(1)",
)


def seen(text: str, where: ModuleType) -> list[Any]:
    """What can be seen of an object."""
    one, two = eval(text, where.__dict__), eval(text, where.__dict__)
    kind = type(one)
    found: list[Any] = [
        repr(one),
        one == two,
        one == 5,
        one != two,
        kind.__match_args__,
        [f.name for f in dataclasses.fields(kind)],
    ]
    try:
        found.append(hash(one) == hash(two))
    except TypeError:
        found.append("not hashable")
    changed = dataclasses.replace(one)
    found += [repr(changed), changed == one, dataclasses.asdict(one)]
    found += [repr(copy.deepcopy(one)), repr(pickle.loads(pickle.dumps(one)))]
    found.append(list(inspect.signature(kind).parameters))
    for act in ("one.x = 1", "one.new = 1", "del one.x"):
        try:
            exec(act, {"one": one})
            found.append(vars(one))
        except (AttributeError, TypeError) as error:
            found.append(type(error))
    found.append(getattr(eval(text, where.__dict__), "far", None))
    return found


@pytest.mark.parametrize("text", MADE)
def test_objects(text: str) -> None:
    assert seen(text, OURS) == seen(text, STANDARD)


@pytest.mark.parametrize(
    "text", ["Point()", "Point(1, 2, [], 4)", "Point(x=1, z=2)", "Options(1, 's')", "Named(1, hidden=2)"]
)
def test_arguments(text: str) -> None:
    for where in (OURS, STANDARD):
        with pytest.raises(TypeError):
            eval(text, where.__dict__)


def test_two_classes() -> None:
    for where in (OURS, STANDARD):
        assert where.Point(1) != where.Under(1)
        assert where.Point(1) != where.Named(1)
        assert where.Point(1, notes=["a"]) == where.Point(1)
        assert where.Point(1).notes is not where.Point(1).notes
