"""The ONNX backend: typed IR and arrays to an ONNX model."""

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
