"""Built-in data sets are what their definitions and docs/sources.md say."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from dlc.compiler.catalogue.builtin import BUILTIN, BuiltinSet
from dlc.compiler.catalogue.explain import explain
from dlc.compiler.catalogue.page import sources
from dlc.runtime.data.builtin import LOADERS, content_digest
from dlc.runtime.data.sources.builtin import loaded
from dlc.runtime.data.table import Column, Numbers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"


def version(package: str) -> str:
    found = platform.python_version() if package == "python" else metadata.version(package)
    return found.partition("+")[0]  # torch 2.13.0+cpu has the sources of torch 2.13.0


def sizes(columns: Mapping[str, Column]) -> set[int]:
    return {len(column) for column in columns.values()}


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == sources(), "python -m dlc.compiler.catalogue writes it"


def test_every_set_has_a_loader_a_licence_and_a_page() -> None:
    assert set(LOADERS) == set(BUILTIN)
    for name, found in BUILTIN.items():
        assert found.origin and found.licence and len(found.sha256) == 64
        assert found.sha256 in (explain(name) or "")


@pytest.mark.parametrize("name", BUILTIN)
def test_content_is_what_was_measured(name: str) -> None:
    found = BUILTIN[name]
    columns = LOADERS[name]()
    assert set(columns) == set(found.fields)
    installed = {package: version(package) for package in found.versions}
    if installed != found.versions:
        pytest.skip(f"measured with {found.versions}, installed is {installed}")
    assert sizes(columns) == {found.records}
    assert content_digest(columns) == found.sha256


@pytest.mark.parametrize("name", [name for name, found in BUILTIN.items() if found.group])
def test_a_division_by_groups_shares_no_pixels(workspace, name: str) -> None:
    found: BuiltinSet = BUILTIN[name]
    columns = LOADERS[name]()
    data = workspace.open(
        f"""source = builtin("{name}")
        split = random(train = 0.6, val = 0.2, test = 0.2, group = source.{found.group})
        image: u8[1, 64, 64] = source.image"""
    )
    image, group = columns["image"], columns[found.group]
    assert isinstance(image, Numbers) and isinstance(group, Numbers)
    parts = {split: set(group.array[part.records].tolist()) for split, part in data.parts.items()}
    assert all(parts.values()) and sum(map(len, parts.values())) == len(set.union(*parts.values()))
    if name == "digit_scenes":  # its ink differs from scene to scene
        return
    rows = {split: _rows(image.array[part.records, 0]) for split, part in data.parts.items()}
    assert not rows["train"] & rows["val"] and not rows["train"] & rows["test"] and not rows["val"] & rows["test"]


def _rows(images: np.ndarray) -> set[bytes]:
    """Every stretch of 16 pixels at a multiple of 16, which overlapping patches have in common."""
    cut = images.reshape(len(images), 64, 4, 16)
    flat = [row for row in np.unique(cut.reshape(-1, 16), axis=0) if row.std() > 3]  # flat ones repeat by chance
    return {row.tobytes() for row in flat}


def test_texture_classes_are_equal_in_every_region() -> None:
    columns = LOADERS["textures"]()
    label, region = columns["label"], columns["region"]
    assert isinstance(label, Numbers) and isinstance(region, Numbers)
    for number in range(16):
        assert np.bincount(label.array[region.array == number]).tolist() == [25, 25, 25]


def test_a_missing_package_is_named_with_its_extra(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    loaded.cache_clear()
    found = workspace.mistake('source = builtin("textures")\nsplit = all("train")\nimage: u8[1, 64, 64] = source.image')
    assert 'E0412: the data set "textures" needs `skimage`, which is not installed' in found
    assert 'pip install "dlc[samples]"' in found


def test_reading_a_set_does_not_load_its_package() -> None:
    """Loading scikit-learn takes longer than loading torch, before the first step of a training."""
    program = (
        "import sys; from dlc.runtime.data.builtin import LOADERS\n"
        "for name in ('digits', 'iris', 'wine', 'breast_cancer', 'diabetes', 'sunspots', 'textures'): LOADERS[name]()\n"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'sklearn', 'scipy', 'pandas', 'skimage', 'statsmodels'})"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "\n"
