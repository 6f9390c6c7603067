"""A generated model at other sizes is the model of the spec at these sizes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlc.backends.pytorch.load import empty, load_source
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.check import check
from dlc.compiler.ir.model import Model, Spec
from dlc.compiler.sizes.dims import evaluate
from dlc.tests.sizes import thinned

from .conftest import ROOT, filled

SPECS = sorted(path.stem for path in (ROOT / "specs").glob("*.dlspec"))
#: Statics that are no argument, because no expression of the forms that are tried gives their numbers.
FIXED = {
    ("bilstm", "layers"),  # more layers are more parameters
    ("sunspots_tcn", "channels"),  # of one channel the first block needs no shortcut
}
#: Parameters of the file that are arguments, by model.
PARAMS = {
    "BertMlm": ["width"],
    "CharGpt": ["ctx"],
    "Clip": ["size", "ctx", "vocab"],
    "Generator": ["latent"],
    "DigitsMlp": ["hidden"],
    "GPT2": ["ctx"],
    "Llama": ["ctx"],
    "Mamba": ["ctx"],
    "Mixtral": ["ctx"],
    "MobileNetV3": ["momentum"],
    "Transformer": ["width"],
    "Vae": ["latent"],
    "Vgg16": ["size"],
    "ViT": ["size"],
}
#: Other sizes, none of which was looked at to find the expressions.
SIZES: dict[str, list[dict[str, Any]]] = {
    "autoencoder": [{"hidden": 24}, {"size": 12}],
    "bert": [{"width": 11, "d": 24, "heads": 3}, {"vocab": 90, "d": 24, "depth": 2, "heads": 3, "drop": 0.0}, {"vocab": 77, "d": 28, "depth": 1, "heads": 2}],
    "bert_classifier": [{"vocab": 90, "d": 24, "depth": 2, "heads": 3, "classes": 4}],
    "bilstm": [{"vocab": 90, "d": 20, "hidden": 12, "classes": 3}],
    "breast_cancer": [{"classes": 5}],
    "char_gpt": [{"ctx": 9, "d": 24, "depth": 1}, {"vocab": 90, "d": 24, "depth": 2, "heads": 3}],
    "clip": [{"ctx": 8, "vocab": 70, "depth": 1, "size": 72}, 
        {"dim": 20, "depth": 1, "width": 24, "heads": 3, "text_width": 28, "text_heads": 2, "patch": 56},
        {"dim": 12, "depth": 2, "width": 8, "heads": 1, "text_width": 32, "text_heads": 8, "patch": 28},
    ],
    "dcgan": [{"latent": 7}, {"width": 12}],
    "ddpm": [{"width": 24}],
    "digits_cnn": [{"width": 20, "classes": 3}],
    "digits_lstm": [{"hidden": 20, "classes": 3}],
    "digits_mlp": [{"hidden": 20, "classes": 4}, {"classes": 7}],
    "distillation": [{"hidden": 20}],
    "efficientnet_b0": [{"classes": 5, "drop": 0.4, "width": 0.35}],
    "finetune": [{"width": 12, "classes": 5}],
    "gpt2": [{"ctx": 6, "d": 36, "depth": 1}, {"vocab": 90, "d": 64, "depth": 2, "heads": 4}, {"vocab": 90, "d": 60, "depth": 3, "heads": 5, "drop": 0.0}],
    "lenet5": [{"classes": 4}],
    "llama3": [{"ctx": 7, "d": 32, "depth": 1, "vocab": 90, "heads": 4, "kv_heads": 2}, 
        {"vocab": 90, "d": 48, "depth": 2, "heads": 6, "kv_heads": 3, "hidden": 20, "theta": 100.0},
        {"vocab": 90, "d": 32, "depth": 1, "heads": 4, "kv_heads": 4, "hidden": 28},
    ],
    "mamba": [{"ctx": 6, "d": 20, "depth": 1}, {"vocab": 90, "d": 20, "depth": 2, "state": 5, "kernel": 3}, {"vocab": 90, "d": 39, "depth": 1}],
    "mixtral": [{"ctx": 11, "depth": 1, "d": 32, "vocab": 80, "hidden": 20, "heads": 4, "kv_heads": 2}, 
        {"vocab": 90, "d": 48, "depth": 2, "heads": 6, "kv_heads": 3, "hidden": 20, "experts": 5, "active": 3},
    ],
    "mobilenet_v3": [{"momentum": 0.3, "width": 0.4}, {"classes": 5, "width": 1.1}],
    "resnet18": [{"classes": 5, "width": 12}],
    "resnet50": [{"classes": 5, "width": 10}],
    "seq2seq": [{"vocab": 90, "d": 20, "hidden": 12, "drop": 0.0}],
    "sunspots_gru": [{"hidden": 12}],
    "transformer": [{"width": 13, "d": 24, "depth": 1, "heads": 3}, {"vocab": 90, "d": 24, "depth": 2, "heads": 3, "hidden": 20}],
    "unet": [{"classes": 3, "width": 6}],
    "vae": [{"latent": 3}, {"hidden": 20}],
    "vgg16": [{"classes": 3, "width": 6, "hidden": 20, "size": 100}, {"width": 5, "hidden": 20, "size": 64}],
    "vit_b16": [{"classes": 3, "patch": 16, "d": 24, "depth": 2, "heads": 3, "size": 100}, {"patch": 32, "d": 28, "depth": 1, "heads": 2}],
    "wgan_gp": [{"latent": 5, "width": 6}, {"width": 6}],
}  # fmt: skip
CASES = [(name, at) for name, rows in SIZES.items() for at in range(len(rows))]


def made(model: Model, source: str, **sizes: Any) -> nn.Module:
    kind: Callable[..., nn.Module] = getattr(load_source(source), class_name(model))
    return empty(lambda: kind(**sizes))  # type: ignore[arg-type]


def inputs_of(spec: Spec, model: Model) -> list[torch.Tensor]:
    """Random inputs: 2 examples, sequences of 6, images of 32 x 48."""
    letters = {"B": 2, "T": 6, "S": 7, "H": 32, "W": 48}
    found: list[torch.Tensor] = []
    for value in spec.body_of(model).inputs:
        shape = [evaluate(size, letters) for size in value.type.shape]
        found.append(torch.randint(1, 50, shape) if value.type.dtype == "i64" else torch.rand(shape))
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped specs without their recipes, which hold models to the classes of their data."""
    folder = tmp_path_factory.mktemp("models")
    for path in (ROOT / "specs").glob("*.dlspec"):
        text = re.split(r"^(?:train|search|variant|export|weights)\b", path.read_text("utf-8"), flags=re.MULTILINE)[0]
        (folder / path.name).write_text(text, "utf-8")
    return folder


def resized_spec(models: Path, name: str, model: Model, chosen: dict[str, Any]) -> tuple[Spec, Model]:
    """The IR of a model at other sizes."""
    statics = {key: value for key, value in model.statics.items() if isinstance(value, (int, float))}
    statics |= {key: value for key, value in chosen.items() if key in statics}
    given = [f"{model.name}.{key}={str(value).lower()}" for key, value in statics.items()]
    given += [f"{key}={value}" for key, value in chosen.items() if key not in statics]
    own = re.compile(rf"^model {model.name}\b", re.MULTILINE)
    home = next(p for p in (models / f"{name}.dlspec", *sorted(models.iterdir())) if own.search(p.read_text("utf-8")))
    checked = check(home, given)
    assert checked.spec is not None, [diagnostic.message for diagnostic in checked.report.errors]
    found = next(other for other in checked.spec.models if other.name == model.name)
    return checked.spec, found


@pytest.mark.parametrize(("name", "at"), thinned(CASES, 3))
def test_other_sizes_are_those_of_the_spec(name: str, at: int, example: Callable[[str], Spec], models: Path) -> None:
    spec, sizes = example(f"specs/{name}.dlspec"), SIZES[name][at]
    for model in spec.models:
        known = [*model.statics, *PARAMS.get(model.name, [])]
        chosen = {key: value for key, value in sizes.items() if key in known}
        wanted_spec, wanted_model = resized_spec(models, name, model, chosen)
        plain = module_source(wanted_spec, wanted_model, resizable=False)
        wanted = filled(made(wanted_model, plain)).eval()
        have = made(model, module_source(spec, model), **chosen)
        have.load_state_dict(wanted.state_dict(), strict=True)
        inputs = inputs_of(wanted_spec, wanted_model)
        with torch.no_grad():
            assert_equal(have.eval()(*inputs), wanted(*inputs))
            torch.manual_seed(0)
            trained = have.train()(*inputs)
            torch.manual_seed(0)
            assert_equal(trained, wanted.train()(*inputs))
        assert_equal(list(have.state_dict().values()), list(wanted.state_dict().values()))


def assert_equal(have: Any, want: Any) -> None:
    if isinstance(have, torch.Tensor):
        assert torch.equal(have, want)
        return
    for one, other in zip(have, want, strict=True):
        assert_equal(one, other)


@pytest.mark.parametrize("name", thinned(SPECS, 3))
def test_every_numeric_static_is_an_argument_with_its_value(name: str, example: Callable[[str], Spec]) -> None:
    spec = example(f"specs/{name}.dlspec")
    for model in spec.models:
        module = load_source(module_source(spec, model))
        arguments = inspect.signature(getattr(module, class_name(model))).parameters
        numbers = {k: v for k, v in model.statics.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
        wanted = {key: value for key, value in numbers.items() if (name, key) not in FIXED}
        wanted |= {key: spec.params[key] for key in PARAMS.get(model.name, []) if key in spec.params}
        assert {key: one.default for key, one in arguments.items()} == wanted


@pytest.mark.parametrize("name", thinned(SPECS, 3))
def test_defaults_give_the_plain_model(name: str, example: Callable[[str], Spec]) -> None:
    spec = example(f"specs/{name}.dlspec")
    for model in spec.models:
        with torch.device("meta"):
            modules = [
                getattr(load_source(module_source(spec, model, resizable=way)), class_name(model))()
                for way in (True, False)
            ]
        have, want = ({k: tuple(v.shape) for k, v in module.state_dict().items()} for module in modules)
        assert list(have.items()) == list(want.items())


def signature(source: str, name: str) -> dict[str, Any]:
    arguments = inspect.signature(getattr(load_source(source), name)).parameters
    return {key: one.default for key, one in arguments.items()}


def test_a_variant_and_overrides_are_the_defaults_and_a_stored_ir_says_the_same() -> None:
    checked = check(ROOT / "specs" / "gpt2.dlspec", ["GPT2.d=96", "ctx=32"], variant="small")
    assert checked.spec is not None
    stored = Spec.model_validate_json(checked.spec.model_dump_json())
    source = module_source(stored, stored.models[0])
    assert source == module_source(checked.spec, checked.spec.models[0])
    assert signature(source, "GPT2") == {"vocab": 128, "d": 96, "depth": 4, "heads": 4, "drop": 0.0, "ctx": 32}
    assert "nn.Embedding(ctx, d)" in source


def test_files_around_the_spec_are_read_again_from_the_ir(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("", "utf-8")
    (tmp_path / "lib.dlspec").write_text(
        "dlspec 1\nblock Ff(h: int)(x: [B, D]) -> [B, D] { x -> up: Linear(2 * h) -> relu -> down: Linear(D) }\n",
        "utf-8",
    )
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "m.dlspec").write_text(
        'dlspec 1\nfrom "../../lib.dlspec" import Ff\n'
        "model M(h = 6, n = 2)(x: [B, 4]) -> (y: [B, 4]) { y = x -> fs: repeat n { Ff(h) } }\n",
        "utf-8",
    )
    spec = check(folder / "m.dlspec").spec
    assert spec is not None
    (tmp_path / "lib.dlspec").unlink()
    source = module_source(spec, spec.models[0])
    assert signature(source, "M") == {"h": 6, "n": 2}
    assert "nn.Linear(4, 2 * h)" in source


def test_without_the_texts_sizes_are_numbers(example: Callable[[str], Spec]) -> None:
    spec = example("specs/gpt2.dlspec").model_copy(update={"sources": ()})
    source = module_source(spec, spec.models[0])
    assert signature(source, "GPT2") == {}
    assert "nn.Embedding(50257, 768)" in source


@pytest.mark.parametrize(
    ("statics", "body", "free"),
    [
        ("n = 8", "Linear((n + 3) // 4 * 4)", {"n"}),  # rounded up, as the author spells it
        ("n = 8", "Linear((n + 3) // 4)", {"n"}),
        ("n = 8", "Linear(min(n, 100))", {"n"}),
        ("n = 8", "Linear(max(4, n - 3)) -> Linear(floor(n / 2) + 1)", {"n"}),
        ("w = 1.0", "Linear(round_to(40 * w, 8)) -> Linear(4 * round_to(10 * w, 8))", {"w"}),
        ("w = 1.0", "for (a, b) in [(40, 1), (24, 2)] { Linear(round_to(a * w, 8)) -> Linear(b) }", {"w"}),
        ("n = 4", "dropout(1 / sqrt(n)) -> Linear(floor(exp(n / 4)))", {"n"}),
        ("math = 9", "Linear(floor(sqrt(math)))", set()),  # the name is taken
        ("n = 8", "if n > 4 { Linear(n) -> relu } else { Linear(n) }", set()),
        ("n = 8, m = 3", "Linear(n * m) -> Linear(2 * n + m)", {"n", "m"}),
        ("n = 8, m = 2", "Linear(n // m)", {"n", "m"}),
    ],
)
def test_only_what_holds_at_every_size_is_an_argument(statics: str, body: str, free: set[str], tmp_path: Path) -> None:
    file = tmp_path / "m.dlspec"
    file.write_text(f"dlspec 1\nmodel M({statics})(x: [B, 4]) -> (y: [B, _]) {{ y = x -> {body} }}\n", "utf-8")
    spec = check(file).spec
    assert spec is not None
    assert set(signature(module_source(spec, spec.models[0]), "M")) == free


def test_a_model_holds_its_input_to_the_parameter_it_was_made_with(example: Callable[[str], Spec]) -> None:
    spec = example("specs/gpt2.dlspec")
    model = made(spec.models[0], module_source(spec, spec.models[0]), vocab=90, d=12, depth=1, heads=2, ctx=5).eval()
    assert model(torch.zeros(1, 5, dtype=torch.int64)).shape == (1, 5, 90)
    with pytest.raises(ValueError, match="expected T <= 5, got T = 6"):
        model(torch.zeros(1, 6, dtype=torch.int64))


@pytest.mark.parametrize(
    ("params", "statics", "body", "free"),
    [
        ("p = 8", "", "Linear(p)", {"p"}),
        ("p = 8", "n = 3", "Linear(n) -> Linear(2 * p)", {"n", "p"}),
        ("p = 8\nparam q = 2 * p", "", "Linear(q)", {"p"}),  # `q` follows from `p`
        ("p = 8", "n = 2 * p", "Linear(n)", {"n"}),  # what the static is else
        ("p = 8", "n = 3", "Linear(n)", {"n"}),
        ("p = 8", "", "if p > 4 { Linear(p) -> relu } else { Linear(p) }", set()),
        ("p = true", "", "Linear(4, bias = p)", set()),
    ],
)
def test_parameters_of_the_file_are_arguments(
    params: str, statics: str, body: str, free: set[str], tmp_path: Path
) -> None:
    file = tmp_path / "m.dlspec"
    head = f"M({statics})" if statics else "M"
    text = f"dlspec 1\nparam {params}\nmodel {head}(x: [B, 4]) -> (y: [B, _]) {{ y = x -> {body} }}\n"
    file.write_text(text, "utf-8")
    spec = check(file).spec
    assert spec is not None
    assert set(signature(module_source(spec, spec.models[0]), "M")) == free


def test_blocks_call_a_parameter_of_the_file_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "m.dlspec"
    file.write_text(
        "dlspec 1\nparam rate = 0.2\nblock Ff(h: int)(x: [B, D]) -> [B, D] { x -> a: Linear(h) -> dropout(rate) -> b: Linear(D) }\n"
        "model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> one: Ff(8) -> two: Ff(6) }\n",
        "utf-8",
    )
    spec = check(file).spec
    assert spec is not None
    source = module_source(spec, spec.models[0])
    assert "def __init__(self, h, rate):" in source
    assert "self.one = Ff(8, rate)" in source
