"""All sections of a spec but the models: data, then training, then export, search and weight maps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..catalogue import token_batches
from ..catalogue.balanced import BALANCED, bodies_of, field_of, weights
from ..catalogue.losses import Loss
from ..elaborate.state import State
from ..ir.data import DataFacts, FieldFacts
from ..ir.export import Export
from ..ir.model import AnyNode, Body, OpNode
from ..ir.recipe import Recipe
from ..ir.search import Search
from ..ir.train import Phase, Train
from ..messages import batches as batch_errors
from ..resolve.definitions import Definition
from ..sizes.dims import Size
from .data import ReadData, bind_data
from .export import ExportBinder
from .pairing import check_pairing
from .search import SearchBinder
from .train import TrainBinder
from .weights import bind_weights


def bind_recipe(state: State) -> Recipe:
    """The recipe of a project whose models were run; mistakes go into its report, and what has none is in the result."""
    project = state.project
    data: dict[str, ReadData] = {}
    for name, found in [*project.root.definitions.items(), *project.root.imported.items()]:
        if isinstance(found, Definition) and found.kind == "data":
            data[name] = bind_data(found, project.report, project.root, name)
    binders = {definition.name: TrainBinder(state, definition, data) for definition in project.sections("train")}
    trains = {name: binder.run() for name, binder in binders.items()}
    nets = {name: binder.nets for name, binder in binders.items()}
    mistaken = [name for name, train in trains.items() if train is None]
    figures = {name: binder.figures for name, binder in binders.items()}
    exports: list[Export] = []
    unread = project.root.damaged and not trains  # the section that the others are about may be what could not be read
    for definition in project.sections("export") if not unread else ():
        export = ExportBinder(state, definition, nets, mistaken, Path(project.root.name).stem).run()
        if export is not None:
            exports.append(export)
    searches: list[Search] = []
    for definition in project.sections("search") if not unread else ():
        search = SearchBinder(project, project.report, definition, trains, figures).run()
        if search is not None:
            searches.append(search)
    maps = [
        bind_weights(state, found, name)
        for name, found in [*project.root.definitions.items(), *project.root.imported.items()]
        if isinstance(found, Definition) and found.kind == "weights"
    ]
    return Recipe(
        data=tuple(found.dataset for _, found in sorted(data.items()) if found.whole),  # their order means nothing
        trains=tuple(item for item in trains.values() if item is not None),
        exports=tuple(exports),
        searches=tuple(searches),
        maps=tuple(found for found in maps if found is not None),
    )


def pair(state: State, recipe: Recipe, facts: Mapping[str, DataFacts]) -> None:
    """Losses and metrics against the fields they meet; with `facts` (by data section) also against what the data is."""
    for train in recipe.trains:
        check_pairing(state, train, recipe.dataset(train.data), facts.get(train.data))


def counted(state: State, recipe: Recipe, facts: Mapping[str, DataFacts]) -> Recipe:
    """The recipe with the batches of tokens of an epoch counted, where it is known how long the records are."""
    trains = [_counted(state, train, facts[train.data]) if train.data in facts else train for train in recipe.trains]
    return recipe.model_copy(update={"trains": tuple(trains)})


def weigh(state: State, recipe: Recipe, facts: Mapping[str, DataFacts]) -> None:
    """Puts the weights of balanced losses into their bodies, where the classes are counted."""
    for train in recipe.trains:
        fields = facts[train.data].fields if train.data in facts else {}
        for index in bodies_of(train):
            body = state.bodies[index]
            nodes = tuple(_weighed(body, node, fields) for node in body.nodes)
            if nodes != body.nodes:
                state.bodies[index] = body.model_copy(update={"nodes": nodes})


def _weighed(body: Body, node: AnyNode, fields: Mapping[str, FieldFacts]) -> AnyNode:
    if not isinstance(node, OpNode) or node.args.get("weight") != BALANCED:
        return node
    name = field_of(body, node.inputs[Loss.against])
    counts = fields[name].counts if name is not None and name in fields else ()
    logits = node.inputs[Loss.prediction]
    if not counts or not isinstance(logits, int):
        return node
    axis: int = node.args["axis"]
    size: Size = body.value(logits).type.shape[axis]
    found = weights(counts, size if isinstance(size, int) else len(counts), node.args["ignore"])
    return node.model_copy(update={"args": {**node.args, "weight": found}})


def _counted(state: State, train: Train, facts: DataFacts) -> Train:
    phases: list[Phase] = []
    for phase in train.phases:
        batch = phase.batch
        if batch.unit == "tokens" and facts.lengths:
            longest = facts.lengths[-1][0]
            if longest > batch.amount:
                state.report.add(batch_errors.longer_than_batch(phase.span, longest, batch.amount))
            batches = len(token_batches.plan(facts.lengths, batch.amount).sizes)
            phase = phase.model_copy(update={"batch": batch.model_copy(update={"batches": batches})})
        phases.append(phase)
    return train.model_copy(update={"phases": tuple(phases)})
