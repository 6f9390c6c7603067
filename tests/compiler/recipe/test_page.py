"""docs/recipe.md is current, and every line it shows is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.catalogue import examples, page
from dlc.compiler.catalogue.losses import LOSSES
from dlc.compiler.catalogue.metrics import METRICS
from dlc.compiler.catalogue.optimizers import OPTIMIZERS
from dlc.compiler.catalogue.schedules import CLIPS, KEEPS, SEGMENTS, STOPS, VALIDATIONS
from dlc.compiler.catalogue.transforms import TRANSFORMS
from dlc.compiler.check import check
from dlc.compiler.elaborate.initializers import TABLE as INITS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "recipe.md"
TRAIN = {
    "loss": (LOSSES, examples.LOSSES), "metric": (METRICS, examples.METRICS),
    "optimizer": (OPTIMIZERS, examples.OPTIMIZERS), "segment": (SEGMENTS, examples.SEGMENTS),
    "clip": (CLIPS, examples.CLIPS), "keep": (KEEPS, examples.KEEPS), "stop": (STOPS, examples.STOPS),
    "validate": (VALIDATIONS, examples.VALIDATIONS),
}  # fmt: skip


def programs() -> list[Any]:
    found = [("the spec itself", examples.SETTINGS)]
    for kind, (_, lines) in TRAIN.items():
        found += [(f"{kind} {name}", examples.train_example(line)) for name, line in lines.items()]
    found += [(f"transform {name}", examples.data_example(*parts)) for name, parts in examples.TRANSFORMS.items()]
    found += [(f"init {name}", examples.init_example(line)) for name, line in examples.INITS.items()]
    return [pytest.param(text, id=name.replace(" ", "-")) for name, text in found]


@pytest.mark.parametrize("text", programs())
def test_an_example_checks(text: str, tmp_path: Path) -> None:
    file = tmp_path / "example.dlspec"
    file.write_text(text, "utf-8")
    checked = check(file)
    assert checked.spec is not None and not checked.report.diagnostics, [d.message for d in checked.report.diagnostics]


def test_every_entry_has_an_example_of_itself() -> None:
    for kind, (table, lines) in TRAIN.items():
        assert set(lines) == set(table), kind
        assert all(name in line for name, line in lines.items()), kind
    assert set(examples.TRANSFORMS) == set(TRANSFORMS)
    assert all(name in lines for name, (_, lines) in examples.TRANSFORMS.items())
    assert set(examples.INITS) == set(INITS)
    assert all(name in line for name, line in examples.INITS.items())


def test_the_page_is_current() -> None:
    """`python -m dlc.compiler.catalogue` writes it."""
    assert PAGE.read_text("utf-8") == page.reference()
