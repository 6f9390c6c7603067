"""`dlc export`: an ONNX file that was compared with PyTorch, or the weights in another library's layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console, spec
from .failure import warnings_shown
from .misused import Misused
from .table import memory

if TYPE_CHECKING:
    from ..runtime.exporting.export import Exported


@click.command("export")
@click.argument("source", metavar="RUN|FILE[@variant]")
@click.argument("overrides", metavar="[key=value...]", nargs=-1)
@click.option(
    "-o",
    "output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Output file (default: the name in the export section).",
)
@click.option("--linked", is_flag=True, help="Keep the weights in a .safetensors file next to the model.")
@click.option("--cached", is_flag=True, help="Export with a key/value cache, for generation.")
@click.option("--no-verify", is_flag=True, help="Skip the comparison with PyTorch.")
@click.option("--section", metavar="NAME", help="Export section to use (default: all).")
@click.option(
    "--weights",
    metavar="MAP",
    help="Write only the weights, in the layout of weight map MAP (`own`: the spec's names).",
)
@click.option("--net", metavar="NAME", help="With --weights: which net, if several use the map's model.")
def command(
    source: str,
    overrides: tuple[str, ...],
    output: Path | None,
    no_verify: bool,
    section: str | None,
    weights: str | None,
    net: str | None,
    **options: Any,
) -> int:
    """Export a run or a spec to ONNX.

    A run is exported with its kept weights, a spec with its initial weights. Nothing is written unless ONNX Runtime and PyTorch agree on sampled inputs.
    """
    from ..runtime import api
    from ..runtime.exporting.request import sections
    from ..runtime.run import Run
    from ..runtime.spec import Loaded

    if Path(source).is_dir():
        if overrides:
            raise Misused(
                f"`{overrides[0]}`: a run is exported with the settings it was trained with",
                "leave the setting out, or export a spec with it",
            )
        opened = Run(source)
    else:
        path, variant = spec.split(source)
        opened = Loaded(Path(path), overrides, variant, spec.check(source, overrides))
    if weights is not None:
        written = api.export_weights(opened, weights, output, net=net)
        console.out(f"{written.path}   {written.tensors} tensors, {memory(written.bytes)}")
        console.out(f"  layout   {written.layout}, read back and equal")
        console.out(f"  weights  {written.words}")
        return 0
    names = [section] if section is not None else sections(opened)
    if output is not None and len(names) > 1:
        raise Misused(
            f"`-o` names one file, but the spec has {len(names)} export sections: {', '.join(names)}",
            "choose one with `--section`",
        )
    for name in names:
        with warnings_shown():
            made = api.export(opened, output, section=name, verify=not no_verify, **options)
        for line in story(made):
            console.out(line)
    return 0


def story(made: Exported) -> list[str]:
    """What was written, from which weights, and how far it differs from PyTorch."""
    files = "".join(f" + {file.name}" for file in made.files if file.name != made.path.name)
    seconds = made.seconds.get("lower", 0.0) + made.seconds.get("write", 0.0)
    lines = [
        f"{made.path}{files}   {made.nodes} nodes, {memory(made.bytes)}, {made.precision}, in {seconds:.2f} s",
        f"  graph    {', '.join(made.inputs)} -> {', '.join(made.outputs)}",
        f"  weights  {made.weights}",
    ]
    if made.kept:
        lines.insert(
            2,
            f"  keeps    keys and values of {made.kept} attention{'s' * (made.kept > 1)}: outputs `present.*` are the next step's `past_key_values.*`",
        )
    if made.precision == "int8":
        lines.append(
            "  int8     inputs are rounded by one scale a call: answers depend slightly on the rest of the batch"
        )
    if made.parity is None:
        return [*lines, "  verified not compared with PyTorch (--no-verify)"]
    for row in made.parity.worst:
        steps = ", whole and in steps" if made.kept else ""
        lines.append(
            f"  verified {row.output}: max relative difference {row.share:.1g} (limit {_limit(row.tolerance)}) "
            f"at {_sizes([other.sizes for other in made.parity.rows])}{steps}"
        )
    return lines


def _limit(tolerance: float) -> str:
    """`1e-4`."""
    return f"{tolerance:.0e}".replace("e-0", "e-")


def _sizes(tried: Iterable[Mapping[str, int]]) -> str:
    """`B = 1, 7`, and with several sizes `B = 1, T = 5; B = 7, T = 5`."""
    distinct = [dict(sizes) for sizes in dict.fromkeys(tuple(sizes.items()) for sizes in tried)]
    if all(len(sizes) == 1 for sizes in distinct) and len({name for sizes in distinct for name in sizes}) == 1:
        (name,) = distinct[0]
        return f"{name} = {', '.join(str(sizes[name]) for sizes in distinct)}"
    return "; ".join(", ".join(f"{name} = {size}" for name, size in sizes.items()) for sizes in distinct)
