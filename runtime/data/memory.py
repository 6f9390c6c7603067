"""How much memory this process may still take: the machine's, and that of a container or a limit if it is less."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import resource

UNKNOWN = 4 << 30  # where nothing is known of the machine
CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
STATUS = Path("/proc/self/status")


def free() -> int:
    """Bytes that could be taken."""
    return max(0, min((_machine(), *_groups(), *_limits())))


def _machine() -> int:
    found = _fields(Path("/proc/meminfo")).get("MemAvailable")
    if found is not None:
        return found
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return UNKNOWN


def _fields(path: Path) -> dict[str, int]:
    """Lines like `VmData: 300 kB`, in bytes."""
    try:
        lines = path.read_text("ascii", "replace").splitlines()
    except OSError:
        return {}
    parts = [line.replace(":", " ").split() for line in lines if line.endswith("kB")]
    return {part[0]: int(part[1]) * 1024 for part in parts if len(part) == 3 and part[1].isdigit()}


def _groups() -> Iterator[int]:
    """What the control groups of Linux leave, version 2 or 1: those of this process and the ones that contain it."""
    try:
        lines = OWN_GROUP.read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, names, path = line.split(":", 2)
        if number == "0" and not names:
            yield from _group(CGROUPS, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in names.split(","):
            first, second = "memory.limit_in_bytes", "memory.usage_in_bytes"
            yield from _group(CGROUPS / "memory", path, first, second, "total_inactive_file")


def _group(root: Path, path: str, limit: str, used: str, cache: str) -> Iterator[int]:
    """What each group leaves; pages of files that were read count as used, and can be dropped."""
    own = root / path.strip("/")
    for folder in (own, *own.parents):
        try:
            most, taken = (folder / limit).read_text("ascii").strip(), int((folder / used).read_text("ascii"))
            pages = dict(line.split() for line in (folder / "memory.stat").read_text("ascii").splitlines())
            if most != "max":
                yield int(most) - taken + int(pages.get(cache, 0))
        except (OSError, ValueError):
            pass
        if folder == root:
            return


def _limits() -> Iterator[int]:
    """What `ulimit -d` and `ulimit -v` leave: the latter counts mapped files too."""
    if sys.platform == "win32":
        return
    used = _fields(STATUS)
    for limit, name in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY:
            yield most - used.get(name, 0)
