"""The files in which an ONNX model keeps weights outside itself, read without the package `onnx`.

Each such tensor has the entries `location`, `offset` and `length`, as texts: `0a 08 "location" 12 05 "a.bin"` in the bytes of the
file. Looking for them costs one pass over the file, so it is done only to explain why a model was not loaded.
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path

_ENTRY = re.compile(rb"\n(?:\x08(location)|\x06(offset|length))\x12([\x01-\x7f]|[\x80-\xff][\x01-\x1f])")


def needed(path: Path) -> dict[str, int]:
    """By file name, how many bytes of it the tensors of a model reach to."""
    found: dict[str, int] = {}
    with path.open("rb") as file:
        if not path.stat().st_size:
            return {}
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            location, offset = "", 0
            for entry in _ENTRY.finditer(content):
                size = entry[3][0] if len(entry[3]) == 1 else (entry[3][0] & 127) + 128 * entry[3][1]
                value = content[entry.end() : entry.end() + size].decode("utf-8", "replace")
                if entry[1]:
                    location, offset = value, 0
                    found.setdefault(location, 0)
                elif value.isdecimal() and len(value) < 20:
                    offset = int(value) if entry[2] == b"offset" else offset
                    if entry[2] == b"length" and location:
                        found[location] = max(found[location], offset + int(value))
    return found


def complaint(path: Path) -> tuple[str, str] | None:
    """What is wrong with the files that a model needs, and what can be done; None where they are there and long enough."""
    for name, size in needed(path).items():
        file = path.resolve().parent / name
        if not file.is_file():
            return (
                f"`{path}` keeps its weights in `{name}`, which is not in its folder",
                f"copy `{name}` next to the model",
            )
        if (there := file.stat().st_size) < size:
            return (
                f"`{name}`, which holds the weights of `{path}`, is cut short: it has {there:,} bytes, the model needs {size:,}",
                "get the file again from where it came, or export again",
            )
    return None
