"""Locks between processes: a file that one process at a time holds, and that its end frees, whatever ends it.

The lock is the system's (`flock`), not the existence of the file: nothing is left to clean up after a kill.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = ".lock"  # of the lock of a folder


class LockHeld(Exception):
    """Another process holds the lock; `words` name it, by its number where the system lists it."""

    def __init__(self, process: int | None) -> None:
        self.words = "another process" if process is None else f"process {process}"
        super().__init__(f"held by {self.words}")


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Holds the lock file `path`, whose folder exists. Raises LockHeld, and OSError where no file can be made."""
    handle = _take(path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # while it is held: who waits with the old file finds that it is no longer the one there
        os.close(handle)


def _take(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            if not _lock(handle):
                raise LockHeld(_owner(handle))
            if _is_at(path, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its holder removed it between the two calls


def _owner(handle: int) -> int | None:
    """The process that holds the lock, as Linux lists it: `1: FLOCK  ADVISORY  WRITE 9990 00:2e:104 0 EOF`."""
    with suppress(OSError, ValueError, IndexError):
        inode = str(os.fstat(handle).st_ino)
        for line in Path("/proc/locks").read_text("ascii").splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                return int(fields[4])
    return None


def _is_at(path: Path, handle: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.stat(path), os.fstat(handle))
    return False


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> bool:
        """Whether this process has the lock now."""
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import errno
    import fcntl

    #: What a file system without locks answers: then nothing is locked, as before.
    _WITHOUT = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

    def _lock(handle: int) -> bool:
        """Whether this process has the lock now."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _WITHOUT:
                raise
        return True
