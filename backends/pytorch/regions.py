"""Writes a `forward`: nodes in order, and what holds a region: `repeat`, `if training`, `scan`.

    y = scan(axis = 1, t = x, c = carry(zeros([B, 8]))) { c = c + t; c }     the spec
    zeros -> %1; ScanNode(inputs (0, 1), body 0, axis 1, carries 1) -> %2     the IR; body 0: plus(c, t)
    c = torch.zeros(B, 8, device=x.device)                                    the source
    turns = []
    for t in x.unbind(1):
        c = c + t
        turns.append(c)
    return torch.stack(turns, 1)

A region reads and writes the variables around it, so its carries, and what it captures, keep their names. A `repeat` whose
layers are a container is a loop over that (`for block in self.h:`), `if training` an `if self.training:` that binds the same names
in both branches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...compiler.ir.expand import join, turns
from ...compiler.ir.model import AnyNode, CallNode, ModeNode, OpNode, RepeatNode, ScanNode, WeightNode
from ...compiler.ir.model import Operand as IrOperand
from .bodies import regions_of
from .constants import ClassNumber
from .group import BodyGroup
from .lines import Line
from .python import ATOM, Expr, identifier, unique, variable
from .scopes import Loop, Scopes
from .sizes import Sizes
from .statements import Called, Statements
from .tables import Tables
from .variables import GENERIC, Region, captured, operands


def _class(bodies: Sequence[int], group: BodyGroup) -> Called | None:
    """No block is a function."""
    return None


class Forward(Statements):
    """Writes the statements of one function. Without `scopes` it is not a method of a class."""

    def __init__(
        self,
        scopes: Scopes | None,
        sizes: Sizes,
        reserved: set[str],
        emitting: Callable[[int], Sequence[str]] = lambda _: (),
        emits: Mapping[str, str] | None = None,
        called: Callable[[Sequence[int], BodyGroup], Called | None] = _class,
    ) -> None:
        super().__init__(scopes, sizes, reserved, emitting, emits or {}, called)
        #: Bounds of the lengths of position codes, by the position of their node.
        self.bounds: dict[int, ClassNumber] = {}

    def open(self, region: Region, results: Sequence[int]) -> set[int]:
        """Works out what a region needs; returns the positions of its live nodes."""
        body = region.group.first
        region.results = tuple(results)
        end = len(body.nodes)
        needed = set(results)
        live: set[int] = set()
        for value in results:
            region.last[value] = end
            region.count[value] = region.count.get(value, 0) + 1
        for position in range(end - 1, -1, -1):
            node = body.nodes[position]
            emits = self.emits and any(map(self.emitting, regions_of(node)))
            if not emits and not any(output.id in needed for output in node.outputs):
                continue
            live.add(position)
            for operand in (*self.reads(node), *self.kept(region, position)):
                needed.add(operand)
                region.last.setdefault(operand, position)
                region.count[operand] = region.count.get(operand, 0) + 1
            region.regional.update(captured(node))
        return live

    def kept(self, region: Region, position: int) -> tuple[int, ...]:
        """The value that stays where an addition is not made."""
        if self.scopes is None or region.group is not self.scopes.group or position not in self.scopes.residuals:
            return ()
        return (self.scopes.residuals[position][0].kept,)

    def reads(self, node: AnyNode) -> list[int]:
        """Values that must be there before a node is written."""
        return operands(node)

    def run(self, region: Region, results: Sequence[int]) -> list[Expr]:
        """Writes the nodes of a region and returns the expressions of its results."""
        emitted = [e for e in region.group.first.emits if e.name in self.emits]
        live = self.open(region, [*results, *(e.value for e in emitted)])
        top = self.scopes is not None and region.group is self.scopes.group
        chains = self.scopes.chains if top and self.scopes is not None else {}
        skip = self.tables(region, live) if top else set[int]()
        done: list[int] = []
        for position, node in enumerate(region.group.first.nodes):
            if position not in live or position in skip:
                continue
            for value in done:
                region.env.pop(value, None)
            region.at = position
            done = [v for v in self.reads(node) if region.last.get(v) == position]
            chain = chains.get(position)
            if chain is not None:
                skip.update(chain.positions)
                region.at = chain.positions[-1]
                done = [chain.start] if region.last.get(chain.start) == position else []
                self.sequential(region, chain)
                continue
            match node:
                case OpNode():
                    self.operator(region, node, position)
                case WeightNode():
                    module = region.locate(node.instance)
                    self.finish(region, node, Expr(f"{module}.{node.name}" if node.name else module))
                case CallNode():
                    self.block(region, node, position)
                case RepeatNode():
                    self.repeat(region, node, position)
                case ModeNode():
                    self.mode(region, node, position)
                case ScanNode():
                    self.scan(region, node, position)
        region.at = len(region.group.first.nodes)
        for result in emitted:
            self.add(f"{self.emits[result.name]}.append({region.env[result.value].text})")
        return [region.env[value] for value in results]

    def tables(self, region: Region, live: set[int]) -> set[int]:
        """Gives the class a buffer for what no input changes; the positions of the nodes that need not be written."""
        assert self.scopes is not None
        if self.scopes.root.kind != "module":
            return set()
        found = Tables(region.group, live, self.bounds)
        for value, text in found.texts.items():
            whole = Expr(f"self.{self.scopes.buffer(identifier(found.wanted[value]), text)}")
            length = found.cut.get(value)
            region.env[value] = (
                whole if length is None else Expr(f"{whole.text}[:{self.size(region, length)}]", weight=1)
            )
        return found.positions

    # ---- repeat ----------------------------------------------------------------------------------------------------

    def repeat(self, region: Region, node: RepeatNode, position: int) -> None:
        captures = [capture for run in node.runs for capture in run.captures]
        self.settle(region, captures)
        carried = self.carry(region, node, captures)
        loop = self.scopes.loops.get(position) if self.scopes and region.group is self.scopes.group else None
        if loop is not None and self.loop(region, node, position, loop, carried):
            pass
        elif not owned(region.group, node):
            for index, run in enumerate(node.runs):
                count = region.group.number([n.runs[index].count for n in region.group.nodes(position)])
                if count.is_(1):
                    self.turn(region, position, index, carried, lambda path: path)
                    continue
                self.add(f"for _ in range({self.size(region, count)}):")
                with self.recorded() as lines:
                    self.turn(region, position, index, carried, self.inner(region, run.instances))
                self.lines += lines
        else:
            region.group.nodes(position)  # Varies unless every body has as many turns
            for _, scope, offsets, index in turns(node, region.prefix, region.offsets):
                locate = self.inner(region, node.runs[index].instances, scope, offsets)
                self.turn(region, position, index, carried, locate, scope, offsets)
        for output, name in zip(node.outputs, carried, strict=True):
            region.env[output.id] = variable(name)

    def carry(self, region: Region, node: RepeatNode, captures: Sequence[IrOperand]) -> list[str]:
        """Puts the start values into the variables that the turns rewrite."""
        names: list[str] = []
        starts = [value for value in node.inputs if isinstance(value, int)]
        for value, output in zip(starts, node.outputs, strict=True):
            expr = region.env[value]
            kept = region.last.get(value, -1) > region.at or value in captures or starts.count(value) > 1
            if output.name and not (region.results == (output.id,) and not kept and expr.text in GENERIC):
                wanted = identifier(output.name)
            elif expr.text.isidentifier() and not kept and expr.text in GENERIC:
                wanted = expr.text
            else:
                wanted = ""
            region.preferred[output.id] = wanted
            busy = self.busy(region, value, region.at + 1) | set(names)
            busy |= {n for c in captures if isinstance(c, int) for n in region.env[c].names}
            busy |= {n for v in starts if v != value for n in region.env[v].names}
            if kept:
                busy |= expr.names
            free = [c for c in (wanted, *sorted(expr.names & set(GENERIC)), *GENERIC) if c and c not in busy]
            name = free[0] if free else unique(wanted or "x", busy)
            self.store(name, expr, self.type(region, value).sizes)
            if not kept:
                region.env[value] = variable(name)
            names.append(name)
        return names

    def loop(self, region: Region, node: RepeatNode, position: int, loop: Loop, carried: list[str]) -> bool:
        """A `for` over the list of elements; False when turns differ in more than their element."""
        assert self.scopes is not None
        nodes = region.group.aligned(position)
        if loop.kind == "none":
            return False
        busy = {*self.busy(region, -1, region.at), *carried}
        element = unique(identifier(loop.element), busy)
        written: list[list[Line]] = []
        for index, run in enumerate(nodes[0].runs):
            with self.recorded(busy={element}) as lines:
                if loop.kind == "single":
                    locate = _element(element, self.inner(region, run.instances))
                    self.turn(region, position, index, carried, locate)
                else:
                    self.call_turn(region, nodes, index, carried, element, plain=loop.kind == "sequential")
            written.append(lines)
        if len(written) > 1:  # turns may differ in their shapes
            for line in written[0]:
                line.shapes = ()
        if any([line.text for line in lines] != [line.text for line in written[0]] for lines in written[1:]):
            return False
        self.add(f"for {element} in {self.scopes.access('self', node.scope)}:")
        self.lines += written[0]
        return True

    def call_turn(
        self, region: Region, nodes: Sequence[RepeatNode], index: int, carried: list[str], element: str, *, plain: bool
    ) -> None:
        """A turn that is an element of its own class."""
        run = nodes[0].runs[index]
        arguments = [*carried]
        if not plain:
            arguments += [region.env[c].text for c in run.captures if isinstance(c, int)]
            arguments += [region.locate(reference) for reference in run.instances.values()]
            if self.emits:
                arguments += [self.emits[name] for name in self.emitting(run.body)]
        self.add(f"{', '.join(carried)} = {element}({', '.join(arguments)})")

    def turn(
        self,
        region: Region,
        position: int,
        index: int,
        carried: list[str],
        locate: Callable[[str], str],
        prefix: str = "",
        offsets: dict[str, int] | None = None,
    ) -> None:
        """Writes one turn in place, from the carried variables to the carried variables."""
        nodes = region.group.aligned(position)
        group = region.group.region([n.runs[index].body for n in nodes])
        body, run = group.first, nodes[0].runs[index]
        inner = Region(group, locate, region, prefix=prefix, offsets=offsets or {})
        given = [variable(name) for name in carried]
        given += [region.env[c] for c in run.captures if isinstance(c, int)]
        inner.env = {value.id: expr for value, expr in zip(body.inputs, given, strict=True)}
        results = [result.value for result in body.outputs]
        inner.preferred = dict(zip(results, carried, strict=True))
        self.rewrite(inner, carried, results)

    def rewrite(self, inner: Region, names: Sequence[str], results: Sequence[int]) -> None:
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
        self,
        region: Region,
        instances: dict[str, str],
        prefix: str | None = None,
        offsets: dict[str, int] | None = None,
    ) -> Callable[[str], str]:
        """How a region finds modules: what it takes from around it, and its own paths in the class."""

        def locate(path: str) -> str:
            if path.startswith("@"):
                name, _, rest = path[1:].partition(".")
                outer = region.locate(f"{instances[name]}.{rest}" if rest else instances[name])
                return outer
            if prefix is None or offsets is None:
                return region.locate(path)
            assert self.scopes is not None
            return self.scopes.access("self", join(prefix, path, offsets))

        return locate

    # ---- if training -----------------------------------------------------------------------------------------------

    def mode(self, region: Region, node: ModeNode, position: int) -> None:
        self.settle(region, node.inputs)
        nodes = region.group.nodes(position)
        wanted = [output for output in node.outputs if region.count.get(output.id, 0)]
        names: list[str] = []
        inputs = [region.env[v] for v in node.inputs if isinstance(v, int)]
        expr = Expr("", names=frozenset[str]().union(*(e.names for e in inputs)))
        for output in wanted:
            names.append(unique(self.name(region, output.id, expr, region.at + 1), names))
        branches: list[list[Line]] = []
        for indexes in ([n.training for n in nodes], [n.evaluation for n in nodes]):
            group = region.group.region(indexes)
            inner = Region(
                group, self.inner(region, node.instances), region, prefix=region.prefix, offsets=region.offsets
            )
            inner.env = {value.id: e for value, e in zip(group.first.inputs, inputs, strict=True)}
            results = [
                result.value
                for result, output in zip(group.first.outputs, node.outputs, strict=True)
                if output in wanted
            ]
            inner.preferred = dict(zip(results, names, strict=True))
            with self.recorded() as lines:
                self.rewrite(inner, names, results)
            branches.append(lines)
        training, evaluation = branches
        if training:
            self.add(f"if {self.training}:")
            self.lines += training
            if evaluation:
                self.add("else:")
                self.lines += evaluation
        elif evaluation:
            self.add(f"if not {self.training}:")
            self.lines += evaluation
        for output, name in zip(wanted, names, strict=True):
            region.env[output.id] = variable(name)
            self.shown[name] = self.type(region, output.id).sizes

    # ---- scan ------------------------------------------------------------------------------------------------------

    def scan(self, region: Region, node: ScanNode, position: int) -> None:
        nodes = region.group.nodes(position)
        group = region.group.region([n.body for n in nodes])
        body = group.first
        captures = node.inputs[node.sequences + node.carries :]
        self.settle(region, captures)
        inputs = [region.env[v] for v in node.inputs if isinstance(v, int)]
        busy = self.busy(region, -1, region.at) | {n for e in inputs for n in e.names}
        names: list[str] = []
        for value in body.inputs[: node.sequences + node.carries]:
            names.append(unique(identifier(value.name or "x"), busy | set(names)))
        sequences, carries = names[: node.sequences], names[node.sequences :]
        for name, start in zip(carries, node.inputs[node.sequences : node.sequences + node.carries], strict=True):
            assert isinstance(start, int)
            self.store(name, region.env[start], self.type(region, start).sizes)
        stacked = region.count.get(node.outputs[0].id, 0) > 0
        turns_name = unique("turns", busy | set(names))
        if stacked:
            self.add(f"{turns_name} = []")
        axis = node.axis
        slices = [f"{e.at(ATOM)}.unbind({axis})" for e in inputs[: node.sequences]]
        source = slices[0] if len(slices) == 1 else f"zip({', '.join(slices)})"
        if len(slices) > 1:
            source = f"{source[:-1]}, strict=True)"
        self.add(f"for {', '.join(sequences)} in {source}:")
        inner = Region(group, self.inner(region, node.instances), region, prefix=region.prefix, offsets=region.offsets)
        given = [*map(variable, names), *inputs[node.sequences + node.carries :]]
        inner.env = {value.id: e for value, e in zip(body.inputs, given, strict=True)}
        results = [result.value for result in body.outputs]
        inner.preferred = dict(zip(results, carries, strict=False))
        with self.recorded(busy={turns_name} if stacked else frozenset()) as lines:
            found = self.run(inner, results if stacked else results[:-1])
            changed = [(n, e) for n, e in zip(carries, found, strict=False) if e.text != n]
            read_after = (
                stacked and bool(changed) and changed[0][0] in found[-1].names and found[-1].text != changed[0][0]
            )
            if len(changed) == 1 and not read_after:
                self.add(f"{changed[0][0]} = {changed[0][1].text}")
                changed = []
            if stacked:
                self.add(f"{turns_name}.append({found[-1].text})")
            if changed:
                self.add(f"{', '.join(n for n, _ in changed)} = {', '.join(e.text for _, e in changed)}")
        self.lines += lines
        for output, name in zip(node.outputs[1:], carries, strict=True):
            region.env[output.id] = variable(name)
        if stacked:
            output = node.outputs[0]
            self.keep(
                region,
                output.id,
                output.name,
                Expr(f"torch.stack({turns_name}, {axis})", ATOM, frozenset((turns_name,)), 1),
            )


def _element(element: str, outside: Callable[[str], str]) -> Callable[[str], str]:
    """How a turn that is one instance finds it: as the loop's variable."""

    def locate(path: str) -> str:
        if path == "#0" or path.startswith("#0."):
            return f"{element}{path[2:]}"
        return outside(path)

    return locate


def owned(group: BodyGroup, node: RepeatNode) -> bool:
    """Whether turns own something, themselves or in what they repeat."""

    def owns(index: int) -> bool:
        body = group.spec.bodies[index]
        return bool(body.instances) or any(owns(inner) for n in body.nodes for inner in regions_of(n, calls=False))

    return any(owns(run.body) for run in node.runs)


__all__ = ["Forward"]
