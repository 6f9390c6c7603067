"""Graph to file: packed (one self-contained file) or linked (weights stay in a safetensors file next to it).

Everything is written next to the destination and renamed: nothing is left behind by a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
import onnx_ir as ir

from ..safetensors_file import LINKED_FILE, LINKED_HASH, fingerprint
from .weights import StoredTensor

#: Tensors below this size are serialised with the graph.
_SMALL = 1024
#: A protobuf message must stay below 2 GiB.
LIMIT = (1 << 31) - (1 << 20)
#: Offsets in an external data file: pages, so that a reader can map each tensor.
_ALIGN = 4096


def to_bytes(model: ir.Model) -> bytes:
    """The whole model as one protobuf message (below 2 GiB)."""
    return b"".join(bytes(part) for part in _packed_parts(model))


def write_packed(model: ir.Model, destination: Path) -> list[Path]:
    """Writes one self-contained file; above 2 GiB the weights go into `<name>.data` next to it. Returns the files."""
    total = sum(_size(value.const_value) for value in model.graph.initializers.values())
    if total > LIMIT:
        return _write_external(model, destination)
    with _beside(destination) as temporary:
        with temporary.open("wb", buffering=0) as stream:
            _write_all(stream, _packed_parts(model))
        os.replace(temporary, destination)
    return [destination]


def write_linked(model: ir.Model, destination: Path, weights: Path, name: str | None = None) -> list[Path]:
    """Writes the graph alone; its weights stay in `weights`, hard-linked (else copied) into the destination's folder.

    Only initializers that point into `weights` are linked, others (a changed layout) are embedded. `name` is that of the
    weights file there, by default the destination's with another ending. ONNX Runtime reads hard-linked files; the `onnx`
    package refuses them (`onnx.load` with the weights).
    """
    folder = destination.resolve().parent
    link = folder / (name or f"{destination.stem}.safetensors")
    if name is None and weights.resolve().parent == folder:
        link = weights.resolve()
    with _beside(destination) as temporary, _beside(link) as copy:
        if not (link.exists() and os.path.samefile(link, weights)):
            try:
                os.link(weights.resolve(), copy)
            except OSError:
                shutil.copyfile(weights, copy)
        model.metadata_props[LINKED_FILE] = link.name
        model.metadata_props[LINKED_HASH] = fingerprint(weights)
        with temporary.open("wb", buffering=0) as stream:
            _write_all(stream, _packed_parts(model, link.name))
        if copy.exists():
            os.replace(copy, link)
        os.replace(temporary, destination)
    return [destination, link]


def skeleton(model: ir.Model) -> onnx.ModelProto:
    """The model with its large tensors as inputs, for `onnx.checker`: it would read the weights, and refuses linked ones
    (files with several hard links)."""
    large = [value for value in model.graph.initializers.values() if value.const_value and _streamed(value.const_value)]
    with _without(model.graph, [value.name or "" for value in large]):
        proto = ir.serde.serialize_model(model)
    known = {value.name for value in proto.graph.input}
    proto.graph.input.extend(ir.serde.serialize_value(value) for value in large if value.name not in known)
    return proto


def external(value: StoredTensor, name: str) -> ir.ExternalTensor:
    """An initializer's value that lies in a safetensors file."""
    return ir.ExternalTensor(
        value.file.name,
        value.offset,
        value.length,
        value.dtype,
        shape=ir.Shape(value.shape),
        name=name,
        base_dir=str(value.file.parent),
    )


@contextmanager
def _beside(destination: Path) -> Generator[Path]:
    """A path in the destination's folder that is removed at the end, whatever happens."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = destination.parent / f".{destination.name}.{os.getpid()}.part"
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _size(tensor: ir.TensorProtocol | None) -> int:
    return 0 if tensor is None else tensor.nbytes


def _write_all(stream: BinaryIO, parts: Iterator[bytes | memoryview]) -> None:
    """Writes the parts; small ones are collected, since every unbuffered write is a system call."""
    pending = bytearray()
    for part in parts:
        if len(part) < 1 << 16:
            pending += part
            continue
        _write(stream, pending)
        pending = bytearray()
        _write(stream, part)
    _write(stream, pending)


def _write(stream: BinaryIO, data: bytes | bytearray | memoryview) -> None:
    view = memoryview(data)
    while len(view):
        view = view[stream.write(view) :]


@contextmanager
def _without(graph: ir.Graph, names: Sequence[str]) -> Generator[None]:
    """The graph without these initializers' entries, for the time of a serialisation."""
    kept = dict(graph.initializers)
    for name in names:
        del graph.initializers[name]
    try:
        yield
    finally:
        graph.initializers.clear()
        graph.initializers.update(kept)


def _packed_parts(model: ir.Model, linked: str | None = None) -> Iterator[bytes | memoryview]:
    """The model's bytes in order: the graph, then every large initializer as a further `graph` field.

    Protobuf merges repeated occurrences of a message field, so readers see one graph, and no copy of the weights is
    made on our side. Values that lie in the file `linked` are written as a reference to it.
    """
    graph = model.graph
    tensors = [(value.name or "", value.const_value) for value in graph.initializers.values()]
    large = [(name, tensor) for name, tensor in tensors if tensor is not None and _streamed(tensor)]
    with _without(graph, [name for name, _ in large]):
        yield ir.serde.serialize_model(model).SerializeToString()
    for name, tensor in large:
        if linked is not None and isinstance(tensor, ir.ExternalTensor):
            yield _graph_field(_tensor_head(name, tensor) + _external_fields(linked, tensor), 0)
            continue
        head = _tensor_head(name, tensor) + b"\x4a" + _varint(tensor.nbytes)  # 9: raw_data
        yield _graph_field(head, tensor.nbytes)
        yield _bytes(tensor)


def _streamed(tensor: ir.TensorProtocol) -> bool:
    return isinstance(tensor, ir.ExternalTensor) or tensor.nbytes >= _SMALL


def _write_external(model: ir.Model, destination: Path) -> list[Path]:
    data = destination.with_name(destination.name + ".data")
    graph = model.graph
    with _beside(destination) as temporary, _beside(data) as temporary_data:
        position = 0
        swapped: list[tuple[ir.Value, ir.TensorProtocol]] = []
        try:
            with temporary_data.open("wb", buffering=0) as stream:
                for value in graph.initializers.values():
                    tensor = value.const_value
                    if tensor is None or not _streamed(tensor):
                        continue
                    padding = -position % _ALIGN
                    _write(stream, bytes(padding))
                    position += padding
                    _write(stream, _bytes(tensor))
                    swapped.append((value, tensor))
                    value.const_value = ir.ExternalTensor(
                        data.name,
                        position,
                        tensor.nbytes,
                        tensor.dtype,
                        shape=tensor.shape,  # pyright: ignore[reportArgumentType]
                        name=value.name or "",
                        base_dir=str(data.parent),
                    )
                    position += tensor.nbytes
            temporary.write_bytes(ir.serde.serialize_model(model).SerializeToString())
        finally:
            for value, tensor in swapped:
                value.const_value = tensor
        os.replace(temporary_data, data)
        os.replace(temporary, destination)
    return [destination, data]


def _bytes(tensor: ir.TensorProtocol) -> memoryview:
    array: np.ndarray[Any, Any] = tensor.numpy()
    if not array.flags.c_contiguous:
        array = array.copy(order="C")  # ascontiguousarray would turn a scalar into a vector
    return array.reshape(-1).view(np.uint8).data


# ---- protobuf, by hand: TensorProto inside GraphProto inside ModelProto --------------------------------------------


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(tag: int, text: str) -> bytes:
    data = text.encode()
    return bytes((tag,)) + _varint(len(data)) + data


def _tensor_head(name: str, tensor: ir.TensorProtocol) -> bytes:
    dims = b"".join(_varint(int(size)) for size in tensor.shape.numpy())
    packed = b"\x0a" + _varint(len(dims)) + dims if dims else b""  # 1: dims
    return packed + b"\x10" + _varint(int(tensor.dtype)) + _text(0x42, name)  # 2: data_type, 8: name


def _external_fields(location: str, tensor: ir.ExternalTensor) -> bytes:
    entries = {"location": location, "offset": str(tensor.offset or 0), "length": str(tensor.length or tensor.nbytes)}
    pairs = (_text(0x0A, key) + _text(0x12, value) for key, value in entries.items())
    return b"".join(b"\x6a" + _varint(len(pair)) + pair for pair in pairs) + b"\x70\x01"  # 13: entries, 14: EXTERNAL


def _graph_field(tensor: bytes, following: int) -> bytes:
    """Opens graph (7) and initializer (5) around a tensor of which `following` bytes are still to come."""
    initializer = b"\x2a" + _varint(len(tensor) + following) + tensor
    return b"\x3a" + _varint(len(initializer) + following) + initializer
