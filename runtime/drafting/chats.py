"""A spec for conversations: a language model that is trained on the answers alone.

talks.jsonl     {"messages": [{"role": "user", "content": ".."}, ..]}, or an instruction and its answer: {"prompt": "..", "answer": ".."}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.table import Column
from ..data.text_columns import Cells
from ..failure import BadInput
from .drafted import Draft, laid_out
from .notation import column_of_source, quoted, shown
from .sample import SampledFile
from .texts import network

LEAST = 20  # conversations
TOKENS = (400, 8000)  # that are learned, at least and at most
LETTERS = 3  # of a token, about
CONTEXT = (32, 1024)
STEPS = 2000
#: Names of a request and its answer, as data sets of instructions have them; the request comes first.
PAIRS = (
    ("prompt", "completion"), ("prompt", "response"), ("prompt", "answer"), ("instruction", "output"), ("instruction", "response"),
    ("question", "answer"), ("question", "response"), ("query", "response"), ("input", "output"),
)  # fmt: skip


def found_in(columns: dict[str, Column]) -> tuple[str, ...]:
    """The column of messages of a table, or those of a request and its answer; none where it has no conversations."""
    for name, column in columns.items():
        if isinstance(column, Cells) and _messages(column[0]):
            return (name,)
    names = {name.lower(): name for name in columns}
    return next((tuple(names[name] for name in pair) for pair in PAIRS if names.keys() >= set(pair)), ())


def _messages(cell: str) -> bool:
    try:
        value: Any = json.loads(cell)
    except ValueError:
        return False
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(m, dict) and {"role", "content"} <= m.keys() for m in value)
    )


def draft(path: Path, place: str, columns: dict[str, Column], names: Sequence[str], sample: SampledFile) -> Draft:
    """A spec that answers as these conversations do."""
    cells = [columns[name] for name in names]
    count = len(cells[0])
    if count < LEAST:
        raise BadInput(
            f"`{path}` has {count} conversations: too few to learn from",
            helps=(f"give at least {LEAST}, or the column to predict of a table: `--target NAME`",),
        )
    lengths = np.sum([[len(text) for text in column] for column in cells if isinstance(column, Cells)], axis=0)
    total = round(count / sample.share)
    vocab = int(np.clip(lengths.sum() / sample.share // 100, *TOKENS))
    ctx = int(np.clip(np.quantile(lengths, 0.95) // LETTERS, *CONTEXT))
    width, depth, heads = (192, 6, 6) if total >= 5000 else (128, 4, 4)
    sources = [column_of_source(name) for name in names]
    talk = sources[0] if len(sources) == 1 else f"({', '.join(sources)})"
    what = "lists of messages" if len(names) == 1 else f"`{shown(names[0])}` and `{shown(names[1])}`"
    found = f"{total:,} conversations ({what}), {int(np.median(lengths)):,} characters each, about"
    note = sample.note(count)
    lines = [
        "dlspec 1",
        f"# A language model that answers as in {shown(Path(place).name)}: {found}. Drafted by `dlc new`.",
        *([f"# {note}"] if note else []),
        "",
        f"param ctx = {ctx}",
        "",
        "data Talks {",
        f"  source = jsonl({quoted(place)})",
        "  split = random(train = 0.9, val = 0.05, test = 0.05, seed = 0)",
        "  # byte pairs are learned from the train part; who speaks is marked by tokens that no text can write",
        f"  let talk = {talk} -> chat -> bpe(train = {vocab}) -> truncate(ctx + 1)",
        "  tokens: i64[T <= ctx] = talk.ids[:-1] -> pad(0)",
        "  targets: i64[T <= ctx] = talk.labels[1:] -> pad(-100)  # -100 but in answers: the loss is of these alone",
        "}",
        "",
        *network(f"{vocab:,} tokens: byte pairs, and marks of who speaks", str(vocab), width, depth, heads),
        "",
        "train {",
        "  model = TextNet",
        "  data = Talks",
        "  loss = cross_entropy(logits, targets, ignore = -100)",
        "  metrics { ppl = perplexity(logits, targets, ignore = -100) }",
        "  optimizer = AdamW(lr = 0 -> linear(1e-3, 50 steps) -> cosine(1e-4, rest), betas = (0.9, 0.99), weight_decay = 0.1)",
        "  group rank < 2 { weight_decay = 0 }",
        "  clip = norm(1.0)",
        f"  batch = {max(4, min(32, total // 20))}",
        f"  duration = {STEPS} steps",
        f"  validate = every({STEPS // 10} steps)",
        "  keep = best(val.loss)",
        "}",
        "",
        'export { onnx = "model.onnx" }',
    ]
    return Draft(laid_out(lines), (found, *([note] if note else [])))
