"""`recipe.py`: what a `train` section computes, as plain functions over nets and a batch.

A section, its evaluation body in the IR, and the functions that come out (the update's body is nodes 0 and 1 alone):

    loss    = cross_entropy(logits, label)          %0 = call "model"(batch image)             "logits"
    metrics = accuracy(logits, label)               %1 = cross_entropy(%0, batch label)        term "loss", counted at 1
                                                    %2 = accuracy(%0, batch label)             metric "accuracy", part 2

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        logits = model(batch["image"])
        return F.cross_entropy(logits, batch["label"]), logits

    def loss_count(batch: dict[str, Tensor]) -> int:
        return batch["label"].numel()

    def metrics(logits: Tensor, batch: dict[str, Tensor]) -> dict[str, tuple[Tensor, ...]]:
        return {"accuracy": (logits, batch["label"])}

Every loss is stated once: training, micro-batches and evaluation call the same function. Where a metric reads a value that
the loss computes, the loss returns it next to its terms, so that an evaluation applies the nets once. What nothing asks for
is not written: no `reduction` without `micro_batch`, no counts of a loss that is neither evaluated nor split into
micro-batches, no `metrics` without metrics. `signatures.RecipeFunctions` describes what a file offers, and
runtime/generated/functions.py calls it by that description.

    parameter_groups(model)          what the optimizer updates, see parameter_groups.py
    lr(step)                         a schedule of a hyperparameter, see schedules.py
    lets(gen, batch)                 values that several updates share, by name; they go into the batch
    loss(model, batch)               the loss terms of a batch, in the order of the recipe, and values for the metrics
    loss_count(batch)                the number of targets that a counted loss is averaged over
    metrics(logits, batch)           inputs of each metric
    figures(values)                  metrics that are computed from other figures
    logged(model, batch)             what `log` names
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ...compiler.catalogue import balanced
from ...compiler.catalogue.losses import Loss
from ...compiler.dataclass import dataclass
from ...compiler.ir.model import OpNode, Spec
from ...compiler.ir.train import Metric, Term, Train
from ...compiler.messages.source import Span
from .lines import Line
from .parameter_groups import optimization
from .python import WIDTH, Expr, comment, identifier, layout, quoted, unique, variable
from .recipe_function import BATCH, RecipeFunction, definition, live, only_counted
from .signatures import MEAN, EvaluationFunctions, LossFunction, MetricPart, Micro, NetFunction, RecipeFunctions
from .support import named, rename, source

#: Import statements, and the pattern that shows that a file needs them.
IMPORTS = (
    (("import math", r"\bmath\."), ("import re", r"\bre\.")),
    (("import torch", r"\btorch\."), ("import torch.nn.functional as F", r"\bF\.")),
)


def recipe_source(spec: Spec, train: Train, records: int | None = None) -> str:
    """Source of the functions of a section, with its optimization when it is known how many records it trains on.

    Raises Failed with E0501 for what cannot be expressed.
    """
    return RecipeFile(spec, train, records).source


def recipe_functions(spec: Spec, train: Train, records: int | None = None) -> RecipeFunctions:
    """What the file of a section offers."""
    return RecipeFile(spec, train, records).functions


@dataclass(frozen=True)
class _Loss:
    """A loss before it is written: an update's, or what evaluation computes of the terms."""

    body: int
    terms: tuple[Term, ...]
    text: tuple[str, ...]  # equal for losses that share a function


class RecipeFile:
    """The functions of one section, and their source."""

    def __init__(self, spec: Spec, train: Train, records: int | None) -> None:
        self.spec, self.train = spec, train
        self.variables = {net.name or "model": identifier(net.name or "model", {"batch"}) for net in train.nets}
        self._taken = {"metrics", "figures", "parameter_groups", "math", "re"}
        self._written: dict[tuple[str, ...], str] = {}  # names of functions by their arguments and statements
        self._definitions: list[list[Line]] = []
        self._by_text: dict[tuple[str, ...], LossFunction] = {}
        shared = tuple(
            self._values("lets", phase.shared, "Values that several updates share.") for phase in train.phases
        )
        losses = self._losses()
        evaluation = self._evaluation()
        logged = tuple(self._values("logged", phase.log.body, "Values for the log.") for phase in train.phases)
        groups: tuple[tuple[NetFunction, ...], ...] = ()
        if records is not None:
            groups, definitions = optimization(spec, train, records, self.variables, self._taken)
            self._definitions = [*definitions, *self._definitions]
        self.functions = RecipeFunctions(losses, groups, shared, logged, evaluation)

    @cached_property
    def source(self) -> str:
        texts = ["\n".join(_written(lines)) for lines in self._definitions]
        final = rename(texts)
        parts = [source(name, name_, texts) for name, name_ in final.items()] + [named(text, final) for text in texts]
        body = "\n\n\n".join(parts)
        title = f"Training section {comment(self.train.name)} of " if self.train.name else "Training section of "
        head = [f'"""{title}{comment(self.spec.name)}.dlspec, generated by dlc."""', ""]
        for group in IMPORTS:
            imports = [line for line, sign in group if re.search(sign, body)]
            if group is IMPORTS[-1]:
                types = [name for name in ("Tensor", "nn") if re.search(rf"(?<![\w.]){name}\b", body)]
                imports += [f"from torch import {', '.join(types)}"] if types else []
            if imports:
                head += [*imports, ""]
        return "\n".join([*head, "", body, ""])

    # ---- definitions ---------------------------------------------------------------------------------------------------

    def _function(self, body: int, **options: Any) -> RecipeFunction:
        return RecipeFunction(self.spec, self.train, self.variables, body, **options)

    def _name(self, wanted: str) -> str:
        name = identifier(wanted.lower(), self._taken)
        self._taken.add(name)
        return name

    def _define(
        self, name: str, arguments: Sequence[str], returns: str, about: str | Sequence[str], body: Sequence[Line]
    ) -> None:
        self._definitions.append(definition(name, arguments, returns, about, body))

    def _once(self, wanted: str, arguments: Sequence[str], returns: str, about: str, body: Sequence[Line]) -> str:
        """Writes a function unless another one does the same; the name of the one that is there."""
        key = (*arguments, *(line.text for line in body))
        if key not in self._written:
            self._written[key] = self._name(wanted)
            self._define(self._written[key], arguments, returns, about, body)
        return self._written[key]

    def _values(self, wanted: str, body: int | None, about: str) -> NetFunction | None:
        """A function that gives the outputs of a body by name."""
        if body is None:
            return None
        function = self._function(body)
        outputs = self.spec.bodies[body].outputs
        texts = function.run([output.value for output in outputs])
        items = [(output.name, text) for output, text in zip(outputs, texts, strict=True)]
        if len(f"    return {_dict(items)}") > WIDTH:
            rows = zip(outputs, items, strict=True)
            items = [(name, function.variable(output.value, text)) for output, (name, text) in rows]
        lines = function.statements(_dict(items))
        nets = function.nets(lines)
        return NetFunction(self._once(wanted, function.arguments(nets), "dict[str, Tensor]", about, lines), nets)

    # ---- losses --------------------------------------------------------------------------------------------------------

    def _losses(self) -> tuple[tuple[LossFunction, ...], ...]:
        """The losses of all updates; equal ones are one function."""
        rows = [[self._loss(update.body, update.terms) for update in phase.updates] for phase in self.train.phases]
        micro = {
            loss.text
            for phase, row in zip(self.train.phases, rows, strict=True)
            for loss in row
            if phase.batch.micro is not None
        }
        single = len({loss.text for row in rows for loss in row}) == 1
        for phase, row in zip(self.train.phases, rows, strict=True):
            for update, loss in zip(phase.updates, row, strict=True):
                if loss.text not in self._by_text:
                    words = [] if single else [word for word in (phase.name, update.name) if word]
                    self._by_text[loss.text] = self._write_loss(
                        self._name("_".join([*words, "loss"])), loss, micro=loss.text in micro
                    )
        return tuple(tuple(self._by_text[loss.text] for loss in row) for row in rows)

    def _loss(self, body: int, terms: tuple[Term, ...]) -> _Loss:
        function = self._function(body, names=_names(terms))
        lines = function.statements(function.run([term.value for term in terms]))
        counts = [self._function(body).count(position) for position in counted_nodes(terms)]
        return _Loss(body, terms, (*(f"{line.indent} {line.text}" for line in lines), *counts))

    def _write_loss(self, name: str, loss: _Loss, *, micro: bool) -> LossFunction:
        """Writes a loss, and its counts where they are asked for. One that is evaluated too returns what the metrics are
        computed from, so it is written from the body that has the metrics."""
        evaluated = self._evaluated is not None and self._evaluated.text == loss.text
        outputs = self._metric_outputs if evaluated else ()
        loss = self._evaluated if evaluated and self._evaluated is not None else loss
        terms, positions = loss.terms, counted_nodes(loss.terms)
        kind = self._micro(loss) if micro else None
        pure = {term.value: only_counted(self.spec.bodies[loss.body], term.value, term.counts) for term in terms}
        sums = self._divisors(loss, pure) if kind == "scaled" else dict.fromkeys(positions if micro else (), "")
        function = self._function(loss.body, names=_names(terms), sums=sums)
        found = function.run([*(term.value for term in terms), *outputs])
        texts = [
            f"{function.variable(term.value, text)} * share" if kind == "scaled" and not pure[term.value] else text
            for text, term in zip(found, terms, strict=False)
        ]
        more = [function.variable(value, text) for value, text in zip(outputs, found[len(terms) :], strict=True)]
        if more and len(terms) == 1 and len(f"    return {texts[0]}, {_tuple(more)}") > WIDTH:
            texts = [function.variable(terms[0].value, texts[0])]
        lines = function.statements([_tuple(texts), _tuple(more)] if more else texts)
        nets = function.nets(lines)
        returns = _tensors(len(terms))
        if more:
            returns = f"tuple[{returns}, {_tensors(len(more))}]"
        about = _about_loss(terms, more, kind)
        weighed = evaluated and any(len(term.counts) == 1 for term in terms)
        arguments = [*function.arguments(nets), *_micro_arguments(kind, len(positions))]
        self._define(name, arguments, returns, about, lines)
        return LossFunction(
            name,
            nets,
            tuple(tuple(positions.index(position) for position in term.counts) for term in terms),
            self._counts(name, loss) if weighed or (micro and positions) else "",
            len(more),
            kind,
        )

    def _micro(self, loss: _Loss) -> Micro:
        """How a loss takes part in a step of several micro-batches."""
        nodes = self.spec.bodies[loss.body].nodes
        direct = all(
            len(term.counts) == 1 and nodes[term.counts[0]].outputs[0].id == term.value
            for term in loss.terms
            if term.counts
        )
        return "sum" if direct else "scaled"

    def _divisors(self, loss: _Loss, pure: Mapping[int, bool]) -> dict[int, str]:
        """What the sum of each counted loss is divided by in place. A term that is not made of counted losses alone is
        multiplied by `share` as a whole, so that these have to be divided by it."""
        found: dict[int, str] = {}
        positions = counted_nodes(loss.terms)
        for at, position in enumerate(positions):
            count = "count" if len(positions) == 1 else f"counts[{at}]"
            holder = next(term for term in loss.terms if position in term.counts)
            found[position] = count if pure[holder.value] else f"({count} * share)"
        return found

    def _counts(self, loss_name: str, loss: _Loss) -> str:
        function = self._function(loss.body)
        texts = [function.count(position) for position in counted_nodes(loss.terms)]
        types = ["Tensor" if ".sum()" in text else "int" for text in texts]
        single = len(texts) == 1
        about = f"Number of targets that {'the loss' if single else 'each loss'} is averaged over."
        returns = types[0] if single else f"tuple[{', '.join(types)}]"
        wanted = f"{loss_name}_{'count' if single else 'counts'}"
        return self._once(wanted, [BATCH], returns, about, function.statements(texts))

    # ---- evaluation ----------------------------------------------------------------------------------------------------

    @cached_property
    def _evaluated(self) -> _Loss | None:
        """The loss terms of evaluation."""
        evaluation = self.train.evaluation
        return self._loss(evaluation.body, evaluation.terms) if evaluation.terms else None

    @cached_property
    def _metric_inputs(self) -> list[tuple[MetricPart, list[Any]]]:
        """The parts of all metrics, with their operands."""
        evaluation = self.train.evaluation
        body = self.spec.bodies[evaluation.body]
        found: list[tuple[MetricPart, list[Any]]] = []
        names: set[str] = set()

        def part(name: str, op: str, args: dict[str, Any], inputs: list[Any], span: Span | None = None) -> None:
            key = unique(name, names)
            names.add(key)
            field = balanced.field_of(body, inputs[Loss.against]) if len(inputs) > Loss.against else None
            found.append((MetricPart(key, op, args, field, span), inputs))

        for metric in evaluation.metrics:
            direct = self._direct(metric)
            for position in metric.parts:
                node = body.nodes[position]
                assert isinstance(node, OpNode)
                name = metric.name if direct else f"{metric.name}.{node.op}"
                part(name, node.op, dict(node.args), list(node.inputs), node.span)
            if not metric.parts:
                part(metric.name, MEAN, {}, [metric.value])
        return found

    def _direct(self, metric: Metric) -> bool:
        """Whether a metric is the figure of its one part."""
        if len(metric.parts) != 1:
            return not metric.parts
        node = self.spec.bodies[self.train.evaluation.body].nodes[metric.parts[0]]
        return node.outputs[0].id == metric.value

    @cached_property
    def _metric_outputs(self) -> tuple[int, ...]:
        """The values that metrics are computed from and the loss has."""
        evaluation = self.train.evaluation
        body = self.spec.bodies[evaluation.body]
        have = live(body, [term.value for term in evaluation.terms])
        found: dict[int, None] = {}
        producers = {output.id: node for node in body.nodes for output in node.outputs}
        waiting = [operand for _, row in reversed(self._metric_inputs) for operand in row if isinstance(operand, int)]
        while waiting:
            value = waiting.pop(0)
            if value in have:
                found[value] = None
            elif value in producers:
                waiting += [operand for operand in producers[value].inputs if isinstance(operand, int)]
        return tuple(value for node in body.nodes for value in (o.id for o in node.outputs) if value in found)

    def _evaluation(self) -> EvaluationFunctions:
        evaluation = self.train.evaluation
        body = self.spec.bodies[evaluation.body]
        loss: LossFunction | None = None
        if self._evaluated is not None:
            loss = self._by_text.get(self._evaluated.text)
            if loss is None:
                loss = self._write_loss(self._name("evaluation_loss"), self._evaluated, micro=False)
        rows = self._metric_inputs
        return EvaluationFunctions(
            loss,
            self._metrics(rows) if rows else None,
            tuple(part for part, _ in rows),
            tuple(metric.name for metric in evaluation.metrics),
            self._figures(evaluation.metrics),
            body.inputs[0].name if body.inputs else "",
        )

    def _metrics(self, rows: Sequence[tuple[MetricPart, list[Any]]]) -> NetFunction:
        """The inputs of each metric, from what the loss has computed and whatever else they need."""
        evaluation = self.train.evaluation
        body = self.spec.bodies[evaluation.body]
        outputs = self._metric_outputs
        values = {value.id: value for value in body.values()}
        names: dict[int, str] = {}
        for value in outputs:
            own = values[value].name or self._function(evaluation.body).origin(value)
            names[value] = unique(identifier(own), {*names.values(), *self.variables.values(), "batch"})
        function = self._function(evaluation.body, given={value: variable(name) for value, name in names.items()})
        flat = [operand for _, row in rows for operand in row if isinstance(operand, int)]
        texts = iter(function.run(flat))
        items: list[tuple[str, str]] = []
        for part, row in rows:
            inputs = [next(texts) if isinstance(o, int) else f"torch.tensor({o.value!r})" for o in row]
            items.append((part.name, inputs[0] if part.op == MEAN else _row(inputs)))
        lines = function.statements(_dict(items))
        nets = function.nets(lines)
        *before, batch = function.arguments(nets)
        arguments = [*before, *(f"{name}: Tensor" for name in names.values()), batch]
        kinds = sorted({"Tensor" if part.op == MEAN else "tuple[Tensor, ...]" for part, _ in rows})
        self._define("metrics", arguments, f"dict[str, {' | '.join(kinds)}]", "Inputs of each metric.", lines)
        return NetFunction("metrics", nets)

    def _figures(self, metrics: Sequence[Metric]) -> str:
        """The metrics that are computed from figures of the table, which are plain numbers."""
        body = self.spec.bodies[self.train.evaluation.body]
        given: dict[int, Expr] = {}
        rows = iter(self._metric_inputs)
        for metric in metrics:
            for position in metric.parts or (None,):
                part, _ = next(rows)
                if position is not None:
                    text = f"torch.tensor(values[{quoted(part.name)}])"
                    given[body.nodes[position].outputs[0].id] = Expr(text, weight=1)
        computed = [metric for metric in metrics if not self._direct(metric)]
        if not computed:
            return ""
        function = self._function(self.train.evaluation.body, given=given)
        texts = function.run([metric.value for metric in computed])
        items = [(metric.name, f"float({text})") for metric, text in zip(computed, texts, strict=True)]
        about = "Metrics that are computed from other figures."
        lines = function.statements(_dict(items))
        self._define("figures", ["values: dict[str, float]"], "dict[str, float]", about, lines)
        return "figures"


def counted_nodes(terms: Sequence[Term]) -> list[int]:
    """Nodes of the counted losses of an update, each once, in the order of its terms."""
    return list(dict.fromkeys(position for term in terms for position in term.counts))


def _names(terms: Sequence[Term]) -> dict[int, str]:
    """Names of terms, when there are several."""
    return {term.value: identifier(term.name) for term in terms} if len(terms) > 1 else {}


def _about_loss(terms: Sequence[Term], more: Sequence[str], kind: Micro | None) -> list[str]:
    text = "Loss of a batch" if len(terms) == 1 else "Loss terms of a batch"
    if more:
        text += f", and {' and '.join(f'`{name}`' for name in more)} for the metrics"
    match kind:
        case None:
            return [f"{text}."]
        case "sum":
            return [f"{text}.", "", 'Micro-batches pass `reduction="sum"`.']
        case "scaled":
            given = '`reduction="sum"`, the counts of the whole batch and their share of it'
            return [f"{text}.", "", f"Micro-batches pass {given}."]


def _micro_arguments(kind: Micro | None, counts: int) -> list[str]:
    """The further arguments of a loss that takes part in steps of several micro-batches."""
    if kind is None:
        return []
    scale = "count: int | Tensor = 1" if counts == 1 else f"counts: tuple = ({', '.join('1' * counts)})"
    return ['reduction: str = "mean"', *([scale, "share: float = 1.0"] if kind == "scaled" else ())]


def _tensors(count: int) -> str:
    return "Tensor" if count == 1 else f"tuple[{', '.join('Tensor' for _ in range(count))}]"


def _tuple(items: Sequence[str]) -> str:
    """One item as it is, several as a tuple."""
    return items[0] if len(items) == 1 else f"({', '.join(items)})"


def _row(items: Sequence[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _dict(items: Sequence[tuple[str, str]]) -> str:
    return f"{{{', '.join(f'{quoted(name)}: {text}' for name, text in items)}}}"


def _written(lines: Sequence[Line]) -> list[str]:
    found: list[str] = []
    for line in lines:
        found += layout(line.text, 4 * line.indent) if line.text else [""]
    return found


__all__ = ["recipe_functions", "recipe_source"]
