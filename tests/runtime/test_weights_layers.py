"""`import-weights --suggest` for models whose parts are named, numbered and cut in other ways than those of the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import dlc
from dlc.compiler.ir.expand import parameters
from dlc.runtime.weights.plan import leaves, plan
from dlc.runtime.weights.section import weight_map
from dlc.runtime.weights.suggest import propose
from dlc.tests.sizes import thinned

SPECS = Path(__file__).parent / "foreign"
Shapes = dict[str, tuple[int, ...]]


def norm(name: str, width: int, *, batch: bool = False) -> Shapes:
    made: Shapes = {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    if batch:
        made |= {f"{name}.running_mean": (width,), f"{name}.running_var": (width,), f"{name}.num_batches_tracked": ()}
    return made


def convnext() -> Shapes:
    """`timm.create_model("convnext_tiny")`."""
    made: Shapes = {"stem.0.weight": (96, 3, 4, 4), "stem.0.bias": (96,), **norm("stem.1", 96)}
    before = 96
    for stage, (width, depth) in enumerate([(96, 3), (192, 3), (384, 9), (768, 3)]):
        if stage:
            at = f"stages.{stage}.downsample"
            made |= {**norm(f"{at}.0", before), f"{at}.1.weight": (width, before, 2, 2), f"{at}.1.bias": (width,)}
        for block in range(depth):
            at = f"stages.{stage}.blocks.{block}"
            made |= {f"{at}.gamma": (width,), f"{at}.conv_dw.weight": (width, 1, 7, 7), f"{at}.conv_dw.bias": (width,)}
            made |= {**norm(f"{at}.norm", width), f"{at}.mlp.fc1.weight": (4 * width, width)}
            made |= {f"{at}.mlp.fc1.bias": (4 * width,), f"{at}.mlp.fc2.weight": (width, 4 * width)}
            made |= {f"{at}.mlp.fc2.bias": (width,)}
        before = width
    return made | {**norm("head.norm", 768), "head.fc.weight": (1000, 768), "head.fc.bias": (1000,)}


def densenet() -> Shapes:
    """`torchvision.models.densenet121()`."""
    made: Shapes = {"features.conv0.weight": (64, 3, 7, 7), **norm("features.norm0", 64, batch=True)}
    width = 64
    for part, depth in enumerate([6, 12, 24, 16], 1):
        for layer in range(1, depth + 1):
            at = f"features.denseblock{part}.denselayer{layer}"
            made |= {**norm(f"{at}.norm1", width, batch=True), f"{at}.conv1.weight": (128, width, 1, 1)}
            made |= {**norm(f"{at}.norm2", 128, batch=True), f"{at}.conv2.weight": (32, 128, 3, 3)}
            width += 32
        if part < 4:
            at = f"features.transition{part}"
            made |= {**norm(f"{at}.norm", width, batch=True), f"{at}.conv.weight": (width // 2, width, 1, 1)}
            width //= 2
    made |= norm("features.norm5", width, batch=True)
    return made | {"classifier.weight": (1000, width), "classifier.bias": (1000,)}


def regnet() -> Shapes:
    """`torchvision.models.regnet_y_400mf()`."""
    made: Shapes = {"stem.0.weight": (32, 3, 3, 3), **norm("stem.1", 32, batch=True)}
    before = 32
    for stage, (width, depth) in enumerate([(48, 1), (104, 3), (208, 6), (440, 6)], 1):
        for block in range(depth):
            at = f"trunk_output.block{stage}.block{stage}-{block}"
            if not block:
                made |= {f"{at}.proj.0.weight": (width, before, 1, 1), **norm(f"{at}.proj.1", width, batch=True)}
            made |= {f"{at}.f.a.0.weight": (width, before, 1, 1), **norm(f"{at}.f.a.1", width, batch=True)}
            made |= {f"{at}.f.b.0.weight": (width, 8, 3, 3), **norm(f"{at}.f.b.1", width, batch=True)}
            inner = round(0.25 * before)
            made |= {f"{at}.f.se.fc1.weight": (inner, width, 1, 1), f"{at}.f.se.fc1.bias": (inner,)}
            made |= {f"{at}.f.se.fc2.weight": (width, inner, 1, 1), f"{at}.f.se.fc2.bias": (width,)}
            made |= {f"{at}.f.c.0.weight": (width, width, 1, 1), **norm(f"{at}.f.c.1", width, batch=True)}
            before = width
    return made | {"fc.weight": (1000, 440), "fc.bias": (1000,)}


#: What each of ours must come from, as replacements in its name; numbers that begin at 1 there are in braces.
NAMES = {
    "convnext": (
        (r"^patches", "stem.0"), (r"^patch_norm\.norm", "stem.1"), (r"^parts", "stages"), ("units", "blocks"),
        ("layer_scale", "gamma"), ("depthwise", "conv_dw"), (r"\.up\.", ".mlp.fc1."), (r"\.down\.", ".mlp.fc2."),
        (r"reduce\.0\.norm", "downsample.0"), (r"reduce\.1", "downsample.1"), ("^final_norm", "head.norm"),
        ("^classifier", "head.fc"),
    ),
    "densenet": (
        (r"^conv\.", "features.conv0."), (r"^bn\.", "features.norm0."), (r"layers\.(\d+)", r"denselayer{\1}"),
        (r"^parts\.(\d+)\.transition\.bn", r"features.transition{\1}.norm"), (r"^parts\.(\d+)\.transition", r"features.transition{\1}"),
        (r"^parts\.(\d+)", r"features.denseblock{\1}"), (r"bn(\d)", r"norm\1"), ("squeeze", "conv1"), ("grow", "conv2"),
        ("^final_bn", "features.norm5"), ("^head", "classifier"),
    ),
    "regnet": (
        (r"^stages\.(\d)\.head", r"trunk_output.block{\1}.block{\1}-0"), (r"^stages\.(\d)\.rest\.(\d)", r"trunk_output.block{\1}.block{\1}-{\2}"),
        (r"\.first\.", ".f.a."), (r"\.middle\.", ".f.b."), (r"\.last\.", ".f.c."), (r"se\.reduce", "f.se.fc1"),
        (r"se\.expand_", "f.se.fc2"), (r"\.short\.", ".proj."), ("^classifier", "fc"),
    ),
}  # fmt: skip


#: How many rules hold them all; regnet writes the number of a stage twice, which one wildcard of ours cannot give.
RULES = {"convnext": 11, "densenet": 10, "regnet": 41}


def expected(name: str, path: str) -> str:
    for pattern, text in NAMES[name]:
        path = re.sub(pattern, text, path)
    return re.sub(r"\{(\d+)\}", lambda match: str(int(match[1]) + 1), path)


@pytest.mark.parametrize(
    "alphabetical", [pytest.param(False, id="as made", marks=pytest.mark.long), pytest.param(True, id="alphabetical")]
)
@pytest.mark.parametrize("make", thinned([regnet, convnext, densenet], 3), ids=lambda make: make.__name__)
def test_each_tensor_comes_from_its_own(make: Callable[[], Shapes], alphabetical: bool) -> None:
    shapes = make()
    shapes = dict(sorted(shapes.items())) if alphabetical else shapes
    spec = dlc.load(SPECS / f"{make.__name__}.dlspec").spec
    entries = list(parameters(spec, spec.models[0]))
    proposal = propose(entries, shapes)
    assert proposal.unplaced == proposal.partly == proposal.left == ()
    made, _ = weight_map(proposal, "theirs", spec.models[0].name, [entry.path for entry in entries], shapes)
    assert made.ignore == ()
    assert len(made.rules) == RULES[make.__name__]
    checked = plan(made, entries, shapes)
    assert not checked.mistakes
    found = {path: leaves(source) for path, source in checked.sources.items()}
    assert found == {entry.path: (expected(make.__name__, entry.path),) for entry in entries}
