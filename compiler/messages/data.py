"""`data`: sources, splits, pipelines and typed fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span
from .wording import listed, meant


def unknown_name(span: Span, name: str, near: str | None) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"unknown name `{name}`",
        span,
        "not found",
        helps=meant(near) or ("start a pipeline with `source.field` or the name of a `let`",),
    )


def unknown_source_field(
    span: Span, source: str, name: str, near: str | None, known: Sequence[str], why: str | None
) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{source}` has no field `{name}`",
        span,
        "not a field",
        notes=(why,) if why else (),
        helps=() if why else meant(near) or (f"it has {listed(known, 24)}",),
    )


def unknown_member(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"no member `{name}` here",
        span,
        "not a member",
        helps=meant(near) or ((f"it has {listed(known, 24)}",) if known else ("this is a single value",)),
    )


def source_whole(span: Span, fields: Sequence[str]) -> Diagnostic:
    """`fields`: those of the source, where they are known before its files are read."""
    several = ", ".join(f"source.{name}" for name in fields[:3])
    together = (f"to transform several alike, write `({several}) -> ..`",) if len(fields) > 1 else ()
    name = fields[0] if fields else "name"
    return Diagnostic(
        "E0305",
        "`source` is a whole record",
        span,
        "select a field",
        helps=(
            f'write `source.{name}`, or `source["Full name (cm)"]` for what is not a name of the language',
            *together,
        ),
    )


def not_a_pipeline(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "not allowed in a data pipeline",
        span,
        "not a field or transform",
        helps=("write `source.field -> transform -> ..`; computation belongs in a model",),
    )


def label_here(span: Span) -> Diagnostic:
    return Diagnostic("E0303", "labels are not allowed in `data`", span, "a label", helps=("name a value with `let`",))


def not_for(span: Span, transform: str, needs: str, found: str) -> Diagnostic:
    return Diagnostic(
        "E0204",
        f"`{transform}` works on {needs}",
        span,
        f"found {found}",
        helps=("remove it, or convert the value before it",),
    )


def branches_differ(span: Span, one: str, other: str) -> Diagnostic:
    return Diagnostic(
        "E0201",
        "the branches give different types",
        span,
        f"{one} in training, {other} in evaluation",
        helps=("convert the value in one branch, so that both give the same type",),
    )


def chains_differ(span: Span, transform: str, one: str, other: str) -> Diagnostic:
    return Diagnostic(
        "E0201",
        f"the chains of `{transform}` give different types",
        span,
        f"{one} from one, {other} from another",
        helps=("end each with images of the same size and dtype",),
    )


def chain_resizes(span: Span, transform: str, training: str, evaluation: str) -> Diagnostic:
    return Diagnostic(
        "E0201",
        f"`{transform}` changes the size of an image only in training",
        span,
        f"{training} in training, {evaluation} in evaluation",
        helps=(
            "write `if training { .. } else { resize(..) -> center_crop(..) }`, so that evaluation has the same size",
        ),
    )


def not_a_chain(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "not a chain of transforms",
        span,
        "not a transform",
        helps=("write transforms with `->` between them, such as `hflip -> rotate(10)`",),
    )


def field_is(span: Span, field: str, found: str, help: str) -> Diagnostic:
    return Diagnostic("E0204", f"field `{field}` is not a tensor yet: it is {found}", span, found, helps=(help,))


def field_dtype(span: Span, field: str, declared: str, found: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0204",
        f"field `{field}` is declared `{declared}`, but the pipeline gives `{found}`",
        place,
        f"gives `{found}`",
        (Label(span, f"declared `{declared}`"),),
        helps=("a declaration converts only whole numbers to `i64` and numbers to `f32`",),
    )


def raw_image(span: Span, field: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0204",
        f"field `{field}` is `f32`, but its image still has integers from 0 to 255",
        place,
        "u8",
        (Label(span, "declared here"),),
        helps=("convert it with `-> scale(1 / 255)` or `-> normalize(mean, std)`",),
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


def field_rank(span: Span, field: str, declared: int, shape: str, place: Span, why: str | None = None) -> Diagnostic:
    """`why` is what the source does not read where the field asks for it."""
    axes = "axis" if declared == 1 else "axes"
    return Diagnostic(
        "E0201",
        f"field `{field}` is declared with {declared} {axes}, but the pipeline gives {shape}",
        span,
        "",
        (Label(place, f"gives {shape}"),),
        notes=(why,) if why else ("the batch axis is added in front and is not written",),
        helps=() if why else (f"declare what the pipeline gives, {shape}, or change the pipeline",),
    )


def not_an_image(span: Span, op: str, field: str, declared: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0204",
        f"`{op}` takes an image, and field `{field}` is declared `{declared}`",
        span,
        "takes `[channels, height, width]`, or a mask `[height, width]`",
        (Label(place, "no image"),),
        helps=('remove it, or read the images that a column names: `image_table("rows.csv", file = "..")`',),
    )


def field_shape(span: Span, field: str, meant: str) -> Diagnostic:
    """`meant` is what another library's type is here, "" where it is not known."""
    return Diagnostic(
        "E0304",
        f"field `{field}` needs a dtype and a shape",
        span,
        "not a tensor type",
        helps=(f"write `{meant}`",)
        if meant
        else ("for example `f32[3, 64, 64]`, `i64[T <= 128]`, or `i64` for a single number",),
    )


def field_unsized(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208", "a field must give every size", span, "unknown", helps=("give a length that varies a name: `T`",)
    )


def field_batch(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0311",
        "`B` is the batch axis, which is added in front of every field",
        span,
        "must not be written",
        helps=("remove this axis",),
    )


def ragged(span: Span, field: str, name: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0410",
        f"field `{field}` has records of different lengths `{name}`",
        place,
        "no `pad`",
        (Label(span, f"`{name}` varies"),),
        helps=("add `-> pad(0)`, which pads to the longest record of the batch",),
    )


def pad_not_last(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0410",
        "`pad` must come last: it pads to the longest record of the batch",
        span,
        "not last",
        helps=("move it to the end of the field",),
    )


# ---- splits ------------------------------------------------------------------------------------------------------------


def fractions(span: Span, total: str, mended: str) -> Diagnostic:
    return Diagnostic("E0411", f"the fractions sum to {total}, not 1", span, f"sum {total}", helps=(mended,))


def fractions_taken(span: Span, total: str) -> Diagnostic:
    return Diagnostic(
        "E0411",
        f"fractions of {total} are taken from train, which leaves nothing",
        span,
        f"sum {total}",
        helps=("these are fractions of the train part: they must sum to less than 1",),
    )


def no_train(span: Span) -> Diagnostic:
    return Diagnostic("E0411", "there is no train split", span, "no `train`", helps=("give `train` a fraction",))


def group_missing(span: Span, source: str, group: str) -> Diagnostic:
    return Diagnostic(
        "W0408",
        f'records of "{source}" with the same `{group}` overlap, and may end up in different splits',
        span,
        "splits record by record",
        helps=(f"`random(train = 0.7, val = 0.15, test = 0.15, group = source.{group})` keeps them in one split",),
    )


def empty_folder(span: Span, name: str, what: str) -> Diagnostic:
    return Diagnostic(
        "W0413",
        f"the folder `{name}` has no {what}: it is not a class",
        span,
        "directories of classes",
        helps=(f'add {what} to it, or list it: `skip = ["{name}"]`',),
    )


def as_found(span: Span, what: str, given: str) -> Diagnostic:
    return Diagnostic(
        "W0416", what, span, "not given in the source", helps=(f"give it, so that it stays what it is: `{given}`",)
    )


def left_out(span: Span, count: int, lacking: Mapping[str, int]) -> Diagnostic:
    shown = ", ".join(f"`{name}` ({number:,})" for name, number in lacking.items())
    what = f"{count:,} record{'s' if count > 1 else ''} with a missing cell left out"
    return Diagnostic(
        "W0417",
        f"{what}: {shown}",
        span,
        "by `drop`",
        helps=("fill them in to keep such records: `-> impute(..)`",),
    )


def drop_of_windows(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`drop` is for records, not for windows of a series",
        span,
        "would break the series",
        helps=('fill in what is missing: `-> impute("median")`',),
    )


def stream_random(span: Span, source: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{source}` is a stream and must be split in order",
        span,
        "only for records",
        helps=("write `contiguous(train = 0.9, val = 0.1)`",),
    )


def split_placeholder(span: Span, split: str, path: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{split}` names one directory or file per split, but the path has no `{{split}}`",
        span,
        f'"{path}"',
        helps=("write `{split}` where the name goes",),
    )


def placeholder_without(span: Span, split: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"the path has `{{split}}`, but `{split}` names no directory or file",
        span,
        "`{split}`",
        helps=('for example `split = folders(train = "train", val = "val")`',),
    )


def not_a_column(span: Span, what: str) -> Diagnostic:
    return Diagnostic(
        "E0304", f"`{what}` must be a field of the source", span, "", helps=("for example `source.label`",)
    )


def not_one_value(span: Span, name: str, found: str) -> Diagnostic:
    return Diagnostic(
        "E0204",
        f"`source.{name}` is not one value per record",
        span,
        f"it is {found}",
        helps=("use a column of numbers or words, such as a label",),
    )


def skip_without_folder(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`skip` is only for directories of classes: `image_folder`, `text_folder`",
        span,
        "no directories of classes",
        helps=("remove it; `where` leaves out records of any source",),
    )


def not_a_condition(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`where` can only compare fields of the source and sizes of the section",
        span,
        "not a condition",
        helps=("for example `T <= 400 and source.year >= 2000`",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0410": Explanation(
            "field of varying length without `pad`",
            "Records of different lengths must be padded to form a batch: `-> pad(0)`, as the last transform.",
            programs.reviews(" -> truncate(64)"),
            programs.reviews(" -> truncate(64) -> pad(0)"),
        ),
        "E0411": Explanation(
            "split fractions",
            "The fractions of `random` and `contiguous` must sum to 1.",
            programs.digits("val = 0.2", "val = 0.3"),
            programs.DIGITS,
        ),
        "E0412": Explanation(
            "source, weights or vocabulary file missing or unreadable",
            "A file named in the spec is missing, has another format, or has a cell that does not fit its field. Data paths are\n"
            "relative to the spec; `--data-root` gives another directory. `dlc check` reads only spec files.",
            programs.digits('builtin("digits")', 'npz("/home/me/digits.npz")'),
            programs.digits('builtin("digits")', 'npz("digits.npz")'),
        ),
        "W0407": Explanation(
            "fewer records than `batch`",
            "Each step then uses all of them as one smaller batch. `dlc build` and `dlc train` find it, as they read the data.",
            programs.digits("batch     = 64", "batch     = 5000"),
            programs.DIGITS,
            "dlc build",
        ),
        "W0413": Explanation(
            "folder without files",
            "A directory of an `image_folder` or `text_folder` with no file in it would be a class that no record has, so it is left out.",
            when="dlc build",
        ),
        "W0416": Explanation(
            "how a table is written was found from its first lines",
            "A `csv` source reads comma-separated UTF-8 with decimal points. Where the first lines show another separator, a decimal\n"
            "comma or UTF-16, the file is read so, and this is reported once. Arguments of the source give it for certain.",
            when="dlc build",
        ),
        "W0417": Explanation(
            "records with missing cells are left out",
            "`drop` leaves out records in which a cell is missing, before the others are divided. How many there are, and in which\n"
            "columns, is reported each time: a model that saw only complete records may be wrong about others.",
            when="dlc build",
        ),
        "W0408": Explanation(
            "records that overlap are split one by one",
            "Patches of one photograph share pixels. In different splits, a model would be evaluated on pixels it was trained "
            "on, and its results would be too good. A random split with the `group` of the source keeps them together.",
            programs.TEXTURES.replace(", group = source.region", ""),
            programs.TEXTURES,
        ),
    }
