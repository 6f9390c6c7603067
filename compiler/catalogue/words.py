"""Words of the language itself: what `dlc explain scan` prints. Entries and keys of sections have pages of their own."""

from __future__ import annotations

from textwrap import fill
from typing import NamedTuple

_WIDTH = 110


class Word(NamedTuple):
    """Where a word is written, what it means, and a whole spec or a part of one: items, or statements of a body."""

    where: str
    meaning: str
    example: str


_TOP, _BODY, _VALUE, _TIME, _TYPE = "a declaration", "a body", "a value", "a duration", "a type"
_IMPORT = Word(
    _TOP,
    "Takes blocks, models and params from another spec, by its path relative to this one or by the name of a library of `std`. "
    "`as` gives it another name here, and arguments set the params of that file.",
    'from "parts.dlspec" (width = 64) import Tower as Encoder',
)
_CHOICE = Word(
    f"{_BODY}, or a stage",
    "Chooses by what is known before the model runs: settings, sizes, `training`. A choice by data is `where(c, a, b)`. As a "
    "stage, `else` may be left out.",
    "y = x -> if deep { Linear(8) -> relu } else { Linear(8) }",
)
_LOOP = Word(
    "a stage",
    "Applies its stages once for each item of a range or list, each time with weights of its own, which are numbered from 0.",
    "y = x -> blocks: for width in [64, 32] { Linear(width) -> relu }",
)
_LOGIC = Word(
    _VALUE,
    "Joins or inverts conditions: of settings and sizes, or of bool tensors, elementwise.",
    "keep = mask and not pad",
)
_TRUTH = Word(_VALUE, "A bool: for arguments, settings and conditions.", "y = x -> Linear(8, bias = false)")
_SPLIT = Word(
    "keys of `train`",
    "A split of the data whose loss or metric is meant: `val.loss`, `test.acc`. Splits are made by `split` in `data`.",
    "train { keep = best(val.loss) }",
)
_STATE = Word(
    _BODY,
    "A recurrence of your own: its body runs once for each index of an axis. Sequences are sliced along the axis, each `carry(..)` is "
    "what it begins with and is assigned again in every turn, and the last expressions are stacked along the axis.",
    "y = scan(axis = 1, x_t = x, h = carry(zeros([B, 8]))) {\n  h = tanh(x_t + h)\n  h\n}",
)
_UNITS = Word(
    _TIME,
    "The unit of a duration: `steps` of the optimizer, `epochs` over the train split, or `samples` and `tokens` that were trained on.",
    "train { duration = 10 epochs; validate = every(500 steps) }",
)
_FLOAT = Word(
    _TYPE,
    "A dtype of numbers with a fraction; the digits are its bits, and `bf16` has the range of `f32`. A tensor type without dtype is `f32`.",
    "y = x -> cast(f16)",
)
_WHOLE = Word(
    _TYPE,
    "A dtype of whole numbers; the digits are its bits, and `u8` has no sign. Ids and classes are `i64`.",
    "y = x -> cast(i64)",
)
_STATIC = Word(
    _TYPE,
    "The type of a setting: a param, or an argument in the first parentheses of a block or model. It may be left out where the default shows it.",
    "param width: int = 64",
)

WORDS: dict[str, Word] = {
    "dlspec": Word(_TOP, "The first line of a spec: the edition of the language in which it is written.", "dlspec 1"),
    "from": _IMPORT, "import": _IMPORT, "as": _IMPORT,
    "extends": Word(
        _TOP,
        "Makes this spec another one with changes: `set` and variants change its settings, `override block` its blocks.",
        'extends "base.dlspec"\nset train.batch = 32',
    ),
    "override": Word(
        _TOP, "Replaces a block of the spec that this one extends.", "override block Stem(x: [B, D]) -> [B, D] { x -> relu }"
    ),
    "param": Word(
        _TOP,
        "A setting of the file: a name with a default, which the command line (`width=128`), `set`, variants and imports change.",
        "param width = 64",
    ),
    "block": Word(
        _TOP,
        "A part of a model with weights of its own wherever it is applied. Settings are in the first parentheses, inputs in the "
        "second, and the last expression is the result. Its name is capitalised if it owns weights. Short form: stages after `=`.",
        "block Mlp(width = 64)(x: [B, D]) -> [B, D] { x -> Linear(width) -> relu -> Linear(D) }\nblock Head = Linear(64) -> relu",
    ),
    "model": Word(
        _TOP,
        "What is trained and exported: inputs with all sizes named, named outputs, and a body that assigns each output.",
        "model Net(x: [B, 8]) -> (y: [B, 2]) { y = x -> Linear(2) }",
    ),
    "variant": Word(_TOP, "Settings under a name: `dlc train spec.dlspec@small`.", "variant small { train.batch = 16 }"),
    "set": Word(_TOP, "Changes a setting of this file or of the one that it extends.", "set train.batch = 32"),
    "let": Word(
        "`data`, `train` and the sections inside them",
        "Names a value that others of the section read. In a body a value is named without it: `h = x -> relu`.",
        "train { let noise = randn([B, 64]) }",
    ),
    "require": Word(
        _BODY,
        "States a fact about sizes and settings. What is static is checked at once; other facts hold for all that follows, and are checked "
        "on each input.",
        'require T % 2 == 0, "the length must be even"',
    ),
    "init": Word(
        _BODY, "Initial values of the weights that a selector matches: a glob of paths, `Kind.weight` or `rank < 2`. Rules of what encloses a block override "
        "those of the block, and later rules earlier ones.", "init Linear.weight = normal(0.02)"
    ),
    "emit": Word(
        _BODY,
        "Gives a value of a body to `train` under a name, for losses, metrics and logs, stacked over all applications: `mean(balance)`. It is "
        "not part of an export.",
        "emit balance = mean(x ** 2)",
    ),
    "scan": _STATE, "carry": _STATE,
    "if": _CHOICE, "else": _CHOICE,
    "for": _LOOP, "in": _LOOP,
    "training": Word(
        "a condition", "True while the model trains, false in evaluation and in an exported file.", "y = x -> if training { dropout(0.1) }"
    ),
    "and": _LOGIC, "or": _LOGIC, "not": _LOGIC,
    "true": _TRUTH, "false": _TRUTH,
    "none": Word(_VALUE, "Nothing: an argument that is not given. As an index it inserts an axis of size 1.", "y = x[:, none]"),
    "round_to": Word(_VALUE, "A size rounded to a multiple, at least 90 % of it, as in the papers of MobileNet.", "y = x -> Linear(round_to(30, 8))"),
    "val": _SPLIT, "test": _SPLIT,
    "base": Word("a group of `train`", "The optimizer's own value, from which one of a group is computed.", 'train { group "head.**" { lr = base.lr * 10 } }'),
    "steps": _UNITS, "epochs": _UNITS, "samples": _UNITS, "tokens": _UNITS,
    "rest": Word(_TIME, "All that is left of the run: of a segment of a schedule.", "train { optimizer = AdamW(0 -> linear(1e-3, 100 steps) -> cosine(0, rest)) }"),
    "f16": _FLOAT, "bf16": _FLOAT, "f32": _FLOAT, "f64": _FLOAT,
    "i8": _WHOLE, "i16": _WHOLE, "i32": _WHOLE, "i64": _WHOLE, "u8": _WHOLE,
    "bool": Word(_TYPE, "A dtype of true and false, such as comparisons give; and the type of a setting.", "model M(mask: bool[B, T]) -> (y: [B, T]) { y = where(mask, 1.0, 0.0) }"),
    "int": _STATIC, "float": _STATIC, "string": _STATIC, "list": _STATIC, "tuple": _STATIC,
    "one_of": Word(_TYPE, "A setting that is one of some texts.", 'block Act(kind: one_of("relu", "gelu"))(x: [B, D]) -> [B, D] { x -> relu }'),
    "fn": Word(_TYPE, "A setting that is a function, such as an activation.", "block Act(act: fn = relu)(x: [B, D]) -> [B, D] { x -> act }"),
    "layer": Word(_TYPE, "A setting that is a layer or block, with its arguments given or not.", "block Wrap(norm: layer = LayerNorm)(x: [B, D]) -> [B, D] { x -> norm }"),
}  # fmt: skip


def explain(name: str) -> str | None:
    """The page of a word, or None."""
    word = WORDS.get(name)
    if word is None:
        return None
    example = "\n".join(f"  {line}" for line in word.example.splitlines())
    meaning = fill(word.meaning, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return f"{name}    word of {word.where}\n\n{meaning}\n\nexample\n{example}\n"
