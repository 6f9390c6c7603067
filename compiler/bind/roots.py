"""Which models the sections of a file use, with which statics. It is known before any model is run.

train { model = GPT2(depth = 24); let ema = GPT2() }    two uses
export { model = GPT2(depth = 2) }                      one of its own; `model = GPT2` is what `train` trains
weights openai for GPT2 { .. }                          one where no section uses it
model Head(..)(..) -> (..) { .. }                       one of each model that nothing uses, so that it is checked
"""

from __future__ import annotations

from collections.abc import Mapping

from ..elaborate.arguments import evaluate_arguments
from ..elaborate.roots import RootUse
from ..elaborate.state import State
from ..messages import sections as sections_errors
from ..messages import training as training_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest, unquoted
from ..messages.source import Span
from ..resolve.definitions import Callable, Definition, FileScope
from ..text import syntax, top_level
from .reader import SectionReader


def find_roots(state: State) -> dict[int, RootUse | None]:
    """The uses in order, by the identity of the node that makes each: an expression, a section, or a model. None stands for
    one with a mistake, which is reported."""
    found = _Roots(state)
    project = state.project
    trains = project.sections("train")
    for definition in trains:
        found.train(definition)
    if not project.root.damaged or trains:
        for definition in project.sections("export"):
            found.export(definition, trains)
    for definition in [*project.root.definitions.values(), *project.root.imported.values()]:
        if isinstance(definition, Definition) and definition.kind == "weights":
            found.weights(definition)
    for definition in project.definitions("model"):
        if not any(use is not None and use.definition.node is definition.node for use in found.uses.values()):
            found.uses[id(definition.node)] = whole(definition)
    return found.uses


def whole(definition: Definition, span: Span | None = None) -> RootUse:
    """A model with its own defaults."""
    return RootUse(definition, Callable(definition, definition.name), span or definition.node.name.span)


class _Roots:
    def __init__(self, state: State) -> None:
        self.state = state
        self.uses: dict[int, RootUse | None] = {}
        self.nets: dict[int, dict[str, RootUse | None]] = {}  # by section: the nets of `train`, by their names

    def train(self, definition: Definition) -> None:
        """`model = ..` and the lets that name models."""
        node: top_level.Train = definition.node
        reader = self._reader(definition)
        nets = self.nets[id(node)] = {}
        written = [("", "`model`", value) for value in _values(node.entries, "model")]
        for item in node.entries.items:
            if isinstance(item, top_level.Let) and names_model(definition.scope, item.value):
                written.append((item.name.text, "this `let`", item.value))
        for name, what, value in written:
            use = reader.attempt(lambda value=value, what=what: root_use(self.state, reader, value, what))
            self.uses[id(value)] = nets[name] = use

    def export(self, definition: Definition, trains: list[Definition]) -> None:
        """A model that the section's `train` does not train; what is unknown here is reported by its binder."""
        node: top_level.Export = definition.node
        reader = self._reader(definition)
        try:
            train = self._trained(reader, node, trains)
        except (Failed, Abandoned):
            return
        nets = {} if train is None else self.nets[id(train.node)]
        values = _values(node.entries, "model")
        models = self.state.project.definitions("model")
        if not values and not trains and len(models) == 1:
            self.uses[id(node)] = whole(models[0], models[0].place)
        for value in values:
            try:
                self.uses[id(value)] = self._exported(reader, value, nets)
            except (Failed, Abandoned):
                pass  # its binder reports this, if the train section that it is about has no mistakes

    def _exported(
        self, reader: SectionReader, value: syntax.Pipe, nets: Mapping[str, RootUse | None]
    ) -> RootUse | None:
        """A net of the train section by its own name or that of its model, or a use of a model."""
        plain = reader.plain(value)
        if isinstance(plain, syntax.Ref) and plain.name in nets:
            return nets[plain.name]
        models = [model.name for model in self.state.project.definitions("model")]
        made = root_use(self.state, reader, value, "`model`", [*filter(None, nets), *models])
        if isinstance(plain, syntax.Ref):
            for net in nets.values():
                if net is not None and net.definition.name == made.definition.name:
                    return net
        return made

    def weights(self, definition: Definition) -> None:
        """The model of a weight map that no section uses."""
        try:
            found = definition.scope.lookup(definition.node.model.text)
        except (Failed, Abandoned):
            return
        used = {use.definition.name for use in self.uses.values() if use is not None}
        if isinstance(found, Definition) and found.kind == "model" and found.name not in used:
            self.uses[id(definition.node)] = whole(found)

    def _reader(self, definition: Definition) -> SectionReader:
        return SectionReader(definition.scope, self.state.report, self.state.project.root)

    def _trained(self, reader: SectionReader, node: top_level.Export, trains: list[Definition]) -> Definition | None:
        """The section that `train =` names, or the only one."""
        for value in _values(node.entries, "train"):
            plain = reader.plain(value)
            return next((train for train in trains if isinstance(plain, syntax.Ref) and train.name == plain.name), None)
        return trains[0] if len(trains) == 1 else None


def root_use(
    state: State, reader: SectionReader, node: syntax.Pipe, what: str, known: list[str] | None = None
) -> RootUse:
    """The model that an expression names, with its arguments; `known` are the allowed names."""
    node = reader.plain(node)
    callee = node.callee if isinstance(node, syntax.Call) else node
    if not isinstance(callee, syntax.Ref):
        quoted = unquoted(node.value, known or models_of(reader.scope)) if isinstance(node, syntax.String) else None
        raise Failed(training_errors.not_a_root(node.span, what, quoted))
    scope = reader.scope
    definition = scope.lookup(callee.name)
    if not isinstance(definition, Definition) or definition.kind != "model":
        if known is None:
            known = models_of(scope)
            near = nearest(callee.name, known)
            raise Failed(sections_errors.unknown_definition(callee.span, callee.name, "model", near, known))
        raise Failed(sections_errors.unknown_definition(callee.span, callee.name, "model", nearest(callee.name, known)))
    callable = Callable(definition, callee.name)
    if isinstance(node, syntax.Call):
        context = state.file_context(scope)
        positional, keyword, _ = evaluate_arguments(context, callable, node.args)
        callable = Callable(definition, callee.name, tuple(positional), tuple(keyword.items()))
    return RootUse(definition, callable, node.span)


def names_model(scope: FileScope, node: syntax.Pipe) -> bool:
    """Whether a `let` makes a net."""
    while isinstance(node, syntax.Paren):
        node = node.value
    callee = node.callee if isinstance(node, syntax.Call) else node
    if not isinstance(callee, syntax.Ref):
        return False
    try:
        found = scope.lookup(callee.name)
    except Abandoned:
        return callee.name[:1].isupper()
    return isinstance(found, Definition) and found.kind == "model"


def models_of(scope: FileScope) -> list[str]:
    """The names of the models that a file may write."""
    found = [*scope.definitions.items(), *scope.imported.items()]
    return [name for name, item in found if isinstance(item, Definition) and item.kind == "model"]


def _values(entries: top_level.Entries, name: str) -> list[syntax.Pipe]:
    """The value of `name = value`, the first if it is given twice (which the binder reports)."""
    return [item.value for item in entries.items if isinstance(item, top_level.Key) and item.name.text == name][:1]
