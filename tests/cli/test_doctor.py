"""`dlc doctor` and the traps it knows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from dlc.cli.doctor import Installed, provider_problem, traps
from dlc.runtime.inference import providers

GOOD = Installed(runtimes=("onnxruntime-gpu",), torch_cuda="13.0", runtime_cuda="13.0", torchvision=None)


def test_no_trap() -> None:
    assert traps(GOOD) == []
    assert traps(replace(GOOD, torch_cuda=None)) == []  # a CPU build of torch beside a CUDA build of ONNX Runtime
    assert traps(replace(GOOD, runtimes=("onnxruntime",), runtime_cuda=None)) == []


@pytest.mark.parametrize(
    ("facts", "words", "help"),
    [
        (replace(GOOD, runtimes=("onnxruntime", "onnxruntime-gpu")), "together", "pip uninstall -y onnxruntime"),
        (replace(GOOD, runtimes=()), "not installed", "pip install onnxruntime"),
        (replace(GOOD, torch_cuda="12.8"), "CUDA 12.8, ONNX Runtime for CUDA 13.0", "CUDA 13"),
        (replace(GOOD, torchvision="operator torchvision::nms does not exist"), "nms", "pip uninstall torchvision"),
        (replace(GOOD, missing=("torch",)), "not installed: torch", "pip install torch"),
    ],
)
def test_each_trap_has_a_remedy(facts: Installed, words: str, help: str) -> None:
    (trap,) = traps(facts)
    assert words in trap.message
    assert help in trap.help


def test_providers() -> None:
    assert provider_problem("CPUExecutionProvider") is None
    assert provider_problem("TensorrtExecutionProvider") == "dlc does not use it"
    assert (provider_problem("CUDAExecutionProvider") is None) == (providers.why_not_cuda() == "")


def test_report(dlc: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    report = dlc("doctor").stdout
    assert "CPU                      usable" in report
    assert report.endswith("no known problems\n")
    for name in ("dlc", "python", "torch", "onnx", "onnxruntime"):
        assert f"\n  {name}" in report
