"""Files that somebody else made: a model that is exported once, and its metadata changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import onnx
import pytest

from dlc.runtime.api import export

SPEC = """dlspec 1
model M(image: [B, 3, H, W], ids: i64[B, T <= 12]) -> (y: [B, 4, _, _], z: [B, T, 5]) {
  require H % 4 == 0 and W % 4 == 0
  require H >= W, "the image has to be upright"
  y = image -> Conv(4, 4, stride = 4)
  z = ids -> Embedding(9, 5)
}
"""
OUTPUTS = (
    '{"y": {"kind": "scores", "field": "label", "classes": ["cat", "dog", "cow", "hen"]}, "z": {"kind": "value", "field": "t",'
    ' "scale": 2.0, "undo": [["affine", [1.0, 2.0, 3.0, 4.0, 5.0], 0.5], ["expm1"]], "shape": [null, 5]}}'
)
COLUMNS = '{"image": {"names": ["a", "b"], "fills": true}}'
VOCABULARY = '{"ids": ["a", "b", "c"]}'


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    folder = tmp_path_factory.mktemp("exported")
    (folder / "m.dlspec").write_text(SPEC, "utf-8")
    made = onnx.load(export(folder / "m.dlspec", folder / "m.onnx", verify=False).path)
    return changed(made, {"dlc.outputs": OUTPUTS, "dlc.columns": COLUMNS, "dlc.vocabulary": VOCABULARY})


def changed(model: onnx.ModelProto, entries: Mapping[str, str]) -> onnx.ModelProto:
    found = {entry.key: entry.value for entry in model.metadata_props} | entries
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    onnx.helper.set_model_props(copy, found)
    return copy


@pytest.fixture
def with_metadata(exported: onnx.ModelProto, tmp_path: Path) -> Callable[..., Path]:
    """`with_metadata({"dlc.facts": "{}"})`: a file with other entries."""

    def write(entries: Mapping[str, str]) -> Path:
        path = tmp_path / "m.onnx"
        path.write_bytes(changed(exported, entries).SerializeToString())
        return path

    return write
