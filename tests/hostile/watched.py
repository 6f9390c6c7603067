"""A process that does what dlc does with files from elsewhere, and reports every event that none of them may cause.

`python watched.py FOLDER SEED COUNT`: prints what happened as JSON. `sys.addaudithook` cannot be taken back, so this is a
process of its own. Everything is used once before the hook, with files that are as they should be: the libraries load by then.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import random
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import Any

import attacks
import damage
import numpy as np
import onnx

import dlc
from dlc.cli import main
from dlc.compiler.ir.record import Record, adapter

#: Where files may be read: the work folder, the interpreter and its packages (loaded late), and what the system lists.
READABLE = tuple(
    os.path.realpath(path) + os.sep
    for path in (
        Path(dlc.__file__).parent,
        sys.prefix,
        sys.base_prefix,
        "/proc",
        "/sys/devices/system",
        "/sys/fs/cgroup",
    )
)
GENERATED = "<_dlc_generated_"
FORBIDDEN = ("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "pty.", "socket.", "urllib.", "ftplib.",
    "http.", "smtplib.", "webbrowser.", "code.__new__", "pickle.find_class", "shutil.unpack_archive")  # fmt: skip
CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.chown", "os.truncate",
    "shutil.copyfile", "shutil.move", "shutil.rmtree", "tempfile.mkstemp", "tempfile.mkdtemp"}  # fmt: skip


class Watch:
    """The hook. `events` are those that were not allowed, with the case that caused them."""

    def __init__(self, folder: Path) -> None:
        self.inside = os.path.realpath(folder) + os.sep
        self.case, self.events = "", list[str]()
        self.on = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event.startswith(FORBIDDEN) or not self.allowed(event, arguments):
            self.events.append(f"{self.case}: {event} {str(arguments)[:200]}")

    def allowed(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "exec":
            code = arguments[0]
            return (isinstance(code, CodeType) and self.known_code(code.co_filename)) or self.importing()
        if event == "compile":  # of a syntax tree alone (`ast.literal_eval` in NumPy's headers) the file is `<unknown>`
            file = os.fsdecode(arguments[1] or "")
            return self.known_code(file) or file == "<unknown>" or self.importing()
        if event == "open":
            return self.may_open(*arguments)
        if event in CHANGES:
            return all(self.is_inside(path) for path in arguments if isinstance(path, (str, bytes, os.PathLike)))
        return True

    def importing(self) -> bool:
        """Whether an installed module is imported: its `NamedTuple`s and annotations are compiled from strings."""
        frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]
        while frame is not None:
            before = frame.f_back
            if frame.f_code.co_name == "<module>" and os.path.realpath(frame.f_code.co_filename).startswith(READABLE):
                return before is not None and before.f_code.co_filename.startswith("<frozen importlib")
            frame = before
        return False

    def known_code(self, filename: str) -> bool:
        return filename.startswith((GENERATED, "<frozen")) or os.path.realpath(filename).startswith(READABLE)

    def may_open(self, path: Any, mode: Any, flags: int) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return True  # a descriptor, which was opened before
        writes = (
            bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) if isinstance(flags, int) else "r" not in str(mode)
        )
        name = os.fsdecode(path)
        return (
            self.is_inside(name) or name == os.devnull or (not writes and os.path.realpath(name).startswith(READABLE))
        )

    def is_inside(self, path: Any) -> bool:
        return (os.path.realpath(os.fsdecode(path)) + os.sep).startswith(self.inside)


def command(arguments: list[str]) -> tuple[int, str]:
    """The exit code, and all that it printed."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = main(arguments)
    return code, text.getvalue()


def model(folder: Path) -> onnx.ModelProto:
    (folder / "m.dlspec").write_text(attacks.HEAD + attacks.MODEL, "utf-8")
    assert command(["export", "m.dlspec", "--no-verify"])[0] == 0
    return onnx.load(folder / "m.onnx")


Case = tuple[str, dict[str, bytes], list[str]]


def opened(name: str, data: bytes) -> Case | None:
    """The command that reads a file of `damage.kinds`; None for one that only the Python API reads."""
    prefix, _, suffix = name.partition(".")
    if prefix == "source":
        section = attacks.DATA.replace('csv("d.csv")', f'{suffix}("{name}")')
        return name, {"s.dlspec": attacks.spec(attacks.MODEL, section), name: data}, attacks.BUILD
    if prefix == "image":
        files = {"s.dlspec": attacks.spec(attacks.MODEL, attacks.IMAGES), "p/a/1.png": data, "p/b/1.png": data}
        return name, files, attacks.BUILD
    if prefix in ("weights", "legacy"):
        return name, {"s.dlspec": attacks.spec(), name: data}, [*attacks.IMPORT, name]
    if prefix == "input":
        return name, {name: data}, ["predict", "m.onnx", name, "--device", "cpu"]
    return None


def predicted(name: str, model: bytes) -> Case:
    x = damage.saved(lambda file: np.save(file, np.zeros((2, 4), np.float32)))
    return name, {"h.onnx": model, "x.npy": x}, ["predict", "h.onnx", "x.npy", "--device", "cpu"]


def cases(made: onnx.ModelProto, chance: random.Random) -> Iterator[Case]:
    """Files damaged at random, without end."""
    kinds = damage.kinds()
    others = [*(kind.data for kind in kinds.values()), attacks.CODE.encode(), b"\x1b[2J\xe2\x80\xae"]
    while True:
        name = chance.choice([*kinds, "spec", "spec", "metadata", "graph"])
        if name == "spec":
            attack = chance.choice(list(attacks.refused().values()))
            data = damage.damaged(attack.files["s.dlspec"], others, chance)
            yield name, {"s.dlspec": data}, chance.choice([["check", "s.dlspec"], attacks.BUILD])
        elif name == "graph":
            yield predicted(name, damage.damaged(made.SerializeToString(), others, chance))
        elif name == "metadata":
            changed = onnx.ModelProto()
            changed.CopyFrom(made)
            entry = chance.choice(changed.metadata_props)
            entry.value = damage.damaged(entry.value.encode(), others, chance).decode("utf-8", "replace")
            yield predicted(name, changed.SerializeToString())
        elif (case := opened(name, damage.damaged(kinds[name].data, others, chance))) is not None:
            yield case


def load_all() -> None:
    """Imports every module of the product, and makes what reads its records from JSON: few commands need all of them."""
    root = Path(dlc.__file__).parent
    for room in ("compiler", "backends", "runtime", "cli"):
        for file in sorted((root / room).rglob("*.py")):
            if file.stem != "__main__":
                parts = file.relative_to(root).with_suffix("").parts
                importlib.import_module(".".join(("dlc", *(part for part in parts if part != "__init__"))))
    kinds = [Record]
    for kind in kinds:
        kinds += kind.__subclasses__()
        adapter(kind)


def run(folder: Path, seed: int, count: int) -> dict[str, Any]:
    os.chdir(folder)
    load_all()
    watch = Watch(folder)
    made = model(folder)
    attacked = [(name, attack.files, attack.arguments) for name, attack in attacks.refused().items()]
    whole = [case for name, kind in damage.kinds().items() if (case := opened(name, kind.data)) is not None]
    for _, files, arguments in (*whole, predicted("whole", made.SerializeToString()), *attacked):
        attacks.place(files, folder)
        command(arguments)  # loads what is loaded late
    wrong: list[str] = []
    codes: dict[str, list[str]] = {}
    sys.addaudithook(watch)
    for number, (name, files, arguments) in enumerate((*attacked, *islice(cases(made, random.Random(seed)), count))):
        attacks.place(files, folder)
        watch.case, watch.on = f"{name} ({number})", True
        code, text = command(arguments)
        watch.on = False
        printable = all(character.isprintable() or character in "\n\t" for character in text)
        if code not in (0, 1, 2) or "internal error" in text or not printable:
            wrong.append(f"{name} ({number}): exit {code}: {text[:400]!a}")
        if number < len(attacked):
            codes[name] = re.findall(r"error\[(E\d+)\]", text) if code == 2 else []
        if any((place / attacks.CANARY).exists() for place in (folder, folder.parent)):
            wrong.append(f"{name} ({number}): the canary is there")
    return {"events": watch.events, "wrong": wrong, "codes": codes}


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
