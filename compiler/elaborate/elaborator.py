"""What one check shares: the bodies, the cache of checked bodies, the facts, the stack of instantiations."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..ir.arguments import Selector
from ..ir.expand import parameters, selects
from ..ir.model import Body, Init, InitRule, Model, ModeNode, RepeatNode, Requirement, ScanNode, Spec
from ..messages import elaborate as errors
from ..messages.diagnostics import Abandoned, Diagnostic, Failed, Report
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import SET, Callable, Definition, FileScope
from ..resolve.project import Project
from ..sizes.dims import Dim, DimOverflow, Size, var
from ..sizes.facts import NO_FACTS, Facts
from ..sizes.types import TensorType
from ..text import syntax
from . import expressions, signatures, stages, statements
from .builder import Builder, Scope
from .environment import Environment
from .values import POISON, Instance, Outputs, Tensor

MAX_INSTANCES = 100_000
MAX_VERSIONS = 500  # of one block: each is checked on its own, which takes about a millisecond
MAX_DEPTH = 100
MOST_GIVEN = 4  # settings that a note lists


@dataclass
class Context:
    """Where evaluation stands: the body being built, the names, the numbering, and what is shared."""

    elaborator: Elaborator
    builder: Builder
    environment: Environment
    scope: Scope

    @property
    def facts(self) -> Facts:
        return self.elaborator.facts

    def with_scope(self, scope: Scope) -> Context:
        return Context(self.elaborator, self.builder, self.environment, scope)


@dataclass(frozen=True)
class Checked:
    """A body in the cache: its index, its outputs in order, and the instances it takes from outside."""

    body: int
    outputs: tuple[tuple[str, TensorType], ...]
    instances: dict[str, Instance]


@dataclass(frozen=True)
class Frame:
    """A block being instantiated: where, and as what path."""

    name: str
    span: Span
    path: str


class Elaborator:
    """One run over a project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.report: Report = project.report
        self.bodies: list[Body] = []
        self.layers: list[int] = []  # by body: how many layers it expands to
        self.models: list[Model] = []
        self.elaborated: set[int] = set()  # ids of the nodes of models that were run
        self.cache: dict[Any, Checked | None] = {}
        self.facts: Facts = NO_FACTS
        self.frames: list[Frame] = []
        self.scopes: list[str] = []  # labels of the repeats around, inside the innermost frame
        self.applications = 0
        self.versions: dict[int, int] = {}  # how many each block has, by its node
        self.failures = 0  # statements left for a mistake, be it their own or one before
        self.unlabelled: set[Span] = set()  # layers and blocks whose path follows from their kind
        self.warned: set[Span] = set()  # the first of several unlabelled layers (W0404)
        self.running: set[Any] = set()  # keys of the blocks being run, to catch one that contains itself

    # ---- contexts --------------------------------------------------------------------------------------------------

    def file_context(self, scope: FileScope, statics: dict[str, Any] | None = None) -> Context:
        """A context for static expressions of a file: arguments, defaults, recipe values."""
        environment = Environment(scope)
        if statics is not None:
            environment.statics = statics
        span = Span(scope.name, 0, 0)
        return Context(self, Builder(self.report, "", "block", span), environment, Scope())

    @contextmanager
    def reporting(self, span: Span | None = None) -> Generator[None]:
        """Runs one statement (at `span`); a mistake in it is reported and the next statement goes on."""
        try:
            yield
        except Failed as failure:
            self.failures += 1
            self.report.add(self.located(failure.diagnostic))
        except Abandoned:
            self.failures += 1
        except DimOverflow as overflow:
            if span is None:
                raise
            self.failures += 1
            self.report.add(self.located(errors.size_too_large(str(overflow), span)))

    def located(self, diagnostic: Diagnostic) -> Diagnostic:
        """Adds where the blocks around a mistake were instantiated."""
        notes: tuple[str, ...] = ()
        if self.frames:
            frame = self.frames[-1]
            notes = (errors.instantiated(frame.name, self.project.sources[frame.span.file], frame.span, frame.path),)
        if diagnostic.span.file != self.project.root.name:  # a mistake in a base may come from what overrides it
            notes += tuple(
                errors.overridden(found.name, self.project.sources[found.place.file], found.place)
                for found in self.project.definitions("block")
                if found.override_of is not None
            )
        if diagnostic.code.startswith("E02"):
            notes += self.given(diagnostic)
        if not notes:
            return diagnostic
        return Diagnostic(
            diagnostic.code,
            diagnostic.message,
            diagnostic.span,
            diagnostic.label,
            diagnostic.labels,
            (*diagnostic.notes, *notes),
            diagnostic.helps,
        )

    def given(self, diagnostic: Diagnostic) -> tuple[str, ...]:
        """A note about the sizes that the command line or a variant gives: those whose name stands where the mistake is,
        or all when none does."""
        project = self.project
        found = [
            (setting.path, setting.span)
            for setting in project.settings.values()
            if setting.target.kind == "static" and setting.origin != "set"
        ]
        found += [(path, span) for path, (slot, span) in project.overridden.items() if slot.strength > SET]
        if not found or diagnostic.span.file not in project.sources:
            return ()
        source = project.sources[diagnostic.span.file].text
        words = set(re.findall(r"\w+", source[diagnostic.span.start : diagnostic.span.end]))
        near = [(path, span) for path, span in found if path.rpartition(".")[2] in words]
        chosen = near or found
        if len(chosen) > MOST_GIVEN or any(span.file == diagnostic.span.file for _, span in chosen):
            return ()
        texts = [(project.sources[span.file].text[span.start : span.end], span.file) for _, span in chosen]
        return (errors.given(texts),)

    def add_body(self, body: Body) -> int:
        self.bodies.append(body)
        self.layers.append(self.count_layers(body))
        return len(self.bodies) - 1

    def count_layers(self, body: Body) -> int:
        """Catalogue layers of a body with all that it contains, every turn counted."""
        count = sum(1 if one.body is None else self.layers[one.body] for one in body.instances)
        for node in body.nodes:
            if isinstance(node, RepeatNode):
                count += sum(run.count * self.layers[run.body] for run in node.runs)
            elif isinstance(node, ModeNode):
                count += self.layers[node.training] + self.layers[node.evaluation]
            elif isinstance(node, ScanNode):
                count += self.layers[node.body]
        return count

    # ---- facts -----------------------------------------------------------------------------------------------------

    def assume(
        self,
        context: Context,
        left: Size,
        op: str,
        right: Size,
        span: Span,
        message: str | None,
        divisor: tuple[Size, int] | None = None,
    ) -> None:
        """A claim about sizes: an error when it cannot hold, nothing when it does, else a fact checked at run time."""
        answer = expressions.compare_sizes(left, op, right, self.facts)
        if answer is True:
            return
        if answer is False:
            raise Failed(errors.claim_fails(left, op, right, message, span))
        if divisor is not None:
            size, number = divisor
            name = str(size)
            if isinstance(size, Dim) and name.isidentifier():
                self.facts = self.facts.multiple(name, number)
        elif op in ("<=", "<") and isinstance(right, int):
            self.facts = self.facts.bound(left, high=right if op == "<=" else right - 1)
        elif op in (">=", ">") and isinstance(right, int):
            self.facts = self.facts.bound(left, low=right if op == ">=" else right + 1)
        text = f"{divisor[0]} % {divisor[1]} == 0" if divisor is not None else f"{left} {op} {right}"
        context.builder.requirements.append(
            Requirement(left=left, op=op, right=right, text=text, message=message, span=span)
        )

    # ---- blocks ----------------------------------------------------------------------------------------------------

    def count_application(self, span: Span) -> None:
        self.applications += 1
        if self.applications > MAX_INSTANCES:
            raise Failed(errors.too_many_instances(span))

    def count_version(self, definition: Definition, span: Span) -> None:
        count = self.versions.get(id(definition.node), 0) + 1
        if count > MAX_VERSIONS:
            raise Failed(errors.too_many_versions(definition.name, MAX_VERSIONS, span))
        self.versions[id(definition.node)] = count

    def apply_block(
        self, definition: Definition, statics: dict[str, Any], inputs: list[TensorType | None], span: Span, path: str
    ) -> Checked:
        """The checked body of a block for these statics and input types; each distinct one is run once."""
        node = definition.node
        key = (
            id(node), id(definition.scope), tuple((name, hashable(value)) for name, value in statics.items()),
            tuple(inputs), self.facts,
        )  # fmt: skip
        if key in self.running:
            raise Failed(errors.recursion(definition.name, span))
        if key in self.cache:
            found = self.cache[key]
            if found is None:
                raise Abandoned
            return found
        if len(self.frames) >= MAX_DEPTH or any(
            frame.name == definition.name and frame.path == path for frame in self.frames
        ):
            raise Failed(errors.recursion(definition.name, span))
        if sum(frame.name == definition.name for frame in self.frames) > 8:
            raise Failed(errors.recursion(definition.name, span))
        self.count_version(definition, span)
        self.cache[key] = None
        outer = ".".join(part for part in (self.frames[-1].path if self.frames else "", *self.scopes, path) if part)
        scopes, self.scopes = self.scopes, []
        self.frames.append(Frame(definition.name, span, outer))
        self.running.add(key)
        try:
            result = self.run_block(definition, statics, inputs, span)
        except Failed as failure:
            self.report.add(self.located(failure.diagnostic))
            raise Abandoned from None
        except DimOverflow as overflow:
            self.report.add(self.located(errors.size_too_large(str(overflow), definition.node.span)))
            raise Abandoned from None
        finally:
            self.frames.pop()
            self.scopes = scopes
            self.running.discard(key)
        if result is None:
            raise Abandoned
        self.cache[key] = result
        return result

    def run_block(
        self, definition: Definition, statics: dict[str, Any], inputs: list[TensorType | None], span: Span
    ) -> Checked | None:
        """Runs a block's body symbolically; None when it had mistakes (they are reported)."""
        node = definition.node
        assert isinstance(node, (syntax.Block, syntax.BlockSeq, syntax.Model))
        role = "sequence" if isinstance(node, syntax.BlockSeq) else "block"
        builder = Builder(self.report, definition.name, role, node.span)
        environment = Environment(definition.scope, dict(statics))
        if isinstance(node, syntax.BlockSeq):
            context = Context(self, builder, environment, Scope(numbered=True))
            flow = tuple(
                builder.input(type, "x" if len(inputs) == 1 else f"x{i}") for i, type in enumerate(inputs) if type
            )
            result = stages.run(context, flow[0] if len(flow) == 1 else flow, node.stages)
            outputs = expressions.as_outputs(context, result, node.span)
        else:
            signature = signatures.signature_of(node)
            context = Context(self, builder, environment, Scope())
            for decl, type in zip(signature.inputs, inputs, strict=True):
                if type is None:
                    environment.bind(decl.name.text, None, decl.name.span, is_input=True)
                    continue
                tensor = builder.input(type, decl.name.text)
                if decl.type is None:
                    raise Failed(errors.input_without_type(decl.name.text, decl.span))
                signatures.unify(
                    context,
                    decl.type,
                    type,
                    f"input `{decl.name.text}` of `{definition.name}`",
                    bind=True,
                    required=span,
                )
                environment.bind(decl.name.text, tensor, decl.name.span, is_input=True)
            found = self.run_body(context, node.body, signature, is_model=False)
            if found is None:
                return None
            outputs = found
        body = builder.finish(outputs, statics=expressions.plain_statics(environment.statics), dims=sizes(environment))
        if definition.name[:1].islower() and list(_own_parameters(builder)):
            raise Failed(errors.lowercase_owns_weights(definition.name, node.name.span))
        index = self.add_body(body)
        types = tuple((name, tensor.type) for name, tensor in outputs)
        return Checked(index, types, dict(builder.instance_inputs))

    def run_body(
        self, context: Context, body: syntax.Body, signature: signatures.Signature, *, is_model: bool
    ) -> list[tuple[str, Tensor]] | None:
        """Statements in order, then the outputs; None when there were mistakes."""
        before = len(self.report.errors), self.failures
        named = isinstance(signature.outs, syntax.Decls)
        last: Any = None
        outputs: list[tuple[str, Tensor]] | None = None
        for position, statement in enumerate(body.statements):
            final = position == len(body.statements) - 1 and not named
            with self.reporting(statement.span):
                value = statements.run_statement(context, statement, final=final)
                if final:
                    last = value
        if (len(self.report.errors), self.failures) != before:
            return None
        if not is_model:
            self.unused_bindings(context, signature)
        if named:
            assert isinstance(signature.outs, syntax.Decls)
            outputs = []
            for decl in signature.outs.items:
                with self.reporting(decl.span):
                    outputs.append((decl.name.text, self.named_output(context, decl)))
        else:
            if last is None:
                self.report.add(self.located(errors.no_result(body.span)))
                return None
            with self.reporting(body.span):
                outputs = expressions.as_outputs(context, last, body.span)
                if isinstance(signature.outs, syntax.Type):
                    for _, tensor in outputs:
                        signatures.unify(
                            context,
                            signature.outs,
                            tensor.type,
                            "the result",
                            bind=False,
                            required=body.statements[-1].span,
                        )
        return None if (len(self.report.errors), self.failures) != before else outputs

    def named_output(self, context: Context, decl: syntax.Decl) -> Tensor:
        binding = context.environment.bindings.get(decl.name.text)
        if binding is None or binding.is_input or binding.is_size:
            raise Failed(errors.output_not_assigned(decl.name.text, decl.span))
        binding.read = True
        tensor = expressions.as_tensor(context, binding.value, binding.span)
        if decl.type is not None:
            signatures.unify(
                context, decl.type, tensor.type, f"output `{decl.name.text}`", bind=False, required=binding.span
            )
        return tensor

    def unused_bindings(self, context: Context, signature: signatures.Signature) -> None:
        named = signature.outs.items if isinstance(signature.outs, syntax.Decls) else ()
        outputs = {decl.name.text for decl in named}
        for name, binding in context.environment.bindings.items():
            if binding.read or binding.is_input or binding.is_size or name.startswith("_") or name in outputs:
                continue
            if binding.value is not POISON:
                self.report.add(self.located(errors.unused_binding(name, binding.span)))

    def mapped(self, model: Model) -> None:
        """W0402: weights of foreign files are found by path, so every part of a path should be written."""
        for index in reachable(self.bodies, model.body):
            for instance in self.bodies[index].instances:
                if instance.span in self.unlabelled and (instance.parameters or self._owns(instance.body)):
                    self.report.add(errors.unlabelled_weight(instance.path, instance.span))

    def _owns(self, body: int | None) -> bool:
        """Whether a block has parameters in what it consists of."""
        inside = reachable(self.bodies, body) if body is not None else []
        return any(part.parameters for index in inside for part in self.bodies[index].instances)

    def numbered_by_order(self, kind: str, first: Span, span: Span) -> None:
        """W0404, once for each kind of a body: of the first layer and the second."""
        if first not in self.warned:
            self.warned.add(first)
            self.report.add(errors.unlabelled_again(kind, first, span))

    # ---- models ----------------------------------------------------------------------------------------------------

    def model(
        self, definition: Definition, arguments: Callable | None = None, span: Span | None = None
    ) -> Model | None:
        """A root use of a model, on its own signature with the given statics; None when it has mistakes."""
        node = definition.node
        assert isinstance(node, syntax.Model)
        signature = signatures.signature_of(node)
        span = span or node.name.span
        self.facts = NO_FACTS
        self.elaborated.add(id(node))
        before = len(self.report.errors)
        bound: list[dict[str, Any]] = []
        with self.reporting(span):
            callable = arguments or Callable(definition, definition.name)
            callable = self.with_settings(callable, definition, signature)
            context = self.file_context(definition.scope)
            bound.append(signatures.bind_statics(context, callable, signature, definition, span))
        if not bound:
            return None
        statics = bound[0]
        builder = Builder(self.report, definition.name, "model", node.span)
        environment = Environment(definition.scope, dict(statics))
        context = Context(self, builder, environment, Scope())
        for decl in signature.inputs:
            environment.bind(decl.name.text, POISON, decl.name.span, is_input=True)
            with self.reporting(decl.span):
                if decl.type is None:
                    raise Failed(errors.input_without_type(decl.name.text, decl.span))
                type = self.declared_type(context, decl.type)
                environment.bind(decl.name.text, builder.input(type, decl.name.text), decl.name.span, is_input=True)
        outputs: list[tuple[str, Tensor]] | None = None
        if not isinstance(node.outs, syntax.Decls):
            self.report.add(errors.model_outputs_unnamed(definition.name, node.name.span))
        elif len(self.report.errors) == before:
            outputs = self.run_body(context, node.body, signature, is_model=True)
        if outputs is None or len(self.report.errors) > before:
            return None
        for name, binding in environment.bindings.items():
            if isinstance(binding.value, Tensor) and not binding.is_input and binding.value.builder is builder:
                builder.taps[name] = binding.value.id
            if isinstance(binding.value, Outputs):
                for leaf, tensor in binding.value.tensors.items():
                    if tensor.builder is builder:
                        builder.taps[f"{name}.{leaf}"] = tensor.id
        body = builder.finish(outputs, statics=expressions.plain_statics(statics), dims=sizes(environment))
        model = Model(
            name=definition.name,
            statics=expressions.plain_statics(statics),
            body=self.add_body(body),
            divisors=dict(self.facts.divisors),
            bounds=dict(self.facts.bounds),
        )
        self.models.append(model)
        self.check_parameters(model)
        return model

    def with_settings(self, callable: Callable, definition: Definition, signature: signatures.Signature) -> Callable:
        """Overrides of statics (`GPT2.depth = 24`) replace written arguments at every root use."""
        names = [decl.name.text for decl in signature.statics]
        overrides: dict[str, Any] = {}
        for name in names:
            setting = self.project.settings.get(f"{definition.name}.{name}")
            if setting is not None:
                self.project.mark_used(f"{definition.name}.{name}")
                context = self.file_context(setting.scope)
                overrides[name] = expressions.evaluate(context, setting.node)
        if not overrides:
            return callable
        given = dict(zip(names, callable.positional, strict=False)) | dict(callable.keyword) | overrides
        return Callable(callable.target, callable.spelled, (), tuple(given.items()))

    def declared_type(self, context: Context, type: syntax.Type) -> TensorType:
        """The type an input of a root is declared to have: capitalised names are symbolic sizes."""
        dtype = signatures.declared_dtype(type)
        if dtype not in signatures.DTYPES:
            assert type.name is not None
            raise Failed(errors.unknown_dtype(dtype, type.name.span, nearest(dtype, signatures.DTYPES)))
        shape: list[Size] = []
        for item in type.shape.items if type.shape else ():
            size, bound = signatures.split_bound(item)
            if isinstance(size, syntax.Ellipsis) or (isinstance(size, syntax.Ref) and size.name == "_"):
                raise Failed(errors.open_model_input(size.span))
            if isinstance(size, syntax.Ref) and signatures.fresh_size(context, size.name):
                context.environment.bind_size(size.name, var(size.name), size.span)
            value = signatures.size_of(context, size, "this size", names_new=True)
            shape.append(value)
            if bound is not None:
                signatures.limit(context, value, bound, size)
        return TensorType(dtype, tuple(shape))

    def check_parameters(self, model: Model) -> None:
        """Selectors of init rules that match nothing, parameters without an initial value, colliding paths."""
        spec = Spec(edition="1", name="", bodies=tuple(self.bodies), models=(model,))
        unmatched: dict[tuple[int, int], tuple[InitRule, Selector]] = {}
        for body_index in reachable(self.bodies, model.body):
            for rule in self.bodies[body_index].init_rules:
                for selector in rule.selectors:
                    unmatched[(rule.span.start, selector.span.start)] = (rule, selector)
        entries = list(parameters(spec, model, first_turns=True))
        for entry in entries:
            if entry.init is None and not entry.buffer:
                self.report.add(errors.parameter_without_init(entry.path, entry.span))
        for full in (False, True):
            if not unmatched:
                return
            candidates = entries if not full else list(parameters(spec, model))
            for key, (_, selector) in list(unmatched.items()):
                # The prefix of the body that says the rule is any prefix here: a rule of a block is relative to it.
                if any(
                    selects(selector, tail, entry.layer, entry.leaf, len(entry.shape))
                    for entry in candidates
                    for tail in tails(entry.path, selector)
                ):
                    del unmatched[key]
        for _, selector in unmatched.values():
            paths = [entry.path for entry in entries]
            self.report.add(
                errors.selector_matches_nothing(selector.text, selector.span, suggestion(selector, entries), paths)
            )


def tails(path: str, selector: Selector) -> list[str]:
    """A path and, for globs, what follows each of its segments."""
    if selector.kind != "path":
        return [path]
    parts = path.split(".")
    return [".".join(parts[start:]) for start in range(len(parts))]


def suggestion(selector: Selector, entries: list[Any]) -> str | None:
    """A selector near the given one that does match."""
    if selector.kind == "layer":
        kind, _, leaf = selector.text.partition(".")
        kinds = sorted({entry.layer for entry in entries})
        leaves = sorted({entry.leaf for entry in entries})
        near_kind = kind if kind in kinds else nearest(kind, kinds)
        near_leaf = leaf if leaf in leaves else nearest(leaf, leaves)
        return f"{near_kind}.{near_leaf}" if near_kind and near_leaf else None
    segments = sorted({part for entry in entries for part in entry.path.split(".")})
    parts = [
        part if "*" in part or part in segments else (nearest(part, segments) or part)
        for part in selector.text.split(".")
    ]
    written = ".".join(parts)
    return f'"{written}"' if written != selector.text else None


def reachable(bodies: list[Body], root: int) -> list[int]:
    """Indexes of the bodies a model consists of."""
    found: dict[int, None] = {}
    stack = [root]
    while stack:
        index = stack.pop()
        if index in found:
            continue
        found[index] = None
        for node in bodies[index].nodes:
            for field in ("body", "training", "evaluation"):
                inner = getattr(node, field, None)
                if isinstance(inner, int):
                    stack.append(inner)
            stack.extend(run.body for run in getattr(node, "runs", ()))
        stack.extend(i.body for i in bodies[index].instances if i.body is not None)
    return list(found)


def sizes(environment: Environment) -> dict[str, Size]:
    return {name: binding.value for name, binding in environment.bindings.items() if binding.is_size}


def hashable(value: Any) -> Any:
    """A static value as part of a cache key; ints and floats and bools stay apart."""
    if isinstance(value, Instance):
        return value.signature
    if isinstance(value, tuple):
        return tuple(map(hashable, value))  # pyright: ignore[reportUnknownArgumentType]
    return (type(value).__name__, value)


def _own_parameters(builder: Builder) -> Iterator[Any]:
    for instance in builder.instances.values():
        if instance.parameters:
            yield from instance.parameters
        elif instance.body is not None:
            yield instance


__all__ = ["POISON", "Checked", "Context", "Elaborator", "Init", "reachable"]
