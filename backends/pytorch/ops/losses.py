"""Losses: the mean over a batch, and for those with a sum and a count both of them.

The mean is PyTorch's own call. Over micro-batches a step adds sums and divides by the count of the whole batch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from ....compiler.sizes.types import is_float
from ..constants import ClassNumber
from ..lowering import Application, Operand, function
from ..python import COMPARISON, Expr
from ..support import support

#: A loss; the second argument is the source of its `reduction`, "" for the mean.
Reduced: TypeAlias = Callable[[Application, str], Expr]
Count: TypeAlias = Callable[[Application], str]

_FIELD = re.compile(r'batch\["\w+"\]')

#: Each counted loss with the number of targets that its mean divides by.
COUNTED: dict[str, tuple[Reduced, Count]] = {}


def counted(name: str, lower: Reduced, count: Count) -> None:
    """Registers a loss that is a sum over its targets, divided by their number."""
    function(name)(lambda use: lower(use, ""))
    COUNTED[name] = (lower, count)


def _reduction(source: str) -> str:
    return f"reduction={source}" if source else ""


# ---- classes ---------------------------------------------------------------------------------------------------------


def _pair(use: Application, axis: int) -> tuple[str, str]:
    """Logits with their class axis second, and targets to match."""
    logits = use.tensor(0)
    axis %= logits.rank
    target = use[1] if use.tensor(1).dtype == "i64" else f"{use.at(1)}.long()"
    if axis == 1 or logits.rank == 1:
        return use[0], target
    if axis == logits.rank - 1:
        return f"{use.at(0)}.flatten(0, -2)", f"{use.at(1)}.flatten()" + ("" if target == use[1] else ".long()")
    return f"{use.at(0)}.movedim({axis}, 1)", target


def _weights(use: Application) -> str:
    weight: Any = use.arg("weight")
    return f"torch.tensor({use.text(weight)}, device={use.at(0)}.device)"


def _cross_entropy(use: Application, reduction: str) -> Expr:
    options = use.options(ignore_index=("ignore", None), label_smoothing=("smoothing", 0.0))
    if use.arg("weight") is not None:
        options.append(f"weight={_weights(use)}")
    some = use.arg("ignore") is not None or use.arg("weight") is not None  # possibly no target counts
    name = support("counted_cross_entropy") if some else "F.cross_entropy"
    return use.call(name, *_pair(use, use.value("axis")), *options, _reduction(reduction))


def _nll(use: Application, reduction: str) -> Expr:
    return use.call("F.nll_loss", *_pair(use, use.value("axis")), _reduction(reduction))


def _class_count(use: Application) -> str:
    """Targets that count; with class weights their sum."""
    ignore = use.args.get("ignore")
    weight = use.args.get("weight")
    kept = f"({use.at(1, COMPARISON + 1)} != {use.text(ignore)})" if ignore is not None else ""
    if weight is not None:
        valid = f"{use.at(1)}[{kept}]" if kept else use[1]
        return f"torch.tensor({use.text(weight)}, device={use.at(1)}.device)[{valid}].sum()"
    return f"{kept}.sum()" if kept else _targets(use)


counted("cross_entropy", _cross_entropy, _class_count)
counted("nll", _nll, _class_count)


def _focal(use: Application, reduction: str) -> Expr:
    options = use.options(gamma=("gamma", 2.0), alpha=("alpha", None))
    name = "binary_focal_loss" if is_float(use.tensor(1).dtype) else "focal_loss"
    return use.call(support(name), use[0], use[1], *options, _reduction(reduction))


counted("focal", _focal, lambda use: _targets(use))


def _kl(use: Application, reduction: str) -> Expr:
    return use.call(support("kl_divergence"), use[0], use[1], *use.options(axis=("axis", -1)), _reduction(reduction))


def _vectors(use: Application) -> str:
    sizes = list(use.tensor(0).sizes)
    del sizes[use.value("axis")]
    return _product(use, sizes)


counted("kl_divergence", _kl, _vectors)


# ---- values ----------------------------------------------------------------------------------------------------------


def _target(use: Application) -> str:
    """The second input at the shape of the first: a number is a target of one value."""
    operand: Operand = use.operand(1)
    if operand.type is None:
        text = _float(use)
        made = {"0.0": "torch.zeros_like", "1.0": "torch.ones_like"}.get(text)
        return f"{made}({use[0]})" if made else f"torch.full_like({use[0]}, {text})"
    return f"{use.at(1)}.expand_as({use[0]})" if operand.type.rank == 0 and use.tensor(0).rank else use[1]


def _float(use: Application) -> str:
    text = use[1]
    return f"{text}.0" if text.lstrip("-").isdigit() else text


def _values(name: str, *options: tuple[str, str, object]) -> Reduced:
    def lower(use: Application, reduction: str) -> Expr:
        given = use.options(**{keyword: (arg, default) for keyword, arg, default in options})
        return use.call(name, use[0], _target(use), *given, _reduction(reduction))

    return lower


def _elements(use: Application) -> str:
    alike = use.operand(1).type is not None and use.tensor(1).rank == use.tensor(0).rank
    return _targets(use) if alike else _product(use, use.tensor(0).sizes)


def _targets(use: Application) -> str:
    """Elements of the target: of a batch field its own, else from sizes."""
    if _FIELD.fullmatch(use.at(1)):
        return f"{use.at(1)}.numel()"
    return _product(use, use.tensor(1).sizes)


def _product(use: Application, sizes: Any) -> str:
    """A count from sizes, so that no net has to run for it: that of a field with these sizes, else their product."""
    shape = [size.values for size in sizes]
    alike = next((field for field, have in use.fields if have == shape), None)
    if alike is not None:
        return f"{alike}.numel()"
    factor = 1
    texts: list[str] = []
    for size in sizes:
        number: ClassNumber = size
        if isinstance(number.value, int):
            factor *= number.value
        else:
            texts.append(use.size(number))
    texts = [text if text.isidentifier() else f"({text})" for text in texts]
    if factor != 1 or not texts:
        texts.append(str(factor))
    return " * ".join(texts)


counted("bce", _values("F.binary_cross_entropy_with_logits"), _elements)
counted("mse", _values("F.mse_loss"), _elements)
counted("l1_loss", _values("F.l1_loss"), _elements)
counted("huber", _values("F.huber_loss", ("delta", "delta", 1.0)), _elements)
counted("poisson_nll", _values("F.poisson_nll_loss", ("log_input", "log", True)), _elements)


# ---- across examples -------------------------------------------------------------------------------------------------


@function("dice_loss")
def dice_loss(use: Application) -> Expr:
    return use.call(support("dice_loss"), *_pair(use, use.value("axis")))


@function("triplet")
def triplet(use: Application) -> Expr:
    flat = ".flatten(0, -2)" if use.tensor(0).rank > 2 else ""
    vectors = [f"{use.at(at)}{flat}" if flat else use[at] for at in range(3)]
    return use.call("F.triplet_margin_loss", *vectors, *use.options(margin=("margin", 1.0)))


@function("contrastive")
def contrastive(use: Application) -> Expr:
    return use.call(support("contrastive"), use[0], use[1], use.text(use.arg("temperature")))


@function("gradient_penalty")
def gradient_penalty(use: Application) -> Expr:
    assert use.module is not None
    return use.call(support("gradient_penalty"), use.module, use[0], use[1])
