"""One function of `recipe.py`: what some values of a recipe's body are computed from, as statements.

The statements are those of a `forward`, with three differences: fields are read as `batch["image"]`, a counted loss may
be a sum as well as a mean, and every variable is bound once: a recipe is short, so that no name is needed twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ...compiler.catalogue import LOSSES
from ...compiler.catalogue.ops import find
from ...compiler.catalogue.penalties import selected
from ...compiler.ir.expand import parameters
from ...compiler.ir.globs import glob
from ...compiler.ir.model import AnyNode, Body, CallNode, OpNode, Spec
from ...compiler.ir.train import Train
from .constants import Constants
from .group import BodyGroup
from .lines import Line
from .ops.losses import COUNTED
from .python import ATOM, PRODUCT, WIDTH, Expr, identifier, quoted, unique, variable
from .regions import Forward
from .sizes import Sizes
from .support import SOURCES, support
from .variables import Region, operands

BATCH = "batch: dict[str, Tensor]"


class RecipeFunction:
    """A function over a body.

    `variables` are the arguments of the nets, `names` wanted names of values, `given` values that come in as arguments.
    `sums` are the nodes of counted losses that take `reduction`, with what each is divided by in place ("": nothing).
    """

    def __init__(
        self,
        spec: Spec,
        train: Train,
        variables: Mapping[str, str],
        body: int,
        *,
        names: Mapping[int, str] | None = None,
        given: Mapping[int, Expr] | None = None,
        sums: Mapping[int, str] | None = None,
    ) -> None:
        self.spec, self.train, self.variables = spec, train, variables
        self.names, self.given, self.sums = dict(names or {}), dict(given or {}), dict(sums or {})
        self.group = BodyGroup(spec, [merged(spec.bodies[body])], Constants(1))
        self.body: Body = self.group.first
        inputs = [(_field(value.name), self.group.tensor([value.type]).sizes) for value in self.body.inputs]
        self.sizes = Sizes.of(inputs, {})
        reserved = {"batch", "count", "counts", "share", "reduction", *variables.values()}
        reserved |= {name for expr in self.given.values() for name in expr.names}
        self._statements = _Statements(self, self.sizes, reserved)

    # ---- values --------------------------------------------------------------------------------------------------------

    def run(self, values: Sequence[int]) -> list[str]:
        """Writes what the values need; their expressions."""
        wanted = [value for value in values if value not in self.given]
        found = dict(zip(wanted, self._statements.run(self._region(), wanted), strict=True))
        return [(found | self.given)[value].text for value in values]

    def variable(self, value: int, text: str) -> str:
        """A variable that holds a value whose expression is `text`."""
        if text.isidentifier():
            return text
        name = self._statements.bind(value)
        self._statements.add(f"{name} = {text}")
        return name

    def _region(self) -> Region:
        region = Region(self.group, self._locate)
        region.env = {value.id: Expr(_field(value.name)) for value in self.body.inputs} | self.given
        return region

    def _locate(self, path: str) -> str:
        name, _, rest = path.partition(".")
        return f"{self.variables[name]}{'.' if rest else ''}{rest}"

    def count(self, position: int) -> str:
        """How many targets the mean of a counted loss divides by, without running a net."""
        node = self.body.nodes[position]
        assert isinstance(node, OpNode)
        text = self._count(node, position, self._region(), Expr("<unknown>"))
        if "<unknown>" not in text:
            return text
        # The target is not a field of the batch, so what it is computed from is written first.
        target = node.inputs[1]
        assert isinstance(target, int)
        region = self._region()
        self._statements.run(region, [target])
        return self._count(node, position, region, variable("_"))

    def _count(self, node: OpNode, position: int, region: Region, missing: Expr) -> str:
        region.at = position
        for operand in node.inputs:
            if isinstance(operand, int) and operand not in region.env:
                region.env[operand] = missing
        use = self._statements.use(region, (node,))
        use.fields = [(_field(v.name), [n.values for n in self.group.tensor([v.type]).sizes]) for v in self.body.inputs]
        return COUNTED[node.op][1](use)

    def origin(self, value: int) -> str:
        """What gives a value that has no name: an output of a net, or an operator."""
        node = next((node for node in self.body.nodes if any(output.id == value for output in node.outputs)), None)
        if isinstance(node, CallNode):
            at = [output.id for output in node.outputs].index(value)
            results = self.spec.bodies[node.body].outputs
            return results[at].name if at < len(results) else "x"
        if not isinstance(node, OpNode):
            return "x"
        first = node.inputs[0] if node.inputs else None
        operator = find(node.op)
        if operator is not None and operator.flat and operator.keeps and isinstance(first, int):
            return self.body.value(first).name or self.origin(first)
        if target := self.target(value):
            return target
        if node.op in SOURCES:  # a variable would hide the function of the file
            return node.op.partition("_")[0]
        return (operator.result or operator.called if operator is not None else "") or node.op

    def target(self, value: int) -> str:
        """What a loss calls a value that it compares with."""
        for node in self.body.nodes:
            loss = LOSSES.get(node.op) if isinstance(node, OpNode) else None
            if loss is not None and value in node.inputs[loss.against : loss.against + 1]:
                return loss.tensors[loss.against][0]
        return ""

    def subject(self, value: int) -> str:
        """What a net was applied to, where a net gives the value."""
        for node in self.body.nodes:
            if isinstance(node, CallNode) and any(output.id == value for output in node.outputs):
                first = node.inputs[0] if node.inputs else None
                return (self.body.value(first).name or self.origin(first)) if isinstance(first, int) else ""
        return ""

    @property
    def device(self) -> str:
        return f"{_field(self.body.inputs[0].name)}.device"

    # ---- the text ------------------------------------------------------------------------------------------------------

    def nets(self, statements: Sequence[Line]) -> tuple[str, ...]:
        """Names of the nets that the statements use, in the order of the section."""
        text = re.sub(r'"[^"]*"', "", "\n".join(line.text for line in statements))
        return tuple(
            net.name for net in self.train.nets if re.search(rf"\b{self.variables[net.name or 'model']}\b", text)
        )

    def arguments(self, nets: Sequence[str]) -> list[str]:
        """The nets and the batch, as a signature has them."""
        return [*(f"{self.variables[net or 'model']}: nn.Module" for net in nets), BATCH]

    def statements(self, result: str | Sequence[str]) -> list[Line]:
        """The body of the function; several results are returned side by side."""
        if not isinstance(result, str):
            items, result = result, ", ".join(result)
            if len(items) > 1 and len(f"    return {result}") > WIDTH:
                result = f"({result})"
        head = self.sizes.head()
        if len(head) == 1 and not self._statements.lines:
            letter, size = head[0].split(" = ")
            inlined, times = re.subn(rf"\b{letter}\b", lambda _: size, result)
            if times == 1 and len(f"    return {inlined}") <= WIDTH:  # a size that is read once needs no name
                head, result = [], inlined
        lines = [Line(text, 1) for text in head]
        lines += [Line(line.text, line.indent + 1) for line in self._statements.lines]
        return [*lines, Line(f"return {result}", 1)]


def definition(
    name: str, arguments: Sequence[str], returns: str, about: str | Sequence[str], body: Sequence[Line]
) -> list[Line]:
    """A whole function; `about` is its docstring, by lines. Arguments that do not fit next to the name are on a line of their
    own, or on one each."""
    flat = ", ".join(arguments)
    head = f"def {name}({flat}) -> {returns}:"
    lines = [Line(head)]
    if len(head) > WIDTH:
        rows = [flat] if len(flat) + 4 <= WIDTH else [f"{argument}," for argument in arguments]
        lines = [Line(f"def {name}("), *(Line(row, 1) for row in rows), Line(f") -> {returns}:")]
    first, *rest = [about] if isinstance(about, str) else about
    docstring = [Line(f'"""{first}"""', 1)]
    if rest:
        docstring = [Line(f'"""{first}', 1), *(Line(text, 1) for text in rest), Line('"""', 1)]
    return [*lines, *docstring, *body]


def merged(body: Body) -> Body:
    """Reads what equal operators give from the first of them: `arange(B)` twice is one tensor. Draws are not equal."""
    first: dict[str, int] = {}
    known: dict[int, int] = {}
    nodes: list[AnyNode] = []
    for node in body.nodes:
        inputs = tuple(known.get(v, v) if isinstance(v, int) else v for v in node.inputs)
        nodes.append(node.model_copy(update={"inputs": inputs}))
        operator = find(node.op) if isinstance(node, OpNode) and node.instance is None else None
        if operator is None or operator.random or operator.has_mode or len(node.outputs) != 1 or node.outputs[0].name:
            continue
        assert isinstance(node, OpNode)
        output = node.outputs[0].id
        same = first.setdefault(repr((node.op, node.args, inputs)), output)
        if same != output:
            known[output] = same
    return body.model_copy(update={"nodes": tuple(nodes)})


def live(body: Body, values: Collection[int], known: Collection[int] = ()) -> set[int]:
    """Everything that the values are computed from, themselves included, back to what is `known` or comes in."""
    producers = {output.id: node for node in body.nodes for output in node.outputs}
    found: set[int] = set()
    waiting = [value for value in values if value not in known]
    while waiting:
        value = waiting.pop()
        node = producers.get(value)
        if node is None or value in found:
            continue
        found.add(value)
        waiting += [operand for operand in operands(node) if operand not in known]
    return found


def only_counted(body: Body, value: int, counts: Collection[int]) -> bool:
    """Whether a value is made of counted losses (nodes at `counts`) and numbers alone, linearly."""
    producers = {output.id: (at, node) for at, node in enumerate(body.nodes) for output in node.outputs}
    waiting = [value]
    while waiting:
        found = producers.get(waiting.pop())
        if found is None:
            return False
        position, node = found
        if position in counts:
            continue
        operator = find(node.op) if isinstance(node, OpNode) else None
        if operator is None or not operator.linear:
            return False
        if operator.linear != "scaled" and not all(isinstance(operand, int) for operand in node.inputs):
            return False
        waiting += [operand for operand in node.inputs if isinstance(operand, int)]
    return True


class _Statements(Forward):
    """Statements of a recipe's body: losses may be sums, metrics are left to the caller."""

    training = (
        "torch.is_grad_enabled()"  # a loss is the same function in training and in validation, which needs no gradients
    )

    def __init__(self, function: RecipeFunction, sizes: Sizes, reserved: set[str]) -> None:
        super().__init__(None, sizes, reserved)
        self.function = function
        self._bound: set[str] = set()

    def operator(self, region: Region, node: OpNode, position: int) -> None:
        sums = self.function.sums
        if position in sums:
            lower, divisor = COUNTED[node.op][0], sums[position]
            expr = self.lighten(region, node, lambda: lower(self.use(region, (node,)), "reduction"))
            if divisor:
                value = node.outputs[0].id
                self.assign(region, value, expr, threshold=position + 1)
                total = region.env[value]
                expr = Expr(f"{total.text} / {divisor}", PRODUCT, total.names, 0)
                region.env[value] = expr
            else:
                self.finish(region, node, expr)
        elif (pattern := selected(node.op, node.args)) is not None:
            self.finish(region, node, self._penalty(node.op, pattern))
        else:
            super().operator(region, node, position)

    def reads(self, node: AnyNode) -> list[int]:
        return [value for value in super().reads(node) if value not in self.function.given]

    def device(self, region: Region) -> str:
        return self.function.device

    def keep(self, region: Region, value: int, name: str, expr: Expr) -> None:
        super().keep(region, value, name or self.function.names.get(value, ""), expr)

    def name(self, region: Region, value: int, expr: Expr, threshold: int) -> str:
        return self.bind(value)

    def bind(self, value: int) -> str:
        """A new variable for a value: called as the recipe calls it, else as what gives it."""
        own = self.function.names.get(value) or self.function.body.value(value).name
        taken = self.reserved | self._bound
        name = identifier(own or self.function.origin(value))
        if not own and name in taken:  # the second of two scores: `fake_score`
            name = identifier("_".join(filter(None, (self.function.subject(value), name))))
        name = unique(name, taken)
        self._bound.add(name)
        return name

    def _penalty(self, op: str, selector: str) -> Expr:
        """A loss of parameters, `l1("glob")`, over those of all nets: its supporting function of a net and their names."""
        function = self.function
        pattern = glob(selector)
        parts: list[str] = []
        for net in function.train.nets:
            prefix = f"{net.name}." if net.name else ""
            chosen = [
                entry.path
                for entry in parameters(function.spec, function.spec.models[net.model])
                if not entry.buffer and pattern.matches(f"{prefix}{entry.path}")
            ]
            if chosen:
                names = ", ".join(map(quoted, chosen)) + ("," if len(chosen) == 1 else "")
                parts.append(f"{support(op)}({function.variables[net.name or 'model']}, ({names}))")
        return Expr(" + ".join(parts), ATOM if len(parts) == 1 else PRODUCT - 1, weight=1)


def _field(name: str) -> str:
    return f"batch[{quoted(name)}]"


__all__ = ["BATCH", "RecipeFunction", "definition", "live", "only_counted"]
