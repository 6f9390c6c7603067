"""The page of an operator as plain text: what `dlc explain Linear` prints and the reference is made of."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc
from typing import Any, cast

from ...ir.model import Init, Parameter
from ...sizes.dims import Dim, var
from ...sizes.facts import NO_FACTS
from ...sizes.statics import describe
from ...sizes.types import TensorType, shape_text
from .arguments import words
from .base import Layer, Op, Sample
from .notation import Rearrange
from .sampling import bind, named, operands

_INDENT = "  "


def explain(operator: type[Op]) -> str:
    """Signature, documentation, arguments, tensors, parameters, examples, ONNX and paper."""
    parts = [
        f"{signature(operator)}    {_family(operator)}",
        _indented(cleandoc(operator.__doc__ or "")),
        _section("arguments", arguments(operator)),
        _section("tensors", tensors(operator)),
        _section("parameters", parameters(operator)),
        _section("examples", [[example(operator, sample), sample.note] for sample in operator.samples]),
        _section("also", facts(operator)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(operator: type[Op]) -> str:
    """The first sentence of the documentation, for lists."""
    paragraph = cleandoc(operator.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return paragraph.partition(". ")[0].rstrip(".") + "."


def signature(operator: type[Op]) -> str:
    """`attention(q, k, v, mask = none, causal = false, ..)`; of a layer the arguments only, then `; lengths` by name."""
    if operator.syntax:
        return f"{operator.name}, written `{operator.syntax}`"
    given = [f"{name}{_default(default)}" for name, _, default in operator.arguments]
    inputs = [_tensor(name, kind) for name, kind in operator.tensors]
    if issubclass(operator, Layer):
        groups = [*operator.tensor_groups]
        inside = {name for names in operator.tensor_groups.values() for name in names}
        named_tensors = [name for name, kind in operator.tensors if kind == "optional" and name not in inside]
        rest = [*named_tensors, *groups]
        return f"{operator.name}({', '.join(given)}{'; ' + ', '.join(rest) if rest else ''})"
    return f"{operator.name}({', '.join([*inputs, *given])})"


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
    arguments = ", ".join(f"{name} = {static_text(getattr(rule, name))}" for name in sample.args)
    if not operator.syntax:
        use = f"{operator.name}({arguments})" if arguments else operator.name
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


def _family(operator: type[Op]) -> str:
    if operator.syntax:
        return "sign"
    return "layer" if issubclass(operator, Layer) else "function"


def _tensor(name: str, kind: str) -> str:
    return {"one": name, "optional": f"{name} = none", "many": f"{name}, .."}[kind]


def _default(default: Any) -> str:
    return "" if default is Op.MISSING else f" = {describe(default)}"


def arguments(operator: type[Op]) -> list[list[str]]:
    if operator.syntax:
        return []
    return [
        [name, words(kind), "" if default is Op.MISSING else f"default {describe(default)}"]
        for name, kind, default in operator.arguments
    ]


def tensors(operator: type[Op]) -> list[list[str]]:
    said = {"one": "", "optional": "may be absent", "many": "any number"}
    rows = [[name, said[kind]] for name, kind in operator.tensors]
    return [*rows, *([group, f"the tuple ({', '.join(names)})"] for group, names in operator.tensor_groups.items())]


def parameters(operator: type[Op]) -> list[list[str]]:
    """Those of the first example that has any."""
    for sample in operator.samples:
        sizes = {name: var(name) for name in sample.sizes}
        rule = bind(operator, sample, sizes)
        found = rule.parameters(*operator.operand_types(operands(sample, sizes)))
        if found:
            at = example(operator, sample).rpartition(" -> ")[0]
            return [[f"of {at}"], *map(_parameter, found)]
    return []


def _parameter(parameter: Parameter) -> list[str]:
    kind = "buffer" if parameter.buffer else ""
    dtype = "" if parameter.dtype == "f32" else parameter.dtype
    init = static_text(parameter.init) if parameter.init is not None else "no default init"
    return [parameter.name or "(the path itself)", f"{dtype}{shape_text(parameter.shape)}", init, kind]


def facts(operator: type[Op]) -> list[list[str]]:
    rows = [["ONNX", operator.onnx]]
    if operator.has_mode:
        rows.append(["mode", "differs between training and evaluation"])
    if operator.random:
        rows.append(["random", "draws numbers"])
    if operator.paper:
        rows.append(["paper", operator.paper])
    return rows


def _section(title: str, rows: list[list[str]]) -> str:
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


__all__ = ["example", "explain", "signature", "summary"]
