"""Symbolic sizes as source: `B, T, _ = x.shape` at the head of `forward`, then `T`, `H // 2`, `3 * T`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from ...compiler.dataclass import dataclass, field
from ...compiler.sizes.dims import Dim, FloorAtom, Size, floordiv, mod, variables
from .constants import ClassNumber, ModuleClass, Scalar
from .derived_sizes import derived
from .python import NAME, identifier, unique

#: A size in each body.
Values: TypeAlias = "tuple[Size, ...]"
#: A number in each body.
Numbers: TypeAlias = "tuple[Scalar, ...]"


@dataclass
class InputAxis:
    """An axis of an input of the class, its letter, and its size in each body."""

    input: int
    axis: int
    letter: str
    values: Values
    used: bool = False


@dataclass
class Sizes:
    """The sizes that the inputs of a class carry. `letters` are the sizes that its signature names."""

    inputs: list[str]  # their variables
    axes: list[InputAxis]
    ranks: list[int]
    letters: dict[str, Values] = field(default_factory=dict[str, Values])

    @classmethod
    def of(
        cls,
        inputs: Sequence[tuple[str, Sequence[ClassNumber]]],
        letters: Mapping[str, Values],
        signature: Sequence[Sequence[str]] = (),
    ) -> Sizes:
        """`signature` has the letters of the axes as far as the block names them, by input and axis."""
        taken = {name for name, _ in inputs}
        axes: list[InputAxis] = []
        names: dict[str, Values] = {}
        for index, (_, sizes) in enumerate(inputs):
            for axis, number in enumerate(sizes):
                values: Values = tuple(number.values)  # pyright: ignore[reportAssignmentType]
                mine = {a.letter for a in axes if a.input == index}
                same = [letter for letter, v in letters.items() if v == values]
                own = signature[index][axis] if index < len(signature) and len(signature[index]) == len(sizes) else ""
                same = [own] if own in same else same
                letter = next((letter for letter in same if letter not in mine), same[0] if same else "")
                if not letter:
                    known = next((name for name, v in names.items() if v == values), None)
                    plain = values[0]
                    word = str(plain) if isinstance(plain, Dim) and str(plain).isidentifier() else f"size{axis}"
                    letter = known or unique(identifier(word), {*taken, *letters, *names})
                letter = identifier(letter)
                names[letter] = values
                axes.append(InputAxis(index, axis, letter, values))
        return cls([name for name, _ in inputs], axes, [len(sizes) for _, sizes in inputs], dict(letters))

    def reserved(self) -> set[str]:
        """Names that the sizes may take."""
        return {axis.letter for axis in self.axes}

    def code(self, values: Numbers, before: int | None = None) -> str | None:
        """Source of a size in `forward`; marks the axes it reads. `before` is how many equal sizes of a shape come
        before it: of `[B, H, W, C]` with H = W the second is W."""
        found = list(_expressions(values, {a.letter: a.values for a in reversed(self.axes)}))
        if not found:
            return None
        text, letters = found[0]
        if before is not None and len(letters) == 1:
            form = _form(text, letters)
            alike = {n[0]: t for t, n in found if len(n) == 1 and _form(t, n) == form}
            letter = sorted(alike, key=self.place)[min(before, len(alike) - 1)]
            text, letters = alike[letter], [letter]
        for letter in letters:
            self.axes[self.place(letter)].used = True
        return text

    def derived(self, values: Values, write: Callable[[tuple[int, ...]], str]) -> str | None:
        """Source of a size that follows from several axes, or by numbers that differ between the bodies; `write` writes
        such a number."""
        text = derived(values, {a.letter: a.values for a in reversed(self.axes)}, write)
        for letter in NAME.findall(text or ""):
            if letter in self.reserved():
                self.axes[self.place(letter)].used = True
        return text

    def place(self, letter: str) -> int:
        """The first axis with a letter."""
        return next(at for at, axis in enumerate(self.axes) if axis.letter == letter)

    def shape(self, shape: Sequence[Numbers], arguments: Mapping[Numbers, str]) -> str | None:
        """A shape for a comment, `[B, T, 768]`; None when a size has no short text. `arguments` are the class's own."""
        letters = {**self.letters, **{a.letter: a.values for a in self.axes if not a.letter.startswith("size")}}
        words: list[str] = []
        for values in shape:
            same = [letter for letter, have in letters.items() if have == values]
            if all(isinstance(value, int) for value in values) and len(set(values)) == 1:
                words.append(str(values[0]))
            elif same:
                words.append(next((letter for letter in same if letter not in words), same[0]))
            elif values in arguments:
                words.append(arguments[values])
            else:
                found = next((text for text, _ in _expressions(values, letters)), None)
                if found is None:
                    return None
                words.append(found)
        return f"[{', '.join(words)}]"

    def head(self) -> list[str]:
        """The statements that read the sizes in use."""
        lines: list[str] = []
        done: set[str] = set()
        for index, name in enumerate(self.inputs):
            used = {a.axis: a.letter for a in self.axes if a.input == index and a.used and a.letter not in done}
            done |= set(used.values())
            if len(used) == 1:
                ((axis, letter),) = used.items()
                lines.append(f"{letter} = {name}.shape[{axis}]")
            elif used:
                targets = [used.get(axis, "_") for axis in range(self.ranks[index])]
                lines.append(f"{', '.join(targets)} = {name}.shape")
        return lines


def _expressions(numbers: Numbers, letters: Mapping[str, Values]) -> Iterator[tuple[str, list[str]]]:
    """Sizes over those with a letter, the plainest first."""
    values = tuple(number for number in numbers if not isinstance(number, (float, ModuleClass)))
    if len(values) < len(numbers):
        return
    for letter, have in letters.items():
        if have == values:
            yield letter, [letter]
    if isinstance(values[0], Dim) and _constant(values):
        names = {str(h[0]): letter for letter, h in letters.items() if isinstance(h[0], Dim) and _constant(h)}
        if variables(values[0]) <= set(names):
            used: list[str] = []
            yield polynomial(values[0], names, used), used
    for factor in (2, 3, 4, 8, 16):
        for letter, have in letters.items():
            if all(value == h * factor for value, h in zip(values, have, strict=True)):
                yield f"{factor} * {letter}", [letter]
            if all(factor * value == h for value, h in zip(values, have, strict=True)):
                yield f"{letter} // {factor}", [letter]
    for factor in (2, 3, 4, 8, 16):
        for letter, have in letters.items():
            if all(value == floordiv(h, factor) for value, h in zip(values, have, strict=True)):
                yield f"{letter} // {factor}", [letter]
    for letter, have in letters.items():
        step = values[0] - have[0]
        if isinstance(step, int) and step and all(v - h == step for v, h in zip(values, have, strict=True)):
            yield f"{letter} {'+' if step > 0 else '-'} {abs(step)}", [letter]
    for one, left in letters.items():
        for two, right in letters.items():
            if one < two and all(v == a * b for v, a, b in zip(values, left, right, strict=True)):
                yield f"{one} * {two}", [one, two]


def _form(text: str, letters: Sequence[str]) -> str:
    return text.replace(letters[0], "?", 1)


def _constant(values: Values) -> bool:
    return all(value == values[0] for value in values[1:])


def polynomial(size: Size, names: Mapping[str, str], used: list[str]) -> str:
    """A size in normal form as Python; `names` gives the variable of each dimension."""
    if isinstance(size, int):
        return str(size)
    remainder = _remainder(size)
    if remainder is not None:
        inner, divisor = remainder
        text = polynomial(inner, names, used)
        return f"{text if text.isidentifier() else f'({text})'} % {divisor}"
    scale = 1
    for _, coefficient in size.terms:
        scale = scale * Fraction(coefficient).denominator // _gcd(scale, Fraction(coefficient).denominator)
    text = ""
    for monomial, coefficient in size.terms:
        whole = int(coefficient * scale)
        factors: list[str] = []
        for atom, power in monomial:
            if isinstance(atom, FloorAtom):
                inner = polynomial(atom.numerator, names, used)
                alone = len(monomial) == 1 and abs(whole) == 1 and power == 1
                floor = f"{inner if inner.isidentifier() else f'({inner})'} // {atom.divisor}"
                factors += [floor if alone else f"({floor})"] * power
            else:
                used.append(names[atom])
                factors += [names[atom]] * power
        if abs(whole) != 1 or not factors:
            factors.insert(0, str(abs(whole)))
        term = " * ".join(factors)
        if text:
            text += f" {'-' if whole < 0 else '+'} {term}"
        else:
            text = f"-{term}" if whole < 0 else term
    if scale == 1:
        return text
    return f"{text if text.isidentifier() else f'({text})'} // {scale}"


def _remainder(size: Dim) -> tuple[Size, int] | None:
    """(a, n) when the size is a % n."""
    for monomial, coefficient in size.terms:
        for atom, _ in monomial:
            if isinstance(atom, FloorAtom) and coefficient == -atom.divisor and len(monomial) == 1:
                whole = size + floordiv(atom.numerator, atom.divisor) * atom.divisor
                if mod(whole, atom.divisor) == size:
                    return whole, atom.divisor
    return None


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a
