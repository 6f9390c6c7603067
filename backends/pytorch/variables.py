"""Which values get a variable, what it is called, and how long its name is taken.

A value that is read once is part of the expression that reads it; every other one gets a variable with the name that
the spec gives it. What is no longer read frees its name, so that `x` is bound again as one would write it:

    x += x -> ln_1: LayerNorm -> attn: Attention        the spec
    %3 = ln_1(%0); %4 = attn(%3); %5 = add(%0, %4) "x"  the IR: %3 and %4 are read once, %0 is not read later
    x = x + self.attn(self.ln_1(x))                     the source
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from ...compiler.catalogue.ops import find
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.model import AnyNode, ModeNode, OpNode, RepeatNode, ScanNode
from ...compiler.ir.model import Operand as IrOperand
from .constants import ClassNumber, length
from .group import BodyGroup
from .lines import Line
from .lowering import SharedType
from .python import ATOM, Expr, identifier, unique, variable
from .sizes import Sizes

#: How much one statement may do (`Expr.weight`), and how long it may be.
MOST, LONGEST = 3, 73

#: Names for what the spec leaves unnamed.
GENERIC = ("x", "y", "z", "h")


@dataclass
class Region:
    """A body or region while it is written."""

    group: BodyGroup
    locate: Callable[[str], str]
    parent: Region | None = None
    env: dict[int, Expr] = field(default_factory=dict[int, Expr])
    last: dict[int, int] = field(default_factory=dict[int, int])
    count: dict[int, int] = field(default_factory=dict[int, int])
    regional: set[int] = field(default_factory=set[int])  # values that a nested region reads
    preferred: dict[int, str] = field(default_factory=dict[int, str])
    results: tuple[int, ...] = ()
    roles: dict[int, str] | None = None
    at: int = -1
    prefix: str = ""  # where unrolled turns lie
    offsets: dict[str, int] = field(default_factory=dict[str, int])


class Unnamed(Exception):
    """A size is known only from a value that has no variable yet."""

    def __init__(self, value: int) -> None:
        super().__init__()
        self.value = value


class Variables:
    """The lines of one function and the names in them."""

    def __init__(self, sizes: Sizes, reserved: set[str]) -> None:
        self.sizes = sizes
        self.reserved: set[str] = reserved | sizes.reserved()
        self.lines: list[Line] = []
        self.indent = 0
        self.shown: dict[
            str, tuple[ClassNumber, ...]
        ] = {}  # the shape that a comment or an input showed last, by variable

    @contextmanager
    def recorded(self, busy: set[str] | frozenset[str] = frozenset()) -> Generator[list[Line]]:
        """Statements of an indented part go to a list of their own, for the caller to place or to drop; names in `busy`
        are not given to variables meanwhile, and shapes that are shown inside count as not shown after it."""
        outer = self.lines, self.shown, self.reserved
        self.lines, self.shown, self.reserved = [], dict(self.shown), self.reserved | busy
        self.indent += 1
        try:
            yield self.lines
        finally:
            self.indent -= 1
            self.lines, self.shown, self.reserved = outer

    def add(self, text: str, shape: tuple[ClassNumber, ...] | None = None) -> None:
        self.lines.append(Line(text, self.indent, () if shape is None else (shape,)))

    def assign(self, region: Region, value: int, expr: Expr, *, threshold: int) -> None:
        """Gives a value a variable."""
        name = self.name(region, value, expr, threshold)
        self.store(name, expr, self.type(region, value).sizes)
        region.env[value] = variable(name)

    def store(self, name: str, expr: Expr, shape: tuple[ClassNumber, ...]) -> None:
        if expr.text == name:
            return
        known = any(self.shown.get(n) == shape for n in expr.names)
        self.add(f"{name} = {expr.text}", None if known else shape)
        self.shown[name] = shape

    def name(self, region: Region, value: int, expr: Expr, threshold: int) -> str:
        busy = self.busy(region, value, threshold)
        wanted = region.preferred.get(value) if threshold == region.at + 1 else None
        if wanted is not None and wanted not in self.busy(region, value, threshold, parents=False):
            return wanted
        own = region.group.values[0][value].name or role(region, value)
        if own and identifier(own) not in self.reserved:
            return unique(identifier(own), busy)
        rank = self.type(region, value).rank
        known = [c for c in (*sorted(expr.names & set(GENERIC)), *GENERIC) if c not in busy]
        # A name for tensors of several ranks would confuse the reader.
        fitting = [c for c in known if c not in self.shown or len(self.shown[c]) == rank]
        return (fitting or known or [unique("x", busy)])[0]

    def busy(self, region: Region, but: int, threshold: int, *, parents: bool = True) -> set[str]:
        """Variables that are read later."""
        names = set(self.reserved)
        for value, expr in region.env.items():
            if value != but and region.last.get(value, -1) >= threshold:
                names |= expr.names
        outer = region.parent if parents else None
        while outer is not None:
            for value, expr in outer.env.items():
                if outer.last.get(value, -1) >= outer.at:
                    names |= expr.names
            outer = outer.parent
        return names

    def type(self, region: Region, value: int) -> SharedType:
        return region.group.type(value)

    def finish(self, region: Region, node: AnyNode, expr: Expr) -> None:
        """Keeps a single result for the expression that reads it, or gives it its variable."""
        (output,) = node.outputs
        self.keep(region, output.id, output.name, expr)

    def keep(self, region: Region, value: int, name: str, expr: Expr) -> None:
        region.env[value] = expr
        if expr.text == f"self.{name}":  # a variable of the same name adds nothing
            name = ""
        once = region.count.get(value, 0) == 1 and value not in region.regional
        result = region.results == (value,)
        cheap = expr.weight == 0 and expr.level == ATOM and "(" not in expr.text and not name
        inline = (once and (not name or result)) or (cheap and value not in region.regional)
        if not inline:
            self.assign(region, value, expr, threshold=region.at + 1)

    def several(self, region: Region, node: AnyNode, expr: Expr, pattern: Callable[[Sequence[str]], str]) -> None:
        """Assigns several outputs at once; `_` for those nobody reads."""
        names: list[str] = []
        for output in node.outputs:
            if region.count.get(output.id, 0) == 0:
                names.append("_")
                continue
            name = self.name(region, output.id, expr, region.at + 1)
            name = unique(name, [n for n in names if n != "_"])
            region.env[output.id] = variable(name)
            names.append(name)
        shapes = [self.type(region, o.id).sizes for o, n in zip(node.outputs, names, strict=True) if n != "_"]
        same = len(set(shapes)) == 1
        self.add(f"{pattern(names)} = {expr.text}", shapes[0] if same else None)
        for output, name in zip(node.outputs, names, strict=True):
            if name != "_":
                self.shown[name] = self.type(region, output.id).sizes

    def settle(self, region: Region, values: Sequence[IrOperand]) -> None:
        """Gives a variable to every value that a region reads."""
        for value in dict.fromkeys(v for v in values if isinstance(v, int)):
            if not region.env[value].text.isidentifier() and not _is_path(region.env[value].text):
                self.assign(region, value, region.env[value], threshold=region.at)

    def lighten(self, region: Region, node: AnyNode, make: Callable[[], Expr]) -> Expr:
        """The expression of a node; operands that make it too heavy, or that it reads twice, become variables first."""
        target = sum(len(output.name or "x") + 2 for output in node.outputs) + 1  # the length of the left side
        longest = LONGEST - max(0, target - len("return "))
        while True:
            try:
                expr = make()
            except Unnamed as wanted:
                self.assign(region, wanted.value, region.env[wanted.value], threshold=region.at)
                continue
            pending = [v for v in dict.fromkeys(operands(node)) if not region.env[v].text.isidentifier()]
            twice = [v for v in pending if region.env[v].weight and expr.text.count(region.env[v].text) > 1]
            if twice:
                chosen = twice[0]
            elif pending and (expr.weight > MOST or length(expr.text) > longest):
                # of two calls of modules the first one, so that they run in the order of the spec
                chosen = max(pending, key=lambda v: (w := region.env[v].weight, w <= 1 and len(region.env[v].text)))
                if not region.env[chosen].weight and len(region.env[chosen].text) < 40:
                    return expr
            else:
                return expr
            self.assign(region, chosen, region.env[chosen], threshold=region.at)


def role(region: Region, value: int) -> str:
    """What people call an unnamed value that attention reads, or that an operator makes."""
    if region.roles is None:
        region.roles = {
            output.id: name
            for node in region.group.first.nodes
            if isinstance(node, OpNode) and (operator := find(node.op)) is not None
            for output, name in zip(node.outputs, operator.outputs or (operator.called,), strict=False)
        }
        region.roles |= {
            operand: name
            for node in region.group.first.nodes
            if isinstance(node, OpNode) and (operator := find(node.op)) is not None and operator.calls_inputs
            for operand, (name, _) in zip(node.inputs, operator.tensors, strict=False)
            if isinstance(operand, int)
        }
    return region.roles.get(value, "")


def operands(node: AnyNode) -> list[int]:
    """Values that a node reads."""
    found = [operand for operand in node.inputs if isinstance(operand, int)]
    if isinstance(node, RepeatNode):
        found += [c for run in node.runs for c in run.captures if isinstance(c, int)]
    return found


def captured(node: AnyNode) -> list[int]:
    """Values that the regions of a node read wherever they like; others come in as its first variables."""
    match node:
        case RepeatNode():
            return [c for run in node.runs for c in run.captures if isinstance(c, int)]
        case ModeNode():
            return operands(node)
        case ScanNode():
            return [v for v in node.inputs[node.sequences + node.carries :] if isinstance(v, int)]
        case _:
            return []


def _is_path(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


__all__ = ["GENERIC", "Region", "Unnamed", "Variables", "captured", "operands"]
