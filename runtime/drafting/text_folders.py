"""A spec for a directory of texts, one folder per class: tokens learned from them, and a mean of what each stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data import sources
from ..data.table import Cells, Numbers
from ..failure import BadInput
from .drafted import NOWHERE, Draft, laid_out
from .notation import listed, quoted, shown
from .recipes import repeated

TOKENS = (400, 8000)  # that are learned, at least and at most
LONGEST = 512  # tokens of a text that are read
LETTERS = 3  # of a token, about


def draft(path: Path, place: str) -> Draft:
    """A spec that classifies texts; the classes are the folders in `path`."""
    columns, count, _, _ = sources.reader("text_folder")({"path": str(path)}, Path, NOWHERE)
    labels, texts = columns["label"], columns["text"]
    assert isinstance(labels, Numbers) and isinstance(texts, Cells)
    counts = dict(zip(labels.classes or (), np.bincount(labels.array).tolist(), strict=True))
    if len(counts) < 2:
        raise BadInput(
            f"`{path}` has one class: there is nothing to learn", helps=("give each class a folder of texts",)
        )
    lengths = [len(text) for text in texts]
    tokens = int(np.clip(sum(lengths) // 100, *TOKENS))
    most = int(np.clip(np.quantile(lengths, 0.95) // LETTERS, 16, LONGEST))
    train = round(count * 0.7)
    batch = max(8, min(64, train // 8))
    stratify = ", stratify = source.label" if min(counts.values()) >= 6 else ""
    found = f"{count:,} texts in {len(counts)} classes: {listed(counts)}; {int(np.median(lengths)):,} characters each, about"
    lines = [
        "dlspec 1",
        f"# One of {len(counts)} classes of texts in {shown(place)}. Drafted by `dlc new` from what the folder holds.",
        "",
        f"param vocab = {tokens}",
        "",
        "data Texts {",
        f"  source = text_folder({quoted(place)})",
        f"  split = random(train = 0.7, val = 0.15, test = 0.15{stratify}, seed = 0)",
        f"  # the first {most} tokens of each text; byte pairs are learned from the train part",
        f"  tokens: i64[T <= {most}] = source.text -> bpe(train = vocab) -> truncate({most}) -> pad(0)",
        "  label: i64 = source.label",
        "}",
        "",
        "# The mean of what the tokens stand for: strong where topics differ by their words. Where their order counts, put layers",
        "# of attention before it: `dlc new bert_classifier` has them.",
        f"model TextNet(classes = {len(counts)}, width = 96)(tokens: i64[B, T]) -> (logits: [B, classes]) {{",
        "  there = tokens != 0",
        "  words = tokens -> embed: Embedding(vocab, width) -> dropout(0.2)",
        "  weights = where(there, 1.0, 0.0)[:, :, none]",
        "  text = sum(words * weights, axis = 1) / maximum(sum(weights, axis = 1), 1.0)",
        "  logits = text -> hidden: Linear(width) -> relu -> dropout(0.2) -> head: Linear(classes)",
        "}",
        "",
        "train {",
        "  model = TextNet",
        "  data = Texts",
        "  loss = cross_entropy(logits, label, smoothing = 0.05)",
        f"  # always answering the most frequent class has an accuracy of {max(counts.values()) / count:.3f}",
        "  metrics { acc = accuracy(logits, label) }",
        "  optimizer = AdamW(lr = 0 -> linear(3e-3, 1 epochs) -> cosine(0, rest), weight_decay = 0.05)",
        f"  batch = {batch}",
        f"  duration = {repeated(train, batch, 5, 40)} epochs",
        "  keep = best(val.acc)",
        "}",
        "",
        'export { onnx = "model.onnx"; outputs { probs = softmax(logits) } }',
    ]
    return Draft(laid_out(lines), (found,))
