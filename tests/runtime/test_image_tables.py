"""Images that a table names, with one label or several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dlc

HEAD = 'source = image_table("labels/t.csv", file = "name")\nsplit = all("train")\n'
SPEC = """dlspec 1
data D {
  source = image_table("labels/t.csv", file = "name")
  split  = random(train = 0.5, val = 0.5, seed = 0)
  image: f32[3, 6, 6] = source.name -> letterbox(6) -> scale(1 / 255)
  tags: f32[3] = source.tags -> multi_hot("sea", "sky", "wood", separator = ";")
}
model M(image: [B, 3, 6, 6]) -> (tags_hat: [B, 3]) { tags_hat = image -> flatten -> fc: Linear(3) }
train { model = M; data = D; loss = bce(tags_hat, tags); metrics { f1 = f1(tags_hat, tags, labels = true) }; optimizer = SGD(1e-1); batch = 3; duration = 2 steps }
export { model = M }
"""
TAGS = ["sea;sky", "wood", "", "sky ;sea", "sea", "NA"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "labels" / "files").mkdir(parents=True)
    r = np.random.default_rng(0)
    for number in range(len(TAGS)):
        pixels = r.integers(0, 256, (5 + number, 9, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "labels" / "files" / f"{number}.png")
    rows = [f"files/{number}.png,{tags},{number}" for number, tags in enumerate(TAGS)]
    (tmp_path / "labels" / "t.csv").write_text("name,tags,n\n" + "\n".join(rows) + "\n", "utf-8")
    return tmp_path


def test_files_lie_next_to_the_table_and_its_columns_are_fields(workspace, table: Path) -> None:
    body = HEAD + "image: f32[3, 4, 4] = source.name -> resize(4, 4) -> scale(1)\nn: f32 = source.n\n"
    batch = workspace.everything(body + 'tags: f32[3] = source.tags -> multi_hot(separator = ";")')
    assert batch["tags"].tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert batch["n"].tolist() == [0, 1, 2, 3, 4, 5]
    with Image.open(table / "labels" / "files" / "3.png") as opened:
        wanted = np.asarray(opened.resize((4, 4), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.abs(batch["image"][3].numpy() - wanted).max() <= 1


def test_mistakes_are_named_with_their_line(workspace, table: Path) -> None:
    body = HEAD + "image: f32[3, 4, 4] = source.name -> resize(4, 4) -> scale(1)\n"
    found = workspace.mistake(body + 'tags: f32[2] = source.tags -> multi_hot("sea", "sky", separator = ";")')
    assert 'E0205: labels/t.csv:3: "wood" is not one of the labels of `multi_hot`' in found
    found = workspace.mistake(body.replace("name", "nam"))
    assert "has no field `nam`" in found and "did you mean `name`?" in found
    (table / "labels" / "files" / "2.png").unlink()
    found = workspace.mistake(body)
    assert "E0412: labels/t.csv:4, column `name`: there is no file `labels/files/2.png`" in found
    with (table / "labels" / "t.csv").open("a", encoding="utf-8") as file:
        file.write(",sea,9\n")
    Image.new("RGB", (4, 4)).save(table / "labels" / "files" / "2.png")
    assert "E0201: labels/t.csv:8, `name` is missing" in workspace.mistake(body)


def test_a_table_and_the_images_themselves_are_predicted_alike(table: Path) -> None:
    (table / "m.dlspec").write_text(SPEC, "utf-8")
    loaded = dlc.load(table / "m.dlspec")
    run = dlc.train(loaded, out=table / "run", device="cpu")
    (judged,) = dlc.judge(run, "val").outputs
    assert judged.kind == "labels" and [row.name for row in judged.classes] == ["sea", "sky", "wood"]
    assert {each.target for each in judged.worst} <= {"sea, sky", "wood", "none", "sea"} and len(judged.worst) == 3
    assert run.figures["val.f1"] == pytest.approx(judged.macro.f1)
    files = [table / "labels" / "files" / f"{number}.png" for number in range(len(TAGS))]
    by_table = dlc.predict(run, table / "labels" / "t.csv", device="cpu")
    by_files = dlc.predict(run, files, device="cpu")
    model = dlc.export(run).path
    for found in (by_files, dlc.predict(model, table / "labels" / "t.csv"), dlc.predict(model, files)):
        for name, value in by_table.values.items():
            np.testing.assert_allclose(np.asarray(found.values[name]), np.asarray(value), atol=1e-5)
