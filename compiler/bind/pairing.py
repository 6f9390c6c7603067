"""What losses and metrics meet: probabilities where logits belong, class counts of the data, sizes of vocabularies."""

from __future__ import annotations

from collections.abc import Iterator

from ..catalogue import LOSSES, METRICS, SOURCES, TRANSFORMS
from ..catalogue.balanced import BALANCED, field_of
from ..catalogue.metrics import Metric
from ..catalogue.ops import find
from ..elaborate.state import State
from ..ir.data import ClassNames, DataFacts, DataField, DataSet
from ..ir.model import Body, CallNode, ModeNode, Operand, OpNode, RepeatNode
from ..ir.train import Train
from ..messages import data as data_errors
from ..messages import training as errors
from ..sizes.dims import Size
from ..sizes.types import is_integer


def check_pairing(state: State, train: Train, dataset: DataSet, facts: DataFacts | None) -> None:
    """W0401 and E0205 of the expressions of a section; `facts` are what the data was found to be."""
    checker = _Checker(state, dataset, facts)
    checker.fields()
    bodies = [update.body for phase in train.phases for update in phase.updates]
    for index in dict.fromkeys([*bodies, train.evaluation.body]):
        checker.body(state.bodies[index])


class _Checker:
    def __init__(self, state: State, dataset: DataSet, facts: DataFacts | None) -> None:
        self.bodies, self.report = state.bodies, state.report
        self.dataset, self.facts = dataset, facts
        self.counted: set[tuple[str, int]] = set()

    # ---- the data against its fields ----------------------------------------------------------------------------------

    def fields(self) -> None:
        """E0201 where the data's records do not have the declared shape."""
        for name in self.facts.empty if self.facts is not None else ():
            what = "images" if SOURCES[self.dataset.source.name].images else "text files"
            self.report.add(data_errors.empty_folder(self.dataset.source.span, name, what))
        for what, given in self.facts.found if self.facts is not None else ():
            self.report.add(data_errors.as_found(self.dataset.source.span, what, given))
        if self.facts is not None and self.facts.dropped:
            span = self.dataset.source.span
            self.report.add(data_errors.left_out(span, self.facts.dropped, self.facts.lacking))
        for field in self.dataset.fields:
            found = self.facts.fields.get(field.name) if self.facts is not None else None
            if found is None:
                continue
            declared = field.type.shape[1:]
            shown = "[" + ", ".join("_" if size is None else str(size) for size in found.shape) + "]"
            place = self.dataset.node(field.node).span
            if len(found.shape) != len(declared):
                self.report.add(data_errors.field_rank(field.span, field.name, len(declared), shown, place))
                continue
            for axis, (want, have) in enumerate(zip(declared, found.shape, strict=True)):
                if isinstance(want, int) and have is not None and want != have:
                    self.report.add(
                        data_errors.field_size(field.span, field.name, str(want), str(have), axis, shown, place)
                    )
                    break

    # ---- losses and metrics --------------------------------------------------------------------------------------------

    def body(self, body: Body) -> None:
        for node in body.nodes:
            if isinstance(node, OpNode):
                self._pair(body, node)
            elif isinstance(node, CallNode):
                self._vocabulary(body, node)

    def _pair(self, body: Body, node: OpNode) -> None:
        operator = LOSSES.get(node.op) or METRICS.get(node.op)
        if operator is None or len(node.inputs) < 2:
            return
        if operator.reads == "logits":
            producer = self.producer(body, node.inputs[0])
            made = find(producer.op) if producer is not None else None
            if producer is not None and made is not None and made.probabilities:
                words = "logits"
                self.report.add(errors.probabilities_into(node.span, node.op, producer.op, producer.span, words))
        if issubclass(operator, Metric) and operator.counts_bytes and not self.stands_for_text(body, node.inputs[1]):
            self.report.add(errors.not_tokens_of_text(node.span, node.op))
        if operator.target != "class":
            return
        if node.args.get("weight") == BALANCED and self.field(body, node.inputs[1]) is None:
            self.report.add(errors.balance_of_computed(node.span))
        logits, target = node.inputs[0], node.inputs[1]
        field = self.field(body, target)
        if field is None or not isinstance(logits, int) or not is_integer(field.type.dtype):
            return
        classes = self.classes(field)
        type = body.value(logits).type
        axis: int = node.args.get("axis", -1)
        if not type.shape or not isinstance(target, int):
            return
        if body.value(target).type.rank == type.rank:
            other = self.outside(field, 2, None) if classes.count is None else classes.count - 1
            if other not in (None, 0, 1):
                self.report.add(errors.not_yes_and_no(node.span, field.name, other, field.span))
            return
        size: Size = type.shape[axis]
        if not isinstance(size, int) or (field.name, size) in self.counted:
            return
        what = "the logits" if operator.reads != "log_probs" else "the log-probabilities"
        outside = self.outside(field, size, node.args.get("ignore"))
        if outside is not None:
            self.counted.add((field.name, size))
            self.report.add(errors.label_outside(node.span, field.name, outside, size, what, field.span))
        if classes.count is None or size == classes.count:
            return
        self.counted.add((field.name, size))
        folder = SOURCES[self.dataset.source.name].class_folders
        self.report.add(
            errors.class_count(node.span, field.name, classes.count, size, classes.names, what, field.span, folder)
        )

    def stands_for_text(self, body: Body, operand: Operand) -> bool:
        """Whether a value is a field whose numbers may be tokens, words or characters of a text."""
        field = self.field(body, operand)
        node = self.dataset.node(field.node) if field is not None else None
        while node is not None and node.type.kind != "stream":
            entry = TRANSFORMS.get(node.op)
            if entry is not None and entry.stands_for in ("tokens", "words"):
                return True
            node = self.dataset.node(node.inputs[-1]) if node.inputs else None
        return node is not None

    def classes(self, field: DataField) -> ClassNames:
        """What is known of a class field, from the spec or the data."""
        found = self.facts.fields.get(field.name) if self.facts is not None else None
        if found is not None and found.classes is not None and field.classes is not None:
            return ClassNames(count=len(found.classes), names=found.classes)
        return field.classes or ClassNames()

    def outside(self, field: DataField, size: int, ignore: int | None) -> int | None:
        """The least or largest label of the data, where it is none of the classes 0 to `size` - 1."""
        found = self.facts.fields.get(field.name) if self.facts is not None else None
        labels = found.range if found is not None and found.range is not None else ()
        return next((label for label in labels if not 0 <= label < size and label != ignore), None)

    def field(self, body: Body, operand: Operand) -> DataField | None:
        """The batch field that a value is, through changes of shape."""
        name = field_of(body, operand)
        return next((field for field in self.dataset.fields if field.name == name), None)

    def producer(self, body: Body, operand: Operand) -> OpNode | None:
        """The function that computes a value, through changes of shape and into nets."""
        while isinstance(operand, int):
            node = next((node for node in body.nodes if any(v.id == operand for v in node.outputs)), None)
            if isinstance(node, OpNode):
                if not _is_view(node):
                    return node
                operand = node.inputs[0]
                continue
            if isinstance(node, (CallNode, ModeNode)):
                position = [value.id for value in node.outputs].index(operand)
                inner = self.bodies[node.body if isinstance(node, CallNode) else node.evaluation]
                return self.producer(inner, inner.outputs[position].value)
            return None
        return None

    # ---- vocabularies --------------------------------------------------------------------------------------------------

    def _vocabulary(self, body: Body, call: CallNode) -> None:
        """E0205 where ids of a field exceed the rows of the embedding that they index."""
        if self.facts is None:
            return
        inner = self.bodies[call.body]
        for value, operand in zip(inner.inputs, call.inputs, strict=False):
            field = self.field(body, operand)
            facts = self.facts.fields.get(field.name) if field is not None else None
            if field is None or facts is None:
                continue
            ids = facts.vocabulary or (facts.range[1] + 1 if facts.range is not None else 0)
            for node in self.embeddings(inner, value.id):
                count = node.args["count"]
                if ids > count:
                    self.report.add(errors.vocabulary(node.span, field.name, ids, count, field.span))

    def embeddings(self, body: Body, value: int) -> Iterator[OpNode]:
        """The embeddings that a value of a body goes into."""
        reached = {value}
        for node in body.nodes:
            if isinstance(node, OpNode):
                if node.inputs and node.inputs[0] in reached:
                    operator = find(node.op)
                    if operator is not None and operator.is_table:
                        yield node
                    elif _is_view(node):
                        reached.update(output.id for output in node.outputs)
            elif isinstance(node, CallNode):
                inner = self.bodies[node.body]
                for inside, operand in zip(inner.inputs, node.inputs, strict=False):
                    if operand in reached:
                        yield from self.embeddings(inner, inside.id)
            elif isinstance(node, RepeatNode):
                for run in node.runs:
                    inner = self.bodies[run.body]
                    for inside, operand in zip(inner.inputs, (*node.inputs, *run.captures), strict=False):
                        if operand in reached:
                            yield from self.embeddings(inner, inside.id)


def _is_view(node: OpNode) -> bool:
    """Whether a function hands its first input on, in another shape at most."""
    operator = find(node.op)
    return operator is not None and operator.view is not None
