"""The data sets that need no download: a loader each, by the name that `builtin(..)` takes.

What is known of them is in compiler/catalogue/builtin.py; a loader makes the columns of its fields, the same at every
reading with one version of the package that they ship in.

The loaders are in `tables`, `series`, `image_sets` and `python_text`; `packaged` reads files that other packages ship.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from ..table import Cells, Column, Images, Numbers, Stream
from . import image_sets, python_text, series, tables

Loader = Callable[[], dict[str, Column]]

LOADERS: dict[str, Loader] = {
    "breast_cancer": tables.breast_cancer,
    "diabetes": tables.diabetes,
    "digit_scenes": image_sets.digit_scenes,
    "digits": tables.digits,
    "docstrings": python_text.docstrings,
    "el_nino": series.el_nino,
    "iris": tables.iris,
    "python_docs": python_text.python_docs,
    "python_paragraphs": python_text.python_paragraphs,
    "signatures": python_text.signatures,
    "spelled_digits": tables.spelled_digits,
    "sunspots": series.sunspots,
    "textures": image_sets.textures,
    "wine": tables.wine,
}


def content_digest(columns: Mapping[str, Column]) -> str:
    """SHA-256 (hex) of what the columns hold, in their order: the name, then texts in UTF-8 each with a zero byte
    behind it, or the dtype, the shape and the bytes of an array. It is the figure of docs/sources.md."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        digest.update(name.encode() + b"\0")
        match column:
            case Cells(values):
                digest.update("".join(f"{value}\0" for value in values).encode())
            case Numbers(array, names) | Stream(array, names):
                digest.update("".join(f"{label}\0" for label in names or ()).encode())
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
            case Images():
                raise TypeError("a built-in data set contains no files")
    return digest.hexdigest()
