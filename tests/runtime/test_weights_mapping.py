"""Weight maps on tensors: total both ways, and back again; what does not fit lists both sides."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlc.compiler.check import check
from dlc.compiler.ir.expand import ParameterEntry, parameters
from dlc.compiler.ir.weights import WeightMap
from dlc.compiler.messages.diagnostics import Diagnostic, Failed
from dlc.runtime.weights.mapping import foreign_from, ours_from

SPEC = """dlspec 1

data D {{
  source = builtin("digits")
  split  = random(train = 0.8, val = 0.1, test = 0.1, seed = 0)
  x: f32[1, 8, 8] = source.image
  label: i64 = source.label
}}

block Up(x: [B, K]) -> [B, K] {{
  x -> up: Linear(K)
}}

model M(x: [B, 1, 8, 8]) -> (logits: [B, 10]) {{
{model}
}}

{map}

train {{
  model     = M
  data      = D
  loss      = cross_entropy(logits, label)
  optimizer = SGD(0.1)
  batch     = 32
  duration  = 1 epochs
}}
"""

MODEL = """  logits = x -> conv: Conv(4, 3, pad = 1) -> bn: BatchNorm -> relu -> flatten -> down: Linear(12)
  -> blocks: repeat 2 { Up } -> head: Linear(10)"""


def bound(tmp_path: Path, rules: str) -> tuple[WeightMap | None, list[ParameterEntry]]:
    file = tmp_path / "m.dlspec"
    text = f"weights theirs for M {{\n{rules}\n}}" if rules else ""
    file.write_text(SPEC.format(model=MODEL, map=text), "utf-8")
    checked = check(file)
    assert checked.spec is not None, [d.message for d in checked.report.diagnostics]
    found = checked.spec.recipe.weight_map("theirs") if rules else None
    return found, list(parameters(checked.spec, checked.spec.models[0]))


def values(entries: list[ParameterEntry]) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {e.path: torch.randn(e.shape) if e.dtype == "f32" else torch.tensor(7) for e in entries}


def mistake(*arguments: object, **more: object) -> Diagnostic:
    with pytest.raises(Failed) as caught:
        ours_from(*arguments, **more)  # pyright: ignore[reportArgumentType]
    assert caught.value.diagnostic.code == "E0405"
    return caught.value.diagnostic


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_without_a_map_names_are_equal(tmp_path: Path) -> None:
    _, entries = bound(tmp_path, "")
    ours = values(entries)
    assert equal(ours_from(None, entries, dict(reversed(ours.items()))), ours)
    assert equal(foreign_from(None, ours), ours)


def test_a_missing_counter_is_zero(tmp_path: Path) -> None:
    _, entries = bound(tmp_path, "")
    theirs = values(entries)
    del theirs["bn.num_batches_tracked"]
    assert ours_from(None, entries, theirs)["bn.num_batches_tracked"].item() == 0


RULES = """  strip  = "net."
  ignore = ["**.mask", "nothing.like.this"]
  "blocks.*.up.weight" <- concat("layer.*.q.weight", "layer.*.k.weight"[:4], axis = 0)
  "blocks.*.up.bias"   <- "up_*.b"
  "head.weight"        <- "out.w".T
  "head.*"             <- "out.*"
  "conv.weight"        <- "stem"[:4]
  "conv.bias"          <- "stem.b"
  "bn.**"              <- "norm.**"
  "down.*"             <- "down.*\""""


def foreign(ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Their layout, written by hand."""
    made = {
        "down.weight": ours["down.weight"],
        "down.bias": ours["down.bias"],
        "net.stem": ours["conv.weight"],
        "stem.b": ours["conv.bias"],
        "net.out.w": ours["head.weight"].T,
        "out.bias": ours["head.bias"],
    }
    for layer in (0, 1):
        weight = ours[f"blocks.{layer}.up.weight"]
        made |= {f"net.layer.{layer}.q.weight": weight[:8], f"net.layer.{layer}.k.weight": weight[8:]}
        made[f"net.up_{layer}.b"] = ours[f"blocks.{layer}.up.bias"]
    return made | {name.replace("bn.", "norm."): tensor for name, tensor in ours.items() if name.startswith("bn.")}


def test_rules_wildcards_transposes_slices_and_joins(tmp_path: Path) -> None:
    found, entries = bound(tmp_path, RULES)
    ours = values(entries)
    theirs = {**foreign(ours), "a.mask": torch.zeros(3), "net.mask": torch.zeros(3)}
    assert equal(ours_from(found, entries, theirs), ours)


def test_and_back(tmp_path: Path) -> None:
    """Without the stripped prefix and without what was ignored; the rows that nobody names stay with `q`."""
    found, entries = bound(tmp_path, RULES)
    ours = values(entries)
    theirs = {name.removeprefix("net."): tensor.contiguous() for name, tensor in foreign(ours).items()}
    assert equal(foreign_from(found, ours), theirs)


def test_slices_of_one_tensor(tmp_path: Path) -> None:
    rules = """  "blocks.0.up.*" <- "packed.*"[:12]
  "blocks.1.up.*" <- "packed.*"[-12:]
  "**" <- "**\""""
    found, entries = bound(tmp_path, rules)
    ours = values(entries)
    theirs = {name: tensor for name, tensor in ours.items() if not name.startswith("blocks.")}
    for leaf in ("weight", "bias"):
        theirs[f"packed.{leaf}"] = torch.cat([ours[f"blocks.0.up.{leaf}"], ours[f"blocks.1.up.{leaf}"]])
    assert equal(ours_from(found, entries, theirs), ours)
    assert equal(foreign_from(found, ours, {n: tuple(t.shape) for n, t in theirs.items()}), theirs)
    longer = {**theirs, "packed.bias": torch.zeros(25)}
    assert "1 tensor is used only in part" in mistake(found, entries, longer).message
    with pytest.raises(Failed) as caught:
        foreign_from(found, ours)
    assert "sliced from its end" in caught.value.diagnostic.message


def test_joined_tensors_of_unequal_size(tmp_path: Path) -> None:
    """Their sizes follow from nothing but the file that they came from."""
    rules = """  "head.weight" <- concat("a", "b", "c", axis = -1)\n  "**" <- "**\""""
    found, entries = bound(tmp_path, rules)
    ours = values(entries)
    theirs = {name: tensor for name, tensor in ours.items() if name != "head.weight"}
    head = ours["head.weight"]
    theirs |= {"a": head[:, :1].contiguous(), "b": head[:, 1:3].contiguous(), "c": head[:, 3:].contiguous()}
    assert equal(ours_from(found, entries, theirs), ours)
    assert equal(foreign_from(found, ours, {n: tuple(t.shape) for n, t in theirs.items()}), theirs)
    assert [tuple(foreign_from(found, ours)[name].shape) for name in "abc"] == [(10, 4)] * 3


def test_one_foreign_tensor_for_two_of_ours(tmp_path: Path) -> None:
    found, entries = bound(tmp_path, '  "blocks.1.up.bias" <- "blocks.0.up.bias"\n  "**" <- "**"')
    theirs = values(entries)
    del theirs["blocks.1.up.bias"]
    ours = ours_from(found, entries, theirs)
    assert torch.equal(ours["blocks.1.up.bias"], theirs["blocks.0.up.bias"])
    assert equal(foreign_from(found, ours), theirs)
    ours["blocks.1.up.bias"] = ours["blocks.1.up.bias"] + 1
    with pytest.raises(Failed) as caught:
        foreign_from(found, ours)
    assert "their values differ" in caught.value.diagnostic.message


def test_tied_tensors_are_one(tmp_path: Path) -> None:
    """A PyTorch file holds a tied weight under both its names."""
    _, entries = bound(tmp_path, "")
    ours = values(entries)
    both = {"lm_head.weight": ours["head.weight"], **ours}
    assert equal(ours_from(None, entries, both), ours)
    assert (
        "1 of its 16 tensors is unused"
        in mistake(None, entries, {**ours, "lm_head.weight": torch.zeros(10, 12)}).message
    )


def test_skipped_ones_keep_their_values(tmp_path: Path) -> None:
    _, entries = bound(tmp_path, "")
    theirs = {**values(entries), "head.weight": torch.zeros(1000, 12), "head.bias": torch.zeros(1000)}
    assert ours_from(None, entries, theirs, ["head.**"]).keys() == {e.path for e in entries if "head" not in e.path}
    said = mistake(None, entries, theirs)
    assert said.notes == (
        "another shape: `head.weight` is [1000, 12] there, [10, 12] here, `head.bias` is [1000] there, [10] here",
    )
    assert said.helps == ('`skip = ["head.**"]` leaves these as initialised',)


def test_a_skip_that_matches_nothing(tmp_path: Path) -> None:
    _, entries = bound(tmp_path, "")
    said = mistake(None, entries, values(entries), ["haed.**"])
    assert said.notes == ('without a match: "haed.**"',)


def test_the_wrong_file_lists_both_sides(tmp_path: Path) -> None:
    _, entries = bound(tmp_path, "")
    vit = ["cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.bias"]
    said = mistake(None, entries, {name: torch.zeros(3, 3) for name in vit}, where="`vit.safetensors`")
    assert (
        said.message
        == "`vit.safetensors` does not fit: 14 of our 15 tensors have no source, 5 of its 5 tensors are unused"
    )
    assert said.notes[0].startswith("without a source: `conv.weight` [4, 1, 3, 3], ")
    assert said.notes[1].startswith("unused: `cls_token` [3, 3], ")
    assert said.notes[-1] == "its names look like those of a ViT (timm)"
    assert said.helps == ("`dlc import-weights SPEC FILE --suggest` proposes a weight map",)


def test_a_prefix_is_recognised(tmp_path: Path) -> None:
    _, entries = bound(tmp_path, "")
    said = mistake(None, entries, {f"module.{name}": tensor for name, tensor in values(entries).items()})
    assert 'strip = "module."' in said.helps[0]


def test_transposed_weights_are_recognised(tmp_path: Path) -> None:
    _, entries = bound(tmp_path, "")
    theirs = values(entries)
    theirs["head.weight"] = theirs["head.weight"].T
    assert mistake(None, entries, theirs).helps[0].startswith("they are stored transposed")


def test_names_that_the_prefix_makes_equal(tmp_path: Path) -> None:
    found, entries = bound(tmp_path, '  strip = "net."\n  "**" <- "**"')
    theirs = values(entries)
    assert "there twice" in mistake(found, entries, {**theirs, "net.conv.bias": theirs["conv.bias"]}).message
