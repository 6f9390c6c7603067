"""Data sets that need no download: what `builtin("digits")` may name, and what is known of each.

They ship inside packages that `dlc` depends on (or that its extra `samples` installs), or are made from what does. A
definition here is read by the checker (`fields`), by `dlc explain digits` and by docs/sources.md, which
`python -m dlc.compiler.recipe` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .ir import Classes, ItemType


@dataclass(frozen=True)
class BuiltinSet:
    """`fields` are what `source.name` may read. `versions` are those whose content has this `sha256`
    (`runtime.data.builtin.content_digest`) and this number of `records`. `group` is a field whose equal values belong
    together: a random split without it would put parts of one picture in several splits."""

    about: str
    fields: Mapping[str, ItemType]
    records: int
    origin: str
    licence: str
    sha256: str
    versions: str
    #: How it is made, where it does not exist outside `dlc`.
    constructed: str = ""
    extra: str = ""
    group: str = ""


def _vector(size: int) -> ItemType:
    return ItemType(kind="tensor", dtype="f32", shape=(size,))


def _image(dtype: str, *shape: int) -> ItemType:
    return ItemType(kind="tensor", dtype=dtype, shape=shape)


def _classes(*names: str, shape: tuple[int, ...] = ()) -> ItemType:
    return ItemType(kind="tensor", dtype="i64", shape=shape, classes=Classes(count=len(names), names=names))


def _stream(dtype: str) -> ItemType:
    return ItemType(kind="stream", dtype=dtype, shape=(None,))


_TEXT = ItemType(kind="text")
_NUMBER = ItemType(kind="tensor", dtype="f32", shape=())
_REGION = ItemType(kind="tensor", dtype="i64", shape=())
_DIGIT = _classes(*map(str, range(10)))
_UCI = "UCI Machine Learning Repository"

BUILTIN: dict[str, BuiltinSet] = {
    "digits": BuiltinSet(
        about="Handwritten digits of 8x8 pixels, ink from 0 to 16.",
        fields={"image": _image("f32", 1, 8, 8), "label": _DIGIT},
        records=1797, origin="", licence="", sha256="", versions="",
    ),
    "iris": BuiltinSet(
        about="Three species of iris by the length and width of sepal and petal.",
        fields={"x": _vector(4), "label": _classes("setosa", "versicolor", "virginica")},
        records=150, origin="", licence="", sha256="", versions="",
    ),
    "wine": BuiltinSet(
        about="Three cultivars of wine by thirteen chemical figures.",
        fields={"x": _vector(13), "label": _classes("class_0", "class_1", "class_2")},
        records=178, origin="", licence="", sha256="", versions="",
    ),
    "breast_cancer": BuiltinSet(
        about="Tumours, malignant or benign, by thirty figures of a fine needle aspirate.",
        fields={"x": _vector(30), "label": _classes("malignant", "benign")},
        records=569, origin="", licence="", sha256="", versions="",
    ),
    "diabetes": BuiltinSet(
        about="Progression of diabetes within a year by ten figures of a patient.",
        fields={"x": _vector(10), "y": _NUMBER},
        records=442, origin="", licence="", sha256="", versions="",
    ),
    "python_docs": BuiltinSet(
        about="The reference of the Python language as one stream of characters.",
        fields={"tokens": _stream("i64")},
        records=0, origin="", licence="", sha256="", versions="",
    ),
    "python_paragraphs": BuiltinSet(
        about="Paragraphs of the reference of the Python language, and the topic each stands in.",
        fields={"text": _TEXT, "topic": _TEXT},
        records=0, origin="", licence="", sha256="", versions="",
    ),
    "signatures": BuiltinSet(
        about="Functions of Python's standard library: the signature, and the first line of the docstring.",
        fields={"first": _TEXT, "second": _TEXT, "module": _TEXT},
        records=0, origin="", licence="", sha256="", versions="",
    ),
    "docstrings": BuiltinSet(
        about="Descriptions of functions and classes, and the package that each comes from.",
        fields={"text": _TEXT, "label": _classes("networkx", "numpy", "scipy", "sklearn", "sympy", "torch")},
        records=3000, origin="", licence="", sha256="", versions="",
    ),
    "spelled_digits": BuiltinSet(
        about="Handwritten digits of 8x8 pixels, ink from 0 to 16, and their English names.",
        fields={"image": _image("f32", 1, 8, 8), "text": _TEXT, "label": _DIGIT},
        records=1797, origin="", licence="", sha256="", versions="",
    ),
    "textures": BuiltinSet(
        about="Patches of photographs of brick, grass and gravel.",
        fields={"image": _image("u8", 1, 64, 64), "label": _classes("brick", "grass", "gravel"), "region": _REGION},
        records=1200, origin="", licence="", sha256="", versions="",
        constructed="16 regions of 128x128 pixels of each photograph, 25 patches of 64x64 a region, one every 16 pixels",
        extra="samples", group="region",
    ),
    "digit_scenes": BuiltinSet(
        about="Handwritten digits on photographs of brick, grass and gravel, and which pixels are digit.",
        fields={
            "image": _image("u8", 1, 64, 64), "mask": _classes("ground", "digit", shape=(64, 64)), "region": _REGION,
        },
        records=1600, origin="", licence="", sha256="", versions="",
        constructed="", extra="samples", group="region",
    ),
    "sunspots": BuiltinSet(
        about="The yearly number of sunspots from 1700 to 2008, as one stream.",
        fields={"value": _stream("f32")},
        records=309, origin="", licence="", sha256="", versions="",
        extra="samples",
    ),
}  # fmt: skip
