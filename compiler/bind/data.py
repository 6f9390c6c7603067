"""`data` sections to the recipe IR: source, split, the graph of transforms, typed batch fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ..catalogue import SOURCES, SPLITS, TRANSFORMS
from ..catalogue.sections import DATA
from ..catalogue.sources import DataSource
from ..ir.arguments import EntryUse
from ..ir.data import Condition, DataField, DataNode, DataSet, ItemType
from ..messages import data as errors
from ..messages import sections as sections_errors
from ..messages import training as training_errors
from ..messages.diagnostics import Abandoned, Failed, Report
from ..messages.lookup import DTYPE_HABITS
from ..messages.names import nearest
from ..messages.shapes import size_too_large
from ..messages.source import Span
from ..resolve.definitions import Definition, FileScope
from ..resolve.evaluate import evaluate_static
from ..sizes.dims import Dim, DimOverflow, Size, need_countable, var
from ..sizes.statics import describe
from ..sizes.types import TensorType, is_dtype, is_float, is_integer, shape_text
from ..text import syntax, top_level
from ..text.printer import print_expression
from .data_graph import DataGraph, source_field
from .data_items import described, out_of_scope
from .reader import Section, SectionReader
from .series import order_of


class ReadData(NamedTuple):
    """A data section as far as it was read: without mistakes it is `whole`; `spoiled` are the fields that have some, and None
    where not even the names of fields are known."""

    dataset: DataSet
    whole: bool = True
    spoiled: frozenset[str] | None = frozenset()

    @property
    def splits(self) -> tuple[str, ...] | None:
        """The splits that there are; None where that is not known."""
        return self.dataset.splits if self.dataset.split.name in SPLITS else None


#: How what is not numbers yet becomes some.
_AS_NUMBERS = {
    "text": "`-> words -> vocab(n)` or `bpe(..)` gives numbers",
    "words": "`-> vocab(n)`",
    "turns": "`-> bpe(..)` gives `.ids` and `.labels`",
}
#: In place of a source or split with a mistake.
_NOWHERE = Span("", 0, 0)
_MISTAKEN = EntryUse(name="", span=_NOWHERE)
#: In place of a section that is not there.
UNREAD = ReadData(
    DataSet(name="", source=_MISTAKEN, split=_MISTAKEN, nodes=(), fields=(), span=_NOWHERE), whole=False, spoiled=None
)


def bind_data(definition: Definition, report: Report, root: FileScope, name: str) -> ReadData:
    """The data set that a section describes, under the name it has in the root file."""
    before = len(report.errors)
    found, spoiled = DataBinder(definition, report, root, name).run()
    cracked = definition.node.span.start in definition.scope.cracked
    return ReadData(found, len(report.errors) == before and not cracked, spoiled)


class DataBinder:
    """One `data` section."""

    def __init__(self, definition: Definition, report: Report, root: FileScope, name: str) -> None:
        self.node: top_level.Data = definition.node
        self.report, self.name = report, name
        self.reader = SectionReader(definition.scope, report, root)
        self.graph = DataGraph(self.reader)
        self.sizes: dict[str, int | None] = {}
        self.columns: dict[str, Span] = {}  # by which records are divided

    def run(self) -> tuple[DataSet, frozenset[str] | None]:
        """What there is of the section, and the names of the fields with mistakes (None: they are not known)."""
        section = self.reader.section(
            "data", self.node.entries, self.node.name.span, DATA.forms, lets=True, fields=True
        )
        self.reader.attempt(lambda: self._source(section))
        split = self.reader.attempt(lambda: self._split(section))
        skip = self.reader.attempt(lambda: self._skip(section)) or ()
        order = sorted([*section.lets, *section.fields], key=lambda item: item.span.start)
        fields: list[DataField] = []
        spoiled: set[str] = set()
        for item in order:
            if isinstance(item, top_level.Let):
                self.graph.let(item)
            else:
                made = self.reader.attempt(lambda item=item: self._field(item))
                if made is not None:
                    if any(field.name == made.name for field in fields):
                        first = next(field.span for field in fields if field.name == made.name)
                        self.report.add(sections_errors.key_twice(item.name.span, made.name, first))
                    fields.append(made)
                else:
                    spoiled.add(item.name.text)
        where = None
        node = section.value("where")
        if node is not None:
            where = self.reader.attempt(lambda: self._where(node))
        drop = self.reader.attempt(lambda: self._drop(section)) or ()
        self._pads(fields)
        order = self.reader.attempt(lambda: order_of(self.graph, section, split, self.column))
        for name, span in self.graph.let_spans.items():
            if name not in self.graph.read and not name.startswith("_"):
                self.report.add(training_errors.unused_let(span, name))
        found = DataSet(
            name=self.name,
            source=self.graph.record or _MISTAKEN,
            split=split or _MISTAKEN,
            skip=skip,
            where=where,
            drop=drop,
            order=order,
            nodes=tuple(self.graph.nodes),
            fields=tuple(fields),
            lengths=self.sizes,
            span=self.node.name.span,
        )
        scope = self.reader.scope
        if self.node.span.start in scope.cracked:
            return found, None if scope.keyless else frozenset(
                spoiled | (scope.unread - {field.name for field in fields})
            )
        return found, frozenset(spoiled)

    # ---- keys ----------------------------------------------------------------------------------------------------------

    def _source(self, section: Section) -> None:
        node = section.value("source")
        if node is None:
            self.reader.missing(section, "source", 'source = csv("data.csv")', of=f"data {self.name}")
            raise Abandoned
        found, self.graph.record = self.reader.entry(node, SOURCES, 'source = csv("data.csv")')
        assert issubclass(found, DataSource)
        self.graph.source = found
        self.graph.fields = found.fields(self.graph.record.args)

    def _split(self, section: Section) -> EntryUse:
        node = section.value("split")
        if node is None:
            example = "split = random(train = 0.8, val = 0.1, test = 0.1, seed = 0)"
            self.reader.missing(section, "split", example, of=f"data {self.name}")
            raise Abandoned
        _, split = self.reader.entry(node, SPLITS, "random(train = 0.8, val = 0.2)", {"Column": self.column})
        parts = {name: split.args[name] for name in ("train", "val", "test") if split.args.get(name) is not None}
        shares = [share for share in parts.values() if isinstance(share, float)]
        total = sum(shares)
        divides = SPLITS[split.name].divides
        if divides == "fractions":
            if abs(total - 1) > 1e-6:
                raise Failed(errors.fractions(split.span, describe(round(total, 6)), _mended(parts, total)))
            if not parts.get("train"):
                raise Failed(errors.no_train(split.span))
        if divides == "names":
            if total >= 1:
                raise Failed(errors.fractions_taken(split.span, describe(round(total, 6))))
            if not isinstance(parts.get("train"), str):
                raise Failed(errors.no_train(split.span))
        self._check_places(split)
        self._check_group(split)
        return split

    def _check_group(self, split: EntryUse) -> None:
        """Records of a built-in set that overlap belong in one split."""
        record = self.graph.record
        if record is None or self.graph.source is None or SPLITS[split.name].divides is None:
            return
        group = self.graph.source.group(record.args)
        if group and split.args.get("group") != group:
            self.report.add(errors.group_missing(split.span, record.args["name"], group))

    def _check_places(self, split: EntryUse) -> None:
        if self.graph.record is None or self.graph.source is None:
            return
        paths = self.graph.source.paths(self.graph.record.args)
        placed = [path for path in paths if "{split}" in path]
        if SPLITS[split.name].divides == "names" and paths and not placed and not self.graph.source.finds_splits:
            raise Failed(errors.split_placeholder(self.graph.record.span, split.name, paths[0]))
        if SPLITS[split.name].divides != "names" and placed:
            raise Failed(errors.placeholder_without(split.span, split.name))
        stream = self.graph.fields is not None and all(item.kind == "stream" for item in self.graph.fields.values())
        if stream and SPLITS[split.name].mixes:
            raise Failed(errors.stream_random(split.span, self.graph.record.name))

    def column(self, node: syntax.Pipe, what: str) -> str | None:
        node = self.reader.plain(node)
        if isinstance(node, syntax.NoneLiteral):
            return None
        if (named := source_field(node)) is not None:
            name, place = named
            found = self.graph.source_type(name, place)
            self.columns[name] = node.span
            if found.kind not in ("column", "text") and (found.kind != "tensor" or found.shape):
                raise Failed(errors.not_one_value(node.span, name, described(found)))
            return name
        raise Failed(errors.not_a_column(node.span, what.strip("`")))

    def _skip(self, section: Section) -> tuple[str, ...]:
        node = section.value("skip")
        if node is None:
            return ()
        names = self.reader.value(node, "skip", "Names")
        if self.graph.source is not None and not self.graph.source.class_folders:
            raise Failed(errors.skip_without_folder(section.keys["skip"].name.span))
        return names

    def _drop(self, section: Section) -> Literal["missing"] | tuple[str, ...]:
        node = section.value("drop")
        if node is None:
            return ()
        node = self.reader.plain(node)
        if any(TRANSFORMS[made.op].windows for made in self.graph.nodes if made.op in TRANSFORMS):
            raise Failed(errors.drop_of_windows(section.keys["drop"].name.span))
        if isinstance(node, syntax.String) and node.value == "missing":
            return "missing"
        names: list[str] = []
        for item in node.items if isinstance(node, (syntax.List, syntax.Tuple)) else (node,):
            named = source_field(item)
            if named is None:
                expected = '`"missing"` or columns, such as `[source.age, source["Mass (g)"]]`'
                raise Failed(sections_errors.not_such(item.span, "drop", expected))
            self.graph.source_type(*named)
            names.append(named[0])
        return tuple(dict.fromkeys(names))

    # ---- fields --------------------------------------------------------------------------------------------------------

    def _field(self, item: top_level.Field) -> DataField:
        declared = self._declared(item)
        id = self.graph.node_of(item.value)
        found = self.graph.type(id)
        name, place = item.name.text, item.value.span
        if found.kind in _AS_NUMBERS:
            help = _AS_NUMBERS[found.kind]
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
        made = self.graph.nodes[id]
        if made.op == "source" and declared.rank and made.args["field"] in self.columns:
            column = str(made.args["field"])
            self.report.add(errors.not_one_value(self.columns[column], column, f"`{declared}`"))
        return DataField(name=name, type=type, node=id, classes=classes, span=item.name.span)

    def _declared(self, item: top_level.Field) -> TensorType:
        type, name = item.type, item.name.text
        dtype = type.name.text if type.name is not None else "f32"
        if type.args is not None or not is_dtype(dtype):
            near = None if type.args is not None else nearest(dtype, ("f16", "bf16", "f32", "f64", "i64", "u8", "bool"))
            if near is not None:
                raise Failed(sections_errors.unknown_entry(type.span, dtype, "a dtype", near, ()))
            ours = DTYPE_HABITS.get(dtype, "") if type.args is None else ""
            shape = print_expression(type.shape) if ours and type.shape is not None else ""
            raise Failed(errors.field_shape(type.span, name, ours + shape))
        shape = [self._size(part) for part in type.shape.items] if type.shape is not None else []
        try:
            need_countable(shape)
        except DimOverflow as overflow:
            raise Failed(size_too_large(str(overflow), type.span)) from None
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
                raise Failed(sections_errors.wrong_value(node.span, "this size", f"at most {largest}", str(value)))
        if isinstance(value, Dim):
            return value
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise Failed(
                sections_errors.wrong_value(node.span, "a size", "a whole number of at least 1", describe(value))
            )
        return value

    def _is_new(self, node: syntax.Ref) -> bool:
        return node.name in self.sizes or self.reader.scope.lookup(node.name) is None

    def _size_name(self, ref: syntax.Ref) -> Any:
        return var(ref.name) if ref.name in self.sizes else self.reader.lookup(ref)

    def _check_dtype(self, item: top_level.Field, declared: TensorType, found: ItemType) -> None:
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

    def _check_shape(self, item: top_level.Field, declared: TensorType, found: ItemType, id: int) -> None:
        name = item.name.text
        place = item.value.span
        shape = found.shape
        if shape is not None:
            shown = (
                shape_text([size if size is not None else var("_") for size in shape]) if shape else "a single value"
            )
            if len(shape) != len(declared.shape):
                why = out_of_scope(self.graph.source, self.graph.nodes, id, name)
                raise Failed(errors.field_rank(item.type.span, name, len(declared.shape), shown, place, why))
            parts = item.type.shape.items if item.type.shape is not None else ()
            for axis, (want, have) in enumerate(zip(declared.shape, shape, strict=True)):
                if isinstance(want, int) and isinstance(have, int) and want != have:
                    raise Failed(errors.field_size(parts[axis].span, name, str(want), str(have), axis, shown, place))
        images = self._image_transform(id) if shape is None and declared.rank not in (2, 3) else None
        if images is not None:
            raise Failed(
                errors.not_an_image(images.span, images.op, name, str(declared).removesuffix("[]"), item.type.span)
            )
        for axis, want in enumerate(declared.shape):
            known = shape is not None and isinstance(shape[axis], int)
            if isinstance(want, Dim) and not known and not self._ends_in_pad(id) and not self._padded(id):
                raise Failed(errors.ragged(item.type.span, name, str(want), place))

    def _image_transform(self, id: int) -> DataNode | None:
        """A transform of images that makes the field, where no other kind of transform follows."""
        node = self.graph.nodes[id]
        entry = TRANSFORMS.get(node.op)
        if entry is not None and entry.lacks((), node.args) == "an image":
            return node
        if node.op != "choose" and (entry is None or entry.takes not in ("numbers", "image")):
            return None
        return next(filter(None, map(self._image_transform, node.inputs)), None)

    def _ends_in_pad(self, id: int) -> bool:
        node = self.graph.nodes[id]
        if node.op == "choose":
            return all(self._ends_in_pad(inner) for inner in node.inputs)
        return self._fills_batch(id)

    def _fills_batch(self, id: int) -> bool:
        entry = TRANSFORMS.get(self.graph.nodes[id].op)
        return entry is not None and entry.fills_batch

    def _padded(self, id: int) -> bool:
        """Whether there is a `pad` anywhere before: then that one is misplaced."""
        return self._fills_batch(id) or any(map(self._padded, self.graph.nodes[id].inputs))

    def _pads(self, fields: list[DataField]) -> None:
        """E0410 for a `pad` that another stage reads."""
        for node in self.graph.nodes:
            for id in node.inputs:
                if self._fills_batch(id) and node.op != "choose":
                    self.report.add(errors.pad_not_last(self.graph.nodes[id].span))

    # ---- where ---------------------------------------------------------------------------------------------------------

    def _where(self, node: syntax.Pipe) -> Condition:
        while isinstance(node, syntax.Paren):
            node = node.value
        if isinstance(node, syntax.Binary) and node.op in ("and", "or"):
            return Condition(op=node.op, items=(self._where(node.left), self._where(node.right)), span=node.span)
        if isinstance(node, syntax.Unary) and node.op == "not":
            return Condition(op="not", items=(self._where(node.value),), span=node.span)
        if isinstance(node, syntax.Binary) and node.op in syntax.COMPARISONS:
            left, right = self._compared(node.left), self._compared(node.right)
            if any(isinstance(side, (tuple, Dim)) for side in (left, right)):
                return Condition(op=node.op, left=left, right=right, span=node.span)
        raise Failed(errors.not_a_condition(node.span))

    def _compared(self, node: syntax.Pipe) -> Any:
        while isinstance(node, syntax.Paren):
            node = node.value
        if (
            isinstance(node, syntax.Attr)
            or source_field(node) is not None
            or (isinstance(node, syntax.Ref) and node.name in self.graph.names)
        ):
            return ("node", self.graph.node_of(node))
        value = evaluate_static(node, self._size_name)
        if isinstance(value, (int, float, str, bool, Dim)):
            return value
        raise Failed(errors.not_a_condition(node.span))


def _mended(parts: Mapping[str, Any], total: float) -> str:
    """The last share that would make a sum of 1."""
    name, share = list(parts.items())[-1] if parts else ("train", 0.0)
    rest = round(1 - total + share, 6)
    if 0 < rest < 1:
        return f"`{name} = {describe(rest)}` makes the sum 1"
    return "they are shares of all records, such as `train = 0.8, val = 0.1, test = 0.1`"
