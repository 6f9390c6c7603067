"""Transforms of data: what they compute, that they learn from the train split only, that draws are keyed."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from dlc.compiler.catalogue import TRANSFORMS
from dlc.compiler.ir.train import Batch
from dlc.runtime.data.feed import Feed

CPU = torch.device("cpu")
DIGITS = 'source = builtin("digits")\nsplit = random(train = 0.8, val = 0.2, seed = 0)\n'


def test_standardize_learns_from_train_only(workspace) -> None:
    body = 'source = builtin("wine")\nsplit = random(train = 0.6, val = 0.4, seed = 1)\nx: f32[13] = source.x -> standardize'
    train, val = workspace.everything(body, "train")["x"], workspace.everything(body, "val")["x"]
    assert torch.allclose(train.mean(0), torch.zeros(13), atol=1e-5)
    assert torch.allclose(train.std(0, correction=0), torch.ones(13), atol=1e-5)
    assert float(val.mean(0).abs().max()) > 0.01


@pytest.mark.parametrize(("fill", "value"), [('"mean"', 5.0), ('"median"', 3.0), ("-1", -1.0)])
def test_impute(workspace, fill: str, value: float) -> None:
    workspace.write("a.csv", "x,k\n1,a\n,b\n3,c\n11,d\n")
    batch = workspace.everything(f'source = csv("a.csv")\nsplit = all("train")\nx: f32 = source.x -> impute({fill})')
    assert batch["x"].tolist() == [1, value, 3, 11]


def test_numbers(workspace) -> None:
    workspace.write("a.csv", "x\n0\n3\n9\n")
    head = 'source = csv("a.csv")\nsplit = all("train")\n'
    assert workspace.everything(head + "x: f32 = source.x -> log1p")["x"].tolist() == pytest.approx(
        np.log1p([0, 3, 9]).tolist()
    )
    assert workspace.everything(head + "x: f32 = source.x -> clip(max = 4)")["x"].tolist() == [0, 3, 4]
    assert workspace.everything(head + "x: i64 = source.x -> threshold(3)")["x"].tolist() == [0, 0, 1]


def test_categories_by_name_and_unknown_ones(workspace) -> None:
    workspace.write("a.csv", "k\npos\nneg\npso\n")
    head = 'source = csv("a.csv")\nsplit = all("train")\n'
    assert workspace.everything(head + "k: i64 = source.k -> category")["k"].tolist() == [1, 0, 2]
    found = workspace.mistake(head + 'k: i64 = source.k -> category("neg", "pos")')
    assert 'E0205: a.csv:4, column `k`: "pso" is not one of the categories' in found
    assert 'did you mean "pos"?' in found


def test_numeric_names_are_in_their_order(workspace) -> None:
    workspace.write("a.csv", "k\n10\n9\n100\n")
    assert workspace.everything('source = csv("a.csv")\nsplit = all("train")\nk: i64 = source.k -> category')[
        "k"
    ].tolist() == [1, 0, 2]


TEXT = "t\nthe cat and the dog\nThe Cat\na\n"


def test_words_and_vocabulary(workspace) -> None:
    workspace.write("a.csv", TEXT)
    batch = workspace.everything(
        """source = csv("a.csv")\nsplit = all("train")
        t: i64[T <= 5] = source.t -> lower -> words -> vocab(5) -> pad(0)"""
    )
    # by frequency, then by letter: the 2, cat 3, a 4; everything else is 1
    assert batch["t"].tolist() == [[2, 3, 1, 2, 1], [2, 3, 0, 0, 0], [4, 0, 0, 0, 0]]


def test_marks_around_a_text(workspace) -> None:
    workspace.write("a.csv", TEXT)
    batch = workspace.everything(
        """source = csv("a.csv")\nsplit = all("train")
        let words = source.t -> lower -> words
        t: i64[T] = words -> vocab(7, bos = 2, eos = 3) -> pad(0)
        u: i64[T] = words -> vocab(7, bos = 2, eos = 3, first = 5) -> pad(0)"""
    )
    assert batch["t"].tolist() == [[2, 4, 5, 1, 4, 1, 3], [2, 4, 5, 3, 0, 0, 0], [2, 6, 3, 0, 0, 0, 0]]
    assert batch["u"].tolist() == [[2, 5, 6, 1, 5, 1, 3], [2, 5, 6, 3, 0, 0, 0], [2, 1, 3, 0, 0, 0, 0]]


def test_one_vocabulary_for_two_texts(workspace) -> None:
    workspace.write("a.csv", "t,u\na b a,c\nb,c c c c\n")
    batch = workspace.everything(
        """source = csv("a.csv")\nsplit = all("train")
        let both = (source.t, source.u) -> words -> vocab(9)
        t: i64[T] = both.first -> pad(0)
        u: i64[S] = both.second -> pad(0)"""
    )
    assert batch["t"].tolist() == [[3, 4, 3], [4, 0, 0]]
    assert batch["u"].tolist() == [[2, 0, 0, 0], [2, 2, 2, 2]]


def test_a_record_longer_than_its_bound(workspace) -> None:
    workspace.write("a.csv", TEXT)
    found = workspace.mistake(
        """source = csv("a.csv")\nsplit = all("train")
        t: i64[T <= 4] = source.t -> words -> vocab(9) -> pad(0)"""
    )
    assert "E0201: a.csv:2: field `t` has T = 5, but is declared T <= 4" in found
    assert "shorten longer records with `truncate(4)`" in found


def test_a_bound_may_drop_records(workspace) -> None:
    workspace.write("a.csv", TEXT)
    data = workspace.open(
        """source = csv("a.csv")\nsplit = all("train")\nwhere = T <= 4
        t: i64[T] = source.t -> words -> vocab(9) -> pad(0)"""
    )
    assert data.parts["train"].records.tolist() == [1, 2]


def test_padding_is_to_the_longest_of_the_micro_batch(workspace) -> None:
    workspace.write("a.csv", TEXT)
    feed = workspace.feed(
        """source = csv("a.csv")\nsplit = all("train")
        t: i64[T] = source.t -> words -> vocab(9) -> pad(0)"""
    )
    widths = sorted(part["t"].shape[1] for part in next(feed.epoch(0, 0, Batch(amount=3, micro=1))))
    assert widths == [1, 2, 5]


def test_shift_moves_by_whole_pixels_and_only_in_training(workspace) -> None:
    body = DIGITS + "x: f32[1, 8, 8] = source.image -> shift(1)"
    data = workspace.open(body)
    still = next(iter(Feed(data, "train", training=False, device=CPU).batches(5000)))["x"]
    feed = Feed(data, "train", training=True, device=CPU)
    (batch,) = next(feed.epoch(0, 0, len(feed)))
    from dlc.runtime import randomness as keyed

    order = torch.from_numpy(keyed.permutation(keyed.key(0, "order", 0), len(feed)))
    seen = set()
    for image, moved in zip(still[order], batch["x"], strict=True):
        padded = torch.nn.functional.pad(image, (1, 1, 1, 1))
        places = [(i, j) for i in range(3) for j in range(3) if torch.equal(padded[:, i : i + 8, j : j + 8], moved)]
        assert places
        seen.update(places[:1])
    assert len(seen) == 9


@pytest.mark.parametrize(
    "step", ["hflip", "shift(1)", "rotate(15)", "noise(0.1)", "erase", "random_crop(6) -> center_crop(8)"]
)
def test_augmentation_depends_on_seed_epoch_and_record_only(workspace, step: str) -> None:
    body = (
        DIGITS + f"x: f32[1, 8, 8] = source.image -> scale(1 / 16) -> if training {{ {step} }}\ny: i64 = source.label"
    )
    feed = workspace.feed(body)

    def by_label(epoch: int, batch: int, seed: int = 0) -> torch.Tensor:
        found = torch.cat([part["x"] for (part,) in feed.epoch(seed, epoch, batch)])
        return found[:1408].flatten(1).sum(1).sort().values

    assert torch.equal(by_label(0, 64), by_label(0, 64))
    assert not torch.equal(by_label(0, 64), by_label(1, 64))
    late = next(feed.epoch(0, 0, 64, start=7))[0]["x"]
    whole = list(feed.epoch(0, 0, 64))[7][0]["x"]
    assert torch.equal(late, whole)


RANDOM = [name for name, entry in TRANSFORMS.items() if entry.evaluation is not None]


@pytest.mark.parametrize("name", RANDOM)
def test_what_draws_has_an_evaluation_without_drawing(workspace, name: str) -> None:
    """Written as its example shows it, but without `if training`."""
    found = re.search(rf"\b{name}(\((?:[^()]|\([^()]*\))*\))?", TRANSFORMS[name].example)
    assert found is not None
    data = workspace.open(DIGITS + f"x: f32[3, 8, 8] = source.image -> rgb -> scale(1) -> {found[0]} -> center_crop(8)")
    first, again = (next(iter(Feed(data, "val", training=False, device=CPU).batches(8)))["x"] for _ in range(2))
    assert first.dtype == torch.float32 and torch.equal(first, again)


def test_one_draw_for_a_pair(workspace, images) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(3):
        array = rng.integers(0, 255, (8, 8), np.uint8)
        for folder in ("a", "b"):
            (workspace.path / folder).mkdir(exist_ok=True)
            Image.fromarray(np.stack([array] * 3, -1)).save(workspace.path / folder / f"{number}.png")
    feed = workspace.feed(
        """source = image_pairs("a", "b")\nsplit = all("train")
        let pair = (source.first, source.second) -> if training { hflip(0.5) -> random_crop(5) } else { center_crop(5) }
        image: f32[3, 5, 5] = pair.first -> scale(1)
        mask: i64[5, 5] = pair.second"""
    )
    for epoch in range(4):
        (batch,) = next(feed.epoch(0, epoch, 3))
        assert torch.equal(batch["image"][:, 0].long(), batch["mask"])


def test_masks_mlm(workspace) -> None:
    np.tile(np.arange(5, 55), 200).astype(np.uint16).tofile(workspace.path / "t.bin")
    feed = workspace.feed(
        """source = token_file("t.bin", "u16")\nsplit = all("train")
        let m = source.tokens -> window(50, 50) -> mlm_mask(0.2, 3)
        ids: i64[50] = m.ids\nlabels: i64[50] = m.labels"""
    )
    (batch,) = next(feed.epoch(0, 0, 200))
    asked = batch["labels"] != -100
    assert 0.18 < float(asked.float().mean()) < 0.22
    assert torch.equal(batch["ids"][~asked], torch.arange(5, 55).expand(200, 50)[~asked])
    assert torch.equal(batch["labels"][asked], torch.arange(5, 55).expand(200, 50)[asked])
    assert 0.75 < float((batch["ids"][asked] == 3).float().mean()) < 0.85


def test_masks_of_evaluation_do_not_depend_on_batches(workspace) -> None:
    workspace.write("a.csv", "t\n" + "\n".join(f"a b c d e f g {'h' * (n % 5 + 1)}" for n in range(40)))
    body = """source = csv("a.csv")\nsplit = all("train")
        let m = source.t -> words -> vocab(30, first = 3) -> mlm_mask(0.5, 2, random = 0.5)
        ids: i64[8] = m.ids\nlabels: i64[8] = m.labels"""
    one = workspace.everything(body)
    many = [batch["ids"] for batch in workspace.feed(body, training=False).batches(3)]
    assert torch.equal(torch.cat(many), one["ids"])
    assert int(one["ids"].max()) < 15  # seven letters and five words behind the numbers 0 to 2


def test_data_too_large_for_memory_is_made_ahead(workspace) -> None:
    body = DIGITS + "x: f32[1, 8, 8] = source.image -> if training { shift(1) }\ny: i64 = source.label"
    data = workspace.open(body)
    kept = Feed(data, "train", training=True, device=CPU)
    made = Feed(data, "train", training=True, device=CPU, share=0.0)
    assert made.ahead
    assert not kept.ahead
    for (one,), (other,) in zip(kept.epoch(0, 1, 64), made.epoch(0, 1, 64), strict=True):
        assert torch.equal(one["x"], other["x"])
        assert torch.equal(one["y"], other["y"])


@pytest.mark.parametrize("size", [1, 7, 64, 5000])
def test_evaluation_counts_every_record_once(workspace, size: int) -> None:
    feed = workspace.feed(DIGITS + "x: f32[1, 8, 8] = source.image\ny: i64 = source.label", "val", training=False)
    assert sum(len(batch["y"]) for batch in feed.batches(size)) == len(feed)


def test_words_are_cut_before_they_are_numbered(workspace) -> None:
    workspace.write("a.csv", TEXT)
    batch = workspace.everything(
        """source = csv("a.csv")\nsplit = all("train")
        let words = source.t -> lower -> words
        t: i64[T] = words -> truncate(2) -> vocab(9) -> pad(0)
        u: i64[U] = words[1:] -> vocab(9) -> pad(0)"""
    )
    assert batch["t"].shape[1] == 2
    assert batch["u"].shape[1] == 4


def test_characters_are_read_back_from_their_numbers(workspace) -> None:
    workspace.write("a.csv", "t\nab a\nb\n")
    data = workspace.open(
        """source = csv("a.csv")\nsplit = all("train")
        t: i64[T] = source.t -> chars -> vocab(9, bos = 2, eos = 3) -> pad(0)"""
    )
    (fitted,) = data.graph.fitted.values()
    feed = Feed(data, "train", training=False, device=torch.device("cpu"))
    ids = next(iter(feed.batches(2)))["t"]
    assert ids[:, 0].tolist() == [2, 2]
    names = ["", "?", "<", ">", *fitted["words"]]
    assert ["".join(names[i] for i in row) for row in ids.tolist()] == ["<ab a>", "<b>"]


def test_an_epoch_read_in_order_stays_in_its_part(workspace) -> None:
    body = 'source = builtin("sunspots")\nsplit = contiguous(train = 0.5, val = 0.5)\n'
    batch = workspace.everything(body + "x: f32[25] = source.value -> random_window(25)")
    data = workspace.open(body + "x: f32[25] = source.value -> random_window(25)")
    end = data.parts["train"].stream[1]
    assert batch["x"][-1].tolist() == data.table.columns["value"].array[end - 25 : end].tolist()
