"""Runs models: the top of elaboration, where the state gets what runs expressions and blocks."""

from __future__ import annotations

from typing import Any

from ..ir.model import Model
from ..messages import bodies as errors
from ..messages.diagnostics import Failed
from ..messages.source import Span
from ..resolve.definitions import Callable, Definition
from ..sizes.facts import NO_FACTS
from ..sizes.types import TensorType
from ..text import syntax, top_level
from ..text.node import Node
from . import blocks, expressions, names
from .apply import apply
from .arguments import bind_statics
from .builder import Builder, Scope, json_arguments
from .environment import Environment
from .roots import RootModel, RootUse
from .shapes import declared_type
from .signatures import Signature, default_of, signature_of
from .state import Context, State
from .unmatched import check_parameters
from .values import POISON, CheckedBody, Outputs, SymbolicTensor


class Elaborator(State):
    """Runs models, and is the state of all that runs in them."""

    def evaluate(self, context: Context, node: syntax.Pipe) -> Any:
        return expressions.evaluate(context, node)

    def check_names(self, context: Context, node: Node) -> None:
        names.check_names(context, node)

    def check_blocks(self, context: Context, node: Node) -> None:
        names.check_blocks(context, node)

    def realize(self, context: Context, value: Callable, span: Span) -> Any:
        return apply(context, value, (), span)

    def run_block(
        self, definition: Definition, statics: dict[str, Any], inputs: list[TensorType | None], span: Span
    ) -> CheckedBody | None:
        return blocks.run_block(self, definition, statics, inputs, span)

    def root(self, use: RootUse) -> RootModel | None:
        """Runs the model that a section uses; None when it has mistakes, which are reported."""
        before = len(self.report.errors)
        statics = self.model(*use)
        if statics is None or len(self.report.errors) > before:
            return None
        return RootModel(*use, statics, len(self.models) - 1)

    def model(self, definition: Definition, callable: Callable, span: Span) -> dict[str, Any] | None:
        """Runs a model on its own signature with the given statics, and appends it to `models`. The statics as they are
        with the settings, or None when there were mistakes."""
        node = definition.node
        assert isinstance(node, top_level.Model)
        signature = signature_of(node)
        self.facts = NO_FACTS
        before = len(self.report.errors)
        bound: list[dict[str, Any]] = []
        with self.reporting(span):
            callable = self.with_settings(callable, definition, signature)
            context = self.file_context(definition.scope)
            bound.append(bind_statics(context, callable, signature, definition, span))
        statics = bound[0] if bound else dict.fromkeys((decl.name.text for decl in signature.statics), POISON)
        builder = Builder(self.report, definition.name, "model", node.span)
        environment = Environment(definition.scope, dict(statics))
        context = Context(self, builder, environment, Scope())
        for decl in signature.inputs:
            with self.reporting(decl.span):
                if decl.type is None:
                    raise Failed(errors.input_without_type(decl.name.text, decl.span, default_of(decl)))
                type = declared_type(context, decl.type)
                environment.bind(decl.name.text, builder.input(type, decl.name.text), decl.name.span, is_input=True)
            if decl.name.text not in environment.bindings:  # its type has a mistake, and may name sizes
                environment.bind(decl.name.text, POISON, decl.name.span, is_input=True)
                for name in names.sizes_of(decl.type):
                    if environment.binding(name) is None:
                        environment.bind(name, POISON, decl.span)
        outputs: list[tuple[str, SymbolicTensor]] | None = None
        if not isinstance(node.outs, syntax.Decls):
            self.report.add(errors.model_outputs_unnamed(definition.name, node.name.span))
        else:
            outputs = blocks.run_body(context, node.body, signature, is_model=True)
        if outputs is None or len(self.report.errors) > before:
            return None
        for name, binding in environment.bindings.items():
            if isinstance(binding.value, SymbolicTensor) and not binding.is_input and binding.value.builder is builder:
                builder.taps[name] = binding.value.id
            if isinstance(binding.value, Outputs):
                for leaf, tensor in binding.value.tensors.items():
                    if tensor.builder is builder:
                        builder.taps[f"{name}.{leaf}"] = tensor.id
        body = builder.finish(outputs, statics=json_arguments(statics), dims=environment.dims())
        model = Model(
            name=definition.name,
            statics=json_arguments(statics),
            body=self.add_body(body),
            divisors=dict(self.facts.divisors),
            bounds=dict(self.facts.bounds),
        )
        with self.reporting(span):
            self.check_operations(self.operations[model.body], node.name.span)
        if len(self.report.errors) > before:
            return None
        self.models.append(model)
        check_parameters(self, model)
        return statics

    def with_settings(self, callable: Callable, definition: Definition, signature: Signature) -> Callable:
        """Overrides of statics (`GPT2.depth = 24`) replace written arguments at every root use."""
        statics = [decl.name.text for decl in signature.statics]
        overrides: dict[str, Any] = {}
        for name in statics:
            setting = self.project.settings.get(f"{definition.name}.{name}")
            if setting is not None:
                self.project.mark_used(f"{definition.name}.{name}")
                context = self.file_context(setting.scope)
                overrides[name] = context.evaluate(setting.node)
        if not overrides:
            return callable
        given = dict(zip(statics, callable.positional, strict=False)) | dict(callable.keyword) | overrides
        return Callable(callable.target, callable.spelled, (), tuple(given.items()))
