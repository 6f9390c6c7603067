"""Every entry has an example of itself that checks, and the reference pages are current."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.catalogue import (
    CLIPS,
    DRAWS,
    FAMILIES,
    FUNCTIONS,
    INITS,
    KEEPS,
    LAYERS,
    LOSSES,
    METHODS,
    METRICS,
    OPTIMIZERS,
    PRUNERS,
    SAMPLINGS,
    SEGMENTS,
    SIGNS,
    SOURCES,
    SPLITS,
    STOPS,
    TRANSFORMS,
    VALIDATIONS,
    WEIGHT_SOURCES,
)  # fmt: skip
from dlc.compiler.catalogue.__main__ import PAGES
from dlc.compiler.catalogue.entry import Entry
from dlc.compiler.check import check

DOCS = Path(__file__).resolve().parents[3] / "docs"

#: The spec around the examples; a line takes the place of the one with the same key.
SETTINGS = """dlspec 1

data Rows {
  source = jsonl("rows.jsonl")
  split  = random(train = 0.8, val = 0.2)
  x:     f32[6] = source.x
  other: f32[6] = source.other
  third: f32[6] = source.third
  y:     f32    = source.y
  label: i64    = source.label
  yes:   f32[3] = source.yes
  words: i64[9] = source.words -> bpe(train = 300) -> truncate(9)
  area:  i64[8, 8] = source.area
}

model Net(x: [B, 6], other: [B, 6], third: [B, 6]) -> (logits: [B, 3]) {
  h      = x -> first: Linear(6)
  near   = other -> second: Linear(6)
  far    = third -> other: Linear(6)
  value  = h -> middle: Linear(1) -> squeeze(-1)
  steps  = h -> speaker: Linear(9 * 5) -> [B, (T, 5)] => [B, T, 5]
  pixels = h -> painter: Linear(3 * 64) -> [B, (3, 8, 8)] => [B, 3, 8, 8]
  logits = h + near + far -> relu -> last: Linear(3)
}

model Critic(x: [B, 6]) -> (score: [B, 1]) { score = x -> hidden: Linear(8) -> relu -> out: Linear(1) }

train {
  model     = Net
  data      = Rows
  loss      = cross_entropy(logits, label)
  metrics   { acc = accuracy(logits, label) }
  optimizer = AdamW(1e-3)
  batch     = 32
  duration  = 20 epochs
  validate  = every(1 epochs)
  keep      = best(val.loss)
}
"""

#: Operators have samples instead; tests/ops runs them.
OPERATORS = (LAYERS, FUNCTIONS, SIGNS)


def in_train(entry: type[Entry]) -> str:
    """The spec with a line of the train section replaced, or added."""
    line = entry.example
    key = line.split(" ", 1)[0]
    if "critic" in line:
        return SETTINGS.partition("train {")[0] + (
            "train {\n  data = Rows\n  let critic = Critic\n  optimizer = AdamW(1e-4)\n  batch = 32\n"
            f"  duration = 100 steps\n  validate = every(50 steps)\n  keep = last\n  {line}\n}}\n"
        )
    head, _, section = SETTINGS.partition("train {\n")
    kept = [row for row in section.splitlines() if row.split() and row.split()[0] != key]
    if key == "metrics":
        kept = [row.replace("val.acc", "val.loss") for row in kept]
    return f"{head}train {{\n  {line}\n" + "\n".join(kept) + "\n"


def in_data(entry: Any) -> str:
    """A data section with the fields of a transform, from the source that it needs."""
    tokens = "{split}" in entry.example_source
    shares = "contiguous" if entry.reads_before else "random"
    split = 'files(train = "train", val = "val")' if tokens else f"{shares}(train = 0.9, val = 0.1)"
    body = "\n".join(f"  {line}" for line in entry.example.splitlines())
    return f"dlspec 1\n\ndata Records {{\n  source = {entry.example_source}\n  split = {split}\n{body}\n}}\n"


def of_source(entry: Any) -> str:
    """A data section of this source; names of fields are those that it has."""
    text = entry.example
    files = "{split}" in text or entry.name in ("idx", "hub")
    split = 'files(train = "train", val = "val")' if files else "random(train = 0.9, val = 0.1)"
    if entry.class_folders:
        split = 'folders(train = "train", val = "val")'
    if entry.name == "text":
        split = "contiguous(train = 0.9, val = 0.1)"
    fields = {
        "image_folder": "label: i64 = source.label",
        "text_folder": "label: i64 = source.label",
        "image_pairs": "x: u8[3, 32, 32] = source.first -> center_crop(32)",
        "idx": "label: i64 = source.label",
        "tar_shards": "x: u8[3, 32, 32] = source.image -> center_crop(32)",
        "text": "x: i64[8] = source.tokens -> window(8, 8)",
        "token_file": "x: i64[8] = source.tokens -> window(8, 8)",
        "text_lines": "x: i64[T] = source.text -> words -> vocab(90) -> pad(0)",
        "parallel_text": "x: i64[T] = source.first -> words -> vocab(90) -> pad(0)",
        "builtin": "label: i64 = source.label",
    }
    return f"dlspec 1\n\ndata Records {{\n  {text}\n  split = {split}\n  {fields.get(entry.name, 'x: f32 = source.x')}\n}}\n"


def of_split(entry: type[Entry]) -> str:
    source = 'npz("{split}.npz")' if entry.name in ("files", "folders") else 'npz("rows.npz")'
    return (
        f"dlspec 1\n\ndata Records {{\n  source = {source}\n  {entry.example}\n  x: f32 = source.x\n"
        "  label: i64 = source.label\n}\n"
    )


def in_model(entry: type[Entry]) -> str:
    """The spec with a rule for initial values in its model."""
    return SETTINGS.replace("\nmodel Critic", "model Critic", 1).replace(
        "-> last: Linear(3)\n}", f"-> last: Linear(3)\n  {entry.example}\n}}\n"
    )


def in_search(entry: type[Entry]) -> str:
    """A search over a parameter of the spec."""
    key = entry.example.split(" ")[0]
    lines = {
        "method": "method = random(trials = 9)",
        "objective": "objective = val.loss",
        "batch": "batch ~ choice(32, 64)",
    }
    lines[key] = entry.example
    if entry.name == "grid":
        lines["batch"] = "batch ~ choice(32, 64)"
    body = "\n".join(f"  {line}" for line in lines.values())
    text = SETTINGS.replace(
        "dlspec 1\n", "dlspec 1\n\nparam batch: int = 32\nparam lr: float = 1e-3\nparam hidden: int = 6\n"
    )
    text = text.replace("batch     = 32", "batch     = batch").replace("AdamW(1e-3)", "AdamW(lr)")
    return (
        text.replace("first: Linear(6)", "first: Linear(hidden) -> reduced: Linear(6)") + f"\nsearch {{\n{body}\n}}\n"
    )


IN_TRAIN = (LOSSES, METRICS, OPTIMIZERS, SEGMENTS, CLIPS, KEEPS, STOPS, VALIDATIONS, SAMPLINGS, WEIGHT_SOURCES)
#: How an example of a family becomes a whole spec.
SPECS: list[tuple[Any, Callable[[Any], str]]] = [
    *((family, in_train) for family in IN_TRAIN),
    (TRANSFORMS, in_data),
    (SOURCES, of_source),
    (SPLITS, of_split),
    (INITS, in_model),
    *((family, in_search) for family in (METHODS, PRUNERS, DRAWS)),
]


def programs() -> list[Any]:
    found = [
        pytest.param(spec, entry, id=f"{family.root}-{name}")
        for family, spec in SPECS
        for name, entry in family.items()
    ]
    return [pytest.param(lambda _: SETTINGS, None, id="the-spec-itself"), *found]


def test_every_family_has_a_spec_for_its_examples() -> None:
    assert [f.root for f in FAMILIES if f not in OPERATORS and f not in [family for family, _ in SPECS]] == []


@pytest.mark.parametrize("spec, entry", programs())
def test_an_example_checks(spec: Callable[[Any], str], entry: Any, tmp_path: Path) -> None:
    file = tmp_path / "example.dlspec"
    file.write_text(spec(entry), "utf-8")
    checked = check(file)
    said = [d.message for d in checked.report.diagnostics if d.code != "W0415"]  # a whole `search`, which is not run
    assert checked.spec is not None and not said, said


def test_every_entry_has_an_example_of_itself() -> None:
    entries = [(name, entry) for family in FAMILIES if family not in OPERATORS for name, entry in family.items()]
    assert [name for name, entry in entries if name not in entry.example] == []


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str) -> None:
    """`python -m dlc.compiler.catalogue` writes it."""
    assert (DOCS / name).read_text("utf-8") == PAGES[name]()
