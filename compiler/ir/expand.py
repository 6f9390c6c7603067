"""Lazy expansion of bodies into full paths: instances and parameters of a model, in execution order.

Bodies are stored once; a repeat of 1000 turns is one body and a count. Code that needs every path (parameter tables,
initial values, the ONNX graph) asks here and pays for what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..dataclass import dataclass
from ..messages.source import Span
from .arguments import Selector
from .globs import glob
from .model import Body, CallNode, Init, InitRule, Instance, Model, ModeNode, OpNode, RepeatNode, ScanNode, Spec

_NO_OFFSETS: Mapping[str, int] = {}

#: Leaf of the buffer in which a batch norm counts; older files lack it, and it is loaded with 0.
COUNTER = "num_batches_tracked"


def segment(text: str, offsets: Mapping[str, int] = _NO_OFFSETS) -> str:
    """A path segment with its slot resolved: `#2` -> `5` and `conv#1` -> `conv_5` at offset 3."""
    base, mark, number = text.partition("#")
    if not mark:
        return text
    count = int(number) + offsets.get(base, 0)
    if not base:
        return str(count)
    return base if count == 0 else f"{base}_{count + 1}"


def join(prefix: str, path: str, offsets: Mapping[str, int] = _NO_OFFSETS) -> str:
    """The full path of `path` in a body instantiated at `prefix`, at the given slot offsets."""
    if "#" in path:
        path = ".".join(segment(part, offsets) for part in path.split("."))
    if not path:
        return prefix
    return f"{prefix}.{path}" if prefix else path


def moved(path: str, offsets: Mapping[str, int]) -> str:
    """`path` with its slots as far on as the offsets say: `#2` -> `#5`; they stay slots."""

    def further(part: str) -> str:
        base, mark, number = part.partition("#")
        return f"{base}#{int(number) + offsets.get(base, 0)}" if mark else part

    return ".".join(further(part) for part in path.split("."))


def turns(node: RepeatNode, prefix: str, offsets: Mapping[str, int]) -> Iterator[tuple[int, str, dict[str, int], int]]:
    """Every turn of a repeat in a body at `prefix`: (body, prefix, offsets, index of the run)."""
    scope = join(prefix, node.scope, offsets)
    base = _NO_OFFSETS if node.scope else offsets
    for index, run in enumerate(node.runs):
        for turn in range(run.count):
            names = {*run.offsets, *run.strides, *base}
            shifted = {
                name: base.get(name, 0) + run.offsets.get(name, 0) + turn * run.strides.get(name, 0) for name in names
            }
            yield run.body, scope, shifted, index


@dataclass(frozen=True)
class ScopedRule:
    """An init rule with the path of the body that contains it."""

    prefix: str
    rule: InitRule


@dataclass(frozen=True)
class InstanceEntry:
    """A catalogue layer at its full path, with the init rules around it, innermost first."""

    path: str
    instance: Instance
    rules: tuple[ScopedRule, ...]


@dataclass(frozen=True)
class ParameterEntry:
    """A parameter or buffer at its full path. `init` is resolved; `layer` is the kind that owns it."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    init: Init | None
    buffer: bool
    layer: str
    leaf: str
    span: Span

    @property
    def size(self) -> int:
        count = 1
        for axis in self.shape:
            count *= axis
        return count


def instances(spec: Spec, model: Model, *, first_turns: bool = False) -> Iterator[InstanceEntry]:
    """Catalogue layers of a model in execution order, each once. With `first_turns`, only the first of equal turns."""
    seen: set[str] = set()

    def walk(
        index: int, prefix: str, offsets: Mapping[str, int], outer: tuple[ScopedRule, ...]
    ) -> Iterator[InstanceEntry]:
        body = spec.bodies[index]
        rules = (*(ScopedRule(prefix, rule) for rule in body.init_rules), *outer) if body.init_rules else outer
        by_path = {instance.path: instance for instance in body.instances}
        for node in body.nodes:
            if isinstance(node, RepeatNode):
                last = -1
                for inner, scope, shifted, run in turns(node, prefix, offsets):
                    if first_turns and run == last:
                        continue
                    last = run
                    yield from walk(inner, scope, shifted, rules)
            elif isinstance(node, ModeNode):
                yield from walk(node.training, prefix, offsets, rules)
                yield from walk(node.evaluation, prefix, offsets, rules)
            elif isinstance(node, ScanNode):
                yield from walk(node.body, prefix, offsets, rules)
            elif isinstance(node, (OpNode, CallNode)) and node.instance is not None:
                if node.instance.startswith("@"):
                    continue
                instance = by_path.get(node.instance)
                if instance is not None:
                    yield from enter(instance, prefix, offsets, rules)
        for instance in body.instances:
            yield from enter(instance, prefix, offsets, rules)

    def enter(
        instance: Instance, prefix: str, offsets: Mapping[str, int], rules: tuple[ScopedRule, ...]
    ) -> Iterator[InstanceEntry]:
        path = join(prefix, instance.path, offsets)
        if path in seen:
            return
        seen.add(path)
        if instance.op is not None:
            yield InstanceEntry(path, instance, rules)
        elif instance.body is not None:
            yield from walk(instance.body, path, _NO_OFFSETS, rules)

    yield from walk(model.body, "", _NO_OFFSETS, ())


def parameters(spec: Spec, model: Model, *, first_turns: bool = False) -> Iterator[ParameterEntry]:
    """Parameters and buffers of a model: the keys of its checkpoint, in order."""
    for entry in instances(spec, model, first_turns=first_turns):
        instance = entry.instance
        for parameter in instance.parameters:
            path = join(entry.path, parameter.name)
            init = parameter.init
            if instance.args.get("init") is None and not parameter.buffer:
                for scoped in entry.rules:
                    if any(
                        selects(s, path, instance.op or "", parameter.name, len(parameter.shape), scoped.prefix)
                        for s in scoped.rule.selectors
                    ):
                        init = scoped.rule.init
            yield ParameterEntry(
                path,
                parameter.shape,
                parameter.dtype,
                init,
                parameter.buffer,
                instance.op or "",
                parameter.name,
                instance.span,
            )


def selects(selector: Selector, path: str, layer: str, leaf: str, rank: int, prefix: str = "") -> bool:
    """Whether a selector written in the body at `prefix` selects this parameter."""
    if selector.kind == "rank":
        comparison, number = selector.text.split()
        return compare(rank, comparison, int(number))
    if prefix:
        if not path.startswith(prefix + "."):
            return False
        path = path[len(prefix) + 1 :]
    if selector.kind == "layer":
        kind, _, name = selector.text.partition(".")
        return layer == kind and (not name or leaf == name)
    return glob(selector.text).matches(path)


def compare(left: int, operator: str, right: int) -> bool:
    """`left operator right` for the comparison signs of the language."""
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
        "==": left == right,
        "!=": left != right,
    }[operator]


def enclosing(path: str) -> Iterator[str]:
    """The paths of the layers around a parameter, outermost first: `h`, `h.0`, `h.0.attn`."""
    for at, character in enumerate(path):
        if character == ".":
            yield path[:at]


def parameter_count(spec: Spec, model: Model) -> int:
    """Trainable scalars of a model, counting equal turns by multiplication."""
    return sum(_counts(spec, model.body, {}).values())


def _counts(spec: Spec, index: int, cache: dict[int, dict[str, int]]) -> dict[str, int]:
    """Scalars by relative path group of one body: instance path -> count (a repeat counts as one entry)."""
    if index in cache:
        return cache[index]
    body: Body = spec.bodies[index]
    found: dict[str, int] = {}
    for instance in body.instances:
        if instance.op is not None:
            found[instance.path] = sum(_volume(p.shape) for p in instance.parameters if not p.buffer)
        elif instance.body is not None:
            found[instance.path] = sum(_counts(spec, instance.body, cache).values())
    for number, node in enumerate(body.nodes):
        if isinstance(node, RepeatNode):
            found[f"@repeat{number}"] = sum(
                run.count * sum(_counts(spec, run.body, cache).values()) for run in node.runs
            )
        elif isinstance(node, ModeNode):
            branches = {**_counts(spec, node.evaluation, cache), **_counts(spec, node.training, cache)}
            found.update(branches)
        elif isinstance(node, ScanNode):
            found[f"@scan{number}"] = sum(_counts(spec, node.body, cache).values())
    cache[index] = found
    return found


def _volume(shape: tuple[int, ...]) -> int:
    volume = 1
    for axis in shape:
        volume *= axis
    return volume
