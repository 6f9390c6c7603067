"""`dlc import-weights --suggest`: the proposed map, put into the spec, loads the checkpoint, and both models answer the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import dlc
from dlc.cli.app import run
from dlc.compiler.ir.expand import parameters
from dlc.runtime.weights.mapping import ours_from

SPECS = Path(dlc.__file__).parent / "specs"
FOREIGN = Path(__file__).parent / "foreign"  # specs without a map
EXAMPLES = Path(__file__).resolve().parents[1] / "language" / "examples"


def transformers_model(model: str, config: str, **settings: Any) -> nn.Module:
    import transformers

    transformers.set_seed(0)
    settings = (
        {"bos_token_id": 1, "eos_token_id": 2, **settings} if config in ("GPT2Config", "LlamaConfig") else settings
    )
    return getattr(transformers, model)(getattr(transformers, config)(**settings)).eval()


def saved(module: nn.Module, file: Path) -> Path:
    """As libraries save it: one name for a tied tensor, names in alphabetical order."""
    seen: set[int] = set()
    kept: dict[str, Tensor] = {}
    for name, tensor in module.state_dict().items():
        if tensor.data_ptr() not in seen:
            kept[name] = tensor.contiguous()
        seen.add(tensor.data_ptr())
    save_file(kept, file)
    return file


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """`dlc import-weights SPEC FILE ..`, in this process."""

    def go(spec: Path, file: Path, *arguments: str, **settings: Any) -> Answer:
        capsys.readouterr()
        code = run(["import-weights", str(spec), str(file), *(f"{k}={v}" for k, v in settings.items()), *arguments])
        return Answer(code, *capsys.readouterr())

    return go


def with_map(spec: Path, section: str, tmp_path: Path) -> Path:
    """The spec with the proposed section instead of its own maps."""
    lines = spec.read_text("utf-8").splitlines()
    kept: list[str] = []
    inside = False
    for line in lines:
        inside = inside or line.startswith("weights ")
        if not inside:
            kept.append(line)
        elif line == "}":
            inside = False
    file = tmp_path / spec.name
    file.write_text("\n".join(kept) + "\n\n" + section, "utf-8")
    for other in spec.parent.glob("*.dlspec"):
        if not (tmp_path / other.name).exists():
            (tmp_path / other.name).write_text(other.read_text("utf-8"), "utf-8")
    return file


def imported(file: Path, settings: dict[str, Any], state: dict[str, Tensor]) -> nn.Module:
    """Our model with the foreign weights, through the map `theirs`."""
    spec = dlc.load(file, **settings)
    model = spec.spec.models[0]
    ours = ours_from(spec.spec.recipe.weight_map("theirs"), list(parameters(spec.spec, model)), state)
    module = spec.module().eval()
    module.load_state_dict(ours)
    return module


def close(ours: Tensor, theirs: Tensor) -> bool:
    return bool((ours - theirs).abs().max() <= 1e-5 * theirs.abs().max())


TOKENS = torch.randint(4, 97, (2, 9), generator=torch.Generator().manual_seed(0))
IMAGE = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
LARGE = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
LONG = torch.randint(4, 97, (2, 150), generator=torch.Generator().manual_seed(1))  # beyond the farthest distance of T5
SIZES = {"vocab": 97, "d": 32, "depth": 3, "heads": 4}


def statics(model: str, **more: Any) -> dict[str, Any]:
    return {f"{model}.{name}": value for name, value in (SIZES | more).items()}


def vit(num_labels: int = 3) -> nn.Module:
    return transformers_model(
        "ViTForImageClassification",
        "ViTConfig",
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        image_size=32,
        patch_size=8,
        num_labels=num_labels,
        layer_norm_eps=1e-6,
    )


def segformer() -> nn.Module:
    return transformers_model(
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        hidden_sizes=[16, 32, 40, 64],
        decoder_hidden_size=64,
        num_labels=7,
    )


CASES: dict[str, tuple[Path, dict[str, Any], Callable[[], nn.Module], Callable[[nn.Module], Tensor], tuple[Tensor, ...]]] = {
    "GPT-2": (
        SPECS / "gpt2.dlspec", {"ctx": 32, **statics("GPT2")},
        lambda: transformers_model("GPT2LMHeadModel", "GPT2Config", vocab_size=97, n_positions=32, n_embd=32, n_layer=3, n_head=4),
        lambda module: module(input_ids=TOKENS).logits, (TOKENS,),
    ),
    "BERT": (
        SPECS / "bert.dlspec", {"width": 24, **statics("BertMlm")},
        lambda: transformers_model("BertForMaskedLM", "BertConfig", vocab_size=97, hidden_size=32, num_hidden_layers=3,
                                   num_attention_heads=4, intermediate_size=128, max_position_embeddings=24),
        lambda module: module(input_ids=TOKENS).logits, (TOKENS,),
    ),
    "Llama": (
        SPECS / "llama3.dlspec", {"ctx": 32, **statics("Llama", kv_heads=2, hidden=56)},
        lambda: transformers_model("LlamaForCausalLM", "LlamaConfig", vocab_size=97, hidden_size=32, num_hidden_layers=3,
                                   num_attention_heads=4, num_key_value_heads=2, intermediate_size=56, rms_norm_eps=1e-5,
                                   rope_parameters={"rope_type": "default", "rope_theta": 500_000.0}),
        lambda module: module(input_ids=TOKENS).logits, (TOKENS,),
    ),
    "ViT": (
        SPECS / "vit_b16.dlspec", {"size": 32, "ViT.patch": 8, "ViT.d": 32, "ViT.depth": 2, "ViT.heads": 4, "ViT.classes": 3},
        vit,
        lambda module: module(pixel_values=IMAGE).logits, (IMAGE,),
    ),
    "SegFormer": (
        FOREIGN / "segformer.dlspec", {}, segformer, lambda module: module(pixel_values=LARGE).logits, (LARGE,),
    ),
    "T5": (
        FOREIGN / "t5.dlspec", {},
        lambda: transformers_model("T5ForConditionalGeneration", "T5Config", vocab_size=97, d_model=32, d_kv=8, d_ff=64,
                                   num_layers=2, num_heads=4),
        lambda module: module(input_ids=LONG, decoder_input_ids=TOKENS).logits, (LONG, TOKENS),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_of_transformers(case: str, tmp_path: Path, command: Callable[..., Answer]) -> None:
    spec, settings, make, answer, given = CASES[case]
    module = make()
    for tensor in module.parameters():  # constants (norms of ones, biases of zeros) would hide a swap
        torch.nn.init.normal_(tensor, std=0.2)
    file = saved(module, tmp_path / "model.safetensors")
    made = command(spec, file, "--suggest", **settings)
    assert made.code == 0, made.err
    assert "ignore" not in made.out
    ours = imported(with_map(spec, made.out, tmp_path), settings, load_file(file))
    with torch.no_grad():
        assert close(ours(*given), answer(module))


def test_a_layer_that_is_numbered_apart_from_its_stage(tmp_path: Path, command: Callable[..., Answer]) -> None:
    """SegFormer in the layout of its published files: `encoder.block.0.1`, but `encoder.layer_norm.0`."""
    module = segformer()
    for tensor in module.parameters():
        torch.nn.init.normal_(tensor, std=0.2)
    state = {published(name): tensor for name, tensor in module.state_dict().items()}
    file = tmp_path / "model.safetensors"
    save_file(state, file)
    made = command(FOREIGN / "segformer.dlspec", file, "--suggest")
    assert made.code == 0, made.err
    assert "ignore" not in made.out
    ours = imported(with_map(FOREIGN / "segformer.dlspec", made.out, tmp_path), {}, state)
    with torch.no_grad():
        assert close(ours(LARGE), module(pixel_values=LARGE).logits)


def published(name: str) -> str:
    for pattern, text in (
        (r"segformer\.stages\.(\d)\.patch_embeddings", r"segformer.encoder.patch_embeddings.\1"),
        (r"segformer\.stages\.(\d)\.blocks\.(\d)", r"segformer.encoder.block.\1.\2"),
        (r"segformer\.stages\.(\d)\.layer_norm", r"segformer.encoder.layer_norm.\1"),
        (r"layernorm_before", "layer_norm_1"), (r"layernorm_after", "layer_norm_2"), (r"attention\.q_proj", "attention.self.query"),
        (r"attention\.k_proj", "attention.self.key"), (r"attention\.v_proj", "attention.self.value"),
        (r"attention\.o_proj", "attention.output.dense"), (r"sequence_reduction\.sequence_reduction", "self.sr"),
        (r"sequence_reduction\.layer_norm", "self.layer_norm"), (r"mlp\.fc", "mlp.dense"), (r"linear_projections", "linear_c"),
    ):  # fmt: skip
        name = re.sub(pattern, text, name)
    return name


def test_one_tensor_under_several_names(tmp_path: Path, command: Callable[..., Answer]) -> None:
    """T5 keeps its embedding four times in a PyTorch file: three leaves are left out, and nothing else."""
    spec, _, make, _, _ = CASES["T5"]
    module = make()
    torch.save(module.state_dict(), tmp_path / "model.pt")
    made = command(spec, tmp_path / "model.pt", "--suggest")
    assert made.code == 0, made.err
    ignored = re.search(r"ignore = \[(.*)\]", made.out)
    assert ignored is not None
    assert set(re.findall(r'"([^"]*)"', ignored[1])) == {
        "decoder.embed_tokens.weight",
        "encoder.embed_tokens.weight",
        "lm_head.weight",
    }
    assert made.err.count("left out") == made.err.count("equal to shared.weight") == 3


def test_a_transformer_of_torch(tmp_path: Path, command: Callable[..., Answer]) -> None:
    """Its packed `in_proj` is sliced; the embedding it does not have is named, and the map is not complete."""
    module = nn.Transformer(64, 4, 2, 2, 96, batch_first=True)
    file = saved(module, tmp_path / "torch.safetensors")
    settings = {f"Transformer.{name}": value for name, value in {"heads": 4, "hidden": 96, "d": 64, "depth": 2}.items()}
    made = command(EXAMPLES / "h_transformer.dlspec", file, "--suggest", **settings)
    assert made.code == 1
    assert '"*.layers.*.self_attn.q_proj.weight"            <- "*.layers.*.self_attn.in_proj_weight"[:64]' in made.out
    assert '<- "decoder.layers.*.multihead_attn.in_proj_bias"[128:]' in made.out
    assert "no source for `embed.weight` [37000, 64]" in made.err
    assert "left out: encoder.norm.weight [64]" in made.err


def test_another_number_of_classes(tmp_path: Path, command: Callable[..., Answer]) -> None:
    spec, settings, _, _, _ = CASES["ViT"]
    file = saved(vit(num_labels=7), tmp_path / "model.safetensors")
    made = command(spec, file, "--suggest", **settings)
    assert made.code == 0
    assert '"head.*"               <- "classifier.*"' in made.out
    assert "size differs: head.weight is [7, 32] in the file, [3, 32] in the model" in made.err


def test_another_depth(tmp_path: Path, command: Callable[..., Answer]) -> None:
    spec, settings, make, _, _ = CASES["GPT-2"]
    file = saved(make(), tmp_path / "model.safetensors")
    made = command(spec, file, "--suggest", **settings | {"GPT2.depth": 2})
    assert made.code == 1
    assert "the proposed map is not complete" in made.err
    assert "no place for `h.2." in made.err


# ---- without --suggest -------------------------------------------------------------------------------------------------------


def test_the_table_of_a_map(tmp_path: Path, command: Callable[..., Answer]) -> None:
    spec, settings, make, _, _ = CASES["GPT-2"]
    file = saved(make(), tmp_path / "model.safetensors")
    done = command(spec, file, **settings)
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "model.safetensors fits GPT2 through `openai`: 40 tensors from 40, 0 ignored"
    assert "  h.*.attn.c_attn.weight  [96, 32]   <- h.*.attn.c_attn.weight.T   x 3" in done.out.splitlines()


def test_a_file_that_does_not_fit(tmp_path: Path, command: Callable[..., Answer]) -> None:
    spec, _, make, _, _ = CASES["GPT-2"]
    file = saved(make(), tmp_path / "model.safetensors")
    done = command(spec, file)
    assert done.code == 2
    assert "error[E0405]: `model.safetensors` does not fit:" in done.err


@pytest.mark.parametrize("arguments", [("--map", "opneai"), ("--model", "GPT3"), ("--suggest", "--model", "GPT3")])
def test_what_is_not_there(tmp_path: Path, arguments: tuple[str, ...], command: Callable[..., Answer]) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "m.safetensors")
    done = command(SPECS / "gpt2.dlspec", tmp_path / "m.safetensors", *arguments)
    assert done.code == 2
    assert "has no" in done.err


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_no_file_of_weights(tmp_path: Path, content: bytes | None, command: Callable[..., Answer]) -> None:
    if content is not None:
        (tmp_path / "m.safetensors").write_bytes(content)
    done = command(SPECS / "gpt2.dlspec", tmp_path / "m.safetensors", "--suggest")
    assert done.code == 2
    assert "m.safetensors" in done.err
    assert "internal error" not in done.err
