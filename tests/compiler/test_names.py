"""Near names: what people mistype comes back to what they meant."""

from __future__ import annotations

import random
import string

import pytest

from dlc.compiler.catalogue import FAMILIES, SIGNS
from dlc.compiler.catalogue.builtin import BUILTIN
from dlc.compiler.catalogue.sections import SECTIONS
from dlc.compiler.messages.names import edits, near, nearest
from dlc.compiler.sizes.static_functions import STATIC_FUNCTIONS

#: The whole vocabulary by the position a name is read in, from the tables that the checker reads it in.
TABLES: dict[str, list[str]] = {
    **{family.what: [*family] for family in FAMILIES if family is not SIGNS},
    "a static function": [*STATIC_FUNCTIONS],
    "a built-in set": [*BUILTIN],
    **{f"a key of `{name}`": [*section.forms] for name, section in SECTIONS.items()},
}


@pytest.mark.parametrize(
    ("typed", "table", "meant"),
    [
        ("optimzer", "a key of `train`", "optimizer"),
        ("optimiser", "a key of `train`", "optimizer"),
        ("ReLU", "a function", "relu"),
        ("LeakyReLU", "a function", "leaky_relu"),
        ("Softmax", "a function", "softmax"),
        ("MaxPool", "a function", "max_pool"),
        ("batchnorm", "a layer", "BatchNorm"),
        ("layer_norm", "a layer", "LayerNorm"),
        ("Batch_Norm", "a layer", "BatchNorm"),
        ("adamw", "an optimizer", "AdamW"),
        ("crossentropy", "a loss", "cross_entropy"),
        ("CrossEntropyLoss", "a loss", "cross_entropy"),
        ("microbatch", "a key of `train`", "micro_batch"),
        ("metric", "a key of `train`", "metrics"),
        ("batch_size", "a key of `train`", "batch"),
        ("Conv2d", "a layer", "Conv"),
    ],
)
def test_meant(typed: str, table: str, meant: str) -> None:
    assert nearest(typed, TABLES[table]) == meant


@pytest.mark.parametrize("typed", ["banana", "xyz", "q", "nonsense_key", ""])
def test_nothing_near(typed: str) -> None:
    assert nearest(typed, TABLES["a key of `train`"]) is None


def test_a_path_with_a_swap() -> None:
    assert nearest("c_porj", ["c_attn", "c_proj", "c_fc"]) == "c_proj"


def one_edit(name: str, rng: random.Random) -> str:
    i = rng.randrange(len(name))
    letter = rng.choice(string.ascii_lowercase)
    match rng.randrange(4):
        case 0:
            return name[:i] + name[i + 1 :]
        case 1:
            return name[:i] + letter + name[i:]
        case 2:
            return name[:i] + letter + name[i + 1 :]
        case _:
            return name[:i] + name[i + 1 : i + 2] + name[i : i + 1] + name[i + 2 :]


def test_one_edit_comes_back(record_figure: object) -> None:
    """Typos that are themselves words of the table, or as near to another word, cannot be told; they count as wrong."""
    rng = random.Random(0)
    right = total = 0
    for candidates in TABLES.values():
        for name in candidates:
            for _ in range(12):
                typed = one_edit(name, rng)
                if typed in candidates or not typed:
                    continue
                total += 1
                right += nearest(typed, candidates) == name
    record_figure("names.one_edit", 100 * right / total, "%")  # type: ignore[operator]
    assert right / total >= 0.95


def test_distance() -> None:
    assert edits("abcd", "abdc", 9) == 1
    assert edits("", "abc", 9) == 3
    assert edits("kitten", "sitting", 9) == 3
    assert edits("aaaaaaaa", "bbbbbbbb", 2) == 3


def test_several_in_order() -> None:
    assert near("nrm", ["norm", "num", "form", "nrmx"])[0] in ("norm", "nrmx")
    assert len(near("a", ["b", "c", "d", "e"])) == 0
