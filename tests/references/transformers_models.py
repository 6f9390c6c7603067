"""Models of transformers that shipped specs equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .reference import Reference


def build(model: str, config: str, **settings: Any) -> nn.Module:
    """A model of transformers by the names of its classes."""
    import transformers

    return getattr(transformers, model)(getattr(transformers, config)(**settings))


def tokens(*names: str, vocab: int, sizes: tuple[int, ...] = (17, 13), padded: bool = False) -> dict[str, Tensor]:
    """Three sequences an input; `padded`: the second and third end early, behind them stands 0."""
    found: dict[str, Tensor] = {}
    for name, length in zip(names, sizes, strict=False):
        found[name] = torch.randint(4, vocab, (3, length))
        if padded:
            found[name][1, length // 2 :] = 0
            found[name][2, length - 3 :] = 0
    return found


def language(module: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {"logits": module(input_ids=given["tokens"], use_cache=False).logits}


def masked(module: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {"logits": module(input_ids=given["tokens"], attention_mask=(given["tokens"] != 0).long()).logits}


def translation(module: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = module(
        input_ids=given["src"],
        attention_mask=(given["src"] != 0).long(),
        decoder_input_ids=given["tgt"],
        decoder_attention_mask=(given["tgt"] != 0).long(),
        use_cache=False,
    )
    return {"logits": found.logits}


def small(model: str, **sizes: int) -> tuple[str, ...]:
    """Settings for sizes: `ctx` and `width` are parameters of a file, the others statics of its model."""
    return tuple(f"{name}={n}" if name in ("ctx", "width") else f"{model}.{name}={n}" for name, n in sizes.items())


GPT2 = {"medium": (1024, 24, 16), "large": (1280, 36, 20), "xl": (1600, 48, 25)}


def gpt2(**settings: int) -> Callable[[], nn.Module]:
    return partial(build, "GPT2LMHeadModel", "GPT2Config", **settings)


def bert(model: str, **settings: int) -> Callable[[], nn.Module]:
    return partial(build, model, "BertConfig", **settings)


def marian() -> nn.Module:
    model = build(
        "MarianMTModel",
        "MarianConfig",
        vocab_size=97,
        d_model=32,
        encoder_layers=3,
        decoder_layers=3,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=56,
        decoder_ffn_dim=56,
        max_position_embeddings=24,
        activation_function="relu",
        scale_embedding=True,
        pad_token_id=0,
        eos_token_id=3,
        forced_eos_token_id=3,
        decoder_start_token_id=2,
    )
    bias = model._buffers.pop("final_logits_bias")  # not trained there; as a parameter its gradient can be compared
    assert bias is not None
    model.register_parameter("final_logits_bias", nn.Parameter(bias))
    return model


_BERT = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 24,
}
_LLAMA = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
          "num_key_value_heads": 2, "intermediate_size": 56, "rms_norm_eps": 1e-5,
          "tie_word_embeddings": False}  # fmt: skip
_SIZES = {"vocab": 97, "d": 32, "depth": 3}

REFERENCES: list[Reference] = [
    Reference(
        spec="gpt2", library="transformers", name="transformers.GPT2LMHeadModel", weights="openai",
        overrides=small("GPT2", ctx=32, heads=4, **_SIZES), parameters=124_439_808, gradients=True,
        make=gpt2(vocab_size=97, bos_token_id=1, eos_token_id=2, n_positions=32, n_embd=32, n_layer=3, n_head=4),
        inputs=partial(tokens, "tokens", vocab=97), answers=language,
    ),
    Reference(
        spec="gpt2", library="transformers", name="transformers.GPT2LMHeadModel", weights="openai",
        parameters=124_439_808, make=gpt2(), inputs=partial(tokens, "tokens", vocab=50257), answers=language, full=True,
    ),
    Reference(
        spec="bert", library="transformers", name="transformers.BertForMaskedLM", weights="google",
        overrides=small("BertMlm", width=24, heads=4, **_SIZES), parameters=109_514_298, gradients=True,
        make=bert("BertForMaskedLM", **_BERT), inputs=partial(tokens, "tokens", vocab=97, padded=True), answers=masked,
    ),
    Reference(
        spec="bert", library="transformers", name="transformers.BertForMaskedLM", weights="google",
        parameters=109_514_298, make=bert("BertForMaskedLM"), answers=masked, full=True,
        inputs=partial(tokens, "tokens", vocab=30522, padded=True),
    ),
    Reference(
        spec="bert_classifier", library="transformers", name="transformers.BertForSequenceClassification",
        overrides=small("BertClassifier", width=24, heads=4, **_SIZES), weights="google", gradients=True,
        make=bert("BertForSequenceClassification", num_labels=6, **_BERT),
        inputs=partial(tokens, "tokens", vocab=97, padded=True), answers=masked,
    ),
    Reference(
        spec="transformer", library="transformers", name="transformers.MarianMTModel", weights="marian", gradients=True,
        overrides=small("Transformer", width=24, heads=4, hidden=56, **_SIZES),
        make=marian,
        inputs=partial(tokens, "src", "tgt", vocab=97, padded=True), answers=translation,
    ),
    Reference(
        spec="llama3", library="transformers", name="transformers.LlamaForCausalLM", gradients=True,
        overrides=small("Llama", ctx=32, heads=4, kv_heads=2, hidden=56, **_SIZES), parameters=8_030_261_248,
        make=partial(build, "LlamaForCausalLM", "LlamaConfig", rope_parameters={"rope_type": "default", "rope_theta": 5e5}, **_LLAMA),
        inputs=partial(tokens, "tokens", vocab=97), answers=language,
    ),
    Reference(
        spec="mixtral", library="transformers", name="transformers.MixtralForCausalLM", gradients=True,
        overrides=small("Mixtral", ctx=32, heads=4, kv_heads=2, experts=4, active=2, hidden=56, **_SIZES),
        parameters=46_702_792_704,
        make=partial(
            build, "MixtralForCausalLM", "MixtralConfig", num_local_experts=4, num_experts_per_tok=2,
            sliding_window=None, experts_implementation="eager", rope_parameters={"rope_type": "default", "rope_theta": 1e6}, **_LLAMA,
        ),
        inputs=partial(tokens, "tokens", vocab=97), answers=language,
    ),
    Reference(
        spec="mamba", library="transformers", name="transformers.MambaForCausalLM", weights="state_spaces", gradients=True,
        overrides=small("Mamba", ctx=32, **_SIZES), parameters=129_135_360,
        make=partial(build, "MambaForCausalLM", "MambaConfig", vocab_size=97, hidden_size=32, num_hidden_layers=3),
        inputs=partial(tokens, "tokens", vocab=97), answers=language,
    ),
    Reference(
        spec="mamba", library="transformers", name="transformers.MambaForCausalLM", weights="state_spaces", parameters=129_135_360, full=True,
        # at the default of 0.1 24 layers enlarge rounding a thousandfold: float32 is then 3e-4 from float64 on either side
        make=partial(build, "MambaForCausalLM", "MambaConfig", vocab_size=50280, num_hidden_layers=24, initializer_range=0.02),
        inputs=partial(tokens, "tokens", vocab=50280), answers=language,
    ),
]  # fmt: skip
