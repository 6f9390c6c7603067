"""Chains of image transforms: the same images at any number of threads, from files or memory, and one chain a record where several
are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlc.compiler.catalogue import TRANSFORMS
from dlc.runtime import randomness
from dlc.runtime.data import image_chains, values
from dlc.runtime.data.feed import Feed, open_data
from dlc.runtime.data.image_chains import ChainStep

CPU = torch.device("cpu")
HEAD = 'source = image_folder("photos")\nsplit = all("train")\n'
CHAIN = (
    "image: f32[3, 20, 20] = source.image -> random_resized_crop(20) -> hflip\n"
    "  -> apply(0.5, rotate(20) -> blur(3)) -> choice(posterize(3), solarize(0.4), vflip)\n"
    "  -> color_jitter(0.4, 0.4, 0.4, 0.1) -> if training { erase(0.4) -> noise(0.1) }\n"
    '  -> normalize("imagenet")\nlabel: i64 = source.label'
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    r = np.random.default_rng(0)
    for number in range(20):
        height, width = r.integers(24, 60, 2)
        image = Image.fromarray(r.integers(0, 256, (height, width, 3)).astype(np.uint8))
        image = {0: image.convert("L"), 1: image.convert("RGBA")}.get(number % 5, image)
        at = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        at.parent.mkdir(parents=True, exist_ok=True)
        image.save(at)
    return tmp_path


def epoch(feed: Feed, start: int = 0) -> list[torch.Tensor]:
    return [part["image"] for (part,) in feed.epoch(3, 1, 6, start=start)]


def test_images_are_the_same_at_any_number_of_threads_resumed_or_kept_in_memory(workspace, photos: Path) -> None:
    section = workspace.section(HEAD + CHAIN)
    feeds = [
        Feed(open_data(section, photos, workers=workers), "train", training=True, device=CPU, share=share)
        for workers, share in ((0, 0.0), (2, 0.0), (4, 0.0), (2, 0.25))
    ]
    assert [feed.ahead for feed in feeds] == [True, True, True, False]
    wanted = epoch(feeds[0])
    assert len(wanted) == 3 and not torch.equal(wanted[0], wanted[1])
    for feed in feeds[1:]:
        for found, batch in zip(epoch(feed), wanted, strict=True):
            assert torch.equal(found, batch)
        for found, batch in zip(epoch(feed, start=2), wanted[2:], strict=True):
            assert torch.equal(found, batch)


def test_a_record_is_the_same_in_any_task(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images in memory are computed many at a time."""
    body = 'source = builtin("digits")\nsplit = all("train")\n' + (
        "image: f32[1, 8, 8] = source.image -> if training { random_crop(8) -> shift(1) -> hflip }\n"
        "  -> choice(apply(0.5, gamma(2) -> random_gamma), random_resized_crop(8), elastic(1)) -> scale(1 / 16)"
    )
    feed = workspace.feed(body)
    positions = np.arange(40)
    wanted = feed.chunk(positions, 5)["image"]
    monkeypatch.setattr(image_chains, "TASK", 1)
    assert torch.equal(feed.chunk(positions, 5)["image"], wanted)


def test_apply_changes_its_part_of_the_records_in_training_only(workspace) -> None:
    r = np.random.default_rng(0)
    np.savez(workspace.path / "a.npz", image=r.integers(1, 256, (400, 3, 4, 4)).astype(np.uint8))
    head = 'source = npz("a.npz")\nsplit = all("train")\n'
    body = head + "image: u8[3, 4, 4] = source.image -> apply(0.3, vflip(1) -> solarize(0))"
    feed = workspace.feed(body)
    found, plain = feed.chunk(np.arange(400), 0)["image"], feed.chunk(np.arange(400), None)["image"]
    turned = 255 - plain.flip(-2)
    changed = (found == turned).flatten(1).all(1)
    assert torch.equal(found[~changed], plain[~changed])
    assert 0.2 < float(changed.float().mean()) < 0.4
    (node,) = [node for node in feed.data.section.nodes if node.op == "apply"]
    keys = randomness.record_keys(randomness.key(0, "node", node.id), np.arange(400))
    assert (randomness.uniform_array(keys, 1)[:, 0] < 0.3).tolist() == changed.tolist()
    wide = workspace.feed(
        head + "image: f32[3, 4, 4] = source.image -> apply(0.5, color_jitter(0.5)) -> normalize(0, 1)"
    )
    assert float(wide.chunk(np.arange(9), 0)["image"].max()) <= 1, "bytes are shares of 255 in both branches"


def test_choice_takes_each_chain_about_equally_often(workspace) -> None:
    np.savez(workspace.path / "a.npz", image=np.random.default_rng(0).integers(0, 90, (600, 3, 4, 4)).astype(np.uint8))
    feed = workspace.feed(
        'source = npz("a.npz")\nsplit = all("train")\n'
        "image: u8[3, 4, 4] = source.image -> choice(hflip(1), vflip(1) -> hflip(1), solarize(0))"
    )
    found, plain = feed.chunk(np.arange(600), 0)["image"], feed.chunk(np.arange(600), None)["image"]
    ways = (plain.flip(-1), plain.flip((-1, -2)), 255 - plain)
    taken = torch.stack([(found == way).flatten(1).all(1) for way in ways])
    assert bool(taken.any(0).all())
    assert all(0.25 < float(part) < 0.42 for part in taken.float().mean(1))


@pytest.mark.parametrize("step", ["if training { noise(0) }", "apply(0.5, hue(0))", "choice(rotate(0), hue(0))"])
def test_bytes_of_arrays_are_on_one_scale_in_training_and_outside(workspace, step: str) -> None:
    """Though only the data gives their dtype."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 3, 5, 4)).astype(np.uint8)
    np.savez(workspace.path / "a.npz", image=pixels)
    body = f'source = npz("a.npz")\nsplit = all("train")\nimage: f32[3, 5, 4] = source.image -> {step} -> scale(2)'
    wanted = torch.from_numpy(pixels.astype(np.float32) / 255 * 2)
    for training in (True, False):
        torch.testing.assert_close(workspace.everything(body, training=training)["image"], wanted)


DEVICE_CHAINS = (
    "resize(14) -> center_crop(12) -> grayscale -> rgb -> normalize(0.5, 0.25)",
    "random_resized_crop(12) -> hflip -> color_jitter(0.4, 0.4, 0.4, 0.1) -> normalize(0.5, 0.25)",
    "letterbox(16, fill = 114) -> vflip -> blur(3) -> solarize(0.5) -> posterize(4) -> center_crop(12) -> scale(1 / 255)",
    "resize(12, 12) -> shift(2) -> rotate(20) -> random_gamma((0.5, 2)) -> scale(1)",
    "resize(12, 12) -> affine(degrees = 10, translate = 0.1) -> gaussian_blur(3) -> erase(0.5) -> scale(1 / 255)",
    "resize(16, 16) -> perspective(0.3) -> elastic(1) -> random_crop(12) -> gamma(2) -> scale(1)",
    "resize(12, 12) -> apply(0.5, hue(0.2)) -> choice(rotate(15), shift(2)) -> rand_augment -> scale(1 / 255)",
)


@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize("chain", DEVICE_CHAINS)
def test_batches_on_a_device_are_what_the_processor_makes(
    workspace, chain: str, floats: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code for other devices, run in the memory of this one: whole batches of tensors, without a function of `arrays`. Bytes
    differ by at most 1, numbers by 1e-4 of their range."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3, 24, 20)).astype(np.uint8)
    np.savez(workspace.path / "a.npz", image=pixels / np.float32(255) if floats else pixels)
    body = f"""source = npz("a.npz")\nsplit = all("train")
        image: f32[3, 12, 12] = source.image -> if training {{ {chain} }} else {{ center_crop(12) -> scale(1) }}"""
    data = workspace.open(body)

    def batch() -> torch.Tensor:
        feed = Feed(data, "train", training=True, device=torch.device("cpu"), share=0.0)
        found = feed.chunk(np.arange(6), 7)["image"]
        assert isinstance(found, torch.Tensor)
        return found

    wanted = batch()
    monkeypatch.setattr(values, "on_host", lambda x: False)

    def on_device(step: ChainStep) -> ChainStep:
        u = torch.from_numpy(step.u) if isinstance(step.u, np.ndarray) else step.u
        return replace(step, u=u, branches=tuple(tuple(map(on_device, branch)) for branch in step.branches))

    monkeypatch.setattr(
        image_chains,
        "run",
        lambda steps, value, count, *_: image_chains.chain([*map(on_device, steps)], value, np.arange(count)),
    )
    found = batch()
    high = float(wanted.abs().max())
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    assert float((found - wanted).abs().max()) <= (1e-4 * high if floats or "normalize" in chain else high / 255 + 1e-6)


def test_one_draw_for_an_image_and_its_mask(workspace) -> None:
    r = np.random.default_rng(0)
    for number in range(3):
        array = r.integers(0, 255, (9, 8), np.uint8)
        for folder in ("a", "b"):
            (workspace.path / folder).mkdir(exist_ok=True)
            Image.fromarray(np.stack([array] * 3, -1)).save(workspace.path / folder / f"{number}.png")
    feed = workspace.feed(
        """source = image_pairs("a", "b")\nsplit = all("train")
        let pair = (source.first, source.second) -> apply(0.5, hflip(1)) -> choice(vflip(1), shift(2))
        image: f32[3, 9, 8] = pair.first -> scale(1)
        mask: i64[9, 8] = pair.second"""
    )
    for number in range(4):
        (batch,) = next(feed.epoch(0, number, 3))
        assert torch.equal(batch["image"][:, 0].long(), batch["mask"])


def test_a_node_read_twice_is_computed_once(workspace, photos: Path) -> None:
    feed = Feed(
        open_data(
            workspace.section(
                HEAD + "let image = source.image -> random_resized_crop(8)\n"
                "a: u8[3, 8, 8] = image\nb: f32[3, 8, 8] = image -> hflip(1) -> scale(1)"
            ),
            photos,
        ),
        "train",
        training=True,
        device=CPU,
    )
    (batch,) = next(feed.epoch(0, 0, 6))
    assert torch.equal(batch["a"].flip(-1).float(), batch["b"])


@pytest.mark.parametrize(
    "name", [name for name, entry in TRANSFORMS.items() if entry.takes == "image" and entry.random]
)
def test_each_random_transform_changes_images_and_depends_on_seed_and_epoch(workspace, name: str) -> None:
    example = TRANSFORMS[name].example.replace("[3, 64, 64]", "[3, 16, 16]").replace("(64", "(16").replace("(72", "(18")
    r = np.random.default_rng(0)
    low = r.integers(0, 256, (8, 3, 6, 6)).astype(np.uint8).repeat(3, 2).repeat(3, 3)
    np.savez(workspace.path / "a.npz", image=low)
    feed = workspace.feed('source = npz("a.npz")\nsplit = all("train")\n' + example)
    at = np.arange(8)
    first, again, other = (feed.chunk(at, base)["image"] for base in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_memory_of_a_batch_is_used_again_when_nobody_has_it(workspace, photos: Path) -> None:
    section = workspace.section(HEAD + CHAIN)
    feed = Feed(open_data(section, photos, workers=2), "train", training=True, device=CPU, share=0.0)
    every = epoch(feed)  # all are in use
    wanted = [batch.clone() for batch in every]
    part = every[0][2:]  # shares the memory of the first
    del every
    for found, batch in zip(feed.epoch(3, 1, 6), wanted, strict=True):
        assert torch.equal(found[0]["image"], batch)
    assert torch.equal(part, wanted[0][2:])


def test_memory_for_batches() -> None:
    memory = image_chains.BatchMemory()
    shape, kind = (2, 3), np.dtype(np.float32)
    first = torch.from_numpy(memory.take(shape, kind))
    second = torch.from_numpy(memory.take(shape, kind))
    places = {first.data_ptr(), second.data_ptr()}
    assert len(places) == 2
    view = first[1:]
    del first, second
    third = torch.from_numpy(memory.take(shape, kind))
    assert third.data_ptr() in places and third.data_ptr() != view.data_ptr() - 12
    assert memory.take((3, 3), kind).shape == (3, 3)
    del third, view
    assert len(memory.free) <= memory.KEPT
