"""What is judged of a split equals scikit-learn's figures of the same predictions, in whatever batches they come."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

import dlc
from dlc.cli import judgement as drawn
from dlc.cli.app import run as command_line
from dlc.runtime.checkpoints.judgements import JUDGEMENTS, ClassJudgement, ValueJudgement
from dlc.runtime.judging import values as values_module
from dlc.runtime.judging.classes import BINS, ClassCounts, Labels
from dlc.runtime.judging.values import Values
from dlc.runtime.judging.worst import Worst
from dlc.tests.runtime.test_looking import alone


def pieces(count: int, size: int = 17) -> list[slice]:
    return [slice(at, at + size) for at in range(0, count, size)]


def report(target: Any, said: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sk.precision_recall_fscore_support(target, said, zero_division=0, **options)


@pytest.mark.parametrize("seed", range(4))
def test_classes(seed: int) -> None:
    """Among them a class without targets, targets that do not count, and ties."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(4), 90).round(1)
    target = random.integers(0, 3 if seed else 1, 90)
    target[:5] = -100
    gathered = ClassCounts(("a", "b", "c", "d"))
    for piece in pieces(90):
        gathered.add(shares[piece], target[piece])
    found = gathered.result("logits", "label")
    counts, said = target >= 0, shares.argmax(-1)
    expected = report(target[counts], said[counts], labels=range(4))
    for at, name in enumerate(("precision", "recall", "f1", "support")):
        assert [getattr(row, name) for row in found.classes] == pytest.approx(expected[at].tolist(), abs=1e-12)
    for name, mean in (("macro", found.macro), ("weighted", found.weighted)):
        expected = report(target[counts], said[counts], labels=range(4), average=name)[:3]
        assert [mean.precision, mean.recall, mean.f1] == pytest.approx(list(expected), abs=1e-12)
    table = sk.confusion_matrix(target[counts], said[counts], labels=range(4))
    assert np.array_equal(found.confusion, table)
    assert found.count == 85 and found.accuracy == pytest.approx(float((target == said)[counts].mean()))
    highest, right = shares[counts].max(-1), (target == said)[counts]
    apart = 0.0
    for each in found.calibration.bins:
        inside = (highest >= each.low) & ((highest < each.high) | (each.high == 1))
        assert each.count == inside.sum()
        if each.count:
            assert each.probability == pytest.approx(highest[inside].mean())
            assert each.right == pytest.approx(right[inside].mean())
            apart += inside.sum() * abs(highest[inside].mean() - right[inside].mean())
    assert len(found.calibration.bins) == BINS
    assert found.calibration.ece == pytest.approx(apart / 85)


def test_nothing_is_null() -> None:
    found = ClassCounts(("a", "b")).result("logits", "label")
    assert (found.count, found.accuracy, found.calibration.ece, found.weighted.f1) == (0, None, None, None)
    empty = Values().result("y", "y", "")
    assert (empty.count, empty.mae, empty.r2, empty.deciles, empty.residuals.median) == (0, None, None, (), None)


def test_labels() -> None:
    random = np.random.default_rng(0)
    shares, target = random.random((60, 3)), random.integers(0, 2, (60, 3)).astype(np.float32)
    gathered = Labels(("a", "b", "c"))
    for piece in pieces(60):
        gathered.add(shares[piece], target[piece])
    found = gathered.result("logits", "yes")
    expected = report(target, shares > 0.5)
    for at, name in enumerate(("precision", "recall", "f1", "support")):
        assert [getattr(row, name) for row in found.classes] == pytest.approx(expected[at].tolist())
    assert found.support == target.sum()
    assert found.confusion is None and found.accuracy == pytest.approx(((shares > 0.5) == target).mean())


def test_values(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    y = np.concatenate([random.normal(1e6, 3, 300), np.full(60, 1e6)])
    told = y + random.normal(0.5, 1, 360)
    gathered = Values()
    for piece in pieces(360, 50):
        gathered.add(told[piece], y[piece])
    found = gathered.result("y_hat", "y", "as in the data")
    assert found.mae == pytest.approx(sk.mean_absolute_error(y, told))
    assert found.rmse == pytest.approx(sk.root_mean_squared_error(y, told))
    assert found.r2 == pytest.approx(sk.r2_score(y, told))
    errors = told - y
    shown = found.residuals
    assert [shown.mean, shown.std, shown.min, shown.max] == pytest.approx(
        [errors.mean(), errors.std(), errors.min(), errors.max()]
    )
    assert [shown.q05, shown.median, shown.q95] == pytest.approx(np.quantile(errors, [0.05, 0.5, 0.95]).tolist())
    assert sum(part.count for part in found.deciles) == 360 and not found.sampled
    for part, after in zip(found.deciles, found.deciles[1:], strict=False):
        assert part.high < after.low
    for part in found.deciles:
        inside = (y >= part.low) & (y <= part.high)
        assert part.count == inside.sum() and part.bias == pytest.approx(errors[inside].mean())
        assert [part.mae, part.rmse] == pytest.approx(
            [np.abs(errors[inside]).mean(), (errors[inside] ** 2).mean() ** 0.5]
        )
    monkeypatch.setattr(values_module, "MOST", 100)
    few, whole = Values(), Values()
    for piece in pieces(360, 50):
        few.add(told[piece], y[piece])
    whole.add(told, y)
    sampled = few.result("y_hat", "y", "")
    assert sampled.sampled and sampled.mae == pytest.approx(found.mae) and sampled.r2 == pytest.approx(found.r2)
    assert sampled == whole.result("y_hat", "y", "").model_copy(
        update={name: getattr(sampled, name) for name in ("mae", "rmse", "r2", "targets", "residuals")}
    )


def test_the_worst_are_the_same_in_any_batches() -> None:
    random = np.random.default_rng(1)
    measure = random.random(80).round(1)
    whole, parts = Worst(12), Worst(12)
    measure[3] = np.nan
    whole.add(np.arange(80), measure, lambda at: (f"t{at}", f"a{at}"))
    for piece in pieces(80, 9):
        first = piece.start
        parts.add(np.arange(80)[piece], measure[piece], lambda at, first=first: (f"t{first + at}", f"a{first + at}"))
    place = lambda at: (at, f"row {at}")
    assert whole.examples(place) == parts.examples(place)
    assert [each.record for each in whole.examples(place)] == np.argsort(
        -np.nan_to_num(measure, nan=-1), kind="stable"
    )[:12].tolist()


# ---- runs ------------------------------------------------------------------------------------------------------------

SPEC = """dlspec 1
data Plants {
  source = csv("plants.csv")
  split  = contiguous(train = 0.6, val = 0.2, test = 0.2)
  x: f32[2]  = source.all_except("kind", "weight", "ripe")
  kind: i64  = source.kind -> category
  weight: f32 = source.weight -> log1p -> standardize
  ripe: f32  = source.ripe
}
model M(x: [B, 2]) -> (logits: [B, 3], grams: [B], ripeness: [B], guesses: [2, B]) {
  h = x -> fc: Linear(8) -> tanh
  logits = h -> a: Linear(3)
  grams = h -> b: Linear(1) -> squeeze(-1)
  ripeness = h -> c: Linear(1) -> squeeze(-1)
  guesses = concat(grams[none], (h -> d: Linear(1) -> squeeze(-1))[none], axis = 0)  # examples along another axis
}
train {
  model = M; data = Plants
  let weights = weight[none] -> expand([2, B])
  loss { a = cross_entropy(logits, kind); b = mse(grams, weight); c = bce(ripeness, ripe); d = mse(guesses, weights) }
  metrics { error = mae(grams, weight); r2 = r2(grams, weight); right = accuracy(ripeness, ripe) }
  optimizer = AdamW(2e-2); batch = 32; duration = 20 epochs
}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dlc.Run:
    folder = tmp_path_factory.mktemp("plants")
    random = np.random.default_rng(0)
    rows = ["width,height,kind,weight,ripe"]
    for _ in range(200):
        kind = int(random.integers(3))
        width, height = random.normal(kind, 0.7), random.normal(0, 1)
        weight = np.exp(2 + width + 0.3 * height)
        rows.append(f"{width:.4f},{height:.4f},{('fig', 'kiwi', 'plum')[kind]},{weight:.3f},{int(height > 0.2)}")
    (folder / "plants.csv").write_text("\n".join(rows) + "\n")
    (folder / "s.dlspec").write_text(SPEC)
    return dlc.train(folder / "s.dlspec", out=folder / "run", device="cpu")


@pytest.fixture(scope="module")
def saved(run: dlc.Run) -> tuple[Any, list[dict[str, str]]]:
    """The judgement of the test split, and the rows of its file."""
    file = run.path.parent / "all.csv"
    found = dlc.judge(run, "test", worst=5, save=file)
    with file.open(newline="") as lines:
        return found, list(csv.DictReader(lines))


def test_a_run_keeps_what_evaluation_finds(run: dlc.Run, saved: Any) -> None:
    kept = JUDGEMENTS.read((run.path / "judgement.json").read_text("utf-8"))
    assert list(kept) == ["val", "test"]
    found = saved[0]
    assert found.model_copy(update={"outputs": ()}) == kept["test"].model_copy(update={"outputs": ()})
    for one, other in zip(found.outputs, kept["test"].outputs, strict=True):
        assert one == other.model_copy(update={"worst": other.worst[:5]})
    assert found.figures == dlc.evaluate(run, "test")
    assert {f"test.{name}": figure for name, figure in found.figures.items()}.items() <= run.figures.items()


def test_every_example_is_saved(run: dlc.Run, saved: Any) -> None:
    """Figures that are computed from the file are those of the judgement; predictions are those of `dlc predict`."""
    found, rows = saved
    assert [int(row["record"]) for row in rows] == list(range(160, 200))
    assert rows[0]["place"].endswith("plants.csv:162")
    classes, grams, ripe = found.outputs
    assert isinstance(classes, ClassJudgement) and isinstance(grams, ValueJudgement)
    target, said = [r["target kind"] for r in rows], [r["logits class"] for r in rows]
    assert classes.accuracy == pytest.approx(sk.accuracy_score(target, said))
    assert [row.name for row in classes.classes] == ["fig", "kiwi", "plum"]
    weight, told = (np.array([float(r[name]) for r in rows]) for name in ("target weight", "grams"))
    source = list(csv.DictReader((run.path.parent / "plants.csv").read_text("utf-8").splitlines()))[160:]
    assert weight == pytest.approx([float(row["weight"]) for row in source], rel=1e-5)
    assert grams.mae == pytest.approx(sk.mean_absolute_error(weight, told), rel=1e-6)
    assert found.in_units["error"].figure == pytest.approx(grams.mae, rel=1e-5)
    assert found.in_units["r2"].figure == pytest.approx(sk.r2_score(weight, told), rel=1e-5)
    assert found.in_units["error"].undone == ("log1p", "standardize")
    chance = np.array([float(r["ripeness probability"]) for r in rows])
    yes = np.array([float(r["target ripe"]) for r in rows])
    assert ripe.accuracy == pytest.approx(float(((chance > 0.5) == yes).mean())) == found.figures["right"]
    assert np.mean([float(row["loss"]) for row in rows]) == pytest.approx(found.figures["loss"], rel=1e-5)
    predicted = dlc.predict(run, run.path.parent / "plants.csv", device="cpu").rows(probabilities=True)[160:]
    for row, other in zip(rows, predicted, strict=True):
        assert row["logits class"] == other["logits class"]
        assert float(row["grams"]) == pytest.approx(other["grams"], rel=1e-6)
        assert len(other["guesses"]) == 2, "a row for each example, though the output begins with another axis"


def test_the_worst_are_named(saved: Any) -> None:
    found, rows = saved
    by_error = sorted(rows, key=lambda row: -abs(float(row["grams"]) - float(row["target weight"])))
    grams = found.outputs[1]
    assert [each.place for each in grams.worst] == [row["place"] for row in by_error[:5]]
    by_share = sorted(rows, key=lambda row: float(row[f"logits probability {row['target kind']}"]))
    assert [each.place for each in found.outputs[0].worst] == [row["place"] for row in by_share[:5]]
    assert found.outputs[0].worst[0].target == by_share[0]["target kind"]


def test_the_command(run: dlc.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "all.parquet"
    assert command_line(["evaluate", str(run.path), "--worst", "3", "--save", str(file), "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "in the units of `weight`, `log1p`, `standardize` undone" in text
    assert "confusion: targets by row, predictions by column" in text and "kiwi" in text
    assert "error by tenths of the target" in text and "calibration: ECE" in text
    assert "the 3 worst: largest errors" in text and "plants.csv:" in text
    assert f"{file}   40 examples" in text
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(file).num_rows == 40
    before = {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    assert command_line(["evaluate", str(run.path), "--format", "json", "--device", "cpu"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["split"] == "test" and shown["outputs"][0]["confusion"] and shown["in_units"]["error"]["figure"] > 0
    assert before == {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()}


def test_a_file_of_another_kind(run: dlc.Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["evaluate", str(run.path), "--save", "x.xlsx"]) != 0
    said = capsys.readouterr().err
    assert "`--save` writes no `.xlsx`" in said and "name a file that ends in .csv" in said


def test_many_classes_are_cut_to_the_most_confused(capsys: pytest.CaptureFixture[str]) -> None:
    gathered = ClassCounts([f"class {at}" for at in range(40)])
    target = np.repeat(np.arange(40), 10)
    shares = np.eye(40)[np.where(np.arange(400) % 10 < np.where(target == 7, 6, 1), (target + 1) % 40, target)]
    gathered.add(shares, target)
    classes, confusion, _ = drawn.tables(gathered.result("logits", "label"))
    assert "the 10 of 40 classes with the lowest F1" in classes.title and len(classes.rows) == 12
    assert confusion.rows[0] == ("class 7", "class 8", "6", "60.00 %") and len(confusion.rows) == 10
    drawn.draw(confusion)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "confusion: the most frequent of 40 mistakes" and lines[2].split()[:2] == ["class", "7"]


def test_a_terminal_gets_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    gathered = ClassCounts(("[red]", "b"))
    gathered.add(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    for table in drawn.tables(gathered.result("logits", "label")):
        drawn.draw(table)
    text = capsys.readouterr().out
    assert "[red]" in text and "─" in text


def test_the_page(run: dlc.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Drawings of what the tables hold, and the worst examples with their rows; nothing in it is run or loaded from elsewhere."""
    file = tmp_path / "page.html"
    assert command_line(["evaluate", str(run.path), "--report", str(file), "--worst", "3", "--device", "cpu"]) == 0
    assert f"report   {file}" in capsys.readouterr().out
    text = alone(file.read_text("utf-8"))
    found = dlc.judge(run, "test", worst=3)
    for label, count in (("confusion", 1), ("reliability", 2), ("predictions against targets", 1), ("residuals", 1)):
        assert text.count(f'aria-label="{label}"') >= count
    classes = found.outputs[0]
    assert isinstance(classes, ClassJudgement) and classes.confusion is not None
    assert f"fig taken for kiwi: {classes.confusion[0][1]}" in text
    worst = text.split("<h2>the 3 worst of logits</h2>")[1].split("<h2>")[0]
    assert [each.place in worst for each in classes.worst] == [True] * 3
    assert worst.count("<td>weight</td>") == 3, "their rows"
    assert command_line(["evaluate", str(run.path), "--report", str(tmp_path / "page.pdf")]) == 2
    assert "name a file that ends in .html" in capsys.readouterr().err


def test_the_page_of_images_and_hostile_names(tmp_path: Path) -> None:
    from PIL import Image

    evil = '<img src=x onerror="alert(1)">'
    random = np.random.default_rng(0)
    for name in ("circles", evil):
        (tmp_path / "images" / name).mkdir(parents=True)
        for at in range(12):
            pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{at}.png")
    (tmp_path / "s.dlspec").write_text(
        """dlspec 1
data D {
  source = image_folder("images")
  split  = random(train = 0.5, test = 0.5)
  image: f32[3, 16, 16] = source.image -> scale(1 / 255)
  label: i64 = source.label
}
model M(image: [B, 3, 16, 16]) -> (logits: [B, 2]) { logits = image -> flatten -> fc: Linear(2) }
train { model = M; data = D; loss = cross_entropy(logits, label); optimizer = SGD(1e-2); batch = 4; duration = 2 steps }
"""
    )
    run = dlc.train(tmp_path / "s.dlspec", out=tmp_path / "run", device="cpu")
    dlc.judge(run, "test", worst=4, report=tmp_path / "page.html")
    text = alone((tmp_path / "page.html").read_text("utf-8"))
    assert text.count("data:image/png;base64,") == 4 and "<img src=x" not in text


@pytest.mark.parametrize(
    "answers", [[1e200, 1.0, 2.0, -1e250], [1.7e308, 1.0, -1.7e308, 1.0], [np.inf, np.nan, 1.0, 2.0]]
)
def test_values_whose_squares_are_infinite(answers: list[float]) -> None:
    gathered = Values()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            gathered.add(np.array(answers), np.array([1.0, 2.0, 3.0, 4.0]))
        found = gathered.result("y", "y", "")
    assert found.count == 2 * np.isfinite(answers).sum()
    assert found.rmse is not None and (not np.isfinite(found.rmse) or found.rmse == pytest.approx(2.0))
