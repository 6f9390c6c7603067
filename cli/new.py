"""`dlc new`: start from a spec that ships with dlc, and the shipped specs that it imports."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import click

from . import console
from .failure import complain

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
def command(name: str | None, directory: Path) -> int:
    """Copy a spec that ships with dlc into DIR.

    DIR defaults to the current directory. Lists the specs if no NAME is given.
    """
    specs = shipped()
    if name is None:
        width = max(map(len, specs), default=0)
        for known, path in specs.items():
            console.out(f"{known:{width}}  {summary(path)}")
        return 0
    name = name.removesuffix(".dlspec")
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
    from ..runtime.writing import write_bytes, writing

    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for source, target in targets.items():
        with writing(target):
            write_bytes(target, source.read_bytes())
        console.out(f"{target}  {summary(target)}")
    return 0
