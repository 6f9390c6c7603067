"""Every key of every section: its example checks in a whole spec, its default means what leaving it out means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlc.compiler.catalogue import sections, sections_page
from dlc.compiler.catalogue.keys import REQUIRED, Key, SectionKeys
from dlc.compiler.catalogue.sections import SECTIONS
from dlc.compiler.check import check

PAGE = Path(__file__).resolve().parents[3] / "docs" / "recipe_keys.md"

#: What each section of the spec says, key by key.
LINES: dict[str, dict[str, str]] = {
    "data": {"source": 'source = builtin("digits")', "split": "split = random(train = 0.8, val = 0.2)"},
    "train": {
        "model": "model = Classifier",
        "data": "data = Digits",
        "loss": "loss = cross_entropy(logits, label)",
        "optimizer": "optimizer = AdamW(1e-3)",
        "batch": "batch = 64",
        "duration": "duration = 10 epochs",
    },
    "step": {"loss": "loss = bce(fake -> disc, ones([B]))", "optimizer": "optimizer = AdamW(1e-3)"},
    "phase": {"duration": "duration = 10 epochs"},
    "export": {"train": "train = Recipe"},
    "search": {
        "train": "train = Recipe",
        "method": "method = random(trials = 2)",
        "objective": "objective = val.loss",
        "": "train.Recipe.batch ~ choice(16, 32)",
    },
    "weights": {"": '"**" <- "**"'},
}


def spec(**changed: dict[str, str]) -> str:
    """The whole spec with other lines in some sections."""
    lines = {name: "\n  ".join({**given, **changed.get(name, {})}.values()) for name, given in LINES.items()}
    inside = {name: "\n  ".join(changed.get(name, {}).values()) for name in ("freeze", "log", "runtime")}
    train = lines["train"]
    for name, opening in (("freeze", 'freeze "fc.**"'), ("log", "log"), ("runtime", "runtime")):
        if inside[name]:
            train += f"\n  {opening} {{ {inside[name]} }}"
    if "phase" in changed:
        train = train.replace(LINES["train"]["duration"], f"phase first {{\n  {lines['phase']}\n }}")
    several = ""
    if "step" in changed:
        several = SEVERAL.format(f"step gen {{\n    {lines['step']}\n  }}")
    elif "step" in changed.get("train", {}):
        train = train.replace(step := changed["train"]["step"], "")
        several = SEVERAL.format(step)
    field = "measurements" if "inputs" in changed.get("train", {}) else "x"
    return f"""dlspec 1

data Digits {{
  {lines["data"]}
  {field}: f32[1, 8, 8] = source.image
  image: f32[1, 8, 8] = source.image
  label: i64 = source.label
}}

model Classifier(x: [B, 1, 8, 8]) -> (logits: [B, 10]) {{
  logits = x -> flatten -> fc: Linear(64) -> relu -> head: Linear(10)
}}

model Generator(z: [B, 4]) -> (picture: [B, 64]) {{ picture = z -> out: Linear(64) }}

model Critic(picture: [B, 64]) -> (score: [B]) {{ score = picture -> out: Linear(1) -> squeeze(-1) }}

train Recipe {{
  {train}
}}
{several}
export First {{
  {lines["export"]}
}}

search {{
  {lines["search"]}
}}

weights theirs for Classifier {{
  {lines["weights"]}
}}
"""


#: A second recipe, of several nets, for the keys of `step`.
SEVERAL = """
train Several {{
  let gen = Generator()
  let disc = Critic()
  let fake = randn([B, 4]) -> gen
  data = Digits
  batch = 64
  duration = 10 epochs
  {}
  step disc {{
    loss = bce(x -> flatten -> disc, ones([B])) + bce(stop_grad(fake) -> disc, zeros([B]))
    optimizer = AdamW(1e-3)
  }}
}}
"""


#: `skip` belongs to image folders.
FOLDER = """dlspec 1
data Pets {{
  source = image_folder("pets")
  split = random(train = 0.8, val = 0.2)
  {}
  image: f32[3, 8, 8] = source.image -> resize(8) -> center_crop(8) -> scale(1 / 255)
  label: i64 = source.label
}}
"""

#: These belong to rows that windows are cut from.
SERIES = """dlspec 1
data Sales {{
  source = csv("sales.csv")
  split = contiguous(train = 0.8, val = 0.2)
  {}
  past: f32[24] = source.sales -> window(24)
}}
"""


def program(section: SectionKeys, key: Key, line: str | None = None) -> str:
    """The spec with the example of a key, or with another line for it."""
    line = key.example if line is None else line
    changed: dict[str, dict[str, str]] = {section.name: {key.name: line}}
    if section is sections.TRAIN and key.name == "phase":
        changed["train"]["duration"] = ""
    if key.name == "skip":
        return FOLDER.format(line)
    if key.name in ("series", "time", "gaps"):
        return SERIES.format(line)
    return spec(**changed)


ALL = [
    pytest.param(section, key, id=f"{section.name}.{key.name}") for section in SECTIONS.values() for key in section.keys
]


def test_the_spec_itself_checks(tmp_path: Path) -> None:
    _checked(spec(), tmp_path)


@pytest.mark.parametrize(("section", "key"), ALL)
def test_the_example_checks(section: SectionKeys, key: Key, tmp_path: Path) -> None:
    assert key.name in key.example
    _checked(program(section, key), tmp_path)


#: The IR tells these from their absence, the runtime does not.
UNTOLD = ("train.precision", "phase.precision", "export.opset")
LITERAL = [
    param
    for param in ALL
    if re.fullmatch(r"`[^`]+`", param.values[1].default)
    and param.id not in UNTOLD
    and param.values[1].name != "micro_batch"
]


@pytest.mark.parametrize(("section", "key"), LITERAL)
def test_the_default_means_what_leaving_it_out_means(section: SectionKeys, key: Key, tmp_path: Path) -> None:
    written = _checked(program(section, key, f"{key.name} = {key.default.strip('`')}"), tmp_path)
    left_out = _checked(program(section, key, ""), tmp_path)
    assert _meaning(written) == _meaning(left_out)


def test_required_keys_are_missed(tmp_path: Path) -> None:
    required = [(s, k) for s in SECTIONS.values() for k in s.keys if k.default == REQUIRED and s.name != "phase"]
    assert {key.name for _, key in required} >= {"source", "split", "data", "batch", "duration", "method", "objective"}
    for section, key in required:
        file = tmp_path / "s.dlspec"
        file.write_text(program(section, key, ""), "utf-8")
        codes = [d.code for d in check(file).report.errors]
        assert "E0408" in codes, f"{section.name}.{key.name}: {codes}"


def test_words_of_other_tools_are_no_keys_and_lead_to_one() -> None:
    every = {key.name for section in SECTIONS.values() for key in section}
    words = {word: key.name for section in SECTIONS.values() for key in section for word in key.elsewhere}
    assert not words.keys() & every
    assert all(sections.renamed(word) == name for word, name in words.items())
    assert words["batch_size"] == "batch" and words["epochs"] == "duration"


def test_a_key_of_another_tool_is_named(tmp_path: Path) -> None:
    file = tmp_path / "s.dlspec"
    file.write_text(spec(train={"x": "batch_size = 8"}), "utf-8")
    (found,) = check(file).report.errors
    assert found.code == "E0401" and found.helps == ("did you mean `batch`?",)


@pytest.mark.parametrize("name", sections.names())
def test_every_name_is_explained(name: str) -> None:
    assert sections_page.explain(name), name


def test_the_page_is_current() -> None:
    """`python -m dlc.compiler.catalogue` writes it."""
    assert PAGE.read_text("utf-8") == sections_page.reference()


def _checked(text: str, folder: Path) -> dict[str, object]:
    file = folder / "s.dlspec"
    file.write_text(text, "utf-8")
    checked = check(file)
    assert checked.spec is not None, [f"{d.code} {d.message}" for d in checked.report.errors] + [text]
    return checked.spec.model_dump()


def _meaning(value: object) -> object:
    """A spec without the places in its text."""
    if isinstance(value, dict):
        return {k: _meaning(v) for k, v in value.items() if k not in ("span", "spans", "places", "sources", "text")}
    if isinstance(value, (list, tuple)):
        return [_meaning(item) for item in value]
    return value
