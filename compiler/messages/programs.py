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
