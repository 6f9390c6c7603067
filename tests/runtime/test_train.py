"""Training end to end on small specs: what a run is, silent between log points, clear when something fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dlc.runtime import api
from dlc.runtime.failure import BadInput, Diverged, RunFailure
from dlc.runtime.generated import build as programs
from dlc.runtime.training import loop, reporter
from dlc.runtime.training.events import Event, Progress, Started, Validated
from dlc.runtime.training.state import TrainingState

from .small_runs import DATA, MODEL, equal, fit, rows_of, spec, weights

# ---- what a run is ---------------------------------------------------------------------------------------------------


def test_a_run_directory_is_complete(tmp_path: Path) -> None:
    events: list[Event] = []
    run = fit(spec(tmp_path), tmp_path / "run", listener=events.append)
    assert sorted(path.name for path in run.path.iterdir()) == [
        "best",
        "data.json",
        "env.json",
        "ir.json",
        "judgement.json",
        "last",
        "log.txt",
        "metrics.csv",
        "model.py",
        "recipe.py",
        "result.json",
        "spec.dlspec",
    ]
    assert set(run.figures) == {"val.loss", "val.acc", "test.loss", "test.acc"}
    rows = rows_of(run)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert isinstance(events[0], Started)
    assert events[0].steps == 24
    assert [event.step for event in events if isinstance(event, Validated)] == [8, 16, 24]
    assert api.evaluate(run, "test", device="cpu") == pytest.approx(
        {name.removeprefix("test."): value for name, value in run.figures.items() if name.startswith("test.")}
    )
    # the resolved spec is a spec that means the same
    again = fit(run.path / "spec.dlspec", tmp_path / "again")
    assert equal(weights(run), weights(again))


def test_equal_runs_are_bitwise_equal_and_seeds_differ(tmp_path: Path) -> None:
    file = spec(tmp_path)
    a, b, c = fit(file, tmp_path / "a"), fit(file, tmp_path / "b"), fit(file, tmp_path / "c", seed=1)
    assert equal(weights(a), weights(b))
    assert not equal(weights(a), weights(c))


def test_adding_a_layer_leaves_other_initial_values_alone(tmp_path: Path) -> None:
    small = api.load(spec(tmp_path)).module().state_dict()
    model = MODEL.replace("head: Linear(10)", "extra: Linear(144) -> head: Linear(10)")
    large = api.load(spec(tmp_path, model=model)).module().state_dict()
    assert all(torch.equal(small[name], large[name]) for name in small)
    assert "extra.weight" in large


def test_a_directory_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    file = spec(tmp_path)
    fit(file, tmp_path / "run", duration="1 steps")
    with pytest.raises(BadInput, match="already holds a run"):
        fit(file, tmp_path / "run")


def test_a_run_that_ended_before_it_began_can_begin_again(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.py").write_text("half")
    assert fit(spec(tmp_path), tmp_path / "run", duration="1 steps").figures
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="is not empty"):
        fit(spec(tmp_path), tmp_path / "other")


def test_a_mistake_in_the_data_leaves_nothing_behind(tmp_path: Path) -> None:
    data = DATA.replace('builtin("digits")', 'csv("missing.csv")').replace(
        "source.image -> scale(1 / 16) -> if", "source.image -> if"
    )
    text = data.replace("image: f32[1, 8, 8] = source.image -> if training { shift(1) }", "image: f32 = source.image")
    model = "model M(image: [B]) -> (logits: [B, 10]) { logits = image -> [B] => [B, 1] -> Linear(10) }"
    file = spec(tmp_path, data=text, model=model)
    with pytest.raises(api.SpecError) as caught:
        fit(file, tmp_path / "run")
    assert [d.code for d in caught.value.diagnostics] == ["E0412"]
    assert not (tmp_path / "run").exists()


# ---- the step --------------------------------------------------------------------------------------------------------


class HostReads(TorchDispatchMode):
    """Counts what makes the host wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "_local_scalar_dense" in str(func):
            self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("more", ["", "clip = norm(1.0)", "ema = 0.99", "micro_batch = 16"])
def test_no_host_reads_between_log_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    monkeypatch.setattr(reporter, "REPORT_EVERY", 1e9)
    file = spec(tmp_path, more, "validate = every(1k steps)")
    counts = []
    for steps in (10, 30):
        mode = HostReads()
        run = loop.run_phase

        def counted(state: TrainingState, *args: Any, mode: HostReads = mode, run: Any = run) -> None:
            state.val = None
            with mode:
                run(state, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "run_phase", counted)
            fit(file, tmp_path / f"run{steps}", duration=f"{steps} steps")
        counts.append(mode.count)
    assert counts[0] == counts[1]  # twenty more steps read nothing more


def test_progress_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = spec(tmp_path)
    quiet = fit(file, tmp_path / "a")
    monkeypatch.setattr(reporter, "REPORT_EVERY", 0.0)
    events: list[Event] = []
    chatty = fit(file, tmp_path / "b", listener=events.append)
    assert sum(isinstance(event, Progress) for event in events) >= 24
    assert equal(weights(quiet), weights(chatty))
    assert (quiet.path / "metrics.csv").read_text() == (chatty.path / "metrics.csv").read_text()


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_divergence_before_all_weights_of_a_net(tmp_path: Path) -> None:
    """No input of the first layers needs a gradient: what a hook says of that is nothing to the user."""
    model = MODEL.replace("-> head: Linear(10)", "-> sqrt -> head: Linear(10)")
    assert model != MODEL
    with pytest.raises(Diverged):
        fit(spec(tmp_path, model=model), tmp_path / "run")


def test_divergence_names_the_step_the_module_and_the_place(tmp_path: Path) -> None:
    model = MODEL.replace("-> head: Linear(10)", "-> head: Linear(10) -> exp -> log")
    file = spec(tmp_path, model=model, **{"AdamW(lr = 0 -> linear(1e-2, 5 steps) -> cosine(0, rest))": "SGD(1e4)"})
    with pytest.raises(Diverged) as caught:
        fit(file, tmp_path / "run")
    assert caught.value.exit_code == 3
    assert "diverged at step" in str(caught.value)
    assert any("gives the first number that is not finite" in note for note in caught.value.notes)
    assert any("model.py:" in note or "in `" in note for note in caught.value.notes)
    assert not (tmp_path / "run" / "result.json").exists()


def test_out_of_memory_says_what_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> Any:
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate "
            "6442450944 bytes. Error code 12 (Cannot allocate memory)"
        )

    monkeypatch.setattr(loop, "backward", full)
    with pytest.raises(RunFailure) as caught:
        fit(spec(tmp_path), tmp_path / "run")
    assert str(caught.value) == "out of memory on cpu"
    assert caught.value.notes[:2] == ("batch = 64", "wanted 6.0 GiB more at once")
    assert caught.value.helps == ("`train.micro_batch=32` computes the same step in 2 parts",)


def test_classes_of_data_and_model_must_agree(tmp_path: Path) -> None:
    file = spec(tmp_path, model=MODEL.replace("10", "9"))
    with pytest.raises(api.SpecError) as caught:
        fit(file, tmp_path / "run")
    assert "E0205" in [d.code for d in caught.value.diagnostics]


def test_a_run_without_weights(tmp_path: Path) -> None:
    run = fit(spec(tmp_path), tmp_path / "run", duration="1 steps")
    for name in ("best", "last"):
        for file in (run.path / name).iterdir():
            file.unlink()
        (run.path / name).rmdir()
    with pytest.raises(BadInput, match="has no weights yet"):
        api.evaluate(run, device="cpu")


def test_initial_weights_of_the_program_are_those_of_the_module(tmp_path: Path) -> None:
    loaded = api.load(spec(tmp_path))
    program = programs.build(loaded.spec, loaded.spec.recipe.trains[0], None, torch.device("cpu"))
    assert equal(dict(program.tensors()), loaded.module().state_dict())


# ---- weights from elsewhere, and what is refused -----------------------------------------------------------------------


def test_weights_from_a_file(tmp_path: Path) -> None:
    first = fit(spec(tmp_path), tmp_path / "a")
    file = spec(tmp_path, 'weights = file("a/last/model.safetensors", skip = ["head.**"])', 'freeze "conv.**", "bn.**"')
    fit(file, tmp_path / "b", duration="2 steps")
    one, other = weights(first), weights(tmp_path / "b")
    assert torch.equal(one["conv.weight"], other["conv.weight"])
    assert not torch.equal(one["head.weight"], other["head.weight"])
    wider = MODEL.replace("Linear(10)", "extra: Linear(20) -> top: Linear(10)").replace("head: extra", "extra")
    with pytest.raises(api.SpecError) as caught:
        fit(spec(tmp_path, 'weights = file("a/last/model.safetensors")', model=wider), tmp_path / "c")
    (found,) = caught.value.diagnostics
    assert found.code == "E0405"
    assert any("without a source" in note for note in found.notes)
    assert any("unused: `head." in note for note in found.notes)
    assert not (tmp_path / "c").exists()


def test_sharding_has_nothing_to_do_on_one_device(tmp_path: Path) -> None:
    file = spec(tmp_path, 'runtime { shard = "fsdp"; sync_batch_norm = true }')
    assert [found.code for found in api.load(file).check()] == ["W0415", "W0415"]
    alone, plain = fit(file, tmp_path / "a"), fit(spec(tmp_path), tmp_path / "b")
    assert equal(weights(alone), weights(plain))


def test_several_processes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadInput, match="several processes"):
        fit(spec(tmp_path), tmp_path / "run")
    assert not (tmp_path / "run").exists()
