"""Generation with exported models: the same tokens with and without a cache, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import dlc
from dlc.runtime.api import export
from dlc.runtime.failure import BadInput
from dlc.runtime.inference.generate import TokenTexts, choose

GPT = """dlspec 1
block Layer(heads: int)(x: [B, T, D]) -> [B, T, D] {
  x += x -> ln_1: LayerNorm -> attn: MultiHeadAttention(heads, causal = true)
  x + (x -> ln_2: LayerNorm -> mlp: { Linear(4 * D) -> gelu -> Linear(D) })
}
model Gpt(tokens: i64[B, T <= 24]) -> (logits: [B, T, 31]) {
  x      = (tokens -> wte: Embedding(31, 16)) + (arange(T) -> wpe: Embedding(24, 16))
  logits = x -> h: repeat 2 { Layer(2) } -> head: Linear(31)
}
"""
PROMPT = [3, 1, 4, 1, 5]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    (folder / "gpt.dlspec").write_text(GPT, "utf-8")
    export(folder / "gpt.dlspec", folder / "plain.onnx")
    export(folder / "gpt.dlspec", folder / "cached.onnx", cached=True)
    return folder


def session(folder: Path, name: str) -> dlc.Session:
    return dlc.Session(folder / f"{name}.onnx", "cpu", threads=1)


def greedy(plain: dlc.Session, tokens: list[int], count: int) -> list[int]:
    """The likeliest tokens, by whole sequences."""
    tokens = list(tokens)
    for _ in range(count):
        tokens.append(int(plain(tokens=np.array([tokens]))["logits"][0, -1].argmax()))
    return tokens[-count:]


def test_the_same_tokens_with_and_without_a_cache(folder: Path) -> None:
    plain, cached = session(folder, "plain"), session(folder, "cached")
    wanted = greedy(plain, PROMPT, 19)
    assert len(set(wanted)) > 1
    assert list(cached.generate(PROMPT, 19)) == list(plain.generate(PROMPT, 19)) == wanted


def test_drawn_tokens_depend_on_the_seed_alone(folder: Path) -> None:
    plain, cached = session(folder, "plain"), session(folder, "cached")
    drawn = list(cached.generate(PROMPT, 19, temperature=1.0, seed=1))
    assert drawn == list(plain.generate(PROMPT, 19, temperature=1.0, seed=1))
    assert drawn != list(cached.generate(PROMPT, 19, temperature=1.0, seed=2))
    assert list(cached.generate(PROMPT, 19, temperature=9.0, top_k=1)) == list(cached.generate(PROMPT, 19))
    assert max(cached.generate(PROMPT, 40, temperature=9.0, below=7)) < 7


def test_beyond_the_context(folder: Path) -> None:
    """With room for 24 positions, what follows the 24th continues the later 12."""
    plain, cached = session(folder, "plain"), session(folder, "cached")
    found = list(cached.generate(PROMPT, 26))
    tokens = PROMPT + greedy(plain, PROMPT, 20)  # the 24 positions that fit, and the token after them
    tokens += greedy(plain, tokens[-12:], 6)
    assert found == tokens[5:]
    assert len(list(cached.generate(list(range(30)), 3))) == 3  # a prompt that is longer than the context


def test_one_position_a_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token costs one position, however long the past is."""
    from dlc.runtime.inference import generate

    counts: list[int] = []
    step = generate._Sequence._step
    monkeypatch.setattr(
        generate._Sequence, "_step", lambda self, tokens: counts.append(tokens.shape[1]) or step(self, tokens)
    )
    list(session(folder, "cached").generate(PROMPT, 6))
    assert counts == [5, 1, 1, 1, 1, 1]


def test_draws_follow_the_shares() -> None:
    random = np.random.default_rng(0)
    logits = np.log(np.array([0.1, 0.2, 0.7], np.float32))
    found = np.bincount([choose(logits, 1.0, None, random) for _ in range(4000)], minlength=3) / 4000
    np.testing.assert_allclose(found, [0.1, 0.2, 0.7], atol=0.03)
    assert {choose(logits, 1.0, 2, random) for _ in range(200)} == {1, 2}


def test_what_does_not_generate(folder: Path) -> None:
    cached = session(folder, "cached")
    with pytest.raises(BadInput, match="prompt is empty"):
        list(cached.generate([], 3))
    with pytest.raises(BadInput, match="temperature"):
        list(cached.generate(PROMPT, 3, temperature=-1))
    (folder / "m.dlspec").write_text(
        "dlspec 1\nmodel M(x: [B, 4]) -> (y: [B, 2]) { y = x -> fc: Linear(2) }\n", "utf-8"
    )
    export(folder / "m.dlspec", folder / "m.onnx", verify=False)
    with pytest.raises(BadInput, match="does not take tokens: its inputs are `x: float32"):
        list(session(folder, "m").generate(PROMPT, 3))


def test_texts_of_a_vocabulary(folder: Path) -> None:
    model: Any = onnx.load(folder / "cached.onnx")
    onnx.helper.set_model_props(
        model, {p.key: p.value for p in model.metadata_props} | {"dlc.vocabulary": json.dumps({"tokens": list("abc")})}
    )
    onnx.save(model, folder / "texts.onnx")
    texts = TokenTexts(session(folder, "texts"))
    assert texts.read("cab") == [2, 0, 1]
    assert "".join(map(texts.write, [2, 0, 1])) == "cab"
    with pytest.raises(BadInput, match="'x' 'y'"):
        texts.read("axy")
    assert TokenTexts(session(folder, "cached")).read("3 1") == [3, 1]
    with pytest.raises(BadInput, match="is not a list of token numbers"):
        TokenTexts(session(folder, "cached")).read("abc")


def test_the_loss_says_which_output_are_the_next_tokens(tmp_path: Path) -> None:
    """Neither output is called `logits`."""
    spec = tmp_path / "m.dlspec"
    spec.write_text(
        """dlspec 1
data D {
  source = builtin("python_docs")
  split  = contiguous(train = 0.9, val = 0.1)
  let window = source.tokens -> random_window(9)
  tokens:  i64[8] = window[:-1]
  targets: i64[8] = window[1:]
}
model M(tokens: i64[B, T]) -> (hidden: [B, T, 8], next: [B, T, 128]) {
  hidden = tokens -> wte: Embedding(128, 8)
  next   = hidden -> head: Linear(128)
}
train { model = M; data = D; loss = cross_entropy(next, targets); optimizer = AdamW(1e-3); batch = 4; duration = 1 steps }
""",
        "utf-8",
    )
    session = dlc.Session(dlc.export(spec, tmp_path / "m.onnx", verify=False).path, "cpu")
    tokens = list(session.generate([72, 101], 3))
    logits = session.predict({"tokens": np.array([[72, 101, *tokens[:2]]])})["next"]
    assert tokens == logits[0, 1:].argmax(-1).tolist()
