"""The small data sets of scikit-learn, bit for bit what its loaders give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..table import Cells, Column, Numbers
from .packaged import packaged

DIGIT_NAMES = tuple(map(str, range(10)))
SPELLED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digits() -> dict[str, Column]:
    """`image` f32 [1, 8, 8], ink from 0 to 16, and `label`."""
    rows = _numbers("digits.csv.gz")
    images = rows[:, :-1].astype(np.float32).reshape(-1, 1, 8, 8)
    return {"image": Numbers(images), "label": Numbers(rows[:, -1].astype(np.int64), DIGIT_NAMES)}


def spelled_digits() -> dict[str, Column]:
    """`digits` with the English name of each as `text`."""
    found = digits()
    labels = found["label"]
    assert isinstance(labels, Numbers)
    return {"image": found["image"], "text": Cells([SPELLED[i] for i in labels.array.tolist()]), "label": labels}


def iris() -> dict[str, Column]:
    return _classified("iris.csv")


def wine() -> dict[str, Column]:
    return _classified("wine_data.csv")


def breast_cancer() -> dict[str, Column]:
    return _classified("breast_cancer.csv")


def diabetes() -> dict[str, Column]:
    """`x` f32 [10], each column with mean 0 and a sum of squares of 1, and `y`."""
    x = _numbers("diabetes_data_raw.csv.gz", delimiter=" ")
    x -= x.mean(axis=0)
    x /= x.std(axis=0)
    x /= len(x) ** 0.5
    return {"x": Numbers(x.astype(np.float32)), "y": Numbers(_numbers("diabetes_target.csv.gz").astype(np.float32))}


def _classified(name: str) -> dict[str, Column]:
    """A table whose first line holds its numbers of rows and columns and the names of the classes."""
    with packaged("sklearn", f"datasets/data/{name}").open(encoding="utf-8") as file:
        _, _, *names = file.readline().strip().split(",")
    rows = _numbers(name, skiprows=1)
    return {"x": Numbers(rows[:, :-1].astype(np.float32)), "label": Numbers(rows[:, -1].astype(np.int64), tuple(names))}


def _numbers(name: str, *, delimiter: str = ",", skiprows: int = 0) -> NDArray[np.float64]:
    """The rows of a file of scikit-learn's data sets."""
    path = packaged("sklearn", f"datasets/data/{name}")
    return np.loadtxt(path, delimiter=delimiter, skiprows=skiprows, encoding="utf-8")
