"""Words and forms of Python, PyTorch and NumPy: one message each, whose help is a program that checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.catalogue.ops.base import Function
from dlc.compiler.check import check
from dlc.compiler.messages import habits
from dlc.compiler.messages.diagnostics import Diagnostic
from dlc.compiler.messages.source import Source
from dlc.compiler.text.parse import parse

BLOCKS = """dlspec 1
block twice(x: [B, ...]) -> [B, ...] { 2 * x }
block Mix(scale = 1.0)(x: [B, ..., D], memory: [B, ..., D]) -> [B, ..., D] { scale * x + memory -> fc: Linear(D) }
"""


def said(lines: str, folder: Path, T: str = "T") -> list[Diagnostic]:
    """What is said of a model with these lines; `x`, `z` are f32[B, T, 8], `ids` and `i` i64."""
    file = folder / "case.dlspec"
    inputs = f"x: [B, {T}, 8], z: [B, T, 8], ids: i64[B, T], i: i64[B], bias: [T, T]"
    file.write_text(f"{BLOCKS}model M({inputs}) -> (y: [_, ...]) {{\n{lines}\n}}\n", "utf-8")
    return list(check(file).report.errors)


#: What is written, and what the help tells to write instead.
ROWS = {
    "y = torch.relu(x)": "relu(x)",
    "y = F.softmax(x, dim=-1)": "softmax(x, axis = -1)",
    "y = torch.nn.functional.gelu(x)": "gelu(x)",
    "y = np.exp(x)": "exp(x)",
    "y = torch.cat([x, z], dim=1)": "concat(x, z, axis = 1)",
    "y = torch.stack((x, z), 1)": "stack(x, z, axis = 1)",
    "y = x.mean(-1)": "mean(x, axis = -1)",
    "y = x.mean(dim=1, keepdim=True)": "mean(x, axis = 1, keepdim = true)",
    "y = x.relu()": "relu(x)",
    "y = (x + z).sum(dim=[1, 2])": "sum((x + z), axis = [1, 2])",
    "y = x.clamp(min=0)": "clamp(x, min = 0)",
    "y = x -> torch.relu": "relu",
    "y = x -> nn.functional.gelu": "gelu",
    "y = Linear(8)(x)": "x -> Linear(8)",
    "y = Linear(8, bias=false)(x + z)": "x + z -> Linear(8, bias = false)",
    "y = Mix(2.0)(x, z)": "(x, z) -> Mix(2.0)",
    "y = twice(x)": "x -> twice",
    "y = Mix(x, z)": "(x, z) -> Mix",
    "y = Linear(x, 8)": "x -> Linear(8)",
    "y = x -> Mix(z)": "-> Mix(memory = z)",
    "fc = Linear(8)\n  y = fc(x)": "x -> fc",
    "mix = Mix()\n  y = mix(x, memory = z)": "x -> mix(memory = z)",
    "fc = Linear(8)\n  y = fc.forward(x)": "x -> fc",
    "y = x[i]": "x -> gather(i[:, none, none] -> expand([B, T, 8]), axis = 0)",
    "y = x[:, i]": "x -> gather(i[:, none, none] -> expand([B, 1, 8]), axis = 1) -> squeeze(1)",
    "y = x -> Linear(8, bias = False)": "false",
    "y = x[:, None]": "none",
    "y = x -> pow(2)": "x ** 2",
}


@pytest.mark.parametrize("wrong", ROWS, ids=lambda text: re.sub(r"\W+", "_", text))
def test_the_form_of_another_library_gets_ours(wrong: str, tmp_path: Path) -> None:
    found = said(f"  {wrong}", tmp_path)
    assert len(found) == 1, [d.message for d in found]
    assert f"`{ROWS[wrong]}`" in found[0].helps[0]
    whole = re.fullmatch(r"y = [^>]*", wrong) is not None and ROWS[wrong] not in ("false", "none")
    if whole:
        assert said(f"  y = {ROWS[wrong]}", tmp_path) == []


#: Words alone.
WORDS = {
    "y = x -> Linear(8) -> ReLU": "relu",
    "y = x -> Conv2d(8, 3)": "Conv",
    "y = x -> BatchNorm2d": "BatchNorm",
    "y = cat(x, z)": "concat",
    "y = mean(x, dim = -1)": "axis",
    "y = x -> Linear(in_features = 8, out = 8)": "leave it out",
    "y = max(x, z)": "maximum(x, y)",
    "y = attention(x, x, x, mask = bias)": None,
    "y = x -> for i in range(3) { relu }": "0..n",
    "y = x -> transpose(1, 2)": ".T",
    "y = x.transpose(1, 2)": ".T",
    "y = x.view(4, 2)": "=>",
    "y = x / len(x)": "sizes have names",
    "y = x / x.size(1)": "sizes have names",
    "y = x.to(f32)": "cast",
    "y = self.fc(x)": "x -> fc",
    "h = x -> fc: Linear(8)\n  y = h @ fc.weight": "fc = Linear(..)",
    "h = x -> a.fc: Linear(8)\n  y = h -> a": "a = Linear(..)",
    "fc = a.b: Linear(8)\n  y = x -> fc": "name = Linear(8)",
    "y = round(x)": "floor(x + 0.5)",
    "y = x.unsqueeze(-1)": "none",
    "y = torch.einsum(x, z)": "@",
}  # fmt: skip


@pytest.mark.parametrize("wrong", WORDS, ids=lambda text: re.sub(r"\W+", "_", text))
def test_a_word_of_another_library_gets_ours(wrong: str, tmp_path: Path) -> None:
    found = said(f"  {wrong}", tmp_path)
    assert len(found) == 1, [d.message for d in found]
    if WORDS[wrong] is not None:
        assert WORDS[wrong] in " ".join(found[0].helps)


#: What newcomers from PyTorch, Keras, JAX and YAML write in a body, in the signature, in sections and at file level: one message, and
#: in its help the way out.
WRITTEN = {
    "{body}": {
        'y = x -> Linear(8) -> Activation("relu")': "a stage of its own",
        "y = Input(8) -> relu": "declared in the signature",
        "y = x -> Linear(8).relu()": "`-> relu`",
        "y = x -> Linear(8), relu": "`x -> Linear(8) -> relu`",
        "y = x -> Linear 8": "`Linear(8)`",
        "y = abs x": "`abs(x)`",
        "let y = x -> relu": "`y = ..`",
        "y := x -> relu": "`y = ..`",
        "y = x -> fc = Linear(8)": "`-> fc: Linear(8)`",
        'y = x -> Linear(8, "relu")': "a stage of its own",
        'y = x -> Linear(8, "False")': "without quotes",
        "w = torch.randn(8, 3)\n  y = x": "`randn([8, 3])`",
        "y = x -> where(x > 0, x, 0)": "in order",
        'y = f"{x}"': "not put into strings",
        "y = x -> (B, 8)": "joined by name",
        '"""the model"""\n  y = x': "begins with `#`",
        "fc: Linear(8)\n  y = x -> fc": "`x -> fc: Linear(8)`",
        "y = x -> layer1: Linear(8) -> layer2; Linear(8)": "define it",
        "B == 8\n  y = x": "`require B == 8`",
        'B % 2 == 0, "even"\n  y = x': "`require T % 2 == 0",
    },
    "{signature}": {
        "(x: [None, 8]) -> (y: [B, 8])": "has a name",
        "(x: [?, 8]) -> (y: [B, 8])": "has a name",
        "(x: [B, 8]) -> y: [B, 8]": "`-> (y: [B, ..])`",
    },
    "{train}": {
        "epochs = 3": "`duration = 10 epochs`",
        "max_steps = 3": "`duration = 1000 steps`",
        "metrics { accuracy }": "a name of your own",
        "- batch: 8": "`key = value`",
        "train.batch = 8": "have no path",
        "accum = $N": "a `param`",
        'freeze = "fc.**"': '`freeze "fc.**" {',
        "workers = 4": "`runtime { workers = 4 }`",
    },
    "{data}": {
        "z = source.z": "`z: f32 = source.z`",
        "transform = resize(8)": "follow the field",
        "z: f32 = source.z -> StandardScaler()": "`standardize`",
    },
    "{top}": {
        "const n = 3": "`param n = 3`",
        "fn f(x: [B]) -> [B] { x }": "`block Name(",
        "model N = Linear(8)": "only a `block`",
        "block A(x: [B, 8]) -> [B, 8] = x -> relu": "`{ x -> relu }`",
        'export "m.onnx"': "in braces",
    },
}
WHOLE = {
    "{body}": "y = x -> fc: Linear(8)",
    "{signature}": "(x: [B, 8]) -> (y: [B, 8])",
    "{train}": "",
    "{data}": "",
    "{top}": "",
}
SPEC = """dlspec 1
data D {
  source = csv("d.csv")
  split = random(train = 0.8, val = 0.2)
  x: f32[8] = source.columns("a", "b", "c", "d", "e", "f", "g", "h")
  {data}
}
model M{signature} {
  {body}
}
{top}
train {
  model = M; data = D; batch = 8; duration = 10 epochs
  loss = mean(y ** 2)
  optimizer = Adam(1e-3)
  {train}
}
"""


@pytest.mark.parametrize(("place", "written"), [(place, text) for place in WRITTEN for text in WRITTEN[place]])
def test_what_newcomers_write_gets_one_message_with_the_way_out(place: str, written: str) -> None:
    text = SPEC
    for hole, whole in (WHOLE | {place: written}).items():
        text = text.replace(hole, whole, 1)
    found = check(Source("s.dlspec", text)).report.errors
    assert len(found) == 1, [d.message for d in found]
    assert WRITTEN[place][written] in " ".join(found[0].helps)


ELEMENTWISE = [
    name
    for name in names()
    if (op := find(name)) and issubclass(op, Function) and op.elementwise and not op.syntax and len(op.tensors) == 1
]


@pytest.mark.parametrize("form", ["torch.{}(x)", "F.{}(x)", "x.{}()"])
def test_every_function_of_one_tensor_is_known_by_its_name(form: str, tmp_path: Path) -> None:
    assert len(ELEMENTWISE) > 20
    missing = [
        name for name in ELEMENTWISE if f"`{name}(x)`" not in said(f"  y = {form.format(name)}", tmp_path)[0].helps[0]
    ]
    assert missing == []


def test_the_tables_name_what_there_is() -> None:
    known = {*names(), "and", "or", "not"}
    assert [word for word, ours in habits.OURS.items() if ours not in known] == []
    arguments = {
        argument
        for name in names()
        if (op := find(name))
        for argument in [a for a, _, _ in op.arguments] + [t for t, _ in op.tensors]
    }
    arguments |= {"lr", "betas", "momentum"}
    assert [ours for words in habits.ARGUMENTS.values() for ours in words if ours not in arguments] == []


SNIPPETS = sorted(
    part
    for text in {*habits.WRITTEN.values(), *habits.ELSEWHERE.values()}
    for part in text.split("`")[1::2]
    if re.search(r"\w", part)
)
#: Where a snippet may be: a statement, a stage, an index, a key of `train`.
PLACES = (
    "{}", "block A(x: [B]) -> [B] {{\n  {}\n}}", "block A(x: [B]) -> [B] {{\n  x -> {}\n}}", "block A(x: {}) {{ x }}",
    "block A(x: [B]) -> [B] {{\n  y = {}\n}}", "train {{ {} }}",
)  # fmt: skip


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_what_a_help_writes_is_of_the_language(snippet: str) -> None:
    """It parses somewhere, and names only functions that there are."""
    text = snippet.replace("{ .. }", "{ relu }").replace("(..)", "()")
    assert any(parse(Source("x", place.format(text)))[0] is not None for place in PLACES)
    called = set(re.findall(r"\b([a-z_]+)\(", text))
    assert called <= {*names(), "scan", "carry", "round_to", "cross_entropy", "mse", "bce", "normal"}


#: A rule of an operator that does not hold, or a value of another kind, and what the help has for it.
RULES = {
    "y = x -> Conv(6, 3, groups = 4)": "`groups` may be 1, 2 here",
    "y = x -> Conv(8, 3, pad = -1)": "cut off by an index",
    'y = x -> Conv(8, 3, pad = "valid")': "nothing is padded by default",
    'y = x -> Conv(8, 5, pad = "same", stride = 2)': "`pad = 2`",
    'y = x[:, none] -> Conv(8, 3, pad = "causal")': "pad the one axis in front before",
    "y = x -> Conv(8, (3, 3))": "`kernel = 3`",
    "y = x -> Conv(8, (3, 5))": "one number, or 1",
    "y = x -> Conv(8, 9)": "at most 8",
    "y = x -> ConvTranspose(8, 2, stride = 2, output_pad = 2)": "`output_pad = 1`",
    "y = x -> ConvTranspose(8, 2, pad = 20)": "use less",
    "y = x -> max_pool(2, pad = 2)": "`pad = 1`",
    "y = x -> max_pool(9)": "at most 8",
    "y = x -> avg_pool(2, stride = 2, adaptive = true)": "leave them out",
    "y = x[:, none] -> GroupNorm(2)": "`groups` may be 1 here",
    "y = ids -> Embedding(4, 2, pad = 4)": "0 to 3",
    "y = x -> Linear(8, 16)": "`out`, `bias`",
    "y = x -> LSTM(8, 16, 2).y": "`hidden`, `layers`",
    "y = zeros(8)": "`[8]`",
    "y = Param(8)": "`[8]`",
    "y = attention(x, x, x, heads = 2)": "split the heads off",
    "y = x -> adaptive_avg_pool(1)": "`global_avg_pool`",
    "y = ids -> one_hot(10)": "arange(10)",
    "y = x -> cast(float32)": "`f32`",
    "y = x > 0 ? x : z": "`where(x > 0, a, b)`",
}


@pytest.mark.parametrize("written", RULES)
def test_a_rule_has_a_remedy_of_its_own(written: str, tmp_path: Path) -> None:
    found = said(f"  {written}", tmp_path, "8" if "Conv" in written or "pool" in written else "T")
    assert len(found) == 1, found
    assert RULES[written] in found[0].helps[0]


@pytest.mark.parametrize("key", habits.KEYS)
def test_keys_of_other_tools(key: str) -> None:
    found = check(Source("s.dlspec", f"dlspec 1\ntrain {{\n  {key} = 3\n}}\n")).report.errors
    (unknown,) = [each for each in found if each.code == "E0401"]
    assert unknown.helps == (habits.KEYS[key],)
