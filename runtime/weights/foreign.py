"""Our weights in the layout of another library: `dlc export RUN --weights NAME`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...compiler.dataclass import dataclass
from ...compiler.ir.expand import parameters
from ...compiler.ir.model import Model, Spec
from ...compiler.ir.train import Train
from ...compiler.ir.weights import WeightMap
from ...compiler.messages.names import near
from .. import destination
from ..checkpoints import checkpoint
from ..checkpoints.records import WeightsRecord
from ..failure import BadInput
from ..forms import FormReader
from ..run import Run
from ..spec import Loaded
from ..writing import replacing, writing
from .load import first_values
from .mapping import foreign_from, ours_from
from .plan import Shape

WEIGHTS = FormReader(list[WeightsRecord])
OWN = "own"  # the layout of the spec itself, which needs no map


@dataclass(frozen=True)
class Written:
    """A file of weights in a foreign layout. `words` describe where the weights come from."""

    path: Path
    layout: str
    tensors: int
    bytes: int
    words: str


def export_weights(
    source: Loaded | Run, layout: str, to: str | Path | None = None, *, net: str | None = None
) -> Written:
    """Writes the kept weights of a run (or the first ones of a spec) as safetensors, named and laid out as the weight map
    `layout` reads them, without the prefix that it strips; `own` keeps the spec's names.

    `net` names the `let` where several nets have the map's model. What is written is read back through the map and
    compared before it is at its place. Raises BadInput, and Failed (E0405) for a map that cannot be inverted.
    """
    run = source if isinstance(source, Run) else None
    spec = source.spec
    weight_map = _map(spec, layout)
    train, name, model = _net(spec, run, weight_map, net)
    path = _destination(spec, run, layout, to)
    if isinstance(source, Loaded):
        ours, words = first_values(spec, model, train, name, source.path.parent)
    else:
        ours, words = _of_run(source, name)
    entries = [entry for entry in parameters(spec, model) if entry.path in ours]
    if run is not None:
        checkpoint.check_finite(ours, {entry.path for entry in entries if entry.buffer}, run.kept())
    theirs = foreign_from(weight_map, ours, _known(run, layout, name))
    again = ours_from(weight_map, entries, theirs)
    assert all(torch.equal(again[path].nan_to_num(), ours[path].nan_to_num()) for path in ours), (
        "the map loses something"
    )
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as fresh:
            checkpoint.save(theirs, fresh, {"format": "pt", "made_by": destination.MADE_BY, "spec": spec.name})
    return Written(path, layout, len(theirs), path.stat().st_size, words)


def _map(spec: Spec, layout: str) -> WeightMap | None:
    maps = spec.recipe.maps
    for found in maps:
        if found.name == layout:
            return found
    if layout == OWN:
        return None
    names = [found.name for found in maps]
    close = near(layout, names, 1)
    listed = ", ".join(f"`{name}`" for name in names) or "none"
    raise BadInput(
        f"`{spec.name}` has no weight map `{layout}`",
        notes=(f"its maps are {listed}",),
        helps=(f"did you mean `{close[0]}`?" if close else f"use `--weights {OWN}` for the spec's own names",),
    )


def _net(
    spec: Spec, run: Run | None, weight_map: WeightMap | None, wanted: str | None
) -> tuple[Train | None, str, Model]:
    """The `train` section, the net and its model that have the map's model."""
    trains = spec.recipe.trains
    if run is not None:
        trains = (run.train,)
    nets = [
        (train, net.name, spec.models[net.model])
        for train in trains
        for net in train.nets
        if (weight_map is None or spec.models[net.model].name == weight_map.model) and wanted in (None, net.name)
    ]
    if not nets and wanted is None and run is None:
        nets = [(None, "", m) for m in spec.models if weight_map is None or m.name == weight_map.model]
    if len(nets) == 1 or (nets and len({(name, model.name) for _, name, model in nets}) == 1):
        return nets[0]
    if not nets:
        what = f"net `{wanted}`" if wanted else f"net of the model `{weight_map.model}`" if weight_map else "model"
        trained = ", ".join(f"`{net.name or spec.models[net.model].name}`" for train in trains for net in train.nets)
        raise BadInput(
            f"`{spec.name}` does not train a {what}",
            notes=(f"it trains {trained or 'nothing'}",),
            helps=(
                "leave `--net` out, or name one of these"
                if wanted and trained
                else "name a spec or a run of this model, or another weight map",
            ),
        )
    listed = ", ".join(f"`{name}`" for _, name, _ in nets)
    raise BadInput(f"there are several nets: {listed}", helps=("choose one with `--net NAME`",))


def _of_run(run: Run, net: str) -> tuple[dict[str, Tensor], str]:
    kept = run.kept()
    saved = checkpoint.read(kept, everything=False)
    prefix = f"{net}." if net else ""
    weights = saved.averaged or saved.weights
    ours = {path.removeprefix(prefix): tensor for path, tensor in weights.items() if path.startswith(prefix)}
    return ours, f"the run {run.path.name}, {kept.name}"


def _known(run: Run | None, layout: str, net: str) -> dict[str, Shape]:
    """Shapes of the foreign tensors that the run began with, if they came through the same map."""
    if run is None or not (run.path / "weights.json").exists():
        return {}
    for record in run.directory.record("weights.json", WEIGHTS):
        if record.map == layout and record.net == net:
            return dict(record.shapes)
    return {}


def _destination(spec: Spec, run: Run | None, layout: str, wanted: str | Path | None) -> Path:
    name = f"{spec.name}.{layout}.safetensors"
    path = (
        Path(wanted) if wanted is not None else destination.default(name, run.path if run is not None else None, None)
    )
    if path.is_dir():
        path /= "model.safetensors"  # what a Hugging Face directory calls it
        destination.refuse_foreign(path, path, None)
        return path
    if path.suffix != ".safetensors":
        raise BadInput(f"`{path}` is not the name of a safetensors file", helps=(f"`-o {path.stem}.safetensors`",))
    return path
