"""Changes of a spec that a person might make by mistake or on purpose: most are refused by `dlc check`, and what it accepts must run."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from dlc.compiler.catalogue import LOSSES, METRICS, SAMPLINGS, TRANSFORMS
from dlc.compiler.catalogue import OPTIMIZERS as KNOWN_OPTIMIZERS
from dlc.compiler.catalogue.entry import Entry
from dlc.compiler.catalogue.ops import names as operators
from dlc.compiler.catalogue.sections import SECTIONS
from dlc.compiler.messages.source import Source
from dlc.compiler.text import syntax, top_level
from dlc.compiler.text.node import Node
from dlc.compiler.text.parse import parse

BASES = {path.stem: path.read_text("utf-8") for path in sorted((Path(__file__).parent / "specs").glob("*.dlspec"))}


def shown(name: str, entry: type[Entry]) -> str:
    """An entry as its example has it: `hash(1000)`."""
    found = re.search(rf"\b{name}\b(?! =)(\((?:[^()]|\([^()]*\))*\))?", entry.example)
    return found[0] if found else name


LAYERS = operators(layers=True, functions=False)
FUNCTIONS = operators(layers=False, functions=True)
STAGES = [
    *FUNCTIONS, "Linear(4)", "Linear(4, bias = false)", "LayerNorm", "RMSNorm", "BatchNorm", "GroupNorm(1)", "InstanceNorm",
    "Conv(4, 3, pad = 1)", "Conv(4, 1, groups = 2)", "ConvTranspose(4, 2, stride = 2)", "Embedding(16, 4)", "GRU(4).y",
    "LSTM(4, bidirectional = true).y", "RNN(3).h", "MultiHeadAttention(2)", "dropout(0.5)", "drop_path(0.2)", "softmax(axis = 0)",
    "max_pool(2)", "avg_pool(2)", "max_pool(3, stride = 1, pad = 1)", "upsample(2)", "flatten", "squeeze(-1)", "squeeze(1)",
    "mean(axis = -1)", "sum(axis = 1, keepdim = true)", "max(axis = -1)", "var(axis = -1)", "cumsum(-1)", "topk(2).values", "roll(1, -1)",
    "cast(f16)", "cast(i64)", "cast(bool)", "cast(f64)", "cast(f32)", "clamp(0, 1)", "pad([1, 1])", "stop_grad", "l2_normalize",
    "gelu", "exp", "log", "sqrt", "abs", "floor", "take(0, -1)", "split(2)", "chunk(2, axis = -1)", "unbind", "[B, ...] => [B, ...]",
    "if training { dropout(0.3) }", "if training { relu } else { tanh }", "repeat 2 { Linear(4) }", "repeat 3 { relu }", "norm",
    "softplus", "merge_heads", "split_heads(2)", "sinusoid(4)", "rope", "normalize", "Buffer([1, 2])", "Param([4], init = ones)",
]  # fmt: skip
SCALARS = [
    "mean({v})", "sum({v})", "mean({v} ** 2)", "mean(abs({v}))", "mean(cast({v} > 0, f32))", "mean(stop_grad({v}))", "max({v})",
    "mse({v}, {w})", "l1_loss({v}, {w})", "huber({v}, {w})", "cross_entropy({v}, {w})", "bce({v}, {w})", "nll({v}, {w})",
    "focal({v}, {w})", "kl_divergence({v}, {w})", "dice_loss({v}, {w})", "contrastive({v}, {w})", "triplet({v}, {w}, {v})",
    "mean({v} -> aux: Linear(3))", "mean({v} // 2)", "mean({v} % 2)", "mean({v} / {w})", "mean({v} * {w})", "l1(\"**.weight\")",
    "mean(log({v}))", "mean(sqrt({v}))", "norm({v})", "mean({v}[0])", "mean({v} -> dropout(0.5))", "mean(softmax({v}))", "var({v}, axis = 0)",
    "accuracy({v}, {w})", "f1({v}, {w})", "auroc({v}, {w})", "iou({v}, {w})", "perplexity({v}, {w})", "rmse({v}, {w})", "r2({v}, {w})",
    "mean({v} - {w})", "cross_entropy({v}, arange(B))", "mse({v}, randn({v}))", "mean(where({v} > {w}, {v}, {w}))", "0.0", "1", "{v}",
    "mean(cast({v}, f32))", "mean(cast({v}, f32) ** 2)", "sum(cast({v} == {w}, f32))", "{v} + {w}",
    *(f"{name}({{v}}, {{w}})" for name in (*LOSSES, *METRICS)),
    *(re.sub(r"\((\w+), (\w+)", "({v}, {w}", shown(name, found[name])) for found in (LOSSES, METRICS) for name in found),
]  # fmt: skip
NUMBERS = [
    "0", "1", "2", "3", "4", "5", "7", "8", "16", "-1", "-2", "0.5", "0.1", "1.5", "-0.5", "1e-3", "1e3", "1e-30", "1e30", "true", "false",
    "none", "B", "hidden", "1 / 3", "[1, 2]", "(0.0, 0.9)", "1 steps", "2 steps", "1 epochs", "rest",
]  # fmt: skip
DTYPES = ["f16", "bf16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "bool"]
SELECTORS = [
    "rank < 2", "rank >= 2", '"**"', '"*.weight"', '"**.weight"', '"**.bias"', "Linear.weight", "Linear.bias", "BatchNorm.weight",
    "Conv.weight", "LayerNorm.weight", "GRU.weight_ih_l0", '"fc.**"', '"h.*.**"', "rank == 1", '"gen.**"',
]  # fmt: skip
INITS = [
    "zeros", "ones", "normal(0.02)", "trunc_normal(0.02)", "uniform(-1, 1)", "constant(0.1)", "xavier_uniform", "xavier_normal(gain = 2)",
    "kaiming_uniform", 'kaiming_normal("fan_out", "relu")', "orthogonal", "constant([1, 2])", "s4d_real",
]  # fmt: skip
OPTIMIZERS = [
    "SGD(0.1)", "SGD(0.1, momentum = 0.9, nesterov = true)", "Adam(1e-3)", "AdamW(1e-3 -> cosine(0, rest))", "RMSprop(1e-3, momentum = 0.5)",
    "Adagrad(0.1)", "Adadelta(1.0)", "Lion(1e-4)", "Muon(1e-2)", "Adam(lr = 0 -> linear(1e-3, 1 steps) -> jump(1e-4) -> hold(rest))",
    "SGD(0.1 -> decay(1e308, every = 1 steps))", "SGD(0.1 -> inverse_sqrt(1 steps))", "Adam(1e-3, betas = (0.0, 0.0))", "SGD(0.1, weight_decay = 1)",
    *(shown(name, KNOWN_OPTIMIZERS[name]) for name in KNOWN_OPTIMIZERS),
]  # fmt: skip
CHAINED = [
    "standardize", "log1p", "clip(0, 1)", "scale(0.5)", "scale(0)", "threshold(0.5)", "normalize(0.5, 0.5)", "normalize(0, 0)", "noise(0.1)",
    "impute(\"mean\")", "one_hot(3)", "resize(4)", "resize(8)", "center_crop(6)", "random_crop(8)", "hflip", "vflip", "rotate(10)", "shift(1)",
    "erase(0.2)", "blur(1)", "gaussian_blur(3)", "affine(rotate = 5)", "rgb", "category", "pad(2)", "truncate(4)", "random_window(5)", "window(5)",
    "if training { noise(0.1) }", "if training { hflip } else { vflip }", "color_jitter(0.1)",
    *(shown(name, TRANSFORMS[name]) for name in TRANSFORMS),
]  # fmt: skip
DURATIONS = [
    "1 steps",
    "3 steps",
    "1 epochs",
    "0.5 epochs",
    "40 samples",
    "64 tokens",
    "1 s",
    "0 steps",
    "2",
    "rest",
    "1.5 steps",
    "2 epochs",
]
DIMS = ["B", "T", "C", "1", "2", "8", "_", "...", "2 * B", "B + 1", "hidden", "T <= 4", "B // 2", "N"]
STEPS = [
    "phase extra { duration = 1 steps }", "phase extra { duration = 1 steps; batch = 8 }", "phase extra { duration = 1 steps; freeze \"**.bias\" }",
    "phase extra { duration = 1 steps; optimizer = SGD(0.1) }", "phase extra { duration = 1 steps; loss = mean({v}) }",
    "let extra = {v} * 2", "let extra = stop_grad({v})", "let extra = [{v}, {w}]", "let extra = {v} -> softmax", "step gen { loss = mean({v}); optimizer = Adam(1e-3) }",
    "let more = randn([B, 4])", "weights = file(\"none.safetensors\")", "inputs { x = {v} }",
]  # fmt: skip
LINES = {
    "train": [
        "mixup = 0.2", 'precision = "bf16"', 'precision = "f16"', "micro_batch = 1", "micro_batch = 4", "clip = value(0.1)", "ema = 0", "ema = 1",
        "stop = plateau(val.loss, patience = 1 steps)", "keep = best(val.loss)", "keep = average(last = 2)", "validate = every(1 steps, batches = 1)",
        "runtime { recompute = [\"**\"] }", "runtime { workers = 0 }", "runtime { sync_batch_norm = true }", 'runtime { shard = "fsdp" }',
        "log { every = 1 steps }", "batch = 1", "batch = 5000", "batch = 64 tokens", "seed = 12345678901", "phase extra { duration = 1 steps }",
        *(SAMPLINGS[name].example for name in SAMPLINGS),
    ],
    "export": [
        'precision = "f16"', 'precision = "bf16"', 'quantize = "int8"', 'quantize = "int4"', "preprocess = true", "opset = 23", "opset = 17",
        "fix { B = 1 }", "fix { T = 4 }", "inputs = [x]", "inputs = [h]", "outputs = [logits]", "outputs { out = mean(logits) }",
        "outputs { a = softmax(logits); b = logits }", "outputs { n = randn([B]) }",
    ],
    "data": ['gaps = "cut"', 'gaps = "join"', "time = source.day", "series = source.shop", "where = source.label < 2", "where = source.y > 100", "split = all(\"train\")", 'skip = ["a"]', "split = random(train = 1.0)"],
}  # fmt: skip


class Places:
    """Where things stand in the text of a parsed spec."""

    def __init__(self, text: str) -> None:
        file, _ = parse(Source("x", text))
        self.ok = file is not None
        self.numbers: list[tuple[int, int]] = []
        self.names: list[tuple[int, int]] = []
        self.expressions: list[tuple[int, int]] = []
        self.stages: list[tuple[int, int]] = []
        self.statements: list[tuple[int, int]] = []
        self.blocks: list[tuple[int, int]] = []
        self.values: set[str] = set()
        for node in _walk(file) if file is not None else ():
            span = getattr(node, "span", None)
            if span is None or span.end <= span.start:
                continue
            place = (span.start, span.end)
            if isinstance(node, (syntax.Number, syntax.Quantity)):
                self.numbers.append(place)
            if isinstance(node, (syntax.Apply, syntax.Labelled)):
                self.stages.append(place)
            if isinstance(node, (top_level.Block, top_level.BlockSeq)):
                self.blocks.append(place)
            if isinstance(node, syntax.Ref):
                self.names.append(place)
                if node.name.islower() and node.name not in FUNCTIONS:
                    self.values.add(node.name)
            if isinstance(node, syntax.Pipe):
                self.expressions.append(place)
            elif isinstance(node, (top_level.Key, top_level.Field, top_level.Let, top_level.Sub, top_level.SubFor)) or type(node).__name__ in (
                "Assign", "Require", "InitRule", "Emit",
            ):  # fmt: skip
                self.statements.append(place)


def _walk(node: Any) -> Iterator[Node]:
    if isinstance(node, Node):
        yield node
        for name in node.__match_args__:
            yield from _walk(getattr(node, name))
    elif isinstance(node, tuple) and not hasattr(node, "_fields"):
        for item in node:
            yield from _walk(item)


@lru_cache(16)  # parsing is most of what a change costs, and every mutant begins with a base
def places_in(text: str) -> Places:
    return Places(text)


def mutant(rng: random.Random) -> tuple[str, str]:
    """A name for what it is, and the text of a spec with one to three changes."""
    base = rng.choice(sorted(BASES))
    text = BASES[base]
    done: list[str] = []
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        changed, what = _change(text, rng)
        if places_in(changed).ok:
            text = changed
            done.append(what)
    return f"{base}: {', '.join(done)}", text


def _change(text: str, rng: random.Random) -> tuple[str, str]:
    places = places_in(text)
    kinds = [
        _number, _number, _stage_added, _stage_added, _stage_added, _stage_replaced, _stage_removed, _term, _term, _term, _metric, _line, _line,
        _line, _selector, _init, _init, _optimizer, _dtype, _name, _expression, _example, _statement, _output, _transform, _duration, _dim,
        _step, _block, _block, _static,
    ]  # fmt: skip
    kind = rng.choice(kinds)
    try:
        return kind(text, places, rng), kind.__name__[1:]
    except (IndexError, ValueError):  # nothing of that kind in this spec
        return text, "nothing"


def _put(text: str, place: tuple[int, int], new: str) -> str:
    return text[: place[0]] + new + text[place[1] :]


def _number(text: str, places: Places, rng: random.Random) -> str:
    place = rng.choice(places.numbers)
    old = text[slice(*place)]
    new = rng.choice([*NUMBERS, f"({old} + 1)", f"({old} - 1)", f"(2 * {old})", f"({old} / 2)", f"-{old}"])
    return _put(text, place, new)


def _stage_added(text: str, places: Places, rng: random.Random) -> str:
    _, end = rng.choice(places.stages)
    return _put(text, (end, end), f" -> {rng.choice(STAGES)}")


def _stage_replaced(text: str, places: Places, rng: random.Random) -> str:
    return _put(text, rng.choice(places.stages), rng.choice(STAGES))


def _stage_removed(text: str, places: Places, rng: random.Random) -> str:
    start, end = rng.choice(places.stages)
    before = text[:start].rstrip()
    return (before.removesuffix("->") if before.endswith("->") else before) + text[end:]


def _scalar(places: Places, rng: random.Random) -> str:
    known = sorted(places.values) or ["x"]
    return rng.choice(SCALARS).format(v=rng.choice(known), w=rng.choice(known))


def _term(text: str, places: Places, rng: random.Random) -> str:
    """Another loss."""
    at = text.index("\n  loss")
    end = text.index("\n", at + 1)
    new = f"\n  loss = {_scalar(places, rng)}"
    if rng.random() < 0.5:
        new = f"\n  loss {{ first = {_scalar(places, rng)}; second = {_scalar(places, rng)} }}"
    return _put(text, (at, end), new)


def _metric(text: str, places: Places, rng: random.Random) -> str:
    at = text.index("\n  metrics {") + len("\n  metrics {")
    return _put(text, (at, at), f" added = {_scalar(places, rng)};")


def _line(text: str, places: Places, rng: random.Random) -> str:
    """A key added to a section, or another value of one that is there."""
    section = rng.choice(["train", "train", "export", "data"])
    line = rng.choice(LINES[section])
    at = text.index(f"\n{section} ")
    opened = text.index("{", at) + 1
    name = line.split()[0]
    closed = text.index("\n}", opened) if "\n}" in text[opened:] and section != "export" else text.index("}", opened)
    there = text.find(f"\n  {name} ", opened, closed)
    if there >= 0 and "{" not in text[there : text.index("\n", there + 1)]:
        return _put(text, (there, text.index("\n", there + 1)), f"\n  {line}")
    return _put(text, (opened, opened), f" {line};" if section == "export" else f"\n  {line}")


def _selector(text: str, places: Places, rng: random.Random) -> str:
    at = text.index("\ntrain ")
    opened = text.index("{", at) + 1
    word = rng.choice(
        [
            "freeze {} ",
            "group {} {{ weight_decay = 0 }}",
            "group {} {{ lr = base.lr / 3 }}",
            "freeze {} {{ until = 1 steps }}",
        ]
    )
    return _put(text, (opened, opened), f"\n  {word.format(rng.choice(SELECTORS))}")


def _init(text: str, places: Places, rng: random.Random) -> str:
    at = text.index("\n}", text.index("\nmodel "))
    return _put(text, (at, at), f"\n  init {rng.choice(SELECTORS)} = {rng.choice(INITS)}")


def _optimizer(text: str, places: Places, rng: random.Random) -> str:
    at = text.index("optimizer = ") + len("optimizer = ")
    depth, end = 0, at
    while depth or text[end] not in "\n;}":
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    return _put(text, (at, end), rng.choice(OPTIMIZERS))


def _dtype(text: str, places: Places, rng: random.Random) -> str:
    spots = [i for old in ("f32", "i64") for i in range(len(text)) if text.startswith(old, i)]
    at = rng.choice(spots)
    return _put(text, (at, at + 3), rng.choice(DTYPES))


def _name(text: str, places: Places, rng: random.Random) -> str:
    return _put(text, rng.choice(places.names), text[slice(*rng.choice(places.names))])


def _expression(text: str, places: Places, rng: random.Random) -> str:
    place = rng.choice(places.expressions)
    old = text[slice(*place)]
    shapes = [
        "({0} + {0})", "({0} * 0)", "-({0})", "({0})[0]", "({0})[:, none]", "({0}).T", "({0} // 2)", "({0} % 2)", "({0} / 0)", "({0} % 0)",
        "({0} ** 2)", "({0} > 0)", "stop_grad({0})", "cast({0}, i64)", "cast({0}, f32)", "({0} @ {0})", "concat({0}, {0}, axis = -1)",
        "stack({0}, {0}, axis = 0)", "where({0} > 0, {0}, 0)", "(if training {{ {0} }} else {{ 2 * {0} }})", "abs({0})", "({0} -> twin: Linear(4))",
        "expand({0}, [2, ...])", "gather({0}, {0}, 0)", "max({0})", "({0} < {0} and true)", "({0})[..., -1]", "randn({0})",
    ]  # fmt: skip
    return _put(text, place, rng.choice(shapes).format(old))


def _example(text: str, places: Places, rng: random.Random) -> str:
    """The example of a key of a section, as the documentation shows it."""
    section = rng.choice(["train", "export", "data"])
    key = rng.choice(SECTIONS[section].keys)
    opened = text.index("{", text.index(f"\n{section} ")) + 1
    return _put(text, (opened, opened), f" {key.example};" if section == "export" else f"\n  {key.example}")


def _statement(text: str, places: Places, rng: random.Random) -> str:
    """A statement or key deleted, doubled, or moved."""
    start, end = rng.choice(places.statements)
    if rng.random() < 0.4:
        return text[:start] + text[end:]
    if rng.random() < 0.5:
        return _put(text, (end, end), f"\n  {text[start:end]}")
    other = rng.choice(places.statements)
    return _put(text, (other[1], other[1]), f"\n  {text[start:end]}")


def _transform(text: str, places: Places, rng: random.Random) -> str:
    """A further transform of a field."""
    lines = [at.end() for at in re.finditer(r"\n  \w+: [^\n]* = (source|window|talk)[^\n]*", text)]
    at = rng.choice(lines)
    return _put(text, (at, at), f" -> {rng.choice(CHAINED)}")


def _duration(text: str, places: Places, rng: random.Random) -> str:
    found = [at.span() for at in re.finditer(r"\d+ (steps|epochs)|\brest\b", text)]
    return _put(text, rng.choice(found), rng.choice(DURATIONS))


def _dim(text: str, places: Places, rng: random.Random) -> str:
    """Another size in a declared type."""
    found = [at.span(1) for at in re.finditer(r"[\[,] ?([A-Z]|\d+|hidden|latent|classes)(?=[,\]])", text)]
    return _put(text, rng.choice(found), rng.choice(DIMS))


def _step(text: str, places: Places, rng: random.Random) -> str:
    """A phase, step or `let` more."""
    opened = text.index("{", text.index("\ntrain ")) + 1
    known = sorted(places.values) or ["x"]
    line = rng.choice(STEPS).replace("{v}", rng.choice(known)).replace("{w}", rng.choice(known))
    return _put(text, (opened, opened), f"\n  {line}")


def _block(text: str, places: Places, rng: random.Random) -> str:
    """A block of another spec, in the place of a stage or behind it."""
    other = rng.choice([base for base in BASES.values() if "\nblock " in base])
    start = rng.choice([at.start() for at in re.finditer(r"\nblock ", other)])
    block = other[start : other.index("\n}", start) + 2]
    name = block.split()[1].partition("(")[0]
    use = f"{name}({rng.choice(['4', '2', '8', '1', '4, 2', ''])})"
    place = rng.choice(places.stages)
    changed = _put(text, place, use) if rng.random() < 0.5 else _put(text, (place[1], place[1]), f" -> {use}")
    return changed if f"\nblock {name}(" in text else changed + block


def _static(text: str, places: Places, rng: random.Random) -> str:
    """Another default of a static parameter."""
    found = [at.span(1) for at in re.finditer(r"\b(?:model|block) \w+\([^)]*?\w+ = ([\d.]+)", text)]
    return _put(text, rng.choice(found), rng.choice(NUMBERS))


def _output(text: str, places: Places, rng: random.Random) -> str:
    """A further input or output of the model."""
    at = text.index(") {", text.index("\nmodel "))
    value = rng.choice(sorted(places.values))
    return _put(
        text, (at, at), rng.choice([f", {value}: [B]", f", {value}: _", ", more: [B, 2]", f", {value}: [B, ...]"])
    )
