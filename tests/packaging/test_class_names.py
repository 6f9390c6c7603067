"""A class name has one meaning in the package.

The stages of one thing share its name, so that `train` of a spec is `Train` in the tree and in the IR, and `f1` is `F1` in the catalogue and
where it is computed. In every other room a class has a name of its own. Private classes (`_Table`) are known in their file only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("grammar", "compiler", "backends", "runtime", "cli")
#: Where a name of the language is the name of a class, by stage.
STAGES: dict[str, tuple[str, ...]] = {
    "the tree": ("compiler/text/",),
    "the catalogue": ("compiler/catalogue/",),
    "the IR": ("compiler/ir/",),
    "what runs an entry": (
        "runtime/training/class_metrics.py", "runtime/training/score_metrics.py", "runtime/training/value_metrics.py",
        "runtime/training/metrics.py", "runtime/training/optimizers.py", "backends/pytorch/support.py",
    ),
}  # fmt: skip
#: Further stages of one thing, by name.
REASONS = {
    "Data": ({"runtime/data/feed.py"}, "the section with its records"),
    "Evaluation": ({"runtime/generated/functions.py"}, "the evaluation of the IR as code"),
    "Loss": ({"runtime/generated/functions.py"}, "the loss of the IR as code"),
    "Quantity": ({"compiler/sizes/statics.py"}, "the value of what the tree holds"),
    "Source": ({"compiler/catalogue/transforms/notation.py"}, "the form `source.x`; no code imports it"),
    "Requirement": ({"runtime/inference/file_facts.py"}, "the requirement of the IR in an exported file"),
}


def test_a_class_name_has_one_meaning() -> None:
    files: defaultdict[str, set[str]] = defaultdict(set)
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            for name in re.findall(r"^class ([A-Z]\w*)", path.read_text("utf-8"), re.MULTILINE):
                files[name].add(file)
    assert {name: sorted(found) for name, found in files.items() if not _is_one_thing(name, found)} == {}


def _is_one_thing(name: str, files: set[str]) -> bool:
    """Entries of several families may have one name (`Linear`, a layer and a segment of a schedule)."""
    reasons, _ = REASONS.get(name, (set[str](), ""))
    assert reasons <= files, f"{name} is not in {sorted(reasons - files)}"
    others = files - reasons
    stages = [stage for file in others if (stage := _stage_of(file)) != "the catalogue"]
    return len(others) == 1 or (set(stages) <= STAGES.keys() and len(stages) == len(set(stages)))


def _stage_of(file: str) -> str:
    return next((stage for stage, rooms in STAGES.items() if file.startswith(rooms)), file)
