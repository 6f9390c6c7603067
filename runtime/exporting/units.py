"""The way from outputs that are values of a field back to the units of the data, in the exported graph (`preprocess = true`).

    y_hat: f32[B]     -0.714, standardized     becomes     3633, grams

What the graph cannot hold stays in the metadata (`dlc.outputs`), which `dlc predict` and `dlc.Session` apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...compiler.catalogue.transforms import Undo
from ...compiler.ir.model import Model, Result, Scalar, Spec, Value
from ...compiler.messages.source import Span
from ...compiler.sizes.types import TensorType, is_float
from ..inference.answers import Answer
from .added import Added

Constants = dict[str, np.ndarray[Any, Any]]


def in_units(
    spec: Spec, model: Model, answers: Mapping[str, Answer]
) -> tuple[Spec, Model, Constants, dict[str, Answer]]:
    """The model with outputs in the units of the data, their constants by path, and what the outputs stand for now."""
    body = spec.body_of(model)
    back = _Back(max((value.id for value in body.values()), default=-1) + 1)
    outputs: list[Result] = []
    found = dict(answers)
    for result in body.outputs:
        name, value = result.name or "output", body.value(result.value)
        answer = answers.get(name)
        if answer is None or not _can(answer, value.type):
            outputs.append(result)
            continue
        made = back.apply(value, answer, f"units.{name}", body.span)
        outputs.append(result.model_copy(update={"value": made.id}))
        found[name] = replace(answer, scale=1.0, shift=0.0, undo=())
    if not back.nodes:
        return spec, model, {}, found
    changed = body.model_copy(
        update={
            "nodes": (*body.nodes, *back.nodes),
            "instances": (*body.instances, *back.instances),
            "outputs": tuple(outputs),
        }
    )
    made_of = model.model_copy(update={"body": len(spec.bodies)})
    models = tuple(made_of if other is model else other for other in spec.models)
    return spec.model_copy(update={"bodies": (*spec.bodies, changed), "models": models}), made_of, back.constants, found


def _can(answer: Answer, type: TensorType) -> bool:
    """Whether an output is a value of a field in other units, and its numbers are where the numbers of the way back belong."""
    if answer.kind != "value" or not (answer.undo or answer.scale != 1 or answer.shift) or not is_float(type.dtype):
        return False
    several = any(np.ndim(part) for step in answer.undo for part in step[1:])
    return not several or tuple(type.shape[1:]) == answer.shape


class _Back(Added):
    """Operator nodes behind a body."""

    def apply(self, x: Value, answer: Answer, path: str, span: Span) -> Value:
        x = self.as_f32(x, span)
        for number, step in enumerate((("affine", answer.scale, answer.shift), *answer.undo)):
            x = self._step(x, step, f"{path}.{number}", span)
        return x

    def _step(self, x: Value, step: Undo, path: str, span: Span) -> Value:
        if len(step) != 3:
            return self.binary("minus", self.op("exp", (x.id,), x.type, span), Scalar(value=1.0), span)
        for op, name, figures, neutral in (("times", "factor", step[1], 1), ("plus", "shift", step[2], 0)):
            if np.any(np.asarray(figures) != neutral):
                x = self.binary(op, x, self.constant(f"{path}.{name}", figures, span), span)
        return x
