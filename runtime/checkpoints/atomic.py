"""Directories that are there whole or not at all, whatever instant the machine stops at.

A directory is written under another name, flushed to the disk and renamed. It cannot replace another in one step: two renames are
needed, and `settle` finishes what a crash between them left. One flush costs a few milliseconds on a local disk. (Single files:
`runtime/writing.py`.)
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

LAST_WRITTEN = "loop.json"  # a new directory is complete when it holds this file


def replace(fresh: Path, place: Path) -> None:
    """Puts the complete directory `fresh` at `place`."""
    old = place.with_name(place.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.rename(place, old)
    os.rename(fresh, place)
    flush(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def found(place: Path) -> Path | None:
    """Where the directory `place` is now, for those who only read: a crash may have left it under another name, and for an
    instant it is there while another process replaces it. None where there is none."""
    fresh, old = place.with_name(place.name + ".new"), place.with_name(place.name + ".old")
    for _ in range(20):
        if place.exists():
            return place
        if not (fresh.exists() or old.exists()):
            return None
        time.sleep(0.005)
    if (fresh / LAST_WRITTEN).exists():
        return fresh
    return old if old.exists() else None


def settle(place: Path) -> bool:
    """Finishes what a crash left at `place`; whether there is a checkpoint. Only for the process that writes there."""
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


def flush(folder: Path) -> None:
    """The entries of a directory to the disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows does not open directories
    try:
        os.fsync(handle)
    except OSError:
        pass  # nor do all file systems flush them
    finally:
        os.close(handle)
