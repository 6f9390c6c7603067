"""Data sets that need no download: what `builtin("digits")` may name, and what is known of each.

They ship inside packages that `dlc` depends on (or that its extra `samples` installs), or are made from what does. A
definition here is read by the checker (`fields`), by `dlc explain digits` and by docs/sources.md, which
`python -m dlc.compiler.catalogue` writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..dataclass import dataclass
from ..ir.data import ClassNames, ItemType


@dataclass(frozen=True)
class BuiltinSet:
    """`fields` are what `source.name` may read. `versions` are those of the packages whose content has this `sha256`
    (`runtime.data.builtin.content_digest`) and this number of `records` (of a stream: values). `group` is a field whose
    equal values belong together: a random split without it would put parts of one image in several splits."""

    about: str
    fields: Mapping[str, ItemType]
    records: int
    origin: str
    licence: str
    sha256: str
    versions: Mapping[str, str]
    #: How it is made, where it does not exist outside `dlc`.
    constructed: str = ""
    extra: str = ""
    group: str = ""


def _vector(size: int) -> ItemType:
    return ItemType(kind="tensor", dtype="f32", shape=(size,))


def _image(dtype: str, *shape: int) -> ItemType:
    return ItemType(kind="tensor", dtype=dtype, shape=shape)


def _classes(*names: str, shape: tuple[int, ...] = ()) -> ItemType:
    return ItemType(kind="tensor", dtype="i64", shape=shape, classes=ClassNames(count=len(names), names=names))


def _stream(dtype: str) -> ItemType:
    return ItemType(kind="stream", dtype=dtype, shape=(None,))


_TEXT = ItemType(kind="text")
_NUMBER = ItemType(kind="tensor", dtype="f32", shape=())
_REGION = ItemType(kind="tensor", dtype="i64", shape=())
_DIGIT = _classes(*map(str, range(10)))
_PYTHON = {"python": "3.11.7"}
_SKLEARN = {"scikit-learn": "1.9.1"}
_STATSMODELS = {"statsmodels": "0.15.0"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SKIMAGE = {"scikit-image": "0.26.0"}
_PACKAGES = {
    "networkx": "3.6.1", "numpy": "2.4.6", "scipy": "1.17.1", "scikit-learn": "1.9.1", "sympy": "1.14.0", "torch": "2.13.0",
}  # fmt: skip

BUILTIN: dict[str, BuiltinSet] = {
    "digits": BuiltinSet(
        about="Handwritten digits of 8x8 pixels, ink from 0 to 16.",
        fields={"image": _image("f32", 1, 8, 8), "label": _DIGIT},
        records=1797,
        origin=(
            "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning "
            "Repository; its test part, as it ships in scikit-learn"
        ),
        licence="CC BY 4.0",
        versions=_SKLEARN,
        sha256="1d39e1235d0a5cd74bd1a2d1677cf291144b546fea49a9c231432c40cf1b8148",
    ),
    "iris": BuiltinSet(
        about="Three species of iris by the length and width of sepal and petal.",
        fields={"x": _vector(4), "label": _classes("setosa", "versicolor", "virginica")},
        records=150,
        origin="Iris, R. A. Fisher, 1936, UCI Machine Learning Repository; as it ships in scikit-learn",
        licence="CC BY 4.0",
        versions=_SKLEARN,
        sha256="949577ee6799cc89b96ddee57175c53a88a23d25d097a0b99e17ce0eec635753",
    ),
    "wine": BuiltinSet(
        about="Three cultivars of wine by thirteen chemical figures.",
        fields={"x": _vector(13), "label": _classes("class_0", "class_1", "class_2")},
        records=178,
        origin="Wine, S. Aeberhard and M. Forina, 1992, UCI Machine Learning Repository; as it ships in scikit-learn",
        licence="CC BY 4.0",
        versions=_SKLEARN,
        sha256="195be8723c7ade4d20020dfad3200da03d6b1dba3448c479689bab81e73c68ce",
    ),
    "breast_cancer": BuiltinSet(
        about="Tumours, malignant or benign, by thirty figures of a fine needle aspirate.",
        fields={"x": _vector(30), "label": _classes("malignant", "benign")},
        records=569,
        origin=(
            "Breast Cancer Wisconsin (Diagnostic), W. Wolberg, O. Mangasarian, N. Street and W. Street, 1995, UCI "
            "Machine Learning Repository; as it ships in scikit-learn"
        ),
        licence="CC BY 4.0",
        versions=_SKLEARN,
        sha256="3719417716e8b6a2e45d7bdc61792092b1bececc34b32cd69997456aa987fef7",
    ),
    "diabetes": BuiltinSet(
        about="Progression of diabetes within a year by ten figures of a patient.",
        fields={"x": _vector(10), "y": _NUMBER},
        records=442,
        origin=(
            "Least Angle Regression, B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, 2004; as it ships in "
            "scikit-learn"
        ),
        licence="none is stated for the data; scikit-learn is under BSD-3-Clause",
        versions=_SKLEARN,
        sha256="4f5133fea78c137e37ee9c15d768fdabb287f578e5ae700c9d5dec41453cfa7c",
    ),
    "python_docs": BuiltinSet(
        about="The reference of the Python language as one stream of characters.",
        fields={"tokens": _stream("i64")},
        records=465048,
        origin="`pydoc_data.topics` of the standard library: the texts that `help()` prints",
        licence="PSF-2.0",
        versions=_PYTHON,
        sha256="a2aad7be39755a290cb8d2510b18ff9bfb47063376bfc87b968f1cb7a73b4818",
    ),
    "python_paragraphs": BuiltinSet(
        about="Paragraphs of the reference of the Python language, and the topic of each.",
        fields={"text": _TEXT, "topic": _TEXT},
        records=1625,
        origin="`pydoc_data.topics` of the standard library",
        licence="PSF-2.0",
        versions=_PYTHON,
        sha256="fe2494f9bea8f0c6036be89ffd6e67141a01b7d07057475f6948121fce65fc53",
        constructed=("cut at empty lines, line ends made spaces; without repetitions and those below 40 characters"),
    ),
    "signatures": BuiltinSet(
        about="Functions of Python's standard library: the signature, and the first line of the docstring.",
        fields={"first": _TEXT, "second": _TEXT, "module": _TEXT},
        records=2946,
        origin="sources of the standard library, parsed and not imported",
        licence="PSF-2.0",
        versions=_PYTHON,
        sha256="2290b08651127479cde7a54c2b4a4cfdb44554fccb92a095488abaf83cce91e1",
        constructed=("functions and methods that have a docstring, of a fixed list of modules; each signature once"),
    ),
    "docstrings": BuiltinSet(
        about="Descriptions of functions and classes, and the package that each comes from.",
        fields={"text": _TEXT, "label": _classes("networkx", "numpy", "scipy", "sklearn", "sympy", "torch")},
        records=3000,
        origin="sources of the installed packages, parsed and not imported",
        licence="BSD-3-Clause, as each of the packages",
        versions=_PACKAGES,
        sha256="6b027c37ba50cff72452ad9aa3002e4050e7ac07d653490b2fb6731ce236a0d4",
        constructed=(
            "the part of a docstring before its first section or example, of at least 80 characters, without "
            "repetitions; 500 from each package, its files in the order of hashes of their names"
        ),
    ),
    "spelled_digits": BuiltinSet(
        about="Handwritten digits of 8x8 pixels, ink from 0 to 16, and their English names.",
        fields={"image": _image("f32", 1, 8, 8), "text": _TEXT, "label": _DIGIT},
        records=1797,
        origin="`digits`",
        licence="CC BY 4.0",
        versions=_SKLEARN,
        sha256="065f756cd6a5906146fda902c2576d6e0169408f0480153a2d663d9080db8db6",
        constructed=("the label as an English word"),
    ),
    "textures": BuiltinSet(
        about="Patches of photographs of brick, grass and gravel.",
        fields={"image": _image("u8", 1, 64, 64), "label": _classes("brick", "grass", "gravel"), "region": _REGION},
        records=1200,
        origin=(
            "photographs `brick`, `grass` and `gravel` of 512x512 pixels that ship in scikit-image, from CC0Textures and (grass) DeviantArt"
        ),
        licence="CC0",
        versions=_SKIMAGE,
        sha256="c3b5ae103f5c328184879cd53a4617af875a45c714ef05bfc7fb04baa1013f72",
        constructed=(
            "a grid of 16 regions of 128x128 pixels over each photograph, in each region 25 patches of 64x64, one "
            "every 16 pixels: patches of a region share pixels, those of two regions do not; a region is one "
            "place in all three photographs"
        ),
        extra="samples",
        group="region",
    ),
    "digit_scenes": BuiltinSet(
        about="Handwritten digits on photographs of brick, grass and gravel, and which pixels are digit.",
        fields={
            "image": _image("u8", 1, 64, 64),
            "mask": _classes("ground", "digit", shape=(64, 64)),
            "region": _REGION,
        },
        records=1600,
        origin="`digits`, and the photographs of `textures`",
        licence="CC BY 4.0 (digits), CC0 (photographs)",
        versions=_SKLEARN | _SKIMAGE,
        sha256="ac903cc670d3d43e50af67f3d8c3c019ab07a11789131c40b02b6efebafd4905",
        constructed=(
            "a place in a photograph, on it one to three digits, enlarged to 20 to 32 pixels, lighter or darker "
            "than the ground by half to nine tenths of the way to white or black; 100 scenes for each of the 16 "
            "regions of `textures`, every digit in one region only"
        ),
        extra="samples",
        group="region",
    ),
    "el_nino": BuiltinSet(
        about="The temperature of the sea west of Peru, in degrees Celsius, of each month from 1950 to 2010.",
        fields={"date": _TEXT, "month": _classes(*_MONTHS), "temperature": _NUMBER},
        records=732,
        origin="NOAA, ERSST.V3B, region Nino 1+2; as it ships in statsmodels",
        licence="public domain",
        sha256="46f72e46d2d4bfc824361ccf7362a34efe3972430c4c8767d3727649975c3c3e",
        versions=_STATSMODELS,
        constructed="the table of years by months, a month a record; `date` is `1950-01`",
        extra="samples",
    ),
    "sunspots": BuiltinSet(
        about="The yearly number of sunspots from 1700 to 2008, as one stream.",
        fields={"value": _stream("f32")},
        records=309,
        origin="National Geophysical Data Center of the USA; as it ships in statsmodels",
        licence="public domain",
        versions={"statsmodels": "0.15.0"},
        sha256="c2af1edbab276c181a9c4491d38961b005101c6f6db21b83fb93ddfad8480b0e",
        extra="samples",
    ),
}


def page(name: str) -> str:
    """What is known of a built-in data set, as plain text: what `dlc explain digits` prints."""
    found = BUILTIN[name]
    rows = [f"  {key:<{max(map(len, found.fields))}}  {described(item)}" for key, item in found.fields.items()]
    also = [f"  {word:<11}  {text}" for word, text in facts(found)]
    head = f'builtin("{name}")    `source` of data'
    parts = [head, f"  {found.about}", "fields\n" + "\n".join(rows), "also\n" + "\n".join(also)]
    return "\n\n".join(parts) + "\n"


def described(item: ItemType) -> str:
    """The type of a field in words: `f32[1, 8, 8]`, `i64, classes zero one`."""
    if item.kind == "text":
        return "text"
    if item.kind == "stream":
        return f"{item.dtype} stream, cut by `window` or `random_window`"
    shape = f"[{', '.join('_' if size is None else str(size) for size in item.shape)}]" if item.shape else ""
    names = item.classes.names if item.classes is not None else None
    return f"{item.dtype}{shape}" + (f", classes {' '.join(names)}" if names else "")


def facts(found: BuiltinSet) -> Iterator[tuple[str, str]]:
    stream = all(item.kind == "stream" for item in found.fields.values())
    yield ("values" if stream else "records"), f"{found.records:,}"
    yield "origin", found.origin
    yield "licence", found.licence
    if found.constructed:
        yield "constructed", found.constructed
    if found.group:
        yield "split", f"random(.., group = source.{found.group}): records of one {found.group} overlap"
    if found.extra:
        yield "needs", f'pip install "dlc[{found.extra}]"'
    versions = ", ".join(f"{package} {version}" for package, version in found.versions.items())
    yield "sha256", f"{found.sha256} ({versions})"
