"""Every key of every section changes a run or a file, or `dlc check` reports that it does not; so does every word a key takes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import dlc
from dlc.compiler.catalogue.sections import SECTIONS
from dlc.compiler.catalogue.train_sections import NOT_IN_PHASE, PHASE
from dlc.runtime.checkpoints import checkpoint
from dlc.runtime.data import decode
from dlc.runtime.failure import RunFailure

from .effects import EFFECTS, ELSEWHERE, Row, spec

HERE = Path(__file__).resolve().parent
KEYS = [(section.name, key) for section in SECTIONS.values() for key in section]
#: Words in backticks that are names of keys, and no value.
NAMES = {key.name for _, key in KEYS}
#: Keys of a phase that the normal size tries; the others are read by the same code.
IN_PHASE = ("optimizer", "batch", "freeze")


def in_phase(key: str, row: Row) -> Row:
    """The row of a key of `train`, with the key in a phase."""
    return Row(
        row.shows, *(_in_phase(key, lines) for lines in (row.given, row.without)), long=row.long or key not in IN_PHASE
    )


def _in_phase(key: str, changed: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    train = dict(changed.get("train", {}))
    line = train.pop(key if key in train else "more", "")
    length = "" if key == "duration" and line else "duration = 4 steps; "
    return {**changed, "train": {**train, "duration": f"phase only {{ {length}{line} }}"}}


def rows(name: str) -> dict[str, Row]:
    section, key = name.split(".")
    if section == "phase":
        return {word: in_phase(key, row) for word, row in EFFECTS.get(f"train.{key}", {}).items()}
    return EFFECTS.get(name, {})


def every_row() -> Iterator[Any]:
    for section, key in KEYS:
        name = f"{section}.{key.name}"
        for word, row in rows(name).items():
            marks = [pytest.mark.long] if row.long else []
            yield pytest.param(name, word, id=f"{name}={word}" if word else name, marks=marks)


@pytest.mark.parametrize(("section", "key"), KEYS, ids=[f"{section}.{key.name}" for section, key in KEYS])
def test_a_key_and_the_words_that_it_takes_have_a_row(section: str, key: Any) -> None:
    name = f"{section}.{key.name}"
    words = {word for word in re.findall(r'`"?(\w+|\{)[^`]*`', key.takes) if word not in NAMES}
    found = rows(name).keys() | ELSEWHERE.get(name.replace("phase.", "train."), {}).keys()
    assert found, f"nothing shows what `{name}` changes: add a row to tests/runtime/effects.py"
    assert words <= found, f"`{name}` takes {sorted(words - found)}, and nothing shows what these change"


def test_rows_are_of_keys_that_there_are() -> None:
    assert EFFECTS.keys() <= {f"{section}.{key.name}" for section, key in KEYS}
    assert {key.name for key in PHASE} == {key.name for key in SECTIONS["train"]} - set(NOT_IN_PHASE)
    for name, words in ELSEWHERE.items():
        for word, file in words.items():
            assert f"{word}(" in (HERE / file).read_text("utf-8"), f"{name}: {file} does not use {word}"


@pytest.mark.parametrize(("name", "word"), list(every_row()))
def test_it_changes_what_it_is_for(name: str, word: str, world: World) -> None:
    row = rows(name)[word]
    given, without = world.trace(row.given), world.trace(row.without)
    if row.shows not in ("refused", "warned"):
        assert not given.get("refused"), given["refused"]
        assert not without.get("refused"), without["refused"]
    assert given.get(row.shows) != without.get(row.shows), f"`{name}` changes nothing of the {row.shows}"


# ---- what a run leaves -----------------------------------------------------------------------------------------------


class World:
    """Data, and what runs over it leave; each spec is run once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.traces = folder, dict[str, dict[str, Any]]()
        self.write_data()

    def trace(self, changed: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        text = spec(changed)
        if text not in self.traces:
            file = self.folder / f"s{len(self.traces)}.dlspec"
            file.write_text(text, "utf-8")
            self.traces[text] = self.observe(file, "export" in changed, "search" in changed)
        return self.traces[text]

    def observe(self, file: Path, exported: bool, checked: bool) -> dict[str, Any]:
        try:
            loaded = dlc.load(file)
            found: dict[str, Any] = {"warned": sorted({d.code for d in loaded.check()})}
            if checked:
                return found
            return found | (self.exported(loaded) if exported else self.trained(loaded, file.with_suffix("")))
        except (dlc.SpecError, RunFailure) as failure:
            return {"refused": str(failure)}

    def exported(self, loaded: Any) -> dict[str, Any]:
        made = dlc.export(loaded, verify=False)
        content = made.path.read_bytes()
        return {"path": re.sub(r"^s\d+", "", made.path.name), "file": hashlib.sha256(content).hexdigest()}

    def trained(self, loaded: Any, out: Path) -> dict[str, Any]:
        batches: list[int] = []
        workers: set[int | None] = set()
        forward, images = torch.nn.Linear.forward, decode.images

        def counted(self: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
            if torch.is_grad_enabled():
                batches.append(len(x))
            return forward(self, x)

        def decoded(*arguments: Any) -> Any:
            workers.add(arguments[-1])
            return images(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.nn.Linear, "forward", counted)
            patch.setattr(decode, "images", decoded)
            run = dlc.train(loaded, out=out, device="cpu")
        saved = checkpoint.read(out / "last")
        kept = {name: value.numpy().tobytes() for name, value in checkpoint.read(run.kept()).weights.items()}
        if saved.averaged is not None:
            kept |= {f"average {name}": value.numpy().tobytes() for name, value in saved.averaged.items()}
        return {
            "weights": {name: value.numpy().tobytes() for name, value in saved.weights.items()},
            "kept": kept,
            "csv": (out / "metrics.csv").read_text("utf-8"),
            "steps": saved.loop["step"],
            "files": sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()),
            "batches": sorted(set(batches)),
            "calls": len(batches),
            "workers": workers,
        }

    def write_data(self) -> None:
        from PIL import Image

        random = np.random.default_rng(0)
        for name in ("a", "b", "holes"):
            lines = ["a,b,c,d,label,text,n,y"]
            for number in range(48):
                numbers = ",".join(f"{value:.4f}" for value in random.normal(size=4))
                text = " ".join(f"w{i}" for i in random.integers(0, 6, 1 + number % 6))
                y = "" if name == "holes" and number % 4 == 0 else f"{number / 7:.3f}"
                lines.append(f"{numbers},{'abc'[number % 3]},{text},{number % 5},{y}")
            (self.folder / f"{name}.csv").write_text("\n".join(lines) + "\n", "utf-8")
        days = [int(day) for day in random.permutation(24) if day != 9]
        lines = ["name,day,value", *(f"{name},{day},{day % 5 / 5}" for day in days for name in "ab")]
        (self.folder / "series.csv").write_text("\n".join(lines) + "\n", "utf-8")
        for place in ("photos", "others", "more", "one", "two"):
            for label in "abcd" if place == "more" else "abc":
                for number in range(4):
                    file = self.folder / place / label / f"{number}.png"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(random.integers(0, 255, (4, 4, 3), np.uint8)).save(file)
        m = {"fc.weight": (8, 4), "fc.bias": (8,), "head.weight": (3, 8), "head.bias": (3,)}
        start = {name: torch.from_numpy(random.normal(size=shape).astype(np.float32)) for name, shape in m.items()}
        save_file(start, self.folder / "start.safetensors")
        save_file({**start, "extra": torch.zeros(1)}, self.folder / "extra.safetensors")
        save_file({f"net.{name}": value for name, value in start.items()}, self.folder / "prefixed.safetensors")
        disc = {"out.weight": torch.ones(1, 4), "out.bias": torch.ones(1)}
        save_file(disc, self.folder / "disc.safetensors")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("effects")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield World(folder)
