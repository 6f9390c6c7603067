"""`dlc predict`: predictions for raw records, from a run or from an ONNX file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click

from ..compiler.messages.printable import one_line
from . import console
from .choice import OneOf
from .failure import warnings_shown
from .misused import Misused

#: Words in the names of columns that hold answers and not numbers of a model.
TOLD = {"class", "probability", "labels"}
FORMATS = ("text", "json", "jsonl", "csv", "parquet")


@click.command("predict")
@click.argument("model", metavar="RUN|MODEL.onnx", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=OneOf(list(FORMATS)),
    help="Output format (default: by the ending of -o, else csv; text without -o).",
)
@click.option(
    "-o", "output", metavar="OUT", type=click.Path(path_type=Path), help="Write the predictions to this file."
)
@click.option("--probabilities", is_flag=True, help="Print the probability of every class.")
@click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="Device to run on (default: auto).")
def command(
    model: Path, inputs: tuple[Path, ...], form: str | None, output: Path | None, probabilities: bool, device: str
) -> int:
    """Predict on new inputs with a run or an ONNX file.

    INPUT is a table (.csv, .parquet, .feather, .jsonl), a pipe with CSV, records in a .tar, arrays (.npz, .npy, .json), an image, a
    directory of images or a text, as the model was trained on; other columns are ignored. An .onnx file does not need torch.
    """
    chosen = "csv" if form == "text" and output is not None else form or by_ending(output)
    if chosen == "parquet" and output is None:
        raise Misused("parquet is not printed", "name a file: `-o OUT.parquet`")
    from ..runtime import api
    from ..runtime.inference import writers

    with warnings_shown():
        found = api.predict_batches(model, inputs, device=device)
        first = next(found)
    notes = first.notes
    raw = model.suffix == ".onnx"  # a file's numbers are shown as the graph gives them too
    rows = (part.rows(probabilities=probabilities, raw=raw) for part in chain((first,), found))
    if output is not None:
        count = writers.write(output, chosen, rows)
        console.out(f"{output}   {count:,} predictions")
    elif chosen == "text":
        _printed(rows)
    else:
        for text in writers.lines(chosen, rows):
            console.out(text)
    for line in notes:
        console.err(f"note: {line}")
    return 0


def by_ending(output: Path | None, other: str = "csv") -> str:
    """The format of a file by its name, `other` where that ends in none of them."""
    if output is None:
        return "text"
    found = {".ndjson": "jsonl", ".pq": "parquet"}.get(output.suffix.lower(), output.suffix.lower()[1:])
    return found if found in FORMATS and found != "text" else other


def _printed(parts: Iterator[Sequence[Mapping[str, Any]]]) -> None:
    """Aligned columns; the widths of what is printed in the first batch hold for all."""
    widths: list[int] = []
    for number, rows in enumerate(parts):
        for line in table(rows, widths)[1 if number else 0 :]:
            console.out(line)


def table(rows: Sequence[Mapping[str, Any]], least: list[int] | None = None) -> list[str]:
    """Aligned columns under their names; where a class is named, its probabilities are left to `--probabilities`. `least` are
    widths of columns, which grow to those of these rows."""
    if not rows:
        return ["no records"]
    answers = [name for name in rows[0] if TOLD & set(name.split())]
    names = [name for name in rows[0] if not answers or name in answers or not isinstance(rows[0][name], list)]
    cells = [names, *([cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    if least is not None:
        widths = [max(pair) for pair in zip(widths, least or widths, strict=True)]
        least[:] = widths
    return ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def cell(value: Any) -> str:
    """A number with four digits, a list with its first few."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        shown = ", ".join(cell(item) for item in value[:6])  # pyright: ignore[reportUnknownVariableType]
        return f"[{shown}{', ...' if len(value) > 6 else ''}]"  # pyright: ignore[reportUnknownArgumentType]
    return one_line(str(value))
