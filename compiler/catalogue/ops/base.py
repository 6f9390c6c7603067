"""What an operator is.

An operator is an entry (`entry.py`): its annotated fields are its static arguments with their defaults. The parameters of `infer`
after `facts` are its tensor inputs (a default of None: optional; `*name`: any number), `infer` is its shape and dtype
rule, `parameters` the tensors it owns, `samples` the programs that the conformance test runs in both backends, and the
docstring its documentation. Nothing else declares anything: the reference page, the tests and `dlc explain` read it
from here.

    class Linear(Layer):
        '''Affine map of the last axis ...'''

        out: int
        bias: bool = True

        def infer(self, facts: Facts, x: TensorType) -> TensorType: ...
        def parameters(self, x: TensorType) -> tuple[Parameter, ...]: ...

A class whose name is in capitals (`Layer`) is used under its own name, a `Function` under its name in snake case
(`MaxPool` -> `max_pool`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias, dataclass_transform

from ...dataclass import dataclass, field
from ...ir.model import Parameter
from ...sizes.dims import Dim, Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType, is_float, is_integer, whole_range
from ..entry import MISSING, Entry
from .positions import Left, Positions

#: One output; several in order (a tuple); several by name (a dict).
Outputs: TypeAlias = TensorType | tuple[TensorType, ...] | dict[str, TensorType]


#: What a value may stand for to those who read it.
Kind: TypeAlias = Literal["scores", "probabilities", "class", "logit", "chance", "value", "unknown"]


class Rejected(Exception):
    """A rule of an operator does not hold; the elaborator turns it into a diagnostic at the stage.

    `code` is from the register (E0201 shapes differ, E0202 rank or count, E0204 dtype, E0206 not whole, E0207 cannot be
    decided, E0208 not static, E0212 weight of symbolic size, E0304 arguments).
    """

    def __init__(
        self, code: str, message: str, label: str = "", *, notes: tuple[str, ...] = (), helps: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.label, self.notes, self.helps = code, message, label, notes, helps


class NotWhole(Rejected):
    """A tensor of floats where ids or lengths are needed."""


def need_held(number: float, dtype: str) -> None:
    """E0204 for a whole number beyond an integer dtype."""
    if isinstance(number, int) and is_integer(dtype):
        low, high = whole_range(dtype)
        if not low <= number <= high:
            raise Rejected(
                "E0204",
                f"`{dtype}` cannot hold `{number}`",
                f"`{dtype}` goes from {low} to {high}",
                helps=(
                    "convert the tensor first: `cast(i64)`"
                    if dtype != "i64"
                    else "convert the tensor first: `cast(f32)`",
                ),
            )


@dataclass(frozen=True)
class Example:
    """A tensor input of a sample. A named axis (`"B"`) is symbolic for the checker and takes its size from
    `Sample.sizes`. Integers are drawn from [low, high), floats from a standard normal clipped to [low, high] if given."""

    dtype: str
    shape: tuple[int | str, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Sample:
    """One use of an operator: static arguments and tensor inputs (by position; None for an absent optional one).

    An input may be a number, or the name of an axis for its size. An argument that is a size or a shape may name axes.

    Conformance runs it at `sizes`, and at other sizes of every named axis: inferred shape, declared parameters, output
    of both backends, gradients when `differentiable`, ONNX Runtime at optimization levels none and all.
    """

    args: Mapping[str, Any]
    inputs: tuple[Example | int | float | str | None, ...]
    sizes: Mapping[str, int] = field(default_factory=lambda: {"B": 2, "T": 5, "S": 4, "H": 8, "W": 6})
    differentiable: bool = True
    tolerance: float = 1e-5
    note: str = ""
    #: Forms in half precision that are known to fail, with the reason: "f16", "bf16", "autocast" of the generated module,
    #: "onnx" of the f16 graph. One that works after all fails the test, so that the entry is removed.
    xfail: Mapping[str, str] = field(default_factory=dict[str, str])


#: What may be given for a tensor: its type, a number or size, or nothing if it is optional.
Operand: TypeAlias = "TensorType | int | float | Dim | None"


#: The smallest and the largest of whole numbers.
Range: TypeAlias = "tuple[Size, Size]"


def _operand_type(operand: Operand, dtype: str | None) -> TensorType | None:
    if operand is None or isinstance(operand, TensorType):
        return operand
    if isinstance(operand, bool):
        return TensorType("bool", ())
    if dtype is None or dtype == "bool":
        dtype = "i64"
    if isinstance(operand, float) and not is_float(dtype):
        dtype = "f32"
    return TensorType(dtype, ())


@dataclass_transform(kw_only_default=True)
class Op(Entry):
    """Base of every operator. Arguments are given by keyword; the elaborator has checked their types before."""

    #: (tensor input, "one" | "optional" | "many") in order.
    tensors: ClassVar[tuple[tuple[str, str], ...]] = ()
    samples: ClassVar[tuple[Sample, ...]] = ()
    #: Draws random numbers: in an export only allowed where evaluation does not reach it (E0502).
    random: ClassVar[bool] = False
    #: Behaves differently in training and evaluation.
    has_mode: ClassVar[bool] = False
    #: Each element of the result depends on the elements of the inputs at its own place alone.
    elementwise: ClassVar[bool] = False
    #: PyTorch has no derivative of its gradient; here is what gives the same of `x` and has one.
    twice_as: ClassVar[str] = ""
    #: In training it takes statistics over the examples of a batch, and keeps a mean of them for evaluation.
    mixes_batch: ClassVar[bool] = False
    #: Its weight is a table of which some rows are read, as those of an embedding.
    is_table: ClassVar[bool] = False
    #: It is one tensor of the model and nothing else: a "parameter", or a "buffer", which training does not change.
    bare: ClassVar[Literal["", "parameter", "buffer"]] = ""
    #: Takes each element from one of its last two inputs.
    chooses: ClassVar[bool] = False
    #: What is linear in its inputs: a "sum" or a "difference" of them, or one "scaled" by a number.
    linear: ClassVar[Literal["", "sum", "difference", "scaled"]] = ""
    #: What people call its result in a formula; empty: as the operator.
    result: ClassVar[str] = ""
    #: Passes no gradient on: the result is constant wherever it has a derivative, or is meant to be.
    flat: ClassVar[bool] = False
    #: What its inputs may hold for all that their types say, and yet ends the run: a position "outside" of a table, a "zero" that
    #: divides whole numbers.
    refuses: ClassVar[Literal["", "outside", "zero"]] = ""
    #: The tensor inputs in whose place a number may be written; None: any of several.
    numbers: ClassVar[tuple[str, ...] | None] = None
    #: 0 where the input is 0 and above 0 elsewhere: training that makes it small brings the input to 0.
    magnitude: ClassVar[bool] = False
    #: 0 where the input is below 0: training that makes it small only bounds the input.
    one_sided: ClassVar[bool] = False
    #: The input at which it is 0, of one that rises; None: no such fact.
    root: ClassVar[float | None] = None
    #: What it makes of values that mean something (the kinds are those of `analysis/meaning.py`): (("scores", "probabilities"),).
    turns: ClassVar[tuple[tuple[Kind, Kind], ...]] = ()
    #: The names of its outputs, where each has one: `.h` selects the output `h`.
    outputs: ClassVar[tuple[str, ...]] = ()
    #: What people call its result where the author gives no name, and the inputs that are called as its arguments are.
    called: ClassVar[str] = ""
    calls_inputs: ClassVar[bool] = False
    #: The argument by which the result is the first part of a longer one, where the longest is worth making once.
    cut: ClassVar[str] = ""
    #: The result holds numbers of the first input and no others: "reshaped" - all, in their order; "moved" - some, or in
    #: another order, or repeated.
    view: ClassVar[Literal["reshaped", "moved"] | None] = None
    #: Along which axes it brings elements together, which decides whether a language model has a form with a cache: "none" -
    #: it changes how elements are read, or looks each up; "count" - its argument `n` counts from 0; "last" - the last axis;
    #: "example" - all but the first; "" - its argument `axis`, none where it is `elementwise`, or a rule of its own (`piecewise`).
    along: ClassVar[Literal["", "none", "count", "last", "example"]] = ""
    #: Its sizes may name the axis of positions that a cache feeds piece by piece.
    sized: ClassVar[bool] = False
    #: The result holds numbers of the inputs as they were, in another shape, order or number.
    keeps: ClassVar[bool] = False
    #: The result holds probabilities, which a loss of logits warns of.
    probabilities: ClassVar[bool] = False
    #: Written with an operator sign or syntax, not by name: not callable in a spec.
    syntax: ClassVar[str] = ""
    #: An argument for several tensor inputs, given as a tuple: `state = (h, c)`.
    tensor_groups: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: Inputs of one dtype, to which a literal among them adapts; empty: all.
    alike: ClassVar[tuple[str, ...]] = ()
    #: Takes a net whole as its first argument: `gradient_penalty(critic, real, fake)`.
    takes_net: ClassVar[bool] = False
    #: The docstring's first paragraph may cite a paper here.
    paper: ClassVar[str] = ""
    #: How it is expressed in ONNX (opset 23), in words.
    onnx: ClassVar[str] = ""

    MISSING: ClassVar[Any] = MISSING

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        rule = cls.__dict__.get("infer")
        if rule is not None:
            code, defaults = rule.__code__, rule.__defaults__ or ()
            names = code.co_varnames[2 : code.co_argcount]
            required = len(names) - len(defaults)
            tensors = [(name, "one" if i < required else "optional") for i, name in enumerate(names)]
            if code.co_flags & 0x04:
                tensors.append((code.co_varnames[code.co_argcount], "many"))
            cls.tensors = tuple(tensors)

    def __init__(self, **values: Any) -> None:
        for name, _, default in self.arguments:
            value = values.pop(name, default)
            assert value is not MISSING, f"{self.name}: argument {name} is missing"
            setattr(self, name, value)
        assert not values, f"{self.name}: unknown arguments {sorted(values)}"

    @property
    def values(self) -> dict[str, Any]:
        """The arguments by name."""
        return {name: getattr(self, name) for name, _, _ in self.arguments}

    @classmethod
    def misread(cls, given: Sequence[Any], x: TensorType) -> str:
        """A layer whose positional arguments `given` look like those of another library, the size of the input `x` first: the
        order that they look like, "" where they do not."""
        return ""

    @classmethod
    def operand_types(cls, operands: Sequence[Operand]) -> list[TensorType | None]:
        """The types that `infer` sees: a number in a tensor's place is a scalar of the dtype of the other tensors.

        A fraction with integers stays f32, and `infer` rejects the pair.
        """
        names = [name for name, _ in cls.tensors]
        beside = [
            operand
            for at, operand in enumerate(operands)
            if not cls.alike or names[min(at, len(names) - 1)] in cls.alike
        ]
        dtype = next((operand.dtype for operand in beside if isinstance(operand, TensorType)), None)
        if dtype is None and any(isinstance(operand, float) for operand in beside):
            dtype = "f32"
        return [_operand_type(operand, dtype) for operand in operands]

    @classmethod
    def check_numbers(cls, operands: Sequence[Operand], types: Sequence[TensorType | None]) -> None:
        """Refuses a number in a tensor's place that its dtype there cannot hold (E0204)."""
        for operand, type in zip(operands, types, strict=True):
            if isinstance(operand, int) and type is not None:
                need_held(operand, type.dtype)

    def spans(self, *ranges: Range | None) -> Range | None:
        """The smallest and the largest of the whole numbers that it makes, from those of its inputs; None: unknown."""
        first = ranges[0] if ranges else None
        return first if self.keeps and first is not None and all(each == first for each in ranges) else None

    def positions(self, *inputs: TensorType | None) -> tuple[int, Size] | None:
        """The place of the input that holds positions, and how many there are: numbers of a table's rows, of classes."""
        return None

    # The signatures take anything so that an entry may name its tensor inputs; `tensors` is read off them.

    def infer(self, facts: Facts, *inputs: Any, **named: Any) -> Outputs:
        """Types of the outputs; raises Rejected."""
        raise NotImplementedError(self.name)

    def parameters(self, *inputs: Any, **named: Any) -> tuple[Parameter, ...]:
        """The tensors a layer owns, for inputs that `infer` accepted; raises Rejected (E0212)."""
        return ()

    @classmethod
    def view_with(cls, args: Mapping[str, Any]) -> Literal["reshaped", "moved"] | None:
        """`view`, where it depends on the arguments."""
        return cls.view

    @classmethod
    def not_in_export(cls, args: Mapping[str, Any], *inputs: TensorType | None) -> tuple[str, str] | None:
        """Why an exported graph cannot hold this use, and what would help; None where it can."""
        return None

    @classmethod
    def rounded_weights(cls, args: Mapping[str, Any], *inputs: TensorType | None) -> Size | None:
        """How many weights `quantize` rounds in this use, if there are enough of them and they are weights."""
        return None

    @classmethod
    def batch_statistics(cls, x: TensorType) -> Size | None:
        """Over how many numbers of its input a statistic is taken in training, where the examples of a batch are mixed for it."""
        return None

    def piecewise(self, use: Positions) -> Left:
        """What it does where positions are fed a few at a time: raises NotPiecewise if it needs others. "last" if it selects the
        last position. By `along`, unless an operator has a rule of its own."""
        if self.elementwise or self.along == "none" or not self.tensors and self.along != "count":
            return "still"
        if self.along == "count":
            if self.values["n"] != use.size:
                use.reject(f"counts to `{self.values['n']}`, not to `{use.length}`")
        elif "axis" in self.values:
            use.keep_apart(self.values["axis"])
        elif self.along == "last":
            use.keep_apart(-1)
        else:
            assert self.along == "example", f"{self.name} does not say along which axes it works"
            use.keep_apart(range(1, max((type.rank for type in use.types if type is not None), default=1)))
        return "still"

    def flops(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> Size:
        """Operations of one application, a multiply-add counted as two: matrix products, convolutions, attention and
        recurrences; 0 for everything that is cheap in comparison."""
        return 0


class Layer(Op):
    """Owns weights: written with a capital, fresh at each use."""

    capitals = True


class Function(Op):
    """Owns nothing: written in lower case."""


class Syntax(Function):
    """Written with a sign or a form (`a + b`, `x[:, 0]`), not by name; `syntax` shows how."""
