"""Words of Python, PyTorch and NumPy, and what the language writes instead.

A word that differs from ours in case, underscores or a `2d` behind it needs no row: near names find it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .diagnostics import Diagnostic
from .source import Span
from .wording import meant

#: Values.
LITERALS = {
    "True": "true", "False": "false", "None": "none", "null": "none", "nil": "none",
    "float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64", "int8": "i8", "int16": "i16",
    "int32": "i32", "int64": "i64", "uint8": "u8",
}  # fmt: skip

#: Another library's word for ours.
OURS = {
    "cat": "concat", "concatenate": "concat", "clip": "clamp", "amax": "max", "amin": "min", "detach": "stop_grad",
    "no_grad": "stop_grad", "stop_gradient": "stop_grad", "Parameter": "Param", "register_buffer": "Buffer",
    "interpolate": "upsample", "scaled_dot_product_attention": "attention", "swish": "silu", "index_select": "gather",
    "take_along_axis": "gather", "take_along_dim": "gather", "select": "take", "normalize": "l2_normalize",
    "scatter_add": "scatter", "fmax": "maximum", "fmin": "minimum", "stochastic_depth": "drop_path",
    "DropPath": "drop_path", "Dense": "Linear", "Interpolate": "upsample", "PixelShuffle": "pixel_shuffle",
    "adaptive_max_pool2d": "max_pool", "parameter": "Param", "resize": "upsample", "bitwise_and": "and", "astype": "cast", "to": "cast", "type": "cast", "type_as": "cast", "broadcast_to": "expand",
    "expand_as": "expand", "flatten_": "flatten", "linear": "Linear", "conv1d": "Conv", "conv2d": "Conv", "conv3d": "Conv",
    "embedding": "Embedding", "layer_norm": "LayerNorm", "batch_norm": "BatchNorm", "group_norm": "GroupNorm",
}  # fmt: skip

_ADAPTIVE = "to one number per channel: `global_avg_pool`; to n by n: `avg_pool(n, adaptive = true)`"
_REARRANGE = "axes are reordered by name: `x -> [B, T, D] => [B, D, T]`"
_REGROUP = "axes are split and joined by name: `x -> [B, T, (H, D)] => [B, T, H, D]`"
_AXIS = "an axis of size 1 is inserted with `x[:, none]`"
_STAGES = "stages are joined with `->` and repeated with `repeat n { .. }`"
_WHEREVER = "leave it out: tensors are where the model is"
_SIZES = "sizes have names, given in the signature: with `x: [B, T, D]`, `D` is a number"
_PRODUCT = "the matrix product is written `a @ b`"
_CAST = "types are converted with `x -> cast(f32)`"
_SCAN = "a recurrence of your own is a `scan`: `y = scan(axis = 1, x_t = x, h = carry(h0)) { .. }`"
_MADE = "write `zeros([B, D])`, `ones([B, D])` or `Param([D], init = zeros)`"
_IN_TRAIN = "losses belong in `train`: `loss = cross_entropy(logits, label)`"

#: What is written with other means than one word.
WRITTEN = {
    "one_hot": "compare with every class: `(x[..., none] == arange(10)) -> cast(f32)`",
    "adaptive_avg_pool": _ADAPTIVE, "AdaptiveAvgPool1d": _ADAPTIVE, "AdaptiveAvgPool2d": _ADAPTIVE, "adaptive_avg_pool2d": _ADAPTIVE,
    "range": "a range is written `0..n`",
    "transpose": "`x.T` swaps the last two axes; for others write `x -> [B, T, D] => [B, D, T]`",
    "T": "write `x.T`", "t": "`x.T` swaps the last two axes", "mT": "write `x.T`",
    "permute": _REARRANGE, "swapaxes": _REARRANGE, "movedim": _REARRANGE, "moveaxis": _REARRANGE,
    "view": _REGROUP, "reshape": _REGROUP, "unflatten": _REGROUP, "rearrange": _REGROUP,
    "unsqueeze": _AXIS, "expand_dims": _AXIS, "newaxis": "write `none`: `x[:, none]`",
    "matmul": _PRODUCT, "bmm": _PRODUCT, "mm": _PRODUCT, "dot": _PRODUCT, "addmm": "write `a + b @ c`",
    "einsum": "write a product with `@`, or `sum(a * b, axis = -1)`",
    "outer": "write `a[:, none] * b[none]`",
    "round": "round with `floor(x + 0.5)`, or to a multiple with `round_to(x, 8)`",
    "ceil": "round up with `-floor(-x)`", "trunc": "round down with `floor(x)`",
    "pow": "write `x ** 2`", "square": "write `x ** 2`", "rsqrt": "write `1 / sqrt(x)`", "reciprocal": "write `1 / x`",
    "sign": "write `where(x > 0, 1, where(x < 0, -1, 0))`", "neg": "write `-x`", "sub": "write `a - b`",
    "mul": "write `a * b`", "div": "write `a / b`", "multiply": "write `a * b`", "divide": "write `a / b`",
    "std": "write `sqrt(var(x, axis = -1))`",
    "eq": "write `a == b`", "ne": "write `a != b`", "gt": "write `a > b`", "lt": "write `a < b`",
    "ge": "write `a >= b`", "le": "write `a <= b`",
    "logical_and": "write `a and b`", "logical_or": "write `a or b`", "logical_not": "write `not a`",
    "masked_fill": "write `where(mask, value, x)`",
    "tril": "compare positions: `arange(T)[:, none] >= arange(T)`; attention has `causal = true`",
    "triu": "compare positions: `arange(T)[:, none] <= arange(T)`",
    "eye": "compare positions: `arange(T)[:, none] == arange(T)`",
    "full": "write `value * ones([B, D])`", "full_like": "write `0 * x + value`",
    "zeros_like": "write `zeros(x)`", "ones_like": "write `ones(x)`", "randn_like": "write `randn(x)`",
    "rand_like": "write `rand(x)`", "empty": _MADE, "tensor": "a number adapts to the tensor next to it; values that "
    "do not train are a `Buffer`", "as_tensor": "a number adapts to the tensor next to it",
    "linspace": "write `arange(n) * step`", "repeat_interleave": "write `x[:, :, none] -> expand([B, T, n])`",
    "tile": "write `concat(x, x, axis = -1)`, or `x[:, none] -> expand([B, n, D])`",
    "glu": "write `[a, b] = x -> chunk(2, axis = -1)`, then `a * sigmoid(b)`",
    "GLU": "write `[a, b] = x -> chunk(2, axis = -1)`, then `a * sigmoid(b)`",
    "ReLU6": "write `clamp(min = 0, max = 6)`", "relu6": "write `clamp(min = 0, max = 6)`",
    "PReLU": "write `leaky_relu(0.25)`, or `max` and `min` with a `Param`",
    "logsumexp": "write `log(sum(exp(x), axis = -1))`",
    "AdaptiveAvgPool3d": "write `global_avg_pool`",
    "Sequential": _STAGES, "ModuleList": _STAGES, "ModuleDict": _STAGES, "Module": "a layer of your own is a `block`",
    "LSTMCell": _SCAN, "GRUCell": _SCAN, "RNNCell": _SCAN,
    "TransformerEncoderLayer": "take a block of `std.transformer`, or write it with `attention`",
    "TransformerEncoder": "take a block of `std.transformer`, or write it with `attention`",
    "len": _SIZES, "shape": _SIZES, "size": _SIZES, "ndim": _SIZES, "dim": _SIZES, "numel": _SIZES,
    "int": "a whole quotient is written `a // b`; `floor(x)` rounds down", "float": _CAST, "bool": "compare: `x != 0`",
    "half": _CAST, "double": _CAST, "long": _CAST,
    "isinstance": "types are known before a model runs: choose with `if`", "print": "name the value: `dlc predict` and metrics show outputs",
    "lambda": "a function of your own is a `block`", "append": "several values are `[a, b]`, joined with `concat` or `stack`",
    "enumerate": "a loop over positions is `for i in 0..n { .. }`", "zip": "a loop over pairs is `for (a, b) in [(1, 2), (3, 4)] { .. }`",
    "cuda": _WHEREVER, "cpu": _WHEREVER, "device": _WHEREVER, "contiguous": "leave it out", "clone": "leave it out: values never change",
    "copy": "leave it out: values never change", "item": "leave it out", "numpy": "leave it out", "requires_grad_": "freeze weights in `train`: `freeze \"head.**\"`",
    "apply": "initial values are rules: `init Linear.weight = normal(0.02)`",
    "CrossEntropyLoss": _IN_TRAIN, "MSELoss": "losses belong in `train`: `loss = mse(pred, y)`",
    "BCEWithLogitsLoss": "losses belong in `train`: `loss = bce(logit, label)`", "NLLLoss": _IN_TRAIN,
    "Activation": "an activation is a stage of its own: `x -> Linear(8) -> relu`",
    "Input": "inputs are declared in the signature: `model Net(x: [B, 8]) -> (y: [B, 2]) { .. }`",
    "super": "a block has no constructor: write its stages in its body", "self": "there is no `self`: names are bound in the body, `fc = Linear(8)`",
}  # fmt: skip

#: Another library's word for an argument; the first of ours that the entry has is meant.
ARGUMENTS = {
    "dim": ("axis",), "dims": ("axis",), "axes": ("axis",), "keepdims": ("keepdim",), "keep_dims": ("keepdim",),
    "padding_idx": ("pad",), "num_embeddings": ("count",), "embedding_dim": ("dim",), "features": ("out",),
    "units": ("out",), "filters": ("out",), "out_features": ("out",), "out_channels": ("out",), "negative_slope": ("slope",),
    "rate": ("p",), "prob": ("p",), "attn_mask": ("mask",), "is_causal": ("causal",), "dropout_p": ("dropout",),
    "approximate": ("approx",), "upscale_factor": ("r",), "scale_factor": ("factor",), "unbiased": ("correction",),
    "learning_rate": ("lr",), "beta": ("betas",), "momentum": ("momentum",), "size": ("hidden", "out"),
}  # fmt: skip

_HEADS = "split the heads off first: `x -> [B, T, (heads, K)] => [B, heads, T, K]`"
_CEIL = "for windows that reach over the edge, pad behind first: `x -> pad((0, 1, 0, 1), value = -1e30) -> max_pool(3, stride = 2)`"
#: Arguments in whose place something else is written.
ELSEWHERE = {
    "activation": "it is a stage of its own: `x -> Linear(8) -> relu`",
    "heads": _HEADS,
    "num_heads": _HEADS,
    "nhead": _HEADS,
    "ceil": _CEIL,
    "ceil_mode": _CEIL,
}

#: What is meant by more arguments than a function has.
SURPLUS = {"arange": "`arange(n)` is 0 to n - 1; for others write `start + step * arange(n)`"}

#: Arguments of optimizers that others write next to the optimizer.
OF_OPTIMIZERS = ("lr", "learning_rate", "weight_decay", "momentum", "betas")
_EPOCHS, _STEPS = "write `duration = 10 epochs`", "write `duration = 1000 steps`"
_WARM = "it is the begin of the schedule: `AdamW(0 -> linear(1e-3, 100 steps) -> cosine(0, rest))`"
_SPLIT = "the data is divided in `data`: `split = random(train = 0.8, val = 0.2)`"
_PARTS = "a batch is computed in parts of `micro_batch`: `batch = 64; micro_batch = 16`"
_CHAIN = "transforms follow the field: `image: f32[3, 64, 64] = source.image -> resize(64) -> hflip`"
#: Keys in whose place something else is written.
KEYS = {
    "device": "the device is not part of a spec: `dlc train SPEC --device cuda`",
    "num_workers": "write `runtime { workers = 4 }`",
    "shuffle": "leave it out: training examples are always shuffled, in an order that `seed` fixes",
    "scheduler": "a schedule is the learning rate itself: `AdamW(1e-3 -> cosine(0, rest))`",
    "lr_scheduler": "a schedule is the learning rate itself: `AdamW(1e-3 -> cosine(0, rest))`",
    "callbacks": "`keep = best(val.loss)` keeps the best weights, `stop = plateau(val.loss, patience = 3 epochs)` ends early",
    "verbose": "leave it out: `dlc train` prints its progress",
    "compile": "leave it out: training runs the generated source; `torch.compile` takes the module of `model.py` as it is",
    "gpus": "the device is not part of a spec: `dlc train SPEC --device cuda`",
    "workers": "write `runtime { workers = 4 }`",
    "epochs": _EPOCHS,
    "max_epochs": _EPOCHS,
    "num_epochs": _EPOCHS,
    "n_epochs": _EPOCHS,
    "nb_epoch": _EPOCHS,
    "steps": _STEPS,
    "max_steps": _STEPS,
    "num_steps": _STEPS,
    "iterations": _STEPS,
    "max_iters": _STEPS,
    "early_stopping": "write `stop = plateau(val.loss, patience = 3 epochs)`",
    "patience": "write `stop = plateau(val.loss, patience = 3 epochs)`",
    "fp16": 'write `precision = "f16"`',
    "bf16": 'write `precision = "bf16"`',
    "mixed_precision": 'write `precision = "bf16"`',
    "amp": 'write `precision = "bf16"`',
    "save_every": "leave it out: a run saves by itself, and `keep = best(val.loss)` keeps the best weights",
    "log_every": "write `log { every = 10 steps }`",
    "resume": "write `dlc train SPEC --resume`",
    "warmup": _WARM,
    "warmup_steps": _WARM,
    "warmup_epochs": _WARM,
    "wandb": "leave it out: a run writes `metrics.csv` and a report",
    "logger": "leave it out: a run writes `metrics.csv` and a report",
    "validation_split": _SPLIT,
    "val_split": _SPLIT,
    "test_size": _SPLIT,
    "grad_accum": _PARTS,
    "accumulate_grad_batches": _PARTS,
    "gradient_accumulation_steps": _PARTS,
    "augment": _CHAIN,
    "transform": _CHAIN,
    "transforms": _CHAIN,
    "preprocess": _CHAIN,
    "target": "a target is a field: `label: i64 = source.label -> category`, which `train` names in its loss",
    "path": 'the source names its file: `source = csv("rows.csv")`',
}

_DECAY = "write `lr = 0.1 -> decay(0.1, every = 30 epochs)`"
_COSINE = "write `lr = 1e-3 -> cosine(0, rest)`"
_AS_IT_IS = "leave it out: records become tensors by the type of their field"
#: What another library does by an entry that we do not have.
ENTRIES = {
    "StepLR": _DECAY, "ExponentialLR": _DECAY, "ExponentialDecay": _DECAY, "MultiStepLR": "write `lr = 0.1 -> hold(30 epochs) -> jump(0.01) -> hold(rest)`",
    "CosineAnnealingLR": _COSINE, "CosineDecay": _COSINE, "warmup": "write `lr = 0 -> linear(1e-3, 100 steps) -> ..`",
    "ToTensor": _AS_IT_IS, "PILToTensor": _AS_IT_IS, "ToDtype": _AS_IT_IS, "Compose": "transforms are joined with `->`",
    "load_dataset": 'write `hub("owner/name")`', "read_csv": 'write `csv("rows.csv")`', "ImageFolder": 'write `image_folder("images/{split}")`',
    "to_tensor": _AS_IT_IS, "StandardScaler": "write `standardize`", "MinMaxScaler": "write `standardize`, or `scale(1 / 255)` for a known range",
    "LabelEncoder": "write `category`", "OneHotEncoder": "write `category -> one_hot(3)`", "fillna": "write `impute(0)`",
    "SimpleImputer": 'write `impute("mean")`', "log": "write `log1p`", "RandomHorizontalFlip": "write `hflip`",
    "train_test_split": "write `random(train = 0.8, val = 0.2)`",
    "split": 'labels in one cell are taken apart by `multi_hot(separator = ";")`, the words of a text by `words -> vocab(10000)`',
    "MultiLabelBinarizer": 'write `multi_hot(separator = ";")`', "get_dummies": "write `category -> one_hot(3)`",
    "to_categorical": "write `category -> one_hot(3)`", "tokenize": "write `words -> vocab(10000)`, or `bpe(train = 8000)`",
    "Tokenizer": "write `words -> vocab(10000)`, or `bpe(train = 8000)`", "parse_dates": 'write `date("%Y-%m-%d")`', "to_datetime": 'write `date("%Y-%m-%d")`',
}  # fmt: skip

#: Arguments that the language has no need of.
NEEDLESS = {
    "params": "all weights of the model are trained; `freeze` and `group` select some",
    "in_features": "the input's size is known", "in_channels": "the input's size is known",
    "input_size": "the input's size is known", "num_features": "the input's size is known",
    "num_channels": "the input's size is known", "normalized_shape": "it normalises the last axis",
    "embed_dim": "the input's size is known", "batch_first": "the batch is always the first axis",
    "inplace": "values never change", "device": "tensors are where the model is", "requires_grad": "freeze weights in `train`",
    "track_running_stats": "statistics are always kept", "return_sequences": "`.y` holds every step, `.h` the last one",
}  # fmt: skip

#: Where names of other libraries come from: `torch.relu(x)`.
MODULES = (
    "torch",
    "nn",
    "F",
    "np",
    "numpy",
    "tf",
    "jnp",
    "jax",
    "keras",
    "math",
    "self",
    "timm",
    "torchvision",
    "einops",
)


def suggest(name: str, near: str | None) -> tuple[str, ...]:
    """The help for a name that is not defined: another library's word, else a near name."""
    if name in LITERALS:
        return (f"write `{LITERALS[name]}`",)
    return (WRITTEN[name],) if name in WRITTEN else meant(OURS.get(name) or near)


def entry(name: str) -> tuple[str, ...]:
    """The help for a name of another library's optimizer, transform, source or the like."""
    return (ENTRIES[name],) if name in ENTRIES else ()


def key(name: str, section: str) -> tuple[str, ...]:
    """The help for a key that a section does not have."""
    if name in OF_OPTIMIZERS and section.partition(" ")[0] in ("train", "phase", "step"):
        return ("it is an argument of the optimizer: `optimizer = AdamW(lr = 1e-3, weight_decay = 0.01)`",)
    return (KEYS[name],) if name in KEYS else ()


def argument(name: str, known: tuple[str, ...], near: str | None) -> tuple[str, ...]:
    """The help for an argument that an entry does not have."""
    if name in NEEDLESS:
        return (f"leave it out: {NEEDLESS[name]}",)
    found = next((word for word in ARGUMENTS.get(name, ()) if word in known), None)
    # `padding`, `kernel_size`, `num_classes`: another library's longer word for ours.
    longer = next((k for k in known if len(k) > 2 and (name.startswith(k) or k in name.split("_"))), None)
    if name in ELSEWHERE and longer is None:
        return (ELSEWHERE[name],)
    return meant(found or near or longer)


def value(name: str, expected: str, given: object, order: tuple[str, ...]) -> tuple[str, ...]:
    """The help for a value of the wrong kind, where it shows what was meant. `order` are the arguments of the entry."""
    is_whole = isinstance(given, int) and not isinstance(given, bool)
    if expected == "a list of sizes" and is_whole:
        return (f"write it as a list: `[{given}]`",)
    if name == "pad" and given == "valid":
        return ("leave it out: nothing is padded by default",)
    if name == "pad" and isinstance(given, int) and given < 0:
        return ("edges are cut off by an index, such as `x[:, :, 1:-1, 1:-1]`",)
    if expected == "`true` or `false`" and isinstance(given, str):
        known = {"true": "true", "True": "true", "false": "false", "False": "false"}
        return (f"write `{known[given]}`, without quotes" if given in known else ELSEWHERE["activation"],)
    if expected == "`true` or `false`" and is_whole:
        return sizes_first(order)
    if name == "eps" and is_whole:
        return ("leave it out: the input's size is known, and `eps` is a small number such as `1e-5`",)
    return ()


def sizes_first(order: tuple[str, ...]) -> tuple[str, ...]:
    """The help where a layer seems to be given the size of its input first."""
    if order[:1] not in (("out",), ("hidden",)):
        return ()
    shown = ", ".join(f"`{each}`" for each in order[:3])
    return (f"sizes of the input are not given; the arguments are, in order, {shown} ..",)


def surplus(name: str, order: Sequence[str], listed: str) -> tuple[str, ...]:
    """The help for more positional arguments than there are; `listed` are all of them as one list, where that would fit."""
    if listed:
        return (f"write them as one list: `{name}({listed})`",)
    if name in SURPLUS:
        return (SURPLUS[name],)
    return (f"its arguments are, in order, {', '.join(f'`{each}`' for each in order)}",) if order else ()


# ---- calls ---------------------------------------------------------------------------------------------------------


def method_call(name: str, span: Span, helps: tuple[str, ...]) -> Diagnostic:
    return Diagnostic("E0303", f"a tensor has no method `{name}`", span, "a method of another library", helps=helps)


def module_call(path: str, span: Span, helps: tuple[str, ...]) -> Diagnostic:
    return Diagnostic("E0303", f"`{path}` is not part of the language", span, "a name of another library", helps=helps)


def layer_called(made: str, span: Span, piped: str) -> Diagnostic:
    return Diagnostic(
        "E0303", f"`{made}` is applied with `->`", span, "called a second time", helps=(f"write `{piped}`",)
    )


def instance_called(name: str, span: Span, piped: str) -> Diagnostic:
    return Diagnostic(
        "E0303", f"`{name}` is an instance: apply it with `->`", span, "called here", helps=(f"write `{piped}`",)
    )


def inputs_as_arguments(name: str, span: Span, piped: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{name}` takes its inputs through `->`",
        span,
        "a tensor among its arguments",
        helps=(f"write `{piped}`",),
    )


def part_called(path: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        f"`{path}` cannot be called",
        span,
        "a part of an instance",
        helps=("apply the whole instance with `x -> name`; a part that is used alone is bound on its own",),
    )


def cannot_call(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "this cannot be called",
        span,
        "not a function",
        helps=("a function or layer is applied by its name: `x -> relu`, `x -> Linear(8)`",),
    )
