"""What holds for every generated file: formatted, lint-clean, compiled as one graph, with the table's parameters."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlc.backends.pytorch.load import load_source
from dlc.backends.pytorch.lowering import has_lowering
from dlc.backends.pytorch.module import class_name, module_source
from dlc.backends.pytorch.python import layout
from dlc.backends.pytorch.recipe import recipe_source
from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.catalogue.ops.sampling import sample_spec
from dlc.compiler.ir.expand import parameters
from dlc.compiler.ir.model import Spec
from dlc.compiler.sizes.dims import evaluate
from dlc.tests.sizes import thinned

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = ["tests/backends_pytorch/scopes.dlspec", "tests/backends_pytorch/std.dlspec"]
SPECS = [
    *(ROOT / path for path in HERE),
    *sorted((ROOT / "tests" / "language").rglob("*.dlspec")),
    *sorted((ROOT / "specs").glob("*.dlspec")),
]
PATHS = [str(path.relative_to(ROOT)) for path in SPECS]


def test_ruff_finds_nothing_to_change(example: Callable[[str], Spec], tmp_path: Path, sizes: Any) -> None:
    for at, path in enumerate(PATHS if sizes.full else PATHS[::6]):
        spec = example(path)
        for model in spec.models:
            (tmp_path / f"{at}_{model.name}.py").write_text(module_source(spec, model), encoding="utf-8")
        for train in spec.recipe.trains:
            (tmp_path / f"{at}_{train.name}_recipe.py").write_text(recipe_source(spec, train), encoding="utf-8")
    for name in filter(has_lowering, names(syntax=True)):
        operator = find(name)
        assert operator is not None
        for at, sample in enumerate(operator.samples):
            spec = sample_spec(operator, sample)
            (tmp_path / f"op_{name}_{at}.py").write_text(module_source(spec, spec.models[0]), encoding="utf-8")
    for command in (["format", "--diff"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", thinned(PATHS, 6))
def test_state_dict_is_the_parameter_table(path: str, example: Callable[[str], Spec]) -> None:
    spec = example(path)
    for model in spec.models:
        with torch.device("meta"):
            module: nn.Module = getattr(load_source(module_source(spec, model)), class_name(model))()
        have = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in module.state_dict().items()}
        want = {e.path: (e.shape, {"f32": torch.float32, "i64": torch.int64}[e.dtype]) for e in parameters(spec, model)}
        assert have == want
        trained = {name for name, _ in module.named_parameters()}
        assert trained == {entry.path for entry in parameters(spec, model) if not entry.buffer}


MODELS = [
    (path, name)
    for path in HERE
    for name in re.findall(r"^model (\w+)", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize(("path", "name"), MODELS)
def test_outputs_have_the_inferred_shapes(
    path: str, name: str, example: Callable[[str], Spec], instance: Callable[..., nn.Module]
) -> None:
    """In training and in evaluation."""
    spec = example(path)
    at = next(at for at, model in enumerate(spec.models) if model.name == name)
    module, body = instance(path, at), spec.body_of(spec.models[at])
    sizes = {"B": 2, "T": 5, "S": 3, "H": 9, "W": 11}
    inputs = [torch.rand([evaluate(size, sizes) for size in value.type.shape]) for value in body.inputs]
    for mode in (True, False):
        result = module.train(mode)(*inputs)
        outputs = [result] if isinstance(result, torch.Tensor) else list(result)
        want = [[evaluate(size, sizes) for size in body.value(r.value).type.shape] for r in body.outputs]
        assert [list(output.shape) for output in outputs] == want


INPUTS: dict[str, Callable[[], tuple[torch.Tensor, ...]]] = {
    "specs/digits_mlp.dlspec": lambda: (torch.rand(3, 1, 8, 8),),
    "specs/digits_cnn.dlspec": lambda: (torch.rand(3, 1, 8, 8),),
    "specs/digits_lstm.dlspec": lambda: (torch.rand(3, 1, 8, 8),),
    "specs/char_gpt.dlspec": lambda: (torch.randint(0, 99, (2, 17)),),
    "c_resnet50": lambda: (torch.rand(1, 3, 224, 224),),
    "e_gpt2": lambda: (torch.randint(0, 999, (1, 9)),),
    "g_bert": lambda: (torch.randint(0, 999, (1, 9)), torch.zeros(1, 9, dtype=torch.long)),
    "k_unet": lambda: (torch.rand(1, 3, 16, 32),),
    "blocks": lambda: (torch.randint(0, 99, (2, 5)),),
    "scan_emit": lambda: (torch.randint(0, 99, (2, 5)),),
    "i_vae": lambda: (torch.rand(2, 1, 28, 28),),
    "m_mobilenet_v3": lambda: (torch.rand(2, 3, 224, 224),),
}


@pytest.mark.parametrize("name", thinned(INPUTS, 6))
@torch._dynamo.config.patch(allow_rnn=True)  # without it Dynamo lets no nn.LSTM in
def test_one_graph_without_breaks(name: str, instance: Callable[..., nn.Module]) -> None:
    torch.compiler.reset()
    module = instance(name).eval()
    inputs = INPUTS[name]()
    with torch.no_grad():
        want = module(*inputs)
        have = torch.compile(module, fullgraph=True, backend="eager")(*inputs)
    torch.testing.assert_close(have, want)


@pytest.mark.parametrize("name", thinned(["specs/char_gpt.dlspec", "blocks", "specs/digits_mlp.dlspec", "i_vae"], 2))
def test_training_is_one_graph(name: str, instance: Callable[..., nn.Module]) -> None:
    torch.compiler.reset()
    module = instance(name).train()
    result = torch.compile(module, fullgraph=True, backend="aot_eager")(*INPUTS[name]())
    first = result if isinstance(result, torch.Tensor) else result[0]
    first.sum().backward()
    assert sum(p.grad is not None for p in module.parameters()) > 1


@pytest.mark.parametrize("name", ["specs/digits_mlp.dlspec", "specs/char_gpt.dlspec", "i_vae"])
def test_a_loss_is_one_graph(name: str, instance: Callable[..., nn.Module], example: Callable[[str], Spec]) -> None:
    """A step's loss with the model inside it, and its backward pass."""
    torch.compiler.reset()
    spec = example(name)
    train = spec.recipe.trains[0]
    module, recipe = instance(name).train(), load_source(recipe_source(spec, train), "recipe.py")
    (image,) = INPUTS[name]()
    batch = {value.name: image for value in spec.bodies[train.phases[0].updates[0].body].inputs}
    batch |= {"label": torch.tensor([0, 1, 2])} if "label" in batch else {}
    found = torch.compile(recipe.loss, fullgraph=True, backend="aot_eager")(module, batch)
    terms = found[0] if isinstance(found, tuple) else found
    terms.backward()
    assert sum(p.grad is not None for p in module.parameters()) > 1


def test_stack_traces_show_the_generated_line(instance: Callable[..., nn.Module]) -> None:
    module = instance("specs/digits_mlp.dlspec")
    with pytest.raises(RuntimeError) as failure:
        module(torch.rand(3, 1, 8, 9))
    assert any("self.fc1(image.flatten(1))" in str(entry.statement) for entry in failure.traceback)


def test_a_claim_about_sizes_is_checked_on_the_input(instance: Callable[..., nn.Module]) -> None:
    with pytest.raises(ValueError, match="expected T <= 64, got T = 65"):
        instance("specs/char_gpt.dlspec")(torch.zeros(1, 65, dtype=torch.long))
    with pytest.raises(ValueError, match="expected H % 16 == 0, got H = 17"):
        instance("k_unet")(torch.zeros(1, 3, 17, 32))


def test_a_broken_group_stays_one_value() -> None:
    """A comma at its end would make a tuple of it."""
    long = "first_operand_of_the_sum[:, None, :, None] * 7 + second_operand_of_the_sum[None, :, None, :]"
    lines = layout(f"self.table = ({long}).reshape(16, 16)", 8)
    assert len(lines) > 1
    tree = ast.parse("\n".join(line[8:] for line in lines))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Tuple) and len(node.elts) == 1]
