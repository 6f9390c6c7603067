"""Every entry of the catalogue is complete, and modules are imported one by one.

Names, arguments and defaults are frozen by docs/operators.md, which is compared with the definitions.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from dlc.compiler.catalogue.arguments import READERS, read
from dlc.compiler.catalogue.ops import find, module_of, names
from dlc.compiler.catalogue.ops.base import Op

SIGNS = """
plus minus times divide floor_divide modulo power negative matmul equal not_equal less less_equal greater
greater_equal logical_and logical_or logical_not index transpose rearrange constant size
"""
SYNTAX = set(SIGNS.split())


def test_families() -> None:
    assert set(names(syntax=True)) - set(names()) == SYNTAX
    assert all(name[0].isupper() for name in names(functions=False))
    assert not any(name[0].isupper() for name in names(layers=False))


@pytest.mark.parametrize("name", names(syntax=True))
def test_entry_is_complete(name: str) -> None:
    operator = find(name)
    assert operator is not None and operator.name == name
    assert operator.__doc__, "documentation"
    assert operator.onnx, "how it is said in ONNX"
    assert operator.samples, "samples"
    assert bool(operator.syntax) == (name in SYNTAX)
    for argument, annotation, default in operator.arguments:
        kind = annotation.removesuffix(" | None")
        assert kind in READERS or kind.startswith("Literal["), f"{argument}: {annotation}"
        if default is not Op.MISSING:
            assert read(annotation, default) == default


def test_unknown_name() -> None:
    assert find("Linaer") is None


def test_modules_load_one_by_one() -> None:
    program = (
        "import sys; from dlc.compiler.catalogue.ops import find, names; names(); find('Linear');"
        "print(sorted(m.rsplit('.', 1)[1] for m in sys.modules if m.startswith('dlc.compiler.catalogue.ops.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['base', 'linear', 'positions', 'rules']"


def test_module_of() -> None:
    assert module_of("max_pool") == "pooling"
    assert module_of("Conv") == "convolution"
