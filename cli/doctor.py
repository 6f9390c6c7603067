"""`dlc doctor`: versions and devices of this environment, and known problems that would fail later."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata

import click

from ..compiler.dataclass import dataclass
from . import console

PACKAGES = ("torch", "numpy", "pyarrow", "onnx", "onnx-ir", "safetensors", "scikit-learn", "lark", "pydantic")
#: What an optional feature needs: extra -> distribution.
EXTRAS = {
    "images": "pillow", "text": "tokenizers", "hub": "datasets", "samples": "scikit-image",
    "tensorboard": "tensorboardX", "tune": "optuna", "serve": "starlette",
}  # fmt: skip
RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-silicon")


@dataclass(frozen=True)
class Trap:
    """Something known to fail, and how to fix it."""

    message: str
    help: str


@dataclass(frozen=True)
class Installed:
    """What the checks for problems read."""

    runtimes: tuple[str, ...]  # the ONNX Runtime distributions that are installed
    torch_cuda: str | None  # the CUDA version torch was built for; None: a CPU build
    runtime_cuda: str | None  # the CUDA version ONNX Runtime was built for
    torchvision: str | None  # why `import torchvision` fails; None: it works, or is not installed
    missing: tuple[str, ...] = ()  # required packages that are not installed


def traps(facts: Installed) -> list[Trap]:
    """The known problems of this environment."""
    found: list[Trap] = []
    if facts.missing:
        names = ", ".join(facts.missing)
        found.append(Trap(f"not installed: {names}", f"pip install {' '.join(facts.missing)}"))
    if len(facts.runtimes) > 1:
        names = " and ".join(facts.runtimes)
        keep = "onnxruntime-gpu" if "onnxruntime-gpu" in facts.runtimes else facts.runtimes[-1]
        found.append(
            Trap(
                f"{names} are installed together: they overwrite each other's files",
                f"pip uninstall -y {' '.join(facts.runtimes)} && pip install {keep}",
            )
        )
    if not facts.runtimes:
        found.append(Trap("ONNX Runtime is not installed", "pip install onnxruntime"))
    if facts.torch_cuda and facts.runtime_cuda and _major(facts.torch_cuda) != _major(facts.runtime_cuda):
        found.append(
            Trap(
                f"torch is built for CUDA {facts.torch_cuda}, ONNX Runtime for CUDA {facts.runtime_cuda}: "
                "one process cannot load both",
                f"install a torch for CUDA {_major(facts.runtime_cuda)}, or use `--device cpu` for one of them",
            )
        )
    if facts.torchvision is not None:
        found.append(
            Trap(
                f"torchvision cannot be imported and breaks packages that look for it: {facts.torchvision}",
                "pip uninstall torchvision (dlc does not need it), or install the one built for this torch",
            )
        )
    return found


def _major(version: str) -> str:
    return version.split(".")[0]


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def driver_devices() -> int | str:
    """Number of CUDA devices the driver sees, or why the driver cannot be queried."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return f"no NVIDIA driver ({name} not found)"
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return "the NVIDIA driver does not start"
    return count.value


def provider_problem(provider: str) -> str | None:
    """Why a provider that is compiled in cannot be used here; None if sessions run on it."""
    from ..runtime.inference import providers

    if provider == providers.CUDA:
        return providers.why_not_cuda() or None
    return None if provider == providers.CPU else "dlc does not use it"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def torchvision_problem() -> str | None:
    """Why an installed torchvision cannot be imported, tried in a separate process."""
    if importlib.util.find_spec("torchvision") is None:
        return None
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import torchvision"], capture_output=True, text=True, check=False
    )
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it fails"])[-1]


def _row(name: str, value: str) -> None:
    console.out(f"  {name:<24} {value}")


def _try(section: str, show: Callable[[], None]) -> Trap | None:
    """Runs one part of the report; an import that fails is itself a finding."""
    try:
        show()
    except Exception as error:  # noqa: BLE001
        message = f"{section} does not work: {type(error).__name__}: {_first_line(error)}"
        return Trap(message, "reinstall it with the line for this machine in the README")
    return None


@click.command("doctor")
def command() -> int:
    """Report versions, devices and ONNX Runtime providers.

    Exits with 1 if a known problem is found.
    """
    found: list[Trap] = []
    cuda: dict[str, str | None] = {"torch": None, "runtime": None}
    devices = driver_devices()
    runtimes = tuple(name for name in RUNTIMES if _version(name))

    console.out("versions")
    _row("dlc", _version("dlc") or "not installed")
    _row("python", f"{platform.python_version()} ({platform.system()} {platform.machine()})")
    missing = tuple(name for name in PACKAGES if _version(name) is None)
    for name in (*PACKAGES, *runtimes):
        _row(name, _version(name) or "not installed")
    for extra, name in EXTRAS.items():
        _row(name, _version(name) or f'not installed (optional: pip install "dlc[{extra}]")')

    def torch_devices() -> None:
        import torch

        cuda["torch"] = torch.version.cuda
        _row("cpu", f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads")
        if torch.cuda.is_available():
            for index in range(torch.cuda.device_count()):
                properties = torch.cuda.get_device_properties(index)
                memory = properties.total_memory / 2**30
                _row(f"cuda:{index}", f"{properties.name}, {memory:.0f} GiB, CUDA {torch.version.cuda}")
        elif isinstance(devices, int) and devices > 0:
            build = f"a build for CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build"
            _row("cuda", f"not usable: the driver sees {devices} device(s), but torch is {build}")
        else:
            _row("cuda", f"not usable: {devices if isinstance(devices, str) else 'the driver sees no device'}")
        if torch.backends.mps.is_available():
            _row("mps", "usable")

    def providers() -> None:
        import onnxruntime

        version = getattr(onnxruntime, "cuda_version", "")
        cuda["runtime"] = version or None
        if version:
            _row("built for CUDA", version)
        for provider in onnxruntime.get_available_providers():
            problem = provider_problem(provider)
            _row(provider.removesuffix("ExecutionProvider"), "usable" if problem is None else f"not usable: {problem}")

    console.out("devices")
    if trap := _try("torch", torch_devices):
        found.append(trap)
    console.out("ONNX Runtime providers")
    if runtimes and (trap := _try("ONNX Runtime", providers)):
        found.append(trap)

    facts = Installed(runtimes, cuda["torch"], cuda["runtime"], torchvision_problem(), missing)
    found += traps(facts)
    for trap in found:
        console.headed("problem", trap.message, "1;31", sys.stdout)
        console.out(f"  = help: {trap.help}")
    if not found:
        console.out("no known problems")
    return 1 if found else 0
