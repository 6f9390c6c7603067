"""The comparison of an export with its model: where it looks, and that it sees what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlc
from dlc.compiler.check import check
from dlc.compiler.ir.model import Spec
from dlc.compiler.sizes.dims import var
from dlc.runtime.api import export
from dlc.runtime.exporting import parity
from dlc.runtime.exporting.reference_model import module_of


def spec_of(folder: Path, text: str) -> Spec:
    path = folder / "m.dlspec"
    path.write_text("dlspec 1\n" + text, "utf-8")
    checked = check(path)
    assert checked.spec is not None, [d.message for d in checked.report.errors]
    return checked.spec


def sizes_of(folder: Path, text: str, fix: dict[str, int] | None = None) -> list[dict[str, int]]:
    spec = spec_of(folder, text)
    made = export(folder / "m.dlspec", folder / "m.onnx", verify=False)
    session = dlc.Session(made.path, "cpu", threads=1)
    return parity.choose_sizes(spec, spec.models[0], session, fix or {})


def test_batches_and_another_length(tmp_path: Path) -> None:
    found = sizes_of(tmp_path, "model M(x: i64[B, T <= 9]) -> (y: [B, T, 2]) { y = x -> Embedding(5, 2) }")
    assert {sizes["B"] for sizes in found} >= {1, 7}
    assert len({sizes["T"] for sizes in found}) == 2
    assert all(1 <= sizes["T"] <= 9 for sizes in found)


def test_facts_are_kept(tmp_path: Path) -> None:
    found = sizes_of(
        tmp_path,
        "model M(x: [B, 1, H, W]) -> (y: [B, 1, _, _]) { require H % 16 == 0 and W >= 40\n y = x -> max_pool(4) }",
    )
    assert all(sizes["H"] % 16 == 0 and sizes["W"] >= 40 for sizes in found)
    assert len({sizes["H"] for sizes in found}) == 2
    assert len({sizes["W"] for sizes in found}) == 2


def test_sizes_leave_room_for_every_layer(tmp_path: Path) -> None:
    found = sizes_of(
        tmp_path,
        """model M(x: [B, 1, H, 64]) -> (y: [B, 1, _, _]) {
          require H >= 32
          y = x -> max_pool(2) -> max_pool(2) -> max_pool(2) -> max_pool(2)
        }""",
    )
    assert all(sizes["H"] // 16 >= 1 for sizes in found)


def test_whole_numbers_stay_within_tables(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        """block Look(count: int)(ids: i64[B, T]) -> [B, T, 3] { ids -> e: Embedding(count, 3) }
        model M(tokens: i64[B, T], kind: i64[B], lengths: i64[B], x: [B, T, 2], level: u8[B, 4])
               -> (y: [B, T, 3], h: [B, 4], z: [B, 4]) {
          y = tokens -> Look(7)
          k = kind -> Embedding(3, 4)
          h = (x -> l: RNN(4, lengths = lengths).h)[0] + k
          z = cast(level, f32)
        }""",
    )
    body = spec.body_of(spec.models[0])
    assert parity.input_limits(spec, body) == [(0, 7), (0, 3), (1, var("T") + 1), (0, 10), (0, 256)]
    drawn = parity.sample_inputs(spec, body, {"B": 50, "T": 6}, np.random.default_rng(0))
    assert (drawn["tokens"].min(), drawn["tokens"].max()) == (0, 6)
    assert (drawn["lengths"].min(), drawn["lengths"].max()) == (1, 6)
    assert drawn["level"].dtype == np.uint8


@pytest.fixture
def exported(tmp_path: Path) -> tuple[Spec, dict[str, np.ndarray[Any, Any]], Path]:
    spec = spec_of(
        tmp_path, "model M(x: [B, 3]) -> (y: [B, 2], s: [B]) { y = x -> fc: Linear(2)\n s = sum(y, axis = 1) }"
    )
    random = np.random.default_rng(0)
    weights: dict[str, np.ndarray[Any, Any]] = {
        "fc.weight": random.standard_normal((2, 3)).astype(np.float32),
        "fc.bias": np.ones(2, np.float32),
    }
    return spec, weights, export(tmp_path / "m.dlspec", tmp_path / "m.onnx", weights=weights, verify=False).path


def test_agreement_is_a_table(exported: tuple[Spec, dict[str, np.ndarray[Any, Any]], Path]) -> None:
    spec, weights, path = exported
    found = parity.verify(module_of(spec, spec.models[0], weights), path, spec, spec.models[0])
    assert found.ok
    assert [row.output for row in found.worst] == ["y", "s"]
    assert {(row.output, row.sizes["B"], row.level) for row in found.rows} == {
        (output, batch, level) for output in ("y", "s") for batch in (1, 7) for level in ("none", "all")
    }
    assert all(row.tolerance == 1e-4 and row.scale > 0 for row in found.rows)


@pytest.mark.parametrize("wrong", [1e-2, np.nan, np.inf])
def test_disagreement_is_seen(exported: tuple[Spec, dict[str, np.ndarray[Any, Any]], Path], wrong: float) -> None:
    spec, weights, path = exported
    module = module_of(spec, spec.models[0], {**weights, "fc.bias": weights["fc.bias"] + np.float32(wrong)})
    found = parity.verify(module, path, spec, spec.models[0])
    assert not found.ok
    failure = parity.Disagrees(found)
    assert str(failure) == "the exported file and the model disagree on `y`, `s`"
    assert len(failure.notes) == 2
    assert "(limit 0.0001)" in failure.notes[0]


def test_the_tolerances_are_published() -> None:
    page = (Path(dlc.__file__).parent / "docs" / "export.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (f32|f16|bf16|int8|int4) \| (\S+) \|$", page, re.MULTILINE))
    assert {name: float(tolerance) for name, tolerance in rows.items()} == parity.TOLERANCES
