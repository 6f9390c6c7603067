"""Generated modules against modules written by hand or by others, with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlc.backends.pytorch.load import empty, load_source
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.check import check

EXAMPLES = Path(__file__).resolve().parent.parent / "language" / "examples"


def module(name: str, *overrides: str) -> nn.Module:
    checked = check(EXAMPLES / f"{name}.dlspec", overrides)
    assert checked.spec is not None, [d.message for d in checked.report.errors]
    model = checked.spec.models[0]
    return empty(getattr(load_source(module_source(checked.spec, model)), class_name(model)))


def same_outputs(ours: Callable[[], Tensor], theirs: Callable[[], Tensor], tolerance: float = 1e-5) -> None:
    with torch.no_grad():
        a, b = ours(), theirs()
    assert a.shape == b.shape
    assert float((a - b).abs().max()) <= tolerance * float(b.abs().max())


# ---- language models of transformers -----------------------------------------------------------------------------------


def test_gpt2() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=97, n_embd=48, n_layer=3, n_head=4, n_positions=32, attn_implementation="eager")
    torch.manual_seed(0)
    theirs = GPT2LMHeadModel(config).eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, 0.1, 0.2)
    ours = module("e_gpt2", "ctx=32", "GPT2.vocab=97", "GPT2.d=48", "GPT2.depth=3", "GPT2.heads=4").eval()
    weights = {name.removeprefix("transformer."): value for name, value in theirs.state_dict().items()}
    weights = {
        name: value.T if name.startswith("h.") and value.dim() == 2 else value
        for name, value in weights.items()
        if name != "lm_head.weight" and not name.endswith((".attn.bias", ".attn.masked_bias"))
    }
    ours.load_state_dict(weights)
    for length in (1, 17, 32):
        tokens = torch.randint(0, 97, (2, length))
        same_outputs(lambda tokens=tokens: ours(tokens), lambda tokens=tokens: theirs(tokens).logits)


def test_gpt2_gradients() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=61, n_embd=32, n_layer=2, n_head=2, n_positions=16, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
    )
    torch.manual_seed(1)
    theirs = GPT2LMHeadModel(config)
    statics = ("vocab=61", "d=32", "depth=2", "heads=2", "drop=0.0")
    ours = module("e_gpt2", "ctx=16", *(f"GPT2.{static}" for static in statics))
    have = {n.removeprefix("transformer."): v for n, v in theirs.named_parameters()}
    ours.load_state_dict({n: v.T if n.startswith("h.") and v.dim() == 2 else v for n, v in have.items()})
    tokens, targets = torch.randint(0, 61, (3, 16)), torch.randint(0, 61, (3, 16))
    F.cross_entropy(ours(tokens).flatten(0, 1), targets.flatten()).backward()
    F.cross_entropy(theirs(tokens).logits.flatten(0, 1), targets.flatten()).backward()
    for name, parameter in ours.named_parameters():
        want = have[name].grad
        assert want is not None
        assert parameter.grad is not None
        want = want.T if name.startswith("h.") and want.dim() == 2 else want
        torch.testing.assert_close(parameter.grad, want, rtol=1e-4, atol=1e-6)


def test_llama() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=89, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=5e5, tie_word_embeddings=False,
        attn_implementation="eager",
    )  # fmt: skip
    torch.manual_seed(0)
    theirs = LlamaForCausalLM(config).eval()
    sizes = ("vocab=89", "d=48", "depth=2", "heads=6", "kv_heads=2", "hidden=80")
    ours = module("f_llama3", "ctx=64", *(f"Llama.{size}" for size in sizes)).eval()
    ours.load_state_dict(theirs.state_dict())
    tokens = torch.randint(0, 89, (2, 23))
    same_outputs(lambda: ours(tokens), lambda: theirs(tokens).logits)


def test_bert() -> None:
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=71, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=24, attn_implementation="eager",
    )  # fmt: skip
    torch.manual_seed(0)
    theirs = BertForMaskedLM(config).eval()
    sizes = ("vocab=71", "d=32", "depth=2", "heads=4")
    ours = module("g_bert", "width=24", *(f"BertMlm.{size}" for size in sizes)).eval()
    weights = {n: v for n, v in theirs.state_dict().items() if "position_ids" not in n and "decoder" not in n}
    ours.load_state_dict(weights)
    tokens, segments = torch.randint(1, 71, (3, 20)), torch.randint(0, 2, (3, 20))
    tokens[1, 12:] = 0
    mask = (tokens != 0).long()
    same_outputs(lambda: ours(tokens, segments), lambda: theirs(tokens, mask, segments).logits)


# ---- modules written by hand -------------------------------------------------------------------------------------------


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        kept = self.downsample(x) if hasattr(self, "downsample") else x
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + kept)


class ResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for number, (width, count) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], 1):
            blocks: list[nn.Module] = []
            for at in range(count):
                blocks.append(Bottleneck(inputs, width, 2 if at == 0 and number > 1 else 1))
                inputs = 4 * width
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def test_resnet50() -> None:
    torch.manual_seed(0)
    theirs = ResNet50()
    theirs(torch.randn(2, 3, 64, 64))  # running statistics that are not 0 and 1
    ours = module("c_resnet50")
    ours.load_state_dict(theirs.state_dict())
    image = torch.randn(2, 3, 224, 224)
    same_outputs(lambda: ours.eval()(image), lambda: theirs.eval()(image))
    assert sum(p.numel() for p in ours.parameters()) == 25_557_032


def test_resnet50_gradients() -> None:
    torch.manual_seed(0)
    theirs, ours = ResNet50(), module("c_resnet50")
    ours.load_state_dict(theirs.state_dict())
    image = torch.randn(2, 3, 64, 64)
    for network in (ours, theirs):
        F.cross_entropy(network(image), torch.tensor([1, 999])).backward()
    want = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, want[name].grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("lengths", [[9, 9, 9], [9, 1, 4]])
def test_bidirectional_lstm_with_lengths(lengths: list[int]) -> None:
    """Every sequence alone, without its padding, gives what the padded batch gives."""
    sizes = ("vocab=50", "d=8", "hidden=6")
    ours = module("d_bilstm", *(f"BiLstm.{size}" for size in sizes)).eval()
    torch.manual_seed(0)
    for parameter in ours.parameters():
        nn.init.normal_(parameter, 0, 0.5)
    tokens = torch.randint(1, 50, (3, 9))
    for row, length in enumerate(lengths):
        tokens[row, length:] = 0
    with torch.no_grad():
        together = ours(tokens)
        alone = []
        for row, length in enumerate(lengths):
            _, (h, _) = nn.LSTM.forward(ours.lstm, ours.embed(tokens[row : row + 1, :length]))
            alone.append(ours.head(torch.cat((h[-2], h[-1]), dim=-1)))
    torch.testing.assert_close(together, torch.cat(alone))


def test_a_row_that_may_attend_to_nothing_gives_zero(built: Callable[..., nn.Module]) -> None:
    network = built("""
model M(q: [B, 2, T, 4], k: [B, 2, S, 4], mask: bool[B, 1, T, S]) -> (y: [B, 2, T, 4]) {
  y = attention(q, k, k, mask = mask, causal = true)
}
""")
    q, k = torch.randn(1, 2, 3, 4, requires_grad=True), torch.randn(1, 2, 5, 4)
    mask = torch.ones(1, 1, 3, 5, dtype=torch.bool)
    mask[0, 0, 1] = False
    y = network(q, k, mask)
    assert torch.equal(y[:, :, 1], torch.zeros(1, 2, 4))
    scores = q[:, :, :1] @ k[:, :, :3].mT / 2
    torch.testing.assert_close(y[:, :, :1], F.softmax(scores, -1) @ k[:, :, :3])  # row 0 of 3 sees 5 - 3 + 1 keys
    y.sum().backward()
    assert q.grad is not None
    assert not q.grad.isnan().any()
