"""Random arguments: the rule accepts what PyTorch accepts and gives the same shape; symbolic inference agrees."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from dlc.compiler.catalogue.ops import find
from dlc.compiler.catalogue.ops.base import Rejected
from dlc.compiler.sizes.dims import substitute, var
from dlc.compiler.sizes.facts import NO_FACTS
from dlc.compiler.sizes.types import TensorType

Draw = Callable[[random.Random], tuple[dict[str, Any], tuple[tuple[int, ...], ...]]]


def zeros(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.zeros(shape)  # on the meta device PyTorch checks less


def conv(r: random.Random) -> Any:
    groups = r.choice([1, 1, 2, 3])
    args = {
        "out": r.choice([1, 2, 4, 6]), "kernel": r.randint(1, 5), "stride": r.randint(1, 3), "pad": r.randint(0, 3),
        "groups": groups, "dilation": r.randint(1, 3), "bias": False,
    }  # fmt: skip
    return args, ((r.randint(1, 3), r.choice([2, 6]), r.randint(1, 9)),)


def torch_conv(x: torch.Tensor, out: int, kernel: int, groups: int, **args: Any) -> torch.Tensor:
    if out % groups:
        raise ValueError("what nn.Conv1d says")
    weight = zeros((out, x.shape[1] // groups, kernel))
    return F.conv1d(x, weight, stride=args["stride"], padding=args["pad"], dilation=args["dilation"], groups=groups)


def conv_transpose(r: random.Random) -> Any:
    args, shapes = conv(r)
    return {**args, "output_pad": r.randint(0, 2)}, shapes


def torch_conv_transpose(x: torch.Tensor, out: int, kernel: int, groups: int, **args: Any) -> torch.Tensor:
    if out % groups:
        raise ValueError("what nn.ConvTranspose1d says")
    weight = zeros((x.shape[1], out // groups, kernel))
    return F.conv_transpose1d(
        x, weight, None, args["stride"], args["pad"], args["output_pad"], groups, args["dilation"]
    )


def pool(r: random.Random) -> Any:
    args = {"kernel": r.randint(1, 5), "stride": r.choice([None, 1, 2, 3]), "pad": r.randint(0, 2)}
    return args, ((2, 3, r.randint(1, 9)),)


def bound(r: random.Random) -> int | None:
    return r.choice([None, *range(-4, 5)])


def index(r: random.Random) -> Any:
    kinds = [
        lambda: r.randint(-4, 4),
        lambda: ("slice", bound(r), bound(r)),
        lambda: ("slice", None, None),
        lambda: None,
        lambda: "...",
    ]
    items = tuple(r.choice(kinds)() for _ in range(r.randint(1, 4)))
    return {"items": items}, (tuple(r.randint(1, 4) for _ in range(r.randint(1, 3))),)


def torch_index(x: torch.Tensor, items: tuple[Any, ...]) -> torch.Tensor:
    """PyTorch cuts bounds at the ends, lets slices be empty and `...` stand twice; the language refuses that."""
    if items.count("...") > 1:
        raise IndexError(items)
    axis = 0
    taken = sum(item is not None and item != "..." for item in items)
    for item in items:
        if item == "...":
            axis += x.ndim - taken
        elif item is not None:
            if isinstance(item, tuple) and axis < x.ndim:
                size = x.shape[axis]
                first, last = (
                    default if at is None else at + size if at < 0 else at
                    for at, default in zip(item[1:], (0, size), strict=True)
                )
                if not 0 <= first < last <= size:
                    raise IndexError(item)
            axis += 1
    plain = [slice(*i[1:]) if isinstance(i, tuple) else Ellipsis if i == "..." else i for i in items]
    return x[tuple(plain)]


def split(r: random.Random) -> Any:
    size = r.choice([r.randint(1, 4), tuple(r.randint(1, 3) for _ in range(r.randint(1, 3)))])
    return {"size": size, "axis": r.randint(-3, 3)}, ((3, 4, 5),)


def reduce(r: random.Random) -> Any:
    axis = r.choice([None, r.randint(-4, 3), tuple(r.randint(-3, 2) for _ in range(2))])
    return {"axis": axis, "keepdim": r.random() < 0.5}, ((2, 3, 4),)


def torch_sum(x: torch.Tensor, axis: Any, keepdim: bool) -> torch.Tensor:
    return x.sum(tuple(range(x.ndim)) if axis is None else axis, keepdim)


def pair(r: random.Random) -> Any:
    shape = [r.randint(1, 3) for _ in range(r.randint(0, 3))]
    other = [r.choice([size, 1, size, size + 1]) for size in shape][r.randint(0, len(shape)) :]
    both = [tuple(shape), tuple(other)]
    r.shuffle(both)
    return {}, tuple(both)


def matrices(r: random.Random) -> Any:
    inner = r.randint(2, 3)
    x = (*(r.randint(1, 2) for _ in range(r.randint(0, 2))), inner)
    lead = tuple(r.randint(1, 2) for _ in range(r.randint(0, 1)))
    y = r.choice([(inner,), (inner, 4), (*lead, inner, 4), (*lead, 4, inner)])
    return {}, (x, y)


def pad(r: random.Random) -> Any:
    return {"amounts": tuple(r.randint(-2, 2) for _ in range(r.choice([2, 4, 4, 8])))}, ((2, 3, 4),)


CASES: list[tuple[str, Draw, Callable[..., Any]]] = [
    ("Conv", conv, torch_conv),
    ("ConvTranspose", conv_transpose, torch_conv_transpose),
    ("max_pool", pool, lambda x, kernel, stride, pad: F.max_pool1d(x, kernel, stride, pad)),
    ("avg_pool", pool, lambda x, kernel, stride, pad: F.avg_pool1d(x, kernel, stride, pad)),
    ("index", index, torch_index),
    ("split", split, lambda x, size, axis: x.split(list(size) if isinstance(size, tuple) else size, axis)),
    ("sum", reduce, torch_sum),
    ("plus", pair, torch.add),
    ("matmul", matrices, torch.matmul),
    ("pad", pad, lambda x, amounts: F.pad(x, amounts)),
]


def shapes_of(result: Any) -> list[tuple[int, ...]]:
    return [tuple(one.shape) for one in (result if isinstance(result, tuple | list) else [result])]


@pytest.mark.parametrize("name, draw, function", CASES, ids=[name for name, *_ in CASES])
def test_random_arguments(name: str, draw: Draw, function: Callable[..., Any], sizes: Any) -> None:
    operator = find(name)
    assert operator is not None
    generator = random.Random(name)
    accepted = refused = 0
    for _ in range(max(200, sizes.cases // 10)):
        args, shapes = draw(generator)
        said = f"{name} {args} on {shapes}"
        try:
            wanted = shapes_of(function(*map(zeros, shapes), **args))
        except (RuntimeError, IndexError, ValueError):
            wanted = None
        if wanted is not None and any(0 in shape for shape in wanted):
            wanted = None  # sizes are at least 1 in the language
        rule = operator(**args)
        types = [TensorType("f32", shape) for shape in shapes]
        try:
            found = shapes_of(rule.infer(NO_FACTS, *types))
        except Rejected:
            found = None
        assert found == wanted, said
        accepted, refused = accepted + (found is not None), refused + (found is None)
        if wanted is not None:
            agrees_when_symbolic(rule, types, wanted, said)
    assert accepted > 10 and refused > 10, "the draw has both kinds"


def agrees_when_symbolic(rule: Any, types: list[TensorType], wanted: list[tuple[int, ...]], said: str) -> None:
    """With a letter for the last axis the rule gives the same sizes, or asks for a fact; it never refuses outright."""
    values = {"N": types[0].shape[-1]} if types[0].shape else {}
    if not values:
        return
    one = types[0].with_shape(*types[0].shape[:-1], var("N"))
    try:
        found = shapes_of(rule.infer(NO_FACTS, one, *types[1:]))
    except Rejected as rejected:
        assert rejected.code in ("E0207", "E0208"), f"{said}: {rejected.message}"
        return
    sizes = [tuple(substitute(size, values) for size in shape) for shape in found]  # type: ignore[arg-type]
    assert sizes == wanted, said
