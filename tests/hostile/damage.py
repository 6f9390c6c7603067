"""A file of every kind that dlc reads, and the file damaged: cut, bits turned, bytes repeated, a part of another file in it."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
import torch
from PIL import Image
from pyarrow import feather, parquet
from safetensors.torch import save

from dlc.compiler.check import check
from dlc.runtime.data.feed import Feed, open_data
from dlc.runtime.inference import input_files
from dlc.runtime.inference.ports import Port
from dlc.runtime.weights.files import open_weights

ROWS = {"x": [1.5, 2.0, 3.25, 4.0], "y": [0, 1, 0, 1], "t": ["a b", "ü", "c", "d"]}
PORTS = (Port("x", np.float32, ("B",)), Port("y", np.int64, ("B",)))


class Kind(NamedTuple):
    """How a file is written, and what reads it."""

    data: bytes
    read: Callable[[Path], object]


def saved(write: Callable[[Any], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def source(text: str, fields: str = "  x: f32 = source.x\n  y: i64 = source.y") -> Callable[[Path], object]:
    """Opens a data section on the file and reads all of it."""

    def read(path: Path) -> object:
        spec = path.with_name("s.dlspec")
        if not spec.exists():
            split = "split = random(train = 0.5, val = 0.5, seed = 0)"
            spec.write_text(
                f"dlspec 1\ndata D {{\n  source = {text.replace('FILE', path.name)}\n  {split}\n{fields}\n}}\n", "utf-8"
            )
        checked = check(spec).spec
        assert checked is not None
        data = open_data(checked.recipe.data[0], path.parent)
        return list(Feed(data, "train", training=False, device=torch.device("cpu")).batches(4))

    return read


def weights(path: Path) -> object:
    found = open_weights(path)
    return [found.tensor(name) for name in found.shapes]


def _png(path: Path) -> object:
    """The file twice, as images of two classes."""
    for name in ("a", "b"):
        (path.parent / "images" / name).mkdir(parents=True, exist_ok=True)
        (path.parent / "images" / name / "1.png").write_bytes(path.read_bytes())
    return source(
        'image_folder("images")', "  x: f32[3, 8, 8] = source.image -> scale(1 / 255)\n  y: i64 = source.label"
    )(path)


def kinds() -> dict[str, Kind]:
    """By name, whose ending is that of the file."""
    arrays = {"x": np.asarray(ROWS["x"], np.float32), "y": np.asarray(ROWS["y"])}
    table = pyarrow.table(ROWS)
    tensors = {"w": torch.arange(12.0).reshape(3, 4), "b": torch.zeros(3, dtype=torch.int64)}
    picture = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    records = [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]
    inputs: Callable[[Path], object] = lambda path: input_files.read(PORTS, [path])
    one: Callable[[Path], object] = lambda path: input_files.read(PORTS[:1], [path])
    idx = b"\0\0\x08\x01" + struct.pack(">I", 4) + bytes((0, 1, 0, 1))
    lines = ["x,y,t", *(f'{r["x"]},{r["y"]},"{r["t"]}"' for r in records)]
    return {
        "source.npz": Kind(saved(lambda f: np.savez_compressed(f, **arrays)), source('npz("FILE")')),
        "source.csv": Kind("\n".join(lines).encode(), source('csv("FILE")')),
        "source.jsonl": Kind("\n".join(map(json.dumps, records)).encode(), source('jsonl("FILE")')),
        "source.parquet": Kind(saved(lambda f: parquet.write_table(table, f)), source('parquet("FILE")')),
        "source.feather": Kind(
            saved(lambda f: feather.write_feather(table, f, "uncompressed")), source('feather("FILE")')
        ),
        "image.png": Kind(saved(lambda f: Image.fromarray(picture).save(f, "png")), _png),
        "image.jpg": Kind(saved(lambda f: Image.fromarray(picture).save(f, "jpeg")), _png),
        "image.tif": Kind(saved(lambda f: Image.fromarray(picture).save(f, "tiff", compression="tiff_lzw")), _png),
        "input.npz": Kind(saved(lambda f: np.savez(f, **arrays)), inputs),
        "input.npy": Kind(saved(lambda f: np.save(f, arrays["x"])), one),
        "input.csv": Kind(b"x,y\n1.5,0\n2,1", inputs),
        "input.json": Kind(json.dumps({"x": [1.5, 2], "y": [0, 1]}).encode(), inputs),
        "weights.safetensors": Kind(save(tensors), weights),
        "weights.pt": Kind(saved(lambda f: torch.save(tensors, f)), weights),
        "legacy.pt": Kind(saved(lambda f: torch.save(tensors, f, _use_new_zipfile_serialization=False)), weights),
        "labels.gz": Kind(gzip.compress(idx, mtime=0), lambda path: _labels(path)),
    }


def _labels(path: Path) -> object:
    from dlc.compiler.messages.source import Span
    from dlc.runtime.data.sources import images

    (path.parent / "t10k-labels-idx1-ubyte.gz").write_bytes(path.read_bytes())
    return images._idx_file(path.parent, "t10k-labels-idx1-ubyte", Span("", 0, 0))


def damaged(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """One of several kinds of damage, sometimes two."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(made) + 1)
        stop = min(len(made), at + chance.choice((1, 2, 8, 64)))
        match chance.randrange(7):
            case 0:
                del made[at:]
            case 1:
                del made[at:stop]
            case 2:
                made[at:stop] = chance.randbytes(stop - at)
            case 3:
                made[at:at] = made[at:stop] * chance.choice((1, 50))
            case 4:
                made[at:stop] = bytes([chance.choice((0, 255))]) * (stop - at)
            case 5:
                other = chance.choice(others)
                made[at:stop] = other[: chance.choice((16, 200))]
            case _:
                for place in chance.sample(range(len(made)), min(3, len(made))):
                    made[place] ^= 1 << chance.randrange(8)
    return bytes(made)


# ---- values of JSON --------------------------------------------------------------------------------------------------------

JUNK: list[Any] = [
    None, True, -1, 0, 2**70, 1.5, 1e308, "", "x", "B", "9" * 5000, "(" * 400, "a^19*b^19", "floor(T)/3", [], [1], [None, []],
    {}, {"a": 1}, "\x1b[2J\u202e",
]  # fmt: skip


def variants(value: Any) -> Iterator[Any]:
    """The value with one part of it replaced by junk, or left out."""
    yield from JUNK
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {k: v for k, v in value.items() if k != key}
            yield from ({**value, key: other} for other in variants(inner))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield value[:index] + value[index + 1 :]
            yield from (value[:index] + [other] + value[index + 1 :] for other in variants(inner))
