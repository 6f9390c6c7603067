"""E0301: names that are not defined where they are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .habits import LITERALS, suggest
from .names import nearest
from .source import Span
from .wording import kind, listed, meant

#: PyTorch's and NumPy's words for ours.
DTYPE_HABITS = {
    "half": "f16", "float16": "f16", "bfloat16": "bf16", "float": "f32", "float32": "f32", "double": "f64",
    "float64": "f64", "int8": "i8", "int16": "i16", "short": "i16", "int": "i64", "int32": "i32", "int64": "i64",
    "long": "i64", "uint8": "u8", "byte": "u8", "Tensor": "f32", "tensor": "f32",
}  # fmt: skip


def not_applied(name: str, span: Span, inputs: Sequence[str]) -> Diagnostic:
    """A loss or metric without what it is computed from."""
    return Diagnostic(
        "E0303",
        f"`{name}` needs what it is computed from",
        span,
        "not applied",
        helps=(f"write `{name}({', '.join(inputs)})`, with an output of the model and a field of the data",),
    )


def unknown_name(name: str, span: Span, near: str | None) -> Diagnostic:
    helps = suggest(name, near) or ("bind it before it is read, or declare it among the inputs or settings",)
    return Diagnostic("E0301", f"unknown name `{name}`", span, "not defined here", helps=helps)


def label_as_name(name: str, span: Span, layer: str, path: str, label: Span) -> Diagnostic:
    bind = f"bind the layer first, `{name} = {layer}(..)`, and apply it with `x -> {name}`"
    return Diagnostic(
        "E0301",
        f"`{name}` is a label, not a name",
        span,
        "not defined here",
        (Label(label, f"`{path}` is the path of these weights"),),
        helps=(f"{bind}; then `{name}` and `{name}.weight` can be read",),
    )


def left_in_branch(name: str, span: Span, branch: Span) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{name}` is not known here",
        span,
        "bound in a branch of an `if` alone",
        (Label(branch, f"binds `{name}`"),),
        helps=(f"bind `{name}` in every branch, `else` included, or before the `if`",),
    )


def unknown_size(name: str, span: Span, known: Sequence[str], *, names_new: bool) -> Diagnostic:
    alike = [k for k in known if name.startswith(k) or k.startswith(name) or name.lower() == k.lower()]
    near = nearest(name, known) or (alike[0] if len(alike) == 1 else None)
    helps = meant(near) or ((f"known here: {listed(known)}",) if known else ())
    if names_new and name in LITERALS:
        help = "an axis of any size has a name, such as the `B` of `[B, 8]`"
        return Diagnostic("E0301", f"unknown size `{name}`", span, "no such size", helps=(help,))
    if names_new:
        capital = f"new sizes are capitalised: `{name[0].upper()}{name[1:]}`"
        return Diagnostic("E0301", f"unknown size `{name}`", span, "no such size", helps=(*meant(near), capital))
    note = ("new sizes are named only by inputs and on the left of `=>`",)
    return Diagnostic("E0301", f"unknown size `{name}`", span, "no such size", notes=note, helps=helps)


def unknown_stage(name: str, span: Span, near: str | None, *, is_output: bool = False) -> Diagnostic:
    """`is_output`: an output of the body has this name."""
    named = (f"a value gets its name in front: `{name} = x -> ..`",) if is_output else ()
    return Diagnostic(
        "E0301",
        f"unknown layer or function `{name}`",
        span,
        "not a layer, function, block or instance",
        helps=named
        or suggest(name, near)
        or (f"define it, `block {name}(x: [B, D]) -> [B, D] {{ .. }}`, or import it from another spec",),
    )


def unknown_static_type(name: str, span: Span, near: str | None = None) -> Diagnostic:
    ours = {"integer": "int", "str": "string", "boolean": "bool", "number": "float", "double": "float"}.get(
        name.lower(), near
    )
    shaped = "" if ours or not name[:1].isupper() else "an input is declared with its shape, `x: [B, 8]`; "
    helps = meant(ours) or (
        f"{shaped}static types are int, float, bool, string, fn, layer, one_of(..), or a layer kind",
    )
    return Diagnostic("E0301", f"unknown type `{name}`", span, "not a static type", helps=helps)


def unknown_dtype(name: str, span: Span, near: str | None) -> Diagnostic:
    helps = meant(DTYPE_HABITS.get(name, near)) or ("dtypes are f16 bf16 f32 f64 i8 i16 i32 i64 u8 bool",)
    return Diagnostic("E0301", f"unknown dtype `{name}`", span, "not a dtype", helps=helps)


def unknown_output(of: str, name: str, known: list[str], span: Span, near: str | None) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{of}` has no output `{name}`",
        span,
        f"outputs {listed(known)}",
        helps=meant(near) or ("read one of its outputs",),
    )


def nothing_to_select(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0301", f"no output `{name}`: there is only one output", span, "nothing to select", helps=("leave it out",)
    )


def attribute_of_tensor(name: str, span: Span) -> Diagnostic:
    if name in ("shape", "size", "ndim", "dim"):
        helps = ("name the sizes in the signature, `x: [B, T, D]`; then `T` is a number",)
    elif name in ("y", "h", "c"):
        helps = ("this is already a single tensor: leave it out",)
    else:
        helps = ("`.T` swaps the last two axes; functions are applied as a stage, `x -> relu`",)
    return Diagnostic("E0301", f"a tensor has no attribute `{name}`", span, "unknown", helps=helps)


def attribute_of(value: Any, name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"no `{name}` here",
        span,
        f"the value is {kind(value)}",
        helps=("tensors (`x.T`), instances (`fc.weight`) and several outputs (`r.h`) have parts",),
    )


def unknown_parameter(path: str, name: str, known: Sequence[str], span: Span, near: str | None) -> Diagnostic:
    helps = meant(near) or ((f"it has {listed(known)}",) if known else ())
    return Diagnostic("E0301", f"`{path}` has no parameter `{name}`", span, "unknown", helps=helps)


def hides_size(name: str, span: Span, size: Span) -> Diagnostic:
    return Diagnostic(
        "E0311",
        f"`{name}` is already a size in this body",
        span,
        "a value",
        (Label(size, "a size"),),
        helps=("give the value another name",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0301": Explanation(
            "unknown name, parameter or size",
            "The name is not defined here. Similar names are suggested. New sizes are named only by inputs and on the left of `=>`.",
            programs.body("y = x -> ReLU"),
            programs.body("y = x -> relu"),
        ),
    }
