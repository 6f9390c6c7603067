"""NumPy's files, from anywhere."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from dlc.runtime.data.array_files import NotArrays, read


@pytest.mark.parametrize("content", [b"", b"nothing of NumPy's", b"\x93NUMPY"])
def test_a_member_that_is_no_array(content: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(NotArrays):
        read(tmp_path / "x.npz")
