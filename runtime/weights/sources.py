"""Where `file`, `hf` and `torchvision` of a spec find their files; nothing is ever downloaded.

- `file("x.safetensors")`: relative to the spec; a PyTorch file, an index of shards or a directory with one of them too.
- `hf("org/name")`: the cache of Hugging Face's tools (`HF_HUB_CACHE`, `HF_HOME`), revision `main`; or, relative to the
  spec, a directory of that name.
- `torchvision("resnet50", "IMAGENET1K_V2")`: the cache of torch.hub (`TORCH_HOME`), by the table of file names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ...compiler.catalogue import WEIGHT_SOURCES
from ...compiler.ir.arguments import EntryUse
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.names import near
from . import mistakes
from .torchvision_files import FILES

#: What a directory may hold its weights as, the best first.
NAMES = (
    "model.safetensors", "model.safetensors.index.json", "diffusion_pytorch_model.safetensors",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")


def locate(entry: EntryUse, root: Path) -> Path:
    """The weights file (or index of shards) that a spec at `root` names. Raises Failed (E0412) when it is not there."""
    return finder(entry.name)(entry, root)


def finder(name: str) -> Callable[[EntryUse, Path], Path]:
    """What finds the file: the function of this file with the name of the entry. KeyError when there is none."""
    return globals()[f"find_{name}"]


def words(entry: EntryUse) -> str:
    """The source in a few words: `resnet50 IMAGENET1K_V2`, the repository, the path as written."""
    return WEIGHT_SOURCES[entry.name].shown(entry.args)


def find_file(entry: EntryUse, root: Path) -> Path:
    path = root / entry.args["path"]
    if path.is_dir():
        return inside(path) or _lacks(entry, path)
    if path.is_file():
        return path
    found = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    close = near(path.name, found, 1)
    raise Failed(mistakes.no_file(entry.span, path, str(path.with_name(close[0])) if close else None))


def inside(folder: Path) -> Path | None:
    """The weights in a directory: one of the usual names, or its only safetensors file."""
    for name in NAMES:
        if (folder / name).is_file():
            return folder / name
    only = sorted(folder.glob("*.safetensors"))
    return only[0] if len(only) == 1 else None


def _lacks(entry: EntryUse, folder: Path) -> NoReturn:
    raise Failed(mistakes.no_weights_inside(entry.span, folder, NAMES))


def find_hf(entry: EntryUse, root: Path) -> Path:
    repository: str = entry.args["repo"]
    local = root / repository
    if local.is_dir():
        return inside(local) or _lacks(entry, local)
    if not REPOSITORY.fullmatch(repository) or ".." in repository:
        raise Failed(mistakes.no_repository(entry.span, repository))
    cache = huggingface_cache()
    home = cache / f"models--{repository.replace('/', '--')}"
    try:
        revision = (home / "refs" / "main").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Failed(mistakes.not_cached(entry.span, repository, cache)) from None
    snapshot = home / "snapshots" / Path(revision).name
    if not snapshot.is_dir():
        raise Failed(mistakes.not_cached(entry.span, repository, cache))
    return inside(snapshot) or _lacks(entry, snapshot)


def huggingface_cache() -> Path:
    """Where Hugging Face's tools keep repositories."""
    if found := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(found).expanduser()
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    return Path(home).expanduser() / "hub"


def torch_cache() -> Path:
    """Where torch.hub keeps checkpoints."""
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def find_torchvision(entry: EntryUse, root: Path) -> Path:
    model, weights = entry.args["model"], entry.args["weights"]
    if model not in FILES:
        raise Failed(mistakes.no_torchvision_model(entry.span, model, near(model, FILES, 1)))
    if weights not in FILES[model]:
        raise Failed(mistakes.no_torchvision_weights(entry.span, model, weights, list(FILES[model])))
    path = torch_cache() / FILES[model][weights]
    if not path.is_file():
        raise Failed(mistakes.not_downloaded(entry.span, model, weights, path))
    return path
