"""The programs that explanations show: a wrong one is a right one with one thing changed."""

from __future__ import annotations

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

TEXTURES = """dlspec 1

data Textures {
  source = builtin("textures")
  split  = random(train = 0.7, val = 0.3, group = source.region)

  image: f32[1, 64, 64] = source.image -> scale(1 / 255)
  label: i64            = source.label
}
"""

EXPORT = '\nexport {\n  onnx = "m.onnx"\n}\n'


def body(statements: str, inputs: str = "x: [B, 8]", outputs: str = "y: [B, 8]") -> str:
    lines = "\n".join(f"  {line}" for line in statements.split("\n"))
    return f"dlspec 1\n\nmodel M({inputs}) -> ({outputs}) {{\n{lines}\n}}\n"


def digits(old: str, new: str) -> str:
    assert old in DIGITS, old
    return DIGITS.replace(old, new)


def reviews(after: str) -> str:
    return (
        'dlspec 1\n\ndata Reviews {\n  source = csv("reviews.csv")\n  split  = random(train = 0.9, val = 0.1, seed = 0)\n'
        f"  words: i64[T] = source.text -> lower -> words -> vocab(5000, 2){after}\n"
        "  label: i64    = source.stars -> category\n}\n"
    )


def cut(inputs: str, outputs: str) -> str:
    model = body("code = x -> encode: Linear(2)\nout  = (code -> decode: Linear(8)) + x", outputs="out: [B, 8]")
    return f'{model}\nexport {{\n  onnx    = "m.onnx"\n  inputs  = {inputs}\n  outputs = {outputs}\n}}\n'


def micro_batched(program: str) -> str:
    """With a micro-batch, whose key is wider than the others."""
    head, train = program.split("train {\n")
    return head + "train {\n" + train.replace(" = ", "   = ").replace("= 64\n", "= 64\n  micro_batch = 16\n")


# ---- what commands print, and what to type next --------------------------------------------------------------------------------
# All are about the spec `digits_mlp` that ships and a run of it; `..` stands for lines that differ from machine to machine.

IN_USE = """\
$ dlc train digits_mlp.dlspec --resume runs/digits_mlp/1
error[E0601]: `runs/digits_mlp/1` already holds a run, which process 4711 is training
  = help: choose another `--out`, or wait for it to end and continue it with `--resume`
$ dlc train digits_mlp.dlspec --out runs/second "train.duration=2 steps"
"""

NOT_WRITTEN = """\
$ touch notes.txt
$ dlc build digits_mlp.dlspec --emit pytorch -o notes.txt/source
error[E0602]: notes.txt/source/model.py: not a directory
  = help: use a folder that can be written, then run the command again
$ dlc build digits_mlp.dlspec --emit pytorch -o source
"""

DAMAGED = """\
$ truncate -s 100 runs/digits_mlp/1/best/model.safetensors
$ dlc evaluate runs/digits_mlp/1
error[E0603]: `runs/digits_mlp/1/best/model.safetensors` is damaged: it has 100 bytes, 105,056 were written
  = help: name the other checkpoint of the run: `runs/digits_mlp/1/last`
$ dlc evaluate runs/digits_mlp/1/last
"""

NOT_OURS = """\
$ touch digits_mlp.onnx
$ dlc export digits_mlp.dlspec
error[E0604]: `digits_mlp.onnx` already exists, and dlc did not write it
  --> digits_mlp.dlspec:32:16
   |
32 |   onnx       = "digits_mlp.onnx"
   |                ^^^^^^^^^^^^^^^^^ would be replaced
   |
   = help: name another file, or replace this one: `-o FILE`

1 error
$ dlc export digits_mlp.dlspec -o digits.onnx
"""

OTHER_VERSION = """\
$ dlc evaluate runs/digits_mlp/1
error[E0605]: `runs/digits_mlp/1/ir.json` was written by dlc 0.0.1, and dlc 0.1.0 does not read it
..
  = help: write it again from the spec in the run: `dlc build runs/digits_mlp/1/spec.dlspec --emit ir -o runs/digits_mlp/1`
  = help: or use dlc 0.0.1 for this run
$ dlc build runs/digits_mlp/1/spec.dlspec --emit ir -o runs/digits_mlp/1
$ dlc evaluate runs/digits_mlp/1
"""

NOT_FINITE = """\
$ dlc import-weights digits_mlp.dlspec last.safetensors
error[E0606]: `last.safetensors` holds weights that are not numbers
  = note: `fc1.weight` has 1 NaN in 8,192 numbers
  = help: use a checkpoint from before the training diverged
$ dlc import-weights digits_mlp.dlspec earlier.safetensors
"""

UNUSABLE = """\
$ dlc evaluate runs/digits_mlp/1 --split tests
error[E0607]: there is no split `tests`
  = help: use `train`, `val` or `test`
$ dlc evaluate runs/digits_mlp/1 --split test
"""

DIVERGED = """\
$ dlc train digits_mlp.dlspec "train.optimizer=SGD(1e38)" "train.duration=5 steps"
error[E0608]: diverged at step 2: the loss is not a finite number
..
  = help: try a smaller learning rate, `clip = norm(1.0)` or a warm-up (`lr = 0 -> linear(..)`)
$ dlc train digits_mlp.dlspec "train.optimizer=SGD(0.1)" "train.duration=5 steps"
"""

DISAGREES = """\
$ cat loud.dlspec
dlspec 1

model Loud(x: [B, 4]) -> (y: [B, 4]) {
  y = x * 1000 * 1000 / 1e6
}

export {
  onnx      = "loud.onnx"
  precision = "f16"
}
$ dlc export loud.dlspec
error[E0609]: the exported file and the model disagree on `y`
..
  = help: f16 holds numbers up to 65504, and others are cut to it: write a mask as `where(mask, scores, -1e9)`, not as a sum
  = help: export in f32
$ dlc export loud.dlspec 'export.precision="f32"'
"""

FAILED = """\
$ echo "import nowhere" > runs/digits_mlp/1/model.py
$ dlc evaluate runs/digits_mlp/1 --edited
error[E0610]: the edited files of `runs/digits_mlp/1` fail: ModuleNotFoundError: No module named 'nowhere'
..
  = help: without `--edited` the code is generated from the spec
$ dlc evaluate runs/digits_mlp/1
"""
