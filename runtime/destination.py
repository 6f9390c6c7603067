"""Where a command may write when its arguments do not name the file: below the run or the current directory, and never over a file
that dlc did not write. A spec may come from elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..backends.safetensors_file import metadata
from ..compiler.messages import files as errors
from ..compiler.messages.diagnostics import Failed
from ..compiler.messages.source import Span
from .failure import Elsewhere

#: The first fields of an ONNX file: `ir_version` and `producer_name`, which is ours.
_PRODUCER = b"\x12\x03dlc"
MADE_BY = "dlc"


def default(name: str, run: Path | None, span: Span | None) -> Path:
    """The file that a spec names, below the folder `export` of a run or the current directory. `span` is the place in the spec.

    Raises Failed (Elsewhere where the spec has no such place) for a file outside, and for one that is there and dlc did not write.
    """
    path = run / "export" / name if run is not None else Path(name)
    folder = run if run is not None else Path()
    if not _inside(folder, path):
        where = "the current directory" if run is None else f"the run `{run}`"
        _refuse(errors.outside(name, where), span)
    if not ours(path):
        _refuse(errors.not_ours(str(path)), span)
    return path


def refuse_foreign(path: Path, model: Path, source: Path | None) -> None:
    """Raises Elsewhere for a file next to an exported model that would take the place of one that dlc did not write. `source` is
    the weights file that is linked to: it may be that very file."""
    same = source is not None and path.exists() and os.path.samefile(path, source)
    if not (same or ours(path) or (path.suffix == ".data" and model.exists() and ours(model))):
        _refuse(errors.not_ours(str(path)), None)


def ours(path: Path) -> bool:
    """Whether nothing is there, or a file that dlc wrote."""
    try:
        if path.suffix == ".safetensors":
            return metadata(path).get("made_by") == MADE_BY
        with path.open("rb") as file:
            head = file.read(2 + len(_PRODUCER))
        return head[:1] == b"\x08" and head[2:] == _PRODUCER
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return path.is_dir()  # another message names it


def _inside(folder: Path, path: Path) -> bool:
    try:
        place = path.parent.resolve() / path.name
    except (OSError, ValueError, RuntimeError):  # such as links in a circle
        return False
    return "\0" not in str(path) and ".." not in path.parts and place.is_relative_to(folder.resolve())


def _refuse(refusal: errors.RefusedPath, span: Span | None) -> None:
    if span is not None:
        raise Failed(refusal.at(span))
    raise Elsewhere(refusal.message, helps=refusal.helps)
