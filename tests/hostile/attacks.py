"""Attacks that were published on other tools' configuration and model files, written for what dlc reads.

Each is a file, and what opens it. `CANARY` is what an attack that works would make; `SECRET` what it would read.
"""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

CANARY, SECRET = "canary", "secret.txt"
CODE = f"__import__('os').system('touch {CANARY}')"

HEAD = "dlspec 1\n"
MODEL = "model M(x: [B, 4]) -> (y: [B, 3]) { y = x -> fc: Linear(3) }\n"
FED = "model M(x: [B]) -> (y: [B, 3]) { y = stack(x, x, axis = -1) -> fc: Linear(3) }\n"
DATA = 'data D {\n  source = csv("d.csv")\n  split = random(train = 0.5, val = 0.5, seed = 0)\n  x: f32 = source.x\n}\n'
IMAGES = DATA.replace('csv("d.csv")', 'image_folder("p")').replace(
    "x: f32 = source.x", "x: f32[3, 8, 8] = source.image -> scale(1 / 255)"
)
TRAIN = """train {
  model = M
  data = D
  loss = mean(y)
  optimizer = Adam(1e-3)
  batch = 1
  duration = 1 epochs
}
"""


class Runs:
    """What unpickles to a call of `os.system`."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {CANARY}",)


def _saved(write: Callable[[Any], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _zip(entries: dict[str, bytes]) -> bytes:
    def write(buffer: Any) -> None:
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in entries.items():
                archive.writestr(name, data)

    return _saved(write)


def _tar(links: dict[str, str], files: dict[str, bytes]) -> bytes:
    """The oldest format of `torch.save`, a tar that is unpacked: with links and with names that lead out."""

    def write(buffer: Any) -> None:
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, target in links.items():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                archive.addfile(entry)
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))

    return _saved(write)


def spec(model: str = MODEL, more: str = "") -> bytes:
    return (HEAD + model + more).encode()


def _npy(array: Any) -> bytes:
    return _saved(lambda file: np.save(file, array, allow_pickle=True))


class Attack(NamedTuple):
    """Files, the command line that opens them, and the code of its message."""

    files: dict[str, bytes]
    arguments: list[str]
    code: str = "E0412"


BUILD = ["build", "s.dlspec", "-o", "out"]
IMPORT = ["import-weights", "s.dlspec"]


def refused() -> dict[str, Attack]:
    """Attacks by name; each ends in a message."""
    plain = spec()
    pairs = [
        ("E0401", "_target_ in a section", "train { _target_ = \"os.system\"; _args_ = [\"touch canary\"] }\n"),
        ("E0301", "_component_ as a value", f'data D {{\n  source = _component_("subprocess.Popen", "touch {CANARY}")\n}}\n'),
        ("E0101", "eval in YAML", f'!!python/object/apply:os.system ["touch {CANARY}"]\n'),
        ("E0101", "code as a static", f"model N(x: [B, 4], n = {CODE}) -> (y: [B, 3]) {{ y = x -> fc: Linear(3) }}\n"),
        ("E0301", "code in an expression", f"model N(x: [B, 4]) -> (y: [B, 3]) {{ y = x -> fc: Linear(eval(\"{CODE}\")) }}\n"),
        ("E0301", "an attribute of a value", "model N(x: [B, 4]) -> (y: [B, 3]) { y = x.__class__.__base__ -> fc: Linear(3) }\n"),
        ("E0101", "a template", "model N(x: [B, 4]) -> (y: [B, 3]) { y = x -> fc: Linear({{ config.__class__ }}) }\n"),
        ("E0304", "code from a hub", 'data D {\n  source = hub("imdb", trust_remote_code = true)\n  x: f32 = source.x\n}\n'),
        ("E0315", "an import from outside", f'from "../{SECRET}" import Secret\n'),
        ("E0315", "an absolute import", 'from "/etc/hostname" import Secret\n'),
        ("E0101", "code as a number", f"{TRAIN}{DATA}".replace("1e-3", CODE)),
    ]  # fmt: skip
    found: dict[str, Attack] = {
        name: Attack({"s.dlspec": spec(MODEL, text), "d.csv": b"x\n1\n2\n"}, BUILD, code) for code, name, text in pairs
    }
    for name, path in (
        ("the environment", "${oc.env:HOME}/d.csv"),
        ("a format string", "{0.__class__}.csv"),
        ("a shell", "$(id).csv"),
    ):
        text = TRAIN + DATA.replace("d.csv", path)  # a name like any other, of a file that is not there
        found[name] = Attack(
            {"s.dlspec": spec(FED, text), "d.csv": b"x\n1\n2\n"}, ["train", "s.dlspec", "--out", "run"]
        )
    objects = np.array([Runs()], object)
    sources = {
        "pickled npz": ("npz", "d.npz", _zip({"x.npy": _npy(objects)})),
        "pickled npy named npz": ("npz", "d.npz", _npy(objects)),
        "a pickle named npz": ("npz", "d.npz", pickle.dumps(Runs())),
        "a header with code": (
            "npz",
            "d.npz",
            _zip({"x.npy": b"\x93NUMPY\x01\x00\x76\x00" + f"{CODE}".ljust(118).encode()}),
        ),
        "a pickle named parquet": ("parquet", "d.parquet", pickle.dumps(Runs())),
        "a pickle named feather": ("feather", "d.feather", pickle.dumps(Runs())),
    }
    for name, (kind, file, data) in sources.items():
        section = DATA.replace('csv("d.csv")', f'{kind}("{file}")')
        found[name] = Attack({"s.dlspec": spec(MODEL, section), file: data}, BUILD)
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(%pipe%touch canary) (w) file\n"
    found["PostScript named png"] = Attack(
        {"s.dlspec": spec(MODEL, IMAGES), "p/a/1.png": postscript, "p/b/1.png": postscript}, BUILD
    )  # fmt: skip
    weights = {
        "pickled weights": ("w.pt", pickle.dumps({"fc.weight": Runs()})),
        "pickled weights, zipped": ("w.pt", _saved(lambda file: torch.save({"fc.weight": torch.zeros(3, 4), "x": Runs()}, file))),
        "a pickle named safetensors": ("w.safetensors", pickle.dumps(Runs())),
        "zip slip": ("w.pt", _zip({f"../../{CANARY}": b"x", "archive/data.pkl": pickle.dumps(Runs()), "archive/version": b"3"})),
        "tar links": ("w.pt", _tar({"sys_info": "/etc", "storages": f"../{CANARY}"}, {"pickle": pickle.dumps(Runs()), "tensors": b""})),
        "tar slip": ("w.pt", _tar({}, {f"../{CANARY}": b"x", f"/tmp/{CANARY}": b"x", "pickle": b"", "tensors": b"", "storages": b""})),
        "shards outside": ("w.safetensors.index.json", json.dumps({"weight_map": {"fc.weight": f"../{SECRET}"}}).encode()),
    }  # fmt: skip
    for name, (file, data) in weights.items():
        found[name] = Attack({"s.dlspec": plain, file: data}, [*IMPORT, file])
    return found


def place(files: dict[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
