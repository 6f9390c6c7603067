"""The catalogue: everything that a spec may name, one class each, by the position in which the name is read.

`entry.py` defines what an entry is, `arguments.py` which kinds its arguments have, `explain.py` and `page.py` print it. The
operators are in `ops/`, the transforms of data in `transforms/`, every other family in a file of its own. A family is a
mapping from names to classes that imports a file when one of its entries is first asked for.

    entry arguments               what an entry is; the kinds of its arguments
    ops/ transforms/              operators; transforms of data
    losses metrics penalties      what is minimised and measured; `balanced`: classes that count equally
    optimizers schedules inits    how weights change, and begin
    sources builtin splits        data, data sets that need no download, how they are divided
    sampling search               how records are drawn; how settings are
    keys sections train_sections  the keys of every section
    clock token_batches           durations in steps; batches of at most so many tokens
    words                         words of the language itself
    explain page sections_page sources_page sample_program   pages of all of it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .entry import Family

if TYPE_CHECKING:
    from .inits import Initializer
    from .losses import Loss
    from .metrics import Metric
    from .ops.base import Function, Layer, Syntax
    from .optimizers import Optimizer
    from .sampling import Sampling
    from .schedules import Clipping, Keep, Segment, Stop, Validation, WeightSource
    from .search import Distribution, Method, Pruner
    from .sources import DataSource
    from .splits import Splitting
    from .transforms.base import Notation, Transform

LAYERS: Family[Layer] = Family("Layer", "ops", "a layer", "layer", capitals=True)
FUNCTIONS: Family[Function] = Family("Function", "ops", "a function", "function")
SIGNS: Family[Syntax] = Family("Syntax", "ops", "a sign", "sign")
LOSSES: Family[Loss] = Family("Loss", "losses", "a loss", "loss")
METRICS: Family[Metric] = Family("Metric", "metrics", "a metric", "metric")
INITS: Family[Initializer] = Family("Initializer", "inits", "an initializer", "`init` of weights")
SOURCES: Family[DataSource] = Family("DataSource", "sources", "a data source", "`source` of data")
SPLITS: Family[Splitting] = Family("Splitting", "splits", "a split", "`split` of data")
TRANSFORMS: Family[Transform] = Family("Transform", "transforms", "a transform", "transform of data")
#: What a data section writes with a sign or adds by itself; its nodes have facts as transforms have.
NOTATIONS: Family[Notation] = Family("Notation", "transforms", "a form", "form of data")
OPTIMIZERS: Family[Optimizer] = Family("Optimizer", "optimizers", "an optimizer", "`optimizer` of train", capitals=True)
SEGMENTS: Family[Segment] = Family("Segment", "schedules", "a schedule segment", "segment of a schedule")
CLIPS: Family[Clipping] = Family("Clipping", "schedules", "a way to clip", "`clip` of train")
KEEPS: Family[Keep] = Family("Keep", "schedules", "what to keep", "`keep` of train")
STOPS: Family[Stop] = Family("Stop", "schedules", "a reason to stop", "`stop` of train")
VALIDATIONS: Family[Validation] = Family("Validation", "schedules", "an interval of validation", "`validate` of train")
SAMPLINGS: Family[Sampling] = Family("Sampling", "sampling", "a way to sample", "`sampling` of train")
WEIGHT_SOURCES: Family[WeightSource] = Family("WeightSource", "schedules", "a source of weights", "`weights` of train")
METHODS: Family[Method] = Family("Method", "search", "a search method", "`method` of search")
PRUNERS: Family[Pruner] = Family("Pruner", "search", "a way to prune", "`prune` of search")
DRAWS: Family[Distribution] = Family("Distribution", "search", "a distribution", "draw of search")

#: All that a spec writes by name or sign, in the order in which pages of one name are shown.
FAMILIES: tuple[Family[Any], ...] = (
    LAYERS, FUNCTIONS, SIGNS, SOURCES, SPLITS, TRANSFORMS, OPTIMIZERS, SEGMENTS, CLIPS, KEEPS, STOPS, VALIDATIONS,
    SAMPLINGS, WEIGHT_SOURCES, METHODS, PRUNERS, DRAWS, INITS, LOSSES, METRICS,
)  # fmt: skip
