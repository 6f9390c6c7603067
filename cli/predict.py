"""`dlc predict`: predictions for raw records, from a run or from an ONNX file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..compiler.messages.printable import one_line
from . import console
from .choice import Choice
from .failure import warnings_shown


@click.command("predict")
@click.argument("model", metavar="RUN|MODEL.onnx", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=Choice(["text", "json", "csv"]),
    default="text",
    help="Output format (default: text).",
)
@click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="Device to run on (default: auto).")
def command(model: Path, inputs: tuple[Path, ...], form: str, device: str) -> int:
    """Predict on new inputs with a run or an ONNX file.

    INPUT is a .npz, .npy or .csv file, a pipe with CSV, an image or a text. An .onnx file does not need torch.
    """
    if model.suffix == ".onnx":
        rows, notes = exported(model, inputs, device)
    else:
        from ..runtime import api

        with warnings_shown():
            prediction = api.predict(model, inputs, device=device)
        rows, notes = prediction.rows(), prediction.notes
    if form == "json":
        from ..runtime.writing import json_text

        console.out(json_text(rows))
    elif form == "csv":
        import csv

        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        console.out(text.getvalue().rstrip("\n"))
    else:
        for line in table(rows):
            console.out(line)
    for line in notes:
        console.err(f"note: {line}")
    return 0


def exported(model: Path, inputs: Sequence[Path], device: str) -> tuple[list[dict[str, Any]], list[str]]:
    """A row a record from an ONNX file, and what to say of outputs that the file cannot explain."""
    from ..runtime.inference import answers, input_files
    from ..runtime.inference.session import Session

    session = Session(model, "cpu" if device == "cpu" else "cuda" if device.startswith("cuda") else "auto")
    names, arrays = input_files.read(session.inputs, inputs, session.columns)
    outputs = answers.in_units(session.predict(arrays), session.answers)
    return answers.rows(names, outputs, session.answers, raw=True), answers.notes(session.answers, list(outputs))


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Aligned columns under their names; where a class is named, its probabilities are left to `--format json`."""
    if not rows:
        return ["no records"]
    told = any(name.split()[-1] in ("class", "probability") for name in rows[0])
    names = [name for name in rows[0] if not told or not isinstance(rows[0][name], list)]
    cells = [names, *([cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    return ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def cell(value: Any) -> str:
    """A number with four digits, a list with its first few."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        shown = ", ".join(cell(item) for item in value[:6])  # pyright: ignore[reportUnknownVariableType]
        return f"[{shown}{', ...' if len(value) > 6 else ''}]"  # pyright: ignore[reportUnknownArgumentType]
    return one_line(str(value))
