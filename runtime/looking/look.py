"""The page of a spec: what its sources hold, and what its fields give to the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...compiler.ir.data import DataSet
from ..data import facts
from ..data.feed import Data, open_data
from ..data.table import Stream
from ..writing import write_text, writing
from . import columns, fields, html


def write(sections: Sequence[DataSet], root: Path, file: Path, title: str) -> None:
    """Writes the page of some data sections, whose files are relative to `root`. Raises Failed for a mistake in the data."""
    parts = [part for section in sections for part in _section(open_data(section, root))]
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, html.page(title, parts))


def _section(data: Data) -> Iterator[str]:
    cut = " windows" if data.graph.windows() else ""
    counts = ", ".join(f"{split} {len(part):,}{cut}" for split, part in data.parts.items())
    stream = all(isinstance(column, Stream) for column in data.table.columns.values())
    yield html.heading(f"data {data.section.name}: {data.table.name.strip('`')}")
    yield html.paragraph(f"{data.table.count:,} {'values in order' if stream else 'records'}; {counts}")
    yield from columns.shown(data.table)
    yield from fields.shown(data, facts.of(data))
