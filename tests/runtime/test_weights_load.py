"""`weights = ..` of a train section, from each kind of source, to the tensors of a run."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import dlc
from dlc.runtime.failure import Diverged
from dlc.runtime.generated.initialize import initial_values
from dlc.runtime.training.reopen import reopen

SPEC = """dlspec 1

data D {{
  source = builtin("digits")
  split  = random(train = 0.3, val = 0.1, test = 0.6, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
  label: i64 = source.label
}}

model Net(classes: int = 10)(image: [B, 1, 8, 8]) -> (logits: [B, classes]) {{
  x      = image -> conv: Conv(4, 3, bias = false) -> bn: BatchNorm -> relu -> flatten
  logits = x -> hidden: Linear(16) -> relu -> head: Linear(classes)
}}

{maps}

train {{
  model     = Net
  data      = D
  loss      = cross_entropy(logits, label)
  optimizer = AdamW(0.01)
  batch     = 64
  duration  = 6 steps
  validate  = every(3 steps)
{more}
}}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`spec(more, maps, name)` writes a spec with these lines in its train section."""
    monkeypatch.chdir(tmp_path)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def write(more: str = "", maps: str = "", name: str = "net") -> Path:
        file = tmp_path / f"{name}.dlspec"
        file.write_text(SPEC.format(more=more, maps=maps), "utf-8")
        return file

    return write


@pytest.fixture
def theirs() -> dict[str, torch.Tensor]:
    """Weights of the net, as if from elsewhere."""
    torch.manual_seed(5)
    shapes = {
        "conv.weight": (4, 1, 3, 3),
        "bn.weight": (4,),
        "bn.bias": (4,),
        "bn.running_mean": (4,),
        "bn.running_var": (4,),
        "hidden.weight": (16, 144),
        "hidden.bias": (16,),
        "head.weight": (10, 16),
        "head.bias": (10,),
    }
    return {name: torch.rand(shape) for name, shape in shapes.items()}


def began(file: Path) -> dict[str, torch.Tensor]:
    """The weights of a run that learns nothing, so those that it began with."""
    run = dlc.train(dlc.load(file, **{"train.optimizer": "SGD(1e-30)"}), out=file.with_suffix(".run"))
    return load_file(run.directory.last / "model.safetensors")


def same(
    ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], but: Sequence[str] = ("bn.running", "bn.num")
) -> bool:
    return all(torch.equal(ours[name], theirs[name]) for name in theirs if not name.startswith(tuple(but)))


def said(file: Path) -> str:
    with pytest.raises(dlc.SpecError) as caught:
        dlc.train(dlc.load(file), out=file.with_suffix(".run"))
    assert len(caught.value.diagnostics) == 1
    assert not file.with_suffix(".run").exists(), "a run that never began leaves nothing"
    return str(caught.value)


def test_a_safetensors_file(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file(theirs, tmp_path / "w.safetensors")
    file = spec('  weights = file("w.safetensors")')
    assert same(began(file), theirs)
    [record] = json.loads((tmp_path / "net.run" / "weights.json").read_text("utf-8"))
    assert record["loaded"] == 9
    assert len(record["files"][str(tmp_path / "w.safetensors")]) == 32


@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
@pytest.mark.parametrize("old_format", [False, True])
def test_a_pytorch_file(
    spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path, wrap: str | None, old_format: bool
) -> None:
    saved = theirs if wrap is None else {wrap: theirs, "epoch": 3}
    torch.save(saved, tmp_path / "w.pt", _use_new_zipfile_serialization=not old_format)
    assert same(began(spec('  weights = file("w.pt")')), theirs)


def shard(theirs: dict[str, torch.Tensor], folder: Path) -> None:
    folder.mkdir(parents=True)
    names = list(theirs)
    index: dict[str, str] = {}
    for number, part in enumerate((names[:4], names[4:]), 1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: theirs[name] for name in part}, folder / file)
        index |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}), "utf-8")


def test_shards(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    shard(theirs, tmp_path / "w")
    assert same(began(spec('  weights = file("w/model.safetensors.index.json")')), theirs)
    assert same(began(spec('  weights = file("w")', name="folder")), theirs)
    (tmp_path / "w" / "model-00002-of-00002.safetensors").unlink()
    assert "1 of its 2 shards are missing" in said(spec('  weights = file("w")', name="missing"))


def test_the_hugging_face_cache(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    file = spec('  weights = hf("someone/net")')
    assert "hf download someone/net" in said(file)
    home = tmp_path / "hf" / "hub" / "models--someone--net"
    shard(theirs, home / "snapshots" / "abc123")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc123", "utf-8")
    assert same(began(file), theirs)


def test_a_local_repository(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    (tmp_path / "someone" / "net").mkdir(parents=True)
    file = spec('  weights = hf("someone/net")')
    assert "there are no weights in" in said(file)
    save_file(theirs, tmp_path / "someone" / "net" / "model.safetensors")
    assert same(began(file), theirs)


def test_the_torch_hub_cache(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """A file of torchvision is found by its name; that it is a ResNet is what its names say."""
    file = spec('  weights = torchvision("resnet50", "IMAGENET1K_V2")')
    assert "resnet50-11ad3fa6.pth https://download.pytorch.org/models/resnet50-11ad3fa6.pth" in " ".join(
        said(file).split()
    )
    place = tmp_path / "torch" / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth"
    place.parent.mkdir(parents=True)
    torch.save(theirs, place)
    assert same(began(file), theirs)
    assert "use `IMAGENET1K_V1` or `IMAGENET1K_V2`" in said(
        spec('  weights = torchvision("resnet50", "DEFAULT")', name="a")
    )
    assert "did you mean `resnet50`?" in said(spec('  weights = torchvision("resnet51", "IMAGENET1K_V2")', name="b"))


MAP = """weights theirs for Net {
  strip = "net."
  ignore = ["**.position_ids"]
  "head.*" <- "fc.*"
  "hidden.weight" <- "hidden.weight".T
  "**" <- "**"
}"""


def test_through_a_map(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    foreign = {"net." + name.replace("head", "fc"): tensor for name, tensor in theirs.items()}
    foreign["net.hidden.weight"] = theirs["hidden.weight"].T.contiguous()
    save_file({**foreign, "x.position_ids": torch.arange(3)}, tmp_path / "w.safetensors")
    notes: list[str] = []
    file = spec('  weights = theirs(file("w.safetensors"))', MAP)
    dlc.train(
        dlc.load(file), out=tmp_path / "run", listener=lambda event: notes.append(str(getattr(event, "text", "")))
    )
    assert "weights theirs: 9 of 10 tensors loaded; 1 not in the file; 1 ignored; 0 unused" in notes
    assert same(began(file), theirs)


def test_another_head(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file(
        theirs | {"head.weight": torch.zeros(1000, 16), "head.bias": torch.zeros(1000)}, tmp_path / "w.safetensors"
    )
    text = said(spec('  weights = file("w.safetensors")'))
    assert "E0405" in text
    assert "`head.weight` is [1000, 16] there, [10, 16] here" in text
    assert '`skip = ["head.**"]`' in text
    kept = began(spec('  weights = file("w.safetensors", skip = ["head.**"])', name="skipped"))
    assert same(kept, {name: tensor for name, tensor in theirs.items() if "head" not in name})
    assert kept["head.weight"].shape == (10, 16)


def test_half_precision_is_widened(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    half = {name: tensor.bfloat16() for name, tensor in theirs.items()}
    save_file(half, tmp_path / "w.safetensors")
    assert same(began(spec('  weights = file("w.safetensors")')), {name: t.float() for name, t in half.items()})


# ---- files that are not what they say ----------------------------------------------------------------------------------------


class Executes:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


def test_a_pickle_is_never_executed(spec: Callable[..., Path], tmp_path: Path) -> None:
    for name, write in (("a.pt", torch.save), ("b.bin", lambda value, file: file.write_bytes(pickle.dumps(value)))):
        write({"conv.weight": Executes()}, tmp_path / name)
        text = said(spec(f'  weights = file("{name}")', name=name[0]))
        assert "it holds more than tensors" in text
        assert not (tmp_path / "executed").exists()


def header(entries: object) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


HOSTILE = {
    "empty": b"",
    "text": b"these are no weights at all, only a text",
    "length": (2**63).to_bytes(8, "little") + b"{}",
    "list": header([1, 2]),
    "nan": header(b'{"conv.weight": {"dtype": "F32", "shape": [NaN, 1, 3, 3], "data_offsets": [0, 144]}}') + bytes(144),
    "bool": header({"conv.weight": {"dtype": "F32", "shape": [True, 36], "data_offsets": [0, 144]}}) + bytes(144),
    "beyond": header({"conv.weight": {"dtype": "F32", "shape": [4, 1, 3, 3], "data_offsets": [0, 144]}}) + bytes(99),
    "shape": header({"conv.weight": {"dtype": "F32", "shape": [4, 1, 3, 9], "data_offsets": [0, 144]}}) + bytes(144),
    "giant": header({"conv.weight": {"dtype": "F32", "shape": [2**62, 2**62, 0], "data_offsets": [0, 0]}}),
    "twice": header(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "a": {}}') + bytes(8),
    "deep": header(b"[" * 100_000),
    "digits": header(b'{"a": {"dtype": "F32", "shape": [' + b"9" * 10_000 + b'], "data_offsets": [0, 4]}}'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_safetensors_file(spec: Callable[..., Path], tmp_path: Path, name: str) -> None:
    (tmp_path / "w.safetensors").write_bytes(HOSTILE[name])
    text = said(spec('  weights = file("w.safetensors")'))
    assert "E0412" in text or (name == "giant" and "E0405" in text)
    assert "w.safetensors" in text


def test_a_file_cut_short(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(theirs, tmp_path / "w.pt")
    save_file(theirs, tmp_path / "w.safetensors")
    for name in ("w.pt", "w.safetensors"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        assert "E0412" in said(spec(f'  weights = file("{name}")', name=name[2:4]))


@pytest.mark.parametrize(
    "saved",
    [
        [1, 2],
        {"a": 1},
        {"state_dict": {"a": torch.zeros(1)}, "model": {"b": torch.zeros(1)}},
        {"conv.weight": torch.zeros(2, 2).to_sparse()},
        torch.zeros(3),
    ],
    ids=range(5),
)
def test_a_pytorch_file_of_something_else(spec: Callable[..., Path], tmp_path: Path, saved: object) -> None:
    torch.save(saved, tmp_path / "w.pt")
    assert "cannot be read as weights" in said(spec('  weights = file("w.pt")'))


@pytest.mark.parametrize(
    "index", [b"{", b"[]", b'{"weight_map": {"a": "../../secret.safetensors"}}', b'{"weight_map": {"a": 1}}']
)
def test_a_hostile_index(spec: Callable[..., Path], tmp_path: Path, index: bytes) -> None:
    (tmp_path / "w.safetensors.index.json").write_bytes(index)
    assert "E0412" in said(spec('  weights = file("w.safetensors.index.json")'))


def test_quantised_weights_are_refused(
    spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    save_file({**theirs, "hidden.weight": torch.zeros(16, 144, dtype=torch.int8)}, tmp_path / "w.safetensors")
    assert "`hidden.weight` holds int8, `hidden.weight` is float32" in said(spec('  weights = file("w.safetensors")'))


def test_a_misspelled_file(spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file(theirs, tmp_path / "weights.safetensors")
    assert "did you mean" in said(spec('  weights = file("weigths.safetensors")'))


# ---- fine-tuning, end to end -------------------------------------------------------------------------------------------------

TUNE = """  weights = file("base.run/last/model.safetensors", skip = ["head.**"])
  freeze "conv.**", "bn.**"
  freeze "hidden.**" { until = 3 steps }
  ema = 0.9
  seed = 1"""


def test_fine_tuning(spec: Callable[..., Path], tmp_path: Path) -> None:
    base = dlc.train(dlc.load(spec(name="base")), out=tmp_path / "base.run")
    weights = load_file(base.directory.last / "model.safetensors")
    file = spec(TUNE, name="tuned")
    run = dlc.train(dlc.load(file), out=tmp_path / "tuned.run")
    tuned = load_file(run.directory.last / "model.safetensors")
    assert all(torch.equal(tuned[name], weights[name]) for name in weights if name.startswith(("conv", "bn")))
    assert not torch.equal(tuned["hidden.weight"], weights["hidden.weight"])
    first = dict(initial_values(dlc.load(file).spec, dlc.load(file).spec.models[0], 1))
    assert (tuned["head.weight"] - first["head.weight"]).abs().max() < 0.1, "the head begins anew"
    assert (tuned["head.weight"] - weights["head.weight"]).abs().max() > 0.3
    averaged = load_file(run.directory.last / "ema.safetensors")
    assert torch.equal(averaged["conv.weight"], weights["conv.weight"]), "the average begins with the loaded weights"
    assert reopen(run).program is not None


def test_a_fine_tuning_resumes_bitwise(spec: Callable[..., Path], tmp_path: Path) -> None:
    """From a checkpoint, without the file that the weights came from."""
    dlc.train(dlc.load(spec(name="base")), out=tmp_path / "base.run")
    file = spec(TUNE, name="tuned")
    whole = dlc.train(dlc.load(file), out=tmp_path / "whole")
    half = dlc.train(dlc.load(file, **{"train.duration": "4 steps"}), out=tmp_path / "half")
    (tmp_path / "base.run" / "last" / "model.safetensors").unlink()
    resumed = dlc.train(dlc.load(file), out=tmp_path / "half", resume=True)
    for name in ("model.safetensors", "ema.safetensors"):
        one, other = load_file(whole.directory.last / name), load_file(resumed.directory.last / name)
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert half.path == resumed.path


def test_where_a_diverged_fine_tuning_broke(
    spec: Callable[..., Path], theirs: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """The second look begins with the loaded weights too."""
    save_file(theirs | {"head.weight": torch.full_like(theirs["head.weight"], 3e38)}, tmp_path / "w.safetensors")
    with pytest.raises(Diverged) as caught:
        dlc.train(dlc.load(spec('  weights = file("w.safetensors")')), out=tmp_path / "run")
    assert any("`head" in note for note in caught.value.notes), caught.value.notes


# ---- several nets ------------------------------------------------------------------------------------------------------------

TEACHER = """dlspec 1

data D {
  source = builtin("digits")
  split  = random(train = 0.3, val = 0.1, test = 0.6, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
  label: i64 = source.label
}

model Net(hidden: int = 16)(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = image -> flatten -> fc: Linear(hidden) -> relu -> head: Linear(10)
}

train {
  data = D
  let teacher = Net(hidden = 32)
  let student = Net(hidden = 8)
  weights { teacher = file("teacher.safetensors") }
  freeze "teacher.**"
  let t = image -> teacher
  let s = image -> student
  loss      = cross_entropy(s, label) + mse(s, stop_grad(t))
  optimizer = SGD(0.01)
  batch     = 64
  duration  = 3 steps
}
"""


def test_weights_of_one_net_among_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    teacher = {
        "fc.weight": torch.rand(32, 64),
        "fc.bias": torch.rand(32),
        "head.weight": torch.rand(10, 32),
        "head.bias": torch.rand(10),
    }
    save_file(teacher, tmp_path / "teacher.safetensors")
    (tmp_path / "d.dlspec").write_text(TEACHER, "utf-8")
    run = dlc.train("d.dlspec", out="run")
    kept = load_file(run.directory.last / "model.safetensors")
    assert all(torch.equal(kept[f"teacher.{name}"], tensor) for name, tensor in teacher.items())
    assert kept["student.fc.weight"].shape == (8, 64)
