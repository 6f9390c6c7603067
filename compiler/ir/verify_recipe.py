"""What a legal recipe is: every reference of a section resolves. The catalogue's part is in `compiler/analysis/verify.py`.

data       a node reads earlier nodes only; fields and `where` point at nodes; a field has the batch axis first
train      data, nets, fields of inputs, bodies, values of terms and metrics, lets, figures that are followed, weight maps
selectors  groups, freezing and weight rules choose at least one parameter of the nets that they speak of
export     the train section, its net, the model, and the model's values that inputs and the tail name
search     the train section, the figure it follows, and the draws that its conditions compare
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ..sizes.dims import variables
from ..sizes.types import TensorType
from .arguments import Selector
from .data import Condition, DataSet
from .expand import ParameterEntry, parameters, selects
from .export import Export
from .faults import Fault
from .globs import glob
from .model import Body, CallNode, Model, Spec
from .search import Search
from .train import Evaluation, Net, Phase, Term, Train, Update, Watched
from .verify import is_rank, output_types
from .weights import Foreign, WeightMap
from .wildcards import wildcards

#: Nodes of a data graph that are not transforms of the catalogue, with how many nodes each reads (None: any number).
DATA_NODES: dict[str, int | None] = {
    "source": 0, "columns": 0, "tuple": None, "member": 1, "slice": 1, "index": 1, "to_float": 1, "choose": 2
}  # fmt: skip
#: The path of the net of `train.model` in the bodies of the section.
MODEL = "model"


def recipe_faults(spec: Spec) -> list[Fault]:
    """The faults of a recipe over bodies and models that have none."""
    check = _Check(spec)
    recipe = spec.recipe
    sections: list[tuple[str, Iterable[Any]]] = [
        ("data", recipe.data), ("train", recipe.trains), ("export", recipe.exports),
        ("search", recipe.searches), ("weights", recipe.maps),
    ]  # fmt: skip
    for kind, found in sections:
        check.once(f"{kind} sections", [section.name for section in found])
    for data in recipe.data:
        check.data(f"data `{data.name}`", data)
    for train in recipe.trains:
        check.train(_place("train", train.name), train)
    for export in recipe.exports:
        check.export(_place("export", export.name), export)
    for search in recipe.searches:
        check.search(_place("search", search.name), search)
    for found in recipe.maps:
        check.weights(f"weights `{found.name}`", found)
    return check.faults


def _place(kind: str, name: str) -> str:
    return f"{kind} `{name}`" if name else kind


def data_faults(place: str, data: DataSet) -> list[Fault]:
    """The faults of the nodes and fields of a `data` section."""
    found: list[Fault] = []
    for position, node in enumerate(data.nodes):
        where = f"{place}, node {position} `{node.op}`"
        if node.id != position:
            found.append(Fault(where, f"has the number {node.id}"))
        for id in node.inputs:
            if not 0 <= id < position:
                found.append(Fault(where, f"reads node {id}, which is not before it"))
        count = DATA_NODES.get(node.op)
        if count is not None and len(node.inputs) != count:
            found.append(Fault(where, f"reads {len(node.inputs)} nodes, where {count} are needed"))
    for field in data.fields:
        where = f"{place}, field `{field.name}`"
        if not 0 <= field.node < len(data.nodes):
            found.append(Fault(where, f"there is no node {field.node}"))
        if [str(size) for size in field.type.shape[:1]] != ["B"]:
            found.append(Fault(where, f"`{field.type}` does not begin with the batch axis `B`"))
    return found


class _Check:
    def __init__(self, spec: Spec) -> None:
        self.spec, self.recipe = spec, spec.recipe
        self.faults: list[Fault] = []
        self.entries: dict[int, list[ParameterEntry]] = {}

    def say(self, place: str, text: str) -> None:
        self.faults.append(Fault(place, text))

    def once(self, place: str, names: Iterable[str]) -> None:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                self.say(place, f"two are called `{name}`")
            seen.add(name)

    def known(self, place: str, what: str, name: Any, known: Collection[Any]) -> bool:
        if name in known:
            return True
        self.say(place, f"{what} `{name}` does not exist")
        return False

    def body(self, place: str, index: int | None, role: str) -> Body | None:
        """The body of an expression."""
        if index is None:
            return None
        if not 0 <= index < len(self.spec.bodies):
            self.say(place, f"there is no body {index}")
            return None
        if self.spec.bodies[index].role != role:
            self.say(place, f"body {index} is a {self.spec.bodies[index].role}, where a {role} is needed")
        return self.spec.bodies[index]

    def model(self, place: str, index: int) -> Model | None:
        if 0 <= index < len(self.spec.models):
            return self.spec.models[index]
        self.say(place, f"there is no model {index}")
        return None

    def parameters(self, index: int) -> list[ParameterEntry]:
        if index not in self.entries:
            self.entries[index] = list(parameters(self.spec, self.spec.models[index]))
        return self.entries[index]

    # ---- data ----------------------------------------------------------------------------------------------------------

    def data(self, place: str, data: DataSet) -> None:
        self.faults += data_faults(place, data)
        self.once(f"{place}, fields", [field.name for field in data.fields])
        for kind, name in _compared(data.where):
            if kind == "node" and not (isinstance(name, int) and 0 <= name < len(data.nodes)):
                self.say(f"{place}, where", f"there is no node {name}")

    # ---- training ------------------------------------------------------------------------------------------------------

    def train(self, place: str, train: Train) -> None:
        self.once(f"{place}, nets", [net.name for net in train.nets])
        sound = [self.model(f"{place}, net `{net.name}`", net.model) is not None for net in train.nets]
        if not self.known(place, "the data section", train.data, [data.name for data in self.recipe.data]):
            return
        if not all(sound):
            return
        data = self.recipe.dataset(train.data)
        fields = {field.name: field.type for field in data.fields}
        single = next((net for net in train.nets if not net.name), None)
        inputs = [value.name for value in self.model_body(single).inputs] if single is not None else []
        for name, field in train.inputs.items():
            self.known(place, "the model's input", name, inputs)
            self.known(place, f"input `{name}` is fed by the field", field, fields)
        for name in inputs:
            if name not in train.inputs:
                self.say(place, f"the model's input `{name}` is not fed")
        if not train.phases:
            self.say(place, "has no phases")
        self.once(f"{place}, phases", [phase.name for phase in train.phases])
        for phase in train.phases:
            self.phase(f"{place}, {_place('phase', phase.name)}", train, phase, fields)
        self.evaluation(f"{place}, evaluation", train, train.evaluation, fields)
        if train.keep.metric is not None:
            self.figure(f"{place}, keep", train, train.keep.metric)
        if train.stop is not None:
            self.figure(f"{place}, stop", train, train.stop.metric)
        for name, source in train.weights.items():
            self.known(f"{place}, weights", "the net", name, [net.name for net in train.nets])
            if source.map is not None:
                self.known(
                    f"{place}, weights", "the weight map", source.map, [found.name for found in self.recipe.maps]
                )

    def model_body(self, net: Net) -> Body:
        return self.spec.body_of(self.spec.models[net.model])

    def phase(self, place: str, train: Train, phase: Phase, fields: dict[str, TensorType]) -> None:
        shared = self.body(f"{place}, shared", phase.shared, "step")
        lets: dict[str, TensorType] = {}
        if shared is not None:
            self.expressions(f"{place}, shared", train, shared, fields)
            lets = dict(zip([result.name for result in shared.outputs], output_types(shared), strict=True))
        self.once(f"{place}, steps", [update.name for update in phase.updates])
        if not phase.updates:
            self.say(place, "has no updates")
        for update in phase.updates:
            self.update(f"{place}, {_place('step', update.name)}", train, update, fields, lets)
        if phase.sampling is not None:
            self.known(f"{place}, sampling", "the field", str(phase.sampling.args.get("field")), fields)
        every = [net.name for net in train.nets]
        for item in phase.freeze:
            self.selected(f"{place}, freeze", item.selectors, train, every)
        log = self.body(f"{place}, log", phase.log.body, "step")
        if log is not None:
            self.expressions(f"{place}, log", train, log, fields)
        results = [result.name for result in log.outputs] if log is not None else []
        for name in (*phase.log.images, *phase.log.values):
            self.known(f"{place}, log", "the value", name, results)

    def update(
        self, place: str, train: Train, update: Update, fields: dict[str, TensorType], lets: dict[str, TensorType]
    ) -> None:
        nets = [net.name for net in train.nets]
        for name in update.nets:
            self.known(place, "the net", name, nets)
        for name in update.lets:
            self.known(place, "the let", name, lets)
        body = self.body(place, update.body, "step")
        if body is not None:
            self.expressions(place, train, body, fields | {name: lets[name] for name in update.lets if name in lets})
            self.terms(place, body, update.terms)
        for group in update.groups:
            where = f"{place}, group"
            self.selected(where, group.selectors, train, nets)
            for name in (*group.args, *group.schedules):
                self.known(where, "the optimizer's argument", name, update.optimizer.args)
        for name in update.optimizer.schedules:
            self.known(place, "the optimizer's argument", name, update.optimizer.args)

    def evaluation(self, place: str, train: Train, found: Evaluation, fields: dict[str, TensorType]) -> None:
        body = self.body(place, found.body, "metrics")
        if body is None:
            return
        self.expressions(place, train, body, fields)
        self.terms(place, body, found.terms)
        self.once(f"{place}, metrics", [metric.name for metric in found.metrics])
        for metric in found.metrics:
            self.value(f"{place}, metric `{metric.name}`", body, metric.value, metric.parts)

    def expressions(self, place: str, train: Train, body: Body, known: dict[str, TensorType]) -> None:
        """Inputs are fields or lets; instances are nets, with what the section reads of them."""
        for value in body.inputs:
            if self.known(place, "the field", value.name, known) and value.type != known[value.name]:
                self.say(place, f"input `{value.name}` is `{value.type}`, the field `{known[value.name]}`")
        nets = {net.name or MODEL: net for net in train.nets}
        for instance in body.instances:
            if not self.known(place, "the net", instance.path, nets) or instance.body is None:
                continue
            net = nets[instance.path]
            name, model = self.spec.bodies[instance.body].name, self.spec.models[net.model].name
            if name != model:
                self.say(place, f"net `{instance.path}` is a `{model}`, body {instance.body} is a `{name}`")
            for node in body.nodes:
                if isinstance(node, CallNode) and node.instance == instance.path:
                    results = {result.name for result in self.spec.bodies[node.body].outputs}
                    for extra in net.extra:
                        self.known(place, f"net `{instance.path}` has no value", extra, results)

    def terms(self, place: str, body: Body, terms: Iterable[Term]) -> None:
        terms = list(terms)
        self.once(f"{place}, losses", [term.name for term in terms])
        for term in terms:
            self.value(f"{place}, loss `{term.name}`", body, term.value, term.counts)

    def value(self, place: str, body: Body, value: int, nodes: Iterable[int]) -> None:
        """A term or metric is an output of the body, a single number, made of some of its nodes."""
        types = {result.value: type for result, type in zip(body.outputs, output_types(body), strict=True)}
        if value not in types:
            self.say(place, f"value {value} is not an output of the body")
        elif types[value].shape:
            self.say(place, f"`{types[value]}` is not a single number")
        for index in nodes:
            if not 0 <= index < len(body.nodes):
                self.say(place, f"the body has no node {index}")

    def figure(self, place: str, train: Train, watched: Watched) -> None:
        known = {"loss"} | {term.name for term in train.evaluation.terms}
        known |= {metric.name for metric in train.evaluation.metrics}
        self.known(place, "the figure", watched.name, known)
        split = self.recipe.dataset(train.data).split.args
        if split.get(watched.split) is None and split.get("split") != watched.split:
            self.say(place, f"the data has no split `{watched.split}`")

    def selected(self, place: str, selectors: Iterable[Selector], train: Train, nets: Iterable[str]) -> None:
        """Each selector chooses a parameter, under the net's name where it has one."""
        for selector in selectors:
            if selector.kind == "rank" and not is_rank(selector.text):
                self.say(place, f"the selector `{selector.text}` is not a comparison of a rank")
                continue
            for net in train.nets:
                prefix = f"{net.name}." if net.name else ""
                if net.name in nets and any(
                    selects(selector, prefix + entry.path, entry.layer, entry.leaf, len(entry.shape))
                    for entry in self.parameters(net.model)
                ):
                    break
            else:
                self.say(place, f"the selector `{selector.text}` chooses no parameter")

    # ---- export, search, weights ---------------------------------------------------------------------------------------

    def export(self, place: str, export: Export) -> None:
        model = self.model(place, export.model)
        if model is None:
            return
        if export.train is not None and self.known(
            place, "the train section", export.train, [train.name for train in self.recipe.trains]
        ):
            nets = {net.name: net.model for net in self.recipe.train(export.train).nets}
            if self.known(place, "the net", export.net, nets) and nets[export.net] != export.model:
                self.say(
                    place, f"model {export.model} is not that of the net `{export.net}`, which is {nets[export.net]}"
                )
        body = self.spec.body_of(model)
        types = {value.id: value.type for value in body.values()}
        values = {value.name: value.id for value in body.inputs} | body.taps
        values |= {result.name: result.value for result in body.outputs}
        for name in export.inputs:
            self.known(place, "the model's value", name, values)
        tail = self.body(place, export.tail, "step")
        for value in tail.inputs if tail is not None else ():
            if self.known(f"{place}, outputs", "the model's value", value.name, values):
                have = types[values[value.name]]
                if have != value.type:
                    self.say(
                        f"{place}, outputs", f"`{value.name}` is `{have}`, body {export.tail} takes `{value.type}`"
                    )
        self.once(f"{place}, outputs", [result.name for result in tail.outputs] if tail is not None else [])
        sizes = {
            name for i in export.inputs if i in values for size in types[values[i]].shape for name in variables(size)
        }
        for name in export.fix:
            self.known(f"{place}, fix", "the size", name, sizes)

    def search(self, place: str, search: Search) -> None:
        if self.known(place, "the train section", search.train, [train.name for train in self.recipe.trains]):
            train = self.recipe.train(search.train)
            if train.data in [data.name for data in self.recipe.data]:
                self.figure(f"{place}, objective", train, search.objective)
        drawn = [draw.path for draw in search.draws]
        self.once(f"{place}, draws", drawn)
        for draw in search.draws:
            where = f"{place}, draw `{draw.path}`"
            if not draw.cases or draw.cases[-1].condition is not None:
                self.say(where, "has no case for the rest")
            for case in draw.cases:
                for kind, name in _compared(case.condition):
                    if kind == "setting":
                        self.known(where, "the draw", name, drawn)

    def weights(self, place: str, found: WeightMap) -> None:
        models = [at for at, model in enumerate(self.spec.models) if model.name == found.model]
        if not self.known(place, "the model", found.model, [self.spec.models[at].name for at in models]):
            return
        paths = [entry.path for at in models for entry in self.parameters(at)]
        for rule in found.rules:
            for pattern in _patterns(rule.theirs):
                if wildcards(pattern) != wildcards(rule.ours):
                    self.say(place, f"`{rule.ours}` and `{pattern}` have different wildcards")
            if not any(glob(rule.ours).matches(path) for path in paths):
                self.say(place, f"the rule `{rule.ours}` produces no parameter")


def _compared(condition: Condition | None) -> Iterator[tuple[str, Any]]:
    """What a condition names: `("node", id)`, `("setting", path)`."""
    if condition is None:
        return
    for item in condition.items:
        yield from _compared(item)
    for side in (condition.left, condition.right):
        if isinstance(side, tuple):
            kind, name = side  # pyright: ignore[reportUnknownVariableType]
            yield kind, name


def _patterns(foreign: Foreign) -> Iterator[str]:
    if foreign.kind == "tensor":
        yield foreign.pattern
    for item in foreign.items:
        yield from _patterns(item)


__all__ = ["DATA_NODES", "data_faults", "recipe_faults"]
