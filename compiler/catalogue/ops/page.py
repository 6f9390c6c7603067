"""The page of all operators, `docs/operators.md`, from their definitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import cleandoc

from . import explain, find, module_of, names
from .base import Op
from .sample_program import program

_HEAD = """# Operators

Layers own weights and are written with a capital; functions own nothing. `dlc explain Conv` prints one entry. Sizes are
written as in the language; `[B, 4]` without a dtype holds floats. ONNX lists the nodes of the graph that `dlc export`
writes, but for those that only move or convert data. Every example is checked, run and compared with PyTorch by the
tests, in float32 and in half precision, and in ONNX Runtime. This page is written by `python -m dlc.compiler.catalogue.ops`."""

#: Modules of this package as sections, in the order of the page.
_SECTIONS = {
    "linear": "Linear maps", "convolution": "Convolutions", "embedding": "Tables", "normalization": "Normalization",
    "recurrent": "Recurrent layers", "attention": "Attention and positions", "parameter": "Weights of one's own",
    "activation": "Activations", "regularization": "With a mode; control", "structure": "Structure",
    "selection": "Selection", "pooling": "Pooling and resampling", "reduction": "Reductions",
    "arithmetic": "Functions of an element", "making": "Making tensors", "operators": "Signs", "notation": "Notation",
}  # fmt: skip


def reference() -> str:
    """The whole page."""
    found = {section: _operators(section) for section in _SECTIONS}
    parts = [_HEAD, *_contents(found)]
    for section, title in _SECTIONS.items():
        parts.append(f"## {title}")
        for operator in found[section]:
            parts += _entry(operator)
    return "\n\n".join(parts) + "\n"


def _operators(section: str) -> list[type[Op]]:
    known = [find(name) for name in names(syntax=True) if module_of(name) == section]
    return [operator for operator in known if operator is not None]


def _contents(found: dict[str, list[type[Op]]]) -> Iterator[str]:
    assert {module_of(name) for name in names(syntax=True)} == set(_SECTIONS), "a module without a section"
    rows = [
        f"| {_SECTIONS[section]} | {' '.join(f'[`{o.name}`](#{o.name.lower()})' for o in operators)} |"
        for section, operators in found.items()
    ]
    yield "\n".join(["| | |", "|---|---|", *rows])


def _entry(operator: type[Op]) -> Iterator[str]:
    yield f"### {operator.name}"
    yield f"`{explain.signature(operator)}`" if not operator.syntax else f"Written `{operator.syntax}`."
    yield cleandoc(operator.__doc__ or "")
    arguments = explain.arguments(operator)
    if arguments:
        yield _table(
            ("argument", "what", "default"), [(f"`{a}`", b, c.removeprefix("default ")) for a, b, c in arguments]
        )
    tensors = explain.tensors(operator)
    if any(note for _, note in tensors):
        yield _table(("tensor", ""), [(f"`{name}`", note) for name, note in tensors])
    parameters = explain.parameters(operator)[1:]
    if parameters:
        rows = [
            (f"`{name}`", shape, f"`{init}`{f', {kind}' if kind else ''}") for name, shape, init, kind in parameters
        ]
        yield _table(("parameter of the example", "shape", "first value"), rows)
    example = next((text for text in (program(operator, sample) for sample in operator.samples) if text), "")
    if example:
        yield f"```dlspec\n{example}\n```"
    yield "\n".join(f"- {word}: {text}" for word, text in explain.facts(operator))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    kept = [at for at in range(len(head)) if any(row[at] for row in rows)]
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line[at] for at in kept)} |" for line in lines)
