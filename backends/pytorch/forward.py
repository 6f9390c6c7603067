"""Writes a `forward`: nodes in order, values that are read once inside the expression that reads them, everything else
under the name that the spec gave it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...compiler.ir.expand import join, turns
from ...compiler.ir.model import (
    AnyNode,
    CallNode,
    ModeNode,
    OpNode,
    RepeatNode,
    Requirement,
    Scalar,
    ScanNode,
    WeightNode,
)
from ...compiler.ir.model import Operand as IrOperand
from ...compiler.sizes.dims import Dim
from .constants import Number, Varies
from .group import Group
from .lowering import Operand, Tensor, Use, lowering
from .python import ATOM, SUM, UNARY, Expr, identifier, literal, quoted, unique, variable
from .scopes import Chain, Loop, Scopes, regions_of
from .sizes import Sizes

if TYPE_CHECKING:
    from .classes import Classes

#: How much one statement may do (`Expr.weight`), and how long it may be.
MOST, LONGEST = 3, 73

#: Names for what the spec leaves unnamed.
GENERIC = ("x", "y", "z", "h")


@dataclass
class Line:
    """A logical line of a function; `shapes`, maybe with names, become a trailing comment where it fits."""

    text: str
    indent: int = 0
    shapes: Sequence[tuple[Number, ...]] = ()
    names: Sequence[str] = ("",)


@dataclass
class Frame:
    """A body or region while it is written."""

    group: Group
    locate: Callable[[str], str]
    parent: Frame | None = None
    env: dict[int, Expr] = field(default_factory=dict[int, Expr])
    last: dict[int, int] = field(default_factory=dict[int, int])
    count: dict[int, int] = field(default_factory=dict[int, int])
    regional: set[int] = field(default_factory=set[int])  # values that a region reads
    preferred: dict[int, str] = field(default_factory=dict[int, str])
    results: tuple[int, ...] = ()
    roles: dict[int, str] | None = None
    at: int = -1
    prefix: str = ""  # where unrolled turns lie
    offsets: dict[str, int] = field(default_factory=dict[str, int])


class _Unnamed(Exception):
    """A size is known only from a value that has no variable yet."""

    def __init__(self, value: int) -> None:
        super().__init__()
        self.value = value


class Forward:
    """Writes the statements of one function."""

    def __init__(
        self,
        classes: Classes,
        scopes: Scopes | None,
        sizes: Sizes,
        reserved: set[str],
        emits: Mapping[str, str] | None = None,
    ) -> None:
        self.classes, self.scopes, self.sizes = classes, scopes, sizes
        #: The list that collects the values of each wanted `emit`.
        self.emits = dict(emits or {})
        self.reserved: set[str] = reserved | sizes.reserved()
        self.lines: list[Line] = []
        self.indent = 0
        #: A variable that always holds a tensor: where it is, what the function makes belongs.
        self.home = sizes.inputs[0] if sizes.inputs else ""
        self.shown: dict[str, tuple[Number, ...]] = {}

    # ---- statements ------------------------------------------------------------------------------------------------

    def add(self, text: str, shape: tuple[Number, ...] | None = None) -> None:
        self.lines.append(Line(text, self.indent, () if shape is None else (shape,)))

    def assign(self, frame: Frame, value: int, expr: Expr, *, threshold: int) -> None:
        """Gives a value a variable."""
        name = self.name(frame, value, expr, threshold)
        self.store(name, expr, self.type(frame, value).sizes)
        frame.env[value] = variable(name)

    def store(self, name: str, expr: Expr, shape: tuple[Number, ...]) -> None:
        if expr.text == name:
            return
        known = any(self.shown.get(n) == shape for n in expr.names)
        self.add(f"{name} = {expr.text}", None if known else shape)
        self.shown[name] = shape

    def name(self, frame: Frame, value: int, expr: Expr, threshold: int) -> str:
        busy = self.busy(frame, value, threshold)
        wanted = frame.preferred.get(value) if threshold == frame.at + 1 else None
        if wanted is not None and wanted not in self.busy(frame, value, threshold, parents=False):
            return wanted
        own = frame.group.values[0][value].name or role(frame, value)
        if own and identifier(own) not in self.reserved:
            return unique(identifier(own), busy)
        for candidate in (*sorted(expr.names & set(GENERIC)), *GENERIC):
            if candidate not in busy:
                return candidate
        return unique("x", busy)

    def busy(self, frame: Frame, but: int, threshold: int, *, parents: bool = True) -> set[str]:
        """Variables that are read later."""
        names = set(self.reserved)
        for value, expr in frame.env.items():
            if value != but and frame.last.get(value, -1) >= threshold:
                names |= expr.names
        outer = frame.parent if parents else None
        while outer is not None:
            for value, expr in outer.env.items():
                if outer.last.get(value, -1) >= outer.at:
                    names |= expr.names
            outer = outer.parent
        return names

    def type(self, frame: Frame, value: int) -> Tensor:
        return frame.group.type(value)

    # ---- regions ---------------------------------------------------------------------------------------------------

    def open(self, frame: Frame, results: Sequence[int]) -> set[int]:
        """Works out what a region needs; returns the positions of its live nodes."""
        body = frame.group.first
        frame.results = tuple(results)
        end = len(body.nodes)
        needed = set(results)
        live: set[int] = set()
        for value in results:
            frame.last[value] = end
            frame.count[value] = frame.count.get(value, 0) + 1
        for position in range(end - 1, -1, -1):
            node = body.nodes[position]
            emits = self.emits and any(map(self.classes.emitting, regions_of(node)))
            if not emits and not any(output.id in needed for output in node.outputs):
                continue
            live.add(position)
            for operand in self.reads(node):
                needed.add(operand)
                frame.last.setdefault(operand, position)
                frame.count[operand] = frame.count.get(operand, 0) + 1
            frame.regional.update(captured(node))
        return live

    def reads(self, node: AnyNode) -> list[int]:
        """Values that must be there before a node is written."""
        return operands(node)

    def run(self, frame: Frame, results: Sequence[int]) -> list[Expr]:
        """Writes the nodes of a region and returns the expressions of its results."""
        emitted = [e for e in frame.group.first.emits if e.name in self.emits]
        live = self.open(frame, [*results, *(e.value for e in emitted)])
        top = self.scopes is not None and frame.group is self.scopes.group
        chains = self.scopes.chains if top and self.scopes is not None else {}
        skip: set[int] = set()
        done: list[int] = []
        for position, node in enumerate(frame.group.first.nodes):
            if position not in live or position in skip:
                continue
            for value in done:
                frame.env.pop(value, None)
            frame.at = position
            done = [v for v in self.reads(node) if frame.last.get(v) == position]
            chain = chains.get(position)
            if chain is not None:
                skip.update(chain.positions)
                frame.at = chain.positions[-1]
                done = [chain.start] if frame.last.get(chain.start) == position else []
                self.sequential(frame, chain)
                continue
            match node:
                case OpNode():
                    self.operator(frame, node, position)
                case WeightNode():
                    module = frame.locate(node.instance)
                    self.finish(frame, node, Expr(f"{module}.{node.name}" if node.name else module))
                case CallNode():
                    self.block(frame, node, position)
                case RepeatNode():
                    self.repeat(frame, node, position)
                case ModeNode():
                    self.mode(frame, node, position)
                case ScanNode():
                    self.scan(frame, node, position)
        frame.at = len(frame.group.first.nodes)
        for result in emitted:
            self.add(f"{self.emits[result.name]}.append({frame.env[result.value].text})")
        return [frame.env[value] for value in results]

    # ---- operands and results --------------------------------------------------------------------------------------

    def operand(self, frame: Frame, values: Sequence[IrOperand]) -> Operand | None:
        first = values[0]
        if first is None:
            return None
        if isinstance(first, Scalar):
            number = frame.group.arg([v.value for v in values if isinstance(v, Scalar)])
            if isinstance(number, Number):
                text = self.size(frame, number)
                negative = text.startswith("-")
                level = ATOM if text.replace("self.", "").isidentifier() or _plain(text) else UNARY if negative else SUM
                return Operand(Expr(text, level), None, number)
            return Operand(Expr(literal(number)), None, number)
        return Operand(frame.env[first], self.type(frame, first))

    def size(self, frame: Frame, number: Number) -> str:
        """Source of a number in `forward`."""
        if number.same and not isinstance(number.values[0], Dim):
            return number.in_forward()
        values: Any = number.values
        text = self.sizes.code(values) if not all(isinstance(v, float) for v in values) else None
        if text is not None:
            return text
        if number.concrete:
            return number.in_forward()
        searched: Frame | None = frame
        while searched is not None:
            for value, expr in searched.env.items():
                if expr.weight == 0 and expr.text.isidentifier():
                    for axis, have in enumerate(self.type(searched, value).sizes):
                        if have.values == number.values:
                            return f"{expr.text}.shape[{axis}]"
            searched = searched.parent
        for value in frame.env:
            if any(have.values == number.values for have in self.type(frame, value).sizes):
                raise _Unnamed(value)
        raise AssertionError(f"no input of the class carries the size {number.values[0]}")

    def lighten(self, frame: Frame, node: AnyNode, make: Callable[[], Expr]) -> Expr:
        """The expression of a node; operands that make it too heavy, or that it reads twice, become variables first."""
        target = sum(len(output.name or "x") + 2 for output in node.outputs) + 1  # what stands before the expression
        longest = LONGEST - max(0, target - len("return "))
        while True:
            try:
                expr = make()
            except _Unnamed as wanted:
                self.assign(frame, wanted.value, frame.env[wanted.value], threshold=frame.at)
                continue
            pending = [v for v in dict.fromkeys(operands(node)) if not frame.env[v].text.isidentifier()]
            twice = [v for v in pending if frame.env[v].weight and expr.text.count(frame.env[v].text) > 1]
            if twice:
                chosen = twice[0]
            elif pending and (expr.weight > MOST or len(expr.text) > longest):
                chosen = max(pending, key=lambda v: (frame.env[v].weight, len(frame.env[v].text)))
                if not frame.env[chosen].weight and len(frame.env[chosen].text) < 40:
                    return expr
            else:
                return expr
            self.assign(frame, chosen, frame.env[chosen], threshold=frame.at)

    def finish(self, frame: Frame, node: AnyNode, expr: Expr) -> None:
        """Keeps a single result for the expression that reads it, or gives it its variable."""
        (output,) = node.outputs
        self.keep(frame, output.id, output.name, expr)

    def keep(self, frame: Frame, value: int, name: str, expr: Expr) -> None:
        frame.env[value] = expr
        once = frame.count.get(value, 0) == 1 and value not in frame.regional
        result = frame.results == (value,)
        cheap = expr.weight == 0 and expr.level == ATOM and "(" not in expr.text and not name
        inline = (once and (not name or result)) or (cheap and value not in frame.regional)
        if not inline:
            self.assign(frame, value, expr, threshold=frame.at + 1)

    def several(self, frame: Frame, node: AnyNode, expr: Expr, pattern: Callable[[Sequence[str]], str]) -> None:
        """Assigns several outputs at once; `_` for those nobody reads."""
        names: list[str] = []
        for output in node.outputs:
            if frame.count.get(output.id, 0) == 0:
                names.append("_")
                continue
            name = self.name(frame, output.id, expr, frame.at + 1)
            name = unique(name, [n for n in names if n != "_"])
            frame.env[output.id] = variable(name)
            names.append(name)
        shapes = [self.type(frame, o.id).sizes for o, n in zip(node.outputs, names, strict=True) if n != "_"]
        same = len(set(shapes)) == 1
        self.add(f"{pattern(names)} = {expr.text}", shapes[0] if same else None)
        for output, name in zip(node.outputs, names, strict=True):
            if name != "_":
                self.shown[name] = self.type(frame, output.id).sizes

    # ---- kinds of nodes --------------------------------------------------------------------------------------------

    def use(self, frame: Frame, nodes: Sequence[OpNode]) -> Use:
        first = nodes[0]
        if any(node.op != first.op for node in nodes):
            raise Varies
        module = frame.locate(first.instance) if first.instance is not None else None
        return Use(
            first.op,
            frame.group.args([node.args for node in nodes]),
            [self.operand(frame, values) for values in zip(*(node.inputs for node in nodes), strict=True)],
            [self.type(frame, output.id) for output in first.outputs],
            lambda number: self.size(frame, number),
            module,
            [frame.count.get(output.id, 0) > 0 for output in first.outputs],
            self.device(frame),
        )

    def device(self, frame: Frame) -> str:
        """Where a tensor that the function makes belongs: with the first variable that is one."""
        return f"{self.home}.device" if self.home else "next(self.parameters()).device"

    def operator(self, frame: Frame, node: OpNode, position: int) -> None:
        nodes = frame.group.nodes(position)
        lowered = lowering(node.op, node.span)

        def make() -> Expr:
            use = self.use(frame, nodes)
            if lowered.forward is not None:
                return lowered.forward(use)
            assert use.module is not None
            return use.call(use.module, *(use[i] for i in range(len(use)) if use.has(i)))

        expr = self.lighten(frame, node, make)
        if len(node.outputs) == 1:
            self.finish(frame, node, expr)
            return
        use = self.use(frame, nodes)
        targets = lowered.targets
        self.several(frame, node, expr, lambda names: targets(use, names) if targets else ", ".join(names))

    def block(self, frame: Frame, node: CallNode, position: int) -> None:
        nodes = frame.group.nodes(position)
        module = frame.locate(node.instance)
        instances = [frame.locate(reference) for reference in node.instances.values()]
        if self.emits:
            instances += [self.emits[name] for name in self.classes.emitting(node.body)]

        def make() -> Expr:
            inputs = [self.operand(frame, values) for values in zip(*(n.inputs for n in nodes), strict=True)]
            given = [operand.expr for operand in inputs if operand is not None]
            names = frozenset[str]().union(*(e.names for e in given))
            arguments = [*(e.text for e in given), *instances]
            return Expr(f"{module}({', '.join(arguments)})", ATOM, names, 2 + sum(e.weight for e in given))

        expr = self.lighten(frame, node, make)
        if len(node.outputs) == 1:
            self.finish(frame, node, expr)
        else:
            self.several(frame, node, expr, lambda names: ", ".join(names))

    def sequential(self, frame: Frame, chain: Chain) -> None:
        assert self.scopes is not None
        module = self.scopes.access("self", chain.path)
        first = frame.group.first.nodes[chain.positions[0]]
        last = frame.group.first.nodes[chain.positions[-1]]

        def make() -> Expr:
            start = frame.env[chain.start]
            return Expr(f"{module}({start.text})", ATOM, start.names, 2 + start.weight)

        self.finish(frame, last, self.lighten(frame, first, make))

    # ---- repeat ----------------------------------------------------------------------------------------------------

    def settle(self, frame: Frame, values: Sequence[IrOperand]) -> None:
        """Gives a variable to every value that a region reads."""
        for value in dict.fromkeys(v for v in values if isinstance(v, int)):
            if not frame.env[value].text.isidentifier() and not _is_path(frame.env[value].text):
                self.assign(frame, value, frame.env[value], threshold=frame.at)

    def repeat(self, frame: Frame, node: RepeatNode, position: int) -> None:
        captures = [capture for run in node.runs for capture in run.captures]
        self.settle(frame, captures)
        carried = self.carry(frame, node, captures)
        loop = self.scopes.loops.get(position) if self.scopes and frame.group is self.scopes.group else None
        if loop is not None and self.loop(frame, node, position, loop, carried):
            pass
        elif not owned(frame.group, node):
            for index, run in enumerate(node.runs):
                count = frame.group.number([n.runs[index].count for n in frame.group.nodes(position)])
                if count.is_(1):
                    self.turn(frame, position, index, carried, lambda path: path)
                    continue
                self.add(f"for _ in range({self.size(frame, count)}):")
                self.indent += 1
                self.turn(frame, position, index, carried, self.inner(frame, run.instances))
                self.indent -= 1
        else:
            for _, scope, offsets, index in turns(node, frame.prefix, frame.offsets):
                locate = self.inner(frame, node.runs[index].instances, scope, offsets)
                self.turn(frame, position, index, carried, locate, scope, offsets)
        for output, name in zip(node.outputs, carried, strict=True):
            frame.env[output.id] = variable(name)

    def carry(self, frame: Frame, node: RepeatNode, captures: Sequence[IrOperand]) -> list[str]:
        """Puts the start values into the variables that the turns rewrite."""
        names: list[str] = []
        starts = [value for value in node.inputs if isinstance(value, int)]
        for value, output in zip(starts, node.outputs, strict=True):
            expr = frame.env[value]
            kept = frame.last.get(value, -1) > frame.at or value in captures or starts.count(value) > 1
            if output.name and not (frame.results == (output.id,) and not kept and expr.text in GENERIC):
                wanted = identifier(output.name)
            elif expr.text.isidentifier() and not kept and expr.text in GENERIC:
                wanted = expr.text
            else:
                wanted = ""
            frame.preferred[output.id] = wanted
            busy = self.busy(frame, value, frame.at + 1) | set(names)
            busy |= {n for c in captures if isinstance(c, int) for n in frame.env[c].names}
            busy |= {n for v in starts if v != value for n in frame.env[v].names}
            if kept:
                busy |= expr.names
            free = [c for c in (wanted, *sorted(expr.names & set(GENERIC)), *GENERIC) if c and c not in busy]
            name = free[0] if free else unique(wanted or "x", busy)
            self.store(name, expr, self.type(frame, value).sizes)
            if not kept:
                frame.env[value] = variable(name)
            names.append(name)
        return names

    def loop(self, frame: Frame, node: RepeatNode, position: int, loop: Loop, carried: list[str]) -> bool:
        """A `for` over the list of elements; False when turns differ in more than their element."""
        assert self.scopes is not None
        nodes = frame.group.nodes(position)
        if loop.kind == "none":
            return False
        busy = {*self.busy(frame, -1, frame.at), *carried}
        element = unique(identifier(loop.element), busy)
        written: list[list[Line]] = []
        before = self.lines, dict(self.shown)
        for index, run in enumerate(node.runs):
            self.lines, self.shown = [], dict(before[1])
            self.indent += 1
            if loop.kind == "single":
                outside = self.inner(frame, run.instances)

                def locate(path: str, outside: Callable[[str], str] = outside) -> str:
                    if path == "#0" or path.startswith("#0."):
                        return f"{element}{path[2:]}"
                    return outside(path)

                self.turn(frame, position, index, carried, locate, busy={element})
            else:
                self.call_turn(frame, nodes, index, carried, element, plain=loop.kind == "sequential")
            self.indent -= 1
            written.append(self.lines)
        self.lines, self.shown = before
        if len(written) > 1:  # the shapes of one turn are not those of all
            for line in written[0]:
                line.shapes = ()
        if any([line.text for line in lines] != [line.text for line in written[0]] for lines in written[1:]):
            return False
        self.add(f"for {element} in {self.scopes.access('self', node.scope)}:")
        self.lines += written[0]
        return True

    def call_turn(
        self, frame: Frame, nodes: Sequence[RepeatNode], index: int, carried: list[str], element: str, *, plain: bool
    ) -> None:
        """A turn that is an element of its own class."""
        run = nodes[0].runs[index]
        arguments = [*carried]
        if not plain:
            arguments += [frame.env[c].text for c in run.captures if isinstance(c, int)]
            arguments += [frame.locate(reference) for reference in run.instances.values()]
            if self.emits:
                arguments += [self.emits[name] for name in self.classes.emitting(run.body)]
        self.add(f"{', '.join(carried)} = {element}({', '.join(arguments)})")

    def turn(
        self,
        frame: Frame,
        position: int,
        index: int,
        carried: list[str],
        locate: Callable[[str], str],
        prefix: str = "",
        offsets: dict[str, int] | None = None,
        busy: set[str] | None = None,
    ) -> None:
        """Writes one turn in place, from the carried variables to the carried variables."""
        nodes = frame.group.nodes(position)
        group = frame.group.region([n.runs[index].body for n in nodes])
        body, run = group.first, nodes[0].runs[index]
        inner = Frame(group, locate, frame, prefix=prefix, offsets=offsets or {})
        given = [variable(name) for name in carried]
        given += [frame.env[c] for c in run.captures if isinstance(c, int)]
        inner.env = {value.id: expr for value, expr in zip(body.inputs, given, strict=True)}
        results = [result.value for result in body.outputs]
        inner.preferred = dict(zip(results, carried, strict=True))
        reserved, self.reserved = self.reserved, self.reserved | (busy or set())
        self.rewrite(inner, carried, results)
        self.reserved = reserved

    def rewrite(self, inner: Frame, names: Sequence[str], results: Sequence[int]) -> None:
        """Runs a region and leaves its results in the given variables."""
        found = self.run(inner, results)
        changed = [(n, e, v) for n, e, v in zip(names, found, results, strict=True) if e.text != n]
        if len(changed) == 1:
            ((name, expr, value),) = changed
            self.store(name, expr, self.type(inner, value).sizes)
        elif changed:
            self.add(f"{', '.join(n for n, _, _ in changed)} = {', '.join(e.text for _, e, _ in changed)}")
            for name, _, value in changed:
                self.shown[name] = self.type(inner, value).sizes

    def inner(
        self, frame: Frame, instances: dict[str, str], prefix: str | None = None, offsets: dict[str, int] | None = None
    ) -> Callable[[str], str]:
        """How a region finds modules: what it takes from around it, and its own paths in the class."""

        def locate(path: str) -> str:
            if path.startswith("@"):
                name, _, rest = path[1:].partition(".")
                outer = frame.locate(f"{instances[name]}.{rest}" if rest else instances[name])
                return outer
            if prefix is None or offsets is None:
                return frame.locate(path)
            assert self.scopes is not None
            return self.scopes.access("self", join(prefix, path, offsets))

        return locate

    # ---- if training -----------------------------------------------------------------------------------------------

    def mode(self, frame: Frame, node: ModeNode, position: int) -> None:
        self.settle(frame, node.inputs)
        nodes = frame.group.nodes(position)
        wanted = [output for output in node.outputs if frame.count.get(output.id, 0)]
        names: list[str] = []
        inputs = [frame.env[v] for v in node.inputs if isinstance(v, int)]
        expr = Expr("", names=frozenset[str]().union(*(e.names for e in inputs)))
        for output in wanted:
            names.append(unique(self.name(frame, output.id, expr, frame.at + 1), names))
        branches: list[list[Line]] = []
        for indexes in ([n.training for n in nodes], [n.evaluation for n in nodes]):
            group = frame.group.region(indexes)
            inner = Frame(group, self.inner(frame, node.instances), frame, prefix=frame.prefix, offsets=frame.offsets)
            inner.env = {value.id: e for value, e in zip(group.first.inputs, inputs, strict=True)}
            results = [
                result.value
                for result, output in zip(group.first.outputs, node.outputs, strict=True)
                if output in wanted
            ]
            inner.preferred = dict(zip(results, names, strict=True))
            outer, self.lines = self.lines, []
            shown = dict(self.shown)
            self.indent += 1
            self.rewrite(inner, names, results)
            self.indent -= 1
            branches.append(self.lines)
            self.lines, self.shown = outer, shown
        training, evaluation = branches
        if training:
            self.add("if self.training:")
            self.lines += training
            if evaluation:
                self.add("else:")
                self.lines += evaluation
        elif evaluation:
            self.add("if not self.training:")
            self.lines += evaluation
        for output, name in zip(wanted, names, strict=True):
            frame.env[output.id] = variable(name)
            self.shown[name] = self.type(frame, output.id).sizes

    # ---- scan ------------------------------------------------------------------------------------------------------

    def scan(self, frame: Frame, node: ScanNode, position: int) -> None:
        nodes = frame.group.nodes(position)
        group = frame.group.region([n.body for n in nodes])
        body = group.first
        captures = node.inputs[node.sequences + node.carries :]
        self.settle(frame, captures)
        inputs = [frame.env[v] for v in node.inputs if isinstance(v, int)]
        busy = self.busy(frame, -1, frame.at) | {n for e in inputs for n in e.names}
        names: list[str] = []
        for value in body.inputs[: node.sequences + node.carries]:
            names.append(unique(identifier(value.name or "x"), busy | set(names)))
        sequences, carries = names[: node.sequences], names[node.sequences :]
        for name, start in zip(carries, node.inputs[node.sequences : node.sequences + node.carries], strict=True):
            assert isinstance(start, int)
            self.store(name, frame.env[start], self.type(frame, start).sizes)
        stacked = frame.count.get(node.outputs[0].id, 0) > 0
        turns_name = unique("turns", busy | set(names))
        if stacked:
            self.add(f"{turns_name} = []")
        axis = node.axis
        slices = [f"{e.at(ATOM)}.unbind({axis})" for e in inputs[: node.sequences]]
        source = slices[0] if len(slices) == 1 else f"zip({', '.join(slices)})"
        if len(slices) > 1:
            source = f"{source[:-1]}, strict=True)"
        self.add(f"for {', '.join(sequences)} in {source}:")
        inner = Frame(group, self.inner(frame, node.instances), frame, prefix=frame.prefix, offsets=frame.offsets)
        given = [*map(variable, names), *inputs[node.sequences + node.carries :]]
        inner.env = {value.id: e for value, e in zip(body.inputs, given, strict=True)}
        results = [result.value for result in body.outputs]
        inner.preferred = dict(zip(results, carries, strict=False))
        reserved = self.reserved
        self.reserved = reserved | ({turns_name} if stacked else set())
        self.indent += 1
        found = self.run(inner, results if stacked else results[:-1])
        changed = [(n, e) for n, e in zip(carries, found, strict=False) if e.text != n]
        if len(changed) == 1 and not (stacked and changed[0][0] in found[-1].names and found[-1].text != changed[0][0]):
            self.add(f"{changed[0][0]} = {changed[0][1].text}")
            changed = []
        if stacked:
            self.add(f"{turns_name}.append({found[-1].text})")
        if changed:
            self.add(f"{', '.join(n for n, _ in changed)} = {', '.join(e.text for _, e in changed)}")
        self.indent -= 1
        self.reserved = reserved
        for output, name in zip(node.outputs[1:], carries, strict=True):
            frame.env[output.id] = variable(name)
        if stacked:
            output = node.outputs[0]
            self.keep(
                frame,
                output.id,
                output.name,
                Expr(f"torch.stack({turns_name}, {axis})", ATOM, frozenset((turns_name,)), 1),
            )

    # ---- what the input must fulfil --------------------------------------------------------------------------------

    def require(self, frame: Frame, requirements: Sequence[Sequence[Requirement]]) -> None:
        """Asserts facts about sizes that only the input decides."""
        opposite = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
        for row in requirements:
            first = row[0]
            left = Number(tuple(r.left for r in row), frame.group.constants)  # not yet a fact here
            right = Number(tuple(r.right for r in row), frame.group.constants)
            try:
                texts = [self.size(frame, left), self.size(frame, right)]
            except AssertionError:
                continue
            if any("\x01" in text for text in texts):
                continue
            self.add(f"if {texts[0]} {opposite[first.op]} {texts[1]}:")
            letters = sorted({a.letter for a in self.sizes.axes if re.search(rf"\b{a.letter}\b", " ".join(texts))})
            got = ", ".join(f"{letter} = {{{letter}}}" for letter in letters)
            message = f'f"expected {texts[0]} {first.op} {texts[1]}, got {got}"'
            self.indent += 1
            self.add(f"raise ValueError({quoted(first.message) if first.message else message})")
            self.indent -= 1


def role(frame: Frame, value: int) -> str:
    """What people call an unnamed value that attention reads."""
    if frame.roles is None:
        frame.roles = {
            operand: name
            for node in frame.group.first.nodes
            if isinstance(node, OpNode) and node.op == "attention"
            for operand, name in zip(node.inputs, "qkv", strict=False)
            if isinstance(operand, int)
        }
    return frame.roles.get(value, "")


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


def owned(group: Group, node: RepeatNode) -> bool:
    """Whether turns own something, themselves or in what they repeat."""

    def owns(index: int) -> bool:
        body = group.spec.bodies[index]
        return bool(body.instances) or any(owns(inner) for n in body.nodes for inner in regions_of(n, calls=False))

    return any(owns(run.body) for run in node.runs)


def _plain(text: str) -> bool:
    return text.replace(".", "", 1).replace("e-", "", 1).isalnum()


def _is_path(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


__all__ = ["Forward", "Frame", "Line", "operands"]
