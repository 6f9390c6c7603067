"""`dlc check`: exit codes, both formats, consoles of every kind, and the time it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dlc.cli.new import shipped

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]

EXAMPLES = Path(__file__).resolve().parents[1] / "language" / "examples"

GOOD = """\
dlspec 1
model Net(x: [B, 4]) -> (y: [B, 2]) { y = x -> fc: Linear(2) }
"""
#: One mistake of each of two kinds, at different places, and characters that few consoles know.
BAD = """\
dlspec 1
# größer: ⌊H/8⌋ → 日本
model Net(x: [B, 4]) -> (y: [B, 2]) { y = x -> fc: Linear(3) }
model Other(x: [B, 4]) -> (y: [B, 2]) { y = x -> fc: Linaer(2) }
"""
#: A message with sizes that are written with floor brackets.
FLOOR = """\
dlspec 1
model Net(x: [B, 1, H, W]) -> (y: [B, 1, H, W]) { y = x + (x -> max_pool(2) -> upsample(2)) }
"""


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    for name, text in (("good", GOOD), ("bad", BAD), ("floor", FLOOR)):
        (tmp_path / f"{name}.dlspec").write_text(text, "utf-8")
    return tmp_path


def test_good(specs: Path, dlc: Dlc) -> None:
    assert dlc("check", "good.dlspec").stdout == "good.dlspec: ok\n"


def test_a_setting_is_no_file(specs: Path, dlc: Dlc) -> None:
    said = dlc("check", "good.dlspec", "depth=3", code=2)
    assert "`dlc build FILE depth=3` checks a spec with a setting" in said.stderr


def test_several_mistakes_are_all_reported(specs: Path, dlc: Dlc) -> None:
    said = dlc("check", "good.dlspec", "bad.dlspec", code=2)
    assert said.stdout == "good.dlspec: ok\n"
    assert "bad.dlspec:3:" in said.stderr
    assert "bad.dlspec:4:" in said.stderr
    assert "did you mean `Linear`?" in said.stderr
    assert "2 errors" in said.stderr


def test_json(specs: Path, dlc: Dlc) -> None:
    said = json.loads(dlc("check", "good.dlspec", "bad.dlspec", "--format", "json", code=2).stdout)
    good, bad = said["files"]
    assert (good["file"], good["ok"], good["diagnostics"]) == ("good.dlspec", True, [])
    assert [d["start"]["line"] for d in bad["diagnostics"]] == [3, 4]
    assert all(d["code"].startswith("E") for d in bad["diagnostics"])


@pytest.mark.parametrize(
    "console",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "", "LC_ALL": "POSIX"},
    ],
    ids=["cp1252", "ascii", "ascii-strict", "C", "POSIX"],
)
@pytest.mark.parametrize("name", ["bad", "floor"])
def test_no_console_breaks_it(name: str, console: dict[str, str], specs: Path, dlc_started: Dlc) -> None:
    said = dlc_started("check", f"{name}.dlspec", code=2, env=console)
    assert f"{name}.dlspec:" in said.stderr
    assert "internal error" not in said.stderr


def test_a_spec_is_utf8_whatever_the_locale(specs: Path, dlc_started: Dlc) -> None:
    (specs / "utf8.dlspec").write_text(GOOD.replace("dlspec 1\n", "dlspec 1\n# größer ⌊⌋ 日本\n"), "utf-8")
    env = {"PYTHONIOENCODING": "", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert dlc_started("check", "utf8.dlspec", env=env).stdout == "utf8.dlspec: ok\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [("missing", None), ("latin1", b"dlspec 1\n# gr\xf6\xdfer\n"), ("binary", bytes(range(256)))],
)
def test_what_is_no_spec(name: str, content: bytes | None, tmp_path: Path, dlc: Dlc) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert f"`{name}`" in dlc("check", name, code=2).stderr


def test_every_spec_checks(dlc: Dlc) -> None:
    """The shipped ones and the examples of the language."""
    dlc("check", *map(str, shipped().values()), *map(str, sorted(EXAMPLES.glob("*.dlspec"))))


def test_what_a_clean_check_loads(specs: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dlc", "check", "good.dlspec"],
        cwd=specs, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "dlc" in loaded
    assert not loaded & {"torch", "onnx", "onnx_ir", "onnxruntime", "numpy", "rich", "sklearn", "safetensors"}
