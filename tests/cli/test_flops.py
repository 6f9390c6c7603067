"""The summary's FLOPs are those that torch counts when the generated module runs (on shapes alone, nothing allocated)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.analysis.summary import summarize
from dlc.compiler.check import check
from dlc.compiler.ir.model import Model, Spec
from dlc.compiler.sizes.dims import evaluate
from dlc.tests.sizes import thinned

ROOT = Path(__file__).resolve().parents[2]
SPECS = [
    *(ROOT / "specs" / f"{name}.dlspec" for name in ("digits_mlp", "digits_cnn", "char_gpt")),
    *sorted((ROOT / "tests" / "language" / "examples").glob("[abcefgkmn]_*.dlspec")),
]


def counted(spec: Spec, model: Model, sizes: dict[str, int]) -> int:
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(module_source(spec, model), "model.py", "exec"), namespace)
    types = [value.type for value in spec.body_of(model).inputs]
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        module = namespace[class_name(model)]().eval()
        shapes = [[evaluate(size, sizes) for size in kind.shape] for kind in types]
        dtypes = [torch.int64 if kind.dtype == "i64" else torch.float32 for kind in types]
        module(*(torch.zeros(shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True)))
    return counter.get_total_flops()


@pytest.mark.parametrize("path", thinned(SPECS, 3), ids=lambda path: path.stem)
def test_flops(path: Path) -> None:
    spec = check(path).spec
    assert spec is not None
    for model in spec.models:
        chosen = {"T": 24} if path.stem == "f_llama3" else {}
        summary = summarize(spec, model, chosen)
        assert summary.flops == counted(spec, model, summary.sizes)
