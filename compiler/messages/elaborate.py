"""Messages of elaboration: names, application, shapes (E02xx, E03xx), one function a message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..sizes.dims import Size
from ..sizes.types import TensorType, shape_text
from .diagnostics import Diagnostic, Label
from .names import nearest
from .source import Source, Span

if TYPE_CHECKING:
    from ..catalogue.ops.base import Rejected
    from ..elaborate.elaborator import Context
    from .statics import StaticError


def _mean(near: str | None) -> tuple[str, ...]:
    return (f"did you mean `{near}`?",) if near else ()


def _listed(names: Iterable[str], most: int = 8) -> str:
    known = list(names)
    shown = ", ".join(f"`{name}`" for name in known[:most])
    return shown + (f" and {len(known) - most} more" if len(known) > most else "")


def _needed(required: Span | None, what: str = "") -> tuple[Label, ...]:
    text = "given here" if what.startswith(("output ", "the result")) else "required here"
    return (Label(required, text),) if required is not None else ()


def _shown(value: Any) -> str:
    from ..elaborate.values import text

    return text(value)


# ---- from other layers ---------------------------------------------------------------------------------------------


def static(error: StaticError, span: Span, context: Context) -> Diagnostic:
    """A static computation that failed, at its place."""
    return Diagnostic(error.code, error.message, span, error.label, helps=tuple(error.helps))


def rejected(rejected: Rejected, spelled: str, span: Span) -> Diagnostic:
    """An operator's rule that does not hold."""
    return Diagnostic(rejected.code, rejected.message, span, rejected.label, notes=rejected.notes, helps=rejected.helps)


def instantiated(name: str, source: Source, span: Span, path: str) -> str:
    """The note that says where the block around a mistake was used."""
    line, _ = source.position(span.start)
    where = f"in `{name}` instantiated at {source.name}:{line}"
    return f"{where} as `{path.replace('#', '')}`" if path else where


def given(settings: Sequence[tuple[str, str]]) -> str:
    """The note that says which values were given from outside: (as written, where)."""
    return "with " + ", ".join(f"`{written}` ({where})" for written, where in settings)


#: PyTorch's and NumPy's words for ours.
DTYPE_HABITS = {
    "half": "f16", "float16": "f16", "bfloat16": "bf16", "float": "f32", "float32": "f32", "double": "f64",
    "float64": "f64", "int8": "i8", "int16": "i16", "short": "i16", "int": "i64", "int32": "i32", "int64": "i64",
    "long": "i64", "uint8": "u8", "byte": "u8",
}  # fmt: skip


def overridden(name: str, source: Source, span: Span) -> str:
    """The note that names the file that replaced a block of another."""
    line, _ = source.position(span.start)
    return f"`{name}` is overridden in {source.name}:{line}"


# ---- names ---------------------------------------------------------------------------------------------------------


def unknown_name(name: str, span: Span, near: str | None) -> Diagnostic:
    return Diagnostic("E0301", f"unknown name `{name}`", span, "nothing is called so here", helps=_mean(near))


def unknown_size(name: str, span: Span, known: Sequence[str], *, names_new: bool) -> Diagnostic:
    alike = [k for k in known if name.startswith(k) or k.startswith(name) or name.lower() == k.lower()]
    near = nearest(name, known) or (alike[0] if len(alike) == 1 else None)
    helps = _mean(near) or ((f"known here: {_listed(known)}",) if known else ())
    if names_new:
        capital = f"a new size is capitalised: `{name[0].upper()}{name[1:]}`"
        return Diagnostic(
            "E0301", f"unknown size `{name}`", span, "no size of this name", helps=(*_mean(near), capital)
        )
    note = ("only inputs and the left side of `=>` name new sizes",)
    return Diagnostic("E0301", f"unknown size `{name}`", span, "no size of this name", notes=note, helps=helps)


def training_as_value(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "`training` is no value",
        span,
        "decided by what the model is used for",
        helps=("it stands in conditions: `if training { .. } else { .. }`",),
    )


def unknown_stage(name: str, span: Span, near: str | None) -> Diagnostic:
    return Diagnostic(
        "E0301", f"unknown layer or function `{name}`", span, "no layer, function, block or instance", helps=_mean(near)
    )


def unknown_static_type(name: str, span: Span) -> Diagnostic:
    ours = {"integer": "int", "str": "string", "boolean": "bool", "number": "float", "double": "float"}.get(name)
    helps = _mean(ours) or ("static types are int, float, bool, string, fn, layer, one_of(..), or a layer kind",)
    return Diagnostic("E0301", f"unknown type `{name}`", span, "not a static type", helps=helps)


def unknown_dtype(name: str, span: Span, near: str | None) -> Diagnostic:
    helps = _mean(DTYPE_HABITS.get(name, near)) or ("dtypes are f16 bf16 f32 f64 i8 i16 i32 i64 u8 bool",)
    return Diagnostic("E0301", f"unknown dtype `{name}`", span, "not a dtype", helps=helps)


def unknown_init(name: str, span: Span, near: str | None) -> Diagnostic:
    from ..elaborate.initializers import TABLE

    starts = [entry for entry in TABLE if entry.startswith(name)]
    helps = _mean(near) or (f"there is {_listed(starts or TABLE, 16)}",)
    return Diagnostic("E0301", f"unknown init `{name}`", span, "not in the init table", helps=helps)


def not_an_init(span: Span) -> Diagnostic:
    helps = ("for example `normal(0.02)`, `zeros`, `kaiming_normal`",)
    return Diagnostic("E0304", "this is not an init", span, "expected an entry of the init table", helps=helps)


def hides_size(name: str, span: Span, size: Span) -> Diagnostic:
    return Diagnostic(
        "E0311",
        f"`{name}` is a size of this body already",
        span,
        "a value",
        (Label(size, "a size"),),
        helps=("give the value another name",),
    )


def unused_binding(name: str, span: Span) -> Diagnostic:
    helps = (f"remove it, or write `_{name}` when it is kept on purpose",)
    return Diagnostic("E0309", f"`{name}` is never read", span, "bound and not used", helps=helps)


def value_dropped(span: Span) -> Diagnostic:
    helps = (
        "a line starting with an operator does not continue the one before: end that line with the operator, or use parentheses",
    )
    return Diagnostic("E0309", "this value is not used", span, "computed and dropped", helps=helps)


def no_result(span: Span, bound: Sequence[str] = ()) -> Diagnostic:
    last = f"`{bound[0]}`" if bound else "an expression"
    helps = (f"end the body with {last}; or name the outputs in the signature and assign them",)
    return Diagnostic("E0307", "this body has no result", span, "the last statement is no value", helps=helps)


def output_not_assigned(name: str, span: Span) -> Diagnostic:
    helps = (f"assign it in the body: `{name} = ..`",)
    return Diagnostic("E0307", f"output `{name}` is not assigned", span, "declared here", helps=helps)


def model_outputs_unnamed(name: str, span: Span) -> Diagnostic:
    helps = (f"write `model {name}(..) -> (logits: [B, classes])` and assign `logits` in the body",)
    return Diagnostic("E0307", "the outputs of a model are named", span, "a root's outputs have names", helps=helps)


def ellipsis_here(span: Span) -> Diagnostic:
    return Diagnostic("E0304", "`...` stands for axes, and there are none here", span, "not a value")


def reserved_label(name: str, span: Span) -> Diagnostic:
    why = "names that begin with `_` are reserved" if name.startswith("_") else f"PyTorch or Python reserves `{name}`"
    helps = (f"append an underscore: `{name.lstrip('_')}_`",)
    return Diagnostic("E0312", f"`{name}` cannot be the name of a layer", span, why, helps=helps)


def path_taken(path: str, first: Span, span: Span) -> Diagnostic:
    plain = path.replace("#", "")
    helps = ("give one another label, or bind one instance to share its weights",)
    return Diagnostic(
        "E0306", f"two layers are both called `{plain}`", span, "second", (Label(first, "first"),), helps=helps
    )


def path_inside(path: str, outer: str, first: Span, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0306",
        f"`{path}` would stand inside of `{outer}`, which is a layer or block of its own",
        span,
        "inside",
        (Label(first, f"`{outer}`"),),
        helps=(f"give it a label outside of `{outer}`, or move it into the block",),
    )


def path_around(path: str, first: Span, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0306",
        f"a layer has a label inside of `{path}` already",
        span,
        f"`{path}` is a layer or block of its own",
        (Label(first, "inside"),),
        helps=("give one another label, or move the one inside into the block",),
    )


def unlabelled_again(kind: str, first: Span, span: Span) -> Diagnostic:
    return Diagnostic(
        "W0404",
        f"several `{kind}` without a label: they are named by their order",
        span,
        "a second one",
        (Label(first, "the first"),),
        notes=("inserting one renames those after it, and their weights no longer load",),
        helps=(f"label them: `name: {kind}(..)`",),
    )


def unlabelled_weight(path: str, span: Span) -> Diagnostic:
    plain = path.replace("#", "_")
    return Diagnostic(
        "W0402",
        f"foreign weights are loaded into `{plain}`, a name that follows from the kind",
        span,
        "no label",
        helps=(f"label it, `{plain}: ..`, so that its name is not changed by an edit",),
    )


def branches_share(path: str, training: str, evaluation: str, first: Span, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0310",
        f"the branches of `if training` use `{path.replace('#', '')}` differently",
        span,
        f"`{evaluation}` in evaluation",
        (Label(first, f"`{training}` in training"),),
        helps=("make them equal to share the weights, or give one another label",),
    )


def label_in_repeat(path: str, span: Span) -> Diagnostic:
    helps = (f"put the turn in braces of its own: `label: repeat n {{ {{ {path}: .. }} }}`",)
    return Diagnostic(
        "E0306", f"every turn would have a layer called `{path}`", span, "one path, many turns", helps=helps
    )


def label_on_shape(label: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0313",
        f"a shape cannot be labelled `{label}`",
        span,
        "names a layer, not a value",
        helps=(f"bind the value: `{label} = ..`",),
    )


def lowercase_owns_weights(name: str, span: Span) -> Diagnostic:
    helps = (f"capitals own weights: call it `{name[:1].upper()}{name[1:]}`",)
    return Diagnostic("E0314", f"block `{name}` owns parameters", span, "lower case never does", helps=helps)


# ---- application ---------------------------------------------------------------------------------------------------


def not_applicable(name: str, value: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"`{name}` is a value, not a stage",
        span,
        f"it is {_kind(value)}",
        helps=("to combine values write `x + y`, `concat(x, y, axis = 1)`",),
    )


def _kind(value: Any) -> str:
    from ..elaborate.values import Callable, Instance, Outputs, Tensor

    if isinstance(value, Tensor):
        return f"`{value.type}`"
    if isinstance(value, Outputs):
        return f"the outputs of `{value.of}`"
    if isinstance(value, Instance):
        return f"an instance of `{value.callable.spelled}`"
    if isinstance(value, Callable):
        return f"the {'function' if value.is_function else 'layer'} `{value.spelled}`"
    return f"`{_shown(value)}`"


def cannot_call(span: Span) -> Diagnostic:
    return Diagnostic("E0303", "this cannot be called", span, "not a function")


def instance_called(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"`{name}` is an instance and is applied by a pipe",
        span,
        "called here",
        helps=(f"write `x -> {name}`",),
    )


def instance_labelled(name: str, span: Span) -> Diagnostic:
    return Diagnostic("E0303", f"`{name}` has a path already", span, "a second label", helps=(f"write `-> {name}`",))


def instance_select(name: str, output: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "an output is selected from the result",
        span,
        "selected from the instance",
        helps=(f"write `(x -> {name}).{output}`",),
    )


def instance_arguments(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"`{name}` is made already: only inputs by name may follow it",
        span,
        "a positional argument",
        helps=(f"further inputs go by name: `x -> {name}(memory = m)`",),
    )


def dotted_stage(path: str, span: Span) -> Diagnostic:
    last = path.rpartition(".")[2]
    return Diagnostic("E0303", f"`{path}` cannot be applied", span, "a stage is one name", helps=(f"write `{last}`",))


def constructor_as_value(name: str, span: Span, is_function: bool) -> Diagnostic:
    if is_function:
        return function_bound(name, span)
    return Diagnostic(
        "E0303",
        f"`{name}` needs an input",
        span,
        "made here, fed by nothing",
        helps=(f"feed it: `x -> {name}(..)`, or bind it first: `name = {name}(..)`",),
    )


def function_bound(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303", f"`{name}` is a function and needs its argument", span, "not a value", helps=(f"write `x -> {name}`",)
    )


def not_applied_yet(path: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"the weights of `{path}` are not known yet",
        span,
        "read before it is applied",
        helps=("apply it first: its sizes follow from its input",),
    )


def unknown_argument(callee: str, name: str, known: Sequence[str], span: Span, near: str | None) -> Diagnostic:
    takes = f"it takes {_listed(known)}" if known else "it takes no arguments"
    # `padding`, `kernel_size`, `num_classes`: another library's longer word for ours.
    near = near or next((k for k in known if len(k) > 2 and (name.startswith(k) or k in name.split("_"))), None)
    return Diagnostic("E0304", f"`{callee}` has no argument `{name}`", span, "unknown", helps=_mean(near) or (takes,))


def missing_argument(callee: str, name: str, span: Span, declared: Span | None) -> Diagnostic:
    labels = (Label(declared, "declared without default"),) if declared is not None else ()
    return Diagnostic(
        "E0304", f"`{callee}` needs `{name}`", span, f"`{name}` is missing", labels, helps=(f"add `{name} = ..`",)
    )


def argument_twice(callee: str, name: str, span: Span) -> Diagnostic:
    return Diagnostic("E0304", f"`{name}` of `{callee}` is given twice", span, "again")


def too_many_arguments(callee: str, most: int, found: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", f"`{callee}` takes {most} positional argument{'s' * (most != 1)}, {found} given", span, "too many"
    )


def too_many_inputs(callee: str, most: int, found: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", f"`{callee}` takes {most} input{'s' * (most != 1)}, {found} piped", span, "too many values"
    )


def input_missing(callee: str, name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"input `{name}` of `{callee}` is not fed",
        span,
        f"`{name}` is missing",
        helps=(f"pipe it, or give it by name: `{name} = ..`",),
    )


def input_not_tensor(callee: str, name: str, value: Any, span: Span) -> Diagnostic:
    return Diagnostic("E0304", f"input `{name}` of `{callee}` must be a tensor", span, f"it is {_kind(value)}")


def wrong_argument(callee: str, name: str, expected: str, value: Any, span: Span) -> Diagnostic:
    return Diagnostic("E0304", f"`{name}` of `{callee}` must be {expected}", span, f"it is {_kind(value)}")


def wrong_static(name: str, expected: str, value: Any, span: Span, near: str | None = None) -> Diagnostic:
    return Diagnostic("E0304", f"`{name}` must be {expected}", span, f"it is {_kind(value)}", helps=_mean(near))


def not_static(span: Span, what: str) -> Diagnostic:
    return Diagnostic("E0208", f"{what} must be static", span, "depends on data")


def data_condition(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "a condition cannot depend on data",
        span,
        "known only when the model runs",
        helps=("choose between tensors with `where(c, a, b)`",),
    )


def inverted_mode(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "write the training branch first",
        span,
        "true in evaluation only",
        helps=("`if training { .. } else { .. }`",),
    )


def several_outputs(of: str, names: list[str], span: Span) -> Diagnostic:
    return Diagnostic(
        "E0305",
        f"`{of}` has several outputs, one is needed",
        span,
        f"outputs {_listed(names)}",
        helps=(f"select one: `.{names[0]}`",),
    )


def tuple_as_tensor(count: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0305", f"{count} values where one is needed", span, "a tuple", helps=("unpack it: `[a, b] = ..`",)
    )


def not_a_tensor(value: Any, span: Span) -> Diagnostic:
    return Diagnostic("E0303", "a tensor is needed here", span, f"this is {_kind(value)}")


def operator_on_tensors(op: str, span: Span) -> Diagnostic:
    return Diagnostic("E0303", f"`{op}` does not work on tensors", span, "an operator of static values")


def unknown_output(of: str, name: str, known: list[str], span: Span, near: str | None) -> Diagnostic:
    return Diagnostic("E0301", f"`{of}` has no output `{name}`", span, f"outputs {_listed(known)}", helps=_mean(near))


def nothing_to_select(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0301", f"no output `{name}`: there is only one", span, "nothing to select", helps=("leave it out",)
    )


def attribute_of_tensor(name: str, span: Span) -> Diagnostic:
    if name in ("shape", "size", "ndim", "dim"):
        helps = ("sizes have names in the signature: `x: [B, T, D]`, and then `T` is a number",)
    elif name in ("y", "h", "c"):
        helps = ("this is one tensor already: leave it out",)
    else:
        helps = ("`.T` swaps the last two axes; functions stand in a stage, `x -> relu`",)
    return Diagnostic("E0301", f"a tensor has no `{name}`", span, "unknown", helps=helps)


def attribute_of(value: Any, name: str, span: Span) -> Diagnostic:
    return Diagnostic("E0301", f"no `{name}` here", span, f"the value is {_kind(value)}")


def unknown_parameter(path: str, name: str, known: Sequence[str], span: Span, near: str | None) -> Diagnostic:
    helps = _mean(near) or ((f"it has {_listed(known)}",) if known else ())
    return Diagnostic("E0301", f"`{path}` has no parameter `{name}`", span, "unknown", helps=helps)


def unpack_outputs(of: str, names: list[str], span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202",
        "named outputs are not unpacked by position",
        span,
        f"outputs {_listed(names)}",
        helps=(f"bind them: `r = ..`, then `r.{names[0]}`",),
    )


def unpack_axis(type: TensorType, span: Span) -> Diagnostic:
    helps = ("another axis is taken apart by `x -> unbind(axis = 1)` or `x -> chunk(2, axis = -1)`",)
    return Diagnostic("E0202", f"`{type}` cannot be unpacked", span, "its first axis has no concrete size", helps=helps)


def unpack_count(names: int, values: int, span: Span) -> Diagnostic:
    helps = ("`_` skips a value",) if names < values else ()
    message = f"{names} name{'s' * (names != 1)} for {values} value{'s' * (values != 1)}"
    return Diagnostic("E0202", message, span, "counts differ", helps=helps)


def unpack_other(value: Any, span: Span) -> Diagnostic:
    return Diagnostic("E0202", "this value cannot be unpacked", span, f"it is {_kind(value)}")


def index_by_tensor(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208", "an index must be static", span, "a tensor", helps=("select by a tensor with `gather` or `take`",)
    )


def not_indexable(value: Any, span: Span) -> Diagnostic:
    return Diagnostic("E0303", "this value has no axes to index", span, f"it is {_kind(value)}")


def recursion(name: str, span: Span) -> Diagnostic:
    return Diagnostic("E0105", f"block `{name}` contains itself", span, "no end", helps=("use `repeat n { .. }`",))


def too_many_instances(span: Span) -> Diagnostic:
    return Diagnostic("E0316", "more than 100k instances", span, "too many layers")


def too_many_versions(name: str, most: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0316",
        f"`{name}` is used with more than {most:,} different settings or inputs",
        span,
        "each would be checked on its own",
        helps=("uses with equal settings and inputs are checked once",),
    )


def negative_count(count: int, span: Span) -> Diagnostic:
    return Diagnostic("E0304", f"`repeat` takes a count of 0 or more, not {count}", span, "negative")


def not_a_list(value: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "`for` takes a list or a range", span, f"this is {_kind(value)}", helps=("`for i in 0..n { .. }`",)
    )


def for_count(names: int, item: Any, span: Span) -> Diagnostic:
    return Diagnostic("E0202", f"an item does not give {names} values", span, f"`{_shown(item)}`")


def turn_count(before: int, after: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202", f"a turn takes {before} value{'s' * (before != 1)} and returns {after}", span, "counts differ"
    )


def shared_differs(path: str, before: Any, now: Any, span: Span, first: Span) -> Diagnostic:
    message = f"`{path}.{now.name if hasattr(now, 'name') else now.leaf}` would have two shapes"
    label = f"here {shape_text(now.shape)}, before {shape_text(before.shape)}"
    return Diagnostic(
        "E0302",
        message,
        span,
        label,
        (Label(first, "made here"),),
        helps=("all uses of a shared layer see inputs of one width",),
    )


def between(found: Diagnostic, operator: Span, sides: Sequence[tuple[Span, TensorType]]) -> Diagnostic:
    """A mistake of two operands, with the operator and the type of each side."""
    labels = tuple(Label(span, f"`{type}`") for span, type in sides)
    return replace(found, span=operator, labels=labels)


# ---- shapes --------------------------------------------------------------------------------------------------------


def size_differs(
    what: str,
    declared: Size,
    size: Size,
    axis: int,
    actual: TensorType,
    span: Span,
    required: Span | None,
    value: str,
    source: Span | None = None,
) -> Diagnostic:
    label = f"axis {axis}; {value} is `{actual}`"
    labels = (*_needed(required, what), *_made(source, actual))
    return Diagnostic("E0201", f"{what}: expected {declared}, found {size}", span, label, labels)


def _made(source: Span | None, type: TensorType) -> tuple[Label, ...]:
    return (Label(source, f"`{type}` comes from here"),) if source is not None else ()


def size_too_small(size: int, span: Span) -> Diagnostic:
    return Diagnostic("E0201", f"a size is at least 1, and this is {size}", span, f"{size}")


def size_too_large(why: str, span: Span) -> Diagnostic:
    """A symbolic size beyond what the algebra holds."""
    return Diagnostic("E0105", f"this computes {why}", span, "too large")


def size_unproved(
    what: str,
    declared: Size,
    size: Size,
    axis: int,
    actual: TensorType,
    span: Span,
    required: Span | None,
    fact: str | None,
) -> Diagnostic:
    helps = (f"they are equal when this holds: `require {fact}`",) if fact else ("say the missing fact with `require`",)
    return Diagnostic(
        "E0207",
        f"{what}: cannot prove that `{size}` equals `{declared}`",
        span,
        f"axis {axis}; the tensor is `{actual}`",
        _needed(required, what),
        helps=helps,
    )


def rank_differs(
    what: str,
    expected: int,
    actual: TensorType,
    span: Span,
    required: Span | None,
    at_least: bool = False,
    source: Span | None = None,
) -> Diagnostic:
    axes = f"{'at least ' if at_least else ''}{expected} ax{'is' if expected == 1 else 'es'}"
    labels = (*_needed(required, what), *_made(source, actual))
    return Diagnostic(
        "E0202", f"{what}: expected {axes}, found {actual.rank}", span, f"the tensor is `{actual}`", labels
    )


def dtype_differs(what: str, expected: str, actual: TensorType, span: Span, required: Span | None) -> Diagnostic:
    helps = (f"convert it in the open: `-> cast({expected})`",)
    return Diagnostic(
        "E0204",
        f"{what}: expected {expected}, found {actual.dtype}",
        span,
        f"the tensor is `{actual}`",
        _needed(required, what),
        helps=helps,
    )


def open_model_input(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0308", "an input of a model states every axis", span, "open", helps=("give the axis a name: `T`",)
    )


def input_without_type(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", f"input `{name}` needs a type", span, "no type", helps=(f"`{name}: [B, 8]`, `{name}: i64[B, T]`",)
    )


def not_divisible(size: Size, parts: Size, axis: int, actual: TensorType, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0206",
        f"`{size}` is not a multiple of `{parts}`",
        span,
        f"axis {axis}; the tensor is `{actual}`",
        helps=(f"choose sizes so that {parts} divides {size}",),
    )


def rearrange_unknown(key: str, span: Span, left: list[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{key}` does not stand on the left of `=>`",
        span,
        f"left over: {_listed(left)}" if left else "used up",
        helps=_mean(left[0] if len(left) == 1 else nearest(key, left)),
    )


def rearrange_dropped(key: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202",
        f"axis `{key}` is missing on the right of `=>`",
        span,
        "every axis goes somewhere",
        helps=("a rearrangement moves axes; reduce them with `mean`, `sum`, ..",),
    )


def rearrange_two_unknown(first: str, second: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0207",
        f"`{first}` and `{second}` are both unknown",
        span,
        "at most one in a group",
        helps=(f"give one as a number or static: `({first.lower()}, {second})`",),
    )


def rearrange_underscore(span: Span) -> Diagnostic:
    return Diagnostic("E0301", "`_` cannot be rearranged", span, "give the axis a name")


def branches_differ(first: list[TensorType], second: list[TensorType], span: Span) -> Diagnostic:
    one, two = ", ".join(map(str, first)), ", ".join(map(str, second))
    return Diagnostic(
        "E0201", "the branches of `if training` differ in type", span, f"training `{one}`, evaluation `{two}`"
    )


def claim_fails(left: Size, op: str, right: Size, message: str | None, span: Span) -> Diagnostic:
    return Diagnostic("E0210", message or f"`{left} {op} {right}` does not hold", span, f"{left} against {right}")


def requirement(message: str | None, span: Span, names: dict[str, Any]) -> Diagnostic:
    notes = (", ".join(f"{name} = {_shown(value)}" for name, value in names.items()),) if names else ()
    return Diagnostic("E0210", message or "this requirement does not hold", span, "does not hold", notes=notes)


# ---- init rules and parameters -------------------------------------------------------------------------------------


def not_a_selector(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0402",
        "this is not a selector",
        span,
        "selects nothing",
        helps=('selectors are `"glob"`, `Kind.weight` and `rank < 2`',),
    )


def selector_matches_nothing(text: str, span: Span, near: str | None, paths: Sequence[str]) -> Diagnostic:
    heads = sorted({path.split(".")[0] for path in paths})
    helps = _mean(near) or ((f"parameters start with {_listed(heads)}",) if heads else ())
    return Diagnostic("E0402", "this selector matches no parameter", span, helps=helps)


def parameter_without_init(path: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0409",
        f"parameter `{path}` has no init",
        span,
        "no first value",
        helps=("`Param(shape, init = normal(0.02))`, or an `init` rule that selects it",),
    )


# ---- scan ----------------------------------------------------------------------------------------------------------


def scan_argument(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`scan` takes named sequences and carries",
        span,
        "no name",
        helps=("`scan(axis = 1, x_t = x, h = carry(zeros([B, n])))`",),
    )


def carry_argument(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "`carry` takes the start value", span, "one argument", helps=("`h = carry(zeros([B, n]))`",)
    )


def scan_without_sequence(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "`scan` needs a sequence", span, "nothing to run along", helps=("`scan(axis = 1, x_t = x, ..)`",)
    )


def scan_axis(axis: int, name: str, type: TensorType, span: Span) -> Diagnostic:
    return Diagnostic("E0202", f"`{name}` has no axis {axis}", span, f"it is `{type}`")


def scan_lengths(first: Size, second: Size, name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0201", f"the sequences of a `scan` differ in length: {first} and {second}", span, f"`{name}` differs"
    )


def not_in_scan(span: Span) -> Diagnostic:
    return Diagnostic("E0104", "a `scan` body holds no `emit` and no `init`", span, "not here")


def carry_not_assigned(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0307", f"carry `{name}` is not assigned", span, "every carry gets its next value", helps=(f"`{name} = ..`",)
    )


def carry_changes(name: str, before: TensorType, after: TensorType, span: Span) -> Diagnostic:
    return Diagnostic("E0201", f"carry `{name}` changes its type", span, f"`{before}` becomes `{after}`")
