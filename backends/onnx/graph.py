"""The ONNX graph under construction: nodes, constants, parameters and the sizes that the graph computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir

from ...compiler.sizes.dims import Dim, FloorAtom, Size, to_text, variables
from .weights import StoredTensor, Weight, Weights
from .write import external

OPSET, IR_VERSION = 23, 11
#: Versions of other domains, where not 1.
DOMAINS = {"ai.onnx.ml": 4}

DATA_TYPES = {
    "f16": ir.DataType.FLOAT16, "bf16": ir.DataType.BFLOAT16, "f32": ir.DataType.FLOAT, "f64": ir.DataType.DOUBLE,
    "i8": ir.DataType.INT8, "i16": ir.DataType.INT16, "i32": ir.DataType.INT32, "i64": ir.DataType.INT64,
    "u8": ir.DataType.UINT8, "bool": ir.DataType.BOOL,
}  # fmt: skip

Attribute: TypeAlias = "int | float | str | Sequence[int] | Sequence[str] | ir.Graph"


def attribute(name: str, value: Attribute) -> ir.Attr:
    if isinstance(value, bool | int):
        return ir.AttrInt64(name, int(value))
    if isinstance(value, float):
        return ir.AttrFloat32(name, value)
    if isinstance(value, str):
        return ir.AttrString(name, value)
    if isinstance(value, ir.Graph):
        return ir.AttrGraph(name, value)
    if value and all(isinstance(each, str) for each in value):
        return ir.AttrStrings(name, [str(each) for each in value])
    return ir.AttrInt64s(name, [int(each) for each in value])


class MissingWeight(Exception):
    """The weights given hold no value, or one of another shape, for a parameter the graph needs."""

    def __init__(self, path: str, wanted: Sequence[int], found: Sequence[int] | None) -> None:
        self.path, self.wanted, self.found = path, tuple(wanted), None if found is None else tuple(found)
        shape = " of another shape" if found is not None else ""
        super().__init__(f"no value{shape} for `{path}`")


class GraphBuilder:
    """Collects what becomes one `ir.Graph`. `precision` is what `f32` of the spec becomes inside the graph, `quantize` what
    the weights of its linear layers become (None: they stay)."""

    def __init__(self, weights: Weights, precision: str = "f32", quantize: str | None = None) -> None:
        self.weights, self.precision, self.quantize = weights, precision, quantize
        self.quantized = 0  # layers
        self.nodes: list[ir.Node] = []
        self.initializers: dict[str, ir.Value] = {}
        self.used: set[str] = set()  # parameter paths that the graph reads
        self.scope = ""  # path that new nodes belong to
        self._names: dict[str, int] = {}
        self._constants: dict[tuple[Any, ...], ir.Value] = {}
        self._origins: dict[str, tuple[ir.Value, int, int, int]] = {}  # dimension: input, axis, factor, offset
        self._cache: dict[Any, ir.Value] = {}  # computed sizes and shapes

    # ---- names -----------------------------------------------------------------------------------------------------

    def unique(self, name: str) -> str:
        count = self._names.get(name, 0) + 1
        self._names[name] = count
        return name if count == 1 else self.unique(f"{name}_{count}")

    def rename(self, value: ir.Value, name: str) -> None:
        value.name = self.unique(name)

    # ---- nodes -----------------------------------------------------------------------------------------------------

    def nodes_of(
        self,
        kind: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Attribute] | None = None,
        outputs: int = 1,
        domain: str = "",
    ) -> Sequence[ir.Value]:
        """Adds a node and returns its outputs."""
        name = self.unique(f"{self.scope}/{kind}" if self.scope else kind)
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        node = ir.Node(
            domain,
            kind,
            inputs,
            [attribute(key, value) for key, value in (attributes or {}).items()],
            num_outputs=outputs,
            name=name,
        )
        for index, value in enumerate(node.outputs):
            value.name = name if outputs == 1 else f"{name}/{index}"
        self.nodes.append(node)
        return node.outputs

    def node(self, kind: str, *inputs: ir.Value | None, **attributes: Attribute) -> ir.Value:
        """Adds a node with one output."""
        return self.nodes_of(kind, inputs, attributes)[0]

    @contextmanager
    def nested(self) -> Generator[list[ir.Node]]:
        """Nodes added inside go into the list that this gives: the body of a control operator. What they compute is
        not known outside."""
        nodes, cache = self.nodes, dict(self._cache)
        self.nodes = []
        try:
            yield self.nodes
        finally:
            self.nodes, self._cache = nodes, cache

    # ---- constants and parameters ----------------------------------------------------------------------------------

    def data_type(self, dtype: str) -> ir.DataType:
        return DATA_TYPES[self.precision if dtype == "f32" else dtype]

    def constant(self, value: Any, dtype: str) -> ir.Value:
        """A number or nested tuples of numbers as a tensor; equal ones are one."""
        return self.literal(value, self.data_type(dtype))

    def literal(self, value: Any, data_type: ir.DataType) -> ir.Value:
        """Like `constant`, for a type that the precision does not change."""
        key = (data_type, value, isinstance(value, float) and math.copysign(1.0, value))
        if key not in self._constants:
            array = in_range(value, data_type)
            text = str(value).replace(" ", "")
            name = f"constant/{text}:{data_type.name.lower()}" if len(text) <= 40 else "constant/table"
            self._constants[key] = self.initializer(name, array)
        return self._constants[key]

    def ints(self, *values: int) -> ir.Value:
        """An i64 vector."""
        return self.literal(values, ir.DataType.INT64)

    def initializer(self, name: str, value: np.ndarray[Any, Any] | StoredTensor) -> ir.Value:
        """A new tensor of the file."""
        name = self.unique(name)
        tensor = external(value, name) if isinstance(value, StoredTensor) else ir.Tensor(value, name=name)
        result = ir.Value(name=name, shape=ir.Shape(value.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.initializers[name] = result
        return result

    def parameter(self, path: str, shape: Sequence[int], dtype: str = "f32") -> ir.Value:
        """A parameter under its own path; one initializer however often it is read."""
        if path in self.initializers:
            return self.initializers[path]
        value = self._weight(path, shape)
        wanted = self.data_type(dtype)
        if not isinstance(value, StoredTensor) or value.dtype != wanted:
            array = value.array() if isinstance(value, StoredTensor) else value
            value = array if array.dtype == wanted.numpy() else in_range(array, wanted)
        return self.initializer(path, value)

    def array(self, path: str, shape: Sequence[int]) -> np.ndarray[Any, Any]:
        """A parameter's value, for operators that store it in another layout."""
        value = self._weight(path, shape)
        return value.array() if isinstance(value, StoredTensor) else value

    def _weight(self, path: str, shape: Sequence[int]) -> Weight:
        value = self.weights.get(path)
        if value is None or tuple(value.shape) != tuple(shape):
            raise MissingWeight(path, shape, None if value is None else value.shape)
        self.used.add(path)
        return value

    # ---- sizes -----------------------------------------------------------------------------------------------------

    def learn_sizes(self, value: ir.Value, shape: Sequence[Size]) -> None:
        """Dimensions can be read off this input: an axis `T`, or one like `2*T + 1`."""
        for axis, size in enumerate(shape):
            names = variables(size)
            if not isinstance(size, Dim) or len(names) != 1:
                continue
            (name,) = names
            known = self._origins.get(name)
            terms = dict(size.terms)
            factor, offset = terms.pop(((name, 1),), 0), terms.pop((), 0)
            if terms or not isinstance(factor, int) or not isinstance(offset, int) or factor < 1:
                continue
            if known is None or (factor, offset) < known[2:]:
                self._origins[name] = (value, axis, factor, offset)

    def knows(self, size: Size) -> bool:
        return variables(size) <= self._origins.keys()

    def kept(self, key: Any, make: Callable[[], ir.Value]) -> ir.Value:
        """A value that is computed once and shared."""
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    @contextmanager
    def _at(self, scope: str) -> Generator[None]:
        before, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = before

    def vector(self, size: Size) -> ir.Value:
        """A size as an i64 vector of one element."""
        if isinstance(size, int):
            return self.ints(size)
        if size not in self._cache:
            with self._at(f"sizes/{size}"):
                self._cache[size] = self._compute(size)
        return self._cache[size]

    def scalar(self, size: Size, dtype: str = "i64") -> ir.Value:
        """A size as a scalar of this dtype."""
        if isinstance(size, int):
            return self.constant(float(size) if dtype.startswith(("f", "bf")) else size, dtype)
        key = ("scalar", size, dtype)
        if key not in self._cache:
            with self._at(f"sizes/{size}"):
                value = self.node("Squeeze", self.vector(size), self.ints(0))
                if dtype != "i64":
                    value = self.node("Cast", value, to=int(self.data_type(dtype)))
                self._cache[key] = value
        return self._cache[key]

    def shape(self, sizes: Sequence[Size]) -> ir.Value:
        """Sizes as an i64 vector."""
        if all(isinstance(size, int) for size in sizes):
            return self.ints(*(size for size in sizes if isinstance(size, int)))
        key = ("shape", tuple(sizes))
        if key not in self._cache:
            parts: list[ir.Value] = []
            run: list[int] = []
            for size in sizes:
                if isinstance(size, int):
                    run.append(size)
                    continue
                if run:
                    parts.append(self.ints(*run))
                    run = []
                parts.append(self.vector(size))
            if run:
                parts.append(self.ints(*run))
            with self._at("sizes"):
                self._cache[key] = parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=0)
        return self._cache[key]

    def reshape(self, value: ir.Value, source: Sequence[Size], target: Sequence[Size]) -> ir.Value:
        """Reshape that computes as few sizes as it can: kept axes are 0, one unknown is -1."""
        sizes: list[Size] = list(target)
        open_axes: list[int] = []
        for axis, size in enumerate(target):
            if isinstance(size, Dim):
                if axis < len(source) and source[axis] == size:
                    sizes[axis] = 0
                else:
                    open_axes.append(axis)
        if open_axes:
            last = max(open_axes, key=lambda axis: (not self.knows(target[axis]), axis))
            sizes[last] = -1
        return self.node("Reshape", value, self.shape(sizes))

    def _compute(self, size: Dim) -> ir.Value:
        """A polynomial with floors. The common denominator is divided out last; floors divide positive numbers."""
        scale = math.lcm(*(coefficient.denominator for _, coefficient in size.terms))
        total: ir.Value | None = None
        constant = 0
        for monomial, coefficient in size.terms:
            whole = int(coefficient * scale)
            if not monomial:
                constant = whole
                continue
            term: ir.Value | None = None
            for atom, power in monomial:
                factor = self._floor(atom) if isinstance(atom, FloorAtom) else self._dimension(atom)
                for _ in range(power):
                    term = factor if term is None else self.node("Mul", term, factor)
            assert term is not None
            if total is None:
                total = term if whole == 1 else self.node("Mul", term, self.ints(whole))
            elif whole in (1, -1):
                total = self.node("Add" if whole == 1 else "Sub", total, term)
            else:
                total = self.node("Add", total, self.node("Mul", term, self.ints(whole)))
        assert total is not None
        if constant:
            total = self.node("Add", total, self.ints(constant))
        return total if scale == 1 else self.node("Div", total, self.ints(scale))

    def _floor(self, atom: FloorAtom) -> ir.Value:
        key = ("floor", atom)
        if key not in self._cache:
            self._cache[key] = self.node("Div", self.vector(atom.numerator), self.ints(atom.divisor))
        return self._cache[key]

    def _dimension(self, name: str) -> ir.Value:
        key = ("dimension", name)
        if key not in self._cache:
            value, axis, factor, offset = self._origins[name]
            with self._at(f"sizes/{name}"):
                size = self.node("Shape", value, start=axis, end=axis + 1)
                if offset:
                    size = self.node("Sub", size, self.ints(offset))
                if factor != 1:
                    size = self.node("Div", size, self.ints(factor))
            self._cache[key] = size
        return self._cache[key]


#: Least and largest number above 0 of the floats with less range than f32.
HALVES = {ir.DataType.FLOAT16: (2.0**-24, 65504.0)}


def in_range(value: Any, data_type: ir.DataType) -> np.ndarray[Any, Any]:
    """Numbers in another type. In f16 one beyond its range is cut to it: -1e9 in the place of a masked score stays finite, and
    1e-8 below a quotient does not become 0. Infinities and 0 stay."""
    array: np.ndarray[Any, Any] = np.asarray(value)
    if data_type not in HALVES:
        return array.astype(data_type.numpy())
    least, most = HALVES[data_type]
    wide = array.astype(np.float64)
    cut = np.where(np.isfinite(wide), np.clip(wide, -most, most), wide)
    cut = np.where((np.abs(cut) < least) & (cut != 0), np.copysign(least, cut), cut)
    return cut.astype(data_type.numpy())


def dimension_text(size: Size) -> int | str:
    """An axis of a graph input or output: a number, or the spec's own name or term for it."""
    return to_text(size)
