"""Transforms of images over columns that hold none: what a column has is known from the data alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import dlc
from dlc.compiler.catalogue import TRANSFORMS
from dlc.runtime.spec import SpecError

SPEC = """dlspec 1
data D {{
  source = jsonl("rows.jsonl")
  split  = random(train = 0.6, val = 0.4, seed = 0)
  x: f32[3, 4, 4] = source.x -> {transform} -> scale(1)
}}
model M(x: [B, 3, 4, 4]) -> (y: [B, 2]) {{ y = x -> flatten -> Linear(2) }}
train {{ model = M; data = D; loss = mean(y ** 2); optimizer = Adam(1e-2); batch = 8; duration = 1 steps }}
"""
#: Arguments of those that need some.
GIVEN = {"resize": "4", "letterbox": "4", "center_crop": "4", "random_crop": "4", "random_resized_crop": "4", "shift": "1",
         "rotate": "10", "elastic": "1", "blur": "3", "gaussian_blur": "3", "noise": "0.1", "gamma": "2.0", "posterize": "3",
         "hue": "0.1"}  # fmt: skip
IMAGE = [
    name for name, entry in TRANSFORMS.items() if not entry.branches and entry.lacks((), {"mean": 0.5, "std": 0.5})
]


@pytest.mark.parametrize("values", ["numbers", "texts", "rows"])
@pytest.mark.parametrize("name", IMAGE)
def test_a_column_without_images(name: str, values: str, tmp_path: Path) -> None:
    made = {"numbers": 0.5, "texts": "0.5", "rows": np.zeros(3).tolist()}[values]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"x": made}) + "\n" for _ in range(40)), "utf-8")
    spec = tmp_path / "m.dlspec"
    spec.write_text(SPEC.format(transform=f"{name}({GIVEN[name]})" if name in GIVEN else name), "utf-8")
    with pytest.raises(SpecError) as refused:
        dlc.train(spec, out=tmp_path / "run")
    (found,) = refused.value.diagnostics
    assert found.code == "E0204", str(refused.value)
    assert f"`{name}` takes an image, and `x` has" in found.message


@pytest.mark.parametrize("declared", ["f32", "f32[3]"])
@pytest.mark.parametrize("transform", ["normalize(40, 10)", "normalize((1, 2, 3), (1, 1, 2))", 'normalize("imagenet")'])
def test_normalize_takes_numbers_too(transform: str, declared: str, tmp_path: Path) -> None:
    """One mean for all numbers, or one for each of a vector."""
    made = 0.5 if declared == "f32" else [0.5, 1, 2]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"x": made}) + "\n" for _ in range(40)), "utf-8")
    axes = "[B]" if declared == "f32" else "[B, 3]"
    text = SPEC.format(transform=transform).replace("f32[3, 4, 4]", declared).replace("[B, 3, 4, 4]", axes)
    (tmp_path / "m.dlspec").write_text(
        text.replace("x -> flatten", "x[:, none]" if declared == "f32" else "x"), "utf-8"
    )
    if declared == "f32" and "40" not in transform:
        with pytest.raises(SpecError, match="takes 3 channels, one a number"):
            dlc.train(tmp_path / "m.dlspec", out=tmp_path / "run")
    else:
        dlc.train(tmp_path / "m.dlspec", out=tmp_path / "run")
