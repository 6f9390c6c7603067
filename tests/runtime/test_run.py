"""A run on disk: what its IR says is believed only when it is legal."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from dlc.cli.app import run as command_line
from dlc.compiler.check import check
from dlc.runtime.failure import BadInput
from dlc.runtime.run import Run

SPEC = Path(__file__).resolve().parent.parent.parent / "specs" / "digits_mlp.dlspec"


@pytest.fixture(scope="module")
def text() -> str:
    spec = check(SPEC).spec
    assert spec is not None
    return json.dumps(json.loads(spec.written(indent=1)), separators=(",", ":"))


def run(folder: Path, text: str) -> Run:
    (folder / "ir.json").write_text(text, "utf-8")
    return Run(folder)


def test_a_legal_ir_is_read(tmp_path: Path, text: str) -> None:
    found = run(tmp_path, text).spec
    assert found.dlc == version("dlc")
    assert found.model_copy(update={"dlc": ""}) == check(SPEC).spec


def test_an_ir_of_another_version_is_read_where_it_is_legal(tmp_path: Path, text: str) -> None:
    """One written before files said which version wrote them, and one of a later version."""
    for other in ("", '"dlc":"9.0.0",'):
        assert run(tmp_path, text.replace(f'"dlc":"{version("dlc")}",', other)).spec.name == "digits_mlp"


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
    assert caught.value.code == "E0603"
    assert "train again" in caught.value.helps[0]


@pytest.mark.parametrize(("before", "after"), [('"op":"relu"', '"op":"rely"'), ('"inputs":[', '"input":[')])
@pytest.mark.parametrize(("key", "writer"), [("", "an earlier dlc"), ('"dlc":"9.0.0",', "dlc 9.0.0")])
def test_an_ir_that_only_another_version_reads(
    tmp_path: Path, text: str, before: str, after: str, key: str, writer: str
) -> None:
    """What an operator or a field of another version looks like here is not damage; the spec in the run makes a new one."""
    other = text.replace(f'"dlc":"{version("dlc")}",', key).replace(before, after)
    with pytest.raises(BadInput) as caught:
        _ = run(tmp_path, other).spec
    assert (caught.value.code, f"was written by {writer}, and" in str(caught.value)) == ("E0605", True)
    (tmp_path / "spec.dlspec").write_text(SPEC.read_text("utf-8"), "utf-8")
    command = re.findall("`dlc (.*)`", caught.value.helps[0])[0].split()
    assert command_line(command) == 0
    assert Run(tmp_path).spec.bodies
