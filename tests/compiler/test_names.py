"""Near names: what people mistype comes back to what they meant."""

from __future__ import annotations

import random
import string

import pytest

from dlc.compiler.names import edits, near, nearest

TABLES = {
    "kinds": "Linear Conv ConvTranspose Embedding BatchNorm LayerNorm GroupNorm InstanceNorm RMSNorm RNN GRU LSTM "
    "MultiHeadAttention Param Buffer",
    "functions": "relu silu tanh sigmoid hard_swish hard_sigmoid softplus identity gelu softmax leaky_relu elu dropout drop_path "
    "stop_grad cast add concat stack split chunk unbind split_heads merge_heads flatten squeeze expand take gather where pad "
    "roll pixel_shuffle topk scatter max_pool avg_pool global_avg_pool upsample sum mean max min var norm l2_normalize cumsum "
    "exp log sqrt abs sin cos floor clamp round_to zeros ones arange sinusoid randn rand randint bernoulli attention rope scan",
    "train": "model data inputs loss metrics optimizer group freeze step phase weights batch micro_batch duration validate keep "
    "stop clip precision seed ema mixup log runtime",
    "optimizers": "SGD Adam AdamW RMSprop Adagrad Adadelta Lion Muon",
    "losses": "cross_entropy bce nll focal kl_divergence mse l1_loss huber dice_loss triplet contrastive gradient_penalty l1",
    "init": "normal trunc_normal uniform zeros ones constant xavier_uniform xavier_normal kaiming_uniform kaiming_normal orthogonal",
    "export": "onnx train model inputs outputs precision opset fix preprocess quantize",
}  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "table", "meant"),
    [
        ("optimzer", "train", "optimizer"),
        ("optimiser", "train", "optimizer"),
        ("ReLU", "functions", "relu"),
        ("LeakyReLU", "functions", "leaky_relu"),
        ("Softmax", "functions", "softmax"),
        ("MaxPool", "functions", "max_pool"),
        ("batchnorm", "kinds", "BatchNorm"),
        ("layer_norm", "kinds", "LayerNorm"),
        ("Batch_Norm", "kinds", "BatchNorm"),
        ("adamw", "optimizers", "AdamW"),
        ("crossentropy", "losses", "cross_entropy"),
        ("CrossEntropyLoss", "losses", "cross_entropy"),
        ("microbatch", "train", "micro_batch"),
        ("metric", "train", "metrics"),
        ("batch_size", "train", "batch"),
        ("Conv2d", "kinds", "Conv"),
    ],
)
def test_meant(typed: str, table: str, meant: str) -> None:
    assert nearest(typed, TABLES[table].split()) == meant


@pytest.mark.parametrize("typed", ["banana", "xyz", "q", "nonsense_key", ""])
def test_nothing_near(typed: str) -> None:
    assert nearest(typed, TABLES["train"].split()) is None


def test_a_path_with_a_swap() -> None:
    assert nearest("c_porj", ["c_attn", "c_proj", "c_fc"]) == "c_proj"


def one_edit(name: str, rng: random.Random) -> str:
    i = rng.randrange(len(name))
    letter = rng.choice(string.ascii_lowercase)
    match rng.randrange(4):
        case 0:
            return name[:i] + name[i + 1 :]
        case 1:
            return name[:i] + letter + name[i:]
        case 2:
            return name[:i] + letter + name[i + 1 :]
        case _:
            return name[:i] + name[i + 1 : i + 2] + name[i : i + 1] + name[i + 2 :]


def test_one_edit_comes_back(record_figure: object) -> None:
    """Typos that are themselves words of the table, or as near to another word, cannot be told; they count as wrong."""
    rng = random.Random(0)
    right = total = 0
    for table in TABLES.values():
        candidates = table.split()
        for name in candidates:
            for _ in range(12):
                typed = one_edit(name, rng)
                if typed in candidates or not typed:
                    continue
                total += 1
                right += nearest(typed, candidates) == name
    record_figure("names.one_edit", 100 * right / total, "%")  # type: ignore[operator]
    assert right / total >= 0.95


def test_distance() -> None:
    assert edits("abcd", "abdc", 9) == 1
    assert edits("", "abc", 9) == 3
    assert edits("kitten", "sitting", 9) == 3
    assert edits("aaaaaaaa", "bbbbbbbb", 2) == 3


def test_several_in_order() -> None:
    assert near("nrm", ["norm", "num", "form", "nrmx"])[0] in ("norm", "nrmx")
    assert len(near("a", ["b", "c", "d", "e"])) == 0
