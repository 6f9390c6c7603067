"""What differs in meaning between two specs."""

from __future__ import annotations

from pathlib import Path

from dlc.compiler.check import check
from dlc.compiler.resolve.diff import Change, Difference, compare, to_json, to_text

LANGUAGE = Path(__file__).parent.parent / "language"

BASE = """dlspec 1
param ctx = 1024   # a comment
block Mlp(n: int)(x: [B, D]) -> [B, D] { x -> Linear(10k) -> Linear(D) }
block Old(x: [B, D]) -> [B, D] { x -> relu }
model Net(d = 8, depth = 2)(x: [B, 8]) -> (y: [B, 8]) {
  y = x -> h: repeat depth { Mlp(n = d) } -> out: Linear(8)
}
"""


def difference(tmp_path: Path, before: str, after: str) -> Difference:
    found = []
    for name, text in (("before", before), ("after", after)):
        path = tmp_path / f"{name}.dlspec"
        path.write_text(text)
        found.append(check(path))
    one, two = found
    assert one.spec is not None, one.report.diagnostics
    assert two.spec is not None, two.report.diagnostics
    return compare(one.project, two.project, (one.spec, two.spec))


def test_formatting_and_order_are_no_difference(tmp_path: Path) -> None:
    lines = BASE.replace("10k", "(10000)").replace("param ctx = 1024   # a comment", "").splitlines()
    other = "\n".join([lines[0], lines[3], *lines[4:], lines[2].replace("{ x ->", "{\n\n x\n ->"), "param ctx = 1_024"])
    found = difference(tmp_path, BASE, other)
    assert not found
    assert to_text(found) == ""
    assert to_json(found) == {"equal": True, "definitions": [], "settings": [], "models": []}


def test_settings_blocks_and_parameters(tmp_path: Path) -> None:
    other = (
        BASE.replace("ctx = 1024", "ctx = 2048")
        .replace("depth = 2", "depth = 3")
        .replace("Linear(10k)", "Linear(n)")
        .replace("block Old(x: [B, D]) -> [B, D] { x -> relu }", "")
    )
    found = difference(tmp_path, BASE, other)
    assert [change.name for change in found.definitions] == ["block Mlp", "block Old"]
    assert found.settings == (Change("ctx", "1024", "2048"), Change("Net.depth", "2", "3"))
    (model,) = found.models
    assert (model.name, model.before, model.after) == (
        "Net",
        2 * (10_000 * 8 + 10_000 + 10_000 * 8 + 8) + 72,
        3 * (8 * 8 + 8 + 8 * 8 + 8) + 72,
    )
    assert Change("h.*.linear.weight", "2 x [10000, 8]", "3 x [8, 8]") in model.changes
    text = to_text(found)
    assert "- block Old" in text
    assert "+block Mlp" not in text
    assert "Net.depth  2 -> 3" in text


def test_an_experiment_reads_like_the_change(tmp_path: Path) -> None:
    base, change = (
        check(LANGUAGE / name, root=LANGUAGE) for name in ("examples/e_gpt2.dlspec", "features/swiglu.dlspec")
    )
    assert base.spec is not None
    assert change.spec is not None
    found = compare(base.project, change.project, (base.spec, change.spec))
    assert [item.name for item in found.definitions] == ["block Mlp"]
    assert found.settings == (Change("train.duration", "600k steps", "20k steps"),)
    (model,) = found.models
    assert (model.name, model.before) == ("GPT2", 124_439_808)
    names = {(item.name, item.before is None, item.after is None) for item in model.changes}
    assert ("h.*.mlp.c_fc.weight", False, True) in names
    assert ("h.*.mlp.w1.weight", True, False) in names
    assert "train.duration  600k steps -> 20k steps" in to_text(found)
