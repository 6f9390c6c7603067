"""The form of a model that an ONNX file holds."""

from __future__ import annotations

from collections.abc import Mapping

from ...compiler.dataclass import dataclass, field


@dataclass(frozen=True)
class Lookup:
    """An input of strings, one a record: `names` are the strings by number. `lower`: in lower case, of ASCII letters, before that.
    `unknown`: one more number is that of all other strings but `missing`, which have none."""

    names: tuple[str, ...]
    lower: bool = False
    unknown: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GraphForm:
    """What a lowering is asked for beyond the model.

    `fix` gives sizes to dimensions by name. `precision` is what f32 becomes inside the graph; inputs and outputs keep the spec's
    types. `quantize` (`int8`, `int4`) is what the weights of linear layers become (`quantize.py`). `cached` is the form with
    keys and values of earlier positions, used for generation (`cache.py`). `metadata` go into the file.
    `lookups` are inputs of whole numbers that the file takes as strings.
    """

    fix: Mapping[str, int] = field(default_factory=dict[str, int])
    precision: str = "f32"
    quantize: str | None = None
    cached: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    lookups: Mapping[str, Lookup] = field(default_factory=dict[str, Lookup])


#: Whole sequences in f32.
PLAIN = GraphForm()
