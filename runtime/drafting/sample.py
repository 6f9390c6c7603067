"""What a draft looks at of a large file: records from its beginning and from all over it, as a small file of the same form.

Works without torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from ...compiler.catalogue import SOURCES
from ...compiler.dataclass import dataclass
from ..data.sources.pieces import piece_of, record_of

LARGE = 32 << 20  # bytes of a file above which not all of it is read
PLACES = 12  # all over the file
PIECE = 1 << 19  # bytes that are read at each
ROWS = 10_000  # of a columnar file at each
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class SampledFile:
    """A file with some records of another one, or that file: `share` is 1."""

    path: Path
    share: float

    def note(self, records: int) -> str:
        """What was looked at; `records` are those of the sample."""
        if self.share == 1:
            return ""
        return f"{records:,} records were looked at, of about {round(records / self.share):,}: counts are of these"


@contextmanager
def sampled(path: Path, source: str, *, spread: bool = True) -> Iterator[SampledFile]:
    """The file where it is small, else some of its records. Without `spread` these are the first ones: rows of a series follow each
    other."""
    size, cut = path.stat().st_size, SOURCES[source].pieces
    if size <= LARGE or cut not in ("lines", "quoted lines", "rows"):
        yield SampledFile(path, 1)
        return
    with TemporaryDirectory() as folder:
        small = Path(folder) / path.name
        if cut == "rows":
            share = _rows(path, source, small, spread)
        else:
            share = _lines(path, small, size, spread, quoted=cut == "quoted lines")
        yield SampledFile(small, share) if share else SampledFile(path, 1)


def _lines(path: Path, small: Path, size: int, spread: bool, *, quoted: bool) -> float:
    """Writes whole lines; the share of the file that they are, 0 for one that cannot be cut by bytes."""
    with path.open("rb") as stream:
        if stream.read(2) in UTF_16:
            return 0
        stream.seek(0)
        head = piece_of(stream, b'"' if quoted else b"", PIECE)
        if quoted and any(
            line.count(b'"') % 2 for line in head.splitlines()
        ):  # cells with line breaks: a line may begin inside
            spread = False
        parts = [head, *(_all_over(stream, size) if spread else [piece_of(stream, b'"', PIECE * (PLACES - 1))])]
    small.write_bytes(b"".join(parts))
    return sum(map(len, parts)) / size


def _all_over(stream: BinaryIO, size: int) -> Iterator[bytes]:
    for place in range(1, PLACES):
        stream.seek((size - PIECE) * place // (PLACES - 1))
        record_of(stream, b"")
        yield piece_of(stream, b"", PIECE)


def _rows(path: Path, source: str, small: Path, spread: bool) -> float:
    """Writes rows of a columnar file; the share of its rows. A damaged one is left to its reader: 0."""
    import pyarrow
    from pyarrow import feather, parquet

    try:
        if source == "parquet":
            with parquet.ParquetFile(path, memory_map=True) as opened:
                groups = range(opened.num_row_groups)
                chosen = [groups[(len(groups) - 1) * i // (PLACES - 1)] for i in range(PLACES)] if spread else groups
                found: list[Any] = []
                for group in dict.fromkeys(chosen):
                    found.append(pyarrow.Table.from_batches([next(opened.iter_batches(ROWS, row_groups=[group]))]))
                    if len(found) == PLACES:
                        break
                count = opened.metadata.num_rows
            table = pyarrow.concat_tables(found)
            parquet.write_table(table, small)
        else:
            whole = feather.read_table(path, memory_map=True)
            count = whole.num_rows
            starts = [(count - ROWS) * i // (PLACES - 1) for i in range(PLACES)] if spread else [0]
            table = pyarrow.concat_tables([whole.slice(start, ROWS) for start in dict.fromkeys(starts)])
            feather.write_feather(table, str(small))
    except (OSError, ValueError, StopIteration):
        return 0
    return table.num_rows / count if table.num_rows < count else 1
