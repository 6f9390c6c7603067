"""`train`: the nets, what feeds them, losses, metrics, parameters to train, and what is logged."""

from __future__ import annotations

from collections.abc import Sequence

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span
from .wording import meant, spaced


def not_a_root(span: Span, what: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"{what} names a model, maybe with arguments",
        span,
        "not a model",
        helps=("for example `model = Mlp` or `model = Mlp(hidden = 32)`",),
    )


def no_net(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0408",
        "`train` trains nothing",
        span,
        "no model",
        helps=("`model = Mlp`, or several nets with `let gen = Generator()`",),
    )


def input_unfed(
    span: Span, model: str, name: str, type: str, near: str | None, fields: Sequence[str], data: str, place: Span
) -> Diagnostic:
    help = f"`inputs {{ {name} = {near or (fields[0] if fields else 'field')} }}` feeds it another field"
    return Diagnostic(
        "E0404",
        f"nothing feeds input `{name}` of `{model}`",
        span,
        f"`{data}` has no field `{name}`",
        (Label(place, f"`{type}`"),),
        notes=(f"`{data}` has: {spaced(fields)}",),
        helps=(help,),
    )


def inputs_unknown(span: Span, model: str, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{model}` has no input `{name}`",
        span,
        "unknown input",
        helps=meant(near) or (f"its inputs: {spaced(known)}",),
    )


def field_unknown(span: Span, data: str, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{data}` has no field `{name}`",
        span,
        "unknown field",
        helps=meant(near) or (f"its fields: {spaced(known)}",),
    )


def namespace_clash(span: Span, name: str, one: str, other: str, first: Span, helps: tuple[str, ...]) -> Diagnostic:
    return Diagnostic("E0311", f"`{name}` is both {one} and {other}", span, one, (Label(first, other),), helps=helps)


def loss_not_scalar(span: Span, name: str, type: str) -> Diagnostic:
    return Diagnostic(
        "E0203", f"the loss `{name}` is `{type}`, not a number", span, "not reduced", helps=("`mean(..)` reduces it",)
    )


def not_a_loss(span: Span, name: str, found: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{name}` is {found}, not computed from the model", span, "constant")


def unknown_emit(span: Span, net: str, name: str, near: str) -> Diagnostic:
    return Diagnostic("E0301", f"`{net}` has neither a layer nor an emit `{name}`", span, "unknown", helps=meant(near))


def emit_without_use(span: Span, net: str, name: str) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{net}` emits `{name}` when it is applied, and nothing applies it above",
        span,
        "no value yet",
        helps=(f"bind the application: `let y = x -> {net}`",),
    )


def emits_differ(span: Span, name: str, one: str, other: str) -> Diagnostic:
    return Diagnostic(
        "E0201",
        f"`{name}` is emitted as `{one}` and as `{other}`",
        span,
        "types differ",
        helps=("all values of one name have one type: give the two different names",),
    )


def metric_in_loss(span: Span, name: str, near: str | None) -> Diagnostic:
    helps = meant(near) or ("metrics are not trained on: they stand in `metrics { .. }`",)
    return Diagnostic("E0301", f"`{name}` is a metric, not a loss", span, "not a loss", helps=helps)


def metric_mixes(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"the metric `{name}` mixes a figure of the whole split with values of one batch",
        span,
        "mixed",
        helps=("keep the two in metrics of their own",),
    )


def probabilities_into(span: Span, loss: str, producer: str, place: Span, reads: str) -> Diagnostic:
    return Diagnostic(
        "W0401",
        f"`{loss}` takes {reads}, but this is already a probability",
        span,
        "",
        (Label(place, f"`{producer}` here"),),
        helps=(f"drop the {producer}; `export {{ outputs {{ probs = {producer}(logits) }} }}` adds it for inference",),
    )


def across_examples(span: Span, what: str, place: Span, micro: int, batch: int) -> Diagnostic:
    return Diagnostic(
        "W0405",
        f"{what} is computed over each micro-batch of {micro}, not over the batch of {batch}",
        span,
        "smaller than the batch",
        (Label(place, "joins examples"),),
        helps=("on one device: a larger `micro_batch` if memory allows, or a norm that does not join examples",),
    )


#: Folders beside those of the classes that are likely no class.
STRAY = frozenset((
    "all", "backup", "background", "duplicates", "misc", "new", "other", "others", "rejected", "temp", "tmp", "trash",
    "unknown", "unlabeled", "unlabelled", "unsorted",
))  # fmt: skip


def class_count(
    span: Span, field: str, classes: int, axis: int, names: Sequence[str] | None, what: str, place: Span, folder: bool
) -> Diagnostic:
    notes: tuple[str, ...] = (f"the classes: {spaced(names, 12)}",) if names else ()
    helps = [f"`classes = {classes}`"]
    if names and classes > axis and folder:
        stray = [name for name in names if name.lower() in STRAY]
        extra = classes - axis
        listed = ", ".join(f'"{name}"' for name in (stray if len(stray) == extra else names[-extra:]))
        helps.append(f"`skip = [{listed}]` leaves {'one' if extra == 1 else extra} out")
    return Diagnostic(
        "E0205",
        f"{classes} classes, {what} end in {axis}",
        span,
        f"`{field}` has {classes} classes",
        (Label(place, f"`{field}`"),),
        notes=notes,
        helps=(" or ".join(helps),),
    )


def vocabulary(span: Span, field: str, size: int, count: int, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0205",
        f"`{field}` has ids up to {size - 1}, the embedding has {count} rows",
        span,
        f"{count} rows",
        (Label(place, f"`{field}`"),),
        helps=(f"it needs at least {size} rows",),
    )


def batch_not_whole(span: Span, batch: int, micro: int) -> Diagnostic:
    return Diagnostic(
        "E0206",
        f"`batch` is {batch}, which is no multiple of `micro_batch`, {micro}",
        span,
        "not whole",
        helps=(f"for example `batch = {max(batch // micro, 1) * micro}`",),
    )


def selector_matches_nothing(span: Span, text: str, suggestion: str | None, paths: Sequence[str]) -> Diagnostic:
    starts = sorted({path.split(".")[0] for path in paths})
    helps = (f"did you mean `{suggestion}`?",) if suggestion else (f"parameters start with {spaced(starts, 12)}",)
    return Diagnostic("E0402", "this selector matches no parameter", span, "", helps=helps)


def no_such_layer(span: Span, pattern: str, near: str | None, layers: Sequence[str]) -> Diagnostic:
    outermost = [layer for layer in layers if "." not in layer]
    helps = (f"did you mean `{near}`?",) if near else (f"layers are {spaced(outermost, 12)}",)
    return Diagnostic("E0402", f'no layer has the path `"{pattern}"`', span, "matches nothing", helps=helps)


def everything_frozen(span: Span) -> Diagnostic:
    return Diagnostic("E0402", "every parameter is frozen: nothing is left to train", span, "nothing is trained")


def unknown_figure(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    helps = (f"did you mean `val.{near}`?",) if near else (f"there are: {spaced(f'val.{n}' for n in known)}",)
    return Diagnostic("E0301", f"there is no figure `{name}`", span, "not a metric or loss", helps=helps)


def not_a_figure(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "a figure of a split belongs here",
        span,
        "not a figure",
        helps=("for example `val.acc` or `val.loss`",),
    )


def no_direction(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"whether more or less of `{name}` is better does not follow from it",
        span,
        "no direction",
        helps=("follow a built-in metric or the loss",),
    )


def no_split(span: Span, split: str, data: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{data}` has no `{split}` split",
        span,
        "no such split",
        helps=(f"give it a share: `split = random(train = 0.8, {split} = 0.2)`",),
    )


def unknown_logged(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"there is nothing called `{name}` to log",
        span,
        "unknown",
        helps=meant(near) or (f"there are: {spaced(known, 12)}",),
    )


def logged_no_image(span: Span, name: str, type: str) -> Diagnostic:
    return Diagnostic(
        "E0202",
        f"`{name}` is no image",
        span,
        f"it is `{type}`",
        helps=(
            "an image is [B, H, W], or [B, channels, H, W] of one channel or three",
            f"`values = [{name}]` logs its mean",
        ),
    )


def step_net(span: Span, name: str, near: str | None, nets: Sequence[str]) -> Diagnostic:
    helps = meant(near) or ((f"the nets are: {spaced(nets)}",) if nets else ("`let gen = Generator()` makes one",))
    return Diagnostic("E0301", f"there is no net `{name}` to update", span, "not a net", helps=helps)


def unused_let(span: Span, name: str) -> Diagnostic:
    return Diagnostic("W0403", f"`{name}` is never read", span, "unused", helps=("drop it",))


def unused_net(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "W0403",
        f"`{name}` is made and never applied",
        span,
        "unused",
        helps=(f"apply it, `x -> {name}`, or drop the `let`",),
    )


def base_unknown(span: Span, name: str, near: str | None) -> Diagnostic:
    return Diagnostic("E0301", f"the optimizer has no `{name}`", span, "unknown", helps=meant(near))


def base_used(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`base` gives a value that can be multiplied or divided by a number",
        span,
        "nothing else",
        helps=("for example `base.lr / 3`",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0203": Explanation(
            "prediction and target do not pair up",
            "A loss or metric compares two tensors whose shapes would only match by broadcasting; in other libraries this\n"
            "trains on the wrong thing silently. State the class axis, or make the shapes equal.",
            programs.DIABETES,
            programs.DIABETES.replace("Linear(1)", "Linear(1) -> squeeze(-1)").replace("pred: [B, 1]", "pred: [B]"),
        ),
        "E0205": Explanation(
            "class or vocabulary count of the data against the model",
            "The model ends in another number of classes than the data has, or an embedding has fewer rows than the vocabulary\n"
            "that feeds it. A folder that is no class is left out with `skip = [..]`.",
            programs.digits("Linear(10)", "Linear(9)").replace("[B, 10]", "[B, 9]"),
            programs.DIGITS,
        ),
        "E0404": Explanation(
            "model input without a data field",
            "Inputs are fed by the data fields of the same name; `inputs { a = b }` renames.",
            programs.digits("  image: f32", "  picture: f32"),
            programs.DIGITS,
        ),
        "W0401": Explanation(
            "probabilities into a loss that takes logits",
            "`cross_entropy` applies the softmax itself; applying it twice trains, badly.",
            programs.digits("fc: Linear(10)", "fc: Linear(10) -> softmax"),
            programs.DIGITS,
        ),
        "W0403": Explanation(
            "unused `let`",
            "A value of `train` that nothing reads.",
            programs.digits("train {\n", "train {\n  let unused = image * 2\n"),
            programs.DIGITS,
        ),
        "W0405": Explanation(
            "computed across examples of a micro-batch smaller than the batch",
            "Batch statistics and reductions over the batch see one micro-batch, so they change with `micro_batch`.",
            programs.micro_batched(programs.digits("flatten ->", "flatten -> norm: BatchNorm ->")),
            programs.micro_batched(programs.digits("flatten ->", "flatten -> norm: LayerNorm ->")),
        ),
    }
