"""The keys of `train` and of the sections inside it: step, phase, group, freeze, log, runtime."""

from __future__ import annotations

from .keys import DURATION, REQUIRED, SELECTORS, Key, SectionKeys

_LOSS = Key(
    "loss",
    "an expression, or `{ name = expression }` for a sum of named terms",
    REQUIRED,
    "What training minimises. Named terms are added and logged one by one.",
    "loss = cross_entropy(logits, label)",
    "key or sub",
    elsewhere=("criterion",),
)
_OPTIMIZER = Key(
    "optimizer",
    "an optimizer: `AdamW`, `SGD`, ..",
    REQUIRED,
    "How the parameters are updated. A hyperparameter may be a schedule: `lr = 1e-3 -> cosine(0, rest)`.",
    "optimizer = AdamW(lr = 1e-3 -> cosine(0, rest), weight_decay = 0.01)",
    elsewhere=("optim", "lr", "learning_rate", "lr_scheduler"),
)
_GROUP = Key(
    "group",
    f"{SELECTORS}; inside, arguments of the optimizer",
    "none: every parameter has the optimizer's arguments",
    "Overrides the optimizer's arguments for the parameters it selects; a later group wins. `base.lr` is the value that "
    "it overrides.",
    "group rank < 2 { weight_decay = 0 }",
    "sub_for",
    elsewhere=("param_groups", "parameter_groups"),
)
_CLIP = Key(
    "clip",
    "`norm(x)` or `value(x)`",
    "no clipping",
    "Limits gradients before each update: their norm over all parameters, or each value.",
    "clip = norm(1.0)",
    elsewhere=("clip_grad_norm", "gradient_clip_val", "max_grad_norm"),
)

TRAIN = SectionKeys(
    "train",
    "train { .. }, or train Name { .. }",
    "The training recipe: the model, its data, the loss, the optimizer, and how long to train. Sections have names when there "
    "are several.",
    (
        Key(
            "model",
            "a model, with statics if wanted: `GPT2(depth = 6)`",
            "required, unless a `let` makes a net",
            "The model that is trained. `let gen = Generator()` trains several nets, each under its own name.",
            "model = Classifier",
        ),
        Key(
            "data", "the name of a `data` section", REQUIRED, "The data that the model is trained on.", "data = Digits"
        ),
        Key(
            "inputs",
            "`{ input = field }`",
            "each input takes the field of its own name",
            "Feeds inputs of the model from data fields with other names.",
            "inputs { x = measurements }",
            "sub",
        ),
        _LOSS,
        Key(
            "metrics",
            "`{ name = metric }`",
            "none",
            "What is measured over the whole validation split, and over the test split with the kept weights.",
            "metrics { acc = accuracy(logits, label) }",
            "sub",
        ),
        _OPTIMIZER,
        _GROUP,
        Key(
            "freeze",
            f"{SELECTORS}; inside, `until`",
            "nothing is frozen",
            "Stops gradients and batch statistics of the parameters it selects. A net that is frozen whole runs in "
            "evaluation mode.",
            'freeze "fc.**" { until = 1 epochs }',
            "sub_for",
        ),
        Key(
            "step",
            "the name of a net; inside, `loss`, `optimizer`, `group`, `clip`, `repeat`",
            "one update of all nets",
            "One update of one net, with its own loss and optimizer; steps run in the order in which they are written.",
            "step gen { loss = bce(fake -> disc, ones([B])); optimizer = Adam(2e-4) }",
            "sub_for",
        ),
        Key(
            "phase",
            "a name; inside, keys of `train`",
            "one phase with the keys of `train`",
            "A part of the run with keys of its own. Phases run in order; what a phase does not set comes from `train`.",
            'phase warm { duration = 1 epochs; freeze "fc.**" }',
            "sub_for",
        ),
        Key(
            "weights",
            "`file(..)`, `hf(..)`, `torchvision(..)`, or a weight map of one; `{ net = .. }` for several nets",
            "the initial values of the spec",
            "The weights that training starts from.",
            'weights = file("start.safetensors")',
            "key or sub",
            elsewhere=("pretrained",),
        ),
        Key(
            "batch",
            "a number of samples, or of tokens (`25k tokens`)",
            REQUIRED,
            "Samples in one optimizer step, over all micro-batches together. A batch in tokens holds records of about one length, "
            "as many as fit: records times the longest of them is at most that number, for the longest of the fields.",
            "batch = 64",
            elsewhere=("batch_size",),
        ),
        Key(
            "micro_batch",
            "a number of samples that divides `batch`, or of tokens if `batch` is in tokens",
            "`batch`",
            "Samples that go through the network at once. Gradients of the micro-batches of one step are accumulated, "
            "which saves memory and leaves the result unchanged.",
            "micro_batch = 16",
            elsewhere=(
                "accumulate",
                "accumulation",
                "gradient_accumulation",
                "gradient_accumulation_steps",
                "accumulate_grad_batches",
            ),
        ),
        Key(
            "sampling",
            "`balanced(field)` or `weighted(field)`",
            "every record once an epoch",
            "Draws the records of an epoch with replacement, as many as there are: every class equally often, or each record by its "
            "weight. Draws follow from the seed and the epoch. A record that is drawn twice is augmented twice.",
            "sampling = balanced(label)",
            elsewhere=("weighted_sampler", "batch_sampler"),
        ),
        Key(
            "duration",
            DURATION,
            REQUIRED,
            "How long to train. An epoch is one pass over the training split. With phases, each phase has its own.",
            "duration = 10 epochs",
            elsewhere=("epochs", "max_epochs", "num_epochs", "max_steps"),
        ),
        Key(
            "validate",
            "`every(n, batches)`",
            "`every(1 epochs)`",
            "How often the validation split is evaluated, and on how many batches of it (all by default).",
            "validate = every(100 steps)",
            elsewhere=("validation", "val_check_interval", "eval_steps"),
        ),
        Key(
            "keep",
            "`best(metric)`, `last`, `average(last = n)`",
            "`last`",
            "Which weights the run keeps for evaluation and export.",
            "keep = best(val.loss)",
            elsewhere=("checkpoint", "save_best", "model_checkpoint"),
        ),
        Key(
            "stop",
            "`plateau(metric, patience)`",
            "never",
            "Ends the phase when the metric has not improved for the duration `patience`.",
            "stop = plateau(val.loss, patience = 20 epochs)",
            elsewhere=("early_stopping", "patience"),
        ),
        _CLIP,
        Key(
            "precision",
            '`"f32"`, `"bf16"` or `"f16"`',
            '`"f32"`',
            "The dtype of matrix products and convolutions (autocast). Weights, losses and norms stay in f32. In f16 gradients "
            "are scaled, and an update with a gradient beyond its range is left out. A recurrent layer that the processor "
            "cannot run in half precision (`LSTM` on CPUs without AVX-512) is computed in f32, with a note.",
            'precision = "bf16"',
            elsewhere=("amp", "autocast", "mixed_precision"),
        ),
        Key(
            "seed",
            "a whole number of at least 0",
            "`0`",
            "Seeds initial weights, data order, augmentation and dropout.",
            "seed = 7",
            elsewhere=("random_state", "random_seed"),
        ),
        Key(
            "ema",
            "a number from 0 to 1: the decay per step",
            "no average",
            "Keeps an exponential moving average of the weights; validation, `keep` and export use it.",
            "ema = 0.999",
        ),
        Key(
            "mixup",
            "a number above 0: the alpha of the beta distribution",
            "no mixup",
            "Mixes pairs of examples in training: fields of floating-point numbers by a share drawn for each batch, and the "
            "losses of their targets by the same share. The model may read no whole numbers (E0303).",
            "mixup = 0.2",
        ),
        Key(
            "log",
            "`{ every = ..; images = ..; values = .. }`",
            "see `log`",
            "What is logged, and how often.",
            "log { every = 10 steps }",
            "sub",
        ),
        Key(
            "runtime",
            "`{ shard = ..; recompute = ..; workers = .. }`",
            "see `runtime`",
            "How the machine is used. It may change speed and memory, not the result.",
            "runtime { workers = 2 }",
            "sub",
        ),
    ),
    also="`let name = expression`: a value that losses, metrics and steps share, or a net (`let gen = Generator()`).",
)

STEP = SectionKeys(
    "step",
    "step net { .. } in `train`",
    "One update of one net.",
    (
        _LOSS._replace(example="loss = bce(fake -> disc, ones([B]))"),
        _OPTIMIZER,
        _GROUP,
        _CLIP,
        Key(
            "repeat",
            "a whole number of at least 1",
            "`1`",
            "How many times the update runs in one round; each time draws a new batch.",
            "repeat = 5",
        ),
    ),
)

#: Keys that hold for the whole run.
NOT_IN_PHASE = ("model", "data", "inputs", "weights", "step", "phase", "keep", "stop", "metrics", "ema", "seed")

PHASE = SectionKeys(
    "phase",
    "phase name { .. } in `train`",
    "A part of the run with keys of its own. Schedules and `until` count from its start; an `optimizer` in a phase starts "
    "with fresh state.",
    tuple(key for key in TRAIN if key.name not in NOT_IN_PHASE),
)

GROUP = SectionKeys(
    "group",
    "group selector, .. { .. } in `train`, `phase` or `step`",
    "Arguments of the optimizer for some parameters. The keys are those of the optimizer (`dlc explain AdamW`).",
    (),
)

FREEZE = SectionKeys(
    "freeze",
    "freeze selector, .., or freeze selector, .. { until = .. } in `train` or `phase`",
    "Parameters that are not trained.",
    (
        Key(
            "until",
            DURATION,
            "the end of the phase",
            "When the parameters begin to be trained, counted from the start of the phase.",
            "until = 1 epochs",
        ),
    ),
)

LOG = SectionKeys(
    "log",
    "log { .. } in `train` or `phase`",
    "What a run logs besides losses and metrics.",
    (
        Key(
            "every",
            DURATION,
            "at each validation",
            "How often a row with the training losses goes to `metrics.csv`.",
            "every = 10 steps",
        ),
        Key(
            "images",
            "a list of data fields, `let`s or model values that are images",
            "`[]`",
            "Written as image grids to `images/` of the run, with each row of `metrics.csv`.",
            "images = [image]",
        ),
        Key(
            "values",
            "a list of data fields, `let`s or model values",
            "`[]`",
            "Their means over the same few records every time become columns of `metrics.csv`.",
            "values = [logits]",
        ),
    ),
)

RUNTIME = SectionKeys(
    "runtime",
    "runtime { .. } in `train` or `phase`",
    "How the machine is used. It may change speed and memory, not the result.",
    (
        Key(
            "shard",
            '`"fsdp"`',
            "not sharded",
            "Shards parameters, gradients and optimizer state over devices. Without effect for now: a run trains on one device (W0415).",
            'shard = "fsdp"',
        ),
        Key(
            "recompute",
            "a list of globs over paths of layers",
            "`[]`",
            "Layers that keep only their inputs and compute their inside again in the backward pass: less memory, more time.",
            'recompute = ["fc"]',
            elsewhere=("activation_checkpointing", "gradient_checkpointing"),
        ),
        Key(
            "sync_batch_norm",
            "`true` or `false`",
            "`false`",
            "Shares the batch statistics between devices. Without effect for now: a run trains on one device (W0415).",
            "sync_batch_norm = true",
        ),
        Key(
            "workers",
            "a whole number of at least 0",
            "chosen by the data",
            "Threads that read and transform records.",
            "workers = 2",
            elsewhere=("num_workers",),
        ),
    ),
)
