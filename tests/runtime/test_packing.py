"""Texts that are packed into windows do not see each other: the example of the language page, trained, exported and compared."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime

import dlc

PAGE = Path(__file__).resolve().parents[2] / "docs" / "language.md"
TRAIN = """
train {
  model = Packed
  data = Notes
  loss = cross_entropy(logits, targets)
  optimizer = AdamW(1e-3)
  batch = 8
  duration = 2 steps
}
export onnx { model = Packed }
"""


def test_a_text_sees_only_itself(tmp_path: Path) -> None:
    example = next(
        text
        for text in re.findall(r"^```dlspec\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        if "Packed" in text
    )
    (tmp_path / "s.dlspec").write_text(f"dlspec 1\n{example}{TRAIN}", "utf-8")
    words = ["red", "green", "blue", "ship", "tree"]
    draw = np.random.default_rng(0)
    (tmp_path / "notes.txt").write_text("\n".join(" ".join(draw.choice(words, 6)) for _ in range(200)), "utf-8")
    run = dlc.train(tmp_path / "s.dlspec", out=tmp_path / "run", device="cpu")
    dlc.export(run, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    tokens = np.array([[5, 6, 2, 7, 8, 9, 2, 4]], np.int64)
    other = tokens.copy()
    other[0, 0] = 30
    one, two = (np.asarray(session.run(None, {"tokens": given})[0]) for given in (tokens, other))
    differs = np.abs(one - two).max(axis=(0, 2))
    assert (differs[:3] > 0).all()  # its own text, the end mark included
    assert (differs[3:] == 0).all()
