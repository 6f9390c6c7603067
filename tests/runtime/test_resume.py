"""An interrupted run continues bitwise; a complete one can be made longer."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from dlc.runtime import api
from dlc.runtime.failure import BadInput

from .small_runs import MODEL, equal, fit, interrupted, spec, weights


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_resume_is_bitwise(tmp_path: Path, number: int) -> None:
    file = spec(tmp_path, "stop = plateau(val.loss, patience = 5 epochs)", "clip = norm(1.0)", "micro_batch = 16")
    whole = fit(file, tmp_path / "a")
    interrupted(file, tmp_path / "b", [1, 8, 13], number)
    assert equal(weights(whole), weights(tmp_path / "b"))
    assert equal(weights(whole, "best"), weights(tmp_path / "b", "best"))
    assert (whole.path / "metrics.csv").read_text() == (tmp_path / "b" / "metrics.csv").read_text()
    assert json.loads((tmp_path / "b" / "result.json").read_text())["figures"] == whole.figures


def test_resume_takes_the_newest_unfinished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = spec(tmp_path)
    first = api.train(file, device="cpu")
    assert first.path == Path("runs/spec/1")
    (first.path / "result.json").unlink()
    assert api.train(file, device="cpu", resume=True).path == first.path
    with pytest.raises(BadInput, match="are complete"):
        api.train(file, device="cpu", resume=True)


def test_a_complete_run_goes_on_when_it_is_made_longer(tmp_path: Path) -> None:
    file = spec(tmp_path, **{"lr = 0 -> linear(1e-2, 5 steps) -> cosine(0, rest)": "1e-2"})
    fit(file, tmp_path / "a", duration="2 epochs")
    fit(file, tmp_path / "a", duration="3 epochs", resume=True)
    assert equal(weights(tmp_path / "a"), weights(fit(file, tmp_path / "b", duration="3 epochs")))


def test_resume_into_a_changed_model_is_refused(tmp_path: Path) -> None:
    fit(spec(tmp_path), tmp_path / "run", duration="2 steps")
    (tmp_path / "run" / "result.json").unlink()
    before = (tmp_path / "run" / "model.py").read_text()
    changed = spec(tmp_path, model=MODEL.replace("Conv(4, 3)", "Conv(6, 3)"))
    with pytest.raises(BadInput, match="belongs to another model") as caught:
        fit(changed, tmp_path / "run", resume=True)
    assert any("`conv.weight` is [4, 1, 3, 3] there, [6, 1, 3, 3] here" in note for note in caught.value.notes)
    assert (tmp_path / "run" / "model.py").read_text() == before
