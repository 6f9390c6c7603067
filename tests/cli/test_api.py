"""The public Python API: its names and signatures are a contract, and importing it costs nothing."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import dlc

SIGNATURES = {
    "load": ["path", "variant=None", "**overrides"],
    "train": [
        "spec", "*", "section=None", "out=None", "resume=False", "device='auto'", "data_root=None", "listener",
        "base='runs'", "save_every=None",
    ],
    "evaluate": ["run", "split='test'", "*", "device='auto'", "data_root=None", "edited=False"],
    "judge": [
        "run",
        "split='test'",
        "*",
        "device='auto'",
        "data_root=None",
        "edited=False",
        "worst=10",
        "save=None",
        "form='csv'",
        "report=None",
    ],
    "export": [
        "spec_or_run", "path=None", "*", "section=None", "weights=None", "linked=False", "verify=True", "precision=None",
        "cached=False",
    ],
    "predict": ["run", "inputs", "*", "device='auto'", "data_root=None"],
    "runs": ["*places"],
}  # fmt: skip

NET = "dlspec 1\nparam width = 2\nmodel Net(x: [B, 4]) -> (y: [B, width]) { y = x -> fc: Linear(width) }\n"


def shape(function: Callable[..., object]) -> list[str]:
    found: list[str] = []
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.KEYWORD_ONLY and "*" not in found:
            found.append("*")
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        simple = p.default is not p.empty and not callable(p.default)
        found.append(f"{stars}{p.name}" + (f"={p.default!r}" if simple else ""))
    return found


def test_names() -> None:
    assert sorted(dlc.__all__) == [
        "Loaded",
        "Run",
        "RunFailure",
        "Session",
        "SpecError",
        "evaluate",
        "export",
        "judge",
        "load",
        "predict",
        "runs",
        "train",
    ]
    assert set(dlc.__all__) <= set(dir(dlc))
    assert all(callable(getattr(dlc, name)) for name in dlc.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        dlc.lod  # noqa: B018


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    assert shape(getattr(dlc, name)) == SIGNATURES[name]


def test_load_check_module(tmp_path: Path) -> None:
    (tmp_path / "net.dlspec").write_text(NET, "utf-8")
    spec = dlc.load(tmp_path / "net.dlspec", width=3)
    assert spec.check() == []
    module = spec.module()
    assert {name: tuple(p.shape) for name, p in module.named_parameters()} == {"fc.weight": (3, 4), "fc.bias": (3,)}


def test_mistakes_are_one_exception_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "net.dlspec").write_text(NET.replace("Linear", "Linaer"), "utf-8")
    spec = dlc.load(tmp_path / "net.dlspec")
    assert [diagnostic.code for diagnostic in spec.check()] == ["E0301"]
    with pytest.raises(dlc.SpecError, match="did you mean `Linear`"):
        spec.module()


def test_import_loads_nothing_and_takes_no_time(
    record_figure: Callable[[str, float, str], None], slowness: Callable[[], float]
) -> None:
    program = (
        "import sys, time; start = time.perf_counter(); import dlc; took = time.perf_counter() - start;"
        "print(took, *(name for name in ('torch', 'numpy', 'onnx', 'click', 'pydantic') if name in sys.modules))"
    )
    answers = [subprocess.check_output([sys.executable, "-c", program], text=True).split() for _ in range(5)]
    assert all(len(answer) == 1 for answer in answers)
    best = min(float(answer[0]) for answer in answers)
    record_figure("api.import", 1000 * best, "ms")
    assert best <= 0.05 * slowness()


def test_an_export_without_comparison_loads_no_torch(tmp_path: Path) -> None:
    """Loading torch takes longer than writing the file."""
    spec = """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.8, val = 0.1, test = 0.1, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
  label: i64 = source.label
}
model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) { logits = image -> flatten -> fc: Linear(10) }
train {
  model = M
  data = D
  loss = cross_entropy(logits, label)
  optimizer = SGD(0.1)
  batch = 64
  duration = 1 steps
}
export {
  model = M
  preprocess = true
}
"""
    (tmp_path / "m.dlspec").write_text(spec, "utf-8")
    dlc.train(tmp_path / "m.dlspec", out=tmp_path / "run", device="cpu")
    script = f"import dlc, sys; dlc.export({str(tmp_path / 'run')!r}, verify=False); print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
