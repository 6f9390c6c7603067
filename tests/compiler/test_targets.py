"""What outputs mean, read off losses as users write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlc.compiler.analysis.meaning import Meaning
from dlc.compiler.analysis.targets import output_meanings
from dlc.compiler.check import check

#: A net with an output of each shape, and fields to compare them with.
SPEC = """dlspec 1
data D {
  source = npz("d.npz")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  x: f32[4]  = source.x -> standardize
  y: f32     = source.y -> standardize
  z: f32     = source.z
  two: f32[2] = source.two
  row: f32[3] = source.row
  label: i64 = source.label
  yes: f32   = source.yes
}
model M(x: [B, 4]) -> (pred: [B], other: [B], many: [B, 3], logits: [B, 2]) {
  h      = x -> fc: Linear(8) -> relu
  pred   = h -> a: Linear(1) -> squeeze(-1)
  other  = h -> b: Linear(1) -> squeeze(-1)
  many   = h -> c: Linear(3)
  logits = h -> d: Linear(2)
}
train {
  model = M
  data = D
  LOSS
  optimizer = AdamW(1e-3)
  batch = 8
  duration = 1 epochs
}
"""


@pytest.fixture
def meanings(tmp_path: Path) -> Callable[..., dict[str, Meaning]]:
    def read(loss: str, spec: str = SPEC) -> dict[str, Meaning]:
        file = tmp_path / "m.dlspec"
        file.write_text(spec.replace("LOSS", loss), "utf-8")
        checked = check(file)
        assert checked.spec is not None, [(d.message, d.notes) for d in checked.report.errors]
        return output_meanings(checked.spec, checked.spec.recipe.trains[0], "")

    return read


VALUE = Meaning("value", "y")


@pytest.mark.parametrize(
    "loss",
    [
        "loss = mse(pred, y)",
        "loss = huber(pred, y)",
        "loss = l1_loss(pred, y)",
        "loss = mean((pred - y) ** 2)",
        "loss = mean((y - pred) ** 2)",
        "loss = mean(abs(pred - y))",
        "loss = mean(((pred - y) / 2) ** 2)",
        "loss = mean((pred / 2 - 0.5 * y) ** 2)",
        "loss = mse(pred / 50, y / 50)",
        "loss = mean(sqrt((pred - y) ** 2 + 1) - 1)",
        "loss = mean(abs((pred - y) / y))",
        "loss = mean((pred / y - 1) ** 2)",
        "loss = mean((1 - y / pred) ** 2)",
        "loss = mean(log(pred / y) ** 2)",
        "loss = mean((log(1 + pred) - log(1 + y)) ** 2)",
        "loss = mse(pred, stop_grad(y))",
        "loss = mse(pred - y, 0.0)",
        "loss = mean((pred[:, none] - y[:, none]) ** 2)",
        "loss = mean((pred - y)[1:] ** 2)",
        "loss = mean(where(pred > y, pred - y, 2 * (y - pred)))",
        "loss = mean(0.9 * relu(y - pred) + 0.1 * relu(pred - y))",
        "loss = mean(where(yes > 0.5, pred - y, 0.0) ** 2)",
        "loss = mean(where(abs(pred - y) < 1, (pred - y) ** 2 / 2, abs(pred - y) - 0.5))",
        "loss = mean(yes * (pred - y) ** 2)",
        "loss = mean((yes * (pred - y)) ** 2)",
        "loss = mean(((pred - y) / z) ** 2)",
        "loss = mean((pred - y) * (pred - y))",
        "loss = norm(pred - y)",
        "loss = sqrt(mean((pred - y) ** 2))",
        "loss = mse((pred - y) / z, 0.0)",
        "let error = pred - y\n  loss = mean(error ** 2)",
        "let scaled = y / 10\n  let out = pred / 10\n  loss = huber(out, scaled)",
        "loss { fit = mse(pred, y); small = 0.1 * mean(pred ** 2) }",
        "loss { fit = mse(pred, y); shape = 0.1 * mean(pred * z) }",
        "loss = mse(pred, y) + 0.5 * mean(abs(y - pred))",
        "loss = mean((pred - y) ** 2 / exp(other) + other)",
    ],
)
def test_an_output_is_the_field_that_it_is_compared_with(
    meanings: Callable[..., dict[str, Meaning]], loss: str
) -> None:
    found = meanings(loss)
    assert found["pred"] == VALUE
    assert found["other"].kind == "unknown"


@pytest.mark.parametrize(
    ("loss", "scale", "shift"),
    [
        ("loss = mse(2 * pred + 1, y)", 2, 1),
        ("loss = mse(-pred, y)", -1, 0),
        ("loss = mean((pred - (y - 3) / 2) ** 2)", 2, 3),
        ("loss = mean((pred / (4 * y) - 1) ** 2)", 0.25, 0),
    ],
)
def test_numbers_between_an_output_and_its_field(
    meanings: Callable[..., dict[str, Meaning]], loss: str, scale: float, shift: float
) -> None:
    assert meanings(loss)["pred"] == Meaning("value", "y", scale=scale, shift=shift)


def test_two_outputs_with_two_fields(meanings: Callable[..., dict[str, Meaning]]) -> None:
    found = meanings("loss { a = mse(pred, y); b = mean((other - z) ** 2); c = mse(many, row) }")
    assert [found[name].field for name in ("pred", "other", "many")] == ["y", "z", "row"]
    assert {found[name].kind for name in ("pred", "other", "many")} == {"value"}
    assert found["logits"].why == "the loss compares it with no field of the data"


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        ("loss = mean(pred * y)", "it meets `y` through `*`, which has no units to go by"),
        ("loss = mse(exp(pred), y)", "it is compared with `y` only after `exp`"),
        ("loss = mse(pred, log(y + 9))", "it is compared with `y` only after `log`"),
        ("loss = mse(pred, y) + mse(pred, z)", "the loss compares it with `y` and `z`"),
        ("loss = mse(pred, y) + mse(2 * pred, y)", "the loss compares it with `y` in more than one way"),
        ("loss = mse(pred + z, y)", "it meets `y` and `z` in a sum"),
        ("loss = mse(pred + other, y)", "it meets `y` in a sum"),
        ("loss = (mean(pred) - mean(y)) ** 2", "it meets `y` through `-`, which has no units to go by"),
        ("loss = mean((pred - y + randn([B])) ** 2)", "it meets `y` in a sum with a number that is computed"),
        ("loss = mse(pred, stop_grad(pred))", "the loss compares it with no field of the data"),
        ("loss = mean(pred - y)", "it meets `y` through `mean`, which has no units to go by"),
        ("loss = mean((pred - y) ** 3)", "it meets `y` through `**`, which has no units to go by"),
        ("loss = mean(abs(pred + y))", "it is added to `y`"),
        ("loss = mean(relu(pred - y))", "`y` bounds it on one side"),
        ("loss = mean(relu(pred - y) + relu(2 * (pred - y)))", "`y` bounds it on one side"),
        # a rate with an offset: the offset is no target
        ("loss = mean(exp(pred - z) - yes * (pred - z))", "it meets `z` through `exp`, which has no units to go by"),
        ("loss = mean(log(1 + pred / y))", "it meets `y` through `log`, which has no units to go by"),
        ("loss = mean(y / pred + log(pred))", "it meets `y` through `+`, which has no units to go by"),
        ("loss = mean(softplus(-pred * (y - 1)))", "it meets `y` through `*`, which has no units to go by"),
        ("loss = mean(pred ** 2)", "the loss compares it with no field of the data"),
    ],
)
def test_what_cannot_be_told_is_unknown(meanings: Callable[..., dict[str, Meaning]], loss: str, why: str) -> None:
    found = meanings(loss)["pred"]
    assert (found.kind, found.why) == ("unknown", why)


def test_a_part_of_an_output_is_not_the_whole(meanings: Callable[..., dict[str, Meaning]]) -> None:
    found = meanings("loss = mse(many[:, 0], y)")["many"]
    assert found.kind == "unknown"
    assert found.why == "only a part of it, or its elements in another order, is compared with `y`"


@pytest.mark.parametrize(
    ("loss", "meaning"),
    [
        ("loss = cross_entropy(logits, label)", Meaning("scores", "label")),
        ("loss = cross_entropy(logits / 2, label)", Meaning("scores", "label", scale=0.5)),
        ("loss = nll(log_softmax(logits), label)", Meaning("scores", "label")),
        ("loss = nll(log(softmax(logits)), label)", Meaning("scores", "label")),
        ("loss = nll(log(logits), label)", Meaning("probabilities", "label")),
        ("loss = focal(logits, label)", Meaning("scores", "label")),
        ("loss = dice_loss(logits, label)", Meaning("scores", "label")),
        ("loss { ce = cross_entropy(logits, label); dice = dice_loss(logits, label) }", Meaning("scores", "label")),
        ("let scores = logits\n  loss = cross_entropy(scores, label)", Meaning("scores", "label")),
        ("loss = cross_entropy(logits.T, label, axis = 0)", Meaning("scores", "label")),
        ("loss = bce(logits, two)", Meaning("logit", "two")),
        ("loss = focal(logits, two)", Meaning("logit", "two")),
    ],
)
def test_classes_and_shares(meanings: Callable[..., dict[str, Meaning]], loss: str, meaning: Meaning) -> None:
    assert meanings(loss)["logits"] == meaning


def test_a_binary_loss_of_one_number(meanings: Callable[..., dict[str, Meaning]]) -> None:
    assert meanings("loss = bce(pred, yes)")["pred"] == Meaning("logit", "yes")
    assert meanings("loss = bce(2 * pred - 1, yes)")["pred"] == Meaning("logit", "yes", scale=2, shift=-1)
    assert meanings("loss = mean(softplus(pred) - pred * yes)")["pred"].kind == "unknown"


def test_what_follows_in_the_model_from_what_the_loss_compares(meanings: Callable[..., dict[str, Meaning]]) -> None:
    """The loss reads taps; the outputs are computed from them."""
    spec = SPEC.replace(
        "-> (pred: [B], other: [B], many: [B, 3], logits: [B, 2])",
        "-> (probs: [B, 2], best: i64[B], p: [B], tens: [B], column: [B, 1], odd: [B])",
    ).replace(
        "logits = h -> d: Linear(2)\n",
        "logits = h -> d: Linear(2)\n  probs = softmax(logits)\n  best = argmax(probs)\n  p = sigmoid(other)\n"
        "  tens = 10 * pred + 1\n  column = pred[:, none]\n  odd = pred * pred\n",
    )
    loss = "loss { a = cross_entropy(logits, label); b = bce(other, yes); c = mse(pred, y) }"
    found = meanings(loss, spec)
    assert found["probs"] == Meaning("probabilities", "label")
    assert found["best"] == Meaning("class", "label")
    assert found["p"] == Meaning("chance", "yes")
    assert found["tens"] == Meaning("value", "y", scale=0.1, shift=-0.1)
    assert found["column"] == VALUE
    assert found["odd"] == Meaning("unknown", why="it is computed with `*`")


def test_a_let_that_two_steps_share(tmp_path: Path) -> None:
    """Each step has a body of its own; what they share is computed in one before them."""
    file = tmp_path / "m.dlspec"
    text = (
        SPEC[: SPEC.index("train {")]
        + """train {
  data = D
  let near = M()
  let far = M()
  let gap = (x -> near).pred - y
  let rest = z - (x -> far).pred
  step near { loss = mean(gap ** 2); optimizer = AdamW(1e-3) }
  step far { loss = mean(abs(rest)) + 0 * mean(gap); optimizer = AdamW(1e-3) }
  batch = 8
  duration = 1 epochs
}
"""
    )
    file.write_text(text, "utf-8")
    checked = check(file)
    assert checked.spec is not None, [(d.message, d.notes) for d in checked.report.errors]
    train = checked.spec.recipe.trains[0]
    assert train.phases[0].shared is not None
    assert output_meanings(checked.spec, train, "near")["pred"] == VALUE
    assert output_meanings(checked.spec, train, "far")["pred"] == Meaning("value", "z")


def test_the_last_phase_that_compares_counts(meanings: Callable[..., dict[str, Meaning]]) -> None:
    spec = SPEC.replace("  duration = 1 epochs\n", "").replace("  LOSS\n", "LOSS")
    loss = """  phase a { loss = mse(pred, z); duration = 1 epochs }
  phase b { loss = mse(pred, y); duration = 1 epochs }
  phase c { loss = mean(pred ** 2); duration = 1 epochs }
"""
    assert meanings(loss, spec)["pred"] == VALUE


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("loss = mse(x -> LayerNorm -> sum(axis = 1), y)", "`LayerNorm` is a layer, not a function"),
        ("loss = mean(pred -> Error(b = y))", "`Error` is a block, not a function"),
        ("loss = mse((x -> M()).pred, y)", "`M` is a model, not a function"),
    ],
)
def test_a_loss_is_made_of_functions(tmp_path: Path, loss: str, message: str) -> None:
    file = tmp_path / "m.dlspec"
    block = "block Error(a: [B], b: [B]) -> (e: [B]) { e = (a - b) ** 2 }\n"
    file.write_text(SPEC.replace("LOSS", loss) + block, "utf-8")
    assert [error.message for error in check(file).report.errors] == [message]
