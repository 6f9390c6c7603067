"""A sample of an operator as a program in the language: the example that the reference page shows and a test runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..sizes.dims import Dim, var, variables
from ..sizes.facts import NO_FACTS
from ..sizes.types import TensorType
from .explain import static_text, written
from .ops.base import Layer, Op, Operand, Sample
from .ops.notation import Constant
from .ops.sampling import bind, input_names, named, operands, size_names

_LONGEST = 110


def program(operator: type[Op], sample: Sample) -> str:
    """`model Example(x: [B, 4]) -> (y: [B, 3]) { .. }`. Computed sizes of outputs are written `_`.

    Empty for a number, which becomes a tensor only next to one.
    """
    if operator is Constant:
        return ""
    sizes = {name: var(name) for name in sample.sizes}
    rule = bind(operator, sample, sizes)
    given = operands(sample, sizes)
    types = operator.operand_types(given)
    results = named(rule.infer(NO_FACTS, *types))
    texts = dict(zip(input_names(operator, len(given)), map(_operand, given), strict=True))
    texts = {name: _plain(name) if text is None else text for name, text in texts.items()}
    inputs = {
        text: operand for text, operand in zip(texts.values(), given, strict=True) if isinstance(operand, TensorType)
    }
    carried = {name for tensor in inputs.values() for size in tensor.shape for name in variables(size)}
    missing = sorted((size_names(rule.values) | size_names(given)) - carried)
    if missing or not inputs:
        inputs["like"] = TensorType("f32", tuple(map(var, missing)))
    use = written(operator, [*texts.values()], rule, types) if operator.syntax else _use(operator, rule, sample, texts)
    return _model(inputs, results, use)


def _model(inputs: Mapping[str, TensorType], results: Mapping[str, TensorType], use: str) -> str:
    numbered = all(name.startswith("out") for name in results)
    if len(results) == 1:
        outputs = {"z" if "y" in inputs else "y": next(iter(results.values()))}
    else:
        outputs = {_letter(at) if numbered else name: type for at, (name, type) in enumerate(results.items())}
    names = [*outputs]
    if len(names) == 1:
        lines = [f"{names[0]} = {use}"]
    elif numbered:
        lines = [f"[{', '.join(names)}] = {use}"]
    else:
        lines = [f"made = {use}", *(f"{name} = made.{name}" for name in names)]
    taken = ", ".join(f"{name}: {_type(tensor)}" for name, tensor in inputs.items())
    made = ", ".join(f"{name}: {_type(tensor, computed=True)}" for name, tensor in outputs.items())
    head = f"model Example({taken}) -> ({made}) {{"
    if len(lines) == 1 and len(head) + len(lines[0]) + 3 <= _LONGEST:
        return f"{head} {lines[0]} }}"
    return "\n".join([head, *(f"  {line}" for line in lines), "}"])


def _use(operator: type[Op], rule: Op, sample: Sample, texts: Mapping[str, str]) -> str:
    """Layers and functions of one tensor are stages of a pipeline, functions of several are called."""
    present = {name: text for name, text in texts.items() if text != "none"}
    layer = issubclass(operator, Layer)
    if not layer and len(present) > 1:
        return f"{operator.name}({', '.join([*present.values(), *_arguments(operator, rule, sample, 0)])})"
    first, *rest = present.items() if present else [("", "")]
    arguments = _arguments(operator, rule, sample, 1 if present and not layer else len(operator.arguments))
    groups = {name: group for group, names in operator.tensor_groups.items() for name in names}
    given: dict[str, list[str]] = {}
    for name, text in rest:
        given.setdefault(groups.get(name, name), []).append(text)
    arguments += [f"{name} = {_tuple(values)}" for name, values in given.items()]
    kind = f"{operator.name}({', '.join(arguments)})" if arguments else operator.name
    return f"{first[1]} -> {kind}" if first[1] else kind


def _arguments(operator: type[Op], rule: Op, sample: Sample, positional: int) -> list[str]:
    """Those that differ from their default; the first `positional` required ones without their names."""
    found: list[str] = []
    for at, (name, kind, default) in enumerate(operator.arguments):
        if name not in sample.args or rule.values[name] == default:
            continue
        value = rule.values[name]
        text = value if kind == "DType" else static_text(value)
        found.append(text if default is Op.MISSING and at < positional else f"{name} = {text}")
    return found


def _tuple(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _operand(operand: Operand) -> str | None:
    """How a number, a size or an absent tensor is written; None for a tensor, which has a name."""
    return None if isinstance(operand, TensorType) else static_text(operand)


def _plain(name: str) -> str:
    """`parts_0` -> `a`: what a person would call the parts."""
    stem, _, number = name.rpartition("_")
    return _letter(int(number)) if stem and number.isdigit() else name


def _letter(at: int) -> str:
    return "abcdefgh"[at]


def _type(tensor: TensorType, *, computed: bool = False) -> str:
    sizes = ", ".join("_" if computed and _is_computed(size) else str(size) for size in tensor.shape)
    return f"{'' if tensor.dtype == 'f32' else tensor.dtype}[{sizes}]"


def _is_computed(size: Dim | int) -> bool:
    return isinstance(size, Dim) and str(size) not in variables(size)


__all__ = ["program"]
