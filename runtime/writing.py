"""Writing files: whole or not there at all, and a message where the disk refuses.

A file is written under another name, flushed to the disk and renamed. What the disk refuses (no space, a limit, a read-only folder, a
folder that was removed) is a NotWritten that names the file and the space that is left.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .failure import RunFailure

if sys.platform != "win32":
    import resource

#: What only writing meets: no room, or none allowed.
FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))
_REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than this process may write",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "its folder does not exist, or was removed",
    errno.ENAMETOOLONG: "the name is too long",
}
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit: `ulimit -f unlimited`",
}
AGAIN = "run the command again"
RESUME = "continue with `--resume`"


class NotWritten(RunFailure):
    """The disk refuses a file."""

    code = "E0602"


def refused(path: Path | None, error: OSError, then: str = AGAIN) -> NotWritten:
    """The failure for a file that could not be written. `then` is what to do once the cause is gone."""
    number = error.errno or 0
    reason = _REASONS.get(number) or (error.strerror or str(error) or type(error).__name__).lower()
    remedy = _REMEDIES.get(number, "use a folder that can be written")
    return NotWritten(
        reason if path is None else f"{path}: {reason}", notes=_facts(path, number), helps=(f"{remedy}, then {then}",)
    )


@contextmanager
def writing(path: Path, then: str = AGAIN) -> Iterator[None]:
    """Within, an OSError means that `path` could not be written. Raises NotWritten."""
    try:
        yield
    except OSError as error:
        raise refused(path, error, then) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name next to `path` to write to; what is written there takes the place of `path` at the end, or goes if anything fails."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)  # never written through a link that waits there
    try:
        yield fresh
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def drop_empty(folder: Path) -> None:
    """Removes a folder that was made for a file and stayed empty."""
    with suppress(OSError):
        folder.rmdir()


def is_unfinished(path: Path) -> bool:
    """Whether a file is one that `replacing` writes to."""
    return re.fullmatch(r"\..+\.\d+\.new", path.name) is not None


def write_bytes(path: Path, data: bytes) -> None:
    """A file that is there whole or not at all. Raises OSError."""
    with replacing(path) as fresh, fresh.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """The same in UTF-8, with line ends as they are."""
    write_bytes(path, text.encode("utf-8"))


def _facts(path: Path | None, number: int) -> tuple[str, ...]:
    if number == errno.EFBIG:
        return _limit()
    if path is None or number not in (errno.ENOSPC, errno.EDQUOT):
        return ()
    folder = next((parent for parent in (path, *path.absolute().parents) if parent.is_dir()), None)
    if folder is None:
        return ()
    return (f"{shown(shutil.disk_usage(folder).free)} free in `{folder}`",)


def _limit() -> tuple[str, ...]:
    if sys.platform == "win32":
        return ()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return () if limit == resource.RLIM_INFINITY else (f"a file may have {shown(limit)}",)


def shown(size: int) -> str:
    """`29.9 MiB`."""
    for unit, least in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= least:
            return f"{size / least:,.1f} {unit}"
    return f"{size} bytes"


def json_text(value: Any, indent: int | None = 2) -> str:
    """The value as JSON. What JSON has no number for, NaN and infinities, is null."""
    return json.dumps(_plain(value), indent=indent, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        entries: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return {key: _plain(item) for key, item in entries.items()}
    if isinstance(value, (list, tuple)):
        items: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
        return [_plain(item) for item in items]
    return value
