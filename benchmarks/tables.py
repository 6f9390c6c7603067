"""What `dlc new --from` drafts for tables, beside what scikit-learn gives for them without a choice of ours.

Each table is drafted as it comes, trained as it was drafted, and judged on the test split of its spec; several seeds of the split,
the mean of them. The peers are logistic regression (ridge, for numbers) and gradient boosting, with their defaults, on the same
columns in the same units, names as a vector with one 1. They learn from the train and the validation split together: the network needs
the latter to choose its epoch.

For classes the figure is accuracy, for numbers the root of the mean squared error in standard deviations of the target. A table is
`near` where ours is within 2 % of the better peer. `python -m dlc.benchmarks.tables` prints all and writes `results/tables.json`; a table
whose package is not installed is left out: pip install statsmodels vega_datasets palmerpenguins scikit-lego.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .measure import Figure

NEAR = 0.02
RESULTS = Path(__file__).parent / "results" / "tables.json"
SEEDS = (0, 1, 2)


# ---- tables ------------------------------------------------------------------------------------------------------------


def _file(package: str, *parts: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(package)
    return Path(found.origin).parent.joinpath(*parts)


def _copied(package: str, *parts: str) -> bytes:
    return _file(package, *parts).read_bytes()


def _unzipped(package: str, *parts: str, inside: str) -> bytes:
    return zipfile.ZipFile(_file(package, *parts)).read(inside)


def _written(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def _sklearn(file: str, names: Sequence[str], labels: bool) -> bytes:
    """A file of scikit-learn's: its first row counts records, and columns have no names."""
    rows = list(csv.reader(_copied("sklearn", "datasets", "data", file).decode().splitlines()))
    classes = rows[0][2:]
    return _written(names, [[*row[:-1], classes[int(row[-1])] if labels else row[-1]] for row in rows[1:]])


def _digits() -> bytes:
    rows = gzip.decompress(_copied("sklearn", "datasets", "data", "digits.csv.gz")).decode().splitlines()
    cells = [[*(str(int(float(cell))) for cell in row.split(","))] for row in rows]
    return _written([*(f"p{i}" for i in range(64)), "digit"], cells)


def _diabetes() -> bytes:
    data, target = (
        gzip.decompress(_copied("sklearn", "datasets", "data", f"diabetes_{name}.csv.gz")).decode().splitlines()
        for name in ("data_raw", "target")
    )
    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "progression"]
    return _written(names, [[*row.split(), y] for row, y in zip(data, target, strict=True)])


def _cars() -> bytes:
    rows = json.loads(_copied("vega_datasets", "_data", "cars.json"))
    return _written(list(rows[0]), [list(row.values()) for row in rows])


#: By name: the column to predict, the package that ships the table, its licence, and the table as CSV.
TABLES: Mapping[str, tuple[str, str, str, Callable[[], bytes]]] = {
    "iris": ("species", "scikit-learn", "CC BY 4.0", lambda: _sklearn("iris.csv", ["sepal length", "sepal width", "petal length", "petal width", "species"], True)),
    "wine": ("cultivar", "scikit-learn", "CC BY 4.0", lambda: _sklearn("wine_data.csv", [*(f"m{i}" for i in range(13)), "cultivar"], True)),
    "breast_cancer": ("diagnosis", "scikit-learn", "CC BY 4.0", lambda: _sklearn("breast_cancer.csv", [*(f"m{i}" for i in range(30)), "diagnosis"], True)),
    "digits": ("digit", "scikit-learn", "CC BY 4.0", _digits),
    "diabetes": ("progression", "scikit-learn", "none stated", _diabetes),
    "penguins": ("species", "palmerpenguins", "CC0", lambda: _copied("palmerpenguins", "data", "penguins.csv")),
    "cars": ("Miles_per_Gallon", "vega_datasets", "none stated", _cars),
    "seattle_weather": ("weather", "vega_datasets", "public domain", lambda: _copied("vega_datasets", "_data", "seattle-weather.csv")),
    "anes96": ("'vote'", "statsmodels", "public domain", lambda: _copied("statsmodels", "datasets", "anes96", "anes96.csv")),
    "fair": ("affairs", "statsmodels", "public domain", lambda: _copied("statsmodels", "datasets", "fair", "fair.csv")),
    "hearts": ("target", "scikit-lego", "CC BY 4.0", lambda: _unzipped("sklego", "data", "hearts.zip", inside="heart.csv")),
    "abalone": ("rings", "scikit-lego", "CC BY 4.0", lambda: _unzipped("sklego", "data", "abalone.zip", inside="sklego/data/abalone.zip")),
}  # fmt: skip


# ---- ours, and the peers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """Figures of one table, the mean over seeds. `error` is a rate of errors or a root mean squared error: less is better."""

    table: str
    task: str
    records: int
    ours: float
    linear: float
    boosting: float
    seconds: float

    @property
    def near(self) -> bool:
        if self.task == "accuracy":
            return self.ours >= max(self.linear, self.boosting) * (1 - NEAR)
        return self.ours <= min(self.linear, self.boosting) * (1 + NEAR)


def score(name: str, seeds: Sequence[int], settings: Mapping[str, Any] | None = None) -> Score:
    """Drafts, trains and judges one table."""
    from dlc.runtime.drafting.draft import draft

    target, _, _, content = TABLES[name]
    found: list[tuple[float, ...]] = []
    task, records = "", 0
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / f"{name}.csv"
        table.write_bytes(content())
        text = draft(table, table.name, target).text
        for seed in seeds:
            spec = table.with_name(f"{name}_{seed}.dlspec")
            spec.write_text(text.replace("seed = 0)", f"seed = {seed})"), "utf-8")
            start = time.perf_counter()
            ours, task = trained(spec, settings or {})
            took = time.perf_counter() - start
            linear, boosting, records = peers(spec)
            found.append((ours, linear, boosting, took))
    return Score(name, task, records, *(float(np.mean(values)) for values in zip(*found, strict=True)))


def trained(spec: Path, settings: Mapping[str, Any]) -> tuple[float, str]:
    """Ours on the test split, and what it is."""
    import dlc

    run = dlc.train(dlc.load(spec, **settings), base=spec.parent / "runs", device="cpu")
    figures = dlc.evaluate(run, "test", device="cpu")
    return (figures["acc"], "accuracy") if "acc" in figures else (float(np.sqrt(1 - figures["r2"])), "rmse")


def peers(spec: Path) -> tuple[float, float, int]:
    """The linear model and the trees on the test split of a spec, and the number of records."""
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    import dlc
    from dlc.runtime.data.feed import open_data

    section = dlc.load(spec).spec.recipe.data[0]
    data = open_data(section, spec.parent)
    parts = {split: _arrays(data, split) for split in ("train", "val", "test")}
    x, y = (np.concatenate([parts["train"][i], parts["val"][i]]) for i in range(2))
    tx, ty = parts["test"]
    count = len(y) + len(ty)
    if y.dtype.kind == "i":
        models: list[Any] = [LogisticRegression(), GradientBoostingClassifier(random_state=0)]
    else:
        models = [Ridge(), GradientBoostingRegressor(random_state=0)]
    scores: list[float] = []
    for model in models:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a hundred steps that were not enough: the defaults stay
            model.fit(x, y)
        value = model.score(tx, ty)
        scores.append(value if y.dtype.kind == "i" else float(np.sqrt(1 - value)))
    return scores[0], scores[1], count


def _arrays(data: Any, split: str) -> tuple[Any, Any]:
    """Columns of a split as the drafted spec reads them, [records, columns], and the target, its last field."""
    part = data.part(split)
    fields = data.section.fields
    values = data.graph.evaluate([field.node for field in fields], part, np.arange(len(part)), training=False)
    columns: list[Any] = []
    for field in fields[:-1]:
        value, node = values[field.node].numpy(), data.graph.nodes[field.node]
        names = data.graph.fitted.get(field.node, {}).get("names") or node.args.get("names") or ()
        columns.append(np.eye(len(names) + 1)[value] if value.dtype.kind == "i" else value.reshape(len(value), -1))
    return np.concatenate(columns, 1), values[fields[-1].node].numpy()


def figures(full: bool) -> list[Figure]:
    found: list[Figure] = []
    for name in TABLES if full else ("iris",):
        try:
            one = score(name, SEEDS[:1])
        except ModuleNotFoundError:
            continue
        found.append(Figure(f"tables.{name}.{one.task}", one.ours, "x"))
        found.append(Figure(f"tables.{name}.better_peer", _better(one), "x"))
    return found


def _better(one: Score) -> float:
    return (max if one.task == "accuracy" else min)(one.linear, one.boosting)


def main(arguments: list[str]) -> None:
    seeds = SEEDS[: int(arguments[0])] if arguments[:1] and arguments[0].isdigit() else SEEDS
    names = [name for name in arguments if name in TABLES] or list(TABLES)
    scores: list[Score] = []
    for name in names:
        try:
            one = score(name, seeds)
        except ModuleNotFoundError as error:
            print(f"{name:<16} left out: {error} is not installed")
            continue
        scores.append(one)
        mark = "near" if one.near else "    "
        print(
            f"{name:<16} {one.records:>6,} {one.task:<9} ours {one.ours:.4f}  linear {one.linear:.4f}  "
            f"boosting {one.boosting:.4f}  {mark}  {one.seconds:.1f} s",
            flush=True,
        )
    near = sum(one.near for one in scores)
    print(f"within {NEAR:.0%} of the better one on {near} of {len(scores)} tables, {len(seeds)} splits each")
    if len(names) == len(TABLES):
        entries = [{**asdict(one), "near": one.near} for one in scores]
        RESULTS.write_text(
            json.dumps({"splits": len(seeds), "near": near, "tables": entries}, indent=2) + "\n", "utf-8"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
