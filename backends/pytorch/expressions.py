"""Expressions that the author of a block wrote, as Python over the arguments of its class.

    block Window(window: int)(x: [B, H, W, C]) { .. Linear(window * window * C) .. }      the spec
    256, 128, ..                                                                          the number, in each body
    window * window * in_channels                                                         the source

An expression explains a number if it has its value in every body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...compiler.dataclass import dataclass
from ...compiler.messages.source import Span
from ...compiler.messages.statics import StaticError
from ...compiler.sizes.static_functions import FUNCTIONS
from ...compiler.text import syntax as s
from ...compiler.text.node import Node
from .python import AND, ATOM, COMPARISON, NOT, OR, POWER, PRODUCT, SUM, UNARY, Expr, literal
from .support import SOURCES, support

#: By name of the spec: how the source spells it, and its value in each body.
Known = Mapping[str, tuple[str, Sequence[Any]]]

#: Numbers with at least this many characters are less clear than what they were computed from.
LONG = 10

#: Larger exponents are slow to compute, and no size needs them.
LARGEST_POWER = 64

_SIGNS: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "+": (SUM, lambda a, b: a + b),
    "-": (SUM, lambda a, b: a - b),
    "*": (PRODUCT, lambda a, b: a * b),
    "/": (PRODUCT, lambda a, b: a / b),
    "//": (PRODUCT, lambda a, b: a // b),
    "%": (PRODUCT, lambda a, b: a % b),
    "**": (POWER, lambda a, b: a**b),
    "==": (COMPARISON, lambda a, b: a == b),
    "!=": (COMPARISON, lambda a, b: a != b),
    "<": (COMPARISON, lambda a, b: a < b),
    "<=": (COMPARISON, lambda a, b: a <= b),
    ">": (COMPARISON, lambda a, b: a > b),
    ">=": (COMPARISON, lambda a, b: a >= b),
}


@dataclass(frozen=True)
class Expression:
    """Python source of an expression, the names in it as the source spells them, and its value in each body."""

    text: str
    names: tuple[str, ...]
    values: tuple[Any, ...]


class KnownNames:
    """What is known in a definition, in each of `count` bodies: its arguments and sizes, and the names that it binds."""

    def __init__(self, known: Known, bound: Mapping[str, Node], count: int) -> None:
        self.known, self.bound, self.count = known, bound, count
        self._inner: dict[str, KnownNames] = {}
        self._exact: dict[int, bool] = {}

    @classmethod
    def of(cls, definition: Node | None, known: Known, count: int) -> KnownNames:
        binds = () if definition is None else _binds(definition)
        bound = {bind.target.name: bind.value for bind in binds if isinstance(bind.target, s.Ref)}
        return cls(known, {name: value for name, value in bound.items() if name not in known}, count)

    def expressions(self, definition: Node | None) -> list[Expression]:
        """What of a definition can be computed; larger expressions first."""
        found = (scope.expression(node) for scope, node in _computed(definition, self))
        return [expression for expression in found if expression is not None]

    def expression(self, node: Node) -> Expression | None:
        """The node as an expression of what is known; None where it has parts that are not."""
        try:
            values = tuple(self.value(node, at) for at in range(self.count))
            spelled = self.spelled(node)
        except (LookupError, ArithmeticError, TypeError, ValueError, StaticError):
            return None
        return Expression(spelled.text, tuple(sorted(spelled.names)), values)

    def value(self, node: Node, at: int) -> Any:
        """The value in one body; LookupError for what is not known before the model runs."""
        match node:
            case s.Number(value=value) | s.Bool(value=value):
                return value
            case s.Ref(name=name) if name in self.known:
                return _number(self.known[name][1][at])
            case s.Ref(name=name) if name in self.bound:
                return self.inner(name).value(self.bound[name], at)
            case s.Paren(value=value):
                return self.value(value, at)
            case s.Unary(op="-", value=value):
                return -self.value(value, at)
            case s.Unary(op="not", value=value):
                return not self.value(value, at)
            case s.Binary(op="and" | "or" as op, left=left, right=right):
                one, two = self.value(left, at), self.value(right, at)
                return (one and two) if op == "and" else (one or two)
            case s.Binary(op=op, left=left, right=right) if op in _SIGNS:
                one, two = self.value(left, at), self.value(right, at)
                if op == "/" and self.is_exact(node):
                    return one // two
                if op == "**" and not (one > 0 and abs(two) <= LARGEST_POWER):
                    raise LookupError(node)
                return _SIGNS[op][1](one, two)
            case s.Call(callee=s.Ref(name=name), args=args) if name in FUNCTIONS and name not in self.known:
                return FUNCTIONS[name].evaluate([self.value(item, at) for item in args.items])
            case _:
                raise LookupError(node)

    def inner(self, name: str) -> KnownNames:
        """For the value of a name that the body binds; it cannot read itself."""
        if name not in self._inner:
            others = {other: value for other, value in self.bound.items() if other != name}
            self._inner[name] = KnownNames(self.known, others, self.count)
        return self._inner[name]

    def is_exact(self, quotient: s.Binary) -> bool:
        """Whether a division of whole numbers leaves no rest in any body: it is a whole number then."""
        if id(quotient) not in self._exact:
            sides = ([self.value(side, at) for side in (quotient.left, quotient.right)] for at in range(self.count))
            self._exact[id(quotient)] = all(type(a) is type(b) is int and a % b == 0 for a, b in sides)
        return self._exact[id(quotient)]

    def spelled(self, node: Node, *, whole: bool = True) -> Expr:
        """`whole`: where the value has to be an int if it is one. `d / 2` divides without a rest there and is `d // 2`; as a
        part of another number, or of what a function takes, it stays `d / 2`."""
        match node:
            case s.Ref(name=name) if name in self.known:
                text = self.known[name][0]
                return Expr(text, ATOM, frozenset((text,) if text.isidentifier() else ()))
            case s.Ref(name=name):
                return self.inner(name).spelled(self.bound[name], whole=whole)
            case s.Paren(value=value):
                return self.spelled(value, whole=whole)
            case s.Unary(op=op, value=value):
                one = self.spelled(value, whole=whole)
                return Expr(
                    f"-{one.at(UNARY)}" if op == "-" else f"not {one.at(NOT)}", UNARY if op == "-" else NOT, one.names
                )
            case s.Binary(op="and" | "or" as op, left=left, right=right):
                level = AND if op == "and" else OR
                one, two = self.spelled(left), self.spelled(right)
                return Expr(f"{one.at(level)} {op} {two.at(level + 1)}", level, one.names | two.names)
            case s.Binary(op="**", left=left, right=right):
                one, two = self.spelled(left), self.spelled(right)
                space = "" if one.text.isalnum() and two.text.isalnum() else " "
                return Expr(f"{one.at(ATOM)}{space}**{space}{two.at(UNARY)}", POWER, one.names | two.names)
            case s.Binary(op=op, left=left, right=right):
                whole = whole and all(type(self.value(node, at)) is int for at in range(self.count))
                level = _SIGNS[op][0]
                # `//` would cut off what `/` below it leaves
                one, two = (self.spelled(side, whole=whole or op in ("//", "%")) for side in (left, right))
                if op == "+" and "0" in (one.text, two.text):  # the loop variable is 0 in the first turn
                    return two if one.text == "0" else one
                sign = "//" if op == "/" and whole else op
                return Expr(f"{one.at(level)} {sign} {two.at(level + 1)}", level, one.names | two.names)
            case s.Call(callee=s.Ref(name=name), args=args) if FUNCTIONS[name].chooses and len(args.items) == 1:
                return self.spelled(args.items[0], whole=whole)  # Python's `max` of one number wants a list
            case s.Call(callee=s.Ref(name=name), args=args):
                given = [self.spelled(item, whole=whole and FUNCTIONS[name].chooses) for item in args.items]
                names = frozenset[str]().union(*(one.names for one in given))
                return Expr(f"{self.function(name)}({', '.join(one.text for one in given)})", ATOM, names)
            case _:
                return Expr(literal(self.value(node, 0)))

    def function(self, name: str) -> str:
        """What Python calls a static function; LookupError where an argument of the class has that name."""
        python = FUNCTIONS[name].python
        if python.split(".")[0] in {text for text, _ in self.known.values()}:
            raise LookupError(name)
        return support(python) if python in SOURCES else python

    def in_turn(self, names: Sequence[str], turn: Node) -> KnownNames:
        """For the body of a loop over literal rows, in the turn of one of them."""
        row = turn.items if isinstance(turn, s.Tuple) else (turn,)
        known = {name: value for name, value in self.known.items() if name not in names}
        bound = {name: value for name, value in self.bound.items() if name not in names}
        for name, item in zip(names, row, strict=False):
            try:
                value = _number(self.value(item, 0))
            except (LookupError, ArithmeticError, TypeError):
                continue
            known[name] = (literal(value), [value] * self.count)
        return KnownNames(known, bound, self.count)


def _computed(node: Any, scope: KnownNames) -> Iterator[tuple[KnownNames, Node]]:
    """The parts of a definition that are computed, with what is known there. The body of a loop over literal rows comes once for
    each: `round_to(out * width, 8)` is `round_to(16 * width, 8)` in the turn `(6, 3, 16)`."""
    if isinstance(node, tuple):
        parts: tuple[Any, ...] = node  # pyright: ignore[reportUnknownVariableType]
        for part in parts:
            yield from _computed(part, scope)
    elif isinstance(node, s.For) and isinstance(node.items, s.List):
        for turn in node.items.items:
            yield from _computed(node.body, scope.in_turn([target.text for target in node.targets], turn))
    elif isinstance(node, Node) and not isinstance(node, (s.Require, s.Init)):
        if isinstance(node, (s.Binary, s.Unary, s.Call)):
            yield scope, node
        for name in node.__match_args__:
            yield from _computed(getattr(node, name), scope)


def computed_values(nodes: Iterable[Node], params: Mapping[str, float]) -> dict[float, str]:
    """Numbers that are computed from numbers and parameters, by their value, each ready to be multiplied: `(512 * 4000) ** -0.5`."""
    scope = KnownNames({name: (literal(value), [value]) for name, value in params.items()}, {}, 1)
    found = dict[float, str]()
    for node in nodes:
        if isinstance(node, (s.Binary, s.Call)) and (expression := scope.expression(node)) is not None:
            value = expression.values[0]
            if isinstance(value, float) and len(literal(value)) >= LONG:
                found.setdefault(value, scope.spelled(node).at(POWER))
    return found


def computed_numbers(nodes: Iterable[Node]) -> dict[float, str]:
    """Functions of numbers alone, and their negatives, by their value: `-math.log(10000.0)`."""
    plain, found = KnownNames({}, {}, 1), dict[float, str]()
    for node in nodes:
        called = node.value if isinstance(node, s.Unary) else node
        expression = plain.expression(node) if isinstance(called, s.Call) else None
        value = None if expression is None else expression.values[0]
        if expression is not None and isinstance(value, float) and len(literal(value)) >= LONG:
            found.setdefault(value, expression.text)
    return found


def stated(definition: Node | None, span: Span, names: Sequence[str]) -> Iterator[tuple[str, Node]]:
    """What the author wrote for the arguments of the layer at a place of a definition, whatever its file is called; `names`
    are all that it has."""
    for node in () if definition is None else _inside(definition):
        if isinstance(node, s.Apply) and node.args is not None and node.span.start == span.start:
            for name, item in zip(names, node.args.items, strict=False):
                yield (item.name.text, item.value) if isinstance(item, s.Kwarg) else (name, item)


def _number(value: Any) -> int | float:
    if isinstance(value, (int, float)):
        return value
    raise LookupError(value)  # a size that only the input decides, or a function


def _inside(node: Any) -> Iterator[Node]:
    """The parts of a definition that are computed, from the outside to the inside."""
    if isinstance(node, Node):
        if isinstance(node, (s.Require, s.Init)):
            return
        yield node
        for name in node.__match_args__:
            yield from _inside(getattr(node, name))
    elif isinstance(node, tuple):
        parts: tuple[Any, ...] = node  # pyright: ignore[reportUnknownVariableType]
        for part in parts:
            yield from _inside(part)


def _binds(definition: Node) -> Iterator[s.Bind]:
    """Names that a definition binds once."""
    found = [node for node in _inside(definition) if isinstance(node, s.Bind)]
    targets = [bind.target.name for bind in found if isinstance(bind.target, s.Ref)]
    yield from (bind for bind in found if isinstance(bind.target, s.Ref) and targets.count(bind.target.name) == 1)


__all__ = ["Expression", "Known", "KnownNames", "computed_numbers", "computed_values", "stated"]
