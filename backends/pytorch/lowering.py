"""What a lowering sees of a use of an operator, and the table of lowerings.

A lowering of a function returns an expression; one of a layer returns the constructor of its module, and how to call it
where `module(x)` is not enough. Files in `ops/` are named as in `compiler/catalogue/ops/`; the file is imported when a model
first needs one of its operators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

from ...compiler.catalogue import LOSSES
from ...compiler.catalogue.ops import module_of
from ...compiler.dataclass import dataclass
from ...compiler.ir.model import OpNode
from ...compiler.messages.diagnostics import Diagnostic, Failed
from ...compiler.messages.source import Span
from ...compiler.sizes.dims import Dim, Size
from ...compiler.sizes.types import TensorType
from .constants import ClassNumber, Varies
from .python import ATOM, POWER, PRODUCT, SUM, UNARY, Expr, literal

#: A static argument in a class that several bodies share.
Arg: TypeAlias = "ClassNumber | bool | str | None | tuple[Arg, ...]"


@dataclass(frozen=True)
class SharedType:
    """What is known of a tensor: its dtype and its sizes."""

    dtype: str
    sizes: tuple[ClassNumber, ...]

    @property
    def rank(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Operand:
    """An input of a node: an expression, and the type of the tensor (None: a number in a tensor's place)."""

    expr: Expr
    type: SharedType | None
    number: Any = None


class _Arguments:
    """Static arguments, read by name."""

    def __init__(self, args: dict[str, Arg]) -> None:
        self.args = args

    def arg(self, name: str) -> Any:
        """An argument; numbers are `ClassNumber`s."""
        return self.args[name]

    def value(self, name: str) -> Any:
        """An argument that must be the same in all bodies of the class, as a plain value."""
        return plain(self.args[name])

    def is_(self, name: str, value: object) -> bool:
        """Whether an argument has this value in all bodies."""
        arg = self.args[name]
        if isinstance(arg, ClassNumber):
            return isinstance(value, (int, float)) and not isinstance(value, bool) and same_number(arg, value)
        if isinstance(arg, tuple) or isinstance(value, tuple):
            return _plain_or_none(arg) == value
        return arg == value and isinstance(arg, bool) == isinstance(value, bool)


def same_number(number: ClassNumber, value: float) -> bool:
    return all(not isinstance(mine, Dim) and mine == value for mine in number.values)


def plain(arg: Arg) -> Any:
    if isinstance(arg, ClassNumber):
        return arg.value
    if isinstance(arg, tuple):
        return tuple(plain(item) for item in arg)
    return arg


def _plain_or_none(arg: Arg) -> Any:
    try:
        return plain(arg)
    except Varies:
        return None


class Construction(_Arguments):
    """A layer in the constructor of a class: its arguments and the shapes of its weights."""

    def __init__(
        self,
        args: dict[str, Arg],
        weights: dict[str, tuple[ClassNumber, ...]],
        dtypes: dict[str, str],
        inputs: Sequence[SharedType | None],
    ) -> None:
        super().__init__(args)
        self.weights, self.dtypes = weights, dtypes
        #: Types of the inputs at its first application; empty if only its weights are read.
        self.inputs = tuple(inputs)

    def weight(self, name: str = "weight") -> tuple[ClassNumber, ...]:
        return self.weights[name]

    def text(self, arg: Arg) -> str:
        """Source text of an argument in the constructor."""
        return write(arg, str)

    def options(self, **options: tuple[str, object]) -> list[str]:
        """`stride=2` for the arguments that differ from what PyTorch takes by default: keyword=(argument, default)."""
        return options_text(self, options, str)


class Application(_Arguments):
    """An operator in `forward`: its arguments, inputs and the types of its outputs.

    `use[0]` is the source of the first input as an argument of a call; `use.at(0, SUM)` as an operand of a
    sum.
    """

    def __init__(
        self,
        op: str,
        args: dict[str, Arg],
        inputs: Sequence[Operand | None],
        outputs: Sequence[SharedType],
        size: Callable[[ClassNumber], str],
        module: str | None,
        wanted: Sequence[bool],
        device: str = "",
        among: Callable[[ClassNumber, int], str] | None = None,
        table: Callable[[str, str], str] | None = None,
        named: Callable[[ClassNumber], bool] | None = None,
        held: str | None = None,
        training: str = "self.training",
    ) -> None:
        super().__init__(args)
        #: Source of the condition that the module is training.
        self.training = training
        self._among, self._named = among, named
        #: The module that holds the table of this operator, if it has one.
        self.held = held
        #: Adds a buffer, given its name and the source of its tensor; returns the source that reads it. None: no buffers.
        self.table = table
        self.op, self.inputs, self.outputs, self.module = op, tuple(inputs), tuple(outputs), module
        self.wanted, self.device = tuple(wanted), device
        #: The fields of a batch and their sizes, where a recipe counts elements.
        self.fields: Sequence[tuple[str, Sequence[object]]] = ()
        self._size = size

    def __getitem__(self, index: int) -> str:
        return self.operand(index).expr.text

    def __len__(self) -> int:
        return len(self.inputs)

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def operand(self, index: int) -> Operand:
        operand = self.inputs[index]
        assert operand is not None, f"{self.op} has no input {index}"
        return operand

    def at(self, index: int, level: int = ATOM) -> str:
        return self.operand(index).expr.at(level)

    def tensor(self, index: int = 0) -> SharedType:
        type = self.operand(index).type
        assert type is not None, f"input {index} of {self.op} is a number"
        return type

    def size(self, number: ClassNumber) -> str:
        """Source text of a size in `forward`."""
        return self._size(number)

    def has_name(self, number: ClassNumber) -> bool:
        """Whether a size has a plain name in `forward`: it is a literal or that of an axis of the inputs."""
        return self._named is None or self._named(number)

    def shape(self, sizes: Sequence[ClassNumber]) -> str:
        """Sizes as arguments: `B, H, W, 3`. Equal ones are those of the axes in their order."""
        texts: list[str] = []
        for at, number in enumerate(sizes):
            alike = [other for other, size in enumerate(sizes) if size.values == number.values]
            among = self._among if len(alike) > 1 else None
            texts.append(self._size(number) if among is None else among(number, alike.index(at)))
        return ", ".join(texts)

    def text(self, arg: Arg) -> str:
        """Source text of an argument in `forward`."""
        return write(arg, self._size)

    def options(self, **options: tuple[str, object]) -> list[str]:
        return options_text(self, options, self._size)

    def axis(self, name: str = "axis") -> int:
        return self.value(name)

    def expr(self, text: str, level: int = ATOM, weight: int = 1) -> Expr:
        """An expression over the inputs."""
        names = frozenset[str]().union(*(operand.expr.names for operand in self.inputs if operand is not None))
        total = sum(operand.expr.weight for operand in self.inputs if operand is not None)
        return Expr(text, level, names, total + weight)

    def call(self, function: str, *arguments: str, weight: int = 1) -> Expr:
        return self.expr(f"{function}({', '.join(a for a in arguments if a)})", weight=weight)

    def binary(self, sign: str, level: int) -> Expr:
        """`a sign b`, with parentheses where needed."""
        if level == POWER:
            base, exponent = self.at(0, ATOM), self.at(1, UNARY)
            space = "" if _SIMPLE.fullmatch(base) and _SIMPLE.fullmatch(exponent) else " "
            return self.expr(f"{base}{space}{sign}{space}{exponent}", level, 0)
        return self.expr(f"{self.at(0, level)} {sign} {self.at(1, level + 1)}", level, 0)


#: Operands that `ruff format` puts close to `**`.
_SIMPLE = re.compile(r"-?(\d[\w.]*|[A-Za-z_][\w.]*)")


def write(arg: Arg, number: Callable[[ClassNumber], str]) -> str:
    if isinstance(arg, ClassNumber):
        return number(arg)
    if isinstance(arg, tuple):
        inner = ", ".join(write(item, number) for item in arg)
        return f"({inner},)" if len(arg) == 1 else f"({inner})"
    return literal(arg)


def options_text(
    arguments: _Arguments, options: dict[str, tuple[str, object]], number: Callable[[ClassNumber], str]
) -> list[str]:
    return [
        f"{keyword}={write(collapse(arguments.arg(name)), number)}"
        for keyword, (name, default) in options.items()
        if not arguments.is_(name, default) and not collapsed_is(arguments.arg(name), default)
    ]


def collapse(arg: Arg) -> Arg:
    """`(2, 2)` as `2`; `(kernel, stride)` is two numbers, whatever their values are."""
    if isinstance(arg, tuple) and arg and all(item == arg[0] for item in arg[1:]):
        written = {item.written for item in arg if isinstance(item, ClassNumber)}
        return arg if len(written) > 1 else arg[0]
    return arg


def collapsed_is(arg: Arg, value: object) -> bool:
    arg = collapse(arg)
    return isinstance(arg, ClassNumber) and isinstance(value, (int, float)) and same_number(arg, value)


# ---- the table -------------------------------------------------------------------------------------------------------

FunctionLowering: TypeAlias = Callable[[Application], Expr]
ConstructorLowering: TypeAlias = Callable[[Construction], str]
#: The supporting class that holds a table, its lengths, and the other arguments of its constructor; None where none is read.
TableLowering: TypeAlias = "Callable[[Mapping[str, Any], Sequence[TensorType | None]], tuple[str, tuple[Size, ...], tuple[int | float, ...]] | None]"


@dataclass
class Lowering:
    """How one operator becomes source.

    `forward`: its expression; for several outputs `targets` gives the pattern that is assigned. `constructor`: of a
    layer. `module`: of a function, its `nn.Module` form (None: has none, here or for these arguments).
    """

    forward: FunctionLowering | None = None
    constructor: ConstructorLowering | None = None
    module: Callable[[Application], str | None] | None = None
    targets: Callable[[Application, Sequence[str]], str] | None = None
    #: For a layer with its own `forward`: whether its module is simply called, with these arguments.
    plain_call: Callable[[dict[str, Any]], bool] | None = None
    #: A pattern of the `nn` class of a layer, and the classes of modules inside it.
    modules: tuple[str, tuple[str, ...]] = ("", ())
    #: What of a function depends on sizes alone, from its arguments and the types of its inputs; a table that would be longer
    #: at the model's own sizes is not kept.
    table: TableLowering | None = None
    longest: int = 0


_TABLE: dict[str, Lowering] = {}


def entry(name: str) -> Lowering:
    return _TABLE.setdefault(name, Lowering())


def function(*names: str) -> Callable[[FunctionLowering], FunctionLowering]:
    """Registers the expression of a function, or how a layer is called."""

    def register(lowering: FunctionLowering) -> FunctionLowering:
        for name in names:
            entry(name).forward = lowering
        return lowering

    return register


def constructor(
    *names: str, module: str = "", inside: tuple[str, ...] = ()
) -> Callable[[ConstructorLowering], ConstructorLowering]:
    """Registers the module of a layer. `module` is a pattern of its class where `init_weights` may find it by that, `inside`
    are classes of modules that it consists of."""

    def register(lowering: ConstructorLowering) -> ConstructorLowering:
        for name in names:
            entry(name).constructor = lowering
            entry(name).modules = (module, inside)
        return lowering

    return register


def module(*names: str) -> Callable[[Callable[[Application], str | None]], Callable[[Application], str | None]]:
    """Registers the `nn.Module` form of a function, used where a group becomes an `nn.Sequential`."""

    def register(lowering: Callable[[Application], str | None]) -> Callable[[Application], str | None]:
        for name in names:
            entry(name).module = lowering
        return lowering

    return register


def targets(
    *names: str,
) -> Callable[[Callable[[Application, Sequence[str]], str]], Callable[[Application, Sequence[str]], str]]:
    """Registers the assignment pattern of an operator with several outputs."""

    def register(pattern: Callable[[Application, Sequence[str]], str]) -> Callable[[Application, Sequence[str]], str]:
        for name in names:
            entry(name).targets = pattern
        return pattern

    return register


def table(name: str, *, longest: int) -> Callable[[TableLowering], TableLowering]:
    """Registers the table of a function, which is made once for a model (`shared_tables`), up to a length of `longest`."""

    def register(lowering: TableLowering) -> TableLowering:
        entry(name).table = lowering
        entry(name).longest = longest
        return lowering

    return register


@cache
def _load(module_name: str) -> None:
    path = f"{__package__}.ops.{module_name}"
    if find_spec(path) is not None:
        import_module(path)


def lowering(op: str, span: Span) -> Lowering:
    """The lowering of an operator or a loss; E0501 when there is none."""
    found = _TABLE.get(op) if has_lowering(op) else None
    if found is None:
        raise Failed(unsupported(op, span))
    return found


def has_lowering(op: str) -> bool:
    """Whether this backend knows the operator or loss."""
    if op not in _TABLE:
        _load(LOSSES.module_of(op) if op in LOSSES else module_of(op))
    return op in _TABLE


def module_classes(layer: str) -> tuple[str, tuple[str, ...]]:
    """The pattern of the class that a layer's module has ("": none to find it by), and those of modules inside it."""
    return _TABLE[layer].modules if layer and has_lowering(layer) else ("", ())


def module_class(node: OpNode) -> str | None:
    """`nn.ReLU` for a function of one tensor whose module takes no arguments; None for any other."""
    named = all(isinstance(value, str) for value in node.args.values())
    if node.instance is not None or len(node.inputs) != 1 or not named or not has_lowering(node.op):
        return None
    form = _TABLE[node.op].module
    text = None if form is None else form(Application(node.op, node.args, [], [], str, None, [True]))
    return text.removesuffix("()") if text is not None and text.endswith("()") else None


def unsupported(op: str, span: Span, why: str = "") -> Diagnostic:
    """E0501: the PyTorch backend cannot express an operator, or not with these arguments."""
    return Diagnostic(
        "E0501",
        f"the PyTorch backend cannot express `{op}`" + (f" {why}" if why else ""),
        span,
        "no PyTorch lowering" if not why else "not here",
        helps=("build it from other operators",) if not why else (),
    )


def dtype(name: str) -> str:
    """`torch.float32` for `f32`."""
    kinds = {"b": "bfloat", "f": "float", "i": "int", "u": "uint"}
    return "torch.bool" if name == "bool" else f"torch.{kinds[name[0]]}{name.lstrip('bfiu')}"


__all__ = [
    "ATOM",
    "POWER",
    "PRODUCT",
    "SUM",
    "UNARY",
    "Application",
    "Arg",
    "ClassNumber",
    "Construction",
    "Expr",
    "Lowering",
    "Operand",
    "SharedType",
    "Varies",
    "collapse",
    "constructor",
    "dtype",
    "function",
    "has_lowering",
    "lowering",
    "module",
    "module_classes",
    "plain",
    "table",
    "targets",
    "unsupported",
    "write",
]  # fmt: skip
