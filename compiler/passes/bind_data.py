"""`data` sections to the recipe IR: source, split, the graph of transforms, typed batch fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import syntax
from ..diagnostics import Abandoned, Failed, Report
from ..dims import Dim, Size, var
from ..errors import data as errors
from ..errors import recipe as section_errors
from ..names import nearest
from ..recipe.ir import Classes, Condition, DataField, DataNode, DataSet, ItemType
from ..recipe.ir import Entry as EntryRecord
from ..recipe.reader import Reader, Section
from ..recipe.sources import SOURCES, SPLITS, Source
from ..recipe.transforms import TRANSFORMS, Transform, Unsuited
from ..source import Span
from ..statics import StaticError, as_int, describe
from ..types import TensorType, is_dtype, is_float, is_integer, shape_text
from .evaluate import evaluate_static
from .scopes import Definition, FileScope

KEYS = {"source": "key", "split": "key", "where": "key", "skip": "key"}
SPLITS_WITH_NAMES = ("folders", "files")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def bind_data(definition: Definition, report: Report, root: FileScope, name: str) -> DataSet | None:
    """The data set that a section describes, under the name it has in the root file; None when it has mistakes."""
    before = len(report.errors)
    found = _Binder(definition, report, root, name).run()
    return found if len(report.errors) == before else None


class _SourceRecord:
    """The name `source` by itself."""


SOURCE = _SourceRecord()


@dataclass(frozen=True)
class _Condition:
    """What a condition is in each mode."""

    training: bool
    evaluation: bool


class _Binder:
    def __init__(self, definition: Definition, report: Report, root: FileScope, name: str) -> None:
        self.node: syntax.Data = definition.node
        self.report, self.name = report, name
        self.reader = Reader(definition.scope, report, root)
        self.nodes: list[DataNode] = []
        self.names: dict[str, int] = {}
        self.broken: set[str] = set()
        self.let_spans: dict[str, Span] = {}
        self.read: set[str] = set()
        self.source: type[Source] | None = None
        self.record: EntryRecord | None = None
        self.fields: dict[str, ItemType] | None = None
        self.sizes: dict[str, int | None] = {}
        #: What `training` is here: None where both modes are meant.
        self.training: bool | None = None

    def run(self) -> DataSet | None:
        forms: Any = KEYS
        section = self.reader.section("data", self.node.entries, self.node.name.span, forms, lets=True, fields=True)
        self.reader.attempt(lambda: self._source(section))
        split = self.reader.attempt(lambda: self._split(section))
        skip = self.reader.attempt(lambda: self._skip(section)) or ()
        order = sorted([*section.lets, *section.fields], key=lambda item: item.span.start)
        fields: list[DataField] = []
        for item in order:
            if isinstance(item, syntax.Let):
                self._let(item)
            else:
                made = self.reader.attempt(lambda item=item: self._field(item))
                if made is not None:
                    if any(field.name == made.name for field in fields):
                        first = next(field.span for field in fields if field.name == made.name)
                        self.report.add(section_errors.key_twice(item.name.span, made.name, first))
                    fields.append(made)
        where = None
        node = section.value("where")
        if node is not None:
            where = self.reader.attempt(lambda: self._where(node))
        self._pads(fields)
        for name, span in self.let_spans.items():
            if name not in self.read and not name.startswith("_"):
                self.report.add(section_errors.unused_let(span, name))
        if self.record is None or split is None:
            return None
        return DataSet(
            name=self.name,
            source=self.record,
            split=split,
            skip=skip,
            where=where,
            nodes=tuple(self.nodes),
            fields=tuple(fields),
            lengths=self.sizes,
            span=self.node.name.span,
        )

    # ---- keys ----------------------------------------------------------------------------------------------------------

    def _source(self, section: Section) -> None:
        node = section.value("source")
        if node is None:
            missing = section_errors.key_missing(
                section.span, "source", f"data {self.name}", 'source = csv("data.csv")'
            )
            self.reader.missing(section, "source", missing)
            raise Abandoned
        found, self.record = self.reader.entry(node, SOURCES, 'source = csv("data.csv")')
        assert issubclass(found, Source)
        self.source = found
        self.fields = found.fields(self.record.args)

    def _split(self, section: Section) -> EntryRecord:
        node = section.value("split")
        if node is None:
            example = "split = random(train = 0.8, val = 0.1, test = 0.1, seed = 0)"
            missing = section_errors.key_missing(section.span, "split", f"data {self.name}", example)
            self.reader.missing(section, "split", missing)
            raise Abandoned
        _, split = self.reader.entry(node, SPLITS, "random(train = 0.8, val = 0.2)", {"Column": self._column})
        parts = {name: split.args[name] for name in ("train", "val", "test") if split.args.get(name) is not None}
        shares = [share for share in parts.values() if isinstance(share, float)]
        total = sum(shares)
        if split.name in ("random", "contiguous"):
            if abs(total - 1) > 1e-6:
                raise Failed(errors.fractions(split.span, describe(round(total, 6))))
            if not parts.get("train"):
                raise Failed(errors.no_train(split.span))
        if split.name in SPLITS_WITH_NAMES:
            if total >= 1:
                raise Failed(errors.fractions_taken(split.span, describe(round(total, 6))))
            if not isinstance(parts.get("train"), str):
                raise Failed(errors.no_train(split.span))
        self._check_places(split)
        return split

    def _check_places(self, split: EntryRecord) -> None:
        if self.record is None or self.source is None:
            return
        paths = self.source.paths(self.record.args)
        placed = [path for path in paths if "{split}" in path]
        if split.name in SPLITS_WITH_NAMES and paths and not placed and self.record.name != "idx":
            raise Failed(errors.split_placeholder(self.record.span, split.name, paths[0]))
        if split.name not in SPLITS_WITH_NAMES and placed:
            raise Failed(errors.placeholder_without(split.span, split.name))
        stream = self.fields is not None and all(item.kind == "stream" for item in self.fields.values())
        if stream and split.name == "random":
            raise Failed(errors.stream_random(split.span, self.record.name))

    def _column(self, node: syntax.Pipe, what: str) -> str | None:
        node = self.reader.plain(node)
        if isinstance(node, syntax.NoneLiteral):
            return None
        if isinstance(node, syntax.Attr) and isinstance(node.value, syntax.Ref) and node.value.name == "source":
            self._source_type(node)
            return node.name.text
        raise Failed(errors.not_a_column(node.span, what.strip("`")))

    def _skip(self, section: Section) -> tuple[str, ...]:
        node = section.value("skip")
        if node is None:
            return ()
        names = self.reader.value(node, "skip", "Names")
        if self.record is not None and self.record.name != "image_folder":
            raise Failed(errors.skip_without_folder(section.keys["skip"].name.span))
        return names

    # ---- nodes ---------------------------------------------------------------------------------------------------------

    def add(self, op: str, type: ItemType, span: Span, inputs: tuple[int, ...] = (), **args: Any) -> int:
        self.nodes.append(
            DataNode(id=len(self.nodes), op=op, args=args, inputs=inputs, type=type, span=span)
        )  # fmt: skip
        return len(self.nodes) - 1

    def type(self, id: int) -> ItemType:
        return self.nodes[id].type

    def _let(self, item: syntax.Let) -> None:
        name = item.name.text
        if name in self.names or name in self.broken:
            self.report.add(section_errors.key_twice(item.name.span, name, self.let_spans[name]))
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
        """The node that an expression stands for; a mistake raises Failed."""
        value = self.evaluate(node)
        if isinstance(value, int):
            return value
        raise Failed(errors.source_whole(node.span))

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
                id = self.node_of(node.value)
                for stage in node.stages:
                    id = self._stage(id, stage)
                return id
            case _:
                raise Failed(errors.not_a_pipeline(node.span))

    def _name(self, node: syntax.Ref) -> int | _SourceRecord:
        if node.name == "source":
            return SOURCE
        if node.name in self.broken:
            raise Abandoned
        if node.name not in self.names:
            near = nearest(node.name, ["source", *self.names])
            raise Failed(errors.unknown_name(node.span, node.name, near))
        self.read.add(node.name)
        return self.names[node.name]

    def _source_type(self, node: syntax.Attr) -> ItemType:
        name = node.name.text
        if self.source is None or self.record is None:
            raise Abandoned
        if self.fields is None:
            return self.source.any_field()
        if name not in self.fields:
            near = nearest(name, self.fields)
            raise Failed(errors.unknown_source_field(node.name.span, self.record.name, name, near, list(self.fields)))
        return self.fields[name]

    def _attribute(self, node: syntax.Attr) -> int:
        value = self.evaluate(node.value)
        name = node.name.text
        if isinstance(value, _SourceRecord):
            type = self._source_type(node)
            for made in self.nodes:
                if made.op == "source" and made.args["field"] == name:
                    return made.id
            return self.add("source", type, node.span, field=name)
        members = self.type(value).members
        if name not in members:
            near = nearest(name, members)
            raise Failed(errors.unknown_member(node.name.span, name, near, list(members)))
        return self.add("member", members[name], node.span, (value,), name=name)

    def _call(self, node: syntax.Call) -> int:
        callee = node.callee
        if isinstance(callee, syntax.Attr) and isinstance(callee.value, syntax.Ref) and callee.value.name == "source":
            if callee.name.text != "all_except" or self.fields is not None:
                near = nearest(callee.name.text, ["all_except"])
                raise Failed(errors.unknown_member(callee.name.span, callee.name.text, near, ()))
            names = tuple(self.reader.static(item) for item in node.args.items if not isinstance(item, syntax.Kwarg))
            if not names or not all(isinstance(name, str) for name in names):
                expected = "columns by name, as strings"
                raise Failed(section_errors.wrong_value(node.args.span, "all_except", expected, describe(names)))
            return self.add(
                "columns", ItemType(kind="tensor", dtype="f32", shape=(None,)), node.span, **{"except": names}
            )
        if isinstance(callee, syntax.Ref) and callee.name in TRANSFORMS and node.args.items:
            first, *rest = node.args.items
            if not isinstance(first, syntax.Kwarg):
                return self._transform(self.node_of(first), callee.name, tuple(rest), node.span)
        if isinstance(callee, syntax.Ref):
            near = nearest(callee.name, TRANSFORMS)
            raise Failed(
                section_errors.unknown_entry(callee.span, callee.name, TRANSFORMS.what, near, TRANSFORMS)
                if callee.name not in TRANSFORMS
                else errors.not_a_pipeline(node.span)
            )
        raise Failed(errors.not_a_pipeline(node.span))

    def _index(self, node: syntax.Index) -> int:
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
        at = self._bound(item)
        assert at is not None
        if isinstance(length, int) and not -length <= at < length:
            raise Failed(section_errors.wrong_value(item.span, "the index", f"below {length}", str(at)))
        return self.add("index", type.model_copy(update={"shape": rest}), node.span, (id,), at=at)

    def _bound(self, node: syntax.Pipe | None) -> int | None:
        if node is None:
            return None
        value = self.reader.static(node)
        try:
            return as_int(value, "an index")
        except StaticError:
            raise Failed(section_errors.wrong_value(node.span, "an index", "an int", describe(value))) from None

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
        if name not in TRANSFORMS:
            near = nearest(name, TRANSFORMS)
            raise Failed(section_errors.unknown_entry(place or span, name, TRANSFORMS.what, near, TRANSFORMS))
        transform = TRANSFORMS[name]
        assert issubclass(transform, Transform)
        args = self.reader.bind(transform, items, span, {})
        before = self.type(id)
        if before.kind == "record" and transform.members:
            members = {key: self._apply(transform, item, args, span) for key, item in before.members.items()}
            after = before.model_copy(update={"members": members})
        else:
            after = self._apply(transform, before, args, span)
        return self.add(name, after, span, (id,), **args)

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
        """Where one branch has floats and the other still u8, the u8 is read as value / 255."""

        def floats(id: int, other: int) -> int:
            if (self.type(id).dtype, self.type(other).dtype) != ("u8", "f32"):
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
                    section_errors.wrong_value(node.span, "the condition", "`true` or `false`", describe(value))
                )
            answers.append(value)
        return _Condition(*answers)

    # ---- fields --------------------------------------------------------------------------------------------------------

    def _field(self, item: syntax.Field) -> DataField:
        declared = self._declared(item)
        id = self.node_of(item.value)
        found = self.type(id)
        name, place = item.name.text, item.value.span
        if found.kind in ("text", "words"):
            help = "`-> words -> vocab(n)` or `bpe(..)` gives numbers" if found.kind == "text" else "`-> vocab(n)`"
            raise Failed(errors.field_is(place, name, described(found), help))
        if found.kind == "record":
            members = " or ".join(f"`.{member}`" for member in found.members)
            raise Failed(errors.field_is(place, name, described(found), f"select a member: {members}"))
        if found.kind == "stream":
            raise Failed(errors.field_is(place, name, "a stream", "`-> random_window(n)` cuts it into records"))
        self._check_dtype(item, declared, found)
        self._check_shape(item, declared, found, id)
        classes = found.classes if is_integer(declared.dtype) else None
        type = TensorType(declared.dtype, (var("B"), *declared.shape))
        return DataField(name=name, type=type, node=id, classes=classes, span=item.name.span)

    def _declared(self, item: syntax.Field) -> TensorType:
        type, name = item.type, item.name.text
        dtype = type.name.text if type.name is not None else "f32"
        if type.args is not None or not is_dtype(dtype):
            near = None if type.args is not None else nearest(dtype, ("f16", "bf16", "f32", "f64", "i64", "u8", "bool"))
            if near is not None:
                raise Failed(section_errors.unknown_entry(type.span, dtype, "a dtype", near, ()))
            raise Failed(errors.field_shape(type.span, name))
        shape = [self._size(part) for part in type.shape.items] if type.shape is not None else []
        return TensorType(dtype, tuple(shape))

    def _size(self, node: syntax.Pipe) -> Size:
        bound: syntax.Pipe | None = None
        if isinstance(node, syntax.Binary) and node.op == "<=":
            node, bound = node.left, node.right
        if isinstance(node, syntax.Ellipsis) or (isinstance(node, syntax.Ref) and node.name == "_"):
            raise Failed(errors.field_unsized(node.span))
        if isinstance(node, syntax.Ref) and node.name == "B":
            raise Failed(errors.field_batch(node.span))
        value: Any
        if isinstance(node, syntax.Ref) and node.name[:1].isupper() and self._is_new(node):
            self.sizes.setdefault(node.name, None)
            value = var(node.name)
        else:
            value = evaluate_static(node, self._size_name)
        if bound is not None:
            largest = self.reader.value(bound, "the bound", "Count")
            if isinstance(node, syntax.Ref) and node.name in self.sizes:
                before = self.sizes[node.name]
                self.sizes[node.name] = largest if before is None else min(before, largest)
            elif isinstance(value, int) and value > largest:
                raise Failed(section_errors.wrong_value(node.span, "this size", f"at most {largest}", str(value)))
        if isinstance(value, Dim):
            return value
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise Failed(
                section_errors.wrong_value(node.span, "a size", "a whole number of at least 1", describe(value))
            )
        return value

    def _is_new(self, node: syntax.Ref) -> bool:
        return node.name in self.sizes or self.reader.scope.lookup(node.name) is None

    def _size_name(self, ref: syntax.Ref) -> Any:
        return var(ref.name) if ref.name in self.sizes else self.reader.lookup(ref)

    def _check_dtype(self, item: syntax.Field, declared: TensorType, found: ItemType) -> None:
        actual = found.dtype
        if actual is None or actual == declared.dtype:
            return
        rank = len(found.shape) if found.shape is not None else None
        if is_float(declared.dtype):
            if actual == "u8" and rank is not None and rank >= 2:
                raise Failed(errors.raw_image(item.type.span, item.name.text, item.value.span))
            fits = declared.dtype == "f32"
        else:
            fits = declared.dtype == "i64" and is_integer(actual)
        if not fits:
            raise Failed(errors.field_dtype(item.type.span, item.name.text, declared.dtype, actual, item.value.span))

    def _check_shape(self, item: syntax.Field, declared: TensorType, found: ItemType, id: int) -> None:
        name = item.name.text
        place = item.value.span
        shape = () if found.kind == "column" else found.shape
        if shape is not None:
            shown = (
                shape_text([size if size is not None else var("_") for size in shape]) if shape else "a single value"
            )
            if len(shape) != len(declared.shape):
                raise Failed(errors.field_rank(item.type.span, name, len(declared.shape), shown, place))
            parts = item.type.shape.items if item.type.shape is not None else ()
            for axis, (want, have) in enumerate(zip(declared.shape, shape, strict=True)):
                if isinstance(want, int) and isinstance(have, int) and want != have:
                    raise Failed(errors.field_size(parts[axis].span, name, str(want), str(have), axis, shown, place))
        for axis, want in enumerate(declared.shape):
            known = shape is not None and isinstance(shape[axis], int)
            if isinstance(want, Dim) and not known and not self._ends_in_pad(id) and not self._padded(id):
                raise Failed(errors.ragged(item.type.span, name, str(want), place))

    def _ends_in_pad(self, id: int) -> bool:
        node = self.nodes[id]
        if node.op == "choose":
            return all(self._ends_in_pad(inner) for inner in node.inputs)
        return node.op == "pad"

    def _padded(self, id: int) -> bool:
        """Whether a `pad` stands anywhere before: then it is that which stands wrong."""
        return self.nodes[id].op == "pad" or any(map(self._padded, self.nodes[id].inputs))

    def _pads(self, fields: list[DataField]) -> None:
        """E0410 for a `pad` that another stage reads."""
        for node in self.nodes:
            for id in node.inputs:
                if self.nodes[id].op == "pad" and node.op != "choose":
                    self.report.add(errors.pad_not_last(self.nodes[id].span))

    # ---- where ---------------------------------------------------------------------------------------------------------

    def _where(self, node: syntax.Pipe) -> Condition:
        while isinstance(node, syntax.Paren):
            node = node.value
        if isinstance(node, syntax.Binary) and node.op in ("and", "or"):
            return Condition(op=node.op, items=(self._where(node.left), self._where(node.right)), span=node.span)
        if isinstance(node, syntax.Unary) and node.op == "not":
            return Condition(op="not", items=(self._where(node.value),), span=node.span)
        if isinstance(node, syntax.Binary) and node.op in COMPARISONS:
            left, right = self._compared(node.left), self._compared(node.right)
            if any(isinstance(side, (tuple, Dim)) for side in (left, right)):
                return Condition(op=node.op, left=left, right=right, span=node.span)
        raise Failed(errors.not_a_condition(node.span))

    def _compared(self, node: syntax.Pipe) -> Any:
        while isinstance(node, syntax.Paren):
            node = node.value
        if isinstance(node, syntax.Attr) or (isinstance(node, syntax.Ref) and node.name in self.names):
            return ("node", self.node_of(node))
        value = evaluate_static(node, self._size_name)
        if isinstance(value, (int, float, str, bool, Dim)):
            return value
        raise Failed(errors.not_a_condition(node.span))


def merge(one: ItemType, other: ItemType) -> ItemType | None:
    """What is known of a value that is either; None when they cannot be one thing."""
    if one.kind != other.kind:
        return None
    if one.dtype is not None and other.dtype is not None and one.dtype != other.dtype:
        return None
    shape: tuple[Size | None, ...] | None = None
    if one.shape is not None and other.shape is not None:
        if len(one.shape) != len(other.shape):
            return None
        shape = tuple(a if a == b else None for a, b in zip(one.shape, other.shape, strict=True))
    if set(one.members) != set(other.members):
        return None
    members: dict[str, ItemType] = {}
    for name, item in one.members.items():
        merged = merge(item, other.members[name])
        if merged is None:
            return None
        members[name] = merged
    classes: Classes | None = one.classes if one.classes == other.classes else None
    return ItemType(kind=one.kind, dtype=one.dtype or other.dtype, shape=shape, classes=classes, members=members)


def described(item: ItemType) -> str:
    """An item in words: `u8[3, _, _]`, a text."""
    if item.kind == "tensor":
        if item.shape is None:
            return f"an array of {item.dtype}" if item.dtype else "an array"
        shape = shape_text([size if size is not None else var("_") for size in item.shape]) if item.shape else ""
        return f"`{item.dtype or ''}{shape}`" if item.dtype or shape else "a number"
    return {
        "column": "a column",
        "stream": "a stream",
        "text": "a text",
        "words": "words",
        "record": f"a record of {' '.join(item.members)}",
    }[item.kind]


__all__ = ["bind_data", "described", "merge"]
