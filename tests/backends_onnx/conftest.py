"""What the tests of the ONNX backend share: a spec from text, random weights, a file run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from dlc.backends.onnx import GraphForm, lower, to_bytes
from dlc.compiler.check import check
from dlc.compiler.ir.expand import parameters
from dlc.compiler.ir.model import Model, Spec

Arrays = dict[str, np.ndarray[Any, Any]]
LEVELS = (onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)


def weights_of(spec: Spec, model: Model, seed: int = 0) -> Arrays:
    """Random weights by path; what must be positive is."""
    random = np.random.default_rng(seed)
    found: Arrays = {}
    for entry in parameters(spec, model):
        array = random.standard_normal(entry.shape) * 0.3
        if "running_var" in entry.path:
            array = np.abs(array) + 0.5
        found[entry.path] = np.asarray(array, {"f32": np.float32, "i64": np.int64, "bool": np.bool_}[entry.dtype])
    return found


def run_file(data: bytes, feeds: Mapping[str, Any]) -> Arrays:
    """The outputs, equal at optimization levels none and all."""
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    results: list[Arrays] = []
    for level in LEVELS:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        results.append(dict(zip(names, session.run(names, dict(feeds)), strict=True)))
    for name, array in results[0].items():
        np.testing.assert_allclose(array, results[1][name], rtol=1e-4, atol=1e-5, err_msg=name)
    return results[1]


class Lowered:
    """A spec lowered with random weights."""

    def __init__(self, spec: Spec, model: Model, weights: Arrays, **options: Any) -> None:
        self.spec, self.ir_model, self.weights = spec, model, weights
        self.model: ir.Model = lower(spec, model, weights, GraphForm(**options))

    @property
    def nodes(self) -> list[str]:
        return [node.op_type for node in self.model.graph]

    def run(self, **feeds: Any) -> Arrays:
        return run_file(to_bytes(self.model), feeds)


@pytest.fixture
def spec_of(tmp_path: Path) -> Callable[[str], Spec]:
    def make(text: str) -> Spec:
        path = tmp_path / "spec.dlspec"
        path.write_text("dlspec 1\n" + text, "utf-8")
        checked = check(path)
        assert checked.spec is not None, [d.message for d in checked.report.errors]
        return checked.spec

    return make


@pytest.fixture
def lowered(spec_of: Callable[[str], Spec]) -> Callable[..., Lowered]:
    def make(text: str, weights: Callable[[np.ndarray[Any, Any]], Any] | None = None, **options: Any) -> Lowered:
        """`weights` changes the random ones, one array after another."""
        spec = spec_of(text)
        model = spec.models[0]
        arrays = weights_of(spec, model)
        if weights is not None:
            arrays = {path: weights(array) for path, array in arrays.items()}
        return Lowered(spec, model, arrays, **options)

    return make
