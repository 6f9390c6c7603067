"""Chains of image transforms, record by record: an image is decoded, resampled and coloured by one thread while it is in its cache.

    source -> random_resized_crop(224) -> hflip -> color_jitter(0.4) -> normalize("imagenet")

is one task a record (one for many, of small images in memory). On the CPU the steps are functions of `arrays`, and of `transforms`
where these have none; on another device those of `transforms`, on whole batches. What they draw is computed for a batch before, so
that results depend neither on tasks nor on threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeAlias
from weakref import finalize

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.catalogue import transforms as catalogue
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.data import DataNode
from . import arrays, transforms
from .arrays.image import of_picture
from .nodes import Nodes
from .values import Value

Array: TypeAlias = "NDArray[Any]"
#: What gives one image of a batch: decoded, as Pillow or NumPy has it.
Decode: TypeAlias = "Callable[[int], Any]"

TASK = 1 << 16  # numbers that a task has at least, or one record


# ---- which nodes are a chain ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """A node of a chain; the chains among which it chooses begin with what comes before it."""

    node: DataNode
    branches: tuple[tuple[Link, ...], ...] = ()


@dataclass(frozen=True)
class ImageChain:
    """From the node `start`, whose value is there (or a source, whose images are decoded on the way), through `links`."""

    start: int
    links: tuple[Link, ...]


@dataclass
class ChainPlan:
    """The chains of an evaluation by the node at their end, and the nodes inside them, whose values nobody else reads."""

    chains: dict[int, ImageChain] = field(default_factory=dict[int, ImageChain])
    inside: set[int] = field(default_factory=set[int])


def plan(
    nodes: Nodes, order: Sequence[int], wanted: Iterable[int], training: bool, decodes: Callable[[int], bool]
) -> ChainPlan:
    """The chains among the nodes of an evaluation. `decodes` is true of a source whose images are to be decoded."""
    inputs = {i: [nodes.real(each, training) for each in nodes.nodes[i].inputs] for i in order}
    chained: set[int] = set()
    ends = {end for i in order if catalogue.of(nodes.nodes[i].op).branches for end in inputs[i][1:]}
    for i in order:
        before = nodes.nodes[inputs[i][0]] if inputs[i] and inputs[i][0] in chained else None
        if _is_step(nodes.nodes[i], before) or (i in ends and catalogue.of(nodes.nodes[i].op).to_float):
            chained.add(i)
    owner = {
        inner: i
        for i in order
        if i in chained and catalogue.of(nodes.nodes[i].op).branches
        for end in inputs[i][1:]
        for inner in between(inputs, inputs[i][0], end)
    }
    readers: dict[int, set[int]] = {i: set() for i in order}
    for i in order:
        for each in inputs[i]:
            reader = i
            while reader in owner and inputs[owner[reader]][0] == each:
                reader = owner[reader]
            readers.setdefault(each, set()).add(reader)
    kept = set(wanted)
    single = {i for i in order if i not in kept and len(readers[i]) == 1 and readers[i] <= chained}
    found = ChainPlan(inside=set(owner) | {i for i in single if i in chained or decodes(i)})

    def links(stop: int | None, at: int) -> tuple[int, tuple[Link, ...]]:
        reversed_: list[Link] = []
        first = True
        while at != stop and at in chained and (first or stop is not None or at in found.inside):
            start, *ends = inputs[at]
            branches = catalogue.of(nodes.nodes[at].op).branches
            inner = tuple(links(start, end)[1] for end in ends) if branches else ()
            reversed_.append(Link(nodes.nodes[at], inner))
            at, first = start, False
        return at, tuple(reversed(reversed_))

    for i in order:
        if i in chained and i not in found.inside:
            found.chains[i] = ImageChain(*links(None, i))
    return found


def _is_step(node: DataNode, before: DataNode | None) -> bool:
    """Whether a node is one of a chain: a transform of images, or behind a step one that changes number by number."""
    transform = catalogue.of(node.op)
    if node.type.kind == "stream" or transform.learns:
        return False
    if transform.takes == "image" or before is None:
        return transform.takes == "image"
    one, other = node.type.shape, before.type.shape
    same = one is not None and other is not None and len(one) == len(other)
    return transform.to_float or (transform.takes == "numbers" and same)


def between(inputs: Mapping[int, Sequence[int]], start: int, end: int) -> list[int]:
    """The nodes from behind `start` to `end`."""
    found: list[int] = []
    while end != start:
        found.append(end)
        end = inputs[end][0]
    return found


# ---- a chain run -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChainStep:
    """A node with its arguments, and what it draws for each record of the batch: numbers or keys, None outside training."""

    op: str
    args: Mapping[str, Any]
    u: Any = None
    branches: tuple[tuple[ChainStep, ...], ...] = ()


class BatchMemory:
    """Arrays for batches, each used again when nobody has the batch any more: fresh memory is cleared by the system at the first writing,
    page by page."""

    KEPT = 2  # as many wait at most; there are more while they are in use

    def __init__(self) -> None:
        self.free: deque[Array] = deque(maxlen=self.KEPT)

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array of any numbers. What is made of it has to hold the array itself, as `torch.from_numpy` does and a slice does not."""
        owner = self._waiting(shape, dtype)
        if owner is None:
            owner = np.empty(shape, dtype)
        array = owner[:]
        finalize(array, self.free.append, owner).atexit = False
        return array

    def _waiting(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array | None:
        # without a lock: an array may be given back at any time, by the collector within this very function too
        for _ in range(len(self.free)):
            try:
                found = self.free.popleft()
            except IndexError:
                return None
            if found.shape == shape and found.dtype == dtype:
                return found
            self.free.append(found)
        return None


def run(
    steps: Sequence[ChainStep],
    value: Value | Decode,
    count: int,
    pool: ThreadPoolExecutor | None,
    memory: BatchMemory,
) -> Value:
    """The images at the end of a chain, in the memory of the CPU. `value` has those at its beginning, or gives each."""
    size = max(1, TASK // max(1, value[0].numel())) if isinstance(value, Tensor) and len(value) else 1
    result = _Result(count, memory)

    def task(start: int) -> None:
        rows = np.arange(start, min(start + size, count))
        result.put(start, _of_rows(steps, value, rows))

    starts = range(0, count, size)
    for _ in map(task, starts) if pool is None or len(starts) < 2 else pool.map(task, starts):
        pass
    return result.value()


def _of_rows(steps: Sequence[ChainStep], value: Value | Decode, rows: Array) -> Array:
    first = int(rows[0])
    if isinstance(value, Tensor):
        return chain(steps, value[first : first + len(rows)].numpy(), rows)
    image = value(first) if callable(value) else value[first]  # type: ignore[index]
    if isinstance(image, Tensor):
        image = image.numpy()
    if isinstance(image, np.ndarray):
        return chain(steps, image[None], rows)
    ready = arrays.quick(steps[0].op, "picture_") if steps else None
    if ready is None:
        return chain(steps, of_picture(image), rows)
    drawn = () if steps[0].u is None else (steps[0].u[rows],)
    return chain(steps[1:], ready(image, steps[0].args, *drawn), rows)


def chain(steps: Sequence[ChainStep], x: Any, rows: Array) -> Any:
    """Some records, an array or (on another device than the CPU) a tensor, through a chain."""
    for step in steps:
        if step.branches:
            x = _branched(step, x, rows)
        elif catalogue.of(step.op).random and step.u is None:
            for op in catalogue.of(step.op).evaluation or ():
                x = _applied(op, step.args, None, x)
        else:
            x = _applied(step.op, step.args, None if step.u is None else step.u[rows], x)
    return x


def _applied(op: str, args: Mapping[str, Any], u: Any, x: Any) -> Any:
    if isinstance(x, Tensor):
        return _with_torch(op, args, u, x)
    quick = arrays.quick(op)
    if quick is not None:
        return quick(x, args) if u is None else quick(x, args, u)
    given = None if u is None else torch.from_numpy(u)
    ready = np.ascontiguousarray(x)
    return _with_torch(op, args, given, torch.from_numpy(ready if ready.flags.writeable else ready.copy())).numpy()


def _with_torch(op: str, args: Mapping[str, Any], u: Tensor | None, x: Tensor) -> Tensor:
    apply = transforms.function(op)
    assert apply is not None
    if catalogue.of(op).takes != "image":
        return apply(x, args)
    return apply(x, args, torch.zeros(0) if u is None else u)


def _branched(step: ChainStep, x: Any, rows: Array) -> Any:
    """Each record through the chain that it draws; outside training through the first."""
    if step.u is None:
        return chain(step.branches[0], x, rows)
    u = np.asarray(step.u[rows].cpu() if isinstance(step.u, Tensor) else step.u[rows])[:, 0]
    count = len(step.branches)
    taken = u < np.float32(step.args["p"]) if "p" in step.args else np.minimum((u * count).astype(np.int64), count - 1)
    if len(rows) == 1:
        return chain(step.branches[int(taken[0])], x, rows)
    found: Any = None
    for number, branch in enumerate(step.branches):
        (at,) = np.nonzero(taken == number)
        if not len(at):
            continue
        index = torch.from_numpy(at).to(x.device) if isinstance(x, Tensor) else at
        part = chain(branch, x[index], rows[at])
        if found is None:
            shape = (len(rows), *part.shape[1:])
            found = part.new_empty(shape) if isinstance(part, Tensor) else np.empty(shape, part.dtype)
        found[index] = part
    return found


class _Result:
    """The images of a batch as tasks give them: one array while all have one shape."""

    def __init__(self, count: int, memory: BatchMemory) -> None:
        self.count, self.memory, self.lock = count, memory, Lock()
        self.whole: Array | None = None
        self.others: dict[int, Array] = {}

    def put(self, start: int, found: Array) -> None:
        with self.lock:
            if self.whole is None:
                self.whole = self.memory.take((self.count, *found.shape[1:]), found.dtype)
        if found.shape[1:] == self.whole.shape[1:] and found.dtype == self.whole.dtype:
            self.whole[start : start + len(found)] = found
            return
        for at, image in enumerate(found):
            self.others[start + at] = np.array(image, order="C")

    def value(self) -> Value:
        if self.whole is None:
            return []
        if not self.others:
            return torch.from_numpy(self.whole)
        every = (self.others[i] if i in self.others else self.whole[i].copy() for i in range(self.count))
        return [torch.from_numpy(image) for image in every]
