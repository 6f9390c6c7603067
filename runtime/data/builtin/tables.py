"""The small data sets of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..table import Cells, Column, Numbers

DIGIT_NAMES = tuple(map(str, range(10)))
SPELLED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digits() -> dict[str, Column]:
    """`image` f32 [1, 8, 8], ink from 0 to 16, and `label`."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    labels = Numbers(bunch.target.astype(np.int64), DIGIT_NAMES)
    return {"image": Numbers(bunch.images.astype(np.float32)[:, None]), "label": labels}


def spelled_digits() -> dict[str, Column]:
    """`digits` with the English name of each as `text`."""
    found = digits()
    labels = found["label"]
    assert isinstance(labels, Numbers)
    return {"image": found["image"], "text": Cells([SPELLED[i] for i in labels.array.tolist()]), "label": labels}


def iris() -> dict[str, Column]:
    from sklearn.datasets import load_iris

    return _classified(load_iris())


def wine() -> dict[str, Column]:
    from sklearn.datasets import load_wine

    return _classified(load_wine())


def breast_cancer() -> dict[str, Column]:
    from sklearn.datasets import load_breast_cancer

    return _classified(load_breast_cancer())


def _classified(bunch: Any) -> dict[str, Column]:
    labels = Numbers(bunch.target.astype(np.int64), tuple(map(str, bunch.target_names)))
    return {"x": Numbers(bunch.data.astype(np.float32)), "label": labels}


def diabetes() -> dict[str, Column]:
    from sklearn.datasets import load_diabetes

    bunch: Any = load_diabetes()
    return {"x": Numbers(bunch.data.astype(np.float32)), "y": Numbers(bunch.target.astype(np.float32))}
