"""`dlc import-weights`: a foreign file against a map of a spec, or a map proposed for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ...compiler.dataclass import dataclass
from ...compiler.ir.expand import ParameterEntry, parameters
from ...compiler.ir.model import Model, Spec
from ...compiler.ir.weights import WeightMap
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.names import near
from ...compiler.messages.source import Span
from ...compiler.text.read import is_pipe
from .. import not_finite
from ..failure import BadInput, no_file
from . import mismatch, sources
from .families import families
from .files import ForeignTensors, Unreadable, open_weights
from .load import wrong_numbers
from .other_sizes import whole_settings
from .plan import Shape, WeightPlan, leaves, plan, source_of
from .section import text, weight_map, written
from .suggest import Proposal, propose

#: How files with weights end.
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".json")


@dataclass(frozen=True)
class FamilyRow:
    """A family of ours and where it comes from: `h.*.ln_1.weight` [768] <- `h.*.ln_1.weight`, 12 times."""

    ours: str
    shape: Shape
    theirs: str
    count: int


@dataclass(frozen=True)
class Suggested:
    """`section` is the text of a map. `left` are foreign tensors that it ignores, with why where it is known; `resized` ours
    of another size there; `unplaced` and `partly` are what it could not place; `not_finite` names tensors with NaN or infinity."""

    section: str
    left: Mapping[str, str]
    resized: Mapping[str, tuple[Shape, Shape]]
    unplaced: Mapping[str, Shape]
    partly: Mapping[str, Shape]
    not_finite: Sequence[str]

    @property
    def total(self) -> bool:
        return not self.unplaced and not self.partly


def opened(file: Path) -> ForeignTensors:
    """The tensors of a file, an index of shards, or a directory. Raises BadInput."""
    path = sources.inside(file) if file.is_dir() else file
    if path is None:
        files = sorted(found.name for found in file.iterdir() if found.suffix in SUFFIXES)
        raise BadInput(
            f"there are no weights in `{file}`",
            notes=(f"looked for {', '.join(sources.NAMES)}, or a single *.safetensors file",),
            helps=(f"name one of its files: {', '.join(files[:8])}" if files else "name the file with the weights",),
        )
    if is_pipe(path):
        raise BadInput(f"`{file}` is a pipe, and weights are read at any place of a file", helps=("save it as a file",))
    if not path.is_file():
        raise no_file(file)
    try:
        return open_weights(path)
    except Unreadable as error:
        raise BadInput(
            f"`{error.path}` cannot be read as weights: {error.why}", helps=(error.help,), code="E0412"
        ) from None


def model_of(spec: Spec, wanted: str | None, found: WeightMap | None) -> Model:
    """The model whose weights these are: the named one, the map's, or the only one that is trained."""
    name = wanted or (found.model if found else None)
    trained = [spec.models[net.model] for train in spec.recipe.trains for net in train.nets]
    models = {model.name: model for model in [*reversed(spec.models), *reversed(trained)]}
    if name in models:
        return models[name]
    if name is None and len({model.name for model in trained or spec.models}) == 1:
        return (trained or list(spec.models))[0]
    close = near(name, models, 1) if name else []
    listed = ", ".join(f"`{each}`" for each in models)
    if name:
        help = f"did you mean `{close[0]}`?" if close else f"use {listed}"
        raise BadInput(f"`{spec.name}` has no model `{name}`", helps=(help,))
    if not models:
        raise BadInput(f"`{spec.name}` has no model", helps=("name the spec of the model that the weights are for",))
    raise BadInput(f"weights of which model? There is {listed}", helps=("choose one with `--model NAME`",))


def map_of(spec: Spec, wanted: str | None) -> WeightMap | None:
    """The named map, the only one, or none: names are then equal."""
    maps = {found.name: found for found in spec.recipe.maps}
    if wanted is not None and wanted not in maps:
        close = near(wanted, maps, 1)
        if close:
            help = f"did you mean `{close[0]}`?"
        elif maps:
            help = f"use {', '.join(f'`{each}`' for each in maps)}"
        else:
            help = "leave the map out to compare by equal names, or let `--suggest` propose one"
        raise BadInput(f"`{spec.name}` has no weight map `{wanted}`", helps=(help,))
    if wanted is None and len(maps) > 1:
        raise BadInput(
            f"`{spec.name}` has several weight maps: {', '.join(maps)}", helps=("choose one with `--map NAME`",)
        )
    return maps[wanted] if wanted else next(iter(maps.values()), None)


def compare(
    spec: Spec, model: Model, found: WeightMap | None, foreign: ForeignTensors, where: str
) -> tuple[WeightPlan, list[FamilyRow]]:
    """Every parameter with its source. Raises Failed (E0405) with both sides when the map is not total for this file, BadInput (E0606)
    when a tensor that it uses holds NaN or infinity."""
    entries = list(parameters(spec, model))
    made = plan(found, entries, foreign.shapes, (), foreign.tied)
    wrong = wrong_numbers(made, entries, foreign)
    if made.mistakes or wrong:
        place = found.span if found else Span("", 0, 0)
        raise Failed(mismatch.diagnostic(made.with_misfits(wrong), place, where, whole_settings(spec, model)))
    words = not_numbers(entries, made, foreign)
    if words:
        raise BadInput(
            f"{where} holds weights that are not numbers",
            notes=not_finite.summary(words),
            helps=("use a checkpoint from before the training diverged",),
            code=not_finite.CODE,
        )
    return made, _rows(entries, found, made)


def not_numbers(entries: Sequence[ParameterEntry], made: WeightPlan, foreign: ForeignTensors) -> list[str]:
    """What of the tensors that a plan uses is not finite, in words. Reads all of them."""
    buffers = {name for entry in entries if entry.buffer for name in leaves_of(made, entry.path)}
    used = {name for path in made.sources for name in leaves_of(made, path)}
    ordered = sorted(used, key=foreign.order)
    return not_finite.named(((name, foreign.tensor(name)) for name in ordered), buffers)


def leaves_of(made: WeightPlan, path: str) -> tuple[str, ...]:
    return leaves(made.sources[path]) if path in made.sources else ()


def _rows(entries: Sequence[ParameterEntry], found: WeightMap | None, made: WeightPlan) -> list[FamilyRow]:
    rows: list[FamilyRow] = []
    for family in families({entry.path: entry.shape for entry in entries}):
        first = next(iter(family.members.values()))
        source = source_of(found, first) if first in made.sources else None
        theirs = "not in the file: 0" if source is None else _starred(written(source), family.pattern)
        rows.append(FamilyRow(family.pattern, family.shape, theirs, len(family.members)))
    return rows


def _starred(source: str, ours: str) -> str:
    """The numbers of a name as `*`, where ours has them."""
    if "*" not in ours:
        return source.replace('"', "")
    parts = ["*" if part.isdigit() else part for part in source.replace('"', "").split(".")]
    return ".".join(parts)


def suggest(spec: Spec, model: Model, name: str, foreign: ForeignTensors) -> Suggested:
    """A map that places as much as names and shapes allow."""
    entries = list(parameters(spec, model))
    proposal = propose(entries, foreign.shapes)
    made, doubts = weight_map(proposal, name, model.name, [entry.path for entry in entries], foreign.shapes)
    checked = plan(made, entries, foreign.shapes, (), foreign.tied)
    resized = {m.ours: (m.shape, m.found or ()) for m in checked.mistakes.misfits}
    unplaced = {m.ours: m.shape for m in checked.mistakes.missing}
    partly = {member: family.shapes[index] for family in proposal.partly for index, member in family.members.items()}
    words = not_numbers(entries, checked, foreign)
    return Suggested(text(made, doubts), _left(proposal, foreign), resized, unplaced, partly, words)


def _left(proposal: Proposal, foreign: ForeignTensors) -> dict[str, str]:
    """What the map ignores, by family, and whether it is a tensor that is used all the same, or a constant."""
    actual = {name.removeprefix(proposal.prefix): name for name in foreign.shapes}
    used = {
        member for pair in proposal.pairs for part in pair.joined or (pair.theirs,) for member in part.members.values()
    }
    found: dict[str, str] = {}
    for family in proposal.left:
        first = actual[next(iter(family.members.values()))]
        value = foreign.tensor(first)
        constant = value.numel() < 2 or bool(
            (value == value.flatten()[0]).all()
        )  # counters, ones and zeros: no sign of sharing
        twins = [actual[name] for name in used if foreign.shapes[actual[name]] == foreign.shapes[first]]
        equal = next((n for n in twins if not constant and torch.equal(foreign.tensor(n), value)), None)
        found[f"{family.pattern} {list(family.shape)}"] = (
            f"equal to {equal}" if equal and len(family.members) == 1 else ""
        )
    return found
