"""Mistakes do not hide one another: a spec with two of them, in any two places, gets the message of each."""

from __future__ import annotations

import itertools
import random
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dlc.compiler.check import check

SPECS = Path(__file__).parents[2] / "specs"
SPEC = """\
dlspec 1

param width = 16

data Digits {
  source = builtin("digits")
  split  = random(train = 0.7, val = 0.15, test = 0.15, seed = 0)
  where  = source.label < 9
  image: f32[1, 8, 8] = source.image -> scale(1 / 16) -> shift(1)
  label: i64          = source.label
}

block Part(out, rate = 0.1)(x: [B, D]) -> [B, out] {
  h = x -> norm: LayerNorm -> relu
  h -> fc: Linear(out) -> dropout(rate)
}

block Spare(x: [B, D]) -> [B, D] {
  x -> tanh
}

model M(depth = 2)(image: [B, 1, 8, 8]) -> (logits: [B, 10], probs: [B, 10]) {
  flat   = image -> flatten -> first: Linear(width)
  h      = flat -> blocks: repeat depth { Part(width) }
  s      = scan(axis = 1, t = h, c = carry(zeros([B]))) {
    c = c + t
    c
  }
  side   = image -> flatten -> Spare -> mean(axis = -1, keepdim = true)
  mixed  = h + s + side
  logits = mixed -> head: Linear(10)
  probs  = logits -> softmax
}

model Other(x: f32[B, 4]) -> (y: [B, 2]) {
  y = x -> fc: Linear(2)
}

train {
  model     = M(depth = 3)
  data      = Digits
  loss      = cross_entropy(logits, label, smoothing = 0.1)
  metrics {
    acc = accuracy(logits, label)
    f   = f1(logits, label)
  }
  optimizer = AdamW(1e-3, weight_decay = 0.1)
  group "head.*" { lr = 1e-4 }
  freeze "first.*"
  batch     = 64
  duration  = 2 epochs
  keep      = best(val.acc)
  stop      = plateau(val.loss, patience = 3 epochs)
  clip      = norm(1.0)
  seed      = 3
}

weights theirs for Other {
  "fc.weight" <- "stem.weight"
  "fc.bias" <- "stem.bias"
}

export {
  onnx    = "m.onnx"
  inputs  = [image]
  outputs = [logits, probs]
}

search {
  method    = random(trials = 4, seed = 0)
  objective = val.acc
  M.depth ~ choice(1, 2)
}
"""


class Mistake(NamedTuple):
    code: str
    right: str
    wrong: str


MISTAKES = {
    "syntax of the model": Mistake("E0101", "probs  = logits -> softmax", "probs  = logits ->"),
    "target": Mistake("E0103", "  flat   = image", "  flat[0] = image"),
    "syntax of a search": Mistake("E0101", "trials = 4, seed", "trials = 4 seed"),
    "syntax of weights": Mistake("E0101", '<- "stem.bias"', '<- <- "stem.bias"'),
    "syntax of a block": Mistake("E0101", "x -> tanh", "x -> )"),
    "syntax of data": Mistake("E0101", "seed = 0)\n  where", "seed = = 0)\n  where"),
    "syntax of train": Mistake("E0101", "norm(1.0)", "= norm(1.0)"),
    "syntax of an export": Mistake("E0101", '  onnx    = "m.onnx"', "  onnx    ="),
    "param": Mistake("E0301", "param width = 16", "param width = wdith"),
    "source": Mistake("E0304", 'builtin("digits")', 'builtin("digitz")'),
    "no source": Mistake("E0408", '  source = builtin("digits")\n', ""),
    "split": Mistake("E0411", "val = 0.15, test", "val = 0.25, test"),
    "no split": Mistake("E0408", "  split  = random(train = 0.7, val = 0.15, test = 0.15, seed = 0)\n", ""),
    "where": Mistake("E0304", "source.label < 9", "source.label"),
    "transform": Mistake("E0301", "shift(1)", "shfit(1)"),
    "argument of a transform": Mistake("E0304", "scale(1 / 16)", 'scale("a")'),
    "dtype of a field": Mistake("E0301", "label: i64 ", "label: i65 "),
    "key of data": Mistake("E0401", "  where  =", "  wehre  ="),
    "stage of a block": Mistake("E0301", "LayerNorm -> relu", "LayerNorm -> rellu"),
    "name in a block": Mistake("E0301", "dropout(rate)", "dropout(rte)"),
    "shape of a block": Mistake("E0304", "x -> tanh", 'x -> dropout("a")'),
    "layer of the model": Mistake("E0301", "first: Linear(width)", "first: Lineer(width)"),
    "name in the model": Mistake("E0301", "flat -> blocks", "flta -> blocks"),
    "scan": Mistake("E0301", "c = c + t", "c = c + tt"),
    "argument of a function": Mistake("E0304", "keepdim = true", "keepdims = true"),
    "size of the model": Mistake("E0201", "(logits: [B, 10]", "(logits: [B, 11]"),
    "dtype of an input": Mistake("E0301", "x: f32[B, 4]", "x: f23[B, 4]"),
    "layer of another model": Mistake("E0301", "y = x -> fc: Linear(2)", "y = x -> fc: Lineer(2)"),
    "argument of the model": Mistake("E0304", "M(depth = 3)", "M(deph = 3)"),
    "data": Mistake("E0301", "data      = Digits", "data      = Digitz"),
    "loss": Mistake("E0301", "cross_entropy(logits, label, ", "cross_entropi(logits, label, "),
    "name in the loss": Mistake("E0301", "cross_entropy(logits, label, ", "cross_entropy(logits, labels, "),
    "argument of the loss": Mistake("E0304", "smoothing = 0.1", "smoothness = 0.1"),
    "gradient": Mistake("E0413", "cross_entropy(logits, label, smoothing = 0.1)", "mean(stop_grad(logits))"),
    "no loss": Mistake("E0408", "  loss      = cross_entropy(logits, label, smoothing = 0.1)\n", ""),
    "metric": Mistake("E0301", "accuracy(logits, label)", "acuracy(logits, label)"),
    "name in a metric": Mistake("E0301", "f1(logits, label)", "f1(logits, lable)"),
    "optimizer": Mistake("E0301", "AdamW(1e-3", "AdmaW(1e-3"),
    "argument of the optimizer": Mistake("E0304", "weight_decay = 0.1", "weight_decay = -1"),
    "key of a group": Mistake("E0304", "lr = 1e-4 }", 'lr = "a" }'),
    "selector of a group": Mistake("E0402", 'group "head.*"', 'group "haed.*"'),
    "selector of freeze": Mistake("E0402", 'freeze "first.*"', 'freeze "frist.*"'),
    "batch": Mistake("E0304", "batch     = 64", "batch     = 0.5"),
    "no batch": Mistake("E0408", "  batch     = 64\n", ""),
    "duration": Mistake("E0403", "2 epochs", "2"),
    "keep": Mistake("E0301", "best(val.acc)", "best(val.acx)"),
    "stop": Mistake("E0403", "3 epochs", "3"),
    "clip": Mistake("E0301", "norm(1.0)", "nrom(1.0)"),
    "seed": Mistake("E0304", "seed      = 3", 'seed      = "a"'),
    "key of train": Mistake("E0401", "seed      = 3", "sead      = 3"),
    "rule of a map": Mistake("E0402", '"fc.bias" <-', '"fc.bais" <-'),
    "foreign tensor": Mistake("E0304", '"stem.bias"', "stem"),
    "input of an export": Mistake("E0301", "[image]", "[imagee]"),
    "output of an export": Mistake("E0301", "[logits, probs]", "[logits, prbs]"),
    "key of export": Mistake("E0401", "  onnx    =", "  onxx    ="),
    "method": Mistake("E0304", "trials = 4", "trials = 0"),
    "objective": Mistake("E0301", "objective = val.acc", "objective = val.acx"),
    "draw": Mistake("E0301", "M.depth ~", "M.dept ~"),
    "draws": Mistake("E0304", "choice(1, 2)", "choice(1, 2.5)"),
}  # fmt: skip

MODEL = (
    "syntax of the model", "syntax of a block", "param", "stage of a block", "name in a block", "shape of a block",
    "layer of the model", "name in the model", "scan", "argument of a function", "argument of the model",
    "size of the model",
)  # fmt: skip
DATA = (
    "source", "no source", "split", "no split", "where", "transform", "argument of a transform", "dtype of a field",
    "key of data", "syntax of data",
)  # fmt: skip
TRAIN = (
    "data", "loss", "name in the loss", "argument of the loss", "no loss", "metric", "name in a metric", "optimizer",
    "argument of the optimizer", "key of a group", "selector of a group", "selector of freeze", "batch", "no batch",
    "duration", "keep", "stop", "clip", "seed", "key of train",
)  # fmt: skip

#: What cannot be known while another mistake is there: gradients, parameters and sizes of what has a mistake itself, names of
#: data that is not there, and what is in a line whose text is not of the language.
UNKNOWN = {
    **{name: ("size of the model", "selector of a group", "selector of freeze", "gradient") for name in MODEL},
    **{name: ("gradient",) for name in (*DATA, *TRAIN)},
    "key of data": ("where", "gradient"),
    "data": ("name in the loss", "name in a metric", "gradient"),
    "loss": ("argument of the loss", "gradient"),
    "name in the loss": ("argument of the loss", "gradient"),
    "optimizer": ("argument of the optimizer", "key of a group", "gradient"),
    "dtype of an input": ("rule of a map",),
    "layer of another model": ("rule of a map",),
    "draw": ("draws",),
    "target": ("layer of the model", "selector of a group", "selector of freeze", "gradient"),  # of one line, like the next ones
    "syntax of data": ("split", "gradient"),
    "syntax of a search": ("method",),
    "syntax of weights": ("rule of a map", "foreign tensor"),
    "syntax of train": ("clip", "gradient"),
    "syntax of an export": ("input of an export", "key of export"),
}  # fmt: skip


BODIES = {
    "operands": ("y = (x -> Lineer(4)) + (x -> Linear(4) -> Linear(3, biass = true))", {"Lineer", "biass"}),
    "a mistaken value and an operand": ("h = x -> Lineer(4)\n  y = h + (x -> Linear(4) -> flatten(start = 9))", {"Lineer", "axis 9"}),
    "both sides of `+=`": ("y = x\n  z = x -> Lineer(4)\n  y = z\n  y += x -> softmax(axis = 7)", {"Lineer", "axis"}),
    "arguments": ("y = concat(x -> Lineer(4), x -> softmax(axis = 7), axis = oops)", {"Lineer", "axis", "oops"}),
    "arguments of a static function": ("y = x -> Linear(max(aa, bb))", {"aa", "bb"}),
    "parts of a list": ("[y, z] = [x -> Lineer(4), x -> Liinear(4)]", {"Lineer", "Liinear"}),
    "statements around one of wrong syntax": ("a = x -> rellu\n  h = x -> Linear(4 4)\n  y = h -> siggmoid", {"rellu", "comma", "siggmoid"}),
    "a name that a line of wrong syntax binds again": ("h = x -> Linear(5)\n  h = h -> -> relu\n  y = h -> [B, 4]", {"missing"}),
    "a statement that may bind anything": ("h = x -> Linear(5)\n   = h -> relu\n  y = h -> [B, 4]", {"unexpected"}),
    "an `if` of which one branch cannot be read": ("if 1 > 0 { y = x -> -> relu } else { y = x }", {"missing"}),
    "a `scan` that cannot be read": ("y = scan(axis = 1, t = x, c = carry(zeros([B]))) {\n    c = c + + t\n    c\n  }", {"value"}),
}  # fmt: skip


@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES)
def test_mistakes_of_one_body(body: str, words: set[str], tmp_path: Path) -> None:
    """One message for each word, and no other."""
    path = tmp_path / "spec.dlspec"
    path.write_text(f"dlspec 1\nmodel M(x: [B, 4]) -> (y: [B, 4]) {{\n  {body}\n}}\n", "utf-8")
    found = [f"{each.message} {each.label}" for each in check(path).report.errors]
    assert len(found) == len(words), found
    assert all(any(word in text for text in found) for word in words), found


def said(names: tuple[str, ...], folder: Path) -> list[str] | None:
    """Codes and messages of the spec with these mistakes; None where both would change the same text."""
    text = SPEC
    for name in names:
        mistake = MISTAKES[name]
        if text.count(mistake.right) != 1:
            return None
        text = text.replace(mistake.right, mistake.wrong)
    path = folder / "spec.dlspec"
    path.write_text(text, "utf-8")
    found = [
        each for each in check(path).report.diagnostics if each.code != "W0415"
    ]  # of a whole `search`, which is not run
    return [text for each in found for text in apart(each.code, each.message)]


def apart(code: str, message: str) -> list[str]:
    """A message each; those of keys that one section lacks are one: "`train` needs `loss` and `batch`"."""
    owner, needs, names = message.partition(" needs ")
    if code != "E0408" or not needs:
        return [f"{code} {message}"]
    return [f"{code} {owner}{needs}{name}" for name in re.findall(r"`[^`]+`", names)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("alone")
    return {name: said((name,), folder) or [] for name in MISTAKES}


def test_the_spec_has_none(tmp_path: Path) -> None:
    assert said((), tmp_path) == []


def test_one_mistake_is_one_message(alone: dict[str, list[str]]) -> None:
    wrong = {name: found for name, found in alone.items() if [text[:5] for text in found] != [MISTAKES[name].code]}
    assert wrong == {}


def test_two_mistakes_are_two_messages(alone: dict[str, list[str]], tmp_path: Path, sizes: Any) -> None:
    pairs = list(itertools.combinations(MISTAKES, 2))
    wrong: dict[tuple[str, str], list[str]] = {}
    for one, other in pairs if sizes.full else random.Random(0).sample(pairs, 150):
        found = said((one, other), tmp_path)
        if found is None:
            continue
        expected = set(alone[one]) | set(alone[other])
        unknown = {text for name in (*UNKNOWN.get(one, ()), *UNKNOWN.get(other, ())) for text in alone[name]}
        if not expected - unknown <= set(found) <= expected:
            wrong[one, other] = found
    assert wrong == {}


DAMAGED = {
    "a header without its bracket": ("digits_mlp", "model DigitsMlp(", "model DigitsMlp"),
    "a block's header without its bracket": ("vit_b16", "block Layer(", "block Layer"),
    "another word for a parameter": ("vit_b16", "param size", "duration size"),
    "a key without its name, which continues the line above": ("bilstm", "  batch     = 64", "  ->     = 64"),
    "a net with a bracket too many": ("distillation", "let student = Student()", "let student = Student)"),
    "a name that is missing, read twice": ("digits_lstm", "concat(h[0], h[1]", "concat(g[0], g[1]"),
    "sizes named where a value is unknown": ("vit_b16", "patches   = image ->", "patches   = imge ->"),
}


@pytest.mark.parametrize(("name", "old", "new"), DAMAGED.values(), ids=DAMAGED)
def test_what_follows_from_a_mistake_is_no_message(name: str, old: str, new: str, tmp_path: Path) -> None:
    text = (SPECS / f"{name}.dlspec").read_text("utf-8")
    assert old in text
    shutil.copytree(SPECS, tmp_path / "specs")
    damaged = tmp_path / "specs" / f"{name}.dlspec"
    damaged.write_text(text.replace(old, new, 1), "utf-8")
    found = check(damaged).report.errors
    assert len(found) == 1, [(each.code, each.message) for each in found]
