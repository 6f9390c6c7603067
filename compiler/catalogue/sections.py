"""The keys of every section: how each is written, what it takes, its default, what it means.

The binder takes the keys that a section may hold from here, `dlc explain batch` and docs/recipe_keys.md show them, and a
test checks every example in a whole spec.

    data Pets { .. }            DATA
    train { .. }                `train_sections`: TRAIN, and STEP PHASE GROUP FREEZE LOG RUNTIME for the sections inside it
    export { .. }               EXPORT
    search { .. }               SEARCH
    weights NAME for Model      WEIGHTS
"""

from __future__ import annotations

from collections.abc import Mapping

from .keys import REQUIRED, Key, SectionKeys
from .train_sections import FREEZE, GROUP, LOG, PHASE, RUNTIME, STEP, TRAIN

DATA = SectionKeys(
    "data",
    "data Name { .. }",
    "Where records come from, how they are split, and what a batch contains.",
    (
        Key(
            "source",
            "a source: `csv`, `image_folder`, `builtin`, ..",
            REQUIRED,
            "Where the records come from. Paths are relative to the spec; `{split}` in a path selects files by split.",
            'source = builtin("digits")',
        ),
        Key(
            "split",
            "a split: `random`, `contiguous`, `folders`, `files`, `all`",
            REQUIRED,
            "Which records are for training, validation and test. Fractions sum to 1.",
            "split = random(train = 0.8, val = 0.1, test = 0.1, seed = 0)",
        ),
        Key(
            "where",
            "a condition on fields of the source and on lengths of the section",
            "every record",
            "Keeps, in every split, the records for which the condition holds; transforms learn from these only, unless the "
            'condition needs what they learn. A missing value is `""` in a comparison with a text, and only `!=` holds for one '
            "in a comparison with a number.",
            "where = source.label < 5",
        ),
        Key(
            "drop",
            'columns, or `"missing"`',
            "none",
            'Leaves out the records with a missing cell in one of these columns; with `"missing"` in any that a field reads and '
            "no `impute` fills in. How many were left out is reported (W0417). Prediction refuses such a record where an input needs the cell.",
            "drop = [source.label]",
        ),
        Key(
            "series",
            "a field of the source",
            "all rows are one series",
            "Where `window` cuts rows of a table: the column that names the series of a row. No window has rows of two series.",
            "series = source.store",
        ),
        Key(
            "time",
            "a field of the source",
            "the order of the file",
            "Where `window` cuts rows of a table: the column that orders the rows of a series. It holds numbers or dates with the year first "
            "(`2024-01-31`, `2024-01-31 12:00`, `20240131`); no two rows of a series may have the same time. `contiguous` then divides all "
            "series at the same times.",
            "time = source.date",
        ),
        Key(
            "gaps",
            '`"refuse"`, `"cut"` or `"join"`',
            '`"refuse"`',
            "What a step of time means that is more than 1.5 times the usual one of its series (the median): a mistake, an end of "
            "windows, or nothing (the days on which a market is closed).",
            'gaps = "cut"',
        ),
        Key(
            "skip",
            "a list of names",
            "`[]`",
            "Folders of an `image_folder` or `text_folder` that are not classes.",
            'skip = ["unsorted"]',
        ),
    ),
    also="Fields, `name: type = pipeline`: each is a tensor of the batch, with the batch axis `B` in front. `let` names a "
    "value that several fields use.",
)

EXPORT = SectionKeys(
    "export",
    "export { .. }, or export Name { .. }",
    "What goes into the ONNX file. Sections have names when there are several.",
    (
        Key(
            "onnx",
            "a path",
            "the name of the section or of the spec, with `.onnx`",
            "The file. It is written to `RUN/export/` for a run and to the current directory for a spec; `-o` overrides it.",
            'onnx = "classifier.onnx"',
        ),
        Key(
            "train",
            "the name of a `train` section",
            "the only one",
            "Whose model and weights are exported.",
            "train = Recipe",
        ),
        Key(
            "model",
            "a model, or a net that a `let` of the train section names",
            "the model of the train section",
            "What is exported.",
            "model = Classifier",
        ),
        Key(
            "inputs",
            "a list of inputs or named values of the model",
            "the inputs that the outputs need",
            "Cuts the model: the graph begins at these values.",
            "inputs = [x]",
        ),
        Key(
            "outputs",
            "a list of outputs or named values, or `{ name = expression }`",
            "the outputs of the model",
            "Exactly the outputs of the graph. Expressions may add functions: `probs = softmax(logits)`.",
            "outputs { probs = softmax(logits) }",
            "key or sub",
        ),
        Key(
            "precision",
            '`"f32"`, `"f16"` or `"bf16"`',
            '`"f32"`',
            "The dtype of the weights and the computation in the graph.",
            'precision = "f16"',
        ),
        Key(
            "opset",
            "a whole number",
            "`23`",
            "The ONNX opset. Only 23 is supported.",
            "opset = 23",
            elsewhere=("opset_version",),
        ),
        Key(
            "fix",
            "`{ size = number }`",
            "every size with a letter stays dynamic",
            "Gives dynamic sizes a fixed value in the graph.",
            "fix { B = 1 }",
            "sub",
            elsewhere=("dynamic_axes", "dynamic_shapes"),
        ),
        Key(
            "preprocess",
            "`true` or `false`",
            "`false`",
            "Puts the transforms of the data that ONNX can express into the graph (`scale`, `normalize`, `one_hot`, `category`, ..), and behind its outputs the way back to the units of the data.",
            "preprocess = true",
        ),
        Key(
            "quantize",
            '`"int8"` or `"int4"`',
            "weights as trained",
            "Rounds the weights of linear layers: a smaller file, and less memory to read for each token.",
            'quantize = "int8"',
        ),
    ),
)

SEARCH = SectionKeys(
    "search",
    "search { .. }",
    "Which settings are drawn from what, towards which figure. The section is checked; no command runs it yet (W0415).",
    (
        Key(
            "method",
            "`grid()`, `random(trials, seed)` or `bayes(trials, seed)`",
            REQUIRED,
            "How settings are chosen.",
            "method = random(trials = 20)",
            elsewhere=("sampler",),
        ),
        Key(
            "objective",
            "`val.loss` or `val.METRIC`",
            REQUIRED,
            "The figure to improve; a metric knows its direction.",
            "objective = val.loss",
            elsewhere=("monitor",),
        ),
        Key(
            "prune",
            "`asha(min, factor)` or `median(min)`",
            "every trial runs to its end",
            "Stops trials that fall behind.",
            "prune = median(min = 1 epochs)",
            elsewhere=("pruner",),
        ),
        Key("train", "the name of a `train` section", "the only one", "The recipe that is tuned.", "train = Recipe"),
    ),
    also="Draws, `setting ~ distribution`: `lr ~ log_uniform(1e-4, 1e-1)`, `depth ~ choice(1, 2)`.",
)

WEIGHTS = SectionKeys(
    "weights",
    "weights name for Model { .. }",
    "A map between the parameters of a model and the tensors of a foreign file.",
    (
        Key("ignore", "a list of globs", "`[]`", "Foreign tensors that are not wanted.", 'ignore = ["head.*"]'),
        Key(
            "strip",
            "a prefix",
            '`""`',
            "A prefix that is removed from the foreign names that have it.",
            'strip = "module."',
        ),
    ),
    also='Rules, `"ours" <- "theirs"`: the first that matches wins; wildcards correspond in order; `*+1` on the right is a number plus 1.',
)

SECTIONS: Mapping[str, SectionKeys] = {
    section.name: section
    for section in (DATA, TRAIN, STEP, PHASE, GROUP, FREEZE, LOG, RUNTIME, EXPORT, SEARCH, WEIGHTS)
}


def renamed(word: str) -> str | None:
    """The key that other tools call `word`: `batch` for `batch_size`."""
    return next((key.name for section in SECTIONS.values() for key in section if word in key.elsewhere), None)


def find(name: str) -> list[tuple[SectionKeys, Key]]:
    """The keys of that name, each with a section that has it: `precision` of `train` and of `export`.

    `train.precision` names one of them, and a key is found under the names that other tools give it. A phase or step that
    repeats a key of `train` is not listed again.
    """
    owner, _, leaf = name.rpartition(".")
    found = [
        (section, key)
        for section in SECTIONS.values()
        for key in section
        if (key.name == leaf or leaf in key.elsewhere) and owner in ("", section.name)
    ]
    whole = {key for section, key in found if section is TRAIN}
    return [(section, key) for section, key in found if owner or section is TRAIN or key not in whole]


def names() -> list[str]:
    """Every name that `find` or `SECTIONS` knows."""
    return list(dict.fromkeys([*SECTIONS, *(key.name for section in SECTIONS.values() for key in section)]))
