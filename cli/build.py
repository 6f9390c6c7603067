"""`dlc build`: check a spec against its data, write the PyTorch source, print the plan; or print one stage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import console, plan, spec, table
from .choice import OneOf

if TYPE_CHECKING:
    from ..compiler.check import Checked
    from ..compiler.ir.data import DataFacts

#: What follows from the checked spec; the rest is the output of the compiler's own stages.
FROM_IR = ("ir", "summary", "pytorch", "onnx")


def _emits() -> list[str]:
    from ..compiler.check import STAGES

    return ["ast", *(stage.__name__ for stage in STAGES), *FROM_IR]


@click.command("build")
@click.argument("file", metavar="FILE[@variant]")
@click.argument("overrides", metavar="[key=value...]", nargs=-1)
@click.option("-o", "directory", metavar="DIR", type=click.Path(path_type=Path), help="Output directory.")
@click.option("--emit", type=OneOf(_emits), help="Print one stage; write nothing unless -o is given.")
@click.option("--format", "form", type=OneOf(["text", "json"]), default="text", help="Output format (default: text).")
@click.option("--resolved", is_flag=True, help="Print the spec as one file, with imports and settings resolved.")
@click.option(
    "--look", is_flag=True, help="Read every record of the data, and write a page of what goes into the model."
)
@click.option(
    "--data-root",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Directory of the data files, if they have moved.",
)
def command(
    file: str,
    overrides: tuple[str, ...],
    directory: Path | None,
    emit: str | None,
    form: str,
    resolved: bool,
    look: bool,
    data_root: Path | None,
) -> int:
    """Write model.py and the IR of FILE and print its plan.

    FILE is checked against its data first.
    """
    if emit == "ast":
        return _emit(_ast(file), "ast.json", directory)
    if emit is not None and emit not in FROM_IR:
        return _emit(*_stage(emit, file, overrides), directory)
    checked = spec.check(file, overrides)
    assert checked.spec is not None
    if resolved:
        return _emit(_resolved(checked), f"{checked.spec.name}.dlspec", directory)
    if emit == "summary":
        return _emit(_summary(checked, form), f"summary.{'json' if form == 'json' else 'txt'}", directory)
    if emit == "ir":
        return _emit(checked.spec.written(indent=2) + "\n", "ir.json", directory)
    if emit == "pytorch":
        sources = _pytorch(checked)
        if directory is None:
            return _emit("\n\n".join(sources.values()), "", None)
        for name, text in sources.items():
            _emit(text, name, directory)
        return 0
    if emit == "onnx":
        return _emit("\n".join(_onnx(checked)), "graph.txt", directory)
    return _build(file, overrides, checked, directory, data_root, look)


def _emit(text: str, name: str, directory: Path | None) -> int:
    """Print to standard output, or with -o write a file named after the stage."""
    if directory is None:
        console.out(text.removesuffix("\n"))
    else:
        _write(directory / name, text)
        console.out(str(directory / name))
    return 0


def _write(path: Path, text: str) -> None:
    from ..runtime.writing import write_text, writing

    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def _ast(target: str) -> str:
    from ..compiler.messages.source import Source
    from ..compiler.text.parse import parse
    from ..compiler.text.read import read_source
    from ..compiler.text.tree_json import ast_to_json

    source = read_source(spec.split(target)[0])
    if not isinstance(source, Source):
        spec.show([source], {})
        raise spec.SpecRejected
    tree, diagnostics = parse(source)
    if tree is None:
        spec.show(diagnostics, {source.name: source})
        raise spec.SpecRejected
    return json.dumps(ast_to_json(tree), indent=2)


def _stage(stage: str, target: str, overrides: Sequence[str]) -> tuple[str, str]:
    """The output of a stage of the compiler: its text, and a name for a file of it."""
    from ..compiler.check import Compilation, run
    from ..compiler.emit import emitted

    path, variant = spec.split(target)
    found = run(Compilation(path, overrides, variant), stage)
    spec.show(found.report.diagnostics, found.project.sources)
    if not found.report.ok:
        raise spec.SpecRejected
    with spec.places(found.project.sources):
        name, text = emitted(stage, found)
    return text, name


def _resolved(checked: Checked) -> str:
    from ..compiler.resolve.flatten import flatten
    from ..compiler.text.printer import print_file

    with spec.places(checked.sources):
        return print_file(flatten(checked.project))


def _summary(checked: Checked, form: str) -> str:
    from ..compiler.analysis.summary import summarize

    assert checked.spec is not None
    summaries = [summarize(checked.spec, model) for model in checked.spec.models]
    if form == "text":
        return "\n\n".join("\n".join(table.text(summary)) for summary in summaries)
    first, *others = [table.as_json(summary) for summary in summaries]
    return json.dumps({**first, "others": others} if others else first, indent=2)


def _pytorch(checked: Checked) -> dict[str, str]:
    """Source by file name: `model.py`, or a file a model where there are several."""
    from ..backends.pytorch.module import module_source

    assert checked.spec is not None
    models = checked.spec.models
    with spec.places(checked.sources):
        return {
            "model.py" if len(models) == 1 else f"{model.name.lower()}.py": module_source(checked.spec, model)
            for model in models
        }


def _sources(checked: Checked, facts: Mapping[str, DataFacts]) -> dict[str, str]:
    """What a run would execute, by file name: models and recipe of each `train` section, or the models alone.

    Schedules are resolved to steps, so they are written where the data, and with it the number of records, is known.
    """
    from ..runtime.generated.build import sources

    assert checked.spec is not None
    recipe = checked.spec.recipe
    trains = recipe.trains
    found: dict[str, str] = {}
    with spec.places(checked.sources):
        for train in trains:
            folder = f"{train.name}/" if len(trains) > 1 else ""
            records = facts[train.data].records.get("train") if train.data in facts else None
            found |= {f"{folder}{name}": text for name, text in sources(checked.spec, train, records).items()}
    return found or _pytorch(checked)


def _onnx(checked: Checked) -> list[str]:
    """The graph of each model as text, without weights."""
    from ..backends.onnx.text import graph_text

    assert checked.spec is not None
    with spec.places(checked.sources):
        return [graph_text(checked.spec, model) for model in checked.spec.models]


def _build(
    file: str, overrides: tuple[str, ...], checked: Checked, directory: Path | None, data_root: Path | None, look: bool
) -> int:
    """Plain `dlc build`: facts from the data, a second check with them, files, the story."""
    assert checked.spec is not None
    path, variant = spec.split(file)
    name = checked.spec.name + (f"@{variant}" if variant else "")
    target = directory if directory is not None else Path("build") / name
    root = data_root or Path(path).parent
    facts = spec.gather(checked, root, target / "facts", look)
    if facts:
        checked = spec.check_data(checked, facts)
        assert checked.spec is not None
    for name, text in _sources(checked, facts).items():
        _write(target / name, text)
    _write(target / "ir.json", checked.spec.written(indent=2) + "\n")
    for line in plan.plan_lines(path, checked.spec, facts, spec.weights(checked, Path(path).parent)):
        console.out(line)
    if look and checked.spec.recipe.data:
        from ..runtime.looking import look as page

        page.write(checked.spec.recipe.data, root, target / "look.html", checked.spec.name)
        console.out(f"  look     {target / 'look.html'}")
    return 0
