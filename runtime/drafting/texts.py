"""A spec for a text: a language model of its characters, as large as the text is long."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path

from ..data.sources.split_files import read_text
from ..data.sources.texts import texts_below
from ..failure import BadInput
from .drafted import NOWHERE, Draft, laid_out
from .notation import quoted, shown
from .sample import LARGE

LEAST = 2000  # characters; the test part of a tenth must hold a few windows
LONG = 300_000
BATCHES = 50  # of a validation, at most
FIRST = 4 << 20  # bytes that are looked at of a large text
TOKENS = 8000  # of a large text
EVALUATED = 256  # windows in a batch of evaluation


def draft(path: Path, place: str) -> Draft:
    """A spec that continues texts like that of the file."""
    files = texts_below(path) if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files)
    text = _beginning(files, FIRST) if size > LARGE else "".join(read_text(file, NOWHERE) for file in files)
    if len(text) < LEAST:
        raise BadInput(
            f"`{path}` has {len(text):,} characters: too few to learn from",
            helps=(f"give a text of at least {LEAST:,}, or the column to predict of a table: `--target NAME`",),
        )
    characters, whole = len(set(text)), size <= LARGE
    ctx = 128 if len(text) >= LONG else 64
    width, depth, heads = (192, 6, 6) if len(text) >= LONG else (96, 3, 3)
    steps = 3000 if len(text) >= LONG else 1000
    some = f", batches = {BATCHES}" if size // 10 // ctx > BATCHES * EVALUATED else ""
    found = f"{len(text):,} characters, {characters:,} different ones"
    if whole:
        of, tokens, vocab, read = (
            "the characters",
            "each character, and one for those that the train part does not have",
            characters + 1,
            "",
        )
    else:  # which characters there are is not known
        found = f"{size >> 20:,} MB, of which the first {len(text):,} characters were looked at"
        of, tokens, vocab, read = (
            "byte pairs",
            "the bytes, and pairs learned from the train part",
            TOKENS,
            f" -> bpe(train = {TOKENS})",
        )
    lines = [
        "dlspec 1",
        f"# A language model of {of} of {shown(place)} ({found}). Drafted by `dlc new`.",
        "",
        f"param ctx = {ctx}",
        "",
        "data Text {",
        f"  source = text({quoted(place)})",
        "  split  = contiguous(train = 0.8, val = 0.1, test = 0.1)  # the end of the text is never trained on",
        f"  let window = source.tokens{read} -> random_window(ctx + 1)",
        "  tokens: i64[ctx] = window[:-1]",
        "  targets: i64[ctx] = window[1:]  # the next one at each place",
        "}",
        "",
        *network(f"{vocab:,} tokens: {tokens}", str(vocab), width, depth, heads),
        "",
        "train {",
        "  model = TextNet",
        "  data = Text",
        "  loss = cross_entropy(logits, targets)",
        "  metrics { bpb = bits_per_byte(logits, targets) }  # the smaller the better; it compares with models of other tokens",
        "  optimizer = AdamW(lr = 0 -> linear(2e-3, 50 steps) -> cosine(2e-4, rest), betas = (0.9, 0.99), weight_decay = 0.1)",
        "  group rank < 2 { weight_decay = 0 }",
        "  clip = norm(1.0)",
        "  batch = 32",
        f"  duration = {steps} steps",
        f"  validate = every({steps // 10} steps{some})",
        "  keep = best(val.loss)",
        "}",
        "",
        'export { onnx = "model.onnx" }',
    ]
    return Draft(laid_out(lines), (found,))


def _beginning(files: Sequence[Path], most: int) -> str:
    """The first bytes of texts, without a character that is cut."""
    decoder, found = codecs.getincrementaldecoder("utf-8")(), list[str]()
    for file in files:
        with file.open("rb") as stream:
            found.append(decoder.decode(content := stream.read(most)))
        most -= len(content)
        if not most:
            break
    return "".join(found).removeprefix("\ufeff")


def network(what: str, vocab: str, width: int, depth: int, heads: int) -> list[str]:
    """A transformer that gives the next of `vocab` tokens, which are `what`, at each place."""
    return [
        "block Attention(heads: int)(x: [B, T, D]) -> [B, T, D] {",
        '  require D % heads == 0, "heads must divide the width"',
        "  [q, k, v] = x -> qkv: Linear(3 * D, bias = false) -> [B, T, (3, heads, K)] => [3, B, heads, T, K]",
        "  attention(q -> rope(10000), k -> rope(10000), v, causal = true) -> merge_heads -> proj: Linear(D, bias = false)",
        "}",
        "",
        "block Block(heads: int, drop: float)(x: [B, T, D]) -> [B, T, D] {",
        "  x += x -> norm1: RMSNorm -> attn: Attention(heads) -> dropout(drop)",
        "  x += x -> norm2: RMSNorm -> mlp: { up: Linear(4 * D, bias = false) -> gelu -> down: Linear(D, bias = false) }",
        "    -> dropout(drop)",
        "  x",
        "}",
        "",
        f"# {what}",
        f"model TextNet(vocab = {vocab}, width = {width}, depth = {depth}, heads = {heads}, drop = 0.1)(tokens: i64[B, T <= ctx]) -> (logits: [B, T, vocab]) {{",
        "  embed = Embedding(vocab, width)",
        "  x = tokens -> embed -> h: repeat depth { Block(heads, drop) } -> norm: RMSNorm",
        "  logits = x @ embed.weight.T  # tied to the embedding",
        "",
        "  init Linear.weight, Embedding.weight = normal(0.02)",
        "}",
    ]
