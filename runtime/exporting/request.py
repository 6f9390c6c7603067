"""What an export is asked for: which model of the spec, in which precision, to which file; and what the run knows about its data."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...compiler.dataclass import dataclass
from ...compiler.ir.arguments import EntryUse
from ...compiler.ir.expand import parameters
from ...compiler.ir.export import Export
from ...compiler.ir.model import Model, Spec
from ...compiler.ir.train import Train
from ...compiler.messages import export as errors
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.names import nearest
from .. import destination
from ..data.arrays.batches import InputPipeline
from ..failure import BadInput
from ..inference import prompts
from ..inference.columns import InputColumns, as_json
from ..inference.prompts import Tokens
from ..run import Run
from ..spec import Loaded
from .columns import columns_of
from .lookups import HeldLookup, held
from .options import ExportOptions
from .pipeline import pipeline_of

PRECISIONS = ("f32", "f16", "bf16")


@dataclass(frozen=True)
class Request:
    """An export of a spec or run, decided: the options, then the `export` section, then what is usual. `section` is None
    where the spec has none; `train` is the section whose weights are exported, None for a model that none trains."""

    spec: Spec
    run: Run | None
    section: Export | None
    model: Model
    train: Train | None
    net: str
    path: Path
    precision: str
    options: ExportOptions
    root: Path  # where the files lie that the data section names

    @property
    def quantize(self) -> EntryUse | None:
        return self.section.quantize if self.section is not None else None

    @property
    def written_as(self) -> str:
        """The precision of the file: `int8` where it is quantized."""
        return self.quantize.name if self.quantize is not None else self.precision

    @property
    def fix(self) -> dict[str, int]:
        """Sizes that the file fixes, by dimension."""
        return dict(self.section.fix) if self.section is not None else {}

    # ---- what the run knows -------------------------------------------------------------------------------------------------

    def fitted(self) -> dict[int, dict[str, Any]]:
        """What the run's data learned, by node; nothing for a spec."""
        return dict(self.run.data.fitted) if self.run is not None else {}

    def classes(self) -> dict[str, list[str]]:
        """Class names by field of the data, where the run's data gave them."""
        return {name: list(names) for name, names in self.run.data.classes.items()} if self.run is not None else {}

    def _vocabulary(self) -> dict[str, list[str]]:
        """What the numbers of an input stand for, by input, where the run's data knew: characters."""
        texts = {name: list(known) for name, known in self.run.data.texts.items()} if self.run is not None else {}
        if self.train is None or not texts:
            return {}
        inputs = self.section.inputs if self.section is not None else texts
        fields = {name: self.train.inputs.get(name, name) for name in inputs}
        return {name: texts[field] for name, field in fields.items() if field in texts}

    def _tokens(self) -> Tokens | None:
        """How tokens are read and written, for a file that generates and holds no data section."""
        train = self._trains_it()
        if train is None or not self.options.cached:
            return None
        data = self.spec.recipe.dataset(train.data)
        fields = [train.inputs.get(value.name, value.name) for value in self.spec.body_of(self.model).inputs]
        known = {field.name for field in data.fields}
        found = (prompts.of_field(data, field, self.fitted()) for field in fields if field in known)
        return next((tokens for tokens in found if tokens is not None), None)

    def _columns(self) -> dict[str, InputColumns]:
        """The columns that the numbers of an input are from, by input."""
        if self.train is None or self.spec.models[self.train.net(self.net).model].name != self.model.name:
            return {}
        section, data = self.section, self.spec.recipe.dataset(self.train.data)
        own = [value.name for value in self.spec.body_of(self.model).inputs]
        inputs = [name for name in own if section is None or name in section.inputs]
        preprocess = section is not None and section.preprocess
        return columns_of(data, self.train, inputs, self.fitted(), preprocess)

    @property
    def preprocess(self) -> bool:
        return self.section is not None and self.section.preprocess

    def _own(self, inputs: Sequence[str]) -> dict[str, bool]:
        """Whether each of these inputs of the graph is an input of the model."""
        own = {value.name for value in self.spec.body_of(self.model).inputs}
        return {name: name in own for name in inputs}

    def _trains_it(self) -> Train | None:
        """The `train` section, where it trains the model that is exported."""
        train = self.train
        return train if train and self.spec.models[train.net(self.net).model].name == self.model.name else None

    def lookups(self, inputs: Sequence[str]) -> dict[str, HeldLookup]:
        """Strings that the graph looks up, by input."""
        train = self._trains_it()
        if train is None or not self.preprocess or self.options.cached:
            return {}
        return held(self.spec.recipe.dataset(train.data), train, self._own(inputs), self.fitted())

    def pipeline(self, inputs: Sequence[str]) -> InputPipeline | None:
        """What leads from raw records to these inputs of the graph; None where they are not the fields of the data."""
        train = self._trains_it()
        if train is None or self.options.cached:
            return None
        data, lookups = self.spec.recipe.dataset(train.data), self.lookups(inputs)
        return pipeline_of(
            data,
            train,
            self._own(inputs),
            self.fitted(),
            self.root,
            preprocess=self.preprocess,
            lookups={name: found.node for name, found in lookups.items()},
        )

    def metadata(self, weights: str, preprocessing: str) -> dict[str, str]:
        """The metadata of the file. The vocabulary is that which the run's data gave."""
        spec = self.spec
        count = sum(entry.size for entry in parameters(spec, self.model) if not entry.buffer)
        return {
            "dlc.spec": spec.name,
            "dlc.spec_hash": hashlib.blake2b(spec.model_dump_json().encode(), digest_size=16).hexdigest(),
            "dlc.weights": weights,
            "dlc.parameters": str(count),
            "dlc.precision": self.written_as,
            "dlc.preprocessing": preprocessing,
            "dlc.vocabulary": json.dumps(self._vocabulary()),
            "dlc.columns": as_json(self._columns()),
            **({"dlc.tokenizer": tokens.model_dump_json()} if (tokens := self._tokens()) is not None else {}),
            **({"dlc.compared_on": processor()} if self.options.verify else {}),
        }


def processor() -> str:
    """The processor that compares, and the kernels that PyTorch and ONNX Runtime choose for it: `x86_64 AVX2, ...`."""
    import onnxruntime
    import torch

    features = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} {features}, onnxruntime {onnxruntime.__version__}, torch {torch.__version__}"


def request_of(source: Loaded | Run, options: ExportOptions) -> Request:
    """Decides what is exported. Raises BadInput for options, and Failed for what the `export` section asks for and ONNX does
    not have."""
    spec, run = source.spec, source if isinstance(source, Run) else None
    section = _section(spec, options.section)
    model = spec.models[section.model] if section else _default_model(spec)
    train = _train_of(spec, section)
    net = section.net if section else (train.nets[0].name if train else "")
    path = _destination(spec, run, section, options.path)
    precision = options.precision or (section.precision if section else "f32")
    if precision not in PRECISIONS:
        raise BadInput(f"there is no precision `{precision}`", helps=('use `"f32"`, `"f16"` or `"bf16"`',))
    if section is not None and section.quantize is not None and precision != "f32":
        raise Failed(errors.quantized_half(precision, section.quantize.span))
    root = Path(run.data.root) if run is not None else source.path.parent
    return Request(spec, run, section, model, train, net, path, precision, options, root)


def sections(source: Loaded | Run) -> list[str]:
    """Names of the `export` sections; [""] when there is none, since the model can be exported all the same."""
    recipe = source.spec.recipe
    found = [section.name for section in recipe.exports]
    return found or [""]


def _section(spec: Spec, name: str | None) -> Export | None:
    found: tuple[Export, ...] = spec.recipe.exports
    if name is None:
        if len(found) > 1:
            listed = ", ".join(f"`{section.name}`" for section in found)
            raise BadInput(
                f"`{spec.name}` has several `export` sections: {listed}", helps=("choose one with `--section NAME`",)
            )
        return found[0] if found else None
    for section in found:
        if section.name == name:
            return section
    if name == "" and not found:
        return None
    names = [section.name for section in found if section.name]
    near = nearest(name, names)
    if near is not None:
        help = f"did you mean `{near}`?"
    else:
        help = f"use {', '.join(f'`{each}`' for each in names)}" if names else "leave the name of the section out"
    raise BadInput(f"`{spec.name}` has no `export` section `{name}`", helps=(help,))


def _default_model(spec: Spec) -> Model:
    """The model of the only `train` section, else the only model."""
    trains: tuple[Train, ...] = spec.recipe.trains
    if len(trains) == 1 and len(trains[0].nets) == 1:
        return spec.models[trains[0].nets[0].model]
    if len(spec.models) == 1:
        return spec.models[0]
    if not spec.models:
        raise BadInput(f"`{spec.name}` has no model to export", helps=("write one, or export another spec",))
    listed = ", ".join(f"`{model.name}`" for model in spec.models)
    raise BadInput(
        f"which model of `{spec.name}` to export? It has {listed}",
        helps=(f"name it in the spec: `export {{ model = {spec.models[0].name} }}`",),
    )


def _train_of(spec: Spec, section: Export | None) -> Train | None:
    """The `train` section whose weights are exported; None for a model that none trains."""
    trains: tuple[Train, ...] = spec.recipe.trains
    if section is not None:
        return (
            next((train for train in trains if train.name == section.train), None)
            if section.train is not None
            else None
        )
    return trains[0] if len(trains) == 1 and len(trains[0].nets) == 1 else None


def _destination(spec: Spec, run: Run | None, section: Export | None, wanted: str | Path | None) -> Path:
    if wanted is not None:
        path = Path(wanted)
    else:
        name = section.onnx if section is not None else f"{spec.name}.onnx"
        path = destination.default(
            name, run.path if run is not None else None, section.place("onnx") if section is not None else None
        )
    if path.is_dir():
        raise BadInput(f"`{path}` is a directory", helps=("name the file: `-o model.onnx`",))
    return path
