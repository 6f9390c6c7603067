"""The comparison of an export with its model: where it looks, and that it sees what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dlc
from dlc.compiler.check import check
from dlc.compiler.ir.model import Spec
from dlc.compiler.sizes.dims import var
from dlc.runtime.api import export
from dlc.runtime.exporting import inputs, parity
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
    assert [inputs.domain(spec, body, value.id).highs for value in body.inputs] == [[7], [3], [var("T") + 1], [], []]
    drawn = next(inputs.draws(spec, body, {"B": 50, "T": 6}, (0,)))
    assert (drawn["tokens"].min(), drawn["tokens"].max()) == (0, 6)
    assert (drawn["lengths"].min(), drawn["lengths"].max()) == (0, 6)
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


class Magnifies(torch.nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + self.by) - self.by


@pytest.mark.parametrize(("by", "low", "high"), [(1e5, 1e-3, 1e-2), (1.0, 0.0, 1e-6), (1e300, 0.0, 0.0)])
def test_what_rounding_costs_pytorch_itself(by: float, low: float, high: float) -> None:
    """From which a difference between two programs that are both right follows; 1e300 is nothing that f32 could compute."""
    x = np.random.default_rng(0).standard_normal((7, 50)).astype(np.float32)
    module = Magnifies(by)
    with torch.no_grad():
        expected = {"y": module(torch.from_numpy(x)).numpy()}
    assert low <= parity.rounding(module, [x], expected)["y"] <= high


def test_the_tolerances_are_published() -> None:
    page = (Path(dlc.__file__).parent / "docs" / "export.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (f32|f16|bf16|int8|int4) \| (\S+) \|$", page, re.MULTILINE))
    assert {name: float(tolerance) for name, tolerance in rows.items()} == parity.TOLERANCES


# ---- corners of the inputs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs_", "outputs", "body"),
    [
        ("a: i64[B], b: i64[B]", "q: i64[B], r: i64[B]", "q = a // b\n r = a % b"),
        ("a: i64[B, T], b: i64[B, T]", "q: i64[B, T]", "q = a // (b[:, :] -> [B, T])"),
        ("a: i64[B]", "q: i64[B], r: i64[B]", "q = 100 // a\n r = a % 7"),
        ("a: i64[B]", "y: [B, 3]", "y = (a + 1) -> e: Embedding(11, 3)"),
        ("a: i64[B]", "y: [B, 3]", "y = (a * a) -> e: Embedding(3, 3)"),
        ("a: i64[B]", "y: [B, 3]", "y = (a % 5) -> e: Embedding(5, 3)"),
        ("x: [B]", "y: [B, 3]", "y = cast(x, i64) -> e: Embedding(2, 3)"),
        ("a: i64[B], b: i64[B]", "y: i64[B]", "y = a // (b * b)"),
        ("a: i64[B]", "y: i64[B]", "y = a ** 3"),
    ],
)
def test_whole_numbers_within_what_a_model_can_compute(tmp_path: Path, inputs_: str, outputs: str, body: str) -> None:
    (tmp_path / "m.dlspec").write_text(f"dlspec 1\nmodel M({inputs_}) -> ({outputs}) {{\n {body}\n}}\n")
    found = export(tmp_path / "m.dlspec", tmp_path / "m.onnx").parity
    assert found is not None and found.ok


def test_a_model_that_no_inputs_suit_is_not_blamed_on_the_graph(tmp_path: Path) -> None:
    (tmp_path / "m.dlspec").write_text("dlspec 1\nmodel M(a: i64[B]) -> (y: i64[B]) { y = a // (a - a) }\n")
    with pytest.raises(dlc.SpecError) as failure:
        export(tmp_path / "m.dlspec", tmp_path / "m.onnx")
    assert [found.code for found in failure.value.diagnostics] == ["E0414"]
    assert not (tmp_path / "m.onnx").exists()


def test_rows_that_see_nothing_are_compared(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path, "model M(s: [B, T, S], m: bool[B, T, S]) -> (y: [B, T, S]) { y = where(m, s, -1e9) -> softmax }"
    )
    drawn = next(inputs.draws(spec, spec.bodies[0], {"B": 2, "T": 3, "S": 5}, (0,)))
    seen = drawn["m"].reshape(-1, 5).sum(1)
    assert 0 in seen and 5 in seen


MASKED = {
    "where(m, s, -1e9)": True,
    "where(m, s, -1e30) * 1.0": True,
    "(s / 1e-9) * 1e-9": False,
}


@pytest.mark.parametrize("scores", MASKED)
def test_numbers_beyond_half_precision(tmp_path: Path, scores: str) -> None:
    """A row that sees nothing is uniform, as it is in PyTorch; the comparison has such rows."""
    text = f"dlspec 1\nmodel M(s: [B, T, S], m: bool[B, T, S]) -> (y: [B, T, S]) {{ y = ({scores}) + 0.0 * where(m, s, 0.0) -> softmax }}\n"
    (tmp_path / "m.dlspec").write_text(text)
    found = export(tmp_path / "m.dlspec", tmp_path / "m.onnx", precision="f16")
    assert found.parity is not None and found.parity.ok
    if MASKED[scores]:
        given = {"s": np.zeros((2, 1, 4), np.float32), "m": np.zeros((2, 1, 4), bool)}
        given["m"][0] = True
        np.testing.assert_allclose(dlc.Session(found.path, "cpu").predict(given)["y"], 0.25, rtol=1e-3)


def test_a_sum_that_half_precision_cannot_hold_says_so(tmp_path: Path) -> None:
    """A score that -1e9 is added to is lost in f32, and not in f16, where it is -65504."""
    text = "dlspec 1\nmodel M(s: [B, T, S], m: bool[B, T, S]) -> (y: [B, T, S]) { y = s + where(m, 0.0, -1e9) -> softmax }\n"
    (tmp_path / "m.dlspec").write_text(text)
    try:
        export(tmp_path / "m.dlspec", tmp_path / "m.onnx", precision="f16")
    except parity.Disagrees as found:
        assert "write a mask as `where(mask, scores, -1e9)`" in found.helps[0]


def test_weights_beyond_half_precision(tmp_path: Path) -> None:
    (tmp_path / "m.dlspec").write_text(
        "dlspec 1\nmodel M(x: [B, 2]) -> (y: [B, 2]) { w = Param([2], init = ones)\n y = x * w }\n"
    )
    weights = {"w": np.array([1e6, 1e-9], np.float32)}
    made = export(tmp_path / "m.dlspec", tmp_path / "m.onnx", weights=weights, precision="f16", verify=False)
    found = dlc.Session(made.path, "cpu").predict({"x": np.array([[0.5, 1]], np.float32)})["y"]
    assert found[0, 0] == 32752 and found[0, 1] == np.float32(2.0**-24)


#: Expressions over x: [B, 4] where a row with NaN or infinities may differ, as docs/export.md says; all others agree.
DIFFER = {
    "max": "x -> max(axis = 1)", "min": "x -> min(axis = 1)", "argmax": "cast(x -> argmax(axis = 1), f32)",
    "max_pool": "x[:, none] -> max_pool(2) -> flatten", "//": "x // 2.0",
}  # fmt: skip
AGREE = [
    "x -> clamp(min = 0, max = 1)", "x -> relu", "x -> softmax", "x -> log_softmax", "x -> sum(axis = 1)", "x -> cumsum(axis = 1)",
    "x -> gelu", "x -> sigmoid", "x -> silu", "x -> hard_swish", "x -> mish", "x -> softplus", "x -> exp", "x -> log", "x -> sqrt",
    "x % 3.0", "x ** 2", "x -> norm(axis = 1)", "x -> var(axis = 1)", "cast(x > 0, f32)", "cast(x == x, f32)",
    "where(x > 0, x, 0.0)", "x[:, none] -> avg_pool(2) -> flatten",
]  # fmt: skip


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    import torch

    expressions = [*DIFFER.values(), *AGREE]
    names = [f"y{number}" for number in range(len(expressions))]
    outputs = ", ".join(
        f"{name}: {'[B]' if 'axis = 1)' in e and 'cum' not in e else '[B, _]'}"
        for name, e in zip(names, expressions, strict=True)
    )
    body = "\n  ".join(f"{name} = {e}" for name, e in zip(names, expressions, strict=True))
    (tmp_path / "m.dlspec").write_text(f"dlspec 1\nmodel M(x: [B, 4]) -> ({outputs}) {{\n  {body}\n}}\n")
    model = export(tmp_path / "m.dlspec", tmp_path / "m.onnx", verify=False).path
    inf, nan = float("inf"), float("nan")
    x = np.array(
        [[1, nan, 2, 3], [nan, 5, 1, 2], [inf, 1, 2, 3], [1, -inf, 2, 3], [inf, inf, -inf, 0], [-inf] * 4], np.float32
    )
    with torch.no_grad():
        wanted = dlc.load(tmp_path / "m.dlspec").module().eval()(torch.from_numpy(x))
    for level in ("none", "all"):
        found = dlc.Session(model, "cpu", optimization=level).predict({"x": x})
        for name, expression, other in zip(names, expressions, wanted, strict=True):
            same = np.allclose(found[name], other.numpy(), rtol=1e-4, equal_nan=True)
            assert same == (expression in AGREE), expression
    page = (Path(dlc.__file__).parent / "docs" / "export.md").read_text("utf-8")
    assert all(f"`{name}`" in page for name in DIFFER)
