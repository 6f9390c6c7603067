"""Numbers of tokens are read back as text: in predictions, and in what a run and an export keep."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

import dlc
from dlc.runtime.data import vocabulary

SPEC = """dlspec 1

data Lines {
  source = text_lines("lines.txt")
  split  = all("train")

  let tokens = source.text -> TOKENIZER -> vocab(20, bos = 2, eos = 3)
  before: i64[T] = tokens[:-1] -> pad(0)
  after:  i64[T] = tokens[1:] -> pad(0)
}

model Next(before: i64[B, T]) -> (logits: [B, T, 20]) {
  logits = before -> Embedding(20, 16) -> Linear(20)
}

train {
  model     = Next
  data      = Lines
  loss      = cross_entropy(logits, after, ignore = 0)
  optimizer = AdamW(lr = 0.1)
  batch     = 4
  duration  = 60 steps
}

export { model = Next }
"""


@pytest.mark.parametrize(
    ("tokenizer", "lines"),
    [("chars", ["abcd", "bcd", "d"]), ("words", ["one two three four", "two three four", "four"])],
)
def test_predictions_of_tokens_are_texts(tmp_path: Path, tokenizer: str, lines: list[str]) -> None:
    (tmp_path / "lines.txt").write_text("\n".join(lines) + "\n", "utf-8")
    spec = tmp_path / "next.dlspec"
    spec.write_text(SPEC.replace("TOKENIZER", tokenizer), "utf-8")
    run = dlc.train(spec, out=tmp_path / "run", device="cpu")
    found = dlc.predict(run, tmp_path / "lines.txt")
    # a text may begin in three ways; what comes after has one successor each, the last the end mark
    for row, line in zip(found.rows(), lines, strict=True):
        said, wanted = (list(t) if tokenizer == "chars" else t.split() for t in (row["logits"], line))
        assert said[1:] == wanted[1:]
    assert found.values["logits"].shape == (3, 5, 20)
    model = dlc.export(run, tmp_path / "next.onnx").path
    kept = {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    names = json.loads(kept["dlc.vocabulary"])["before"]
    assert names[:4] == ["<pad>", "\N{REPLACEMENT CHARACTER}", "<bos>", "<eos>"]
    assert sorted(names[4:]) == sorted(set(lines[0] if tokenizer == "chars" else lines[0].split()))


def test_a_text_ends_at_its_mark() -> None:
    known = vocabulary.Vocabulary(("<pad>", "?", "<bos>", "<eos>", "a", "b"), " ", frozenset((0, 2)), 3)
    assert known.text([2, 4, 5, 9, 3, 4]) == "a b \N{REPLACEMENT CHARACTER}"
    assert known.text([0, 0]) == ""
