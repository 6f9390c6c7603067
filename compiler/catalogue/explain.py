"""The page of an entry as plain text: what `dlc explain Linear` prints and the reference pages are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import cleandoc
from typing import Any, cast

from ..ir.model import Init, Parameter
from ..sizes.dims import Dim, var
from ..sizes.facts import NO_FACTS
from ..sizes.statics import describe
from ..sizes.types import TensorType, shape_text
from . import FAMILIES, builtin
from .arguments import words
from .entry import MISSING, Entry, Family
from .metrics import Metric
from .ops.base import Layer, Op, Sample
from .ops.notation import Rearrange
from .ops.sampling import bind, named, operands
from .transforms.base import Transform

_INDENT = "  "
_UNITS = {
    "target": "that of the target; where the data transforms it, `dlc evaluate` gives the figure in both",
    "relative": "none; where the data transforms the target, `dlc evaluate` gives the figure for both",
}

#: Cells of a table, and in its first row their columns.
Rows = list[list[str]]


def names() -> list[str]:
    """Everything that has a page, each name once."""
    return list(dict.fromkeys([*(name for family in FAMILIES for name in family), *builtin.BUILTIN]))


def explain(name: str) -> str | None:
    """The pages of everything of that name, one after the other; None when there is nothing."""
    pages = [page(family[name], family) for family in FAMILIES if name in family]
    if name in builtin.BUILTIN:
        pages.append(builtin.page(name))
    return "\n".join(pages) or None


def page(entry: type[Entry], family: Family[Any]) -> str:
    """Signature and place, documentation, arguments, tensors, parameters, examples and facts."""
    parts = [
        f"{signature(entry)}    {family.where}",
        _indented(cleandoc(entry.__doc__ or "")),
        _section("arguments", arguments(entry)),
        _section("tensors", tensors(entry)),
        _section("parameters", parameters(entry)),
        _section("examples" if len(examples(entry)) > 1 else "example", examples(entry)),
        _section("also", [[word, text] for word, text in facts(entry)]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(entry: type[Entry]) -> str:
    """The first sentence of the documentation, for lists."""
    paragraph = cleandoc(entry.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return paragraph.partition(". ")[0].rstrip(".") + "."


# ---- signatures ------------------------------------------------------------------------------------------------------


def signature(entry: type[Entry]) -> str:
    """`AdamW(lr = 0.001, betas = [0.9, 0.999], ..)`, `attention(q, k, v, mask = none, causal = false, ..)`; of a layer the
    arguments only, then `; lengths` by name."""
    given = [
        f"{name}, .." if name == entry.variadic else f"{name}{_default(default)}"
        for name, _, default in entry.arguments
    ]
    if not issubclass(entry, Op):
        return f"{entry.name}({', '.join(given)})" if given else entry.name
    if entry.syntax:
        return f"{entry.name}, written `{entry.syntax}`"
    if issubclass(entry, Layer):
        inside = {name for group in entry.tensor_groups.values() for name in group}
        named_tensors = [name for name, kind in entry.tensors if kind == "optional" and name not in inside]
        rest = [*named_tensors, *entry.tensor_groups]
        return f"{entry.name}({', '.join(given)}{'; ' + ', '.join(rest) if rest else ''})"
    inputs = ["net"] if entry.takes_net else []
    return f"{entry.name}({', '.join([*inputs, *(_tensor(*each) for each in entry.tensors), *given])})"


def _tensor(name: str, kind: str) -> str:
    return {"one": name, "optional": f"{name} = none", "many": f"{name}, .."}[kind]


def _default(default: Any) -> str:
    return "" if default is MISSING else f" = {describe(default)}"


# ---- sections --------------------------------------------------------------------------------------------------------


def arguments(entry: type[Entry]) -> Rows:
    """Name, what it takes, default."""
    if issubclass(entry, Op) and entry.syntax:
        return []
    return [
        [name, words(kind), "" if default is MISSING else f"default {describe(default)}"]
        for name, kind, default in entry.arguments
    ]


def tensors(entry: type[Entry]) -> Rows:
    if not issubclass(entry, Op):
        return []
    said = {"one": "", "optional": "optional", "many": "any number"}
    rows = [[name, said[kind]] for name, kind in entry.tensors]
    return [*rows, *([group, f"the tuple ({', '.join(names)})"] for group, names in entry.tensor_groups.items())]


def parameters(entry: type[Entry]) -> Rows:
    """Those of the first sample that has any."""
    for sample in entry.samples if issubclass(entry, Op) else ():
        assert issubclass(entry, Op)
        sizes = {name: var(name) for name in sample.sizes}
        rule = bind(entry, sample, sizes)
        found = rule.parameters(*entry.operand_types(operands(sample, sizes)))
        if found:
            at = example(entry, sample).rpartition(" -> ")[0]
            return [[f"of {at}"], *map(_parameter, found)]
    return []


def _parameter(parameter: Parameter) -> list[str]:
    kind = "buffer" if parameter.buffer else ""
    dtype = "" if parameter.dtype == "f32" else parameter.dtype
    init = static_text(parameter.init) if parameter.init is not None else "no default init"
    return [parameter.name or "(the path itself)", f"{dtype}{shape_text(parameter.shape)}", init, kind]


def examples(entry: type[Entry]) -> Rows:
    """Uses: of an operator its samples, of another entry the line of a spec."""
    if issubclass(entry, Op) and entry.samples:
        return [[example(entry, sample), sample.note] for sample in entry.samples]
    return [[line] for line in entry.example.splitlines()]


def facts(entry: type[Entry]) -> Iterator[tuple[str, str]]:
    """What else is to be known, with a word for each."""
    if issubclass(entry, Op):
        yield from _facts_of_operator(entry)
    if issubclass(entry, Metric):
        yield "unit", _UNITS.get(entry.unit, entry.unit)
        yield "better", "high" if entry.direction == "max" else "low"
    if issubclass(entry, Transform) and entry.learns:
        yield "fitted", "on the train split, kept in the checkpoint"
    if issubclass(entry, Transform) and entry.random:
        yield "random", "one draw a record, the same for all members of a tuple"
    if issubclass(entry, Transform) and entry.in_graph:
        yield "export", "`preprocess = true` puts it into the graph"
    if entry.extra:
        yield "needs", f'pip install "dlc[{entry.extra}]"'


def _facts_of_operator(operator: type[Op]) -> Iterator[tuple[str, str]]:
    if operator.onnx:
        yield "ONNX", operator.onnx
    if operator.has_mode:
        yield "mode", "differs between training and evaluation"
    if operator.random:
        yield "random", "draws numbers"
    if operator.paper:
        yield "paper", operator.paper


# ---- uses of operators -----------------------------------------------------------------------------------------------


def example(operator: type[Op], sample: Sample) -> str:
    """`f32[B, 4] -> Linear(out = 3) -> f32[B, 3]`, `f32[B, 3] + f32[3] -> f32[B, 3]`."""
    sizes = {name: var(name) for name in sample.sizes}
    rule = bind(operator, sample, sizes)
    given = operands(sample, sizes)
    types = operator.operand_types(given)
    results = ", ".join(
        str(type) if name.startswith("out") else f"{name} {type}"
        for name, type in named(rule.infer(NO_FACTS, *types)).items()
    )
    inputs = [str(operand) if isinstance(operand, TensorType) else static_text(operand) for operand in given]
    values = ", ".join(f"{name} = {static_text(getattr(rule, name))}" for name in sample.args)
    if not operator.syntax:
        use = f"{operator.name}({values})" if values else operator.name
        return " -> ".join(part for part in (", ".join(inputs), use, results) if part)
    return f"{written(operator, inputs, rule, types)} -> {results}"


def written(operator: type[Op], inputs: Sequence[str], rule: Op, types: Sequence[TensorType | None]) -> str:
    """A use of an operator with a sign or a form: `x + y`, `x[:, 0]`."""
    sign = operator.syntax
    if isinstance(rule, Rearrange) and types[0] is not None:
        return f"{inputs[0]} -> {rule.arrangement(types[0])}"
    if len(inputs) == 2:
        return f"{inputs[0]} {sign} {inputs[1]}"
    if sign == ".T":
        return f"{inputs[0]}.T"
    if sign in ("-", "not"):
        return f"{sign} {inputs[0]}"
    if sign == "x[..]":
        return inputs[0] + static_text(rule.values["items"])
    if not inputs:
        return static_text(rule.values["value"])
    return f"{inputs[0]} -> {sign}"


def static_text(value: Any) -> str:
    """A static argument as the language writes it."""
    if isinstance(value, Init):
        given = ", ".join(f"{name} = {describe(item)}" for name, item in value.args.items())
        return f"{value.name}({given})" if given else value.name
    if isinstance(value, tuple):
        items = cast("tuple[Any, ...]", value)
        if items[:1] == ("slice",) and len(items) == 3:
            return ":".join("" if item is None else static_text(item) for item in items[1:])
        return f"[{', '.join(map(static_text, items))}]"
    return str(value) if isinstance(value, Dim) else "..." if value == "..." else describe(value)


# ---- layout ----------------------------------------------------------------------------------------------------------


def _section(title: str, rows: Rows) -> str:
    if not rows:
        return ""
    columns = max(map(len, rows))
    widths = [max((len(row[at]) for row in rows if at + 1 < len(row)), default=0) for at in range(columns)]
    lines = [
        "  ".join(cell.ljust(widths[at]) for at, cell in enumerate(row)).rstrip() if len(row) > 1 else row[0]
        for row in rows
    ]
    return f"{title}\n" + _indented("\n".join(lines))


def _indented(text: str) -> str:
    return "\n".join(f"{_INDENT}{line}" if line else "" for line in text.splitlines())
