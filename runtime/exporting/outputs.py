"""What the outputs of an exported graph stand for, for its metadata."""

from __future__ import annotations

from ...compiler.analysis.meaning import NOT_COMPARED, through
from ...compiler.analysis.targets import seeds
from ...compiler.ir.model import Body
from ..inference.answers import Answer
from ..inference.units import answer_of
from .request import Request


def answers_of(request: Request, body: Body) -> dict[str, Answer]:
    """By output of the graph. `body` is what is exported of the model: values that it shares with the model have their numbers
    there. Nothing where no `train` section trains the model: then no loss defines what its outputs are."""
    spec, train = request.spec, request.train
    if train is None or spec.models[train.net(request.net).model].name != request.model.name:
        return {}
    found = through(body, seeds(spec, train, request.net))
    section, fitted, names = spec.recipe.dataset(train.data), request.fitted(), request.classes()
    return {
        result.name or "output": answer_of(found.get(result.value, NOT_COMPARED), section, fitted, names)
        for result in body.outputs
    }
