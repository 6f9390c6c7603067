"""Tensor types and the rules that join them."""

from __future__ import annotations

from pydantic import TypeAdapter

from dlc.compiler.sizes.dims import floordiv, var
from dlc.compiler.sizes.facts import Facts
from dlc.compiler.sizes.types import Clash, TensorType, broadcast, is_float, is_integer, join_dtypes, literal_fits

B, T, H = var("B"), var("T"), var("H")


def test_text_and_json() -> None:
    kind = TensorType("f32", (B, 3, floordiv(H, 2), T + 1))
    assert str(kind) == "f32[B, 3, ⌊H/2⌋, T + 1]"
    assert kind.rank == 4
    adapter = TypeAdapter(TensorType)
    assert adapter.dump_json(kind) == b'{"dtype":"f32","shape":["B",3,"floor(H/2)","T + 1"]}'
    assert adapter.validate_json(adapter.dump_json(kind)) == kind


def test_broadcast_aligns_at_the_end() -> None:
    assert broadcast([(B, T, 64), (64,)]) == (B, T, 64)
    assert broadcast([(B, 1, 64), (1, T, 1)]) == (B, T, 64)
    assert broadcast([(), (3,)]) == (3,)
    assert broadcast([]) == ()


def test_sizes_clash() -> None:
    assert broadcast([(B, 256, 56), (B, 64, 56)]) == Clash(1, 256, 64, 0, 1, unproved=False)
    assert broadcast([(B, T), (B, 5)]) == Clash(1, T, 5, 0, 1, unproved=True)
    assert broadcast([(B,), (T, T + 1)]) == Clash(1, B, T + 1, 0, 1, unproved=True)
    assert broadcast([(T,), (T + 1,)]) == Clash(0, T, T + 1, 0, 1, unproved=False)


def test_facts_help_broadcasting() -> None:
    shapes = [(floordiv(H, 8),), (2 * floordiv(H, 16),)]
    assert isinstance(broadcast(shapes), Clash)
    assert broadcast(shapes, Facts({"H": 16})) == (floordiv(H, 8),)


def test_dtypes_never_convert() -> None:
    assert join_dtypes(["f32", None, "f32"]) == "f32"
    assert join_dtypes(["f32", "i64"]) is None
    assert literal_fits(2, "i64") and literal_fits(2, "f16") and literal_fits(0.5, "bf16")
    assert not literal_fits(0.5, "i64") and not literal_fits(True, "f32")
    assert is_float("bf16") and is_integer("u8") and not is_integer("bool")
