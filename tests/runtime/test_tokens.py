"""Tokenizers that are learned or read, streams of their tokens, and chats: what reaches a model."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dlc
from dlc.runtime.data import kept_tokens, sentencepiece, tokenizing
from dlc.runtime.data.arrays.batches import InputPipeline
from dlc.runtime.data.feed import Feed
from dlc.runtime.data.table import Table
from dlc.runtime.inference import prompts
from dlc.runtime.inference.records import tables

FOREIGN = Path(__file__).parent / "foreign"
LINES = ["the cat sat on the mat", "the dog sat on the log", "an ounce of gold", "thé naïve cat"] * 6
TRAINED: dict[str, Any] = {"train": 300, "path": None, "bos": None, "eos": None, "first": None}


def write_rows(workspace: Any, lines: list[str]) -> None:
    workspace.write("rows.jsonl", "".join(json.dumps({"text": line}) + "\n" for line in lines))


def tokenizer_of(data: Any, op: str) -> str:
    node = next(node for node in data.section.nodes if node.op == op)
    return data.graph.fitted[node.id]["tokenizer"]


def test_tokens_that_are_learned(workspace) -> None:
    write_rows(workspace, LINES)
    body = """source = jsonl("rows.jsonl")\nsplit = contiguous(train = 0.5, val = 0.5)
        t: i64[T <= 40] = source.text -> bpe(train = 290, bos = 2, eos = 3) -> pad(0)"""
    data = workspace.open(body)
    found = workspace.everything(body, "val")["t"].numpy()
    made = tokenizing.loaded(tokenizer_of(data, "bpe"), True)
    assert made.size == 290
    for row, line in zip(found, LINES[12:], strict=True):
        tokens = row[row > 0]
        assert tokens[0] == 2 and tokens[-1] == 3
        assert made.decode(tokens) == line
        assert len(tokens) - 2 < len(line.encode())  # pairs were learned
    write_rows(workspace, [*LINES[:12], *("zebra zebra zebra" for _ in range(12))])
    assert tokenizer_of(workspace.open(body), "bpe") == tokenizer_of(data, "bpe")


@pytest.mark.parametrize(
    ("learn", "digest"),
    [
        (lambda: tokenizing.learn_bpe(LINES, ["<|end|>"], TRAINED), "bpe"),
        (lambda: tokenizing.learn_wordpiece(LINES, 60), "wordpiece"),
    ],
    ids=["bpe", "wordpiece"],
)
def test_the_same_tokens_for_the_same_texts(learn: Any, digest: str) -> None:
    """Also in another process: the numbers are these."""
    first = learn()
    assert first == learn()
    assert hashlib.sha256(first.encode()).hexdigest()[:16] == DIGESTS[digest]


DIGESTS = {"bpe": "eff9cc04cc13fbae", "wordpiece": "66674af0fa0d080f"}


def test_words_in_pieces_that_are_learned(workspace) -> None:
    write_rows(workspace, LINES)
    body = """source = jsonl("rows.jsonl")\nsplit = all("train")
        let pair = (source.text, source.text) -> wordpiece(train = 60, pairs = true, max = 9)
        t: i64[T] = source.text -> wordpiece(train = 60) -> pad(0)
        ids: i64[S] = pair.ids -> pad(0)
        segments: i64[S] = pair.segments -> pad(0)"""
    batch = workspace.everything(body)
    made = tokenizing.loaded(tokenizer_of(workspace.open(body), "wordpiece"), True)
    names = [made.made.id_to_token(int(number)) for number in batch["t"][0]]
    assert names[0] == "[CLS]" and "[SEP]" in names and "the" in names
    assert made.decode(batch["t"][0].tolist()) == LINES[0]
    assert made.decode(batch["t"][3].tolist()) == "the naive cat"  # as BERT: lower case, without accents
    assert batch["ids"].shape[1] == 9 and set(batch["segments"][0].tolist()) == {0, 1}


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_models_of_sentencepiece(workspace, kind: str) -> None:
    """The ids are those that SentencePiece 0.2.3 gives, which also made the models."""
    known = json.loads((FOREIGN / "sentencepiece.json").read_text("utf-8"))
    (workspace.path / "m.model").write_bytes((FOREIGN / f"{kind}.model").read_bytes())
    write_rows(workspace, [text for text in known["texts"] if text])
    batch = workspace.everything(
        """source = jsonl("rows.jsonl")\nsplit = all("train")
        t: i64[T] = source.text -> tokenizer("m.model", eos = 2) -> pad(-1)"""
    )
    wanted = [ids for ids in known["ids"][f"{kind}.model"] if ids]
    assert [[n for n in row if n >= 0] for row in batch["t"].tolist()] == [[*ids, 2] for ids in wanted]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_damaged_models_of_sentencepiece(kind: str) -> None:
    content = (FOREIGN / f"{kind}.model").read_bytes()
    draws = np.random.default_rng(0)
    refused = 0
    for number in range(60):
        damaged = bytearray(content[: int(draws.integers(0, len(content)))] if number % 2 else content)
        for at in draws.integers(0, max(len(damaged), 1), 3 if damaged else 0):
            damaged[at] = draws.integers(0, 256)
        try:
            model = sentencepiece.read(bytes(damaged))
            made = tokenizing.guarded(partial(sentencepiece.tokenizer, model))
            tokenizing.loaded(made.to_str(), True).encode(["the yield statement"])
        except (sentencepiece.NotAModel, tokenizing.Unusable) as why:
            refused += 1
            assert str(why)
    assert refused > 10


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.json", b"{", "`t.json` is not a tokenizer: EOF"),
        ("t.json", b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}}', "`t.json` is not a tokenizer"),
        ("t.json", b"\xff\xfe", "t.json:1: not UTF-8"),
        ("t.model", b"\x0a\x05", "`t.model` is not a model of SentencePiece: it ends within a field"),
        ("t.model", b"", "`t.model` is not a model of SentencePiece: it has no pieces"),
        ("none.json", None, "there is no file `none.json`"),
    ],
)  # fmt: skip
def test_files_that_are_no_tokenizers(workspace, name: str, content: bytes | None, said: str) -> None:
    write_rows(workspace, LINES)
    if content is not None:
        (workspace.path / name).write_bytes(content)
    found = workspace.mistake(
        f"""source = jsonl("rows.jsonl")\nsplit = all("train")
        t: i64[T] = source.text -> tokenizer("{name}") -> pad(0)"""
    )
    assert found.startswith(f"E0412: {said}"), found


def library_file(model: dict[str, Any], **more: Any) -> str:
    """The text of a `tokenizer.json`."""
    rest = ("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder")
    return json.dumps({"version": "1.0", "added_tokens": [], **dict.fromkeys(rest), "model": model} | more)


def table(content: bytes) -> dict[str, Any]:
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(content).decode()}


BYTE_PAIRS: dict[str, Any] = {"type": "BPE", "vocab": {"a": 0}, "merges": []}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (library_file({"type": "WordLevel", "vocab": {"a": 2**31}, "unk_token": "a"}), "number 2,147,483,648"),
        (library_file({"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0], ["b" * 10**6, 0.0]]}), "1,000,000 characters"),
        (library_file(BYTE_PAIRS | {"vocab": {"a": 0, "b" * 2000: 1}}), "2,000 characters"),
        (library_file(BYTE_PAIRS, added_tokens=[{"id": 2**30, "content": "b"}]), "number 1,073,741,824"),
        (library_file(BYTE_PAIRS).replace('"a": 0', '"a": 0, "a": 2147483647'), "given twice"),
        (library_file(BYTE_PAIRS, normalizer=table(b"\xff" * 100)), "table of characters is damaged"),
        (library_file(BYTE_PAIRS, normalizer={"type": "Sequence", "normalizers": [table(b"\xff" * 100)]}), "table of characters"),
    ],
)  # fmt: skip
def test_what_would_end_the_process(text: str, said: str) -> None:
    """The library would use up memory or stack, of which nothing is caught."""
    with pytest.raises(tokenizing.Unusable, match=said):
        tokenizing.loaded(text, False)


def message(*fields: tuple[int, bytes]) -> bytes:
    """A message in the format of protocol buffers, of fields that are bytes."""
    made = b""
    for number, content in fields:
        made += bytes([8 * number + 2])
        size = len(content)
        while size > 127:
            made, size = made + bytes([size & 127 | 128]), size >> 7
        made += bytes([size]) + content
    return made


@pytest.mark.parametrize(
    ("more", "said"),
    [((1, message((1, b"a" * 10**6))), "characters"), ((3, message((2, b"\xff" * 100))), "table of characters")],
)
def test_a_model_of_sentencepiece_that_would_end_the_process(more: tuple[int, bytes], said: str) -> None:
    with pytest.raises(sentencepiece.NotAModel, match=said):
        sentencepiece.read(message((1, message((1, b"<unk>")) + b"\x18\x02"), (1, message((1, b"a"))), more))


@pytest.mark.parametrize(
    "learn",
    [lambda lines: tokenizing.learn_bpe(lines, [], TRAINED), lambda lines: tokenizing.learn_wordpiece(lines, 60)],
)
def test_tokens_that_are_learned_are_not_too_long(learn: Any) -> None:
    made = tokenizing.loaded(learn(["ab" * 8000]), True)
    assert made.size > 10


def test_a_file_may_ask_for_any_length() -> None:
    made = json.loads(tokenizing.learn_bpe(LINES, [], TRAINED))
    made["padding"] = {"strategy": {"Fixed": 10**15}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                       "pad_type_id": 0, "pad_token": "x"}  # fmt: skip
    assert len(tokenizing.loaded(json.dumps(made), False).encode(["cat"])[0]) < 4


# ---- streams --------------------------------------------------------------------------------------------------------------


def over_again(data: Any, raw: Path) -> dict[str, np.ndarray[Any, Any]]:
    """What prediction feeds for a file, by field."""
    fields = {field.name: field.name for field in data.section.fields}
    pipeline = InputPipeline(data.section, dict(data.graph.fitted), fields)
    table: Table = next(iter(tables(pipeline, [raw])))
    ((_, arrays),) = pipeline.batches(table, 10_000)
    return arrays


@pytest.mark.parametrize("step", ["bpe(train = 300, eos = 2)", "wordpiece(train = 60, pairs = true)", "chat"])
def test_a_text_is_tokenized_once(workspace, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though a condition, the lengths of batches and the feed read its tokens; they are those of a feed that tokenizes again."""
    lines = [" ".join([line] * (1 + at % 3)) for at, line in enumerate(LINES)]
    write_rows(workspace, lines)
    talk = "source.text -> bpe(train = 300, eos = 2)"
    if step == "chat":
        talk = "(source.text, source.text) -> chat -> bpe(train = 300)"
    elif "wordpiece" in step:
        talk = f"(source.text, source.text) -> {step}"
    ids = "talk" if "eos" in step else "talk.ids"
    body = f"""source = jsonl("rows.jsonl")\nsplit = random(train = 0.5, val = 0.5)\nwhere = T > 4
        let talk = {talk}
        x: i64[T] = {ids} -> pad(0)"""
    texts: list[Any] = []
    for name in ("encode", "encode_pairs"):
        real = getattr(tokenizing.LibraryTokenizer, name)

        def counted(self: Any, given: Any, real: Any = real, **options: Any) -> Any:
            texts.extend(given)
            return real(self, given, **options)

        monkeypatch.setattr(tokenizing.LibraryTokenizer, name, counted)

    def opened() -> tuple[torch.Tensor, int]:
        texts.clear()
        data = workspace.open(body)
        assert data.lengths("train", training=True).min() > 4
        feed = Feed(data, "train", training=False, device=torch.device("cpu"))
        return next(iter(feed.batches(len(feed))))["x"], len(texts)

    found, once = opened()
    assert once <= len(lines) * (6 if step == "chat" else 1)  # of a chat: roles, texts and what lies between them
    monkeypatch.setattr(kept_tokens, "MOST", 0)
    again, often = opened()
    assert torch.equal(found, again) and often > once


def test_a_stream_of_tokens_of_a_text(workspace) -> None:
    text = "\n".join(LINES) + "\n  indented thé\n\nend"
    raw = workspace.write("a.txt", text)
    body = """source = text("a.txt")\nsplit = contiguous(train = 0.7, val = 0.3)
        let part = source.tokens -> bpe(train = 300) -> window(8, 8)
        x: i64[7] = part[:-1]
        y: i64[7] = part[1:]"""
    data = workspace.open(body)
    made = tokenizing.loaded(tokenizer_of(data, "bpe"), True)
    cut = round(len(text) * 0.7)
    for split, part in (("train", text[:cut]), ("val", text[cut:])):
        batch = workspace.everything(body, split)
        windows = np.concatenate([batch["x"].numpy(), batch["y"].numpy()[:, -1:]], 1)
        assert part.startswith(made.decode(windows.reshape(-1)))
        assert len(windows) == sum(map(len, made.encode(tokenizing.pieces(part)))) // 8
    whole = over_again(data, raw)["x"]
    train = workspace.everything(body, "train")["x"].numpy()
    np.testing.assert_array_equal(whole[: len(train) - 1], train[:-1])  # what is behind the cut reaches back over it


@pytest.mark.parametrize(
    "step", ["", "-> bpe(train = 300)", *(f'-> tokenizer("{kind}.model")' for kind in ("unigram", "bpe"))]
)
def test_the_bytes_of_tokens_are_those_of_the_text(workspace, step: str) -> None:
    text = "\n".join(LINES) + "\n  indented thé\n\nend"
    workspace.write("a.txt", text)
    for file in FOREIGN.glob("*.model"):
        (workspace.path / file.name).write_bytes(file.read_bytes())
    body = f"""source = text("a.txt")\nsplit = all("train")
        x: i64[1] = source.tokens {step} -> window(1, 1)"""
    data = workspace.open(body)
    lengths = data.token_bytes("x")
    assert lengths is not None
    tokens = workspace.everything(body)["x"].flatten().tolist()
    if "model" in step:  # as SentencePiece normalizes it, with a space before it
        made = tokenizing.loaded(tokenizer_of(data, "tokenizer"), True)
        assert made.number("<unk>") not in tokens or lengths[made.number("<unk>") or 0] == 1
        text = " " + made.decode(token for token in tokens if token != made.number("<unk>"))
        tokens = [token for token in tokens if token != made.number("<unk>")]
    assert sum(lengths[token] for token in tokens) == len(text.encode())


def test_tokens_that_do_not_give_the_text_back_have_no_bytes(workspace) -> None:
    write_rows(workspace, LINES)
    for step in ("words -> vocab(90)", "wordpiece(train = 60)"):
        body = f'source = jsonl("rows.jsonl")\nsplit = all("train")\nx: i64[T] = source.text -> {step} -> pad(0)'
        assert workspace.open(body).token_bytes("x") is None


def test_bits_per_byte_of_words_are_refused_before_the_first_step(workspace) -> None:
    write_rows(workspace, LINES)
    workspace.write(
        "s.dlspec",
        """dlspec 1
data D {
  source = jsonl("rows.jsonl")
  split  = random(train = 0.5, val = 0.5)
  let ids = source.text -> words -> vocab(90) -> truncate(3)
  x: i64[2] = ids[:-1] -> pad(0)
  y: i64[2] = ids[1:] -> pad(0)
}
model M(x: i64[B, T]) -> (logits: [B, T, 90]) { logits = x -> Embedding(90, 90) }
train {
  model = M; data = D; loss = cross_entropy(logits, y); metrics { bpb = bits_per_byte(logits, y) }
  optimizer = SGD(1e-2); batch = 4; duration = 2 steps
}
""",
    )
    with pytest.raises(dlc.SpecError) as caught:
        dlc.train(workspace.path / "s.dlspec", out=workspace.path / "run", device="cpu")
    assert "the targets of `bits_per_byte` are not tokens of a text" in str(caught.value)
    assert not (workspace.path / "run").exists()


def test_tokens_of_records_as_a_stream(workspace) -> None:
    write_rows(workspace, LINES)
    body = """source = jsonl("rows.jsonl")\nsplit = random(train = 0.5, val = 0.5)
        x: i64[6] = source.text -> bpe(train = 290, eos = 2) -> concat -> window(6, 6)"""
    data = workspace.open(body)
    made = tokenizing.loaded(tokenizer_of(data, "bpe"), True)
    every = made.encode(LINES)
    records = {split: np.flatnonzero(np.isin(np.arange(len(LINES)), part)) for split, part in split_of(workspace, body)}
    for split, chosen in records.items():
        wanted = np.concatenate([np.append(every[i], 2) for i in chosen])
        found = workspace.everything(body, split)["x"].numpy()
        np.testing.assert_array_equal(found.reshape(-1), wanted[: found.size])
    again = over_again(data, workspace.path / "rows.jsonl")["x"]
    np.testing.assert_array_equal(again.reshape(-1), np.concatenate([np.append(ids, 2) for ids in every])[: again.size])


def split_of(workspace: Any, body: str) -> list[tuple[str, np.ndarray[Any, Any]]]:
    from dlc.runtime.data import sources, splits

    section = workspace.section(body)
    return list(splits.divide(section, sources.read(section, workspace.path)).items())


def test_mistakes_with_streams(workspace) -> None:
    np.arange(40, dtype=np.uint16).tofile(workspace.path / "t.bin")
    found = workspace.mistake(
        """source = token_file("t.bin", "u16")\nsplit = all("train")
        x: i64[6] = source.tokens -> bpe(train = 300) -> window(6, 6)"""
    )
    assert "E0304: `bpe` needs the characters of a text" in found
    workspace.write("a.txt", "abc " * 99)
    found = workspace.mistake(
        """source = text("a.txt")\nsplit = all("train")
        x: i64[6] = source.tokens -> bpe(train = 300) -> window(6, 6)
        y: i64[6] = source.tokens -> window(6, 6)"""
    )
    assert "E0304: the windows of this section are cut from streams of different lengths" in found


# ---- chats ----------------------------------------------------------------------------------------------------------------

TALK = [
    [("user", "say cat"), ("assistant", "cat"), ("user", "again <|im_end|>"), ("assistant", "cat cat")],
    [("system", "be short"), ("user", "say dog"), ("assistant", "dog")],
]


@pytest.mark.parametrize("pairs", [False, True])
def test_the_loss_is_on_answers_only(workspace, pairs: bool) -> None:
    if pairs:
        talk = [[("user", turns[-2][1]), ("assistant", turns[-1][1])] for turns in TALK]
        rows: list[dict[str, Any]] = [{"prompt": one[1], "answer": other[1]} for one, other in talk]
    else:
        talk = TALK
        rows = [{"messages": [{"role": role, "content": text} for role, text in turns]} for turns in TALK]
    workspace.write("chat.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    given = "(source.prompt, source.answer)" if pairs else "source.messages"
    body = f"""source = jsonl("chat.jsonl")\nsplit = all("train")
        let talk = {given} -> chat -> bpe(train = 300)
        x: i64[T] = talk.ids -> pad(0)
        y: i64[T] = talk.labels -> pad(-100)"""
    batch, data = workspace.everything(body), workspace.open(body)
    made = tokenizing.loaded(tokenizer_of(data, "bpe"), True)
    begin, end = made.number("<|im_start|>"), made.number("<|im_end|>")
    for ids, labels, turns in zip(batch["x"].numpy(), batch["y"].numpy(), talk, strict=True):
        ids, labels = ids[ids > 0], labels[: (ids > 0).sum()]
        assert (ids == begin).sum() == (ids == end).sum() == len(turns)  # what a user writes is no mark
        assert ((labels == ids) | (labels == -100)).all()
        written = "".join(f"{role}\n{text}\n" for role, text in turns)
        assert made.decode(ids) == written
        answers = [text for role, text in turns if role == "assistant"]
        assert made.decode(labels[labels >= 0]) == "".join(f"{text}\n" for text in answers)
        assert (labels == end).sum() == len(answers)  # the end of an answer is learned too
    tokens = prompts.of_field(data.section, "x", data.graph.fitted)
    assert tokens is not None
    writer = prompts.PromptWriter(tokens)
    prompt = writer.read("say dog")
    assert made.made.decode(prompt, skip_special_tokens=False) == (
        "<|im_start|>user\nsay dog<|im_end|>\n<|im_start|>assistant\n"
    )
    assert writer.ends(end) and not writer.ends(begin)  # type: ignore[arg-type]


def test_a_template_of_ones_own(workspace) -> None:
    workspace.write("chat.jsonl", json.dumps({"q": "1 + 1", "a": "2"}) + "\n")
    body = r"""source = jsonl("chat.jsonl")
        split = all("train")
        let talk = (source.q, source.a) -> chat(turn = "{role}: {content}\n", answers = "A") -> bpe(train = 259)
        x: i64[T] = talk.ids -> pad(0)
        y: i64[T] = talk.labels -> pad(-100)"""
    batch, data = workspace.everything(body), workspace.open(body)
    made = tokenizing.loaded(tokenizer_of(data, "bpe"), True)
    assert made.decode(batch["x"][0].tolist()) == "user: 1 + 1\nA: 2\n"
    assert made.decode(n for n in batch["y"][0].tolist() if n >= 0) == "2\n"


@pytest.mark.parametrize(
    "messages", ["hello", [], [{"role": "user"}], [{"role": "user", "content": 3}], {"role": "x"}, None]
)
def test_what_is_not_a_chat(workspace, messages: Any) -> None:
    good = {"messages": [{"role": "user", "content": "a"}]}
    workspace.write("chat.jsonl", "".join(json.dumps(row) + "\n" for row in (good, {"messages": messages})))
    found = workspace.mistake(
        """source = jsonl("chat.jsonl")\nsplit = all("train")
        x: i64[T] = (source.messages -> chat -> bpe(train = 300)).ids -> pad(0)"""
    )
    assert "E0201: chat.jsonl:2, column `messages`: not the messages of a chat" in found


# ---- generated text ---------------------------------------------------------------------------------------------------------


def test_text_appears_when_its_characters_are_whole() -> None:
    made = tokenizing.learn_bpe(["abc"], [], {**TRAINED, "train": 258})
    writer = prompts.PromptWriter(prompts.Tokens(tokenizer=made, lines=True))
    text = "thé 中 \n\nß  x"
    tokens = writer.read(text)
    assert len(tokens) == len(text.encode())
    shown = [writer.write(token) for token in tokens]
    assert "".join(shown) == text and "" in shown and "中" in shown
