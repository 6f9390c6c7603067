"""`recipe.py`: what a `train` section computes, as plain functions over nets and a batch.

For each update a loss, the counts its means divide by, and its share for a micro-batch; for the section what evaluation
computes. Every function takes the nets it uses by position, in the order of `Train.nets`, then the batch.

    loss(model, batch)                        terms of a whole batch, a tuple in the order of the recipe
    loss_counts(batch)                        the targets that each counted loss in the terms divides by
    loss_part(model, batch, counts, share)    terms of a micro-batch: sums over `counts`, the rest times `share`
    lets(gen, batch)                          values that several updates share, by name; they go into the batch
    evaluate(model, batch)                    terms, then the inputs of each part of a metric
    evaluate_counts(batch)                    the weight of each term
    logged(model, batch)                      what `log` names, by name
    figures(parts)                            metrics by name, from the figures of their parts

Once the records are counted, and so every length is a number of steps, also

    lr(step)                                  a schedule of a hyperparameter
    parameter_groups(model)                   what the optimizer updates, see parameter_groups.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...compiler.catalogue.losses import LOSSES
from ...compiler.ir.expand import glob, parameters
from ...compiler.ir.model import AnyNode, Body, OpNode, Spec
from ...compiler.ir.train import Metric, Term, Train
from .constants import Constants
from .group import Group
from .lines import Line
from .ops.losses import SUMS
from .parameter_groups import optimization
from .python import ATOM, PRODUCT, Expr, comment, identifier, layout, quoted, unique, variable
from .regions import Forward
from .sizes import Sizes
from .support import named, rename, source
from .variables import Region

#: A metric that is no entry of the table: the mean over examples of what each batch gives.
MEAN = "mean"

#: Modules, and what shows that a file needs them.
IMPORTS = (
    (("math", "math.cos("), ("math", "math.sqrt("), ("re", "re.fullmatch(")),
    (("torch", "torch."), ("torch.nn.functional as F", "F.")),
)


@dataclass(frozen=True)
class UpdateFunctions:
    """Names of the functions of one update, and the nets they take."""

    loss: str
    nets: tuple[str, ...]

    @property
    def counts(self) -> str:
        return f"{self.loss}_counts"

    @property
    def part(self) -> str:
        return f"{self.loss}_part"


@dataclass(frozen=True)
class MetricPart:
    """A figure gathered over a split: an entry of the metric table (or `mean`) with its arguments."""

    op: str
    args: dict[str, Any]


def update_functions(spec: Spec, train: Train) -> list[list[UpdateFunctions]]:
    """Functions of every update, by phase; equal updates share theirs."""
    names: dict[str, str] = {}
    keys = {update.body: _content(spec, update.body) for phase in train.phases for update in phase.updates}
    single = len(set(keys.values())) == 1
    found: list[list[UpdateFunctions]] = []
    for phase in train.phases:
        row: list[UpdateFunctions] = []
        for update in phase.updates:
            key = keys[update.body]
            if key not in names:
                words = [] if single else [word for word in (phase.name, update.name) if word]
                names[key] = identifier("_".join([*words, "loss"]).lower(), names.values())
            row.append(UpdateFunctions(names[key], nets_of(spec, train, update.body)))
        found.append(row)
    return found


def _content(spec: Spec, body: int) -> str:
    """A body as text, to see which phases compute the same."""
    return json.dumps(_without_places(json.loads(spec.bodies[body].model_dump_json()) | {"name": ""}))


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        record = cast("dict[str, Any]", value)
        return {key: _without_places(item) for key, item in record.items() if key != "span"}
    return [_without_places(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def shared_functions(spec: Spec, train: Train) -> list[UpdateFunctions | None]:
    """The function of the shared lets of each phase."""
    names: dict[int, str] = {}
    found: list[UpdateFunctions | None] = []
    for phase in train.phases:
        if phase.shared is None:
            found.append(None)
            continue
        if phase.shared not in names:
            names[phase.shared] = unique("lets", names.values())
        found.append(UpdateFunctions(names[phase.shared], nets_of(spec, train, phase.shared)))
    return found


def logged_functions(spec: Spec, train: Train) -> list[UpdateFunctions | None]:
    """The function of what the `log` of each phase names; None where it names nothing."""
    names: dict[int, str] = {}
    found: list[UpdateFunctions | None] = []
    for phase in train.phases:
        if phase.log.body is None:
            found.append(None)
            continue
        if phase.log.body not in names:
            names[phase.log.body] = unique("logged", names.values())
        found.append(UpdateFunctions(names[phase.log.body], nets_of(spec, train, phase.log.body)))
    return found


def nets_of(spec: Spec, train: Train, body: int) -> tuple[str, ...]:
    """Names of the nets that a body uses, in the order of the section."""
    paths = {instance.path for instance in spec.bodies[body].instances}
    return tuple(net.name for net in train.nets if (net.name or "model") in paths)


def metric_parts(spec: Spec, train: Train) -> list[MetricPart]:
    """Parts of all metrics, in the order in which `evaluate` gives their inputs."""
    body = spec.bodies[train.evaluation.body]
    found: list[MetricPart] = []
    for metric in train.evaluation.metrics:
        for position in metric.parts:
            node = body.nodes[position]
            assert isinstance(node, OpNode)
            found.append(MetricPart(node.op, dict(node.args)))
        if not metric.parts:
            found.append(MetricPart(MEAN, {}))
    return found


def recipe_source(spec: Spec, train: Train, records: int | None = None) -> str:
    """Source of the functions of a section, with its optimization when it is known how many records it trains on.

    Raises Failed with E0501 for what cannot be expressed.
    """
    functions: list[list[Line]] = []
    done: set[str] = set()
    writer = _Writer(spec, train)
    for phase, shared, row in zip(
        train.phases, shared_functions(spec, train), update_functions(spec, train), strict=True
    ):
        if shared is not None and shared.loss not in done:
            assert phase.shared is not None
            done.add(shared.loss)
            functions.append(writer.named(shared, phase.shared, "Values that the updates share."))
        for update, names in zip(phase.updates, row, strict=True):
            if names.loss in done:
                continue
            done.add(names.loss)
            functions += [
                writer.loss(names, update.body, update.terms),
                writer.counts(names, update.body, update.terms),
                writer.part(names, update.body, update.terms),
            ]
    functions += writer.evaluation()
    for phase, logged in zip(train.phases, logged_functions(spec, train), strict=True):
        if logged is not None and logged.loss not in done:
            assert phase.log.body is not None
            done.add(logged.loss)
            functions.append(writer.named(logged, phase.log.body, "What `log` shows of a batch."))
    if records is not None:
        taken = {*done, "lets", "evaluate", "evaluate_counts", "figures"}
        taken |= {f"{name}_{more}" for name in done for more in ("counts", "part")}
        functions = [*optimization(spec, train, records, writer.variables, taken), *functions]
    texts = ["\n".join(_written(lines)) for lines in functions]
    final = rename(texts)
    parts = [source(name, name_) for name, name_ in final.items()] + [named(text, final) for text in texts]
    body = "\n\n\n".join(parts)
    title = f"Training section {comment(train.name)} of " if train.name else "Training section of "
    head = [f'"""{title}{comment(spec.name)}.dlspec, generated by dlc."""', ""]
    for group in IMPORTS:
        imports = list(dict.fromkeys(f"import {name}" for name, sign in group if sign in body))
        if imports:
            head += [*imports, ""]
    return "\n".join([*head, "", body, ""])


def _written(lines: Sequence[Line]) -> list[str]:
    found: list[str] = []
    for line in lines:
        found += layout(line.text, 4 * line.indent) if line.text else [""]
    return found


class _Writer:
    """Writes the functions of one section."""

    def __init__(self, spec: Spec, train: Train) -> None:
        self.spec, self.train = spec, train
        self.variables = {net.name or "model": identifier(net.name or "model", {"batch"}) for net in train.nets}

    # ---- functions -------------------------------------------------------------------------------------------------

    def loss(self, names: UpdateFunctions, body: int, terms: Sequence[Term]) -> list[Line]:
        function = _Function(self, body, terms)
        values = function.run([term.value for term in terms])
        return function.lines(names.loss, self.arguments(names.nets), _tuple(values), "The terms of the loss.")

    def counts(self, names: UpdateFunctions, body: int, terms: Sequence[Term]) -> list[Line]:
        function = _Function(self, body)
        texts = [function.count(position) for position in counted(terms)]
        return function.lines(names.counts, ["batch"], _tuple(texts), "How many targets each mean divides by.")

    def part(self, names: UpdateFunctions, body: int, terms: Sequence[Term]) -> list[Line]:
        function = _Function(self, body, terms)
        pure = {term.value: function.only_counted(term) for term in terms}
        for at, position in enumerate(counted(terms)):
            holder = next(term for term in terms if position in term.counts)
            function.totals[position] = f"counts[{at}]" if pure[holder.value] else f"(counts[{at}] * share)"
        found = function.run_exprs([term.value for term in terms])
        values = [
            expr.text if pure[term.value] else f"{expr.at(PRODUCT)} * share"
            for term, expr in zip(terms, found, strict=True)
        ]
        arguments = [*self.arguments(names.nets), "counts", "share"]
        return function.lines(names.part, arguments, _tuple(values), "What a micro-batch adds to the terms.")

    def named(self, names: UpdateFunctions, body: int, say: str) -> list[Line]:
        """A function that gives the outputs of a body by name."""
        function = _Function(self, body)
        outputs = self.spec.bodies[body].outputs
        values = function.run([output.value for output in outputs])
        items = [f"{quoted(o.name)}: {text}" for o, text in zip(outputs, values, strict=True)]
        result = f"{{{', '.join(items)}}}"
        return function.lines(names.loss, self.arguments(names.nets), result, say)

    def evaluation(self) -> list[list[Line]]:
        evaluation = self.train.evaluation
        body = self.spec.bodies[evaluation.body]
        nets = nets_of(self.spec, self.train, evaluation.body)
        function = _Function(self, evaluation.body, evaluation.terms)
        rows: list[list[Any]] = []
        for metric in evaluation.metrics:
            rows += [list(body.nodes[position].inputs) for position in metric.parts]
            if not metric.parts:
                rows.append([metric.value])
        wanted = [term.value for term in evaluation.terms]
        flat = [operand for row in rows for operand in row if isinstance(operand, int)]
        texts = function.run([*wanted, *flat])
        terms = _tuple(texts[: len(wanted)])
        rest = iter(texts[len(wanted) :])
        groups: list[str] = []
        owners = [metric for metric in evaluation.metrics for _ in (metric.parts or (None,))]
        for metric, row in zip(owners, rows, strict=True):
            inputs = [next(rest) if isinstance(operand, int) else function.scalar(operand) for operand in row]
            if not metric.parts:
                inputs.append(f"torch.tensor({function.batch_size()}, device={function.device})")
            groups.append(_tuple(inputs))
        function.forward.add(f"terms = {terms}")
        function.forward.add(f"parts = {_tuple(groups)}")
        counts = _Function(self, evaluation.body)
        weights = [
            counts.count(term.counts[0]) if len(term.counts) == 1 else counts.batch_size() for term in evaluation.terms
        ]
        say = "The terms of the loss, and the inputs of each part of a metric."
        return [
            function.lines("evaluate", self.arguments(nets), "terms, parts", say),
            counts.lines("evaluate_counts", ["batch"], _tuple(weights), "The weight of each term."),
            self.figures(evaluation.metrics),
        ]

    def figures(self, metrics: Sequence[Metric]) -> list[Line]:
        """Metrics from the figures of their parts, which are plain numbers."""
        body = self.spec.bodies[self.train.evaluation.body]
        lines = [Line("def figures(parts):"), Line('"""Metrics by name, from the figures of their parts."""', 1)]
        items: list[str] = []
        at = 0
        for metric in metrics:
            positions = metric.parts or (None,)
            direct = len(positions) == 1 and (
                positions[0] is None or body.nodes[positions[0]].outputs[0].id == metric.value
            )
            if direct:
                items.append(f"{quoted(metric.name)}: parts[{at}]")
            else:
                function = _Function(self, self.train.evaluation.body)
                for offset, position in enumerate(positions):
                    assert position is not None
                    value = body.nodes[position].outputs[0].id
                    function.given[value] = Expr(f"torch.tensor(parts[{at + offset}])", weight=1)
                (text,) = function.run([metric.value])
                lines += [Line(line.text, line.indent + 1) for line in function.forward.lines]
                items.append(f"{quoted(metric.name)}: float({text})")
            at += len(positions)
        lines.append(Line(f"return {{{', '.join(items)}}}", 1))
        return lines

    def arguments(self, nets: Sequence[str]) -> list[str]:
        return [*(self.variables[net or "model"] for net in nets), "batch"]


class _Function:
    """One function over a body of the recipe."""

    def __init__(self, writer: _Writer, body: int, terms: Sequence[Term] = ()) -> None:
        self.writer = writer
        #: Names of terms, when there are several.
        self.names = {term.value: identifier(term.name) for term in terms} if len(terms) > 1 else {}
        self.group = Group(writer.spec, [writer.spec.bodies[body]], Constants(1))
        self.body: Body = self.group.first
        inputs = [(f"batch[{quoted(value.name)}]", self.group.tensor([value.type]).sizes) for value in self.body.inputs]
        self.sizes = Sizes.of(inputs, {})
        self.forward = _RecipeForward(self, self.sizes, {"batch", "counts", "share", *writer.variables.values()})
        self.totals: dict[int, str] = {}
        self.given: dict[int, Expr] = {}

    def region(self) -> Region:
        region = Region(self.group, self.locate)
        for value in self.body.inputs:
            region.env[value.id] = Expr(f"batch[{quoted(value.name)}]")
        return region

    def locate(self, path: str) -> str:
        name, _, rest = path.partition(".")
        return f"{self.writer.variables[name]}{'.' if rest else ''}{rest}"

    def run_exprs(self, values: Sequence[int]) -> list[Expr]:
        return self.forward.run(self.region(), values)

    def run(self, values: Sequence[int]) -> list[str]:
        return [expr.text for expr in self.run_exprs(values)]

    @property
    def device(self) -> str:
        return f"batch[{quoted(self.body.inputs[0].name)}].device"

    def scalar(self, operand: Any) -> str:
        return f"torch.tensor({operand.value!r})"

    def batch_size(self) -> str:
        size = self.body.inputs[0]
        return f"batch[{quoted(size.name)}].shape[0]"

    def count(self, position: int) -> str:
        """How many targets a counted loss divides by, without running a net."""
        node = self.body.nodes[position]
        assert isinstance(node, OpNode)
        region = self.region()
        region.at = position
        for operand in node.inputs:
            if not isinstance(operand, int) or operand in region.env:
                continue
            size = self.body.value(operand).type
            region.env[operand] = Expr(f"<{size}>")
        text = SUMS[node.op][1](self.forward.use(region, (node,)))
        if "<" not in text:
            return text
        # Which targets count depends on a target that is no field: what leads to it is computed.
        target = node.inputs[1]
        assert isinstance(target, int)
        region = self.region()
        self.forward.run(region, [target])
        region.at = position
        for operand in node.inputs:
            if isinstance(operand, int) and operand not in region.env:
                region.env[operand] = variable("_")
        return SUMS[node.op][1](self.forward.use(region, (node,)))

    def only_counted(self, term: Term) -> bool:
        """Whether a term is made of counted losses and numbers alone."""
        producers = {output.id: (at, node) for at, node in enumerate(self.body.nodes) for output in node.outputs}
        stack = [term.value]
        while stack:
            found = producers.get(stack.pop())
            if found is None:
                return False
            position, node = found
            if position in term.counts:
                continue
            if not isinstance(node, OpNode) or node.op not in ("times", "divide", "plus", "minus", "negative", "add"):
                return False
            if node.op in ("plus", "minus") and not all(isinstance(operand, int) for operand in node.inputs):
                return False
            stack += [operand for operand in node.inputs if isinstance(operand, int)]
        return True

    def lines(self, name: str, arguments: Sequence[str], result: str, say: str) -> list[Line]:
        head = [Line(text, 1) for text in self.sizes.head()]
        body = [Line(line.text, line.indent + 1) for line in self.forward.lines]
        first = [Line(f"def {name}({', '.join(arguments)}):"), Line(f'"""{say}"""', 1)]
        return [*first, *head, *body, Line(f"return {result}", 1)]


class _RecipeForward(Forward):
    """Statements of a recipe's body: losses may be sums, metrics are left to whoever gathers them."""

    def __init__(self, function: _Function, sizes: Sizes, reserved: set[str]) -> None:
        super().__init__(None, sizes, reserved)
        self.function = function

    def operator(self, region: Region, node: OpNode, position: int) -> None:
        given = self.function.given.get(node.outputs[0].id) if node.outputs else None
        if given is not None:
            region.env[node.outputs[0].id] = given
            return
        total = self.function.totals.get(position)
        if total is not None and node.op in SUMS:
            value = node.outputs[0].id
            expr = self.lighten(region, node, lambda: SUMS[node.op][0](self.use(region, (node,))))
            self.function.names.pop(value, None)
            self.assign(region, value, expr, threshold=position + 1)
            mean = region.env[value]
            region.env[value] = Expr(f"{mean.text} / {total}", PRODUCT, mean.names, 0)
            return
        if node.op == "l1" and node.op in LOSSES:
            self.finish(region, node, self.penalty(node))
            return
        super().operator(region, node, position)

    def reads(self, node: AnyNode) -> list[int]:
        return [] if any(output.id in self.function.given for output in node.outputs) else super().reads(node)

    def device(self, region: Region) -> str:
        return self.function.device

    def keep(self, region: Region, value: int, name: str, expr: Expr) -> None:
        super().keep(region, value, name or self.function.names.get(value, ""), expr)

    def name(self, region: Region, value: int, expr: Expr, threshold: int) -> str:
        wanted = self.function.names.get(value)
        if wanted is not None:
            return unique(wanted, self.busy(region, value, threshold))
        return super().name(region, value, expr, threshold)

    def penalty(self, node: OpNode) -> Expr:
        """`l1("glob")` over the parameters of all nets."""
        from .support import support

        writer = self.function.writer
        pattern = glob(node.args["pattern"])
        parts: list[str] = []
        for net in writer.train.nets:
            prefix = f"{net.name}." if net.name else ""
            chosen = [
                entry.path
                for entry in parameters(writer.spec, writer.spec.models[net.model])
                if not entry.buffer and pattern.fullmatch(f"{prefix}{entry.path}.")
            ]
            if chosen:
                names = ", ".join(map(quoted, chosen)) + ("," if len(chosen) == 1 else "")
                parts.append(f"{support('l1')}({writer.variables[net.name or 'model']}, ({names}))")
        return Expr(" + ".join(parts), ATOM if len(parts) == 1 else PRODUCT - 1, weight=1)


def counted(terms: Sequence[Term]) -> list[int]:
    """Nodes of the counted losses of an update, each once, in the order of its terms."""
    return list(dict.fromkeys(position for term in terms for position in term.counts))


def _tuple(items: Sequence[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


__all__ = [
    "MEAN", "MetricPart", "UpdateFunctions", "metric_parts", "nets_of", "recipe_source", "shared_functions",
    "update_functions",
]  # fmt: skip
