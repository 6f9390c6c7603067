"""One line for every entry of a recipe, as it stands in a spec: the examples of docs/recipe.md, which a test checks.

`SETTINGS` says in which spec they stand.
"""

from __future__ import annotations

#: The spec around the examples; a line takes the place of the one with the same key.
SETTINGS = """dlspec 1

data Rows {
  source = npz("rows.npz")
  split  = random(train = 0.8, val = 0.2)
  x:     f32[6] = source.x
  other: f32[6] = source.other
  third: f32[6] = source.third
  y:     f32    = source.y
  label: i64    = source.label
  yes:   f32[3] = source.yes
  words: i64[9] = source.words
  area:  i64[8, 8] = source.area
}

model Net(x: [B, 6], other: [B, 6], third: [B, 6]) -> (logits: [B, 3]) {
  h      = x -> first: Linear(6)
  near   = other -> second: Linear(6)
  far    = third -> other: Linear(6)
  value  = h -> middle: Linear(1) -> squeeze(-1)
  steps  = h -> speaker: Linear(9 * 5) -> [B, (T, 5)] => [B, T, 5]
  pixels = h -> painter: Linear(3 * 64) -> [B, (3, 8, 8)] => [B, 3, 8, 8]
  logits = h + near + far -> relu -> last: Linear(3)
}

model Critic(x: [B, 6]) -> (score: [B, 1]) { score = x -> hidden: Linear(8) -> relu -> out: Linear(1) }

train {
  model     = Net
  data      = Rows
  loss      = cross_entropy(logits, label)
  metrics   { acc = accuracy(logits, label) }
  optimizer = AdamW(1e-3)
  batch     = 32
  duration  = 20 epochs
  validate  = every(1 epochs)
  keep      = best(val.loss)
}
"""

LOSSES = {
    "cross_entropy": "loss = cross_entropy(logits, label, smoothing = 0.1)",
    "bce": "loss = bce(logits, yes)",
    "nll": "loss = nll(log_softmax(logits), label)",
    "focal": "loss = focal(logits, label, gamma = 1.5)",
    "kl_divergence": "loss = kl_divergence(logits, stop_grad(logits))",
    "mse": "loss = mse(value, y)",
    "l1_loss": "loss = l1_loss(value, y)",
    "huber": "loss = huber(value, y, delta = 0.5)",
    "dice_loss": "loss = dice_loss(pixels, area, axis = 1)",
    "triplet": "loss = triplet(h, near, far, margin = 0.5)",
    "contrastive": "loss = contrastive(h, near, temperature = 0.1)",
    "gradient_penalty": "loss = mean(other -> critic) - mean(x -> critic) + 10 * gradient_penalty(critic, x, other)",
    "l1": 'loss = cross_entropy(logits, label) + 1e-5 * l1("**.weight")',
}

METRICS = {
    "accuracy": "metrics { top2 = accuracy(logits, label, k = 2) }",
    "f1": 'metrics { f1 = f1(logits, label, average = "weighted") }',
    "precision": "metrics { precise = precision(logits, label) }",
    "recall": "metrics { found = recall(logits, label) }",
    "auroc": "metrics { auroc = auroc(logits, label) }",
    "iou": "metrics { iou = iou(pixels, area, axis = 1) }",
    "perplexity": "metrics { ppl = perplexity(steps, words, ignore = 0) }",
    "rmse": "metrics { rmse = rmse(value, y) }",
    "mae": "metrics { mae = mae(value, y) }",
    "r2": "metrics { r2 = r2(value, y) }",
    "bleu": "metrics { bleu = bleu(steps, words, ignore = 0) }",
}

OPTIMIZERS = {
    "SGD": "optimizer = SGD(0.1, momentum = 0.9, nesterov = true)",
    "Adam": "optimizer = Adam(1e-3)",
    "AdamW": "optimizer = AdamW(3e-4, betas = (0.9, 0.95), weight_decay = 0.1)",
    "RMSprop": "optimizer = RMSprop(1e-3, alpha = 0.9)",
    "Adagrad": "optimizer = Adagrad(0.01)",
    "Adadelta": "optimizer = Adadelta(1.0)",
    "Lion": "optimizer = Lion(1e-4, weight_decay = 1.0)",
    "Muon": "optimizer = Muon(0.02)",
}

SEGMENTS = {
    "linear": "optimizer = AdamW(lr = 0 -> linear(1e-3, 100 steps) -> hold(rest))",
    "cosine": "optimizer = AdamW(lr = 1e-3 -> cosine(1e-5, rest))",
    "hold": "optimizer = AdamW(lr = 1e-3 -> hold(5 epochs) -> linear(0, rest))",
    "decay": "optimizer = SGD(lr = 0.1 -> decay(0.5, every = 4 epochs))",
    "inverse_sqrt": "optimizer = Adam(lr = 0 -> linear(1e-3, 100 steps) -> inverse_sqrt(rest))",
    "jump": "optimizer = SGD(lr = 0.1 -> hold(8 epochs) -> jump(0.01) -> hold(rest))",
}

CLIPS = {"norm": "clip = norm(1.0)", "value": "clip = value(0.5)"}
KEEPS = {"best": "keep = best(val.acc)", "last": "keep = last", "average": "keep = average(last = 3)"}
STOPS = {"plateau": "stop = plateau(val.loss, patience = 3 epochs)"}
VALIDATIONS = {"every": "validate = every(50 steps, batches = 4)"}

_IMAGES = 'image_folder("pictures")'
_TABLE = 'csv("rows.csv")'
_ARRAYS = 'npz("rows.npz")'
_TOKENS = 'token_file("{split}.bin", "u16")'

#: (source, lines of fields): what is learned of a record stands in `let`.
TRANSFORMS: dict[str, tuple[str, str]] = {
    "resize": (_IMAGES, "image: f32[3, 64, 64] = source.image -> resize(72) -> center_crop(64) -> scale(1)"),
    "center_crop": (_IMAGES, "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1)"),
    "random_crop": (_IMAGES, "image: f32[3, 64, 64] = source.image -> resize(72) -> random_crop(64) -> scale(1)"),
    "random_resized_crop": (
        _IMAGES, "image: f32[3, 64, 64] = source.image -> random_resized_crop(64, scale = (0.5, 1.0)) -> scale(1)",
    ),
    "hflip": (_IMAGES, "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { hflip }"),
    "vflip": (_IMAGES, "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { vflip }"),
    "shift": (_IMAGES, "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { shift(4) } -> scale(1)"),
    "rotate": (_IMAGES, "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { rotate(10) } -> scale(1)"),
    "affine": (
        _IMAGES,
        ("image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1)\n"
        "  -> if training { affine(degrees = 10, translate = 0.1, scale = (0.9, 1.1)) }"),
    ),
    "blur": (_IMAGES, "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> blur(5)"),
    "noise": (_IMAGES, "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { noise(0.1) }"),
    "erase": (_IMAGES, "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { erase(0.25) }"),
    "color_jitter": (
        _IMAGES,
        ("image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1)\n"
        "  -> if training { color_jitter(brightness = 0.4, contrast = 0.4) }"),
    ),
    "rand_augment": (
        _IMAGES, "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { rand_augment } -> scale(1)",
    ),
    "rgb": (_IMAGES, 'image: f32[3, 64, 64] = source.image -> center_crop(64) -> rgb -> normalize("imagenet")'),
    "normalize": (_IMAGES, 'image: f32[3, 64, 64] = source.image -> center_crop(64) -> normalize("imagenet")'),
    "scale": (_ARRAYS, "x: f32[8] = source.pixels -> scale(1 / 16)"),
    "threshold": (_TABLE, "x: i64 = source.grade -> threshold(4)"),
    "standardize": (_TABLE, "x: f32 = source.height -> standardize"),
    "impute": (_TABLE, 'x: f32 = source.height -> impute("median") -> standardize'),
    "clip": (_TABLE, "x: f32 = source.income -> clip(min = 0, max = 1e6)"),
    "log1p": (_TABLE, "x: f32 = source.income -> log1p -> standardize"),
    "one_hot": (_TABLE, "x: f32[7] = source.weekday -> one_hot(7)"),
    "category": (_TABLE, 'x: i64 = source.answer -> category("no", "yes")'),
    "lower": (_TABLE, "x: i64[T <= 40] = source.text -> lower -> words -> vocab(5000) -> truncate(40) -> pad(0)"),
    "words": (_TABLE, "x: i64[T <= 40] = source.text -> words -> vocab(5000) -> truncate(40) -> pad(0)"),
    "chars": (_TABLE, "x: i64[T <= 80] = source.text -> chars -> vocab(200) -> truncate(80) -> pad(0)"),
    "vocab": (_TABLE, "x: i64[T <= 40] = source.text -> words -> vocab(5000, min_count = 2) -> truncate(40) -> pad(0)"),
    "bpe": (_TABLE, 'x: i64[T <= 40] = source.text -> bpe("tokenizer.json") -> truncate(40) -> pad(0)'),
    "wordpiece": (_TABLE, 'x: i64[T <= 128] = source.text -> wordpiece("vocab.txt", max = 128) -> pad(0)'),
    "mlm_mask": (
        _TOKENS,
        ("let masked = source.tokens -> random_window(128) -> mlm_mask(0.15, mask = 103)\n"
        "x: i64[128] = masked.ids\ny: i64[128] = masked.labels"),
    ),
    "truncate": (_TABLE, "x: i64[T <= 40] = source.text -> words -> vocab(5000) -> truncate(40) -> pad(0)"),
    "pad": (_TABLE, "x: i64[T <= 40] = source.text -> words -> vocab(5000) -> truncate(40) -> pad(0)"),
    "random_window": (_TOKENS, "let part = source.tokens -> random_window(65)\nx: i64[64] = part[:-1]\ny: i64[64] = part[1:]"),
    "window": (_TOKENS, "let part = source.tokens -> window(65, stride = 64)\nx: i64[64] = part[:-1]\ny: i64[64] = part[1:]"),
}  # fmt: skip

INITS = {
    "normal": 'init "**.weight" = normal(0.02)',
    "trunc_normal": 'init "**.weight" = trunc_normal(0.02)',
    "uniform": 'init "**.weight" = uniform(-0.1, 0.1)',
    "zeros": 'init "**.bias" = zeros',
    "ones": 'init "**.weight" = ones',
    "constant": 'init "**.bias" = constant(0.5)',
    "xavier_uniform": 'init "**.weight" = xavier_uniform',
    "xavier_normal": 'init "**.weight" = xavier_normal(gain = 0.5)',
    "kaiming_uniform": 'init "**.weight" = kaiming_uniform(act = "relu")',
    "kaiming_normal": 'init "**.weight" = kaiming_normal(mode = "fan_out", act = "relu")',
    "orthogonal": 'init "**.weight" = orthogonal(gain = 1.4)',
    "s4d_real": 'init "**.weight" = s4d_real',
}


def train_example(line: str) -> str:
    """`SETTINGS` with a line of the train section replaced, or added."""
    key = line.split(" ", 1)[0]
    if "critic" in line:
        return SETTINGS.partition("train {")[0] + (
            "train {\n  data = Rows\n  let critic = Critic\n  optimizer = AdamW(1e-4)\n  batch = 32\n"
            f"  duration = 100 steps\n  validate = every(50 steps)\n  keep = last\n  {line}\n}}\n"
        )
    head, _, section = SETTINGS.partition("train {\n")
    kept = [row for row in section.splitlines() if row.split() and row.split()[0] != key]
    if key == "metrics":
        kept = [row.replace("val.acc", "val.loss") for row in kept]
    return f"{head}train {{\n  {line}\n" + "\n".join(kept) + "\n"


def data_example(source: str, lines: str) -> str:
    """A data section with these fields."""
    split = "" if source == _TOKENS else "  split = random(train = 0.9, val = 0.1)\n"
    split = '  split = files(train = "train", val = "val")\n' if source == _TOKENS else split
    body = "\n".join(f"  {line}" for line in lines.splitlines())
    return f"dlspec 1\n\ndata Records {{\n  source = {source}\n{split}{body}\n}}\n"


def init_example(line: str) -> str:
    """`SETTINGS` with a rule in its model."""
    return SETTINGS.replace("\nmodel Critic", "model Critic", 1).replace(
        "-> last: Linear(3)\n}", f"-> last: Linear(3)\n  {line}\n}}\n"
    )
