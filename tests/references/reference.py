"""What a row of the comparison with public implementations says, and where the rows are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from torch import Tensor, nn

#: Modules of this folder with a list `REFERENCES`, in the order of the page.
ROWS = ("torchvision_models", "timm_models", "transformers_models", "torch_models", "clip_models")

#: Libraries that the environment of the tests does not hold: their rows are measured by a process of their own.
APART = ("torchvision", "timm")


@dataclass(frozen=True)
class Reference:
    """One model of a spec that ships, beside a public implementation of the same model.

    Names and shapes of all tensors are compared after the spec's own weight map, then outputs with the same random
    weights: those of `make`, where every constant tensor (biases, statistics of a batch norm, scales) got noise, so that
    no mistake hides behind a zero. `make` and `inputs` need no seed: the caller seeds.
    """

    spec: str  #: `"resnet50"`, `"llama3@tiny"`: a spec that ships, and its variant
    library: str  #: `"torchvision"`, `"timm"`, `"transformers"`, `"torch"`
    name: str  #: what people know it by: `"torchvision.models.resnet50"`
    make: Callable[[], nn.Module]  #: the reference with random weights in eval mode; imports its library inside
    inputs: Callable[[], dict[str, Tensor]]  #: inputs of our model by name
    answers: Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]  #: the reference's outputs, by our names
    overrides: tuple[str, ...] = ()  #: settings, as on the command line: `"Llama.depth=2"`
    model: str | None = None  #: the model of the spec, where there are several
    weights: str | None = None  #: the spec's weight map by which foreign names become ours; None: names are equal
    parameters: int | None = None  #: published count of trainable parameters of the spec without overrides
    gradients: bool = False  #: compare gradients too
    full: bool = False  #: large: only in `make test-full`; such a row has a small sister

    @property
    def id(self) -> str:
        """`resnet50`, `gpt2[depth=2]`: tells rows apart."""
        settings = ",".join(re.sub(r"^.*\.(?=\w+=)", "", setting) for setting in self.overrides)
        return self.spec + (f":{self.model}" if self.model else "") + (f"[{settings}]" if settings else "")


def rows() -> tuple[Reference, ...]:
    """All rows. No library of theirs is imported."""
    found = tuple(row for name in ROWS for row in import_module(f".{name}", __package__).REFERENCES)
    ids = [row.id for row in found]
    assert len(set(ids)) == len(ids), f"rows of one name: {sorted({i for i in ids if ids.count(i) > 1})}"
    return found
