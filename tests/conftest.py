"""One option sets the size of the whole suite: `--full`. Sizes change how much is tried, never what is tested."""

from __future__ import annotations

import json
import math
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

#: A property holds or fails, however slow or busy the machine is.
settings.register_profile("dlc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dlc")

ROOT = Path(__file__).resolve().parent.parent
FULL_JSON = ROOT / "benchmarks" / "results" / "full.json"
FIGURES = pytest.StashKey[dict[str, dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dlc")
    group.addoption("--full", action="store_true", help="full sizes; writes benchmarks/results/full.json")
    group.addoption("--cases", type=int, metavar="N", help="that many fuzz cases, whatever the size")


#: Rooms whose tests take longest. They come first, so that the last worker to finish has short tests at its end.
LONG = ("specs", "packaging", "mutants", "runtime")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes long and is skipped but under --full")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--full"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long: in `make test-full`"))
    order = {ROOT / "tests" / room: number for number, room in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.parent, len(LONG)))


@dataclass(frozen=True)
class Sizes:
    """How much one run of the suite tries."""

    full: bool
    cases: int  # mutated specs and other generated inputs, over all tests of the kind
    kills: int  # runs killed at a random instant
    seeds: tuple[int, ...]  # training seeds of a quality figure, the median counts
    split_seeds: tuple[int, ...]  # split seeds of a paired comparison, the mean counts


@pytest.fixture(scope="session")
def sizes(request: pytest.FixtureRequest) -> Sizes:
    full = bool(request.config.getoption("--full"))
    cases = request.config.getoption("--cases") or (100_000 if full else 400)
    if full:
        return Sizes(True, cases, kills=50, seeds=(0, 1, 2), split_seeds=(0, 1, 2, 3, 4))
    return Sizes(False, cases, kills=2, seeds=(0,), split_seeds=(0,))


@pytest.fixture
def record_figure(request: pytest.FixtureRequest) -> Callable[[str, float, str], None]:
    """`record_figure(name, value, unit)`: under `--full` the figure goes into benchmarks/results/full.json.

    Names are dotted lower-case words (`digits.mlp.accuracy`); what README or docs quote is looked up by them.
    """

    def record(name: str, value: float, unit: str) -> None:
        assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", name), f"not a figure's name: {name!r}"
        assert math.isfinite(value), f"{name} is {value}"
        if request.config.getoption("--full"):
            figures = request.config.stash.setdefault(FIGURES, {})
            figures[name] = {"value": round(float(value), 6), "unit": unit, "test": request.node.nodeid}

    return record


#: Processor seconds of `_work` on the machine whose figures the limits of the tests go by, at rest.
WORK = 0.003


def _work() -> None:
    """Small objects, dictionaries and strings, as a compiler makes them."""
    table: dict[str, tuple[tuple[int, str], ...]] = {}
    for number in range(6000):
        name = f"name{number % 500}"
        table[name] = (*table.get(name, ())[-3:], (number, name.upper()))


@pytest.fixture(scope="session")
def slowness(request: pytest.FixtureRequest) -> Callable[[], float]:
    """`slowness()`: how many times longer than on the reference machine something may take now, at least 1.

    A slower processor or a busy sibling of the same core makes the same program take twice the processor time.
    Called before and after what is measured; a limit is multiplied by the larger answer. The full size runs on a quiet
    machine and tests the figures that are published; the normal one runs anywhere, for each change, and may take three
    times as long: it finds what takes another order of time.
    """
    wide = 1.0 if request.config.getoption("--full") else 3.0

    def once() -> float:
        start = time.process_time()
        _work()
        return time.process_time() - start

    return lambda: wide * max(1.0, statistics.median(once() for _ in range(9)) / WORK)


@pytest.fixture(scope="session")
def within(slowness: Callable[[], float]) -> Callable[[float], AbstractContextManager[None]]:
    """`with within(seconds):` what is done here takes fewer processor seconds, counted as on the reference machine."""

    @contextmanager
    def measured(seconds: float) -> Iterator[None]:
        before, start = slowness(), time.process_time()
        yield
        taken = time.process_time() - start
        assert taken < seconds * max(before, slowness())

    return measured


def pytest_sessionfinish(session: pytest.Session) -> None:
    figures = session.config.stash.get(FIGURES, {})
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:  # a pytest-xdist worker hands its figures to the process that started it
        output["figures"] = json.dumps(figures)
    elif figures:
        _merge(figures)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    figures = json.loads(getattr(node, "workeroutput", {}).get("figures", "{}"))
    node.config.stash.setdefault(FIGURES, {}).update(figures)


def _merge(figures: dict[str, dict[str, Any]]) -> None:
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    stamp = {"commit": commit or "unknown", "date": datetime.now(UTC).strftime("%Y-%m-%d")}
    known = json.loads(FULL_JSON.read_text("utf-8"))["figures"] if FULL_JSON.exists() else {}
    known.update({name: figure | stamp for name, figure in figures.items()})
    packages = ("torch", "numpy", "onnx", "onnx-ir", "onnxruntime-gpu", "onnxruntime", "scikit-learn")
    installed = {d.metadata["Name"].lower() for d in metadata.distributions()}
    record = stamp | {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {_cpu()}",
        "versions": {name: metadata.version(name) for name in packages if name in installed},
        "figures": dict(sorted(known.items())),
    }
    FULL_JSON.parent.mkdir(parents=True, exist_ok=True)
    FULL_JSON.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
