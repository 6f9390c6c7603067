"""Image transforms give what kornia, Pillow or the definition itself gives for the same draw."""

from __future__ import annotations

import math
from typing import Any

import kornia
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from dlc.compiler.catalogue import TRANSFORMS
from dlc.runtime.data import arrays, transforms
from dlc.runtime.data.arrays import resampling
from dlc.runtime.data.transforms import colour
from dlc.runtime.data.transforms import image as images

N, H, W = 5, 24, 32
NONE = torch.zeros(0)
COVERED = {
    "resize", "letterbox", "center_crop", "random_crop", "random_resized_crop", "hflip", "vflip", "shift", "rotate", "affine",
    "perspective", "elastic", "blur", "gaussian_blur", "erase", "color_jitter", "hue", "grayscale", "gamma", "random_gamma",
    "solarize", "posterize", "rand_augment", "rgb", "normalize",
}  # fmt: skip
#: Draws from the record's key on the way; tests/runtime/test_transforms.py has it.
ELSEWHERE = {"noise"}


def drawn(name: str, x: Tensor, u: Tensor, **args: Any) -> Tensor:
    function = transforms.function(name)
    assert function is not None
    return function(x, args, u)


def pictures(seed: int = 0, height: int = H, width: int = W) -> Tensor:
    """Smooth, so that resampling says something."""
    noise = torch.rand(N, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, (height, width), mode="bicubic").clamp(0, 1)


def uniform(count: int) -> Tensor:
    return torch.rand(N, count, generator=torch.Generator().manual_seed(3))


def test_every_image_transform_is_here() -> None:
    assert {name for name in TRANSFORMS if TRANSFORMS.module_of(name) in ("image", "colour")} == COVERED | ELSEWHERE


@pytest.mark.parametrize("n", [12, 40])
def test_resize_is_pillows(n: int) -> None:
    x = (pictures() * 255).round().to(torch.uint8)
    found = images.resize(x, {"n": n}, NONE)
    wanted = [
        np.asarray(Image.fromarray(one.permute(1, 2, 0).numpy()).resize((n * W // H, n), Image.Resampling.BILINEAR))
        for one in x
    ]
    assert found.shape == (N, 3, n, n * W // H)
    # the order of rows and columns in one call of Pillow's differs from version to version
    assert int((found.int() - torch.from_numpy(np.stack(wanted)).permute(0, 3, 1, 2).int()).abs().max()) <= 1
    assert torch.equal(images.resize(x, {"n": n, "width": 3 * n}, NONE), images._scaled(x, n, 3 * n))


@pytest.mark.parametrize("fixed", [True, False])
def test_bytes_are_resampled_to_the_bit_with_pillow_without_it_and_by_torch(
    fixed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    r = np.random.default_rng(1)
    for _ in range(12):
        (h, w), (high, wide) = r.integers(1, 80, 2).tolist(), r.integers(1, 60, 2).tolist()
        x = r.integers(0, 256, (2, 3, h, w)).astype(np.uint8)
        corner, part = r.random((2, 2)) * [w / 2, h / 2], r.uniform(0.1, 1, (2, 2))
        boxes = np.concatenate([corner, corner + part * ([w, h] - corner)], 1).astype(np.float32)
        boxes = resampling.whole(2, h, w) if fixed else np.minimum(boxes, np.float32([w, h, w, h]))
        found = resampling.resampled(x, boxes, high, wide)
        lying = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(resampling.resampled(lying, boxes, high, wide), found)
        by_torch = images.resampled_on_device(torch.from_numpy(x), boxes, high, wide)
        np.testing.assert_array_equal(by_torch.numpy(), found)
        with monkeypatch.context() as patch:
            patch.setattr(resampling, "_pillow", lambda: None)
            np.testing.assert_array_equal(resampling.resampled(x, boxes, high, wide), found)
        floats = resampling.resampled(x.astype(np.float32), boxes, high, wide)
        assert np.abs(floats - found).max() <= 1.01
        by_torch = images.resampled_on_device(torch.from_numpy(x.astype(np.float32)), boxes, high, wide)
        np.testing.assert_allclose(by_torch.numpy(), floats, atol=1e-3)


def test_letterbox_keeps_the_ratio_and_fills_the_rest() -> None:
    x = (pictures() * 255).round().to(torch.uint8)  # 24 x 32
    found = images.letterbox(x, {"n": 20, "width": None, "fill": 114.0}, NONE)
    assert found.shape == (N, 3, 20, 20)
    assert (found[:, :, :2] == 114).all() and (found[:, :, 17:] == 114).all()
    assert torch.equal(found[:, :, 2:17], images._scaled(x, 15, 20))
    found = images.letterbox(x, {"n": 12, "width": 40, "fill": 0.0}, NONE)
    assert torch.equal(found[..., 12:28], images._scaled(x, 12, 16)) and not found[..., :12].any()


def test_a_mask_keeps_its_classes() -> None:
    mask = torch.randint(0, 3, (N, H, W)) * 5
    u = uniform(5)
    for made in (
        images.resize(mask, {"n": 17}, NONE),
        drawn("rotate", mask, u, degrees=30),
        drawn("random_resized_crop", mask, u, n=11, scale=(0.2, 1.0), ratio=(0.75, 1.33)),
    ):
        assert made.dtype == mask.dtype and made.dim() == 3
        assert set(made.unique().tolist()) <= {0, 5, 10}


FILLING: dict[str, dict[str, Any]] = {
    "letterbox": {"n": 40, "width": None, "fill": 114.0},
    "center_crop": {"n": 40},
    "random_crop": {"n": 40},
    "shift": {"n": 5},
    "rotate": {"degrees": 30},
    "affine": {"degrees": 10, "translate": 0.2, "scale": (0.5, 0.9), "shear": 10},
    "perspective": {"distortion": 0.4},
    "elastic": {"std": 4.0, "grid": 3},
    "erase": {"p": 1.0},
}


def test_these_fill_pixels() -> None:
    assert set(FILLING) == {
        name for name, entry in TRANSFORMS.items() if "mask_fill" in {a for a, _, _ in entry.arguments}
    }


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64])
@pytest.mark.parametrize("name", FILLING)
def test_pixels_that_are_not_of_a_mask_are_what_the_spec_gives(name: str, kind: torch.dtype) -> None:
    """The same pixels as those that are filled in the image, with one draw; none is between two classes."""
    args = FILLING[name]
    count = TRANSFORMS[name].numbers_drawn(args)
    u = uniform(count) if count else torch.arange(N)
    mask, image = torch.full((N, H, W), 3, dtype=kind), torch.full((N, 3, H, W), 255, dtype=torch.uint8)
    quick = arrays.quick(name)
    for apply in (transforms.function(name), quick):
        if apply is None:
            continue
        convert: Any = (lambda x: x.numpy()) if apply is quick else (lambda x: x)
        given = () if TRANSFORMS[name].random is False and apply is quick else (convert(u),)
        found = torch.as_tensor(apply(convert(mask), {**args, "mask_fill": 255}, *given))
        assert set(found.unique().tolist()) == {3, 255} and found.dtype == kind
        seen = torch.as_tensor(apply(convert(image), {**args, "mask_fill": 255, "fill": 0}, *given))[:, 0]
        inside = (found == 3) == (seen > 127)
        assert float(inside.float().mean()) > (
            0.95 if name in ("affine", "rotate", "perspective", "elastic") else 0.9999
        )


def test_center_crop_is_kornias() -> None:
    x = pictures()
    torch.testing.assert_close(images.center_crop(x, {"n": 10}, NONE), kornia.geometry.center_crop(x, (10, 10)))


def test_crops_and_flips_are_slices() -> None:
    x, u = pictures(), uniform(2)
    cropped, moved = drawn("random_crop", x, u, n=10), drawn("shift", x, u, n=3)
    for at, (down, across) in enumerate(u.tolist()):
        top, left = int(down * (H - 10 + 1)), int(across * (W - 10 + 1))
        assert torch.equal(cropped[at], x[at, :, top : top + 10, left : left + 10])
        top, left = int(down * 7), int(across * 7)
        assert torch.equal(moved[at], F.pad(x[at], (3, 3, 3, 3))[:, top : top + H, left : left + W])
    chosen = u[:, 0] < 0.5
    for name, axis in (("hflip", -1), ("vflip", -2)):
        wanted = torch.where(chosen[:, None, None, None], x.flip(axis), x)
        assert torch.equal(drawn(name, x, u, p=0.5), wanted)


def test_a_resized_crop_is_the_resized_slice() -> None:
    """A quarter of a square, one half of it each way, at places that pixels share."""
    x = pictures(height=32, width=32)
    places = torch.tensor([[0, 0], [0, 1], [1, 0], [0.5, 0.5], [1, 1]])
    u = torch.cat([torch.zeros(N, 1), torch.full((N, 1), 0.5), places], 1)
    found = drawn("random_resized_crop", x, u, n=16, scale=(0.25, 1.0), ratio=(0.5, 2.0))
    for at, (down, across) in enumerate((places * 16).int().tolist()):
        torch.testing.assert_close(found[at], x[at, :, down : down + 16, across : across + 16], atol=1e-5, rtol=0)
    whole = torch.tensor([[1.0, 0.5, 0.3, 0.7]]).expand(N, 4)
    found = drawn("random_resized_crop", x, whole, n=20, scale=(0.25, 1.0), ratio=(0.5, 2.0))
    wanted = F.interpolate(x, (20, 20), mode="bilinear", antialias=True)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_rotate_is_kornias() -> None:
    x, u = pictures(), uniform(1)
    degrees = (2 * u[:, 0] - 1) * 40
    found = drawn("rotate", x, u, degrees=40)
    wanted = kornia.geometry.rotate(
        x, -degrees, center=torch.tensor([[W / 2 - 0.5, H / 2 - 0.5]]).expand(N, 2), align_corners=True
    )
    # kornia counts from pixel to pixel, we from edge to edge: beside the border they say the same
    inner = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    torch.testing.assert_close(found[inner], wanted[inner], atol=2e-3, rtol=0)


def test_affine_moves_points_where_it_should() -> None:
    """On a picture whose colours are its coordinates each pixel says where it comes from."""
    rows, columns = torch.meshgrid(torch.arange(H) + 0.5 - H / 2, torch.arange(W) + 0.5 - W / 2, indexing="ij")
    x = torch.stack([columns, rows, torch.ones(H, W)]).expand(N, 3, H, W)
    u = uniform(5)
    args = {"degrees": 20, "translate": 0.1, "scale": (0.8, 1.3), "shear": 10}
    found = drawn("affine", x, u, **args)
    for at in range(N):
        angle, shear = math.radians(20) * (2 * u[at, 0] - 1), math.radians(10) * (2 * u[at, 4] - 1)
        move = torch.tensor([0.1 * W, 0.1 * H]) * (2 * u[at, 1:3] - 1)
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        matrix = (0.8 + 0.5 * u[at, 3]) * turn @ torch.tensor([[1, 0], [math.tan(shear), 1]])
        source, inside = found[at, :2].flatten(1), found[at, 2].flatten() > 0.999
        here = x[at, :2].flatten(1)
        assert float(inside.float().mean()) > 0.5
        torch.testing.assert_close((matrix @ source + move[:, None])[:, inside], here[:, inside], atol=1e-3, rtol=0)


@pytest.mark.parametrize("kernel", [3, 7])
def test_blur_is_kornias(kernel: int) -> None:
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    x = pictures()
    wanted = kornia.filters.gaussian_blur2d(x, (kernel, kernel), (sigma, sigma), border_type="reflect")
    torch.testing.assert_close(images.blur(x, {"kernel": kernel}, NONE), wanted, atol=1e-6, rtol=0)


def test_gaussian_blur_is_kornias_with_a_deviation_a_record() -> None:
    x, u = pictures(), uniform(1)
    sigma = (0.5 + u * 1.5).expand(-1, 2)
    wanted = kornia.filters.gaussian_blur2d(x, (9, 9), sigma, border_type="reflect")
    torch.testing.assert_close(drawn("gaussian_blur", x, u, kernel=9, sigma=(0.5, 2.0)), wanted, atol=1e-6, rtol=0)
    mask = (x[:, 0] * 255).to(torch.uint8)
    found = drawn("gaussian_blur", mask, u, kernel=9, sigma=(0.5, 2.0))
    assert found.dtype == torch.uint8 and found.shape == mask.shape


def test_erase_takes_one_rectangle_of_its_share() -> None:
    generator = torch.Generator().manual_seed(0)
    x, u = torch.ones(400, 1, 64, 64), torch.rand(400, 5, generator=generator)
    gone = drawn("erase", x, u, p=0.5)[:, 0] == 0
    touched = gone.flatten(1).any(1)
    assert torch.equal(touched, u[:, 0] < 0.5)
    for mask in gone[touched]:
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        part = mask[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]
        assert bool(part.all()), "a rectangle"
        assert 0.01 < float(mask.float().mean()) < 0.36


def test_perspective_keeps_lines_and_moves_corners_inwards() -> None:
    """On a picture whose colours are its coordinates, the middle is seen where the diagonals of the drawn corners cross."""
    size = 65
    lines = (torch.arange(size) + 0.5) * 2 / size - 1
    x = torch.stack([lines.expand(size, size), lines[:, None].expand(size, size), torch.ones(size, size)])
    u = uniform(8)
    found = drawn("perspective", x.expand(N, 3, size, size), u, distortion=0.4)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    for at in range(N):
        seen = corners * (1 - 0.4 * u[at].reshape(4, 2).numpy())
        one, other = seen[2] - seen[0], seen[3] - seen[1]
        along = np.linalg.solve(np.stack((one, -other), 1), seen[1] - seen[0])[0]
        column, row = ((seen[0] + along * one + 1) / 2 * size).astype(int)
        assert float(found[at, :2, row, column].abs().max()) < 0.06
        inside = seen.mean(0) + 0.93 * (seen - seen.mean(0))
        for corner, (across, down) in zip(corners, inside, strict=True):
            place = found[at, :2, int((down + 1) / 2 * size), int((across + 1) / 2 * size)]
            assert float((place - torch.from_numpy(corner)).abs().max()) < 0.3
    still = drawn("perspective", x.expand(N, 3, size, size), u, distortion=0.0)
    torch.testing.assert_close(still, x.expand(N, 3, size, size), atol=1e-4, rtol=0)


def test_elastic_moves_each_place_smoothly_by_about_its_deviation() -> None:
    size = 64
    lines = torch.arange(size).float()
    x = torch.stack([lines.expand(size, size), lines[:, None].expand(size, size), torch.ones(size, size)]).expand(
        N, 3, size, size
    )
    keys = torch.arange(1, N + 1) * 7919
    found = drawn("elastic", x, keys, std=2.0, grid=3)
    inside = found[:, 2, 12:-12, 12:-12] > 0.999
    moves = (found - x)[:, :2, 12:-12, 12:-12]
    assert bool(inside.all()) and 0.7 < float(moves.std()) < 3
    assert float((moves[..., 1:] - moves[..., :-1]).abs().max()) < 0.7, "neighbours move alike"
    torch.testing.assert_close(drawn("elastic", x, keys, std=0.0, grid=3), x, atol=1e-3, rtol=0)


def test_colours_are_kornias() -> None:
    """Where nothing is cut at 0 or 1 on the way: kornia cuts after each, ours at the end."""
    x, u = pictures() * 0.5 + 0.25, uniform(4)
    factors = 0.8 + u * 0.4
    wanted = kornia.enhance.adjust_brightness_accumulative(x, factors[:, 0])
    wanted = kornia.enhance.adjust_contrast_with_mean_subtraction(wanted, factors[:, 1])
    wanted = kornia.enhance.adjust_saturation_with_gray_subtraction(wanted, factors[:, 2])
    args = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.0}
    found = drawn("color_jitter", x, u, **args)
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)
    torch.testing.assert_close(colour.jittered(x, args, u), found, atol=1e-6, rtol=0)
    of_bytes = (x * 255).round().to(torch.uint8)
    found = drawn("color_jitter", of_bytes, u, **args)
    torch.testing.assert_close(found, wanted, atol=6e-3, rtol=0)
    torch.testing.assert_close(colour.jittered(of_bytes, args, u), found, atol=1e-6, rtol=0)
    assert float(drawn("color_jitter", x, u, **{**args, "brightness": 3.0}).max()) == 1


def test_hue_turns_colours_and_keeps_gray_and_luminance() -> None:
    x = pictures() * 0.3 + 0.35
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    found = drawn("hue", x, uniform(1), hue=0.5)
    torch.testing.assert_close((found * weights).sum(1), (x * weights).sum(1), atol=1e-3, rtol=0)
    assert float((found - x).abs().max()) > 0.02
    gray = torch.full((N, 3, 2, 2), 0.4)
    torch.testing.assert_close(drawn("hue", gray, uniform(1), hue=0.5), gray, atol=1e-5, rtol=0)
    torch.testing.assert_close(drawn("hue", x, torch.full((N, 1), 0.5), hue=0.5), x, atol=1e-5, rtol=0)
    jitter = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.3}
    u = uniform(1)
    assert torch.equal(
        drawn("color_jitter", x, torch.cat((torch.rand(N, 3), u), 1), **jitter), drawn("hue", x, u, hue=0.3)
    )
    redder = torch.tensor([0.5, 0.3, 0.3]).reshape(1, 3, 1, 1)
    turned = drawn("hue", redder, torch.full((1, 1), 5 / 6), hue=0.5).flatten()  # by a third of the circle
    assert float(turned.max() - turned[0]) > 0.1, "no longer red"


def test_grayscale_is_pillows() -> None:
    x = (pictures() * 255).round().to(torch.uint8)
    wanted = [np.asarray(Image.fromarray(one.permute(1, 2, 0).numpy()).convert("L")) for one in x]
    found = drawn("grayscale", x, NONE, channels=3)
    for channel in range(3):
        np.testing.assert_array_equal(found[:, channel].numpy(), np.stack(wanted))
    assert drawn("grayscale", x, NONE, channels=1).shape == (N, 1, H, W)
    torch.testing.assert_close(drawn("grayscale", x / 255, NONE, channels=1), kornia.color.rgb_to_grayscale(x / 255))


def test_gamma_solarize_and_posterize_are_kornias() -> None:
    x = pictures()
    of_bytes = (x * 255).round().to(torch.uint8)
    wanted = kornia.enhance.adjust_gamma(x, 2.2)
    torch.testing.assert_close(drawn("gamma", x, NONE, gamma=2.2), wanted, atol=1e-6, rtol=0)
    assert int((drawn("gamma", of_bytes, NONE, gamma=2.2).int() - (wanted * 255).round().int()).abs().max()) <= 2
    u = uniform(1)
    powers = 0.5 * 4 ** u[:, 0]
    found = drawn("random_gamma", x, u, gamma=(0.5, 2.0))
    torch.testing.assert_close(found, kornia.enhance.adjust_gamma(x, powers), atol=1e-6, rtol=0)
    solarized = drawn("solarize", x, NONE, threshold=0.4)
    torch.testing.assert_close(solarized, torch.where(x >= 0.4, 1 - x, x))
    found = drawn("solarize", of_bytes, NONE, threshold=0.4)
    assert torch.equal(found, torch.where(of_bytes >= 102, 255 - of_bytes, of_bytes))
    assert torch.equal(drawn("posterize", of_bytes, NONE, bits=3), of_bytes & 0b11100000)
    torch.testing.assert_close(drawn("posterize", of_bytes / 255, NONE, bits=3), (of_bytes & 0b11100000) / 255)


def test_normalize_and_rgb() -> None:
    x = pictures()
    mean, std = torch.tensor(images.IMAGENET_MEAN), torch.tensor(images.IMAGENET_STD)
    torch.testing.assert_close(
        images.normalize(x, {"mean": "imagenet", "std": None}, NONE), kornia.enhance.normalize(x, mean, std)
    )
    gray = images.rgb(x[:, :1], {}, NONE)
    assert torch.equal(gray, kornia.color.grayscale_to_rgb(x[:, :1]))


def test_rand_augment_does_one_named_thing_a_round() -> None:
    """Nine kinds: nothing, turn, move across, move down, shear, brightness, contrast, saturation, solarize."""
    x, strength = pictures(height=32, width=32)[:1].expand(9, 3, 32, 32), 10 / 30
    u = torch.stack([(torch.arange(9) + 0.5) / 9, torch.full((9,), 0.9), torch.zeros(9)], 1)
    found = drawn("rand_augment", x, u, n=1, magnitude=10)
    one = x[:1]
    half = torch.full((1, 1), 1.0)
    torch.testing.assert_close(found[:1], one)
    torch.testing.assert_close(found[1:2], drawn("rotate", one, half, degrees=30 * strength))
    across = {"degrees": 0, "translate": 0.45 * strength, "scale": None, "shear": 0}
    torch.testing.assert_close(found[2:3], drawn("affine", one, torch.tensor([[0.5, 1, 0.5, 0, 0.5]]), **across))
    torch.testing.assert_close(found[3:4], drawn("affine", one, torch.tensor([[0.5, 0.5, 1, 0, 0.5]]), **across))
    sheared = {"degrees": 0, "translate": 0.0, "scale": None, "shear": math.degrees(0.3 * strength)}
    torch.testing.assert_close(found[4:5], drawn("affine", one, torch.tensor([[0.5, 0.5, 0.5, 0, 1]]), **sheared))
    factor = torch.tensor(1 + 0.9 * strength)
    torch.testing.assert_close(found[5:6], kornia.enhance.adjust_brightness_accumulative(one, factor))
    torch.testing.assert_close(
        found[6:7], kornia.enhance.adjust_contrast_with_mean_subtraction(one, factor), atol=2e-3, rtol=0
    )
    torch.testing.assert_close(
        found[7:8], kornia.enhance.adjust_saturation_with_gray_subtraction(one, factor), atol=2e-3, rtol=0
    )
    torch.testing.assert_close(found[8:9], torch.where(one < 1 - strength, one, 1 - one))
