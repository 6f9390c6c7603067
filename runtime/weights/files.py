"""Foreign tensors in files: names, shapes and types at once, values when they are asked for.

Safetensors are read by offset, straight into the parameter that wants them: a file costs its size in memory once, and no
page of it stays mapped. PyTorch files are memory-mapped, and loaded only as tables of tensors; nothing is executed.
"""

from __future__ import annotations

import json
import tarfile
import warnings
import zipfile
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ...backends.safetensors_file import Extent, contents
from .mapping import shared
from .plan import Shape

DTYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "U16": torch.uint16, "I16": torch.int16, "U32": torch.uint32,
    "I32": torch.int32, "U64": torch.uint64, "I64": torch.int64, "F16": torch.float16, "BF16": torch.bfloat16,
    "F32": torch.float32, "F64": torch.float64, "C64": torch.complex64, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
INDEX = ".index.json"
NUMPY = 'save them as safetensors: `safetensors.numpy.save_file(dict(numpy.load("a.npz")), "a.safetensors")`'
#: Under one of these a training checkpoint keeps its weights.
WRAPPED = ("state_dict", "model_state_dict", "model", "module", "net", "weights", "params")


READABLE = "use a safetensors file, or a PyTorch file that contains only tensors"
ALONE = 'where it was made, save its tensors alone: `torch.save(model.state_dict(), "weights.pt")`'
AGAIN = "get the index and its shards again from where they came"
WHOLE = "get the file again from where it came, and compare the sizes: this one has {size:,} bytes"


class Unreadable(Exception):
    """A file that cannot be used as weights; `why` and `help` are what is wrong and what can be done."""

    def __init__(self, path: Path, why: str, help: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why, self.help = path, why, help


def refused(path: Path, error: OSError) -> Unreadable:
    """The system does not open or read it."""
    return Unreadable(path, (error.strerror or str(error)).lower(), "use a file that can be read")


def _whole(path: Path) -> str:
    return WHOLE.format(size=path.stat().st_size)


class ForeignTensors(Protocol):
    """Foreign tensors by name. `tied` gives equal values to names of one memory."""

    @property
    def paths(self) -> Sequence[Path]: ...

    @property
    def shapes(self) -> Mapping[str, Shape]: ...

    @property
    def dtypes(self) -> Mapping[str, torch.dtype]: ...

    @property
    def tied(self) -> Mapping[str, Hashable]: ...

    def tensor(self, name: str) -> Tensor: ...

    def read_into(self, name: str, out: Tensor) -> None:
        """Fills a tensor of the same shape; converts floating-point types."""
        ...

    def order(self, name: str) -> tuple[int, int]:
        """What to sort names by so that a disk is read from front to back."""
        ...


def open_weights(path: Path) -> ForeignTensors:
    """A safetensors or PyTorch file, or the `*.index.json` of a sharded one. Raises Unreadable."""
    paths = shards(path) if path.name.endswith(INDEX) else (path,)
    try:
        if empty := next((found for found in paths if not found.stat().st_size), None):
            raise Unreadable(empty, "it is empty", _whole(empty))
        if all(found.suffix == ".safetensors" for found in paths):
            return SafetensorsTensors(paths)
        return Unpickled(paths)
    except OSError as error:
        raise refused(path, error) from None


def shards(index: Path) -> tuple[Path, ...]:
    """The files that an index names, which are in the same folder."""
    try:
        weight_map = json.loads(index.read_text("utf-8"))["weight_map"]
        names = list(dict.fromkeys(weight_map.values()))
    except OSError as error:
        raise refused(index, error) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable(index, "it is not an index of shards", AGAIN) from None
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise Unreadable(index, "it names shards outside its folder", AGAIN)
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        why = f"{len(missing)} of its {len(names)} shards are missing, for example `{missing[0]}`"
        raise Unreadable(index, why, "put the missing shards next to the index")
    return tuple(index.parent / name for name in names)


class SafetensorsTensors:
    """Tensors of safetensors files."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._places: dict[str, tuple[int, Extent]] = {}
        self.paths = paths
        for index, path in enumerate(paths):
            try:
                table = contents(path)
            except ValueError as error:
                why = str(error).removeprefix(f"{path}: ").replace(f"{path} is", "it is", 1)
                raise Unreadable(path, why, _whole(path)) from None
            for name, place in table.items():
                if name in self._places:
                    raise Unreadable(path, f"`{name}` is in another shard too", AGAIN)
                self._places[name] = (index, place)
        self.shapes = {name: place.shape for name, (_, place) in self._places.items()}
        self.dtypes = {name: DTYPES[place.dtype] for name, (_, place) in self._places.items()}
        self.tied: dict[str, Hashable] = {}

    def order(self, name: str) -> tuple[int, int]:
        index, place = self._places[name]
        return index, place.offset

    def tensor(self, name: str) -> Tensor:
        made = torch.empty(self.shapes[name], dtype=self.dtypes[name])
        self._read(name, made)
        return made

    def read_into(self, name: str, out: Tensor) -> None:
        if out.dtype == self.dtypes[name] and out.device.type == "cpu" and out.is_contiguous():
            self._read(name, out)
        else:
            out.copy_(self.tensor(name))

    def _read(self, name: str, out: Tensor) -> None:
        index, place = self._places[name]
        if not out.numel():
            return
        left = out.detach().reshape(-1).view(torch.uint8).numpy().data
        with self.paths[index].open("rb", buffering=0) as file:
            file.seek(place.offset)
            while left:
                count = file.readinto(left)
                if not count:
                    raise Unreadable(self.paths[index], f"it ends within `{name}`", _whole(self.paths[index]))
                left = left[count:]


class Unpickled:
    """Tensors of PyTorch files."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self._tensors: dict[str, Tensor] = {}
        for path in paths:
            self._tensors.update(_unpickled(path))
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}
        self.dtypes = {name: tensor.dtype for name, tensor in self._tensors.items()}
        self.tied = shared(self._tensors)

    def order(self, name: str) -> tuple[int, int]:
        return 0, self._tensors[name].data_ptr()

    def tensor(self, name: str) -> Tensor:
        return self._tensors[name]

    def read_into(self, name: str, out: Tensor) -> None:
        out.copy_(self._tensors[name])


def _unpickled(path: Path) -> dict[str, Tensor]:
    """The table of tensors in a file of `torch.save`, memory-mapped where its format allows it."""
    try:
        zipped = zipfile.is_zipfile(path)
        if zipped and _numpy(path):
            raise Unreadable(path, "it is an archive of NumPy arrays", NUMPY)
        if not zipped and tarfile.is_tarfile(path):  # PyTorch would unpack it, wherever its names and links lead
            raise Unreadable(path, "it is a tar archive, which PyTorch wrote before version 0.2", READABLE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats; what is wrong is an exception
            found = torch.load(path, weights_only=True, map_location="cpu", mmap=zipped)
    except (OSError, Unreadable):
        raise
    except Exception as error:  # noqa: BLE001 - a hostile or damaged file raises anything
        text = str(error)
        if any(part in text.lower() for part in ("weights only", "unsupported global", "unsupported class")):
            why = "it holds more than tensors, which would have to be executed to be read"
            raise Unreadable(path, why, ALONE) from None
        raise Unreadable(path, _damage(path, text), _whole(path)) from None
    return _table(path, found)


def _numpy(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # noqa: BLE001 - a damaged archive raises anything
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _damage(path: Path, text: str) -> str:
    """What is wrong with a file that PyTorch does not read."""
    with path.open("rb") as file:
        head = file.read(2)
    if head == b"PK" and "finding central directory" in text:
        return "it is cut short: the table of contents at its end is not there"
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    told = first.partition("This is an interna")[0].rstrip()[:160]  # PyTorch asks to report the file to it
    return "it is damaged, or not a file of `torch.save`" + (f" ({told})" if told else "")


def _table(path: Path, found: Any) -> dict[str, Tensor]:
    """The weights among what was saved: the table itself, or the one under a usual name."""
    if isinstance(found, dict) and not _tensors(found):
        inner = [name for name in WRAPPED if isinstance(found.get(name), dict) and _tensors(found[name])]
        if len(inner) > 1:
            listed = ", ".join(f"`{name}`" for name in inner)
            why = f"it contains several dictionaries of tensors: {listed}"
            raise Unreadable(path, why, "save the one to use as a file of its own")
        found = found[inner[0]] if inner else found
    if not isinstance(found, dict) or not _tensors(found):
        raise Unreadable(path, "it is not a table of tensors by name", ALONE)
    for name, tensor in found.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise Unreadable(path, f"`{name}` is not a plain tensor", "save it dense, not quantized, on the CPU")
    return dict(found)


def _tensors(table: Mapping[Any, Any]) -> bool:
    return bool(table) and all(isinstance(n, str) and isinstance(value, Tensor) for n, value in table.items())
