"""Which blocks share a class, and what becomes of names, scopes, modes and repeats."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from dlc.backends.pytorch.load import load_source
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.ir.expand import parameters
from dlc.compiler.ir.model import Spec
from dlc.tests.sizes import thinned

from .conftest import ROOT

Written = Callable[..., tuple[Spec, str]]
Built = Callable[..., nn.Module]


def classes(source: str) -> list[str]:
    return re.findall(r"^class (\w+)", source, re.MULTILINE)


def test_constants_that_differ_become_arguments(written: Written) -> None:
    _, source = written("""
block Up(channels: int, rate = 0.1)(x: [B, C]) -> [B, channels] { x -> fc: Linear(channels) -> relu -> dropout(rate) }
model M(x: [B, 4]) -> (y: [B, 16]) { y = x -> a: Up(8) -> b: Up(16, rate = 0.5) }
""")
    assert classes(source) == ["Up", "M"]
    assert "def __init__(self, in_features, channels, rate=0.1):" in source
    assert "self.a = Up(4, 8)" in source
    assert "self.b = Up(8, 16, rate=0.5)" in source
    assert "self.rate, self.training" in source


def test_equal_constants_stay_numbers(written: Written) -> None:
    _, source = written("""
block Mlp(hidden: int)(x: [B, D]) -> [B, D] { x -> up: Linear(hidden) -> relu -> down: Linear(D) }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Mlp(16) -> b: Mlp(16) }
""")
    assert classes(source) == ["Mlp", "M"]
    assert "nn.Linear(4, 16)" in source
    assert "self.a = Mlp()" in source


def test_a_structure_of_its_own_is_named_after_what_differs(written: Written) -> None:
    _, source = written("""
block Part(bias: bool)(x: [B, D]) -> [B, D] { x -> fc: Linear(D, bias = bias) }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Part(true) -> b: Part(false) -> c: Part(true) }
""")
    assert classes(source) == ["Part", "PartWithoutBias", "M"]
    assert "self.c = Part()" in source


def test_activations_that_differ_become_arguments(written: Written) -> None:
    _, source = written("""
block Unit(channels: int, act: fn = relu) = Linear(channels) -> act -> Linear(channels)
block Pair(act: fn)(x: [B, C]) -> [B, C] { x -> one: Unit(8, act) -> two: Unit(C, act = identity) }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Pair(hard_swish) -> b: Pair(silu) -> c: Unit(4) }
""")
    assert classes(source) == ["Unit", "Pair", "M"]
    assert "def __init__(self, in_features, channels, act=nn.ReLU):" in source
    assert "nn.Linear(in_features, channels),\n            act()," in source
    assert "self.one = Unit(4, 8, act=act)" in source
    assert "self.two = Unit(8, 4, act=nn.Identity)" in source
    assert "self.a = Pair(nn.Hardswish)" in source
    assert "self.c = Unit(4, 4)\n" in source
    module = load_source(source).M()
    assert [name for name in module.state_dict() if name.startswith("a.one")] == [
        "a.one.0.weight",
        "a.one.0.bias",
        "a.one.2.weight",
        "a.one.2.bias",
    ]
    assert [type(unit[1]) for unit in (module.a.one, module.b.one, module.c)] == [nn.Hardswish, nn.SiLU, nn.ReLU]


def test_an_equal_activation_stays_in_its_place(written: Written) -> None:
    _, source = written("""
block Unit(channels: int, act: fn) = Linear(channels) -> act
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Unit(8, relu) -> b: Unit(4, relu) }
""")
    assert "nn.Linear(in_features, channels), nn.ReLU()" in source
    assert "self.b = Unit(8, 4)" in source


def test_activations_with_arguments_or_in_forward_have_classes_of_their_own(written: Written) -> None:
    """Those that can share a class still do."""
    _, source = written("""
block Unit(channels: int, act: fn) = Linear(channels) -> act
block Gate(act: fn)(x: [B, C]) -> [B, C] { x * (x -> fc: Linear(C) -> act) }
model M(x: [B, 4]) -> (y: [B, 4]) {
  y = x -> a: Unit(8, leaky_relu(0.1)) -> b: Unit(6, leaky_relu(0.2)) -> c: Unit(4, tanh)
    -> d: Gate(relu) -> e: Gate(tanh) -> f: Gate(relu)
}
""")
    assert classes(source) == ["Unit", "UnitTanh", "Gate", "GateTanh", "M"]
    assert "self.d = Gate()" in source
    assert "self.e = GateTanh()" in source
    assert "self.f = Gate()" in source


@pytest.mark.parametrize("name", ["mobilenet_v3", "efficientnet_b0"])
def test_no_two_classes_differ_only_in_an_activation(name: str, example: Callable[[str], Spec]) -> None:
    spec = example(f"specs/{name}.dlspec")
    source = module_source(spec, spec.models[0])
    assert classes(source).count("ConvBN") == 1
    assert "ConvBN2" not in source
    bodies = re.split(r"^class \w+", source, flags=re.MULTILINE)[1:]
    activation = r"nn\.(ReLU|Hardswish|SiLU|Identity)\b|F\.(relu|hardswish|silu)\b"
    plain = [re.sub(r"\b\d[\d.]*", "0", re.sub(activation, "act", body)) for body in bodies]
    assert len(set(plain)) == len(plain)


def test_a_whole_group_is_a_sequential_with_its_numbers(built: Built) -> None:
    module = built("""
model M(x: [B, 4]) -> (y: [B, 2]) {
  y = x -> mlp: { Linear(8) -> relu -> repeat 2 { Linear(8) -> tanh } -> { Linear(6) -> relu } -> Linear(2) }
}
""")
    assert isinstance(module.mlp, nn.Sequential)
    assert list(module.state_dict()) == [
        f"mlp.{path}.{leaf}" for path in ("0", "2", "4", "6.0", "7") for leaf in ("weight", "bias")
    ]


def test_a_numbered_group_that_is_no_chain_keeps_its_numbers(built: Built) -> None:
    module = built("""
model M(x: [B, 4]) -> (y: [B, 2]) {
  y = x -> mlp: { if training { dropout(0.1) } -> Linear(8) -> [B, (A, 4)] => [B, (4, A)] -> Linear(2) }
}
""")
    assert [key for key in module.state_dict() if key.endswith("weight")] == ["mlp.1.weight", "mlp.3.weight"]
    assert module(torch.rand(3, 4)).shape == (3, 2)


def test_unlabelled_turns_keep_their_names(built: Built) -> None:
    module = built("model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> repeat 3 { Linear(4) -> relu } }")
    assert [k for k in module.state_dict() if "weight" in k] == ["linear.weight", "linear_2.weight", "linear_3.weight"]


def test_turns_with_inner_braces_are_a_class(written: Written) -> None:
    _, source = written("""
block Ff(x: [B, D]) -> [B, D] { x -> fc: Linear(D) }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> layers: repeat 6 { { norm: LayerNorm -> ff: Ff } } }
""")
    assert classes(source) == ["Ff", "Layer", "M"]
    assert "self.layers = nn.ModuleList([Layer() for _ in range(6)])" in source
    assert "for layer in self.layers:\n            x = layer(x)" in source


def test_a_shared_layer_is_built_once(built: Built) -> None:
    module = built("""
model M(x: [B, 4]) -> (y: [B, 4]) {
  layer = Linear(4)
  y = x -> layer -> relu -> repeat 3 { layer }
}
""")
    assert list(module.state_dict()) == ["layer.weight", "layer.bias"]
    x = torch.rand(2, 4)
    want = torch.relu(module.layer(x))
    for _ in range(3):
        want = module.layer(want)
    torch.testing.assert_close(module(x), want)


def test_an_instance_as_a_parameter_is_handed_to_forward(written: Written) -> None:
    _, source = written("""
block Head(embed: Embedding)(x: [B, D]) -> [B, _] { x @ embed.weight.T }
model M(t: i64[B]) -> (y: [B, 10]) {
  embed = Embedding(10, 4)
  y = t -> embed -> head: Head(embed)
}
""")
    assert "def forward(self, x: Tensor, embed: nn.Module) -> Tensor:" in source
    assert "self.head(self.embed(t), self.embed)" in source


def test_one_branch_of_training(built: Built) -> None:
    module = built("""
model M(x: [B, 4]) -> (y: [B, 4]) {
  z = if training { x * 2 } else { x -> Linear(4) }
  y = z + x
}
""")
    x = torch.rand(2, 4)
    torch.testing.assert_close(module.train()(x), 3 * x)
    torch.testing.assert_close(module.eval()(x), module.linear(x) + x)


def test_a_value_read_later_survives_its_name(built: Built) -> None:
    """`x` is bound anew while the old value is still wanted, in a body and around a loop."""
    module = built("""
model M(x: [B, 4]) -> (y: [B, 4]) {
  old = x
  x = x * 2
  x = x -> h: repeat 2 { Linear(4) }
  y = x + old
}
""")
    x = torch.rand(2, 4)
    torch.testing.assert_close(module(x), module.h[1](module.h[0](2 * x)) + x)


@pytest.mark.parametrize("layer", [name for name in names() if getattr(find(name), "outputs", ())])
def test_an_output_without_a_name_is_called_as_its_operator_calls_it(layer: str, written: Written) -> None:
    operator = find(layer)
    assert operator is not None
    for wanted in operator.outputs:
        _, source = written(
            f"model M(x: [B, T, 4]) -> (y: [B, 4]) {{ y = mean((x -> cell: {layer}(4)).{wanted}, axis = "
            f"{1 if wanted == 'y' else 0}) }}"
        )
        (targets,) = re.findall(r"(.*) = self\.cell\(x\)", source)
        assert set(re.findall(r"\w+", targets)) == {wanted, "_"}


def test_operators_keep_their_order(built: Built) -> None:
    module = built("""
model M(a: [B], b: [B]) -> (y: [B]) {
  y = (a - (b - 1)) / (a * (2 / b)) - -(a + b) ** 2
}
""")
    a, b = torch.rand(5) + 1, torch.rand(5) + 1
    torch.testing.assert_close(module(a, b), (a - (b - 1)) / (a * (2 / b)) - -((a + b) ** 2))


def test_names_that_python_or_the_file_needs(built: Built) -> None:
    module = built("""
block nn(x: [B, D]) -> [B, D] { relu(x) }
block Outputs(x: [B, D]) -> [B, D] { x -> fc: Linear(D) }
block LSTM_(x: [B, D]) -> [B, D] { x -> fc: Linear(D) }
model M(torch: [B, 4], F: [B, 4], self: [B, 4], lambda: [B, 4], max: [B, 4]) -> (def: [B, 4], none_: [B, 4]) {
  class = torch + F -> nn -> a: Outputs -> b: LSTM_
  import = self * lambda - max
  range  = sum(import, axis = 0)
  def    = class + range
  none_  = def -> h: repeat 3 { Linear(4) }
}
""")
    values = [torch.rand(2, 4) for _ in range(5)]
    result = module(*values)
    assert [tuple(value.shape) for value in result] == [(2, 4), (2, 4)]


def test_a_variable_called_like_a_supporting_function(built: Built) -> None:
    module = built("model M(x: [B, 1, T, 4]) -> (y: [B, 1, T, 4]) { rope = x -> rope(100)\n y = rope -> rope(100) }")
    x = torch.rand(2, 1, 3, 4)
    torch.testing.assert_close(module(x)[:, :, 0], x[:, :, 0])
    assert module(x).shape == x.shape


def test_a_statics_name_that_a_layer_has(built: Built) -> None:
    module = built("""
block Part(fc: float)(x: [B, D]) -> [B, D] { (x -> fc: Linear(D)) * fc }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Part(2.0) -> b: Part(3.0) }
""")
    x = torch.rand(2, 4)
    torch.testing.assert_close(module(x), module.b.fc(module.a.fc(x) * 2) * 3)


def test_text_of_the_spec_is_never_code(written: Written) -> None:
    _, source = written("""
model M(x: [B, H]) -> (y: [B, H]) {
  require H % 4 == 0, "\\" + exit() # {x} \\n"
  y = x
}
""")
    module = load_source(source)
    with pytest.raises(ValueError, match=re.escape("exit()")):
        module.M()(torch.rand(2, 3))


def test_taps_become_further_outputs(written: Written) -> None:
    spec, source = written(
        "model M(x: [B, 4]) -> (y: [B, 2]) { h = x -> a: Linear(3)\n y = h -> relu -> b: Linear(2) }",
        extra_outputs=("h",),
    )
    module = load_source(source).M()
    result = module(torch.rand(5, 4))
    assert result._fields == ("y", "h")
    assert result.h.shape == (5, 3)
    assert spec.models[0].name == "M"


def test_a_tap_nobody_reads_is_not_computed(written: Written) -> None:
    _, source = written("model M(x: [B, 4]) -> (y: [B, 2]) { unused = exp(x)\n y = x -> b: Linear(2) }")
    assert "exp" not in source


def test_a_thousand_turns_are_one_line(written: Written) -> None:
    _, source = written("""
block Ff(x: [B, D]) -> [B, D] { x -> fc: Linear(D) }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> h: repeat 1000 { Ff } }
""")
    assert "range(1000)" in source
    assert len(source.splitlines()) < 40


def test_sizes_of_blocks_come_from_their_own_inputs(built: Built) -> None:
    """A block whose height is a fraction of the model's reads its own input."""
    module = built("""
block Halve(x: [B, C, H, W]) -> [B, C, _] { x -> max_pool(2) -> [B, C, H2, W2] => [B, C, (H2, W2)] }
model M(x: [B, 3, H, W]) -> (y: [B, 3, _]) {
  require H % 4 == 0 and W % 4 == 0
  y = x -> max_pool(2) -> a: Halve
}
""")
    assert module(torch.rand(2, 3, 8, 12)).shape == (2, 3, 6)


def test_emits_are_stacked_in_execution_order(written: Written) -> None:
    spec, source = written(
        """
block Part(x: [B, D]) -> [B, D] { emit size = mean(x)\n x * 2 }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> p: repeat 3 { Part } }
""",
        extra_outputs=("size",),
    )
    result = load_source(source).M()(torch.ones(2, 4))
    torch.testing.assert_close(result.size, torch.tensor([1.0, 2.0, 4.0]))
    assert len(spec.models) == 1


def test_repeats_in_a_loop_are_one_sequential(built: Built) -> None:
    """VGG: stages of several convolutions, one list of numbers."""
    module = built("""
model M(x: [B, 4]) -> (y: [B, 4]) {
  y = x -> features: for (width, count) in [(8, 2), (16, 3), (4, 5)] { repeat count { Linear(width) -> relu } -> tanh }
}
""")
    assert isinstance(module.features, nn.Sequential)
    assert [name for name, _ in module.named_parameters() if name.endswith("weight")] == [
        f"features.{at}.weight" for at in (0, 2, 5, 7, 9, 12, 14, 16, 18, 20)
    ]
    assert module(torch.zeros(2, 4)).shape == (2, 4)


def test_repeats_in_a_loop_that_is_no_chain(built: Built) -> None:
    module = built("""
model M(x: [B, 4]) -> (y: [B, 4]) {
  y = x -> features: for (act, count) in [(relu, 2), (tanh, 1)] { repeat count { Linear(4) -> roll(1, axis = 1) } -> act }
}
""")
    names = [name for name, _ in module.named_parameters() if name.endswith("weight")]
    assert names == ["features.0.weight", "features.2.weight", "features.5.weight"]
    assert module(torch.ones(2, 4)).shape == (2, 4)


@pytest.mark.parametrize("name", thinned(sorted(path.stem for path in (ROOT / "specs").glob("*.dlspec")), 3))
def test_no_class_is_told_from_another_by_a_number_alone(name: str, example: Callable[[str], Spec]) -> None:
    spec = example(f"specs/{name}.dlspec")
    for model in spec.models:
        source = module_source(spec, model)
        found = classes(source)
        assert [cls for cls in found if cls[-1].isdigit() and cls.rstrip("0123456789") in found] == []
        with torch.device("meta"):
            module = getattr(load_source(source), class_name(model))()
        assert sorted(module.state_dict()) == sorted(entry.path for entry in parameters(spec, model))


def test_a_switch_that_differs_is_an_argument(written: Written) -> None:
    _, source = written("""
block Attend(causal: bool)(x: [B, T, D]) -> [B, T, D] {
  h = x -> fc: Linear(D) -> split_heads(2)
  attention(h, h, h, causal = causal) -> merge_heads
}
model M(x: [B, T, 4]) -> (y: [B, T, 4]) { y = x -> a: Attend(false) -> b: Attend(true) }
""")
    assert classes(source) == ["Attend", "M"]
    assert "self.a = Attend()" in source
    assert "self.b = Attend(causal=True)" in source
    module = load_source(source).M().eval()
    x = torch.rand(1, 5, 4)
    longer = torch.cat((x, torch.rand(1, 1, 4)), dim=1)
    torch.testing.assert_close(module.b(longer)[:, :5], module.b(x))
    assert not torch.allclose(module.a(longer)[:, :5], module.a(x))


def test_comments_above_a_block_are_its_docstring(written: Written) -> None:
    spec, source = written('''
# Adds what it was given: "residual" learning
# (He et al., 2015) \\\\ """.

# The same width.
# And the same "height".
block Part(x: [B, D]) -> [B, D] { x + (x -> fc: Linear(D)) }

# No comment of the model:

model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Part }
''')
    assert (
        '''class Part(nn.Module):
    """The same width. And the same 'height'."""
'''
        in source
    )
    module = load_source(source)
    assert module.M.__doc__ is None or "comment" not in module.M.__doc__
    assert "residual" in module.__doc__ or spec


def test_a_generated_file_prints_its_parameters(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    _, source = written("model M(x: [B, 4]) -> (y: [B, 500]) { y = x -> a: Linear(500) }")
    exec(compile(source, "model.py", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == "2,500 parameters\n"


def test_a_class_says_where_it_differs(written: Written) -> None:
    _, source = written("""
block Part(count: int, gated: bool)(x: [B, D]) -> [B, D] {
  y = x -> if gated { tanh } else { relu }
  y -> for i in 0..count { roll(i + 1, axis = 1) -> exp } -> fc: Linear(D)
}
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Part(1, false) -> b: Part(1, true) -> c: Part(2, false) }
""")
    assert classes(source) == ["Part", "PartGated", "PartCount2", "M"]


def test_a_layer_that_only_some_have_takes_the_statics_of_its_block(written: Written) -> None:
    """Its stride is 2 wherever it is, and yet that of the block: the class is right at other strides too."""
    _, source = written("""
block Residual(channels: int, stride = 1)(x: [B, C, H, W]) -> [B, channels, _, _] {
  shortcut = x -> if stride != 1 or C != channels { down: { Conv(channels, 1, stride) -> BatchNorm } }
  (x -> conv: Conv(channels, 3, stride, pad = 1)) + shortcut
}
model M(x: [B, 3, 8, 8]) -> (y: [B, 8, 4, 4]) { y = x -> a: Residual(3) -> b: Residual(8, stride = 2) -> c: Residual(8) }
""")
    assert "nn.Conv2d(in_channels, channels, 1, stride=stride), nn.BatchNorm2d(channels)" in " ".join(source.split())
    assert load_source(source).Residual(4, 4, stride=3)(torch.zeros(1, 4, 9, 9)).shape == (1, 4, 3, 3)


def test_a_block_that_only_some_have_takes_the_statics_of_its_block(written: Written) -> None:
    """It is there at stride 2 alone, and yet the 2 is the stride, given by name or by place."""
    for given in ("width, stride = stride", "width, stride"):
        _, source = written(
            "block Short(width: int, stride = 1) = Conv(width, 1, stride) -> BatchNorm\n"
            "block Unit(width: int, stride = 1)(x: [B, C, H, W]) -> [B, width, _, _] {\n"
            f"  shortcut = x -> if stride != 1 or C != width {{ short: Short({given}) }}\n"
            "  shortcut + (x -> conv: Conv(width, 3, stride, pad = 1))\n}\n"
            "model M(x: [B, 4, 8, 8]) -> (y: [B, 8, 2, 2]) {\n"
            "  y = x -> stem: Short(6) -> a: Unit(8, 2) -> b: Unit(8) -> c: Unit(8, 2)\n}"
        )
        assert re.search(r"self.short = Short\(in_channels, .*stride=stride\)", source), source


def test_a_layer_that_only_some_have_has_what_its_author_wrote(written: Written) -> None:
    """The kernel of the shortcut is no dilation, though it equals the one of the only block with a shortcut."""
    _, source = written("""
block Residual(channels: int, dilation: int)(x: [B, C, T]) -> [B, channels, T] {
  h = x -> conv: Conv(channels, 3, pad = "causal", dilation = dilation)
  h + (x -> if C != channels { shortcut: Conv(channels, 1) })
}
model M(x: [B, 2, T]) -> (y: [B, 8, T]) { y = x -> a: Residual(8, 1) -> b: Residual(8, 2) -> c: Residual(8, 4) }
""")
    assert "self.shortcut = nn.Conv1d(in_channels, channels, 1)" in source


def test_a_parameter_that_is_read_once_gets_no_variable(written: Written) -> None:
    _, source = written("""
model M(x: [B, 4]) -> (y: [B, 4]) {
  offset = Param([4], init = zeros)
  y = (x -> fc: Linear(4)) + offset
}
""")
    assert "return self.fc(x) + self.offset" in source
