"""NumPy's files, `.npy` and `.npz`, from anywhere: plain arrays or a reason. Works without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"

MOST = 1 << 16  # arrays of an archive


class NotArrays(Exception):
    """The file is damaged, or holds more than plain arrays; the text is the reason."""


def read(path: Path) -> Array | dict[str, Array]:
    """The array of a `.npy` file, or arrays by name of a `.npz` archive. Raises NotArrays, and OSError for a file that cannot be
    opened. Nothing is unpickled."""
    with path.open("rb") as file:
        try:
            found: Any = np.load(file, allow_pickle=False)
            if not hasattr(found, "files"):
                return found
            if len(found.files) > MOST:
                raise NotArrays(f"it has {len(found.files):,} arrays, and at most {MOST:,} are read")
            arrays = {name: found[name] for name in found.files}
        except NotArrays:
            raise
        except Exception as error:  # noqa: BLE001 - archives and headers that are damaged raise anything
            raise NotArrays(_reason(error)) from None
    others = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if others:  # NumPy gives the bytes of what has not the header of an array
        raise NotArrays(f"`{others[0]}` is not an array")
    return arrays


def _reason(error: Exception) -> str:
    text = next(iter(str(error).splitlines()), type(error).__name__)
    if "Object arrays" in text:
        return "it contains Python objects"
    if "pickle" in text.lower():  # numpy advises to trust the file; what it cannot read may be a program
        return "it has another format"
    return text
