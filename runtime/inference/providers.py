"""Where ONNX Runtime can run here, found by trying, and why not elsewhere.

`get_available_providers()` lists what was compiled in, and asking for a provider that cannot be loaded falls back to the
CPU with a message on standard error. So CUDA is probed: driver and device first, then a session that must run on it.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import sys
from functools import cache
from typing import Any, Literal

from ...compiler.dataclass import dataclass
from ..failure import BadInput, RunFailure

Choice = Literal["auto", "cpu", "cuda"]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
#: ONNX Runtime writes what it thinks to standard error; fatal messages only, and exceptions come anyway.
_FATAL = 4


@dataclass(frozen=True)
class Provider:
    """What a session runs on. `reason` is why it is not CUDA ("" when it is, or when CPU was asked for)."""

    name: str
    options: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    @property
    def device(self) -> str:
        return "cuda" if self.name == CUDA else "cpu"


def choose(wanted: Choice = "auto") -> Provider:
    """The provider for a session; BadInput when `cuda` is asked for and cannot be had."""
    if wanted == "cpu":
        return Provider(CPU)
    if wanted not in ("auto", "cuda"):
        raise BadInput(f"there is no provider `{wanted}`", helps=("use `auto`, `cpu` or `cuda`",))
    reason = why_not_cuda()
    if not reason:
        return Provider(CUDA)
    if wanted == "cuda":
        raise BadInput(
            f"ONNX Runtime cannot run on CUDA: {reason}",
            helps=("choose the provider `cpu`, or let `auto` choose", "`dlc doctor` shows what is installed"),
        )
    return Provider(CPU, reason=reason)


def failed(error: Exception) -> RunFailure:
    """The failure for an exception of ONNX Runtime while it computes."""
    return RunFailure(
        f"ONNX Runtime failed: {_one_line(str(error)) or type(error).__name__}",
        helps=(
            "keep ids within the model's tables, and the records of one call within the memory",
            "if the input is right, export again: `dlc export` compares the new file with the model",
        ),
    )


@cache
def why_not_cuda() -> str:
    """The reason why ONNX Runtime cannot use a GPU here; "" when it can."""
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        return "this build of onnxruntime has no CUDA"
    count = _device_count()
    if count is None:
        return "no NVIDIA driver"
    if count == 0:
        return "no NVIDIA device"
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(Exception):
        onnxruntime.preload_dlls()
    try:
        with _quiet():
            session = onnxruntime.InferenceSession(_identity(), providers=[CUDA])
    except Exception as error:  # noqa: BLE001 - the library raises its own classes for each cause
        return _one_line(str(error))
    if session.get_providers()[0] == CUDA:
        return ""
    return _one_line(said.getvalue()) or "its CUDA libraries could not be loaded (CUDA 13 and cuDNN 9)"


def _device_count() -> int | None:
    """Devices that the driver sees; None without a driver."""
    library = _DRIVERS.get(sys.platform)
    if library is None:
        return None
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return None
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


@contextlib.contextmanager
def _quiet() -> Any:
    import onnxruntime

    onnxruntime.set_default_logger_severity(_FATAL)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)


def _identity() -> bytes:
    """The smallest model: y = x, one f32."""
    import onnx
    from onnx import helper

    x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "probe", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)
    return model.SerializeToString()


def _one_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
