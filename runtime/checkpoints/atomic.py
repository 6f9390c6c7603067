"""Files and directories that are there whole or not at all, whatever instant the machine stops at.

A file is written under another name, flushed to the disk and renamed. A directory cannot replace another in one step: two
renames are needed, and `settle` finishes what a crash between them left. One flush costs a few milliseconds on a local disk.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LAST_WRITTEN = "loop.json"  # a new directory is complete when it holds this file


def write_text(path: Path, text: str) -> None:
    """A file that is there whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def replace(fresh: Path, place: Path) -> None:
    """Puts the complete directory `fresh` at `place`."""
    old = place.with_name(place.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.rename(place, old)
    os.rename(fresh, place)
    flush(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def settle(place: Path) -> bool:
    """Finishes what a crash left at `place`; whether there is a checkpoint."""
    fresh, old = place.with_name(place.name + ".new"), place.with_name(place.name + ".old")
    if not place.exists():
        if (
            old.exists()
        ):  # the crash came between the two renames, so `fresh` was complete; if it is gone, `old` is whole
            os.rename(fresh if (fresh / LAST_WRITTEN).exists() else old, place)
        elif (fresh / LAST_WRITTEN).exists():  # the first checkpoint of a run: LAST_WRITTEN is in it
            os.rename(fresh, place)
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    return place.exists()


def flush(path: Path) -> None:
    """To the disk, where the system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return  # Windows does not open directories
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
