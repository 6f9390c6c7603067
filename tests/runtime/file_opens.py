"""How often files below a folder are opened, by whatever opens them: Python, Arrow or a decoder. Linux counts."""

from __future__ import annotations

import ctypes
import os
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OPENED, CLOSED = 0x20, 0x08 | 0x10  # without the second, opens of one file in a row would be one event
DIRECTORY = 0x40000000


@contextmanager
def counted(folder: Path) -> Iterator[Counter[str]]:
    """The files that are opened meanwhile, by their path in the folder; complete behind the `with`."""
    libc = ctypes.CDLL(None, use_errno=True)
    queue = libc.inotify_init1(os.O_NONBLOCK)
    assert queue >= 0, os.strerror(ctypes.get_errno())
    places: dict[int, Path] = {}
    for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        places[libc.inotify_add_watch(queue, os.fsencode(place), OPENED | CLOSED)] = place
    found: Counter[str] = Counter()
    try:
        yield found
        while True:
            try:
                events = os.read(queue, 1 << 20)
            except BlockingIOError:
                break
            at = 0
            while at < len(events):
                watch, mask, _, length = struct.unpack_from("iIII", events, at)
                name = events[at + 16 : at + 16 + length].rstrip(b"\0").decode()
                if mask & OPENED and not mask & DIRECTORY and name:
                    found[str((places[watch] / name).relative_to(folder))] += 1
                at += 16 + length
    finally:
        os.close(queue)
