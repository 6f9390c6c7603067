"""The recipe half of the typed IR: data, training, export, search and weight maps.

Everything a runtime or a backend needs is here in full: defaults are filled in, names are resolved, expressions are
bodies of the same kind as those of models. The sections are in `data.py`, `train.py`, `export.py`, `search.py` and
`weights.py` of this folder.
"""

from __future__ import annotations

from .data import DataSet
from .export import Export
from .record import Record
from .search import Search
from .train import Train
from .weights import WeightMap


class Recipe(Record):
    """All sections of a spec but the models."""

    data: tuple[DataSet, ...] = ()
    trains: tuple[Train, ...] = ()
    exports: tuple[Export, ...] = ()
    searches: tuple[Search, ...] = ()
    maps: tuple[WeightMap, ...] = ()

    def dataset(self, name: str) -> DataSet:
        return next(data for data in self.data if data.name == name)

    def weight_map(self, name: str) -> WeightMap:
        return next(found for found in self.maps if found.name == name)

    def train(self, name: str = "") -> Train:
        return next(train for train in self.trains if train.name == name)
