"""`dlc new`: start from a spec that ships with dlc and the shipped specs that it imports, or from data."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

import click

from . import console
from .failure import complain
from .misused import Misused

SPECS = Path(__file__).resolve().parent.parent / "specs"


def shipped() -> dict[str, Path]:
    """The specs that ship, by name; the standard library (`std/`) is imported, not copied."""
    return {path.stem: path for path in sorted(SPECS.glob("*.dlspec"))}


def summary(path: Path) -> str:
    """The first comment line of a spec, which describes it."""
    lines = path.read_text("utf-8").splitlines()
    return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), "")


def with_imports(path: Path) -> list[Path]:
    """A shipped spec and the shipped ones that it imports; the standard library stays where it is."""
    from ..compiler.check import check

    imported = {Path(name) for name in check(path).sources} - {path}
    return [path, *sorted(other for other in imported if other.parent == path.parent)]


@click.command("new")
@click.argument("name", required=False)
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "data",
    metavar="DATA",
    type=click.Path(path_type=Path),
    help="Write a first spec for a table, a series, a text, or a directory with a folder of images or texts for each class.",
)
@click.option("--target", metavar="COLUMN", help="Column of the table to predict.")
@click.option("--time", metavar="COLUMN", help="Column of times: rows of the table are time series, to be forecast.")
def command(name: str | None, directory: Path, data: Path | None, target: str | None, time: str | None) -> int:
    """Copy a spec that ships with dlc into DIR, or write one for the data of --from.

    DIR defaults to the current directory, NAME to that of the data. Lists the specs that ship if neither is given.
    """
    if data is not None:
        return _draft(data, directory, name, target, time)
    for option, given in (("--target", target), ("--time", time)):
        if given is not None:
            raise Misused(f"`{option}` is a column of a table, but none is given", "name the table: `--from TABLE`")
    specs = shipped()
    if name is None:
        width = max(map(len, specs), default=0)
        for known, path in specs.items():
            console.out(f"{known:{width}}  {summary(path)}")
        return 0
    return _copy(specs, name.removesuffix(".dlspec"), directory)


def _copy(specs: dict[str, Path], name: str, directory: Path) -> int:
    if name not in specs:
        near = get_close_matches(name, specs, 1)
        hint = f"did you mean `{near[0]}`?" if near else "`dlc new` lists them"
        complain(f"there is no shipped spec `{name}`", (hint,), code="E0607")
        return 2
    targets = {source: directory / source.name for source in with_imports(specs[name])}
    for source, target in targets.items():
        if target.exists() and (source.stem == name or target.read_bytes() != source.read_bytes()):
            complain(f"`{target}` already exists", ("name another directory: `dlc new NAME DIR`",), code="E0607")
            return 2
    for source, target in targets.items():
        _write(target, source.read_bytes())
        console.out(f"{target}  {summary(target)}")
    return 0


def _draft(data: Path, directory: Path, name: str | None, target: str | None, time: str | None) -> int:
    """Writes a spec for data, and prints what it was made from and what to do next."""
    file = directory / f"{(name or data.resolve().stem).removesuffix('.dlspec')}.dlspec"
    if file.exists():
        complain(f"`{file}` already exists", ("give the spec another name: `dlc new NAME --from DATA`",), code="E0607")
        return 2
    from ..runtime.drafting.draft import draft

    found = draft(data, _as_the_spec_says(data, directory), target, time)
    _write(file, found.text.encode("utf-8"))
    first, *others = found.found
    console.out(f"{file}  {first}")
    for line in others:
        console.out(f"  note     {line}")
    console.out(f"  next     dlc build {file} --look")
    return 0


def _as_the_spec_says(data: Path, directory: Path) -> str:
    """A path relative to the spec, unless it lies elsewhere on the machine."""
    if data.is_absolute():
        return data.as_posix()
    return Path(os.path.relpath(data, directory)).as_posix()


def _write(path: Path, content: bytes) -> None:
    from ..runtime.writing import write_bytes, writing

    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
