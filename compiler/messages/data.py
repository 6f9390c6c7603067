"""Mistakes inside `data`: sources, splits, pipelines and typed fields."""

from __future__ import annotations

from collections.abc import Sequence

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span


def _meant(near: str | None) -> tuple[str, ...]:
    return (f"did you mean `{near}`?",) if near else ()


def unknown_name(span: Span, name: str, near: str | None) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"unknown name `{name}`",
        span,
        "not found",
        helps=_meant(near) or ("a pipeline begins with `source.field` or a `let`",),
    )


def unknown_source_field(span: Span, source: str, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{source}` has no field `{name}`",
        span,
        "not a field",
        helps=_meant(near) or (f"it has: {' '.join(known)}",),
    )


def unknown_member(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"there is no member `{name}` here",
        span,
        "not a member",
        helps=_meant(near) or ((f"it has: {' '.join(known)}",) if known else ("this is a single value",)),
    )


def source_whole(span: Span) -> Diagnostic:
    return Diagnostic("E0305", "`source` is a whole record", span, "select a field", helps=("write `source.name`",))


def not_a_pipeline(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "this cannot stand in a data pipeline",
        span,
        "not a field or transform",
        helps=("a pipeline is `source.field -> transform -> ..`; models compute, data only prepares",),
    )


def label_here(span: Span) -> Diagnostic:
    return Diagnostic("E0303", "a label means nothing in `data`", span, "a label", helps=("name a value with `let`",))


def not_for(span: Span, transform: str, needs: str, found: str) -> Diagnostic:
    return Diagnostic("E0204", f"`{transform}` works on {needs}", span, f"here comes {found}")


def branches_differ(span: Span, one: str, other: str) -> Diagnostic:
    return Diagnostic("E0201", "the branches give different things", span, f"{one} in training, {other} in evaluation")


def field_is(span: Span, field: str, found: str, help: str) -> Diagnostic:
    return Diagnostic("E0204", f"field `{field}` is no tensor yet: it is {found}", span, found, helps=(help,))


def field_dtype(span: Span, field: str, declared: str, found: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0204",
        f"field `{field}` is declared `{declared}`, the pipeline gives `{found}`",
        place,
        f"gives `{found}`",
        (Label(span, f"declared `{declared}`"),),
        helps=("only whole numbers become `i64` and numbers `f32` by declaration",),
    )


def raw_image(span: Span, field: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0204",
        f"field `{field}` is `f32`, but its image still has whole numbers from 0 to 255",
        place,
        "u8",
        (Label(span, "declared here"),),
        helps=("`-> scale(1 / 255)` or `-> normalize(mean, std)` converts it",),
    )


def field_size(span: Span, field: str, declared: str, found: str, axis: int, shape: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0201",
        f"field `{field}`: expected {declared}, found {found}",
        span,
        f"axis {axis}; the pipeline gives {shape}",
        (Label(place, f"gives {shape}"),),
        helps=(f"declare what the pipeline gives, {shape}, or change the pipeline",),
    )


def field_rank(span: Span, field: str, declared: int, shape: str, place: Span) -> Diagnostic:
    axes = "axis" if declared == 1 else "axes"
    return Diagnostic(
        "E0201",
        f"field `{field}` is declared with {declared} {axes}, the pipeline gives {shape}",
        span,
        "",
        (Label(place, f"gives {shape}"),),
        notes=("the batch axis is not written: it is put before",),
        helps=(f"declare what the pipeline gives, {shape}, or change the pipeline",),
    )


def field_shape(span: Span, field: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"field `{field}` needs a dtype and a shape",
        span,
        "not a tensor type",
        helps=("for example `f32[3, 64, 64]`, `i64[T <= 128]`, or `i64` for a single number",),
    )


def field_unsized(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208", "a field says every size", span, "unknown", helps=("a length that varies has a name: `T`",)
    )


def field_batch(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0311",
        "`B` is the batch, which is put before the axes of every field",
        span,
        "not written",
        helps=("drop this axis",),
    )


def ragged(span: Span, field: str, name: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0410",
        f"field `{field}` has records of different length `{name}`",
        place,
        "no `pad`",
        (Label(span, f"`{name}` varies"),),
        helps=("`-> pad(0)` fills up to the longest of the batch",),
    )


def pad_not_last(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0410",
        "`pad` stands last: it fills up to the longest record of a batch",
        span,
        "not last",
        helps=("move it to the end of the field",),
    )


# ---- splits ------------------------------------------------------------------------------------------------------------


def fractions(span: Span, total: str, mended: str) -> Diagnostic:
    return Diagnostic("E0411", f"the fractions sum to {total}, not to 1", span, f"sum {total}", helps=(mended,))


def fractions_taken(span: Span, total: str) -> Diagnostic:
    return Diagnostic(
        "E0411",
        f"fractions of {total} are taken from train: nothing is left of it",
        span,
        f"sum {total}",
        helps=("they are shares of the train part, and sum to less than 1",),
    )


def no_train(span: Span) -> Diagnostic:
    return Diagnostic("E0411", "there is no train split", span, "no `train`", helps=("give `train` its share",))


def group_missing(span: Span, source: str, group: str) -> Diagnostic:
    return Diagnostic(
        "W0408",
        f'records of "{source}" overlap where their `{group}` is equal, and may come into several splits',
        span,
        "divides them one by one",
        helps=(f"`random(train = 0.7, val = 0.15, test = 0.15, group = source.{group})` keeps them together",),
    )


def stream_random(span: Span, source: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{source}` is a stream: it is split in order",
        span,
        "records only",
        helps=("`contiguous(train = 0.9, val = 0.1)`",),
    )


def split_placeholder(span: Span, split: str, path: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{split}` names a directory or file a split, but the path has no `{{split}}`",
        span,
        f'"{path}"',
        helps=("put `{split}` where the name goes",),
    )


def placeholder_without(span: Span, split: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"the path has `{{split}}`, but `{split}` names none",
        span,
        "`{split}`",
        helps=('`split = folders(train = "train", val = "val")`',),
    )


def not_a_column(span: Span, what: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{what}` is a field of the source", span, "", helps=("for example `source.label`",))


def skip_without_folder(span: Span) -> Diagnostic:
    return Diagnostic("E0304", "`skip` names directories of an `image_folder`", span, "no `image_folder`")


def not_a_condition(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`where` compares fields of the source and sizes of the section",
        span,
        "not a condition",
        helps=("for example `T <= 400 and source.year >= 2000`",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0410": Explanation(
            "ragged field without `pad`",
            "Records of different lengths become a batch only with a value to fill up with: `-> pad(0)`, last.",
            programs.reviews(" -> truncate(64)"),
            programs.reviews(" -> truncate(64) -> pad(0)"),
        ),
        "E0411": Explanation(
            "split fractions",
            "Fractions of `random` and `contiguous` sum to 1.",
            programs.digits("val = 0.2", "val = 0.3"),
            programs.DIGITS,
        ),
        "E0412": Explanation(
            "source, weights or vocabulary file missing or unreadable",
            "A file that the spec names is not there, is of another format, or has a cell that does not fit its field. Data paths\n"
            "are relative to the spec; `--data-root` says where the data has moved. `dlc check` looks at no file but specs.",
            programs.digits('builtin("digits")', 'npz("/home/me/digits.npz")'),
            programs.digits('builtin("digits")', 'npz("digits.npz")'),
        ),
        "W0407": Explanation(
            "fewer records than `batch`",
            "The step then uses one smaller batch. Known when the data is there.",
            programs.digits("batch     = 64", "batch     = 5000"),
            programs.DIGITS,
            "dlc train",
        ),
        "W0408": Explanation(
            "records that overlap are divided one by one",
            "Patches of one photograph share pixels. In two splits they would let a model be tried on what it was trained on, "
            "and its figures would be too good. A random split with the `group` of the source keeps them together.",
            programs.TEXTURES.replace(", group = source.region", ""),
            programs.TEXTURES,
        ),
    }
