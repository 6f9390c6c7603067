"""Names of tensors as families: `h.0.ln.weight`, `h.1.ln.weight`, .. are one; and how alike two names are."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import SequenceMatcher
from functools import lru_cache

from ...compiler.dataclass import dataclass
from .plan import Shape

#: Words that mean the same in checkpoints of different libraries; an empty one has no meaning.
_MEANS = {
    "attn": "attention attn selfattention", "q": "q query", "k": "k key", "v": "v value", "norm": "ln norm layernorm rmsnorm bn batchnorm",
    "fc": "fc linear lin dense proj projection", "mlp": "mlp ff ffn feed forward", "embed": "embed emb embedding embeddings",
    "tok": "tok token tokens word words", "pos": "pos position positions positional", "cls": "cls class", "out": "out output o",
    "head": "head classifier score logits", "weight": "weight kernel gamma", "bias": "bias beta", "tok embed": "wte",
    "pos embed": "wpe", "last": "f final", "conv": "conv", "cross": "cross", "encoder": "encoder encode enc", "decoder": "decoder decode dec", "down": "downsample shortcut",
    "": "model module net layer layers block blocks h self c vit bert roberta distilbert transformer backbone",
}  # fmt: skip
_CANONICAL = {word: means for means, words in _MEANS.items() for word in words.split()}
_CROSS = re.compile(r"encoder_attn|cross_?attn|cross_?attention|multihead_attn|enc_dec_attention")
_TELLING = frozenset({"q", "k", "v", "weight", "bias", "encoder", "decoder", "cross", "running", "mean", "var"})


@dataclass(frozen=True)
class NameFamily:
    """Tensors whose names differ in numbers only. `members` gives the name by its numbers; shapes may differ."""

    pattern: str
    members: Mapping[tuple[str, ...], str]
    shapes: Mapping[tuple[str, ...], Shape]

    @property
    def parent(self) -> str:
        """The layer's owner: `h.*.attn` of `h.*.attn.q.weight`, and of `h.*.attn.in_weight` too."""
        parts = self.pattern.split(".")
        return ".".join(parts[:-2] if parts[-1] in ("weight", "bias") else parts[:-1])

    @property
    def shape(self) -> Shape:
        return next(iter(self.shapes.values()))


def families(shapes: Mapping[str, Shape]) -> list[NameFamily]:
    """In the order of their first members."""
    found: dict[str, dict[tuple[str, ...], str]] = {}
    for name in shapes:
        parts = name.split(".")
        pattern = ".".join("*" if part.isdigit() else part for part in parts)
        found.setdefault(pattern, {})[tuple(part for part in parts if part.isdigit())] = name
    return [NameFamily(p, m, {index: shapes[name] for index, name in m.items()}) for p, m in found.items()]


@lru_cache(maxsize=4096)
def words(pattern: str) -> tuple[str, ...]:
    """The meaning of a name, in words that libraries share."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", pattern).lower().replace("layer_norm", "layernorm")
    raw: list[str] = re.findall(r"[a-z]+|\d+", _CROSS.sub("cross", text))
    said = [word for part in raw for word in _CANONICAL.get(part, part).split()]
    if "norm" in said and "*" in pattern:
        said = _numbered(said)
    if "*" not in pattern and said[:1] == ["fc"]:
        said[0] = "head"  # the last layer of an image classifier
    return tuple(said)


def _numbered(said: list[str]) -> list[str]:
    """The norms of a layer by their number, where they are named after their position: before attention, before
    cross-attention, last."""
    if any(word.isdigit() for word in said):
        return said
    last = "3" if "decoder" in said else "2"
    numbers = {
        "before": "1",
        "pre": "1",
        "input": "1",
        "after": last,
        "post": last,
        "cross": "2",
        "last": last,
        "attn": "1",
    }
    number = next((numbers[word] for word in numbers if word in said), "")
    return [word for word in said if word not in numbers] + ([number] if number else [])


def likeness(ours: str, theirs: str) -> float:
    """How alike two patterns are: 2 when they are equal, otherwise at most about 1, and negative where a telling word (which
    projection, weight or bias, which number) is on one side only."""
    if ours == theirs:
        return 2.0
    one, other = set(words(ours)), set(words(theirs))
    shared = len(one & other) / max(1, len(one | other))
    apart = len((one ^ other) & _TELLING) + _numbers_differ(one, other)
    return shared - 0.5 * apart + 0.1 * SequenceMatcher(None, ours, theirs).ratio()


def _numbers_differ(one: Collection[str], other: Collection[str]) -> int:
    here, there = ({word for word in side if word.isdigit()} for side in (one, other))
    return int(bool(here and there and here != there))
