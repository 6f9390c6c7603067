"""The recipe as backends and runtime read it: graphs of data, bodies of expressions, schedules, phases."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlc.compiler.check import Checked, check
from dlc.compiler.ir.data import DataFacts, DataSet, FieldFacts
from dlc.compiler.ir.model import CallNode, OpNode, Spec
from dlc.compiler.ir.recipe import Recipe
from dlc.compiler.ir.train import Train

DIGITS = """dlspec 1
data Digits {
  source = builtin("digits")
  split  = random(train = 0.8, val = 0.1, test = 0.1, stratify = source.label, seed = 3)
  image: f32[1, 8, 8] = source.image -> if training { shift(1) } -> scale(1 / 16)
  label: i64 = source.label
}
model Mlp(hidden = 32)(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  h      = image -> flatten -> first: Linear(hidden) -> relu
  logits = h -> head: Linear(10)
}
train {
  model     = Mlp(hidden = 16)
  data      = Digits
  loss { ce = cross_entropy(logits, label); small = 1e-3 * mean(h ** 2) }
  metrics { acc = accuracy(logits, label); error = 1 - accuracy(logits, label) }
  optimizer = SGD(lr = 0 -> linear(0.1, 5 epochs) -> cosine(0, rest), momentum = 0.9)
  group rank < 2 { weight_decay = 0 }
  group "head.**" { lr = base.lr / 10 }
  batch     = 64; micro_batch = 16
  duration  = 20 epochs
  clip      = norm(1)
  keep      = best(val.error)
  stop      = plateau(val.loss, patience = 3 epochs)
}
export { onnx = "digits.onnx"; outputs { probs = softmax(logits) } }
"""


def checked(text: str, folder: Path, *overrides: str, facts: dict[str, DataFacts] | None = None) -> Checked:
    path = folder / "case.dlspec"
    path.write_text(text, "utf-8")
    return check(path, overrides, facts=facts)


def recipe_of(text: str, folder: Path, *overrides: str) -> tuple[Spec, Recipe]:
    found = checked(text, folder, *overrides)
    assert found.spec is not None, [d.message for d in found.report.diagnostics]
    recipe = found.spec.recipe
    assert isinstance(recipe, Recipe)
    return found.spec, recipe


def train_of(text: str, folder: Path, *overrides: str) -> tuple[Spec, Train]:
    spec, recipe = recipe_of(text, folder, *overrides)
    return spec, recipe.trains[0]


def ops(data: DataSet) -> list[str]:
    return [node.op for node in data.nodes]


def test_the_data_is_a_graph(tmp_path: Path) -> None:
    _, recipe = recipe_of(DIGITS, tmp_path)
    data = recipe.dataset("Digits")
    assert ops(data) == ["source", "shift", "choose", "scale", "source"]
    choose = data.nodes[2]
    assert choose.inputs == (1, 0)
    image = data.field("image")
    assert str(image.type) == "f32[B, 1, 8, 8]" and image.node == 3
    label = data.field("label")
    assert label.classes is not None and label.classes.count == 10
    assert data.split.args["stratify"] == "label" and data.split.args["seed"] == 3


def test_a_window_is_drawn_once_for_both_fields(tmp_path: Path) -> None:
    text = """dlspec 1
data D {
  source = builtin("python_docs")
  split  = contiguous(train = 0.9, val = 0.1)
  let window = source.tokens -> random_window(9)
  tokens:  i64[8] = window[:-1]
  targets: i64[8] = window[1:]
}
"""
    _, recipe = recipe_of(text, tmp_path)
    data = recipe.dataset("D")
    assert ops(data) == ["source", "random_window", "slice", "slice"]
    assert [node.inputs for node in data.nodes[2:]] == [(1,), (1,)]
    assert data.nodes[1].name == "window"


def test_bytes_and_floats_meet_on_one_scale(tmp_path: Path) -> None:
    text = """dlspec 1
data D {
  source = image_folder("pets")
  split  = random(train = 0.8, val = 0.2)
  image: f32[3, 8, 8] = source.image
    -> if training { random_crop(8) -> color_jitter(0.1) } else { center_crop(8) } -> normalize(0.5, 0.5)
}
"""
    _, recipe = recipe_of(text, tmp_path)
    assert ops(recipe.dataset("D")) == [
        "source",
        "random_crop",
        "color_jitter",
        "center_crop",
        "to_float",
        "choose",
        "normalize",
    ]


def test_ragged_lengths_have_their_bound(tmp_path: Path) -> None:
    text = """dlspec 1
data D {
  source = csv("t.csv")
  split  = all("train")
  tokens: i64[T <= 40] = source.text -> words -> vocab(50) -> truncate(40) -> pad(0)
}
"""
    _, recipe = recipe_of(text, tmp_path)
    data = recipe.dataset("D")
    assert data.lengths == {"T": 40}
    assert str(data.field("tokens").type) == "i64[B, T]"


def test_the_step_is_a_body_over_fields(tmp_path: Path) -> None:
    spec, train = train_of(DIGITS, tmp_path)
    (net,) = train.nets
    assert spec.models[net.model].statics == {"hidden": 16}
    assert net.extra == ("h",)
    (phase,) = train.phases
    (update,) = phase.updates
    body = spec.bodies[update.body]
    assert [value.name for value in body.inputs] == ["image", "label"]
    call = body.nodes[0]
    assert isinstance(call, CallNode) and call.instance == "model"
    assert [value.name for value in call.outputs] == ["logits", "h"]
    ce, small = update.terms
    assert (ce.name, ce.across) == ("ce", False) and (small.name, small.across) == ("small", False)
    counted = body.nodes[ce.counts[0]]
    assert isinstance(counted, OpNode) and counted.op == "cross_entropy"
    assert small.counts == ()


def test_metrics_know_what_is_better(tmp_path: Path) -> None:
    spec, train = train_of(DIGITS, tmp_path)
    accuracy, error = train.evaluation.metrics
    assert (accuracy.direction, error.direction) == ("max", "min")
    body = spec.bodies[train.evaluation.body]
    assert all(isinstance(body.nodes[part], OpNode) for part in (*accuracy.parts, *error.parts))
    assert train.keep.metric is not None and train.keep.metric.direction == "min"
    assert train.stop is not None and train.stop.metric.name == "loss"


def test_schedules_and_groups(tmp_path: Path) -> None:
    _, train = train_of(DIGITS, tmp_path)
    update = train.phases[0].updates[0]
    optimizer = update.optimizer
    schedule = optimizer.schedules["lr"]
    assert [segment.kind for segment in schedule.segments] == ["linear", "cosine"]
    assert schedule.segments[0].length is not None and schedule.segments[0].length.unit == "epochs"
    assert optimizer.args["momentum"] == 0.9 and optimizer.args["lr"] == 0
    biases, head = update.groups
    assert biases.args == {"weight_decay": 0.0} and biases.selectors[0].text == "< 2"
    assert head.schedules["lr"].scale == pytest.approx(0.1)
    assert update.clip is not None and update.clip.limit == 1.0
    assert (train.phases[0].batch.amount, train.phases[0].batch.micro) == (64, 16)


def test_phases_are_complete(tmp_path: Path) -> None:
    text = DIGITS.replace(
        "duration  = 20 epochs",
        """phase warm { duration = 2 epochs; freeze "first.**" }
  phase all  { duration = 3 epochs; batch = 32; optimizer = Adam(1e-4); group rank < 2 { lr = 0 } }""",
    )
    _, train = train_of(text, tmp_path)
    warm, rest = train.phases
    assert warm.batch.amount == 64 and rest.batch.amount == 32
    assert [g.selectors[0].text for g in warm.updates[0].groups] == ["< 2", "head.**"]
    assert [g.selectors[0].text for g in rest.updates[0].groups] == ["< 2"]
    assert warm.freeze and not rest.freeze
    assert warm.fresh and rest.fresh


def test_overrides_reach_the_recipe(tmp_path: Path) -> None:
    spec, train = train_of(DIGITS, tmp_path, "train.batch=128", "train.micro_batch=128", "Mlp.hidden=8", "seed=7")
    assert train.phases[0].batch.amount == 128 and train.seed == 7
    assert spec.models[train.nets[0].model].statics == {"hidden": 8}


def test_the_export_has_a_tail(tmp_path: Path) -> None:
    spec, recipe = recipe_of(DIGITS, tmp_path)
    (export,) = recipe.exports
    assert export.model == recipe.trains[0].nets[0].model and export.inputs == ("image",)
    tail = spec.bodies[export.tail]
    assert [value.name for value in tail.inputs] == ["logits"]
    assert [result.name for result in tail.outputs] == ["probs"]


def test_json_round_trip(tmp_path: Path) -> None:
    spec, recipe = recipe_of(DIGITS, tmp_path)
    again = Spec.model_validate_json(spec.model_dump_json())
    assert again == spec and again.recipe == recipe


def facts(classes: int, shape: tuple[int | None, ...] = (1, 8, 8)) -> dict[str, DataFacts]:
    names = tuple(f"c{index}" for index in range(classes))
    fields = {
        "image": FieldFacts(dtype="f32", shape=shape),
        "label": FieldFacts(dtype="i64", shape=(), classes=names),
    }
    return {"Digits": DataFacts(records={"train": 80, "val": 10, "test": 10}, fields=fields)}


def test_a_batch_that_the_train_split_does_not_fill(tmp_path: Path) -> None:
    assert checked(DIGITS, tmp_path, "train.batch=80", facts=facts(10)).report.diagnostics == []
    (found,) = checked(DIGITS, tmp_path, "train.batch=96", facts=facts(10)).report.diagnostics
    assert (found.code, found.helps[0][:16]) == ("W0407", "write `batch = 8")
    assert found.message == "the train split has 80 records, fewer than `batch = 96`"


def test_the_data_is_checked_against_the_model(tmp_path: Path) -> None:
    assert checked(DIGITS, tmp_path, facts=facts(10)).ok
    found = checked(DIGITS, tmp_path, facts=facts(11)).report.diagnostics
    assert [d.code for d in found] == ["E0205"]
    assert "11 classes" in found[0].message
    found = checked(DIGITS, tmp_path, facts=facts(10, (1, 8, 9))).report.diagnostics
    assert [d.code for d in found] == ["E0201"]


def test_lengths_are_compared_once_records_are_counted(tmp_path: Path) -> None:
    """80 records are 5 steps an epoch, 10 are one batch of evaluation."""
    schedule = "SGD(lr = 0 -> linear(0.1, {warm} steps) -> cosine(0, rest), momentum = 0.9)"
    text = DIGITS.replace("SGD(lr = 0 -> linear(0.1, 5 epochs) -> cosine(0, rest), momentum = 0.9)", schedule)
    text = text.replace(
        "batch     = 64; micro_batch = 16", "batch = 16; validate = every(5 steps, batches = {batches})"
    )
    late = text.replace("{warm}", "120").replace("{batches}", "1")
    assert checked(late, tmp_path).report.diagnostics == []
    found = checked(late, tmp_path, facts=facts(10)).report.diagnostics
    assert [d.message for d in found] == [
        "`batches = 1` has no effect: all of the validation split is 1 batch",
        "`lr` does not reach 0.1: the run (20 epochs) ends after 83 % of the way",
        "this part of `lr` has no effect: the run (20 epochs) ends before it begins",
    ]
    many = facts(10)["Digits"].model_copy(update={"records": {"train": 80, "val": 600}})
    early = text.replace("{warm}", "99").replace("{batches}", "2")
    assert checked(early, tmp_path, facts={"Digits": many}).report.diagnostics == []


def test_a_vocabulary_must_fit_its_embedding(tmp_path: Path) -> None:
    text = """dlspec 1
data D {
  source = text("corpus.txt")
  split  = contiguous(train = 0.9, val = 0.1)
  let window = source.tokens -> random_window(9)
  tokens:  i64[8] = window[:-1]
  targets: i64[8] = window[1:]
}
block Inner(count: int)(tokens: i64[B, T]) -> [B, T, 8] { tokens -> embed: Embedding(count, 8) }
model M(tokens: i64[B, T]) -> (logits: [B, T, 50]) { logits = tokens -> inner: Inner(50) -> head: Linear(50) }
train {
  model = M; data = D; loss = cross_entropy(logits, targets)
  optimizer = Adam(1e-3); batch = 4; duration = 10 steps
}
"""
    seen = FieldFacts(dtype="i64", shape=(8,), vocabulary=60)
    given = {"D": DataFacts(records={"train": 100, "val": 10}, fields={"tokens": seen, "targets": seen})}
    found = checked(text, tmp_path, facts=given).report.diagnostics
    assert [d.code for d in found] == ["E0205"]
    assert "60" in "".join(found[0].helps)


GAN = """dlspec 1
data D {
  source = npz("x.npz")
  split  = all("train")
  x: f32[8] = source.x
}
model Gen(z: [B, 4]) -> (x: [B, 8]) { x = z -> body: Linear(8) }
model Critic(x: [B, 8]) -> (score: [B]) { score = x -> body: Linear(1) -> squeeze(-1) }
train {
  data = D
  let gen    = Gen()
  let critic = Critic()
  let fake   = randn([B, 4]) -> gen
  step critic {
    repeat = 5
    loss {
      distance = mean(stop_grad(fake) -> critic) - mean(x -> critic)
      penalty  = 10 * gradient_penalty(critic, x, stop_grad(fake))
      weights  = 1e-4 * l1("critic.**.weight")
    }
    optimizer = Adam(1e-4, betas = (0.0, 0.9))
  }
  step gen { loss = -mean(fake -> critic); optimizer = Adam(1e-4) }
  batch    = 16
  duration = 100 steps
}
export { onnx = "gen.onnx"; model = gen }
"""


def test_steps_share_their_lets(tmp_path: Path) -> None:
    spec, train = train_of(GAN, tmp_path)
    (phase,) = train.phases
    assert phase.shared is not None
    shared = spec.bodies[phase.shared]
    assert [result.name for result in shared.outputs] == ["fake"]
    assert "B" in str(shared.inputs[0].type)
    critic, gen = phase.updates
    assert (critic.nets, critic.repeat, critic.lets) == (("critic",), 5, ("fake",))
    assert (gen.nets, gen.lets) == (("gen",), ("fake",))
    body = spec.bodies[critic.body]
    assert [value.name for value in body.inputs] == ["x", "fake"]
    assert [instance.path for instance in body.instances] == ["critic"]
    penalty = next(node for node in body.nodes if isinstance(node, OpNode) and node.op == "gradient_penalty")
    assert penalty.instance == "critic" and spec.bodies[penalty.args["body"]].name == "Critic"
    assert [term.across for term in critic.terms] == [False, False, False]


def test_an_exported_net_is_a_let(tmp_path: Path) -> None:
    spec, recipe = recipe_of(GAN, tmp_path)
    (export,) = recipe.exports
    assert export.net == "gen" and spec.models[export.model].name == "Gen" and export.inputs == ("z",)


def test_emits_are_stacked_outputs_of_the_net(tmp_path: Path) -> None:
    text = """dlspec 1
data D {
  source = npz("x.npz")
  split  = all("train")
  x: f32[8] = source.x
}
block Inner()(x: [B, W]) -> [B, W] {
  y = x -> l: Linear(W)
  emit size = mean(y ** 2)
  y
}
model M(x: [B, 8]) -> (y: [B, 8]) { y = x -> layers: repeat 3 { Inner() } -> last: Inner() }
train {
  model = M; data = D
  loss { fit = mse(y, x); small = 0.1 * mean(size) }
  optimizer = Adam(1e-3); batch = 4; duration = 10 steps
}
"""
    spec, train = train_of(text, tmp_path)
    assert train.nets[0].extra == ("size",)
    body = spec.bodies[train.phases[0].updates[0].body]
    call = body.nodes[0]
    assert isinstance(call, CallNode)
    assert str(call.outputs[1].type) == "f32[4]"
    last = spec.bodies[call.body].nodes[-1]
    assert isinstance(last, OpNode) and last.op == "emitted"
    assert [term.across for term in train.phases[0].updates[0].terms] == [False, True]


def test_functions_are_drawn_by_their_text(tmp_path: Path) -> None:
    """What a draw holds can be given on the command line as it is."""
    text = DIGITS.replace("dlspec 1\n", "dlspec 1\nparam act: fn = relu\n").replace("-> relu", "-> act")
    text += "search {\n  method = grid()\n  objective = val.acc\n  act ~ choice([gelu, leaky_relu(0.2)])\n}\n"
    _, recipe = recipe_of(text, tmp_path)
    (draw,) = recipe.searches[0].draws
    values = draw.cases[0].distribution.args["values"]
    assert values == ("gelu", "leaky_relu(0.2)")
    for value in values:
        spec, _ = recipe_of(text, tmp_path, f"act={value}")
        assert spec.params["act"] == value
