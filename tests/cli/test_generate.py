"""`dlc generate`: text goes on where a run knew characters."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = ("CharGpt.d=16", "depth=1", "heads=2", "ctx=16")
SHORT = ("train.duration=2 steps", "train.validate=every(2 steps, batches = 1)")


def test_a_character_model_continues_text(dlc: Dlc) -> None:
    dlc("new", "char_gpt")
    dlc("train", "char_gpt.dlspec", *SMALL, *SHORT, "--out", "run")
    said = dlc("export", "run", "--cached", "-o", "gpt.onnx").stdout
    assert "keeps    keys and values of 1 attention:" in said
    answer = dlc("generate", "gpt.onnx", "--prompt", "def ", "--tokens", "30", "--temperature", "1").stdout
    assert answer.startswith("def ")
    assert len(answer) == 4 + 30 + 1
    refused = dlc("generate", "gpt.onnx", "--prompt", "\N{SNOWMAN}", code=None)
    assert refused.returncode != 0
    assert "characters that the training text does not contain" in refused.stderr


def test_a_run_is_exported_first(dlc: Dlc, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert "export it first: `dlc export run --cached`" in dlc("generate", "run", "--prompt", "a", code=None).stderr


def test_settings_go_with_a_spec(dlc: Dlc, tmp_path: Path) -> None:
    dlc("new", "char_gpt")
    assert "E0301" in dlc("export", "char_gpt.dlspec", "dep=2", code=2).stderr
    (tmp_path / "run").mkdir()
    refused = dlc("export", "run", "depth=2", code=2)
    assert "`depth=2`: a run is exported with the settings it was trained with" in refused.stderr
