"""E04xx: sections, keys, units and table entries of `data`, `train` and `export`; pairing of expressions with nets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .diagnostics import Diagnostic, Label
from .source import Span


def _meant(near: str | None) -> tuple[str, ...]:
    return (f"did you mean `{near}`?",) if near else ()


def _listed(names: Iterable[str], most: int = 24) -> str:
    shown = list(names)
    return " ".join(shown[:most]) + (" …" if len(shown) > most else "")


# ---- sections and keys -----------------------------------------------------------------------------------------------

KEY_WORDS = {
    "train": "a training key", "data": "a data key", "export": "an export key", "search": "a search key",
    "weights": "a key of weight maps",
}  # fmt: skip


def unknown_key(span: Span, name: str, section: str, near: str | None, known: Iterable[str]) -> Diagnostic:
    word = KEY_WORDS.get(section, f"a key of `{section}`")
    helps = _meant(near) or (f"`{section}` has: {_listed(known)}",)
    return Diagnostic("E0401", f"unknown key `{name}` in `{section}`", span, f"not {word}", helps=helps)


def key_elsewhere(span: Span, name: str, section: str, owner: str) -> Diagnostic:
    return Diagnostic(
        "E0401",
        f"`{name}` does not stand in `{section}`",
        span,
        f"belongs to `{owner}`",
        helps=(f"move it to `{owner}`",),
    )


def key_form(span: Span, name: str, section: str, form: str) -> Diagnostic:
    return Diagnostic("E0401", f"`{name}` in `{section}` is not written like this", span, "another form", helps=(form,))


def not_a_field_here(span: Span, name: str, section: str) -> Diagnostic:
    return Diagnostic(
        "E0401",
        f"`{section}` has no typed fields",
        span,
        "a field",
        helps=(f"settings are written `{name} = value`; typed fields belong to `data`",),
    )


def entry_misplaced(span: Span, what: str, section: str) -> Diagnostic:
    return Diagnostic("E0401", f"{what} does not stand in `{section}`", span, "not here")


def key_twice(span: Span, name: str, first: Span) -> Diagnostic:
    return Diagnostic("E0408", f"`{name}` stands here twice", span, "second", (Label(first, "first"),))


def key_missing(span: Span, name: str, section: str, example: str) -> Diagnostic:
    return Diagnostic("E0408", f"`{section}` needs `{name}`", span, f"no `{name}`", helps=(f"for example `{example}`",))


# ---- units -------------------------------------------------------------------------------------------------------------


def unit_missing(span: Span, number: str, what: str, units: Sequence[str]) -> Diagnostic:
    helps = (" or ".join(f"`{number} {unit}`" for unit in units),)
    return Diagnostic("E0403", f"{what} needs a unit", span, "no unit", helps=helps)


def unit_wrong(span: Span, number: str, unit: str, what: str, units: Sequence[str], near: str | None) -> Diagnostic:
    helps = _meant(near and f"{number} {near}") or (" or ".join(f"`{number} {unit}`" for unit in units),)
    return Diagnostic("E0403", f"{what} is in {' or '.join(units)}, not in `{unit}`", span, "wrong unit", helps=helps)


def unit_unwanted(span: Span, what: str, text: str) -> Diagnostic:
    return Diagnostic("E0403", f"{what} has no unit", span, f"`{text}`", helps=("write the number alone",))


def duration_not_positive(span: Span, what: str, text: str) -> Diagnostic:
    return Diagnostic("E0304", f"{what} is above 0, not `{text}`", span)


def not_a_duration(span: Span, what: str, found: str) -> Diagnostic:
    return Diagnostic("E0304", f"{what} is a number with a unit, not {found}", span, "expected e.g. `10 epochs`")


def rest_here(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0403",
        "`rest` is the time that is left, for the last segment of a schedule",
        span,
        "not here",
        helps=("write a duration such as `10 epochs`",),
    )


def after_the_end(span: Span, before: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "a segment after the schedule's end", span, "never reached", (Label(before, "lasts to the end"),)
    )


def epochs_unknown(span: Span, why: str) -> Diagnostic:
    return Diagnostic("E0403", f"epochs cannot become steps: {why}", span, "in epochs", helps=("write it in steps",))


# ---- table entries -----------------------------------------------------------------------------------------------------


def not_an_entry(span: Span, what: str, example: str) -> Diagnostic:
    return Diagnostic("E0304", f"{what} belongs here", span, f"not {what}", helps=(f"for example `{example}`",))


def unknown_entry(span: Span, name: str, what: str, near: str | None, known: Iterable[str]) -> Diagnostic:
    helps = _meant(near) or (f"known: {_listed(known, 40)}",)
    return Diagnostic("E0301", f"`{name}` is not {what}", span, "unknown", helps=helps)


def unknown_argument(span: Span, owner: str, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    helps = _meant(near) or ((f"`{owner}` takes: {_listed(known)}",) if known else (f"`{owner}` takes no arguments",))
    return Diagnostic("E0304", f"`{owner}` has no argument `{name}`", span, "unknown argument", helps=helps)


def too_many_arguments(span: Span, owner: str, count: int, known: Sequence[str]) -> Diagnostic:
    takes = f"it takes {_listed(known)}" if known else "it takes none"
    return Diagnostic("E0304", f"too many arguments for `{owner}`: {takes}", span, f"{count} given")


def argument_twice(span: Span, owner: str, name: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{name}` of `{owner}` is given twice", span, "second")


def argument_missing(span: Span, owner: str, name: str, required: Sequence[str]) -> Diagnostic:
    helps = (f"it is written `{owner}({', '.join(required)})`",)
    return Diagnostic("E0304", f"`{owner}` needs `{name}`", span, f"no `{name}`", helps=helps)


def wrong_argument(span: Span, owner: str, name: str, expected: str, found: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{name}` of `{owner}` is {expected}, not `{found}`", span, f"expected {expected}")


def wrong_arguments(span: Span, owner: str, why: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{owner}`: {why}", span)


def wrong_value(span: Span, key: str, expected: str, found: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{key}` is {expected}, not `{found}`", span, f"expected {expected}")


def absolute_path(span: Span, path: str) -> Diagnostic:
    return Diagnostic(
        "E0412",
        f"`{path}` is an absolute path",
        span,
        "not relative",
        helps=("paths are relative to the spec; `--data-root DIR` says where the data lies on this machine",),
    )


# ---- train -------------------------------------------------------------------------------------------------------------


def section_as_value(span: Span, name: str, kind: str) -> Diagnostic:
    what = {"weights": "a weight map"}.get(kind, f"a `{kind}` section")
    return Diagnostic("E0303", f"`{name}` is {what}, not a value or stage", span, "cannot stand here")


def unknown_definition(span: Span, name: str, what: str, near: str | None, known: Iterable[str] = ()) -> Diagnostic:
    helps = _meant(near) or ((f"there is: {_listed(known, 8)}",) if known else ())
    return Diagnostic("E0301", f"there is no {what} `{name}`", span, "not found", helps=helps)


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
        notes=(f"`{data}` has: {_listed(fields)}",),
        helps=(help,),
    )


def inputs_unknown(span: Span, model: str, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{model}` has no input `{name}`",
        span,
        "unknown input",
        helps=_meant(near) or (f"its inputs: {_listed(known)}",),
    )


def field_unknown(span: Span, data: str, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{data}` has no field `{name}`",
        span,
        "unknown field",
        helps=_meant(near) or (f"its fields: {_listed(known)}",),
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
    return Diagnostic("E0301", f"`{net}` has neither a layer nor an emit `{name}`", span, "unknown", helps=_meant(near))


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
    helps = _meant(near) or ("metrics are not trained on: they stand in `metrics { .. }`",)
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
    notes: tuple[str, ...] = (f"the classes: {_listed(names, 12)}",) if names else ()
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
    helps = (f"did you mean `{suggestion}`?",) if suggestion else (f"parameters start with {_listed(starts, 12)}",)
    return Diagnostic("E0402", "this selector matches no parameter", span, "", helps=helps)


def no_such_layer(span: Span, pattern: str, near: str | None, layers: Sequence[str]) -> Diagnostic:
    outermost = [layer for layer in layers if "." not in layer]
    helps = (f"did you mean `{near}`?",) if near else (f"layers are {_listed(outermost, 12)}",)
    return Diagnostic("E0402", f'no layer has the path `"{pattern}"`', span, "matches nothing", helps=helps)


def everything_frozen(span: Span) -> Diagnostic:
    return Diagnostic("E0402", "every parameter is frozen: nothing is left to train", span, "nothing is trained")


def unknown_figure(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    helps = (f"did you mean `val.{near}`?",) if near else (f"there are: {_listed(f'val.{n}' for n in known)}",)
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


def duration_in_both(span: Span, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0407",
        "`duration` stands in the phases and in `train`",
        span,
        "in `train` too",
        (Label(first, "in a phase"),),
        helps=("each phase has its own: drop this one",),
    )


def duration_missing(span: Span, phase: str) -> Diagnostic:
    return Diagnostic("E0407", f"phase `{phase}` has no `duration`", span, "", helps=("`duration = 3 epochs`",))


def phase_key(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0401",
        f"`{name}` does not change between phases",
        span,
        "not a key of `phase`",
        helps=("it stands in `train`",),
    )


def unknown_logged(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"there is nothing called `{name}` to log",
        span,
        "unknown",
        helps=_meant(near) or (f"there are: {_listed(known, 12)}",),
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
    helps = _meant(near) or ((f"the nets are: {_listed(nets)}",) if nets else ("`let gen = Generator()` makes one",))
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
    return Diagnostic("E0301", f"the optimizer has no `{name}`", span, "unknown", helps=_meant(near))


def base_used(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`base` gives a value that can be multiplied or divided by a number",
        span,
        "nothing else",
        helps=("for example `base.lr / 3`",),
    )


# ---- export ------------------------------------------------------------------------------------------------------------


def which_train(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0408",
        "several `train` sections: which one is exported?",
        span,
        "no `train`",
        helps=(f"`train = {names[0]}`",),
    )


def which_net(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0408",
        "several nets are trained: which one is exported?",
        span,
        "no `model`",
        helps=(f"`model = {names[0]}`",),
    )


def which_model(span: Span, names: Sequence[str]) -> Diagnostic:
    helps = (f"`model = {names[0]}`",) if names else ("this spec has no model",)
    return Diagnostic("E0408", "which model is exported?", span, "no `model`", helps=helps)


def no_tap(span: Span, model: str, name: str, near: str | None) -> Diagnostic:
    return Diagnostic(
        "E0301", f"`{model}` has no input, output or binding `{name}`", span, "not found", helps=_meant(near)
    )


def fix_unknown(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    helps = _meant(near) or ((f"the sizes are: {_listed(known)}",) if known else ("no size is symbolic",))
    return Diagnostic("E0301", f"the inputs have no symbolic size `{name}`", span, "unknown size", helps=helps)


def fix_outside(span: Span, name: str, value: int, why: str) -> Diagnostic:
    return Diagnostic("E0210", f"`{name} = {value}` breaks `{why}`", span, "does not hold")


def cut_needs(span: Span, output: str, needed: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0504",
        f"output `{output}` needs {_listed(f'`{n}`' for n in needed)}, which is not listed",
        span,
        "needs more inputs",
        helps=(f"`inputs = [.., {', '.join(needed)}]`",),
    )


def two_outputs(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E0408", f"two outputs are called `{name}`", span, "second")


def random_output(span: Span, output: str, function: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0502",
        f"output `{output}` depends on chance: `{function}` is reached in evaluation",
        span,
        "random",
        (Label(place, "drawn here"),),
        helps=("keep it under `if training`, or make the random values an input",),
    )


def open_size(span: Span, output: str, size: str) -> Diagnostic:
    return Diagnostic(
        "E0308",
        f"size `{size}` of output `{output}` comes from no input that is listed",
        span,
        f"`{size}` is open",
        helps=("list an input that has it",),
    )
