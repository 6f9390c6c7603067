"""Which models the sections of a file use is known before any is run."""

from __future__ import annotations

from pathlib import Path

from dlc.compiler.check import STAGES, Compilation, check, elaborate

ROOT = Path(__file__).resolve().parent.parent.parent
DCGAN = (ROOT / "specs" / "dcgan.dlspec").read_text("utf-8")


def compiled(folder: Path, text: str) -> Compilation:
    """A compilation up to, and without, `elaborate`."""
    path = folder / "spec.dlspec"
    path.write_text(text, "utf-8")
    found = Compilation(path)
    for stage in STAGES[: STAGES.index(elaborate)]:
        stage(found)
    return found


def test_the_uses_of_all_sections_are_found(tmp_path: Path) -> None:
    found = compiled(tmp_path, DCGAN)
    uses = [use for use in found.roots.values() if use is not None]
    assert found.elaborator.models == []
    assert [use.definition.name for use in uses] == ["Generator", "Discriminator", "Generator"]
    assert uses[2] is uses[0]  # `model = gen` of the export


def test_a_use_of_its_own_is_one_more_model(tmp_path: Path) -> None:
    path = tmp_path / "spec.dlspec"
    path.write_text(DCGAN + '\nexport untrained { onnx = "untrained.onnx"; model = Discriminator() }\n', "utf-8")
    checked = check(path)
    assert checked.spec is not None, checked.report.errors
    assert [model.name for model in checked.spec.models] == ["Generator", "Discriminator", "Discriminator"]
    (trained, untrained) = checked.spec.recipe.exports
    assert (trained.net, trained.model, trained.train) == ("gen", 0, "")
    assert (untrained.net, untrained.model, untrained.train) == ("", 2, None)


def test_the_export_of_a_net_with_a_mistake_says_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "spec.dlspec"
    path.write_text(DCGAN.replace("let gen ", "let gan ", 1), "utf-8")
    assert "there is no model `gen`" not in [found.message for found in check(path).report.errors]
