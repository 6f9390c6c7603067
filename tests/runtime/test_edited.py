"""`model.py` and `recipe.py` of a run are records: nothing rewrites them, an edit is noticed, `edited` runs it."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

import dlc
from dlc.runtime.checkpoints.rundir import digest
from dlc.runtime.failure import RunFailure, RunWarning
from dlc.runtime.training.events import Event, Note

SPEC = """dlspec 1
data D {
  source = csv("points.csv")
  split  = random(train = 0.6, val = 0.2, test = 0.2)
  x: f32[2] = source.all_except("c")
  y: i64 = source.c
}
model Net(x: [B, 2]) -> (logits: [B, 2]) { logits = x -> fc: Linear(2) }
train {
  model = Net
  data = D
  loss = cross_entropy(logits, y)
  metrics { acc = accuracy(logits, y) }
  optimizer = SGD(0.1)
  batch = 16
  duration = 2 epochs
}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, spec and a run; the tests work on copies."""
    folder = tmp_path_factory.mktemp("edited")
    random = np.random.default_rng(0)
    points = random.normal(size=(100, 2))
    rows = [f"{a:.4f},{b:.4f},{int(a > b)}" for a, b in points]
    (folder / "points.csv").write_text("\n".join(["a,b,c", *rows]) + "\n", "utf-8")
    (folder / "m.dlspec").write_text(SPEC, "utf-8")
    dlc.train(folder / "m.dlspec", out=folder / "run", device="cpu")
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained / "run", tmp_path / "run")
    return tmp_path / "run"


def evaluate(run: Path, **more: bool) -> dict[str, float]:
    return dlc.evaluate(run, device="cpu", **more)


def negate_logits(run: Path) -> None:
    """An edit that makes each answer wrong."""
    text = (run / "model.py").read_text("utf-8")
    edited, count = re.subn(r"self\.fc\(x\)", "-self.fc(x)", text)
    assert count == 1
    (run / "model.py").write_text(edited, "utf-8")


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Each file and directory with its time and content: what a command changed is seen even where it may write."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


def test_nothing_in_a_run_changes_when_it_is_used(run: Path, trained: Path, tmp_path: Path) -> None:
    before = tree(run)
    evaluate(run)
    dlc.predict(run, {"a": [0.1, 0.2], "b": [0.3, -0.4], "c": [0, 0]}, device="cpu")
    dlc.export(run, tmp_path / "m.onnx")
    assert tree(run) == before


def test_an_edited_file_is_noticed_and_kept(run: Path, tmp_path: Path) -> None:
    figures = evaluate(run)
    negate_logits(run)
    edited = (run / "model.py").read_text("utf-8")
    with pytest.warns(
        RunWarning, match="model.py` was edited since the training; code generated from the spec is used"
    ):
        assert evaluate(run) == figures
    with pytest.warns(RunWarning, match="was edited"):
        dlc.predict(run, {"a": [0.1], "b": [0.3], "c": [0]}, device="cpu")
    with pytest.warns(RunWarning, match="the file is written from the spec"):
        dlc.export(run, tmp_path / "m.onnx")
    assert (run / "model.py").read_text("utf-8") == edited


def test_edited_files_are_evaluated_when_asked_for(run: Path) -> None:
    figures = evaluate(run)
    negate_logits(run)
    assert evaluate(run, edited=True)["acc"] == pytest.approx(1 - figures["acc"])
    assert figures["acc"] > 0.5


def test_without_edits_edited_changes_nothing(run: Path) -> None:
    assert evaluate(run, edited=True) == evaluate(run)


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        ("model.py", "def (", "SyntaxError"),
        ("model.py", "raise ValueError('mine')", "ValueError: mine"),
        ("recipe.py", "import nothing_of_that_name", "ModuleNotFoundError"),
    ],
)
def test_mistakes_in_edited_files_name_their_line(run: Path, file: str, edit: str, message: str) -> None:
    text = (run / file).read_text("utf-8")
    (run / file).write_text(f"{text}\n{edit}\n", "utf-8")
    line = (text + "\n").count("\n") + 1
    with pytest.raises(RunFailure, match=message) as caught:
        evaluate(run, edited=True)
    assert caught.value.notes[0].startswith(f"{run / file}:{line}")


def test_code_that_came_with_a_run_is_not_executed(run: Path) -> None:
    """Nor when its digest was forged: a run may come from elsewhere."""
    mark = run.parent / "executed"
    (run / "model.py").write_text(f"open({str(mark)!r}, 'w').close()\n", "utf-8")
    about = json.loads((run / "env.json").read_text("utf-8"))
    about["generated"]["model.py"] = digest((run / "model.py").read_text("utf-8"))
    (run / "env.json").write_text(json.dumps(about), "utf-8")
    evaluate(run)
    assert not mark.exists()


def test_a_file_that_another_version_wrote_is_a_record(run: Path) -> None:
    """It is not what is generated now, and it is what was recorded: no edit, and no word about it."""
    figures = evaluate(run)
    text = "# written differently\n" + (run / "model.py").read_text("utf-8")
    (run / "model.py").write_text(text, "utf-8")
    about = json.loads((run / "env.json").read_text("utf-8"))
    about["generated"]["model.py"] = digest(text)
    (run / "env.json").write_text(json.dumps(about), "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluate(run) == figures
    assert (run / "model.py").read_text("utf-8") == text


def test_training_on_keeps_an_edited_file(run: Path, trained: Path) -> None:
    written = (run / "model.py").read_text("utf-8")
    negate_logits(run)
    edited = (run / "model.py").read_text("utf-8")
    events: list[Event] = []
    spec = dlc.load(trained / "m.dlspec", **{"train.duration": "3 epochs"})
    dlc.train(spec, resume=run, device="cpu", listener=events.append)
    notes = [event.text for event in events if isinstance(event, Note) and event.code == "W0409"]
    assert notes == [
        f"`{run / 'model.py'}` was edited: training continues with the spec; the edited file is now `model.edited.py`"
    ]
    assert (run / "model.py").read_text("utf-8") == written
    assert (run / "model.edited.py").read_text("utf-8") == edited


def test_a_removed_file_is_not_missed(run: Path) -> None:
    figures = evaluate(run)
    (run / "model.py").unlink()
    assert evaluate(run) == figures == evaluate(run, edited=True)


def test_the_named_checkpoint_is_evaluated(run: Path) -> None:
    """`runs/1/last` where `best/` is damaged, as the message about it proposes."""
    shutil.copytree(run / "last", run / "best", dirs_exist_ok=True)
    (run / "best" / "model.safetensors").write_bytes(b"")
    with pytest.raises(RunFailure, match="is damaged"):
        evaluate(run)
    assert evaluate(run / "last")["acc"] > 0.5
