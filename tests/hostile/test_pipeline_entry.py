"""The data section in the metadata of an ONNX file is text from elsewhere: whatever it holds, records or a message."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlc
from dlc.compiler.messages.diagnostics import Failed
from dlc.runtime.data.arrays.batches import InputPipeline
from dlc.runtime.failure import RunFailure
from dlc.runtime.inference import answering, pipeline
from dlc.runtime.inference.file_facts import FileFacts
from dlc.runtime.inference.ports import Port

from .damage import variants

SPEC = """dlspec 1
data D {
  source = csv("t.csv")
  split = all("train")
  x: f32[2] = source.all_except("text", "kind") -> impute("mean") -> standardize
  first: f32 = source.a -> clip(min = 0) -> log1p
  kind: f32[3] = source.kind -> lower -> category("p", "q", "r") -> one_hot(3)
  ids: i64[T <= 20] = source.text -> lower -> words -> vocab(12) -> truncate(5) -> pad(0)
}
"""
PORTS = (
    Port("x", np.float32, ("B", 2)), Port("first", np.float32, ("B",)), Port("kind", np.float32, ("B", 3)),
    Port("ids", np.int64, ("B", "T")),
)  # fmt: skip
RECORDS = {"a": [1.5, 2.0], "b": ["", "3"], "kind": ["P", "q"], "text": ["one two", "three"]}


class Told:
    """A session as far as it is asked for what it feeds."""

    def __init__(self, text: str) -> None:
        self.inputs = PORTS
        self.about = FileFacts(Path("m.onnx"), {"dlc.data": text})
        self.pipeline = self.about.pipeline(PORTS)


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("entry")
    (folder / "m.dlspec").write_text(SPEC, "utf-8")
    section = dlc.load(folder / "m.dlspec").checked.spec.recipe.data[0]  # type: ignore[union-attr]
    learned = {"impute": {"fill": [1.0, 2.0]}, "standardize": {"mean": [0.0, 1.0], "std": [1.0, 2.0]}, "columns": {"names": ["a", "b"]},
               "category": {"names": ["p", "q", "r"]}, "vocab": {"words": ["one", "two"]}}  # fmt: skip
    fitted: dict[int, dict[str, Any]] = {node.id: learned[node.op] for node in section.nodes if node.op in learned}
    text = pipeline.as_json(InputPipeline(section, fitted, {port.name: port.name for port in PORTS}), [])
    assert text is not None
    return json.loads(text)


def fed(text: str) -> list[Any]:
    return list(answering.feeds(Told(text), RECORDS))  # type: ignore[arg-type]


def test_what_is_written_is_read(entry: dict[str, Any]) -> None:
    ((names, arrays),) = fed(json.dumps(entry))
    assert names.places == ["record 0", "record 1"]
    np.testing.assert_array_equal(arrays["x"], np.array([[1.5, 0.5], [2.0, 1.0]], np.float32))
    np.testing.assert_array_equal(arrays["kind"], [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(arrays["ids"], [[2, 3], [1, 0]])


def test_any_part_of_it(entry: dict[str, Any], sizes: Any) -> None:
    refused = tried = 0
    for variant in islice(variants(entry), 0, None, 1 if sizes.full else 25):
        tried += 1
        try:
            fed(json.dumps(variant))
        except RunFailure as failure:
            refused += 1
            assert failure.code
        except Failed:
            refused += 1
    assert refused > tried / 2


@pytest.mark.parametrize("text", ["{", "nope", "[" * 100_000, "[1e999]", "\ud7ff\x00", "NaN", '"x"', "{}"])
def test_text_that_is_no_entry(text: str) -> None:
    with pytest.raises(dlc.RunFailure, match="metadata entry `dlc.data`"):
        fed(text)
