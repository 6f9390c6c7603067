"""`dlc train` from the spec to the run: data opened, spec checked again with what the data is, directory found or made, trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ...compiler.catalogue import balanced
from ...compiler.catalogue.token_batches import counts_tokens
from ...compiler.check import against
from ...compiler.ir.model import Spec
from ...compiler.ir.train import Train
from ...compiler.messages.names import nearest
from .. import locks
from ..checkpoints import atomic, checkpoint, rundir
from ..checkpoints.rundir import RunDir
from ..data import facts
from ..data.feed import open_data
from ..failure import BadInput, damaged
from ..run import Run
from ..spec import Loaded, SpecError
from ..weights import load as weights
from ..writing import NotWritten
from . import limits, position
from .device import device_of
from .events import Note
from .options import TrainOptions
from .prepared import Prepared, checkpoint_entries

CLASSES_SHOWN = 20  # weights of classes that are printed


def train(loaded: Loaded, options: TrainOptions) -> Run:
    """Trains a run or continues one."""
    section = find_section(loaded.spec, options.section)
    limits.refuse()
    device = device_of(options.device)
    root = Path(options.data_root or loaded.path.parent).resolve()
    data = open_data(loaded.spec.recipe.dataset(section.data), root, workers=section.phases[0].runtime.workers)
    # Class counts, vocabulary sizes and lengths are known now: the spec is checked once more with them.
    counts = balanced.counted_fields(loaded.spec.bodies, section)
    known = facts.of(data, lengths=counts_tokens(section), counts=counts)
    checked = against(loaded.checked, {section.data: known})
    if checked.spec is None:
        raise SpecError(checked.report.diagnostics, checked.sources)
    for found in checked.report.diagnostics:
        if found.code in ("W0407", "W0413", "W0416", "W0417"):  # known only from the data
            options.listener(Note(found.message, found.code))
    if known.laid_out:
        options.listener(Note(f"the records are streamed: their columns are in {known.laid_out}"))
    spec = checked.spec
    section = find_section(spec, options.section)
    for line in balanced.shown(spec.bodies, section, facts.class_names(data), CLASSES_SHOWN):
        options.listener(Note(f"class weights of {line}"))
    out = Path(options.out) if options.out else None
    run = _resumed(loaded, options) if options.resume else rundir.create(Path(options.base), loaded.name, out)
    with run.held():
        if out is not None and not options.resume:
            rundir.refuse_occupied(out)  # by a run that began and ended since
        _train(Prepared(loaded, spec, section, data, root, run, device, (), options))
    return Run(run.path)


def _train(prepared: Prepared) -> None:
    """Trains in a directory that this process holds."""
    spec, section, run, options = prepared.spec, prepared.section, prepared.run, prepared.options
    saved, at = None, None
    if options.resume and atomic.settle(run.last):
        saved = checkpoint.read(run.last)
        entries = checkpoint_entries(spec, section)
        ours = {path: torch.empty(entry.shape, device="meta") for path, entry in entries.items()}
        checkpoint.compare(ours, saved.weights, run.last)
        checkpoint.check_finite(saved.weights, {path for path, entry in entries.items() if entry.buffer}, run.last)
        at = position.of(section, saved.loop)
        if at is None or not isinstance(saved.loop.get("running_steps"), int):
            raise damaged(run.last / checkpoint.LOOP, "it is not a position in this `train` section")
    if run.finished:
        if at is not None and position.complete(section, at, len(prepared.data.part("train"))):
            options.listener(Note(f"the run in {run.path} is complete: there is nothing to resume"))
            return
        with run.writing("result.json") as path:
            path.unlink()
    refused = False
    try:
        pretrained = [] if saved is not None else list(weights.fitted(spec, section, prepared.loaded.path.parent))
        replace(prepared, pretrained=pretrained).train(saved)
    except NotWritten:
        refused = rundir.is_run(run.path)  # complete enough to be resumed
        raise
    finally:
        began = refused or atomic.settle(run.last) or (run.path / "metrics.csv").exists()
        if not began and not options.resume and run.path.is_dir():
            _forget(run)


def find_section(spec: Spec, name: str | None) -> Train:
    """The `train` section to use; raises BadInput when there is none of this name, or several and no name."""
    trains = spec.recipe.trains
    if not trains:
        raise BadInput(
            f"`{spec.name}` has no `train` section", helps=("add one: `dlc explain train` shows what it holds",)
        )
    if name is None and len(trains) == 1:
        return trains[0]
    for found in trains:
        if found.name == name:
            return found
    names = [found.name for found in trains if found.name]
    listed = ", ".join(f"`{each}`" for each in names)
    if name is None:
        raise BadInput(f"which `train` section? this spec has {listed}", helps=("choose one with `--section NAME`",))
    close = nearest(name, names)
    if close is not None:
        help = f"did you mean `{close}`?"
    else:
        help = f"use {listed}" if names else "leave the name out: the section has none"
    raise BadInput(f"`{spec.name}` has no `train` section `{name}`", helps=(help,))


def _resumed(loaded: Loaded, options: TrainOptions) -> RunDir:
    if not isinstance(options.resume, bool):
        return rundir.find(Path(options.resume))
    if options.out is not None:
        return rundir.find(Path(options.out))
    return rundir.newest_unfinished(Path(options.base), loaded.name)


def _forget(run: RunDir) -> None:
    """Removes a run that never began, so that nothing half-written stays; its directory goes when the lock does."""
    for file in run.path.iterdir():
        if file.is_file() and file.name != locks.NAME:
            file.unlink()
