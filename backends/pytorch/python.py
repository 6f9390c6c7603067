"""Pieces of Python source: expressions with their precedence, literals, names, and a layout that `ruff format` keeps.

Only values that went through `literal` or `identifier` become code; text of a spec never does.
"""

from __future__ import annotations

import keyword
import math
import re
import textwrap
from collections.abc import Iterable
from itertools import chain

from ...compiler.dataclass import dataclass, field

WIDTH = 88

# Precedence of Python's operators, loosest first.
TERNARY, OR, AND, NOT, COMPARISON, BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM = range(14)


@dataclass(frozen=True)
class Expr:
    """An expression: its text, how tightly its outermost operator binds, the variables it reads, and how much it does.

    `weight` is what a reader has to take in: 0 for a variable, about 1 a call.
    """

    text: str
    level: int = ATOM
    names: frozenset[str] = field(default=frozenset())
    weight: int = 0

    def at(self, level: int) -> str:
        """The text as an operand of at least this level, in parentheses where needed."""
        return self.text if self.level >= level else f"({self.text})"

    def __str__(self) -> str:
        return self.text


def variable(name: str) -> Expr:
    return Expr(name, ATOM, frozenset((name,)))


def literal(value: object) -> str:
    """Python source of a static value."""
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, tuple):
        items: tuple[object, ...] = value  # pyright: ignore[reportUnknownVariableType]
        inner = ", ".join(map(literal, items))
        return f"({inner},)" if len(items) == 1 else f"({inner})"
    assert value is None or isinstance(value, (bool, int, str)), f"no literal for {value!r}"
    if isinstance(value, str):
        return quoted(value)
    return repr(value)


#: A name in an expression, but not the `e` of `1e+30`.
NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


def _float(value: float) -> str:
    if math.isinf(value):
        return "torch.inf" if value > 0 else "-torch.inf"
    if math.isnan(value):
        return "torch.nan"
    return re.sub(r"e([+-])0*(\d)", lambda m: f"e{m[1].strip('+')}{m[2]}", repr(value))


def quoted(text: str) -> str:
    """A string literal as `ruff format` writes it: double quotes unless that costs escapes; ASCII only."""
    source = ascii(text)
    inner = source[1:-1]
    if source[0] == "'" and '"' not in inner:
        return '"' + inner.replace("\\'", "'") + '"'
    return source


def docstring(text: str, indent: int) -> list[str]:
    """Text as a docstring; what could end it or mean something in it is replaced."""
    plain = re.sub(r"\s+", " ", text).strip().replace('"', "'").replace("\\", "/")
    plain = "".join(char if char.isprintable() else "_" for char in plain)
    pad = " " * indent
    if indent + len(plain) + 6 <= WIDTH:
        return [f'{pad}"""{plain}"""']
    lines = textwrap.wrap(plain, WIDTH - indent - 3, break_long_words=False, break_on_hyphens=False)
    return [f'{pad}"""{lines[0]}', *(f"{pad}{line}" for line in lines[1:]), f'{pad}"""']


def comment(text: str) -> str:
    """Text that is safe in a comment or docstring: one line, printable, no quotes or backslashes."""
    return re.sub(r"[^\w .,:;()\[\]{}<>=+*/%⌊⌋^-]", "_", text)


#: Names that mean something in the generated file, and so are never variables or classes in it.
TAKEN = frozenset(
    ("torch", "nn", "F", "self", "super", "range", "zip", "float", "next", "list", "tuple", "NamedTuple", "Outputs",
     "Tensor", "ValueError")
)  # fmt: skip


def identifier(name: str, taken: Iterable[str] = ()) -> str:
    """A Python name for a name of the spec; a trailing `_` where Python or the generated file needs the name."""
    name = re.sub(r"\W", "_", name, flags=re.ASCII) or "x"
    if name[0].isdigit():
        name = f"_{name}"
    if keyword.iskeyword(name) or name in TAKEN:
        name += "_"
    return unique(name, taken)


def unique(name: str, taken: Iterable[str]) -> str:
    """The name, or the first of `name_2`, `name_3`, ... that is free."""
    taken = set(taken)
    if name not in taken:
        return name
    count = 2
    while f"{name}_{count}" in taken:
        count += 1
    return f"{name}_{count}"


def unique_class(name: str, taken: Iterable[str]) -> str:
    """`Bottleneck`, `Bottleneck2`, ..."""
    taken = {*taken, *TAKEN}
    if name not in taken and not keyword.iskeyword(name):
        return name
    count = 2
    while f"{name}{count}" in taken:
        count += 1
    return f"{name}{count}"


def snake(name: str) -> str:
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


def camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", name) if part) or "Part"


# ---- layout ----------------------------------------------------------------------------------------------------------


def split_top(text: str) -> list[str]:
    """The items of a bracket's content, split at its outermost commas."""
    items: list[str] = []
    depth = start = 0
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        if quote:
            if char == "\\":
                position += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and depth == 0:
            items.append(text[start:position].strip())
            start = position + 1
        position += 1
    items.append(text[start:].strip())
    return [item for item in items if item]


def brackets(text: str) -> list[tuple[int, int]]:
    """The outermost bracket pairs that hold something, as positions of their two signs, the last one first."""
    pairs: list[tuple[int, int]] = []
    stack: list[int] = []
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        if quote:
            if char == "\\":
                position += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char in "([{":
            stack.append(position)
        elif char in ")]}":
            start = stack.pop()
            if not stack:
                pairs.append((start, position))
        position += 1
    return [pair for pair in reversed(pairs) if text[pair[0] + 1 : pair[1]].strip()]


def layout(text: str, indent: int, suffix: str = "") -> list[str]:
    """One logical line as physical lines: whole where it fits, else the last bracket one item a line.

    The arguments of a plain call get one line of their own where they fit. Any other broken bracket ends in a comma,
    so that formatters leave it as it is.
    """
    pad = " " * indent
    if indent + len(text) + len(suffix) <= WIDTH:
        return [f"{pad}{text}{suffix}"]
    pairs = brackets(text)
    if not pairs:
        return [f"{pad}{text}{suffix}"]
    parts = _chain(text, [start for start, _ in pairs])
    if parts is not None:
        name, first, last = parts
        return [*layout(f"{name} = {first}", indent), *layout(f"{name} = {name}{last}", indent, suffix)]
    start, end = next((pair for pair in pairs if indent + pair[0] + 1 <= WIDTH), pairs[-1])
    inner = text[start + 1 : end]
    items = split_top(inner)
    if _comprehension(inner):
        turn = _comprehension_parts(inner)
        laid = [layout(part, indent + 4) for part in turn]
        return [f"{pad}{text[: start + 1]}", *chain.from_iterable(laid), f"{pad}{text[end:]}{suffix}"]
    flat = f"{pad}    {', '.join(items)}"
    plain = _CALL.fullmatch(text[:start]) and _END.fullmatch(text[end + 1 :])
    if plain and len(flat) <= WIDTH and not inner.endswith(","):
        return [f"{pad}{text[: start + 1]}", flat, f"{pad}{text[end:]}{suffix}"]
    lines = [f"{pad}{text[: start + 1]}"]
    if len(items) == 1 and not inner.endswith(",") and _GROUPS.search(text[: start + 1]):
        return [*lines, *layout(inner, indent + 4), f"{pad}{text[end:]}{suffix}"]  # a comma would make a tuple of it
    if plain and len(items) == 1 and _BRACKETS.fullmatch(inner):
        return [*lines, *layout(inner, indent + 4), f"{pad}{text[end:]}{suffix}"]
    for item in items:
        lines += layout(item, indent + 4, ",")
    return [*lines, f"{pad}{text[end:]}{suffix}"]


#: An opening parenthesis that groups an operand instead of calling something.
_GROUPS = re.compile(r"(?:^|[^\w\])\x01-\x07])\($")

#: What comes before the arguments of a call, where formatters break the line inside the arguments only.
_CALL = re.compile(r"(return |def |for \w+(, \w+)* in |[\w.]+(, [\w.]+)* = |\w+=)?[\w.\x01-\x07]+(\([\w.]+\)\.[\w.]+)?")

#: What may follow the arguments.
_END = re.compile(r":?|( -> [\w.\[\], ]+)?:")

#: A sole argument that formatters put on lines of its own, without a trailing comma.
_BRACKETS = re.compile(r"[\w.\x01-\x07]*[\[(].*[\])]")


def _chain(text: str, starts: list[int]) -> tuple[str, str, str] | None:
    """`x`, `a.f(..).g(..)`, `.h(..)` of an assignment `x = a.f(..).g(..).h(..)`, which reads better as two."""
    name, equals, value = text.partition(" = ")
    if not equals or not name.isidentifier() or len(starts) < 2 or not value.endswith(")"):
        return None
    dot = value.rfind(").", 0, starts[0] - len(name) - 3) + 1
    last = value[dot:]
    if not re.match(r"\.\w+\(", last) or dot < 1 or re.search(rf"\b{name}\b", last):
        return None
    return name, value[:dot], last


def _comprehension(inner: str) -> bool:
    parts = _comprehension_parts(inner)
    return len(parts) > 1 and len(split_top(parts[0])) == 1


def _comprehension_parts(inner: str) -> list[str]:
    """`f(x)`, `for x in y` of a comprehension's content; one part for anything else."""
    parts: list[str] = []
    depth = start = 0
    for position, char in enumerate(inner):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif depth == 0 and inner.startswith(" for ", position):
            parts.append(inner[start:position].strip())
            start = position + 1
    parts.append(inner[start:].strip())
    return parts
