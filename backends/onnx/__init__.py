"""The ONNX backend: typed IR and arrays to an ONNX model.

lower      the whole: a body of the IR and its weights to a graph
graph      the graph under construction: nodes, constants, weights
lowering   what the lowering of an operator sees, and the table of lowerings; ops/ holds them, in files as in the catalogue
tensor     a tensor of the IR on its way: an ONNX value, and how it is to be read (`layout`)
cache      the cached form: keys and values of earlier positions come in, those of all positions go out
quantize   weights of linear layers in 8 or 4 bits
form       what a caller may choose: precision, look-ups, cache
weights    arrays by name, with the dtype that is stored
write      to bytes, to a file, to a file with weights outside of it; `text`: the graph for a reader
"""

from __future__ import annotations

from .form import GraphForm, Lookup
from .graph import MissingWeight
from .lower import lower
from .weights import StoredTensor, stored
from .write import to_bytes, write_linked, write_packed

__all__ = [
    "GraphForm",
    "Lookup",
    "MissingWeight",
    "StoredTensor",
    "lower",
    "stored",
    "to_bytes",
    "write_linked",
    "write_packed",
]
