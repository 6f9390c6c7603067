"""Records: made of keyword arguments, frozen, equal by value, strict about JSON."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dlc.compiler.ir.model import Init, Model, Scalar
from dlc.compiler.ir.record import Record, field


class Base(Record):
    first: int
    names: tuple[str, ...] = ()


class Below(Base):
    inner: Base | None = None
    table: dict[str, float] = field(default_factory=dict)


def test_defaults_and_factories() -> None:
    one, two = Below(first=1), Below(first=1)
    assert (one.first, one.names, one.inner, one.table) == (1, (), None, {})
    assert one.table is not two.table
    assert one == two and hash(Base(first=1)) == hash(Base(first=1))
    assert one != Below(first=2) and one != Base(first=1)


def test_frozen() -> None:
    with pytest.raises(AttributeError, match="Base is frozen"):
        Base(first=1).first = 2  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="Base is frozen"):
        del Base(first=1).first


def test_our_own_mistakes() -> None:
    with pytest.raises(AssertionError, match=r"Base has no \['second'\]"):
        Base(first=1, second=2)  # pyright: ignore[reportCallIssue]
    with pytest.raises(AssertionError, match=r"Base needs \['first'\]"):
        Base()  # pyright: ignore[reportCallIssue]


def test_copy() -> None:
    assert Below(first=1, names=("a",)).model_copy(update={"first": 3}) == Below(first=3, names=("a",))


def test_json_keeps_the_order_of_the_fields() -> None:
    value = Below(table={"x": float("inf")}, inner=Base(first=2), first=1)
    text = '{"first":1,"names":[],"inner":{"first":2,"names":[]},"table":{"x":"Infinity"}}'
    assert value.model_dump_json() == text
    assert Below.model_validate_json(text) == value
    assert isinstance(Below.model_validate_json(text).inner, Base)


@pytest.mark.parametrize("text", ['{"first":"x"}', '{"first":1,"more":2}', "{}", "[]", "{"])
def test_json_that_does_not_fit(text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Base.model_validate_json(text)


def test_no_pydantic_until_json_is_read() -> None:
    code = (
        "import sys; from dlc.compiler.ir.model import Init; i = Init(name='zeros'); assert 'pydantic' not in sys.modules;"
        "text = i.model_dump_json(); assert 'pydantic' not in sys.modules;"
        "assert Init.model_validate_json(text) == i; assert 'pydantic' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nested_arguments_survive() -> None:
    model = Model(name="M", statics={"pads": ((1, 2), (3.5, None)), "kind": "same"}, body=0)
    assert Model.model_validate_json(model.model_dump_json()) == model
    assert Scalar(value=True) != Init(name="zeros")
