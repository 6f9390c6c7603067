"""Generated losses: means of a batch, and shares of micro-batches that add up to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlc.backends.pytorch.load import load_source
from dlc.backends.pytorch.recipe import recipe_functions, recipe_source
from dlc.compiler.check import check
from dlc.compiler.ir.model import Spec
from dlc.runtime.generated.functions import Evaluation, Loss

DATA = """
data D {
  source = npz("d.npz")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  x: f32[T <= 9, 4] = source.x -> pad(0)
  y: i64[T <= 9]    = source.y -> pad(-1)
  v: f32[4]         = source.v
}
"""
MODEL = "model M(x: [B, T, 4]) -> (logits: [B, T, 5]) { h = x -> a: Linear(4)\n logits = h -> b: Linear(5) }"


@pytest.fixture
def section(tmp_path: Path) -> Callable[..., tuple[Spec, ModuleType]]:
    def make(train: str, models: str = MODEL) -> tuple[Spec, ModuleType]:
        file = tmp_path / "spec.dlspec"
        common = "data = D\n batch = 4\n micro_batch = 2\n duration = 1 steps"
        file.write_text(f"dlspec 1\n{DATA}\n{models}\ntrain {{\n{common}\n{train}\n}}\n", encoding="utf-8")
        checked = check(file)
        assert checked.spec is not None, [(d.code, d.message) for d in checked.report.errors]
        return checked.spec, load_source(recipe_source(checked.spec, checked.spec.recipe.trains[0]), "recipe.py")

    return make


class Net(nn.Module):
    """Stands for a generated model: what the recipe does not see does not matter."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x))


def batch(rows: int = 4, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 5, (rows, 9), generator=generator)
    for row in range(rows):
        y[row, 1 + 2 * row :] = -1
    x = torch.randn(rows, 9, 4, generator=generator)
    return {"x": x, "y": y, "v": torch.randn(rows, 4, generator=generator)}


def split(whole: dict[str, Tensor], at: int) -> list[dict[str, Tensor]]:
    return [{k: v[:at] for k, v in whole.items()}, {k: v[at:] for k, v in whole.items()}]


def first_loss(spec: Spec, module: ModuleType, net: nn.Module) -> Loss:
    """The loss of a section with one update, as training calls it."""
    functions = recipe_functions(spec, spec.recipe.trains[0])
    return Loss(module, functions.losses[0][0], dict.fromkeys(("", "c"), net))


def accumulated(loss: Loss, parts: list[dict[str, Tensor]]) -> list[Tensor]:
    counts: Any = None
    for part in parts:
        found = loss.counts(part)
        counts = found if counts is None else [a + b for a, b in zip(counts, found, strict=True)]
    rows = [loss.part(part, counts, 1 / len(parts)) for part in parts]
    return [sum(terms[1:], terms[0]) for terms in zip(*rows, strict=True)]


COUNTED = {
    "masked classes": ("cross_entropy(logits, y, ignore = -1)", ""),
    "smoothed classes": ("cross_entropy(logits, y, ignore = -1, smoothing = 0.2)", ""),
    "weighted classes": ("cross_entropy(logits, clamp(y, min = 0), weight = [1.0, 2.0, 0.5, 1.0, 3.0])", ""),
    "of a part": ("0.5 * cross_entropy(logits[:, 0], y[:, 0]) / 3", ""),
    "values": ("mse(logits[:, 0, :4], v)", ""),
    "absolute": ("l1_loss(logits[:, 0, :4], v)", ""),
    "huber": ("huber(logits[:, 0, :4], v, delta = 0.5)", ""),
    "binary": ("bce(logits[:, 0, :4], sigmoid(v))", ""),
    "a number as target": ("bce(logits[:, 0, 0], 1)", ""),
    "focal": ("focal(logits[:, 0], y[:, 0], gamma = 1.5)", ""),
    "distilled": ("kl_divergence(logits, stop_grad(logits * 2))", ""),
    "log-probabilities": ("nll(log(softmax(logits[:, 0])), y[:, 0])", ""),
}


@pytest.mark.parametrize("name", COUNTED)
def test_micro_batches_add_up_to_the_whole(name: str, section: Callable[..., tuple[Spec, ModuleType]]) -> None:
    """Micro-batches of 1 and 3 examples with different numbers of valid targets: the same loss, the same gradients."""
    spec, module = section(f"model = M\n loss = {COUNTED[name][0]}\n optimizer = SGD(0.1)")
    net, whole = Net(), batch()
    loss = first_loss(spec, module, net)
    (want,) = loss(whole)
    gradients = torch.autograd.grad(want, list(net.parameters()))
    (have,) = accumulated(loss, split(whole, 1))
    torch.testing.assert_close(have, want)
    for one, other in zip(torch.autograd.grad(have, list(net.parameters())), gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_masked_mean_is_over_the_valid_targets(section: Callable[..., tuple[Spec, ModuleType]]) -> None:
    _, module = section("model = M\n loss = cross_entropy(logits, y, ignore = -1)\n optimizer = SGD(0.1)")
    net, whole = Net(), batch()
    logits = net(whole["x"])
    valid = whole["y"] >= 0
    torch.testing.assert_close(module.loss(net, whole), F.cross_entropy(logits[valid], whole["y"][valid]))
    assert int(module.loss_count(whole)) == 1 + 3 + 5 + 7


def test_what_joins_examples_is_averaged(section: Callable[..., tuple[Spec, ModuleType]]) -> None:
    spec, module = section("""
model = M
loss { ce = cross_entropy(logits[:, 0], y[:, 0]); spread = 0.1 * var(logits[:, 0, 0]); both = mse(logits[:, 0, :4], v) + mean(logits) }
optimizer = SGD(0.1)
""")
    net, whole = Net(), batch()
    parts = split(whole, 2)
    loss = first_loss(spec, module, net)
    ce, spread, both = accumulated(loss, parts)
    torch.testing.assert_close(ce, loss(whole)[0])
    alone = [loss(part) for part in parts]
    torch.testing.assert_close(spread, (alone[0][1] + alone[1][1]) / 2)
    torch.testing.assert_close(both, (alone[0][2] + alone[1][2]) / 2)


def test_a_penalty_on_weights_counts_once(section: Callable[..., tuple[Spec, ModuleType]]) -> None:
    spec, module = section("""
model = M
loss { ce = cross_entropy(logits[:, 0], y[:, 0]); l1 = 0.01 * l1("**.weight") }
optimizer = SGD(0.1)
""")
    net, whole = Net(), batch()
    want = 0.01 * (net.a.weight.abs().sum() + net.b.weight.abs().sum())
    torch.testing.assert_close(module.loss(net, whole)[1], want)
    torch.testing.assert_close(accumulated(first_loss(spec, module, net), split(whole, 1))[1], want)


def test_evaluation_gives_terms_and_the_inputs_of_metrics(section: Callable[..., tuple[Spec, ModuleType]]) -> None:
    spec, module = section("""
model = M
loss = cross_entropy(logits, y, ignore = -1)
metrics { acc = accuracy(logits, y, ignore = -1); err = 1 - accuracy(logits, y, ignore = -1); size = mean(abs(logits)) }
optimizer = SGD(0.1)
""")
    net, whole = Net(), batch()
    functions = recipe_functions(spec, spec.recipe.trains[0]).evaluation
    assert [part.op for part in functions.parts] == ["accuracy", "accuracy", "mean"]
    evaluation = Evaluation(module, functions, {"": net})
    found = evaluation(whole)
    torch.testing.assert_close(found.terms[0], module.loss(net, whole)[0])
    torch.testing.assert_close(found.inputs[0][0], net(whole["x"]))
    assert found.inputs[1][1] is whole["y"]
    assert int(found.inputs[2][1]) == 4
    assert [int(weight) for weight in found.weights] == [16]
    values = {part.name: value for part, value in zip(functions.parts, (0.75, 0.75, 2.0), strict=True)}
    assert evaluation.figures(values) == {"acc": 0.75, "err": pytest.approx(0.25), "size": 2.0}


@pytest.mark.parametrize("scale", ["", "0.3 * "])
def test_a_loss_with_values_for_metrics_adds_up_too(
    scale: str, section: Callable[..., tuple[Spec, ModuleType]]
) -> None:
    """Without a scale the sums are divided outside the function, with one inside; metrics read `wide` and `logits`."""
    spec, module = section(f"""
model = M
let wide = logits * 2 + 1
loss {{ a = mse(wide[:, 0, :4], v); b = {scale}cross_entropy(wide, y, ignore = -1) }}
metrics {{ acc = accuracy(wide, y, ignore = -1); two = (accuracy(wide, y) + accuracy(logits, y)) / 2 }}
optimizer = SGD(0.1)
""")
    net, whole = Net(), batch()
    functions = recipe_functions(spec, spec.recipe.trains[0])
    (function,) = functions.losses[0]
    assert (function.outputs, function.micro) == (2, "scaled" if scale else "sum")
    loss = first_loss(spec, module, net)
    torch.testing.assert_close(accumulated(loss, split(whole, 1)), list(loss(whole)))
    evaluation = Evaluation(module, functions.evaluation, {"": net})
    found = evaluation(whole)
    assert [len(found.terms), len(found.weights), len(found.inputs)] == [2, 2, 3]
    torch.testing.assert_close(found.inputs[0][0], 2 * net(whole["x"]) + 1)
    assert evaluation.figures({part.name: 0.5 for part in functions.evaluation.parts}) == {"acc": 0.5, "two": 0.5}


def test_several_nets_and_what_their_steps_share(section: Callable[..., tuple[Spec, ModuleType]]) -> None:
    spec, module = section(
        """
let gen  = G()
let disc = C()
let fake = randn([B, 2]) -> gen
step disc { loss { real = bce(v -> disc, 1); made = bce(stop_grad(fake) -> disc, 0) }; optimizer = SGD(0.1) }
step gen  { loss = bce(fake -> disc, 1); optimizer = SGD(0.1) }
""",
        "model G(z: [B, 2]) -> (out: [B, 4]) { out = z -> a: Linear(4) }\n"
        "model C(x: [B, 4]) -> (score: [B]) { score = x -> b: Linear(1) -> squeeze(1) }",
    )
    functions = recipe_functions(spec, spec.recipe.trains[0])
    ((first, second),) = functions.losses
    (shared,) = functions.shared
    assert shared is not None
    assert (first.name, first.nets, second.name, second.nets) == ("disc_loss", ("disc",), "gen_loss", ("disc",))
    assert (shared.name, shared.nets) == ("lets", ("gen",))
    gen, disc = nn.Linear(2, 4), nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    given = batch()
    given |= module.lets(gen, given)
    assert given["fake"].shape == (4, 4)
    real, made = module.disc_loss(disc, given)
    torch.testing.assert_close(real, F.binary_cross_entropy_with_logits(disc(given["v"]), torch.ones(4)))
    (made,) = torch.autograd.grad(made, gen.weight, allow_unused=True)
    assert made is None
    assert module.disc_loss_counts(given) == (4, 4)
    loss = module.gen_loss(disc, given)
    assert torch.autograd.grad(loss, gen.weight)[0].abs().sum() > 0


def test_gradient_penalty(section: Callable[..., tuple[Spec, ModuleType]]) -> None:
    _, module = section(
        "let c = C()\n loss = gradient_penalty(c, v, v * 2)\n optimizer = SGD(0.1)",
        "model C(x: [B, 4]) -> (score: [B]) { score = x -> b: Linear(1) -> squeeze(1) }",
    )
    net = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    loss = module.loss(net, batch())
    torch.testing.assert_close(loss, (net[0].weight.norm() - 1) ** 2)
    loss.backward()
    assert net[0].weight.grad is not None


def test_equal_phases_share_their_functions(section: Callable[..., tuple[Spec, ModuleType]], tmp_path: Path) -> None:
    file = tmp_path / "phases.dlspec"
    file.write_text(
        f"""dlspec 1
{DATA}
{MODEL}
train {{
  model = M
  data  = D
  batch = 4
  loss  = cross_entropy(logits, y, ignore = -1)
  phase one {{ duration = 1 steps; optimizer = SGD(0.1) }}
  phase two {{ duration = 1 steps; optimizer = SGD(0.01) }}
}}
""",
        encoding="utf-8",
    )
    checked = check(file)
    assert checked.spec is not None
    train = checked.spec.recipe.trains[0]
    losses = recipe_functions(checked.spec, train).losses
    assert [[function.name for function in row] for row in losses] == [["loss"], ["loss"]]
    assert recipe_source(checked.spec, train).count("def loss(") == 1
