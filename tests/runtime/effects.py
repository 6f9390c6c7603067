"""What every key of every section changes: a spec with the key beside one without it, and where the difference shows.

`EFFECTS` has a row for each key and, where a key takes one of several words, for each of them. `test_effects.py` asks the
catalogue which there are, so a new key or word without a row fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DATA = """
data {name} {{
  {lines}
  x: f32[4]   = source.all_except("label", "text", "n", "y") -> scale(2)
  other: f32[4] = source.all_except("label", "text", "n", "y") -> scale(3)
  label: i64  = source.label -> category("a", "b", "c")
  words: i64[T] = source.text -> words -> vocab(9) -> pad(0)
  rare: f32   = source.n
}}
"""
PHOTOS = """dlspec 1
data Photos {{
  {lines}
  image: f32[3, 4, 4] = source.image -> scale(1 / 255)
  label: i64 = source.label
}}
model M(image: [B, 3, 4, 4]) -> (logits: [B, 3]) {{ logits = image -> flatten -> fc: Linear(3) }}
train {{ model = M; data = Photos; loss = cross_entropy(logits, label); optimizer = SGD(1e-1); batch = 4; duration = 2 steps
  {recipe} }}
"""
MODELS = """
model M(wide = 8)(x: [B, 4]) -> (logits: [B, 3]) { h = x -> fc: Linear(wide) -> relu; logits = h -> head: Linear(3) }
model N(x: [B, 4]) -> (z: [B, 64]) { h = x -> up: Linear(64); z = h -> tanh -> mix: Linear(64) }
model Gen(seed: [B, 2]) -> (made: [B, 4]) { made = seed -> out: Linear(4) }
model Disc(made: [B, 4]) -> (score: [B]) { score = made -> out: Linear(1) -> squeeze(-1) }
weights theirs for M {
  RULES
}
"""
#: The sections as they are, line by line; a row replaces lines or adds some.
LINES: Mapping[str, Mapping[str, str]] = {
    "data": {
        "source": 'source = csv("a.csv")',
        "split": "split = random(train = 0.5, val = 0.25, test = 0.25, seed = 0)",
    },
    "train": {
        "model": "model = M",
        "data": "data = D",
        "loss": "loss = cross_entropy(logits, label)",
        "optimizer": "optimizer = SGD(1e-1, momentum = 0.9)",
        "batch": "batch = 8",
        "duration": "duration = 4 steps",
        "validate": "validate = every(2 steps)",
    },
    "photos": {
        "source": 'source = image_folder("photos")',
        "split": "split = random(train = 0.75, val = 0.25, seed = 0)",
    },
    "disc": {
        "loss": "loss = bce(x -> disc, ones([B])) + bce(stop_grad(randn([B, 2]) -> gen) -> disc, zeros([B]))",
        "optimizer": "optimizer = SGD(1e-1)",
    },
    "gen": {"step": "step gen { loss = bce(randn([B, 2]) -> gen -> disc, ones([B])); optimizer = SGD(1e-1) }"},
    "search": {
        "method": "method = random(trials = 2)",
        "objective": "objective = val.loss",
        "draw": "train.batch ~ choice(4, 8)",
    },
    "weights": {"rule": '"**" <- "**"'},
}
GROUPS = {
    "glob": '"fc.**"',
    "Kind": "Linear.weight",
    "rank": "rank < 2",
}
SEVERAL = """
train {{
  let gen  = Gen()
  let disc = Disc()
  data = D
  batch = 8
  duration = 3 steps
  {pair}
  step disc {{
    {disc}
  }}
  {gen}
}}
"""
BUILTIN = """dlspec 1
data D {{
  source = builtin("{name}")
  split  = random(train = 0.5, val = 0.5, seed = 0)
  x: f32[{size}] = source.x -> standardize
  label: i64 = source.label
}}
model M(x: [B, {size}]) -> (logits: [B, 3]) {{ logits = x -> fc: Linear(3) }}
train {{ model = M; data = D; loss = cross_entropy(logits, label); optimizer = SGD(1e-1); batch = 8; duration = 2 steps }}
"""
SERIES = """dlspec 1
data D {{
  source = csv("series.csv")
  split  = all("train")
  {lines}
  let window = source.value -> window(3, horizon = 1)
  past: f32[3] = window.past
  next: f32[1] = window.next
}}
model M(past: [B, 3]) -> (ahead: [B, 1]) {{ ahead = past -> fc: Linear(1) }}
train {{ model = M; data = D; loss = mse(ahead, next); optimizer = SGD(1e-2); batch = 4; duration = 4 steps }}
"""


@dataclass(frozen=True)
class Row:
    """Lines that have the key (`given`) and lines without it (`without`), by section and key; what they change `shows` in the
    trace of the run."""

    shows: str
    given: Mapping[str, Mapping[str, str]]
    without: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    long: bool = False  # what another row of the key shows as well


def train(shows: str, line: str, without: str = "", key: str = "more", long: bool = False, **others: str) -> Row:
    return Row(
        shows, {"train": {**others, key: line}}, {"train": {**others, key: without} if without or others else {}}, long
    )


def of(section: str, shows: str, line: str, key: str = "more", without: str = "") -> Row:
    return Row(shows, {section: {key: line}}, {section: {key: without}} if without else {section: {}})


def step(line: str, key: str = "more") -> Row:
    return Row("weights", {"disc": {key: line}}, {"disc": {}})


def search(line: str, key: str = "more") -> Row:
    return Row("warned", {"search": {key: line}})


def foreign(line: str, file: str) -> Row:
    begins = {"train": {"more": f'weights = theirs(file("{file}.safetensors"))'}}
    return Row("refused", {**begins, "weights": {"more": line}}, begins)


def selected(key: str, inside: str) -> dict[str, Row]:
    return {word: train("weights", f"{key} {text} {inside}", long=word != "glob") for word, text in GROUPS.items()}


TIMES = "time = source.day; series = source.name"
EFFECTS: dict[str, dict[str, Row]] = {
    "data.source": {
        "csv": of("data", "weights", 'source = csv("b.csv")', "source"),
        "image_folder": Row("weights", {"photos": {"source": 'source = image_folder("others")'}}, {"photos": {}}),
        "builtin": Row(
            "weights", {"builtin": {"name": "wine", "size": "13"}}, {"builtin": {"name": "iris", "size": "4"}}
        ),
    },
    "data.split": {
        "random": of("data", "weights", "split = random(train = 0.5, val = 0.25, test = 0.25, seed = 1)", "split"),
        "contiguous": of("data", "weights", "split = contiguous(train = 0.5, val = 0.25, test = 0.25)", "split"),
        "folders": Row(
            "weights",
            {
                "photos": {
                    "source": 'source = image_folder("{split}")',
                    "split": 'split = folders(train = "one", val = "two")',
                }
            },
            {
                "photos": {
                    "source": 'source = image_folder("{split}")',
                    "split": 'split = folders(train = "two", val = "one")',
                }
            },
        ),
        "files": Row(
            "weights",
            {"data": {"source": 'source = csv("{split}.csv")', "split": 'split = files(train = "a", val = "b")'}},
            {"data": {"source": 'source = csv("{split}.csv")', "split": 'split = files(train = "b", val = "a")'}},
        ),
        "all": of("data", "weights", 'split = all("train")', "split"),
    },
    "data.where": {"": of("data", "weights", "where = source.n < 3")},
    "data.drop": {
        "": Row(
            "weights",
            {"data": {"source": 'source = csv("holes.csv")', "more": "drop = [source.y]"}},
            {"data": {"source": 'source = csv("holes.csv")'}},
        ),
        "missing": Row(
            "weights",
            {"data": {"source": 'source = csv("holes.csv")', "more": 'drop = "missing"\n  y: f32 = source.y'}},
            {"data": {"source": 'source = csv("holes.csv")', "more": "y: f32 = source.y -> impute(0)"}},
        ),
    },
    "data.series": {"": of("series", "weights", "series = source.name")},
    "data.time": {"": of("series", "weights", f'{TIMES}; gaps = "join"', without="series = source.name")},
    "data.gaps": {
        word: of(
            "series",
            "refused" if word == "refuse" else "weights",
            f'{TIMES}; gaps = "{word}"',
            without=f'{TIMES}; gaps = "{"join" if word == "cut" else "cut"}"',
        )
        for word in ("refuse", "cut", "join")
    },
    "data.skip": {
        "": Row(
            "refused",
            {"photos": {"more": 'skip = ["d"]', "source": 'source = image_folder("more")'}},
            {"photos": {"source": 'source = image_folder("more")'}},
        )
    },
    "train.model": {"GPT2": train("weights", "model = M(wide = 4)", key="model")},
    "train.data": {"": train("weights", "data = E", key="data")},
    "train.inputs": {"{": train("weights", "inputs { x = other }")},
    "train.loss": {
        "": train("weights", "loss = cross_entropy(logits, label, smoothing = 0.5)", key="loss"),
        "{": train("csv", "loss { a = cross_entropy(logits, label); b = mean(logits * logits) }", key="loss"),
    },
    "train.metrics": {"{": train("csv", "metrics { acc = accuracy(logits, label) }")},
    "train.optimizer": {
        "AdamW": train("weights", "optimizer = AdamW(1e-2)", key="optimizer"),
        "SGD": train("weights", "optimizer = SGD(1e-2)", key="optimizer"),
    },
    "train.group": selected("group", "{ lr = base.lr / 2 }"),
    "train.freeze": selected("freeze", ""),
    "train.step": {"": Row("weights", {"disc": {}}, {"disc": {}, "gen": {"step": ""}})},
    "train.phase": {
        "": train("csv", "phase a { duration = 2 steps }\n  phase b { duration = 3 steps; batch = 4 }", key="duration")
    },
    "train.weights": {
        "file": train("weights", 'weights = file("start.safetensors")'),
        "map": train("weights", 'weights = theirs(file("start.safetensors"))', long=True),
        "{": Row(
            "weights", {"disc": {}, "pair": {"more": 'weights { disc = file("disc.safetensors") }'}}, {"disc": {}}
        ),
    },
    "train.batch": {
        "": train("weights", "batch = 4", key="batch"),
        "25k": train("batches", "batch = 24 tokens", key="batch"),
    },
    "train.micro_batch": {"": train("batches", "micro_batch = 4")},
    "train.sampling": {
        "balanced": train("weights", "sampling = balanced(label)"),
        "weighted": train("weights", "sampling = weighted(rare)"),
    },
    "train.duration": {
        "epochs": train("steps", "duration = 2 epochs", key="duration"),
        "steps": train("steps", "duration = 5 steps", key="duration"),
    },
    "train.validate": {
        "every": train("csv", "validate = every(1 steps)", key="validate"),
        "every, batches": train(
            "csv",
            "validate = every(2 steps, batches = 1)",
            "validate = every(2 steps)",
            "validate",
            batch="batch = 16 tokens",
        ),
    },
    "train.keep": {
        "best": train("kept", "keep = best(val.loss)", optimizer="optimizer = SGD(50.0)"),
        "last": train("kept", "keep = last", "keep = best(val.loss)", optimizer="optimizer = SGD(50.0)"),
        "average": train("kept", "keep = average(last = 2)"),
    },
    "train.stop": {
        "plateau": train(
            "steps",
            "stop = plateau(val.loss, patience = 1 steps)",
            optimizer="optimizer = SGD(50.0)",
            duration="duration = 8 steps",
        )
    },
    "train.clip": {"norm": train("weights", "clip = norm(0.01)"), "value": train("weights", "clip = value(0.001)")},
    "train.precision": {
        "f32": train("weights", 'precision = "f32"', 'precision = "bf16"'),
        "bf16": train("weights", 'precision = "bf16"'),
        "f16": train("weights", 'precision = "f16"'),
    },
    "train.seed": {"": train("weights", "seed = 7")},
    "train.ema": {"": train("kept", "ema = 0.5")},
    "train.mixup": {"": train("weights", "mixup = 0.4")},
    "train.log": {"{": train("csv", "log { every = 1 steps }", long=True)},
    "train.runtime": {"{": train("calls", 'runtime { recompute = ["fc"] }', long=True)},
    "step.loss": {
        "": step("loss = bce(x -> disc, ones([B]))", "loss"),
        "{": step("loss { a = bce(x -> disc, ones([B])); b = bce(x -> disc, zeros([B])) }", "loss"),
    },
    "step.optimizer": {
        "AdamW": step("optimizer = AdamW(1e-2)", "optimizer"),
        "SGD": step("optimizer = SGD(1e-2)", "optimizer"),
    },
    "step.group": {word: step(f"group {text} {{ lr = 0 }}") for word, text in {**GROUPS, "glob": '"disc.**"'}.items()},
    "step.clip": {"norm": step("clip = norm(0.01)"), "value": step("clip = value(0.01)")},
    "step.repeat": {"": step("repeat = 2")},
    "freeze.until": {
        "epochs": train("weights", 'freeze "fc.**" { until = 1 epochs }', 'freeze "fc.**"'),
        "steps": train("weights", 'freeze "fc.**" { until = 2 steps }', 'freeze "fc.**"'),
    },
    "log.every": {
        "epochs": train("csv", "log { every = 1 epochs }", validate="validate = every(4 steps)"),
        "steps": train("csv", "log { every = 1 steps }"),
    },
    "log.images": {"let": train("files", "let board = x -> [B, (2, 2)] => [B, 2, 2]; log { images = [board] }")},
    "log.values": {"let": train("csv", "log { values = [logits] }")},
    "runtime.shard": {"fsdp": train("warned", 'runtime { shard = "fsdp" }')},
    "runtime.recompute": {"": train("calls", 'runtime { recompute = ["fc"] }')},
    "runtime.sync_batch_norm": {
        "true": train("warned", "runtime { sync_batch_norm = true }"),
        "false": train(
            "warned", "runtime { sync_batch_norm = false }", "runtime { sync_batch_norm = true }", long=True
        ),
    },
    "runtime.workers": {
        "": Row("workers", {"photos": {}, "recipe": {"more": "runtime { workers = 1 }"}}, {"photos": {}})
    },
    "export.onnx": {"": of("export", "path", 'onnx = "elsewhere.onnx"')},
    "export.train": {"": Row("refused", {"export": {"more": "train = Other"}, "two": {}}, {"export": {}, "two": {}})},
    "export.model": {"let": of("export", "file", "model = N")},
    "export.inputs": {"": of("export", "file", "inputs = [h]")},
    "export.outputs": {
        "": of("export", "file", "outputs = [h]"),
        "{": of("export", "file", "outputs { p = softmax(logits) }"),
    },
    "export.precision": {
        "f32": of("export", "file", 'precision = "f32"', without='precision = "f16"'),
        "f16": of("export", "file", 'precision = "f16"'),
        "bf16": of("export", "file", 'precision = "bf16"'),
    },
    "export.opset": {"": of("export", "refused", "opset = 17")},
    "export.fix": {"{": of("export", "file", "fix { B = 1 }")},
    "export.preprocess": {
        "true": of("export", "file", "preprocess = true"),
        "false": of("export", "file", "preprocess = false", without="preprocess = true"),
    },
    "export.quantize": {
        word: Row(
            "file",
            {"export": {"model": "model = N", "more": f'quantize = "{word}"'}},
            {"export": {"model": "model = N"}},
        )
        for word in ("int8", "int4")
    },
    "search.method": {
        word: search(f"method = {word}({trials})", "method")
        for word, trials in (("grid", ""), ("random", "trials = 2"), ("bayes", "trials = 2"))
    },
    "search.objective": {"val": search("objective = val.loss", "objective")},
    "search.prune": {
        "asha": search("prune = asha(min = 1 epochs, factor = 3)"),
        "median": search("prune = median(min = 1 epochs)"),
    },
    "search.train": {"": search("train = Recipe")},
    "weights.ignore": {"": foreign('ignore = ["extra"]', "extra")},
    "weights.strip": {"": foreign('strip = "net."', "prefixed")},
}
#: Words that need a network: the test that has a server or a copy of one.
ELSEWHERE = {"train.weights": {"hf": "test_weights_load.py", "torchvision": "test_weights_load.py"}}


def spec(changed: Mapping[str, Mapping[str, str]]) -> str:
    """The spec with the lines of a row."""

    def lines(section: str, indent: str = "\n  ") -> str:
        return indent.join({**LINES.get(section, {}), **changed.get(section, {})}.values())

    if "builtin" in changed:
        return BUILTIN.format(**changed["builtin"])
    if "series" in changed:
        return SERIES.format(lines=lines("series"))
    if "photos" in changed:
        return PHOTOS.format(lines=lines("photos"), recipe=lines("recipe"))
    text = "dlspec 1\n" + DATA.format(name="D", lines=lines("data"))
    text += DATA.format(name="E", lines="\n  ".join({**LINES["data"], "source": 'source = csv("b.csv")'}.values()))
    text += MODELS.replace("RULES", lines("weights"))
    if "disc" in changed:
        return text + SEVERAL.format(pair=lines("pair"), disc=lines("disc"), gen=lines("gen"))
    names = ("Recipe", "Other") if "two" in changed else ("Recipe",)
    text += "".join(f"train {name} {{\n  {lines('train')}\n}}\n" for name in names)
    for section in ("export", "search"):
        text += f"{section} {{\n  {lines(section)}\n}}\n" if section in changed else ""
    return text
