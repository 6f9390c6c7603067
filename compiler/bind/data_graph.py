"""The graph of a `data` section: what its expressions do to a record, node by node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..catalogue import TRANSFORMS
from ..catalogue.sources import DataSource
from ..catalogue.transforms.base import Transform, Unsuited
from ..dataclass import dataclass
from ..ir.arguments import EntryUse
from ..ir.data import DataNode, ItemType
from ..messages import data as errors
from ..messages import sections as sections_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.evaluate import evaluate_static
from ..sizes.dims import Size
from ..sizes.statics import StaticError, as_int, describe
from ..text import syntax, top_level
from .data_items import described, merge, resized, sizes_differ
from .reader import SectionReader


class _SourceRecord:
    """The name `source` by itself."""


SOURCE = _SourceRecord()


@dataclass(frozen=True)
class _Condition:
    """What a condition is in each mode."""

    training: bool
    evaluation: bool


class DataGraph:
    """Nodes in the order made, and the names of `let`s. The source is set before anything reads it."""

    def __init__(self, reader: SectionReader) -> None:
        self.reader, self.report = reader, reader.report
        self.nodes: list[DataNode] = []
        self.names: dict[str, int] = {}
        self.broken: set[str] = set()
        self.let_spans: dict[str, Span] = {}
        self.read: set[str] = set()
        self.source: type[DataSource] | None = None
        self.record: EntryUse | None = None
        self.fields: dict[str, ItemType] | None = None
        #: What `training` is here: None where both modes are meant.
        self.training: bool | None = None

    def add(self, op: str, type: ItemType, span: Span, inputs: tuple[int, ...] = (), **args: Any) -> int:
        self.nodes.append(DataNode(id=len(self.nodes), op=op, args=args, inputs=inputs, type=type, span=span))
        return len(self.nodes) - 1

    def type(self, id: int) -> ItemType:
        return self.nodes[id].type

    def let(self, item: top_level.Let) -> None:
        name = item.name.text
        if name in self.names or name in self.broken:
            self.report.add(sections_errors.key_twice(item.name.span, name, self.let_spans[name]))
            return
        self.let_spans[name] = item.name.span
        id: int | None = self.reader.attempt(lambda: self.node_of(item.value))
        if id is None:
            self.broken.add(name)
            self.read.add(name)
            return
        if not self.nodes[id].name:
            self.nodes[id] = self.nodes[id].model_copy(update={"name": name})
        self.names[name] = id

    def node_of(self, node: syntax.Pipe) -> int:
        """The node of an expression; a mistake raises Failed."""
        value = self.evaluate(node)
        if isinstance(value, int):
            return value
        raise Failed(errors.source_whole(node.span, list(self.fields or ())))

    def evaluate(self, node: syntax.Pipe) -> int | _SourceRecord:
        match node:
            case syntax.Paren():
                return self.evaluate(node.value)
            case syntax.Ref():
                return self._name(node)
            case syntax.Attr():
                return self._attribute(node)
            case syntax.Call():
                return self._call(node)
            case syntax.Index():
                return self._index(node)
            case syntax.Tuple() | syntax.List():
                ids = tuple(self.node_of(item) for item in node.items)
                names = ("first", "second", "third", "fourth", "fifth", "sixth")
                if len(ids) > len(names):
                    raise Failed(errors.not_a_pipeline(node.span))
                members = {name: self.type(id) for name, id in zip(names, ids, strict=False)}
                return self.add("tuple", ItemType(kind="record", members=members), node.span, ids)
            case syntax.IfExpr():
                return self._choose(
                    node.condition, lambda: self.node_of(node.then), lambda: self.node_of(node.orelse), node.span
                )
            case syntax.Pipeline():
                return self._pipeline(node)
            case _:
                raise Failed(errors.not_a_pipeline(node.span))

    def _pipeline(self, node: syntax.Pipeline) -> int:
        """Where the start or a stage has a mistake, the names and arguments of the stages after it are checked all the same."""
        rest = list(node.stages)
        try:
            id = self.node_of(node.value)
            while rest:
                id = self._stage(id, rest.pop(0))
            return id
        except (Failed, Abandoned):
            for stage in rest:
                self._unfed(stage)
            raise

    def _unfed(self, stage: syntax.Stage) -> None:
        """A stage whose input is unknown."""
        match stage:
            case syntax.Apply() if len(stage.callee.names) == 1:
                items = stage.args.items if stage.args is not None else ()
                self.reader.attempt(lambda: self._use(stage.callee.text, items, stage.span, stage.callee.span))
            case syntax.Group():
                for inner in stage.stages:
                    self._unfed(inner)
            case syntax.IfStage():
                for branch in (stage.then, stage.orelse):
                    if branch is not None:
                        self._unfed(branch)
            case _:
                pass

    def _name(self, node: syntax.Ref) -> int | _SourceRecord:
        if node.name == "source":
            return SOURCE
        if node.name in self.broken or (node.name not in self.names and self.reader.scope.hides(node.name)):
            raise Abandoned
        if node.name not in self.names:
            near = nearest(node.name, ["source", *self.names])
            raise Failed(errors.unknown_name(node.span, node.name, near))
        self.read.add(node.name)
        return self.names[node.name]

    def source_type(self, name: str, span: Span) -> ItemType:
        if self.source is None or self.record is None:
            raise Abandoned
        if self.fields is None:
            return self.source.any_field(name, self.record.args)
        if name not in self.fields:
            near, why = nearest(name, self.fields), self.source.unsupported(name)
            raise Failed(errors.unknown_source_field(span, self.record.name, name, near, list(self.fields), why))
        return self.fields[name]

    def _attribute(self, node: syntax.Attr) -> int:
        value = self.evaluate(node.value)
        name = node.name.text
        if isinstance(value, _SourceRecord):
            return self._source_field(name, node.name.span, node.span)
        members = self.type(value).members
        if name not in members:
            near = nearest(name, members)
            raise Failed(errors.unknown_member(node.name.span, name, near, list(members)))
        return self.add("member", members[name], node.span, (value,), name=name)

    def _source_field(self, name: str, place: Span, span: Span) -> int:
        type = self.source_type(name, place)
        for made in self.nodes:
            if made.op == "source" and made.args["field"] == name:
                return made.id
        return self.add("source", type, span, field=name)

    def _call(self, node: syntax.Call) -> int:
        callee = node.callee
        if isinstance(callee, syntax.Attr) and isinstance(callee.value, syntax.Ref) and callee.value.name == "source":
            several = {"all_except": "except", "columns": "names"}
            if callee.name.text not in several or self.fields is not None:
                near = nearest(callee.name.text, several)
                raise Failed(errors.unknown_member(callee.name.span, callee.name.text, near, ()))
            names = tuple(self.reader.static(item) for item in node.args.items if not isinstance(item, syntax.Kwarg))
            if not names or not all(isinstance(name, str) for name in names):
                expected = "columns by name, as strings"
                raise Failed(sections_errors.wrong_value(node.args.span, callee.name.text, expected, describe(names)))
            twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
            if twice is not None:
                raise Failed(
                    sections_errors.wrong_value(
                        node.args.span, callee.name.text, "different columns", f'"{twice}" twice'
                    )
                )
            count = len(names) if callee.name.text == "columns" else None
            type = ItemType(kind="tensor", dtype="f32", shape=(count,))
            return self.add("columns", type, node.span, **{several[callee.name.text]: names})
        if isinstance(callee, syntax.Ref) and callee.name in TRANSFORMS and node.args.items:
            first, *rest = node.args.items
            if not isinstance(first, syntax.Kwarg):
                return self._transform(self.node_of(first), callee.name, tuple(rest), node.span)
        if isinstance(callee, syntax.Ref):
            near = nearest(callee.name, TRANSFORMS)
            raise Failed(
                sections_errors.unknown_entry(callee.span, callee.name, TRANSFORMS.what, near, TRANSFORMS)
                if callee.name not in TRANSFORMS
                else errors.not_a_pipeline(node.span)
            )
        raise Failed(errors.not_a_pipeline(node.span))

    def _index(self, node: syntax.Index) -> int:
        if (named := source_field(node)) is not None:
            return self._source_field(*named, node.span)
        id = self.node_of(node.value)
        type = self.type(id)
        if type.kind not in ("tensor", "words") or len(node.items) != 1 or type.shape == ():
            raise Failed(errors.not_a_pipeline(node.span))
        item = node.items[0]
        length = type.shape[0] if type.shape else None
        rest = type.shape[1:] if type.shape is not None else None
        if isinstance(item, syntax.Slice):
            start, stop = (self._bound(part) for part in (item.start, item.stop))
            cut: Size | None = len(range(length)[start:stop]) if isinstance(length, int) else None
            shape = None if rest is None else (cut, *rest)
            return self.add("slice", type.model_copy(update={"shape": shape}), node.span, (id,), start=start, stop=stop)
        if type.kind == "words":
            raise Failed(errors.not_for(node.span, "[i]", "numbers", "words"))
        at = self._bound(item)
        assert at is not None
        if isinstance(length, int) and not -length <= at < length:
            raise Failed(sections_errors.wrong_value(item.span, "the index", f"below {length}", str(at)))
        return self.add("index", type.model_copy(update={"shape": rest}), node.span, (id,), at=at)

    def _bound(self, node: syntax.Pipe | None) -> int | None:
        if node is None:
            return None
        value = self.reader.static(node)
        try:
            return as_int(value, "an index")
        except StaticError:
            raise Failed(sections_errors.wrong_value(node.span, "an index", "an int", describe(value))) from None

    # ---- stages --------------------------------------------------------------------------------------------------------

    def _stage(self, id: int, stage: syntax.Stage) -> int:
        match stage:
            case syntax.Apply():
                if len(stage.callee.names) != 1 or stage.select is not None:
                    raise Failed(errors.not_a_pipeline(stage.span))
                items = stage.args.items if stage.args is not None else ()
                return self._transform(id, stage.callee.text, items, stage.span, stage.callee.span)
            case syntax.Group():
                for inner in stage.stages:
                    id = self._stage(id, inner)
                return id
            case syntax.IfStage():
                orelse = stage.orelse
                return self._choose(
                    stage.condition,
                    lambda: self._stage(id, stage.then),
                    lambda: id if orelse is None else self._stage(id, orelse),
                    stage.span,
                )
            case syntax.Labelled():
                raise Failed(errors.label_here(stage.label.span))
            case _:
                raise Failed(errors.not_a_pipeline(stage.span))

    def _transform(
        self, id: int, name: str, items: tuple[syntax.Pipe | syntax.Kwarg, ...], span: Span, place: Span | None = None
    ) -> int:
        transform, args = self._use(name, items, span, place or span)
        before = self.type(id)
        if transform.branches:
            return self._branches(id, transform, args, span)
        if before.kind == "record" and transform.members and not transform.joins:
            members = {key: self._apply(transform, item, args, span) for key, item in before.members.items()}
            after = before.model_copy(update={"members": members})
        else:
            after = self._apply(transform, before, args, span)
        return self.add(name, after, span, (id,), **args)

    def _use(
        self, name: str, items: tuple[syntax.Pipe | syntax.Kwarg, ...], span: Span, place: Span
    ) -> tuple[type[Transform], dict[str, Any]]:
        if name not in TRANSFORMS:
            near = nearest(name, TRANSFORMS)
            raise Failed(sections_errors.unknown_entry(place, name, TRANSFORMS.what, near, TRANSFORMS))
        return TRANSFORMS[name], self.reader.bind(TRANSFORMS[name], items, span, {"Chain": lambda node, _: node})

    def _branches(self, id: int, transform: type[Transform], args: dict[str, Any], span: Span) -> int:
        """A node that gives each record one of several chains, or none; evaluation goes past it."""
        for item in self.type(id).members.values() or (self.type(id),):
            self._apply(transform, item, args, span)
        (name,) = [name for name, kind, _ in transform.arguments if kind == "Chain"]
        given: Any = args[name]
        rest = {key: value for key, value in args.items() if key != name}
        ends = [self._chain(id, chain) for chain in (given if transform.variadic else (given,))]
        if self.training is False:
            return id
        branches = ends if transform.variadic else [id, *ends]
        if len({self._floats(end) for end in branches}) > 1:
            branches = [self._one_scale(end, next(e for e in branches if self._floats(e)), span)[0] for end in branches]
        merged = self.type(branches[0])
        for end in branches[1:]:
            both = merge(merged, self.type(end))
            if both is None or sizes_differ(merged, self.type(end)):
                raise Failed(errors.chains_differ(span, transform.name, described(merged), described(self.type(end))))
            merged = both
        made = self.add(transform.name, merged, span, (id, *branches), **rest)
        if self.training:
            return made
        training, evaluation = self._one_scale(made, id, span)
        both = merge(self.type(training), self.type(evaluation))
        if both is None or resized(self.type(evaluation), self.type(training)):
            shown = described(self.type(training)), described(self.type(evaluation))
            raise Failed(errors.chain_resizes(span, transform.name, *shown))
        return self.add("choose", both, span, (training, evaluation))

    def _floats(self, id: int) -> bool:
        return self.type(id).dtype == "f32"

    def _chain(self, id: int, node: syntax.Pipe) -> int:
        """The transforms of an argument (`hflip -> rotate(10)`) behind a node."""
        while isinstance(node, syntax.Paren):
            node = node.value
        match node:
            case syntax.Pipeline():
                id = self._chain(id, node.value)
                for stage in node.stages:
                    id = self._stage(id, stage)
                return id
            case syntax.Ref():
                return self._transform(id, node.name, (), node.span)
            case syntax.Call(callee=syntax.Ref() as callee):
                return self._transform(id, callee.name, node.args.items, node.span, callee.span)
            case _:
                raise Failed(errors.not_a_chain(node.span))

    def _apply(self, transform: type[Transform], item: ItemType, args: dict[str, Any], span: Span) -> ItemType:
        try:
            return transform.infer(item, args)
        except Unsuited as unsuited:
            raise Failed(errors.not_for(span, transform.name, unsuited.needs, described(item))) from None

    def _choose(self, condition: syntax.Pipe, then: Callable[[], int], orelse: Callable[[], int], span: Span) -> int:
        answer = self._condition(condition)
        if answer.training == answer.evaluation:
            return then() if answer.training else orelse()
        outer = self.training
        try:
            self.training = answer.training
            one = then()
            self.training = not answer.training
            other = orelse()
        finally:
            self.training = outer
        training, evaluation = (one, other) if answer.training else (other, one)
        if training == evaluation:
            return training
        training, evaluation = self._one_scale(training, evaluation, span)
        merged = merge(self.type(training), self.type(evaluation))
        if merged is None:
            shown = described(self.type(training)), described(self.type(evaluation))
            raise Failed(errors.branches_differ(span, *shown))
        return self.add("choose", merged, span, (training, evaluation))

    def _one_scale(self, training: int, evaluation: int, span: Span) -> tuple[int, int]:
        """Where one branch has floats and the other still what the source has, which may be u8 known only with the data, that is read as
        value / 255."""

        def floats(id: int, other: int) -> int:
            type = self.type(id)
            if type.kind != "tensor" or type.dtype not in ("u8", None) or self.type(other).dtype != "f32":
                return id
            return self.add("to_float", self.type(id).model_copy(update={"dtype": "f32"}), span, (id,))

        return floats(training, evaluation), floats(evaluation, training)

    def _condition(self, node: syntax.Pipe) -> _Condition:
        answers: list[bool] = []
        for mode in (True, False) if self.training is None else (self.training, self.training):

            def lookup(ref: syntax.Ref, mode: bool = mode) -> Any:
                return mode if ref.name == "training" else self.reader.lookup(ref)

            value = evaluate_static(node, lookup)
            if not isinstance(value, bool):
                raise Failed(
                    sections_errors.wrong_value(node.span, "the condition", "`true` or `false`", describe(value))
                )
            answers.append(value)
        return _Condition(*answers)


def source_field(node: syntax.Pipe) -> tuple[str, Span] | None:
    """The field that `source.age` or `source["Age (years)"]` reads, and the place of its name."""
    match node:
        case syntax.Attr(value=syntax.Ref(name="source")):
            return node.name.text, node.name.span
        case syntax.Index(value=syntax.Ref(name="source"), items=(syntax.String() as name,)):
            return name.value, name.span
        case _:
            return None
