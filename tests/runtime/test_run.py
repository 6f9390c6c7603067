"""A run on disk: what its IR says is believed only when it is legal."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlc.compiler.check import check
from dlc.runtime.failure import BadInput
from dlc.runtime.run import Run

SPEC = Path(__file__).resolve().parent.parent.parent / "specs" / "digits_mlp.dlspec"


@pytest.fixture(scope="module")
def text() -> str:
    spec = check(SPEC).spec
    assert spec is not None
    return spec.model_dump_json()


def run(folder: Path, text: str) -> Run:
    (folder / "ir.json").write_text(text, "utf-8")
    return Run(folder)


def test_a_legal_ir_is_read(tmp_path: Path, text: str) -> None:
    assert run(tmp_path, text).spec == check(SPEC).spec


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"op":"relu"', '"op":"rely"', "node 2 `rely`: the catalogue has no `rely`"),
        ('"dtype":"f32"', '"dtype":"f31"', "not a tensor type"),
        ('"shape":["B",', '"shape":[{},', "not a size: {}"),
        ('"inputs":[', '"input":[', "Field required"),
        ('"trains":[', '"trains":[}', "Invalid JSON"),
        ('"train":""', '"train":"other"', "export: the train section `other` does not exist"),
        ('"edition":"1"', "", "Invalid JSON"),
    ],
)
def test_a_damaged_ir_is_a_message(tmp_path: Path, text: str, before: str, after: str, said: str) -> None:
    assert before in text
    with pytest.raises(BadInput) as caught:
        _ = run(tmp_path, text.replace(before, after)).spec
    assert str(caught.value).startswith(f"`{tmp_path / 'ir.json'}` is damaged: ")
    assert said in str(caught.value)
    assert "train again" in caught.value.helps[0]
