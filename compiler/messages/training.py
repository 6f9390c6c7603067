"""`train`: nets, their inputs, losses, metrics, the parameters to train, and logging."""

from __future__ import annotations

from collections.abc import Sequence

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span
from .wording import listed, meant


def not_a_root(span: Span, what: str, quoted: str | None = None) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"{what} must name a model, optionally with arguments",
        span,
        "not a model",
        helps=(
            f"names are not quoted: `{quoted}`"
            if quoted
            else "for example `model = Mlp` or `model = Mlp(hidden = 32)`",
        ),
    )


def no_net(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0408",
        "`train` trains nothing",
        span,
        "no model",
        helps=("set `model = Mlp`, or make several nets with `let gen = Generator()`",),
    )


def input_unfed(
    span: Span, model: str, name: str, type: str, near: str | None, fields: Sequence[str], data: str, place: Span
) -> Diagnostic:
    another = near or (fields[0] if fields else "")
    help = (
        f"to use another field: `inputs {{ {name} = {another} }}`"
        if another
        else f"give it one: `{name}: .. = source.{name}`"
    )
    return Diagnostic(
        "E0404",
        f"nothing feeds input `{name}` of `{model}`",
        span,
        f"`{data}` has no field `{name}`",
        (Label(place, f"`{type}`"),),
        notes=(f"`{data}` has {listed(fields, 24) if fields else 'no fields'}",),
        helps=(help,),
    )


def inputs_unknown(span: Span, model: str, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{model}` has no input `{name}`",
        span,
        "unknown input",
        helps=meant(near) or (f"its inputs are {listed(known, 24)}",),
    )


def field_unknown(span: Span, data: str, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{data}` has no field `{name}`",
        span,
        "unknown field",
        helps=meant(near) or (f"its fields are {listed(known, 24)}",),
    )


def input_not_a_field(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    example = known[0] if known else "field"
    return Diagnostic(
        "E0303",
        f"input `{name}` is fed by a field of the data, by its name",
        span,
        "not a name",
        helps=(f"write `inputs {{ {name} = {example} }}`; what is computed belongs in the model",),
    )


def namespace_clash(span: Span, name: str, one: str, other: str, first: Span, helps: tuple[str, ...]) -> Diagnostic:
    return Diagnostic("E0311", f"`{name}` is both {one} and {other}", span, one, (Label(first, other),), helps=helps)


def loss_not_scalar(span: Span, name: str, type: str) -> Diagnostic:
    return Diagnostic(
        "E0203",
        f"the loss `{name}` must be a single number, not `{type}`",
        span,
        "not reduced",
        helps=("reduce it with `mean(..)`",),
    )


def not_a_loss(span: Span, name: str, found: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{name}` is {found} and does not depend on the model",
        span,
        "constant",
        helps=("compute it from an output of the model, such as `mse(pred, y)`",),
    )


def unknown_emit(span: Span, net: str, name: str, near: str) -> Diagnostic:
    return Diagnostic("E0301", f"`{net}` has neither a layer nor an emit `{name}`", span, "unknown", helps=meant(near))


def emit_without_use(span: Span, net: str, name: str) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{net}` emits `{name}` when it is applied, but it is not applied above",
        span,
        "no value yet",
        helps=(f"apply it first: `let y = x -> {net}`",),
    )


def emits_differ(span: Span, name: str, one: str, other: str) -> Diagnostic:
    return Diagnostic(
        "E0201",
        f"`{name}` is emitted as `{one}` and as `{other}`",
        span,
        "types differ",
        helps=("give the two different names",),
    )


def not_tokens_of_text(span: Span, metric: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"the targets of `{metric}` are not tokens of a text",
        span,
        "their text has no bytes that could be counted",
        notes=("words of `vocab` and `wordpiece` do not give their text back",),
        helps=("give it a field of characters (`text`), `bpe` or `tokenizer` as it comes from the data",),
    )


def metric_in_loss(span: Span, name: str, near: str | None) -> Diagnostic:
    helps = meant(near) or ("metrics cannot be trained on: put them in `metrics { .. }`",)
    return Diagnostic("E0301", f"`{name}` is a metric, not a loss", span, "not a loss", helps=helps)


def term_within(span: Span, name: str, what: str) -> Diagnostic:
    """`what`: `loss` or `metric`."""
    return Diagnostic(
        "E0301",
        f"`{name}` is a {what}, not a stage of a repeated part or of one mode",
        span,
        "computed inside `{ .. }`",
        helps=(
            f"compute the value first, `let v = x -> if training {{ .. }} else {{ .. }}`, then write `{name}(v, ..)`",
        ),
    )


def layer_in_expression(span: Span, name: str, what: str) -> Diagnostic:
    """`what`: `layer`, `block` or `model`."""
    return Diagnostic(
        "E0301",
        f"`{name}` is a {what}, not a function",
        span,
        "losses and metrics are computed with functions",
        helps=(
            f"make it a net of this section: `let net = {name}(..)`"
            if what == "model"
            else "use it in the model, and read its output here",
        ),
    )


def metric_mixes(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"the metric `{name}` mixes a value over the whole split with values of one batch",
        span,
        "mixed",
        helps=("make them two metrics",),
    )


def probabilities_into(span: Span, loss: str, producer: str, place: Span, reads: str) -> Diagnostic:
    return Diagnostic(
        "W0401",
        f"`{loss}` takes {reads}, but this is already a probability",
        span,
        "",
        (Label(place, f"`{producer}` here"),),
        helps=(
            f"remove the {producer}; `export {{ outputs {{ probs = {producer}(logits) }} }}` adds it for inference",
        ),
    )


#: Names of folders that are probably not a class.
STRAY = frozenset((
    "all", "backup", "background", "duplicates", "misc", "new", "other", "others", "rejected", "temp", "tmp", "trash",
    "unknown", "unlabeled", "unlabelled", "unsorted",
))  # fmt: skip


def class_count(
    span: Span, field: str, classes: int, axis: int, names: Sequence[str] | None, what: str, place: Span, folder: bool
) -> Diagnostic:
    notes: tuple[str, ...] = (f"the classes are {listed(names, 12)}",) if names else ()
    helps = [f"set `classes = {classes}`"]
    if names and classes > axis and folder:
        stray = [name for name in names if name.lower() in STRAY]
        extra = classes - axis
        skipped = ", ".join(f'"{name}"' for name in (stray if len(stray) == extra else names[-extra:]))
        helps.append(f"leave {'one' if extra == 1 else extra} out with `skip = [{skipped}]`")
    return Diagnostic(
        "E0205",
        f"the data has {classes} classes, but {what} end in {axis}",
        span,
        f"`{field}` has {classes} classes",
        (Label(place, f"`{field}`"),),
        notes=notes,
        helps=(", or ".join(helps),),
    )


def label_outside(span: Span, field: str, label: int, axis: int, what: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0205",
        f"`{field}` has the label {label}, but {what} end in {axis}: labels are 0 to {axis - 1}",
        span,
        f"`{field}` has {label}",
        (Label(place, f"`{field}`"),),
        helps=(
            f"write `ignore = {label}` if these records have no label"
            if label < 0
            else f"set `classes = {label + 1}`, or write `ignore = {label}` if these records have no label",
        ),
    )


def balance_of_computed(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        '`weight = "balanced"` counts the classes of a field, and this target is computed',
        span,
        "not a field",
        helps=("compare with a field of the data, or list the weights: `weight = [1.0, 2.5]`",),
    )


def balance_uncounted(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0412",
        '`weight = "balanced"` counts the classes of the train split, and the data is not here',
        span,
        "not counted",
        helps=("put the data where `source` looks for it, or list the weights: `weight = [1.0, 2.5]`",),
    )


def not_yes_and_no(span: Span, field: str, label: int, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0205",
        f"`{field}` has the label {label}, but one logit an example distinguishes 0 and 1",
        span,
        f"`{field}` has {label}",
        (Label(place, f"`{field}`"),),
        helps=("give the model one logit per class",),
    )


def vocabulary(span: Span, field: str, size: int, count: int, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0205",
        f"`{field}` has ids up to {size - 1}, but the embedding has {count} rows",
        span,
        f"{count} rows",
        (Label(place, f"`{field}`"),),
        helps=(f"give it at least {size} rows",),
    )


def selector_matches_nothing(span: Span, text: str, suggestion: str | None, paths: Sequence[str]) -> Diagnostic:
    starts = sorted({path.split(".")[0] for path in paths})
    helps = (f"did you mean `{suggestion}`?",) if suggestion else (f"parameters start with {listed(starts, 12)}",)
    return Diagnostic("E0402", "this selector matches no parameter", span, "matches nothing", helps=helps)


def no_such_layer(span: Span, pattern: str, near: str | None, layers: Sequence[str]) -> Diagnostic:
    outermost = [layer for layer in layers if "." not in layer]
    helps = (f"did you mean `{near}`?",) if near else (f"the layers are {listed(outermost, 12)}",)
    return Diagnostic("E0402", f'no layer has the path `"{pattern}"`', span, "matches nothing", helps=helps)


def everything_frozen(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0402",
        "every parameter is frozen: nothing is left to train",
        span,
        "nothing to train",
        helps=('let `freeze` select fewer parameters, such as `freeze "backbone.**"`',),
    )


def unknown_figure(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    helps = (f"did you mean `val.{near}`?",) if near else (f"known: {listed((f'val.{n}' for n in known), 24)}",)
    return Diagnostic("E0301", f"there is no metric or loss `{name}`", span, "unknown", helps=helps)


def not_a_figure(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "expected a metric or loss of a split",
        span,
        "not a metric or loss",
        helps=("for example `val.acc` or `val.loss`",),
    )


def no_direction(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"it is unknown whether a higher or lower `{name}` is better",
        span,
        "no direction",
        helps=("use a built-in metric or the loss",),
    )


def no_split(span: Span, split: str, data: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{data}` has no `{split}` split",
        span,
        "no such split",
        helps=(f"give it a fraction: `split = random(train = 0.8, {split} = 0.2)`",),
    )


def unknown_logged(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"there is no value `{name}` to log",
        span,
        "unknown",
        helps=meant(near) or (f"known: {listed(known, 12)}",),
    )


def logged_no_image(span: Span, name: str, type: str) -> Diagnostic:
    return Diagnostic(
        "E0202",
        f"`{name}` is not an image",
        span,
        f"it is `{type}`",
        helps=(
            "an image is [B, H, W], or [B, channels, H, W] with one or three channels",
            f"to log its mean instead: `values = [{name}]`",
        ),
    )


def step_net(span: Span, name: str, near: str | None, nets: Sequence[str]) -> Diagnostic:
    helps = meant(near) or (
        (f"the nets are {listed(nets, 24)}",) if nets else ("make one with `let gen = Generator()`",)
    )
    return Diagnostic("E0301", f"there is no net `{name}` to update", span, "not a net", helps=helps)


def step_twice(span: Span, name: str, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0408",
        f"two `step` sections update `{name}`",
        span,
        "second",
        (Label(first, "first"),),
        helps=("give one of them both losses: `loss { first = ..; second = .. }`",),
    )


def unused_let(span: Span, name: str) -> Diagnostic:
    return Diagnostic("W0403", f"`{name}` is never read", span, "unused", helps=("remove it",))


def unused_net(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "W0403",
        f"`{name}` is made but never applied",
        span,
        "unused",
        helps=(f"apply it, `x -> {name}`, or remove the `let`",),
    )


def base_unknown(span: Span, name: str, near: str | None) -> Diagnostic:
    return Diagnostic(
        "E0301", f"the optimizer has no `{name}`", span, "unknown", helps=meant(near) or ("for example `base.lr`",)
    )


def base_used(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "a value of `base` can only be multiplied or divided by a number",
        span,
        "not allowed",
        helps=("for example `base.lr / 3`",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0203": Explanation(
            "prediction and target do not pair up",
            "A loss or metric compares two tensors whose shapes match only by broadcasting; in other libraries this silently\n"
            "trains on the wrong pairs. State the class axis, or make the shapes equal.",
            programs.DIABETES,
            programs.DIABETES.replace("Linear(1)", "Linear(1) -> squeeze(-1)").replace("pred: [B, 1]", "pred: [B]"),
        ),
        "E0205": Explanation(
            "number of classes or vocabulary size differs between data and model",
            "The number of classes of the model and the data differ, or an embedding has fewer rows than the vocabulary that\n"
            "feeds it. Leave out a folder that is not a class with `skip = [..]`.",
            programs.digits("Linear(10)", "Linear(9)").replace("[B, 10]", "[B, 9]"),
            programs.DIGITS,
        ),
        "E0404": Explanation(
            "model input without a data field",
            "Each input is fed by the data field of the same name; `inputs { a = b }` uses another.",
            programs.digits("  image: f32", "  picture: f32"),
            programs.DIGITS,
        ),
        "W0401": Explanation(
            "probabilities into a loss that takes logits",
            "`cross_entropy` applies the softmax itself; with a second one the model still trains, but poorly.",
            programs.digits("fc: Linear(10)", "fc: Linear(10) -> softmax"),
            programs.DIGITS,
        ),
        "W0403": Explanation(
            "unused `let`",
            "Nothing reads this value of `train`.",
            programs.digits("train {\n", "train {\n  let unused = image * 2\n"),
            programs.DIGITS,
        ),
        "W0411": Explanation(
            "an export that cannot be compared on this machine",
            'No file is written before its outputs agree with PyTorch\'s, and ONNX Runtime has kernels for `precision = "bf16"` on few\n'
            "machines. Export where it runs, or as f32 or f16: training is the same for each.",
            when="dlc train",
        ),
        "W0409": Explanation(
            "edited file of a run",
            "`model.py` and `recipe.py` of a run are records of what was trained. Figures, predictions and exports come from the\n"
            "run's spec (`ir.json`), so they do not show an edit. `dlc evaluate --edited` runs the files as they are now; training\n"
            "on keeps an edited file as `model.edited.py`. A file that another version of dlc wrote is not an edit.",
            when="dlc evaluate",
        ),
        "W0412": Explanation(
            "a figure that is not a number",
            "A metric could not be computed on a split: `auroc` needs both classes, a mean over targets needs one that counts. Such\n"
            "a figure is never the best, so `keep = best(..)` keeps the last weights and `stop` counts it as no improvement. Use\n"
            "another metric, or a split in which every class occurs: `random(.., stratify = source.label)`.",
            when="dlc train",
        ),
    }
