"""Every code with what it means, why, and a program that has it beside one that has not: `dlc explain E0207`.

A code keeps its meaning for ever; a new one takes a free number.
"""

from __future__ import annotations

from typing import NamedTuple

_TEXTURES = """dlspec 1

data Textures {
  source = builtin("textures")
  split  = random(train = 0.7, val = 0.3, group = source.region)

  image: f32[1, 64, 64] = source.image -> scale(1 / 255)
  label: i64            = source.label
}
"""


class Entry(NamedTuple):
    meaning: str
    why: str
    wrong: str = ""
    right: str = ""
    #: The command that finds it, where a check cannot: the wrong program checks clean.
    when: str = ""


def explain(code: str) -> str | None:
    """The page of a code as plain text; None for what is no code."""
    entry = REGISTER.get(code.upper())
    if entry is None:
        return None
    word = "error" if code.upper().startswith("E") else "warning"
    parts = [f"{word} {code.upper()}: {entry.meaning}", entry.why]
    if entry.when:
        parts.append(f"It is said by `{entry.when}`.")
    if entry.wrong:
        parts += ["wrong:", _indented(entry.wrong), "right:", _indented(_mended(entry))]
    return "\n\n".join(parts) + "\n"


def reference() -> str:
    """The page of all codes, `docs/diagnostics.md`."""
    head = (
        "What `dlc` says about a spec, by code; `dlc explain E0207` prints one entry. The first program of an entry gets the\n"
        "code and no other, the second none. A code keeps its meaning for ever. This page is written by\n"
        "`python -m dlc.compiler.messages`."
    )
    parts = [
        "# Diagnostics",
        head,
        "\n".join(
            [
                "| code | meaning |",
                "|---|---|",
                *(f"| [{c}](#{c.lower()}) | {e.meaning} |" for c, e in REGISTER.items()),
            ]
        ),
    ]
    for code, entry in REGISTER.items():
        parts += [f"## {code}", f"**{entry.meaning}**", entry.why]
        if entry.when:
            parts.append(f"It is said by `{entry.when}`.")
        parts += [f"```\n{program.strip()}\n```" for program in (entry.wrong, entry.right) if program]
    return "\n\n".join(parts) + "\n"


def _mended(entry: Entry) -> str:
    """The right program; of a long one only the lines that change."""
    wrong, right = entry.wrong.splitlines(), entry.right.splitlines()
    if len(right) <= 8:
        return entry.right
    from difflib import ndiff

    return "\n".join(line for line in ndiff(wrong, right) if line[0] in "+-")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.strip("\n").split("\n"))


def _body(statements: str, inputs: str = "x: [B, 8]", outputs: str = "y: [B, 8]") -> str:
    lines = "\n".join(f"  {line}" for line in statements.split("\n"))
    return f"dlspec 1\n\nmodel M({inputs}) -> ({outputs}) {{\n{lines}\n}}\n"


DIGITS = """\
dlspec 1

data Digits {
  source = builtin("digits")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
  label: i64 = source.label
}

model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = image -> flatten -> fc: Linear(10)
}

train {
  model     = M
  data      = Digits
  loss      = cross_entropy(logits, label)
  optimizer = Adam(1e-3)
  batch     = 64
  duration  = 2 epochs
}
"""

DIABETES = """\
dlspec 1

data Diabetes {
  source = builtin("diabetes")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  x: f32[10] = source.x
  y: f32     = source.y
}

model M(x: [B, 10]) -> (pred: [B, 1]) {
  pred = x -> fc: Linear(1)
}

train {
  model     = M
  data      = Diabetes
  loss      = mse(pred, y)
  optimizer = Adam(1e-3)
  batch     = 64
  duration  = 2 epochs
}
"""


def _train(old: str, new: str) -> str:
    assert old in DIGITS, old
    return DIGITS.replace(old, new)


def _texts(after: str) -> str:
    return (
        'dlspec 1\n\ndata Reviews {\n  source = csv("reviews.csv")\n  split  = random(train = 0.9, val = 0.1, seed = 0)\n'
        f"  words: i64[T] = source.text -> lower -> words -> vocab(5000, 2){after}\n"
        "  label: i64    = source.stars -> category\n}\n"
    )


EXPORT = '\nexport {\n  onnx = "m.onnx"\n}\n'


def _cut(inputs: str, outputs: str) -> str:
    model = _body("code = x -> encode: Linear(2)\nout  = (code -> decode: Linear(8)) + x", outputs="out: [B, 8]")
    return f'{model}\nexport {{\n  onnx    = "m.onnx"\n  inputs  = {inputs}\n  outputs = {outputs}\n}}\n'


def _micro(program: str) -> str:
    """With a micro-batch, whose key is wider than the others."""
    head, train = program.split("train {\n")
    return head + "train {\n" + train.replace(" = ", "   = ").replace("= 64\n", "= 64\n  micro_batch = 16\n")


REGISTER: dict[str, Entry] = {
    # ---- syntax ------------------------------------------------------------------------------------------------------
    "E0101": Entry(
        "syntax",
        "The text does not follow the grammar. The message says what was expected; a bracket that is never closed is\n"
        "shown where it opens. Reading goes on at the next statement, so all mistakes of a file are told at once.",
        _train("batch     = 64", "batch: 64"),
        DIGITS,
    ),
    "E0102": Entry(
        "operator after a pipeline",
        "`->` binds loosest, so in `x -> f + y` the sum could belong to the stage or to the result. It is never guessed:\n"
        "put the flow, or what the stage gets, in parentheses.",
        _body("y = x -> relu + x"),
        _body("y = (x -> relu) + x"),
    ),
    "E0103": Entry(
        "not something that can be assigned",
        "The left side of `=` is a name, or a list of names that unpacks several outputs.",
        _body("f(x) = x -> relu\ny = f"),
        _body("f = x -> relu\ny = f"),
    ),
    "E0104": Entry(
        "a body after `name = e`, where `e` is no `scan`",
        "Braces with statements follow a signature or `scan(..)`. Arguments stand in parentheses.",
        _body("y = x { x }"),
        _body("y = x"),
    ),
    "E0105": Entry(
        "nesting over 100; a literal or static integer above 2^63",
        "Limits that no real spec meets; they keep every tool that reads specs safe from hostile ones.",
        "dlspec 1\n\nparam big = 9223372036854775809\n",
        "dlspec 1\n\nparam big = 9223372036854775807\n",
    ),
    # ---- shapes, dtypes, numbers -------------------------------------------------------------------------------------
    "E0201": Entry(
        "shapes or types differ; a record does not fit its field",
        "Two sizes that must be equal are known to differ. Both places are shown. Nothing broadcasts but a literal 1.",
        _body("y = x + (x -> Linear(4))"),
        _body("y = x + (x -> Linear(8))"),
    ),
    "E0202": Entry(
        "rank or count: axes, or names in an unpacking",
        "The number of axes, or the number of values on the right of `[a, b] = ..`, is not what is stated.",
        _body("[a, b] = x -> chunk(4, axis = -1)\ny = concat(a, b, axis = -1)", outputs="y: [B, 4]"),
        _body("[a, b] = x -> chunk(2, axis = -1)\ny = concat(a, b, axis = -1)"),
    ),
    "E0203": Entry(
        "prediction and target do not pair up",
        "A loss or metric compares two tensors whose shapes would only match by broadcasting; in other libraries this\n"
        "trains on the wrong thing silently. State the class axis, or make the shapes equal.",
        DIABETES,
        DIABETES.replace("Linear(1)", "Linear(1) -> squeeze(-1)").replace("pred: [B, 1]", "pred: [B]"),
    ),
    "E0204": Entry(
        "dtype",
        "Tensor dtypes never convert by themselves; `cast(f32)` says it.",
        _body("y = x -> Embedding(10, 8)", "x: [B]"),
        _body("y = x -> Embedding(10, 8)", "x: i64[B]"),
    ),
    "E0205": Entry(
        "class or vocabulary count of the data against the model",
        "The model ends in another number of classes than the data has, or an embedding has fewer rows than the vocabulary\n"
        "that feeds it. A folder that is no class is left out with `skip = [..]`.",
        _train("Linear(10)", "Linear(9)").replace("[B, 10]", "[B, 9]"),
        DIGITS,
    ),
    "E0206": Entry(
        "not whole",
        "`/` on sizes is exact, and a size or count must be whole. Where rounding is meant, write `//`.",
        _body("y = x -> Linear(7 / 2)", outputs="y: [B, _]"),
        _body("y = x -> Linear(7 // 2)", outputs="y: [B, _]"),
    ),
    "E0207": Entry(
        "cannot be proved; the missing fact is the help",
        "Two symbolic sizes may be equal or not. There is no solver that guesses: state the fact with `require`, which\n"
        "is assumed by the checker and asserted on the input at run time.",
        _body("y = x -> max_pool(2) -> upsample(2) -> add(x)", "x: [B, 3, H, W]", "y: [B, 3, H, W]"),
        _body("require H % 2 == 0 and W % 2 == 0\ny = x -> max_pool(2) -> upsample(2) -> add(x)", "x: [B, 3, H, W]",
              "y: [B, 3, H, W]"),
    ),
    "E0208": Entry(
        "not static: a symbolic dim or data as static argument, condition, count",
        "The structure of a model never depends on the data it sees. A choice by data is `where(c, a, b)`.",
        _body("y = x -> repeat B { relu }"),
        _body("y = x -> repeat 3 { relu }"),
    ),
    "E0210": Entry(
        "`require` does not hold",
        "A condition that the spec itself states is false for the values given.",
        "dlspec 1\n\nmodel M(heads = 3)(x: [B, 8]) -> (y: [B, 8]) {\n  require 8 % heads == 0\n  y = x\n}\n",
        "dlspec 1\n\nmodel M(heads = 4)(x: [B, 8]) -> (y: [B, 8]) {\n  require 8 % heads == 0\n  y = x\n}\n",
    ),
    "E0211": Entry(
        "division by zero",
        "A static expression divides by zero.",
        "dlspec 1\n\nparam n = 0\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x * (1 / n)\n}\n",
        "dlspec 1\n\nparam n = 2\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x * (1 / n)\n}\n",
    ),
    "E0212": Entry(
        "weight whose size is symbolic",
        "A weight has one size. Write it in the model's signature, or as a static.",
        _body("y = x -> Linear(8)", "x: [B, F]"),
        _body("y = x -> Linear(8)", "x: [B, 16]"),
    ),
    # ---- names and application ---------------------------------------------------------------------------------------
    "E0301": Entry(
        "unknown name, parameter or size",
        "Nothing is called so here. Near names are suggested. New sizes are named only by inputs and left of `=>`.",
        _body("y = x -> ReLU"),
        _body("y = x -> relu"),
    ),
    "E0302": Entry(
        "one path with two shapes",
        "A shared layer is one set of parameters, so all its uses must agree.",
        _body("fc = Linear(8)\ny = (x -> fc) + (x -> Linear(4) -> fc)"),
        _body("fc = Linear(8)\ny = (x -> fc) + (x -> Linear(8) -> fc)"),
    ),
    "E0303": Entry(
        "cannot be applied here",
        "An instance is applied by a pipe, `x -> tower`, never called; a value is not a stage.",
        _body("fc = Linear(8)\ny = fc(x)"),
        _body("fc = Linear(8)\ny = x -> fc"),
    ),
    "E0304": Entry(
        "arguments: unknown, missing, twice, too many, of the wrong static type",
        "Argument names are checked, so that none is silently ignored.",
        _body("y = x -> Linear(8, biass = false)"),
        _body("y = x -> Linear(8, bias = false)"),
    ),
    "E0305": Entry(
        "several outputs where one is needed",
        "A layer with several outputs is selected from: `.y`, `.h`.",
        _body("y = x -> LSTM(8) -> relu", "x: [B, T, 4]", "y: [B, T, 8]"),
        _body("y = x -> LSTM(8).y -> relu", "x: [B, T, 4]", "y: [B, T, 8]"),
    ),
    "E0306": Entry(
        "two layers with one path, or one inside another",
        "A label is a checkpoint's key; there is no silent renaming. To share weights, bind one instance.",
        _body("h = x -> fc: Linear(8)\ny = h -> fc: Linear(8)"),
        _body("h = x -> fc1: Linear(8)\ny = h -> fc2: Linear(8)"),
    ),
    "E0307": Entry(
        "output not assigned",
        "Outputs that the signature names are assigned by name, so that two cannot be swapped.",
        _body("z = x -> relu"),
        _body("y = x -> relu"),
    ),
    "E0308": Entry(
        "dim that no input binds",
        "Each axis of a model's input has a name or a size, and each size of an output comes from one of them. Where a\n"
        "model is cut for export, the listed inputs have to carry them.",
        _body("y = x -> flatten -> Linear(8)", "x: [B, _]"),
        _body("y = x -> flatten -> Linear(8)", "x: [B, 4]"),
    ),
    "E0309": Entry(
        "value or binding not used",
        "What is computed and dropped is nearly always a mistake: a line that begins with an operator does not continue\n"
        "the one before. A leading `_` allows an unused binding.",
        _body("y = x\n  - 1"),
        _body("y = x -\n  1"),
    ),
    "E0310": Entry(
        "the branches of `if training` use one path differently",
        "Both branches own the same weights, so one path must mean the same layer in both.",
        _body("y = x -> if training { fc: Linear(8) } else { fc: Linear(8, bias = false) }"),
        _body("y = x -> if training { fc: Linear(8) } else { fc: Linear(8) }"),
    ),
    "E0311": Entry(
        "two names of different levels are equal; a collision in `train`",
        "A reader could not tell which is meant. Give one of them another name; in `train`, write `data.x` or `model.x`.",
        "dlspec 1\n\nparam x = 3\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x\n}\n",
        "dlspec 1\n\nparam n = 3\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x * n\n}\n",
    ),
    "E0312": Entry(
        "label or instance name that PyTorch or Python reserves",
        "Labels become attributes of an `nn.Module`; `train` or `class` would break it. Append `_`.",
        _body("y = x -> train: Linear(8)"),
        _body("y = x -> train_: Linear(8)"),
    ),
    "E0313": Entry(
        "label on a stated shape",
        "A stated shape checks and documents what flows; it owns nothing that could be named.",
        _body("y = x -> h: [B, 8]"),
        _body("y = x -> [B, 8]"),
    ),
    "E0314": Entry(
        "lowercase block that owns parameters",
        "Capitals own weights, lowercase never does: that is how a reader sees every parameter of a spec.",
        "dlspec 1\n\nblock head(x: [B, D]) -> [B, 8] {\n  x -> Linear(8)\n}\n\n"
        "model M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x -> head\n}\n",
        "dlspec 1\n\nblock Head(x: [B, D]) -> [B, 8] {\n  x -> Linear(8)\n}\n\n"
        "model M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x -> Head\n}\n",
    ),
    "E0315": Entry(
        "import or `extends`: missing, outside the project root, a cycle",
        "Paths are relative to the importing file and stay inside the project.",
        'dlspec 1\nfrom "nowhere.dlspec" import Block\n',
        'dlspec 1\nfrom std.attention import SelfAttention\n',
    ),
    "E0316": Entry(
        "more than 100k instances",
        "A repeat count is probably a typo.",
        _body("y = x -> h: repeat 1M { Linear(8) }"),
        _body("y = x -> h: repeat 10 { Linear(8) }"),
    ),
    # ---- sections and data -------------------------------------------------------------------------------------------
    "E0401": Entry(
        "unknown key",
        "Sections are closed: a misspelled key is an error, never ignored.",
        _train("  optimizer = ", "  optimiser = "),
        DIGITS,
    ),
    "E0402": Entry(
        "selector that matches nothing",
        "`init`, `group` and `freeze` name parameters by path; a selector without a match would have no effect.",
        _body('y = x -> fc: Linear(8)\ninit "fcc.weight" = zeros'),
        _body('y = x -> fc: Linear(8)\ninit "fc.weight" = zeros'),
    ),
    "E0403": Entry(
        "unit missing or of the wrong dimension; epochs that cannot become steps",
        "A duration says what it counts.",
        _train("2 epochs", "2"),
        DIGITS,
    ),
    "E0404": Entry(
        "model input without a data field",
        "Inputs are fed by the data fields of the same name; `inputs { a = b }` renames.",
        _train("  image: f32", "  picture: f32"),
        DIGITS,
    ),
    "E0405": Entry(
        "weight map not total",
        "Each parameter is produced exactly once, and each foreign tensor is used, skipped or ignored; otherwise both lists\n"
        "are shown. `skip = [..]` leaves ours at their initial values, `ignore = [..]` leaves theirs out. What the file holds\n"
        "is compared when it is read.",
        _body("y = x -> fc: Linear(8)") + '\nweights theirs for M {\n  "fc.weight" <- "dense.weight"\n}\n',
        _body("y = x -> fc: Linear(8)") + '\nweights theirs for M {\n  "fc.*" <- "dense.*"\n}\n',
    ),
    "E0406": Entry(
        "override that changes nothing reachable",
        "A setting or `override block` names something that this spec does not use.",
        "dlspec 1\n\nparam n = 3\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x\n}\n\nset n = 4\n",
        "dlspec 1\n\nparam n = 3\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x * n\n}\n\nset n = 4\n",
    ),
    "E0407": Entry(
        "`duration` in phases and in `train`, or missing in a phase",
        "With phases, each has its own duration and `train` has none.",
        _train("  duration  = 2 epochs\n", "  duration  = 2 epochs\n  phase a { duration = 1 epochs }\n"),
        _train("  duration  = 2 epochs\n", "  phase a { duration = 1 epochs }\n"),
    ),
    "E0408": Entry(
        "required key missing, or a key twice",
        "One place for each setting.",
        _train("  batch     = 64\n", "  batch     = 64\n  batch     = 32\n"),
        DIGITS,
    ),
    "E0409": Entry(
        "`Param` without init",
        "A bare parameter has no default initial value: give `init =` or an `init` rule.",
        _body("y = x + Param([8])"),
        _body("y = x + Param([8], init = zeros)"),
    ),
    "E0410": Entry(
        "ragged field without `pad`",
        "Records of different lengths become a batch only with a value to fill up with: `-> pad(0)`, last.",
        _texts(" -> truncate(64)"),
        _texts(" -> truncate(64) -> pad(0)"),
    ),
    "E0411": Entry(
        "split fractions",
        "Fractions of `random` and `contiguous` sum to 1.",
        _train("val = 0.2", "val = 0.3"),
        DIGITS,
    ),
    "E0412": Entry(
        "source, weights or vocabulary file missing or unreadable",
        "A file that the spec names is not there, is of another format, or has a cell that does not fit its field. Data paths\n"
        "are relative to the spec; `--data-root` says where the data has moved. `dlc check` looks at no file but specs.",
        _train('builtin("digits")', 'npz("/home/me/digits.npz")'),
        _train('builtin("digits")', 'npz("digits.npz")'),
    ),
    # ---- backends and export -----------------------------------------------------------------------------------------
    "E0501": Entry(
        "the backend cannot express it",
        "The message names the operator, its place and the backend. Nothing is skipped silently.",
        _body("y = x -> avg_pool(3, adaptive = true)", "x: [B, 4, 8, 8]", "y: [B, 4, 3, 3]"),
        _body("y = x -> avg_pool(4, adaptive = true)", "x: [B, 4, 8, 8]", "y: [B, 4, 4, 4]"),
        "dlc export",
    ),
    "E0502": Entry(
        "random function in an exported output",
        "Two runs of the exported model would differ, so parity could not be checked. Put it under `if training`, or make\n"
        "the random values an input.",
        DIGITS.replace("flatten ->", "flatten -> noise ->").replace(
            "model M", "block noise(x: [B, D]) -> [B, D] {\n  x + randn(x)\n}\n\nmodel M"
        ) + EXPORT,
        DIGITS.replace("flatten ->", "flatten -> noise ->").replace(
            "model M", "block noise(x: [B, D]) -> [B, D] {\n  x -> if training { add(randn(x)) }\n}\n\nmodel M"
        ) + EXPORT,
    ),
    "E0503": Entry(
        "no cached form",
        "The form for generation feeds a few positions at a time and keeps the keys and values of those before. So the length\n"
        "may reach only causal attention, stages that work position by position, and `arange(T)`, `sinusoid(T, ..)` and\n"
        "`rope`, which then begin at the positions already seen. The stage that needs the whole sequence is shown.",
        _body(
            "y = tokens -> wte: Embedding(32, 16) -> attn: MultiHeadAttention(2)", "tokens: i64[B, T]", "y: [B, T, 16]"
        ),
        _body(
            "y = tokens -> wte: Embedding(32, 16) -> attn: MultiHeadAttention(2, causal = true)",
            "tokens: i64[B, T]", "y: [B, T, 16]",
        ),
        "dlc export --cached",
    ),
    "E0504": Entry(
        "an output of a cut needs an input that is not listed",
        "`inputs = [z]` cuts the model at `z`; every listed output must follow from the listed inputs.",
        _cut("[code]", "[out]"),
        _cut("[code, x]", "[out]"),
    ),
    # ---- lints -------------------------------------------------------------------------------------------------------
    "W0401": Entry(
        "probabilities into a loss that takes logits",
        "`cross_entropy` applies the softmax itself; applying it twice trains, badly.",
        _train("fc: Linear(10)", "fc: Linear(10) -> softmax"),
        DIGITS,
    ),
    "W0402": Entry(
        "unlabelled weight where foreign weights are mapped",
        "Names by order change when a layer is inserted; a map should not hang on them. Label the layer.",
        _body("y = x -> Linear(8)") + '\nweights theirs for M {\n  "**" <- "**"\n}\n',
        _body("y = x -> fc: Linear(8)") + '\nweights theirs for M {\n  "**" <- "**"\n}\n',
    ),
    "W0403": Entry(
        "unused `let`",
        "A value of `train` that nothing reads.",
        _train("train {\n", "train {\n  let unused = image * 2\n"),
        DIGITS,
    ),
    "W0404": Entry(
        "several unlabelled layers of one name in a body",
        "They are called `linear`, `linear_2`, ..; inserting one renames those after it, and checkpoints no longer fit.",
        _body("y = x -> Linear(8) -> relu -> Linear(8)"),
        _body("y = x -> fc1: Linear(8) -> relu -> fc2: Linear(8)"),
    ),
    "W0405": Entry(
        "computed across examples of a micro-batch smaller than the batch",
        "Batch statistics and reductions over the batch see one micro-batch, so they change with `micro_batch`.",
        _micro(_train("flatten ->", "flatten -> norm: BatchNorm ->")),
        _micro(_train("flatten ->", "flatten -> norm: LayerNorm ->")),
    ),
    "W0406": Entry(
        "a name of the file hides a table name",
        "The tables may grow, so a file's own name always wins; here it wins over one that another reader knows.",
        "dlspec 1\n\nblock relu(x: [B, D]) -> [B, D] {\n  x -> clamp(0, 6)\n}\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x -> relu\n}\n",
        "dlspec 1\n\nblock relu1(x: [B, D]) -> [B, D] {\n  x -> clamp(0, 1)\n}\n\n"
        "model M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x -> relu1\n}\n",
    ),
    "W0407": Entry(
        "fewer records than `batch`",
        "The step then uses one smaller batch. Known when the data is there.",
        _train("batch     = 64", "batch     = 5000"),
        DIGITS,
        "dlc train",
    ),
    "W0408": Entry(
        "records that overlap are divided one by one",
        "Patches of one photograph share pixels. In two splits they would let a model be tried on what it was trained on, "
        "and its figures would be too good. A random split with the `group` of the source keeps them together.",
        _TEXTURES.replace(", group = source.region", ""),
        _TEXTURES,
    ),
}  # fmt: skip
