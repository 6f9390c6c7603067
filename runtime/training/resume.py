"""Saving a run and restoring it, bitwise (on a CPU): weights, averages, optimizers, random generators, position.

In `state.safetensors` a tensor of an optimizer is called `optimizer.NUMBER.KEY.PATH`: the update it belongs to, the optimizer's
own key (`exp_avg`), and the path of the parameter. So a checkpoint does not depend on the order of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..checkpoints import atomic, checkpoint
from ..checkpoints.checkpoint import Checkpoint
from . import position
from .events import Saved
from .state import TrainingState


def save(state: TrainingState) -> None:
    """`best/` if it is new, then `last/`. Reads everything from the device; raises NotFinite rather than save weights that a
    bad loss has spoilt."""
    job, at, losses = state.job, state.at, state.losses
    losses.check(at.step)
    if not job.records:
        return
    kept = state.kept
    if not kept.on_disk and kept.tensors is not None:
        figures = {"step": at.best_step, "figures": at.best_figures}
        checkpoint.write(job.run.best, Checkpoint(kept.tensors, loop=figures), job.metadata)
        kept.on_disk = True
    weights = {name: tensor.detach() for name, tensor in state.program.tensors().items()}
    tensors = {**optimizer_state(state), **state.averages.state(), **checkpoint.random_state(job.device)}
    tensors.update({f"running.{i}": total for i, total in enumerate(losses.sums)})
    loop = {**vars(at), "running_steps": losses.steps, "torch": torch.__version__}
    averaged = state.averages.weights()
    checkpoint.write(job.run.last, Checkpoint(weights, averaged, tensors, loop), job.metadata)
    job.listener(Saved(at.step, job.run.last))


def restore(state: TrainingState, saved: Checkpoint) -> None:
    """Puts everything back as it was when `saved` was written. Optimizers follow when the phase has made them (see
    `restore_optimizers`)."""
    job, losses = state.job, state.losses
    tensors = state.program.tensors()
    checkpoint.compare(tensors, saved.weights, job.run.last)
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(saved.weights[name])
    losses.steps = saved.loop["running_steps"]
    at = position.of(state.train, saved.loop)
    assert at is not None  # `prepare.py` refuses others
    state.at = at
    state.averages.restore(saved, job.device)
    count = sum(name.startswith("running.") for name in saved.state)
    losses.sums = [saved.state[f"running.{i}"].to(job.device) for i in range(count)]
    state.optimizers = {name: value for name, value in saved.state.items() if name.startswith("optimizer.")}
    checkpoint.set_random_state(saved.state, job.device)
    if atomic.settle(job.run.best):
        best = checkpoint.read(job.run.best, everything=False)
        if best.loop.get("step") == state.at.best_step:
            state.kept.tensors = {name: value.to(job.device) for name, value in best.weights.items()}


def optimizer_state(state: TrainingState) -> dict[str, Tensor]:
    """What the optimizers keep, by the names of the checkpoint."""
    paths = {id(tensor): path for path, tensor in state.program.tensors().items()}
    found: dict[str, Tensor] = {}
    for number, stepper in enumerate(state.steppers):
        for parameter, values in stepper.states():
            for key, value in values.items():
                if value is not None:
                    name = f"optimizer.{number}.{key}.{paths[id(parameter)]}"
                    found[name] = value if isinstance(value, Tensor) else torch.tensor(value)
    return found


def restore_optimizers(state: TrainingState, saved: Mapping[str, Tensor]) -> None:
    """Gives the optimizers of the phase what they kept."""
    tensors = state.program.tensors()
    for name, value in saved.items():
        kind, number, rest = (*name.split(".", 2), "")[:3]
        if kind != "optimizer":
            continue
        key, path = rest.split(".", 1)
        parameter = tensors[path]
        home = state.steppers[int(number)].home(parameter)
        if home is not None:
            on_device = key != "step" or home.defaults.get("fused")  # torch keeps `step` on the CPU unless fused
            home.state[parameter][key] = (value.to(parameter.device) if on_device else value).clone()
