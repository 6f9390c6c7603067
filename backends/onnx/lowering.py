"""What the lowering of an operator sees, and the table of lowerings.

A lowering is a function in a file of `ops/` named as the operator's own in `compiler/catalogue/ops/`; it takes the use of the
operator and the tensors, and returns tensors or values in the order of the operator's outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
import onnx_ir as ir

from ...compiler.catalogue.ops import find, module_of
from ...compiler.catalogue.ops.base import Op
from ...compiler.dataclass import dataclass
from ...compiler.ir.model import Scalar
from ...compiler.messages import export as errors
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.source import Span
from ...compiler.sizes.dims import Dim, Size
from ...compiler.sizes.types import TensorType
from .cache import Cache
from .graph import GraphBuilder
from .tensor import Tensor, align

BACKEND = "ONNX (opset 23)"

Result: TypeAlias = "ir.Value | Tensor | Sequence[ir.Value | Tensor]"
Lowering: TypeAlias = "Callable[..., Result]"

_TABLE: dict[str, Lowering] = {}


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Enters a function as the lowering of operators."""

    def enter(function: Lowering) -> Lowering:
        for name in names:
            assert name not in _TABLE, f"{name} is lowered twice"
            _TABLE[name] = function
        return function

    return enter


def lowering_of(name: str) -> Lowering | None:
    """The lowering of an operator; its file is imported when it is first needed."""
    if name not in _TABLE and (module := module_of(name)) in _modules():
        import_module(f".ops.{module}", __package__)
    return _TABLE.get(name)


@cache
def _modules() -> frozenset[str]:
    spec = find_spec(f"{__package__}.ops")
    assert spec is not None and spec.submodule_search_locations
    return frozenset(file.stem for folder in spec.submodule_search_locations for file in Path(folder).glob("*.py"))


@dataclass(frozen=True)
class Use:
    """One use of an operator. `path` is the full path of a layer; `args` holds all arguments, defaults included."""

    graph: GraphBuilder
    op: str
    args: Mapping[str, Any]
    inputs: tuple[Tensor | Scalar | None, ...]
    outputs: tuple[TensorType, ...]
    path: str
    span: Span
    cache: Cache | None = None  # in the cached form

    def __getitem__(self, argument: str) -> Any:
        return self.args[argument]

    # ---- parameters ------------------------------------------------------------------------------------------------

    def weight(self, name: str, *shape: int, dtype: str = "f32") -> ir.Value:
        """A parameter of the layer as it is stored."""
        return self.graph.parameter(self._path(name), shape, dtype)

    def array(self, name: str, *shape: int) -> np.ndarray[Any, Any]:
        """A parameter's numbers, for a form that differs from the stored one."""
        return self.graph.array(self._path(name), shape)

    def table(self, name: str, array: np.ndarray[Any, Any], dtype: str = "f32") -> ir.Value:
        """A tensor that belongs to this use, computed while lowering."""
        numpy_type = self.graph.data_type(dtype).numpy()
        return self.graph.initializer(f"{self.graph.scope}/{name}", np.asarray(array, dtype=numpy_type, order="C"))

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if name else self.path

    def steps(self, length: Size) -> ir.Value:
        """0 to `length` - 1, i64: positions. In the cached form those of the step, after the ones that are kept."""
        graph = self.graph
        if self.cache is not None and length == self.cache.length:
            return self.cache.steps()
        if isinstance(length, int):
            return graph.ints(*range(length))
        return graph.node("Range", graph.constant(0, "i64"), graph.scalar(length), graph.constant(1, "i64"))

    # ---- inputs ----------------------------------------------------------------------------------------------------

    def tensor(self, index: int, dtype: str | None = None) -> Tensor:
        """An input as a tensor; a number takes `dtype`, by default that of the other tensors."""
        given = self.inputs[index]
        if isinstance(given, Tensor):
            return given
        assert given is not None, f"input {index} of {self.op} is absent"
        if dtype is None:
            dtype = next((item.dtype for item in self.inputs if isinstance(item, Tensor)), self.outputs[0].dtype)
            if isinstance(given.value, bool):
                dtype = "bool"
        return Tensor(self.graph, scalar(self.graph, given.value, dtype), TensorType(dtype, ()))

    def elementwise(self, kind: str, *tensors: Tensor, **attributes: Any) -> Tensor:
        """A node of elementwise meaning, with broadcasting, in the layout that its inputs share."""
        values, layout = align(tensors, self.outputs[0].shape)
        return Tensor(self.graph, self.graph.node(kind, *values, **attributes), self.outputs[0], layout)

    # ---- mistakes --------------------------------------------------------------------------------------------------

    def reject(self, reason: str, *helps: str) -> NoReturn:
        """Ends the lowering with E0501."""
        raise Failed(errors.inexpressible(self.op, BACKEND, reason, self.span, *helps))


def scalar(graph: GraphBuilder, value: Any, dtype: str) -> ir.Value:
    """A number or size as a scalar of this dtype."""
    if isinstance(value, Dim):
        return graph.scalar(value, dtype)
    if dtype in ("f16", "bf16", "f32", "f64"):
        value = float(value)
    return graph.constant(value, dtype)


@cache
def defaults(name: str) -> Mapping[str, Any]:
    """The defaults of an operator's arguments."""
    operator = find(name)
    assert operator is not None, f"{name} is not in the catalogue"
    return {key: value for key, _, value in operator.arguments if value is not Op.MISSING}


def operator(use: Use) -> Op:
    """The catalogue's own object for this use, for rules such as `padding`."""
    kind = find(use.op)
    assert kind is not None
    known = {name for name, _, _ in kind.arguments}
    return kind(**{name: value for name, value in use.args.items() if name in known})


def concrete(use: Use, size: Size, why: str) -> int:
    """A size that must be known at export; else E0501."""
    if isinstance(size, int):
        return size
    use.reject(f"`{size}` is not concrete: {why}", f"fix its size in the export: `fix {{ {size} = .. }}`")
