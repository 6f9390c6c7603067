"""The end of a run: kept weights in place, val and test splits evaluated with them, `result.json`."""

from __future__ import annotations

from typing import Any

import torch

from ...compiler.ir.data import Split
from ..checkpoints import checkpoint, judgements
from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.judgements import Judgement
from ..data.feed import Feed
from ..writing import json_text
from .evaluate import evaluate
from .events import Finished
from .scaling import report_all_skipped
from .state import TrainingState
from .validation import report_undefined


def finish(state: TrainingState) -> dict[str, Any]:
    """The result, as `result.json` holds it."""
    job, at = state.job, state.at
    keep = state.train.keep
    if keep.kind == "best" and keep.metric and at.best is None and state.val is not None:
        job.say(f"`{keep.metric.split}.{keep.metric.name}` was never a number, so the last weights are kept", "W0412")
    report_all_skipped(state)
    use_kept_weights(state)
    figures, judged = final_figures(state)
    result = {
        "figures": figures,
        "step": at.step,
        "epoch": at.epoch + 1,
        "seconds": round(at.seconds, 3),
        "best_step": at.best_step,
        "kept": state.train.keep.kind,
    }
    if job.records:
        if judged:
            rows = {each.split: each.model_dump() for each in judged}
            job.run.write(judgements.NAME, json_text(rows, None) + "\n")
        job.run.write_json("result.json", result)
    job.listener(Finished(job.run.path, at.step, at.seconds, figures, at.best_step, judged=judged))
    return result


def use_kept_weights(state: TrainingState) -> None:
    """The mean of the last validations, else the best ones, else the moving average, else those of the last step."""
    job, at = state.job, state.at
    averaged = state.averages.mean_of_samples() if state.train.keep.kind == "average" else None
    if averaged is not None and job.records:
        checkpoint.write(job.run.best, Checkpoint(averaged, loop={"step": at.step, "figures": {}}), job.metadata)
    kept = averaged or state.kept.tensors or state.averages.weights()
    if kept is not None:
        with torch.no_grad():
            for name, tensor in state.program.tensors().items():
                tensor.copy_(kept[name])


def final_figures(state: TrainingState) -> tuple[dict[str, float], tuple[Judgement, ...]]:
    """`val.acc`, `test.acc`; how the losses ended where nothing was held back. What is judged of each split."""
    job, evaluation = state.job, state.train.evaluation
    size = state.train.phases[-1].batch.evaluation()
    figures: dict[str, float] = {}
    judged: list[Judgement] = []
    splits: tuple[Split, ...] = ("val", "test")
    for split in splits if evaluation.terms or evaluation.metrics else ():
        if split in job.data.parts:
            feed = Feed(job.data, split, training=False, device=job.device)
            judge = job.judge(split) if job.judge is not None else None
            values, losses = evaluate(state.program, feed, size, witness=judge)
            values |= job.baselines(state.program, feed) if job.baselines is not None else {}
            found = {f"{split}.{name}": value for name, value in {**losses, **values}.items()}
            report_undefined(state, split, found)
            figures.update(found)
            if judge is not None:
                judged.append(judge.result({**losses, **values}))
    return figures or {f"train.{name}": value for name, value in state.losses.last.items()}, tuple(judged)
