"""Files that other packages ship, read without importing the package: scikit-learn takes longer to load than torch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def packaged(package: str, name: str = "") -> Path:
    """The path of an installed package, or of a file in it. Raises ModuleNotFoundError where there is no such package."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named '{package}'", name=package)
    return Path(spec.submodule_search_locations[0], name)
