"""All sections of a spec but the models: data, then training, then export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..elaborate.elaborator import Elaborator
from ..ir.data import DataFacts, DataSet
from ..ir.export import Export
from ..ir.recipe import Recipe
from ..ir.search import Search
from ..ir.train import Train
from ..resolve.definitions import Definition
from ..resolve.project import Project
from .data import bind_data
from .export import ExportBinder
from .pairing import check_pairing
from .search import SearchBinder
from .train import TrainBinder
from .weights import bind_weights


def bind_recipe(project: Project, elaborator: Elaborator, facts: Mapping[str, DataFacts] | None = None) -> Recipe:
    """The recipe of a resolved project; mistakes go into its report, and what has none is in the result.

    The models that its sections use are appended to `elaborator.models`. With `facts` (by data section) fields and nets
    are also checked against what the data is.
    """
    data: dict[str, DataSet | None] = {}
    for name, found in [*project.root.definitions.items(), *project.root.imported.items()]:
        if isinstance(found, Definition) and found.kind == "data":
            data[name] = bind_data(found, project.report, project.root, name)
    trains: dict[str, Train | None] = {}
    for definition in project.sections("train"):
        trains[definition.name] = TrainBinder(elaborator, definition, data).run()
    for train in trains.values():
        if train is not None:
            dataset = data[train.data]
            assert dataset is not None
            check_pairing(elaborator, train, dataset, (facts or {}).get(train.data))
    exports: list[Export] = []
    unread = project.root.damaged and not trains  # the section that the others are about may be what could not be read
    for definition in project.sections("export") if not unread else ():
        export = ExportBinder(elaborator, definition, trains, Path(project.root.name).stem).run()
        if export is not None:
            exports.append(export)
    searches: list[Search] = []
    for definition in project.sections("search") if not unread else ():
        search = SearchBinder(project, project.report, definition, trains, data).run()
        if search is not None:
            searches.append(search)
    maps = [
        bind_weights(elaborator, found, name)
        for name, found in [*project.root.definitions.items(), *project.root.imported.items()]
        if isinstance(found, Definition) and found.kind == "weights"
    ]
    return Recipe(
        data=tuple(found for _, found in sorted(data.items()) if found is not None),  # their order means nothing
        trains=tuple(item for item in trains.values() if item is not None),
        exports=tuple(exports),
        searches=tuple(searches),
        maps=tuple(found for found in maps if found is not None),
    )
