"""A spec for a table: which columns are read, and how; what is predicted, by which model, with which recipe.

penguins.csv --target species       numbers standardized, islands and sexes embedded, eight small networks, their mean
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...compiler.dataclass import dataclass
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.names import nearest
from ..data import sources
from ..data.cells import MISSING
from ..data.table import Column as Values
from ..data.text_columns import Cells
from ..failure import BadInput
from . import calendar
from .calendar import Parts
from .columns import Column, describe, marks
from .drafted import NOWHERE, Draft, laid_out
from .notation import column_of_source, field_name, listed, quoted, shown, wrapped
from .recipes import TableSizes, sizes
from .sample import SampledFile, sampled

MOST_CLASSES = 10  # of whole numbers; more of them are predicted as a number
LISTED = 12  # names that a spec lists; more are found in the train split
RARE = 5
SPLITS = 3
#: Names that the drafted model uses itself.
OWN = ("numbers", "each", "logits", "pred", "members", "width", "classes", "target_of_each")

LEFT_OUT = {
    "date": "dates that are written in more than one way",
    "text": "free text",
    "record": "a different value in nearly every record",
    "constant": "always the same",
    "empty": "no values",
    "other": "not one value a record",
}


@dataclass(frozen=True)
class Described:
    """A table as it is read: the source of the spec, and its columns."""

    source: str
    columns: tuple[Column, ...]
    sample: SampledFile

    @property
    def records(self) -> int:
        """Those that were looked at."""
        return self.columns[0].records

    @property
    def note(self) -> tuple[str, ...]:
        found = self.sample.note(self.records)
        return (found,) if found else ()


def draft(path: Path, place: str, source: str, target: str | None) -> Draft:
    """A spec that predicts the column `target` from the others."""
    table, values = read_values(path, place, source)
    column = _target(path, table, target)
    others = [other for other in table.columns if other is not column]
    numbers = [other for other in others if other.kind == "numbers"]
    categories = [other for other in others if other.kind == "names"]
    dates = {other.name: calendar.parts_of(values[other.name]) for other in others if other.kind == "date"}
    others = [other for other in others if other.kind in LEFT_OUT and not dates.get(other.name)]
    if not numbers and not categories and not any(dates.values()):
        raise BadInput(
            f"`{path}` has no column to predict `{column.name}` from",
            notes=tuple(f"`{shown(other.name)}`: {LEFT_OUT[other.kind]}" for other in others),
            helps=("add columns of numbers or of names that many records share",),
        )
    writer = _Writer(
        table, column, numbers, categories, {name: parts for name, parts in dates.items() if parts}, others
    )
    return Draft(laid_out(writer.lines(Path(place).name)), writer.found())


def read_values(path: Path, place: str, source: str, *, spread: bool = True) -> tuple[Described, dict[str, Values]]:
    """What the columns of a file are, and the columns; of a large file, those of some of its records: the first ones without
    `spread`. Other marks for missing cells than the usual ones are found by reading it again."""
    reader = sources.reader(source)
    with sampled(path, source, spread=spread) as sample:
        args: dict[str, Any] = {"path": str(sample.path)}
        try:
            found: dict[str, Values] = reader(args, Path, NOWHERE)[0]
            more = sorted({mark for name, column in found.items() for mark in marks(name, column)})
            if more:
                args["missing"] = tuple(dict.fromkeys((*more, *_usual(found.values()))))
                found = reader(args, Path, NOWHERE)[0]
        except Failed as failure:
            message = failure.diagnostic.message.replace(str(sample.path), str(path))
            raise Failed(replace(failure.diagnostic, message=message)) from None
        described = tuple(describe(name, column) for name, column in found.items())
        origins = [column.origin for column in found.values() if isinstance(column, Cells) and column.origin]
    written = [given for _, given in origins[0].found] if origins else []
    missing = [f"missing = [{', '.join(map(quoted, args['missing']))}]"] if more else []
    text = f"{source}({', '.join([quoted(place), *written, *missing])})"
    return Described(text, described, sample), found


def _usual(columns: Any) -> list[str]:
    """The usual marks that a table has: a list in the spec takes their place."""
    texts = {text.strip() for column in columns if isinstance(column, Cells) for text in column.coded[1]}
    return sorted(text for text in texts if text and text.lower() in MISSING)


def named(path: Path, table: Described, name: str | None) -> Column:
    """The column of this name."""
    names = [column.name for column in table.columns]
    if name is None:
        raise BadInput(
            "the column to predict is not given",
            notes=(f"`{path}` has {listed(names, 20)}",),
            helps=(f"name it: `--target {quoted(names[-1]) if ' ' in names[-1] else names[-1]}`, say",),
        )
    column = next((column for column in table.columns if column.name == name), None)
    if column is None:
        near = nearest(name, names)
        raise BadInput(
            f"`{path}` has no column `{name}`",
            notes=(f"it has {listed(names, 20)}",),
            helps=(f"did you mean `{near}`?" if near else "name one of these",),
        )
    return column


def _target(path: Path, table: Described, name: str | None) -> Column:
    column = named(path, table, name)
    if column.kind in LEFT_OUT:
        raise BadInput(
            f"column `{column.name}` of `{path}` cannot be predicted: {LEFT_OUT[column.kind]}",
            helps=("name a column of numbers, or of names that many records share",),
        )
    return column


def is_class(column: Column) -> bool:
    """Whether a target is predicted as one of a few names."""
    return column.kind == "names" or (column.whole and 0 < len(column.names) <= MOST_CLASSES)


def stripped(column: Column) -> dict[str, int]:
    """The names of a column without blanks around them, with the number of records of each."""
    found: dict[str, int] = {}
    for name, count in column.names.items():
        found[name.strip()] = found.get(name.strip(), 0) + count
    return found


class _Writer:
    """The lines of one spec."""

    def __init__(
        self,
        table: Described,
        target: Column,
        numbers: Sequence[Column],
        categories: Sequence[Column],
        dates: Mapping[str, Parts],
        others: Sequence[Column],
    ) -> None:
        self.table, self.target, self.others = table, target, others
        self.dates = dates
        self.numbers, self.categories = numbers, categories
        taken: list[str] = [*OWN]
        self.fields: dict[str, str] = {}
        for column in (target, *categories):
            self.fields[column.name] = field_name(column.name, taken)
            taken.append(self.fields[column.name])
        self.moments = {name: field_name(f"{name} days", taken).removesuffix("_days") for name in dates}
        self.classes = stripped(target) if is_class(target) else {}
        self.records = round(target.present / table.sample.share)
        self.sizes: TableSizes = sizes(self.records, bool(self.classes))

    # ---- what was found ----------------------------------------------------------------------------------------------------

    @property
    def goal(self) -> str:
        name = shown(self.target.name)
        return f"`{name}`, one of {len(self.classes)} classes" if self.classes else f"`{name}`, a number"

    @property
    def origin(self) -> str:
        parts = [
            (len(self.numbers), "number", "numbers"),
            (len(self.categories), "category", "categories"),
            (len(self.dates), "date", "dates"),
        ]
        *found, last = [f"{count} {one if count == 1 else many}" for count, one, many in parts if count]
        return f"{', '.join(found)} and {last}" if found else last

    def found(self) -> tuple[str, ...]:
        records = round(self.table.records / self.table.sample.share)
        lines = [f"{records:,} records: {self.goal}, from {self.origin}", *self.table.note]
        if self.target.missing:
            lines.append(f"{self.target.missing:,} records without `{shown(self.target.name)}` are left out")
        lines += [f"`{shown(other.name)}` is left out: {LEFT_OUT[other.kind]}" for other in self.others]
        return tuple(lines)

    def lines(self, file: str) -> list[str]:
        return [
            "dlspec 1",
            f"# {self.goal}, from {self.origin} of {shown(file)}. Drafted by `dlc new` from what the table holds.",
            *(f"# {note}" for note in self.table.note),
            "",
            f"param members = {self.sizes.members}",
            "",
            *self._data(),
            "",
            *self._model(),
            "",
            *self._train(),
            "",
            *self._export(),
        ]

    # ---- data ----------------------------------------------------------------------------------------------------------------

    def _data(self) -> list[str]:
        lines = ["data Table {", f"  source = {self.table.source}", *self._split()]
        if self.target.missing:
            lines.append(
                f"  drop   = [{column_of_source(self.target.name)}]  # it is missing in {self.target.missing:,}"
            )
        for column in self.others:
            lines.append(f"  # left out: `{shown(column.name)}`, {LEFT_OUT[column.kind]}")
        return [*lines, "", *self._numbers(), *self._dates(), *self._categories(), *self._target_field(), "}"]

    def _split(self) -> list[str]:
        train, rest = self.sizes.train, (1 - self.sizes.train) / 2
        shares = f"train = {train:g}, val = {rest:.2g}, test = {rest:.2g}"
        least = min(self.classes.values(), default=0)
        stratify = f", stratify = {column_of_source(self.target.name)}" if least >= 2 * SPLITS else ""
        lines = [f"  split  = random({shares}{stratify}, seed = 0)"]
        if self.classes and not stratify:
            lines.insert(0, f"  # not stratified: a class has {least} records")
        times = [name for name, parts in self.dates.items() if parts.orders]
        if times:
            by = f"contiguous({shares}, by = {column_of_source(times[0])})"
            lines.insert(0, f"  # to be tested on what comes later: `split = {by}`")
        return lines

    def _numbers(self) -> list[str]:
        if not self.numbers:
            return []
        read = [column.name for column in self.numbers]
        rest = [column.name for column in self.table.columns if column.name not in read]
        lacking = [column.name for column in self.numbers if column.missing]
        chosen, how = (rest, "all_except") if len(rest) < len(read) else (read, "columns")
        names = map(quoted, chosen)
        head = f"  numbers: f32[{len(self.numbers)}] = source.{how}("
        tail = ")" + (' -> impute("median")' if lacking else "") + " -> standardize -> clip(-5, 5)"
        why = [f"  # cells are missing in {listed(lacking)}"] if lacking else []
        return [*why, *wrapped(head, names, tail)]

    def _dates(self) -> list[str]:
        lines: list[str] = []
        columns = {column.name: column for column in self.table.columns}
        for name, parts in self.dates.items():
            fill = ' -> impute("median")' if columns[name].missing else ""
            start = f"{column_of_source(name)} -> date("
            form = f"{quoted(parts.format)}, " if parts.format else ""
            days = f"{start}{form.removesuffix(', ')}){fill} -> standardize"
            lines += [
                "  # a date as days since 1970"
                + (", and as points on circles, on which the last is next to the first" if parts.cycles else ""),
                f"  {self.moments[name]}_days: f32 = {days}",
            ]
            for part in parts.cycles:
                written = form + (quoted(part) if form else f"part = {quoted(part)}")
                lines.append(f"  {self.moments[name]}_{part}: f32[2] = {start}{written}, cyclic = true){fill}")
        return lines

    def _categories(self) -> list[str]:
        lines: list[str] = []
        for column in self.categories:
            pipeline = column_of_source(column.name) + (" -> strip" if column.blanks else "")
            names = [*stripped(column)]
            if column.missing:  # a class of its own: that a cell is empty may mean something
                names.append(_free("missing", names))
                pipeline += f" -> impute({quoted(names[-1])})"
            head = f"  {self.fields[column.name]}: i64 = {pipeline} -> category("
            if len(names) <= LISTED:
                lines += wrapped(head, [*map(quoted, names), "unknown = true"], ")")
            elif self.table.sample.share < 1:
                start = head.removesuffix("category(")
                lines.append(f"{start}hash({self._rows(column)})  # {len(names):,} names in a part of the records")
            else:
                lines.append(f"{head}unknown = true, min_count = {RARE})  # {len(names):,} names")
        return lines

    def _target_field(self) -> list[str]:
        name, pipeline = self.fields[self.target.name], column_of_source(self.target.name)
        if not self.classes:
            why = "the mean of the train split is 0; `dlc predict` answers in the unit of the table"
            lines = [f"  {name}: f32 = {pipeline} -> standardize  # {why}"]
            if self.target.skewed:
                lines.insert(0, f"  # a few are far larger than the others: try `{pipeline} -> log1p -> standardize`")
            return lines
        pipeline += " -> strip" if self.target.blanks else ""
        names = [*self.classes] if len(self.classes) <= LISTED else []
        lines = wrapped(f"  {name}: i64 = {pipeline} -> category(", map(quoted, names), ")")
        lines[-1] = lines[-1] if names else lines[-1].replace("category()", "category")
        if self.target.kind == "numbers" and len(self.classes) > 2:
            lines.insert(0, f"  # {len(names)} whole numbers are taken for classes; as a number: `f32`, `mse`, `rmse`")
        return lines

    # ---- model ---------------------------------------------------------------------------------------------------------------

    def _model(self) -> list[str]:
        inputs = [f"numbers: [B, {len(self.numbers)}]"] if self.numbers else []
        parts = ["numbers"] if self.numbers else []
        for name, found in self.dates.items():
            moment = self.moments[name]
            inputs += [f"{moment}_days: [B]", *(f"{moment}_{part}: [B, 2]" for part in found.cycles)]
            parts += [f"{moment}_days[:, none]", *(f"{moment}_{part}" for part in found.cycles)]
        inputs += [f"{self.fields[column.name]}: i64[B]" for column in self.categories]
        parts += [_embedded(self.fields[c.name], self._rows(c)) for c in self.categories]
        joined = wrapped("  x = concat(", [*parts, "axis = 1"], ")") if len(parts) > 1 else [f"  x = {parts[0]}"]
        drop, out = f"dropout({self.sizes.dropout:g})", "classes" if self.classes else "1"
        result = "logits: [B, classes]" if self.classes else "pred: [B]"
        statics = f"width = {self.sizes.width}" + (f", classes = {len(self.classes)}" if self.classes else "")
        squeeze = "" if self.classes else " -> squeeze(-1)"
        return [
            "# One linear layer for each member, side by side.",
            "block Linears(count: int, out: int)(x: [N, B, D]) -> [count, B, out] {",
            "  w = weight: Param([count, D, out], init = uniform(-1 / sqrt(D), 1 / sqrt(D)))",
            "  b = bias: Param([count, 1, out], init = zeros)",
            "  x @ w + b",
            "}",
            "",
            "# Small networks that are trained at once: their mean is steadier than any of them, which matters where records are few.",
            *wrapped(f"model TableNet({statics})(", inputs, f") -> ({result}) {{"),
            *joined,
            f"  h = x[none] -> fc1: Linears(members, width) -> relu -> {drop} -> fc2: Linears(members, width) -> relu -> {drop}",
            "  # what is a plain sum of the columns goes past the hidden layers",
            f"  each = (h -> head: Linears(members, {out})) + (x[none] -> straight: Linears(members, {out})){squeeze}"
            if self.classes
            else f"  each = ((h -> head: Linears(members, 1)) + (x[none] -> straight: Linears(members, 1))){squeeze}",
            f"  {'logits' if self.classes else 'pred'} = mean(each, axis = 0)",
            "}",
        ]

    def _rows(self, column: Column) -> int:
        """Numbers that a category may give: its names, one for a missing cell, and one for names that training has not seen; twice as
        many where not all names are known."""
        names = len(stripped(column))
        return 2 * names if names > LISTED and self.table.sample.share < 1 else names + bool(column.missing) + 1

    # ---- recipe --------------------------------------------------------------------------------------------------------------

    def _train(self) -> list[str]:
        name = self.fields[self.target.name]
        lines = [
            "train {",
            "  model = TableNet",
            "  data = Table",
            f"  let target_of_each = {name}[none] -> expand([members, B])",
        ]
        if self.classes:
            most = max(self.classes.values()) / sum(self.classes.values())
            lines += [
                "  # of each member by itself, so that they differ, and of their mean, which is what `dlc predict` answers with",
                f"  loss {{ members = cross_entropy(each, target_of_each); mean = cross_entropy(logits, {name}) }}",
                f"  # always answering the most frequent class has an accuracy of {most:.3f}",
                f"  metrics {{ acc = accuracy(logits, {name}); ppl = perplexity(logits, {name}) }}",
            ]
        else:
            lines += [
                "  # of each member by itself, so that they differ, and of their mean, which is what `dlc predict` answers with",
                f"  loss {{ members = mse(each, target_of_each); mean = mse(pred, {name}) }}",
                f"  metrics {{ rmse = rmse(pred, {name}); r2 = r2(pred, {name}) }}  # always answering the mean has an r2 of 0",
            ]
        judged = "val.ppl" if self.classes else "val.rmse"
        return [
            *lines,
            f"  optimizer = AdamW(lr = {self.sizes.rate:g} -> cosine(0, rest), weight_decay = {self.sizes.decay:g})",
            f"  batch = {self.sizes.batch}",
            f"  duration = {self.sizes.epochs} epochs",
            f"  keep = best({judged})  # the weights of the best epoch",
            f"  stop = plateau({judged}, patience = {self.sizes.patience} epochs)",
            "}",
        ]

    def _export(self) -> list[str]:
        outputs = "; outputs { probs = softmax(logits) }" if self.classes else ""
        return [f'export {{ onnx = "model.onnx"; preprocess = true{outputs} }}']


def _embedded(field: str, rows: int) -> str:
    return f"{field} -> embed_{field}: Embedding({rows}, {min(16, (rows + 1) // 2)})"


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name
