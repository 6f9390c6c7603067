"""Functions and classes that a generated file contains when an operator of it needs them.

They do what no single call of PyTorch does. A lowering writes `support("rope")` for the name; the file gets
the definition, under another name if a block of the spec has taken this one.

An argument of a function that has a default is one that only some files need: where no call gives it, it is not
in the signature, its default is in its place, and lines that end in `#if` with its name are not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from .python import layout, split_top, unique

_MARK = re.compile("\x06(\\w+)\x07")
_SIGNATURE = re.compile(r"def \w+\((.*)\)( -> .*:)")
_OPTION = re.compile(r"(\w+): (.*) = (.*)")
#: A line that is there only where an argument is given, or (`not`) only where it is not.
_CONDITION = re.compile(r"(.*?)  #if (not )?(\w+)")

SOURCES = {
    "round_to": '''
def round_to(number: float, divisor: int) -> int:
    """The nearest multiple of `divisor`, at least one, and at least 0.9 of `number`."""
    nearest = max(divisor, int(number + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * number else nearest
''',
    "causal_mask": '''
def causal_mask(rows: int, columns: int, device: torch.device | None = None) -> Tensor:
    """Row t may attend to columns up to t; the last rows and columns are aligned."""
    # made at each call: the longest input is unknown, or too long for a buffer  #if device
    full = torch.ones(rows, columns, dtype=torch.bool, device=device)
    return full.tril(columns - rows)
''',
    "CausalMask": '''
class CausalMask(nn.Module):
    """Where a position may attend: to itself and to what comes before it."""

    def __init__(self, longest: int):
        super().__init__()
        mask = torch.ones(longest, longest, dtype=torch.bool).tril()
        # no part of a checkpoint, as it follows from the size
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, length: int) -> Tensor:
        return self.mask[:length, :length]
''',
    "CrossCausalMask": '''
class CrossCausalMask(nn.Module):
    """Row t may attend to columns up to t; the last rows and columns are aligned."""

    def __init__(self, rows: int, columns: int):
        super().__init__()
        mask = torch.ones(rows, columns, dtype=torch.bool).tril(columns - rows)
        # no part of a checkpoint, as it follows from the sizes
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, rows: int, columns: int) -> Tensor:
        return self.mask[-rows:, -columns:]
''',
    "drop_path": '''
def drop_path(x: Tensor, p: float, training: bool) -> Tensor:
    """Stochastic depth: in training drops whole examples with probability p."""
    if not training or p == 0.0:
        return x
    keep = x.new_empty(x.shape[:1] + (1,) * (x.ndim - 1)).bernoulli_(1 - p)
    return x * keep / (1 - p)
''',
    "rope": '''
def rope(x: Tensor, theta: float) -> Tensor:
    """Rotates the pairs (i, i + K/2) of x[B, H, T, K] by t * theta^(-2i/K)."""
    # computed at each call: the longest input is unknown, or too long for a table
    time = torch.arange(x.shape[-2], device=x.device)
    pair = torch.arange(0, x.shape[-1], 2, device=x.device)
    angle = time[:, None] / theta ** (pair / x.shape[-1])  # [T, K / 2]
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
''',
    "Rope": '''
class Rope(nn.Module):
    """Rotates the pairs (i, i + K/2) of x[B, H, T, K] by t * theta^(-2i/K)."""

    def __init__(self, length: int, width: int, theta: float):
        super().__init__()
        pair = torch.arange(0, width, 2)
        angle = torch.arange(length)[:, None] / theta ** (pair / width)
        # [length, K / 2], K = `width`; no part of a checkpoint: they follow from sizes
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        T = x.shape[-2]
        cos, sin = self.cos[:T].to(x.dtype), self.sin[:T].to(x.dtype)
        a, b = x.chunk(2, dim=-1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
''',
    "sinusoid": '''
def sinusoid(length: int, dim: int, device: torch.device | None = None) -> Tensor:
    """Position codes [length, dim]: sines in even columns, cosines in odd ones."""
    time = torch.arange(length, device=device)
    pair = torch.arange(0, dim, 2, device=device)
    angle = time[:, None] * 10000.0 ** (-pair / dim)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)
''',
    "MultiHeadAttention": '''
class MultiHeadAttention(nn.MultiheadAttention):
    """nn.MultiheadAttention over [B, T, D]; where `mask` is true a row may attend."""

    def __init__(self, dim: int, heads: int, **options):
        super().__init__(dim, heads, batch_first=True, **options)

    def project(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        heads = F.linear(x, weight, bias).unflatten(-1, (self.num_heads, -1))
        return heads.transpose(1, 2)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        memory = x if memory is None else memory
        weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        if self.in_proj_weight is not None:
            weights = self.in_proj_weight.chunk(3)
        biases = (None,) * 3
        if self.in_proj_bias is not None:
            biases = self.in_proj_bias.chunk(3)
        q = self.project(x, weights[0], biases[0])
        k = self.project(memory, weights[1], biases[1])
        v = self.project(memory, weights[2], biases[2])
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=causal
        )
        return self.out_proj(y.transpose(1, 2).flatten(2))
''',
    "counted_cross_entropy": '''
def counted_cross_entropy(logits: Tensor, target: Tensor, ignore_index: int = -100, label_smoothing: float = 0.0, weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """F.cross_entropy; its mean is 0 where no target counts."""
    total = F.cross_entropy(logits, target, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing, reduction="sum")
    if reduction == "sum":  #if reduction
        return total  #if reduction
    count = (target != ignore_index).sum()  #if not weight
    return total / count.clamp(min=1)  #if not weight
    kept = target != ignore_index  #if weight
    weights = 1 if weight is None else weight[target.where(kept, 0)]  #if weight
    count = (kept * weights).sum()  #if weight
    return total / count.where(count != 0, 1)  #if weight
''',
    "focal_loss": '''
def focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0, alpha: float | None = None, reduction: str = "mean") -> Tensor:
    """Cross-entropy that weighs well-known examples down (Lin et al., 2017)."""
    loss = F.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none")
    loss = (1 - torch.exp(-loss)) ** gamma * loss  #if not alpha
    weight = 1.0 if alpha is None else alpha  #if alpha
    loss = weight * (1 - torch.exp(-loss)) ** gamma * loss  #if alpha
    return loss.mean()  #if not reduction
    return loss.sum() if reduction == "sum" else loss.mean()  #if reduction
''',
    "binary_focal_loss": '''
def binary_focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0, alpha: float | None = None, reduction: str = "mean") -> Tensor:
    """Cross-entropy that weighs well-known examples down (Lin et al., 2017)."""
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weight = 1.0 if alpha is None else alpha * target + (1 - alpha) * (1 - target)  #if alpha
    loss = weight * (1 - torch.exp(-loss)) ** gamma * loss  #if alpha
    loss = (1 - torch.exp(-loss)) ** gamma * loss  #if not alpha
    return loss.mean()  #if not reduction
    return loss.sum() if reduction == "sum" else loss.mean()  #if reduction
''',
    "kl_divergence": '''
def kl_divergence(student: Tensor, teacher: Tensor, axis: int = -1, reduction: str = "mean") -> Tensor:
    """KL(softmax(teacher) || softmax(student)) along an axis, mean over the others."""
    guess, truth = F.log_softmax(student, axis), F.log_softmax(teacher, axis)
    loss = F.kl_div(guess, truth, reduction="none", log_target=True).sum(axis)
    return loss.mean()  #if not reduction
    return loss.sum() if reduction == "sum" else loss.mean()  #if reduction
''',
    "dice_loss": '''
def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - the mean Dice overlap of softmax(logits) with the classes, on axis 1."""
    classes = F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    shares = F.softmax(logits, dim=1)
    axes = [axis for axis in range(logits.ndim) if axis != 1]
    common = (shares * classes).sum(axes)
    total = shares.sum(axes) + classes.sum(axes)
    return 1 - ((2 * common + 1e-6) / (total + 1e-6)).mean()
''',
    "contrastive": '''
def contrastive(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """InfoNCE: each row of `a` should find its own row of `b`, and conversely."""
    scores = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T / temperature
    own = torch.arange(a.shape[0], device=a.device)
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
''',
    "gradient_penalty": '''
def gradient_penalty(net: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """(|gradient of the net| - 1)^2 between real and fake (Gulrajani et al., 2017)."""
    share = torch.rand(real.shape[:1] + (1,) * (real.ndim - 1), device=real.device)
    plain = torch.nn.attention.SDPBackend.MATH  # the others have no second derivative
    with torch.enable_grad(), torch.nn.attention.sdpa_kernel(plain):
        between = torch.lerp(real, fake.to(real.dtype), share).detach()
        between.requires_grad_(True)
        score = net(between).sum()
        (gradient,) = torch.autograd.grad(score, between, create_graph=True)
    return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
''',
    "l1": '''
def l1(net: nn.Module, names: tuple[str, ...]) -> Tensor:
    """The sum of the sizes of the named parameters."""
    parameters = dict(net.named_parameters())
    return sum(parameters[name].abs().sum() for name in names)
''',
}

# Packing reads the lengths on the host: a synchronization a step on a GPU, a break in a compiled graph. It refuses 0.
for _kind, _state, _masked in (
    ("RNN", "h", "h * some"),
    ("GRU", "h", "h * some"),
    ("LSTM", "(h, c)", "(h * some, c * some)"),
):
    SOURCES[f"Packed{_kind}"] = f'''
class Packed{_kind}(nn.{_kind}):
    """nn.{_kind} over sequences that end at `lengths`; behind the end the output is 0."""

    def forward(self, x: Tensor, lengths: Tensor, hx=None) -> tuple:
        T, rnn = x.shape[1], nn.utils.rnn
        some = (lengths > 0)[:, None]  # an empty sequence gives 0
        ends = lengths.clamp(min=1).cpu()
        x = rnn.pack_padded_sequence(x, ends, batch_first=True, enforce_sorted=False)
        y, {_state} = super().forward(x, hx)
        y, _ = rnn.pad_packed_sequence(y, batch_first=True, total_length=T)
        return y * some[..., None], {_masked}
'''


def support(name: str) -> str:
    """The name of a supporting definition, as a marker."""
    assert name in SOURCES, name
    return f"\x06{name}\x07"


def used(texts: Iterable[str]) -> list[str]:
    """Definitions that the texts mention, in the order of this file."""
    found = {match[1] for text in texts for match in _MARK.finditer(text)}
    return [name for name in SOURCES if name in found]


def rename(texts: Iterable[str]) -> dict[str, str]:
    """Final names of the definitions that texts mention: no other name of the file hides one."""
    texts = list(texts)
    words = {word for text in texts for word in re.findall(r"\w+", _MARK.sub("", text))}
    return {name: unique(name, words) for name in used(texts)}


def named(text: str, names: dict[str, str]) -> str:
    return _MARK.sub(lambda match: names[match[1]], text)


def source(name: str, final: str, texts: Iterable[str] = ()) -> str:
    """A definition under its final name, with the options that calls in the texts give."""
    first, *lines = SOURCES[name].strip("\n").splitlines()
    signature = _SIGNATURE.fullmatch(first)
    if signature is None:
        return re.sub(rf"\b{name}\b(?=\()", final, "\n".join([first, *lines]), count=1)
    arguments, rows = split_top(signature[1]), list[list[str]]([[], []])
    names = [argument.partition(":")[0] for argument in arguments]
    calls = [given for text in texts for given in _given(name, text, names)]
    defaults: dict[str, str] = {}  # of options that no call gives
    always: set[str] = set()
    for argument in arguments:
        option = _OPTION.fullmatch(argument)
        given = [option is None or option[1] in call for call in calls]
        if option is None or (calls and all(given)):
            rows[0].append(argument if option is None else f"{option[1]}: {option[2].removesuffix(' | None')}")
            always |= set() if option is None else {option[1]}
        elif any(given):
            rows[1].append(argument)
        else:
            defaults[option[1]] = option[3]
    found = layout(f"def {final}({', '.join(rows[0] + rows[1])}){signature[2]}", 0)
    for line in lines:
        condition = _CONDITION.fullmatch(line)
        if condition is not None and (condition[3] in defaults) != bool(condition[2]):
            continue
        text = line if condition is None else condition[1]
        for option, default in () if text.lstrip().startswith(('"', "#")) else defaults.items():
            text = re.sub(rf"\b{option}\b(?!=)", default, re.sub(rf", {option}={option}\b", "", text))
        for option in always:
            text = re.sub(rf"[\w.]+ if {option} is None else ", "", text)
        found += layout(text.strip(), len(text) - len(text.lstrip()))
    return "\n".join(found)


def _given(name: str, text: str, names: Sequence[str]) -> Iterator[list[str]]:
    """For each call of a supporting function in a text the arguments that it gives."""
    for match in re.finditer(f"\x06{name}\x07\\(", text):
        end, depth = match.end(), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        items = split_top(text[match.end() : end - 1])
        yield [
            word if (word := item.partition("=")[0]) in names and "=" in item else names[at]
            for at, item in enumerate(items)
        ]
