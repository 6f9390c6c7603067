"""How tables are written: separators, decimal commas, encodings, words for what is missing. Found and reported, or given."""

from __future__ import annotations

from typing import Any

import pytest

from dlc.compiler.check import check
from dlc.runtime.data import facts

ALL = 'split = all("train")'
FIELDS = "a: f32 = source.a\nb: i64 = source.b -> category"

MODEL = """model N(a: [B]) -> (logits: [B, 2]) { logits = stack(a, a, axis = 1) -> fc: Linear(2) }
train { model = N; data = D; loss = cross_entropy(logits, b); optimizer = SGD(0.1); batch = 2; duration = 1 epochs }
"""

WRITTEN = [
    ("a,b\n1.5,x\n2000.25,y\n", "", ()),
    ("a;b\n1,5;x\n2000,25;y\n", "", ('separator = ";"', 'decimal = ","')),
    ("a;b\n1.5;x\n2000.25;y\n", "", ('separator = ";"',)),
    ("a\tb\n1,5\tx\n2000,25\ty\n", "", ('separator = "\\t"', 'decimal = ","')),
    ("a|b\n1.5|x\n2000.25|y\n", "", ('separator = "|"',)),
    ("a:b\n1.5:x\n2000.25:y\n", 'separator = ":"', ()),
    ("a;b\n1,5;x\n2.000,25;y\n", 'separator = ";", decimal = ",", thousands = "."', ()),
    ('a,b\n1.5,x\n"2,000.25",y\n', 'thousands = ","', ()),
    ("a;b\n1,5;x\n2 000,25;y\n", 'separator = ";", decimal = ",", thousands = " "', ()),
    ("a,b\n1.5,'x'\n2000.25,'y'\n", 'quote = "\'"', ()),
]


@pytest.mark.parametrize("rows", [1, 3000])
@pytest.mark.parametrize(("text", "given", "found"), WRITTEN)
def test_cells_as_people_write_them(workspace, text: str, given: str, found: tuple[str, ...], rows: int) -> None:
    head, first, second, _ = text.split("\n")
    workspace.write("t.csv", "\n".join([head, *[first] * rows, second]) + "\n")
    body = f'source = csv("t.csv"{", " + given if given else ""})\n{ALL}\n{FIELDS}'
    data = workspace.open(body)
    assert tuple(argument for _, argument in facts.of(data).found) == found
    batch = workspace.everything(body)
    assert set(batch["a"][:-1].tolist()) == {1.5} and batch["a"][-1] == 2000.25
    assert batch["b"].tolist() == [0] * rows + [1] and facts.of(data).fields["b"].classes == ("x", "y")


def test_what_was_found_is_reported_with_what_to_write(workspace) -> None:
    workspace.write("t.csv", "a;b\n1,5;x\n2,5;y\n")
    body = f'source = csv("t.csv")\n{ALL}\n{FIELDS}'
    found = facts.of(workspace.open(body))
    spec = workspace.write("s.dlspec", f"dlspec 1\ndata D {{\n{body}\n}}\n{MODEL}")
    reported = check(spec, {}, None, {"D": found}).report.diagnostics
    assert [d.code for d in reported] == ["W0416", "W0416"]
    assert "t.csv` has `;` between its cells" in reported[0].message and 'separator = ";"' in reported[0].helps[0]


def test_a_separator_in_the_text_of_a_cell_is_none(workspace) -> None:
    workspace.write("t.csv", 'text,a\n"x; y",1\nz;w,2\n')
    body = f'source = csv("t.csv")\n{ALL}\na: i64 = source.a'
    assert workspace.everything(body)["a"].tolist() == [1, 2] and facts.of(workspace.open(body)).found == ()


@pytest.mark.parametrize(
    ("encoding", "given"),
    [("utf-8-sig", ""), ("utf-16", ""), ("utf-16", 'encoding = "utf-16"'), ("latin-1", 'encoding = "latin-1"')],
)
def test_encodings(workspace, encoding: str, given: str) -> None:
    (workspace.path / "t.csv").write_bytes("größe,b\n1,é\n2,a\n".encode(encoding))
    body = f'source = csv("t.csv"{", " + given if given else ""})\n{ALL}\nx: f32 = source["größe"]\nb: i64 = source.b -> category'
    assert workspace.everything(body)["x"].tolist() == [1, 2]
    data = workspace.open(body)
    assert facts.of(data).fields["b"].classes == ("a", "é") and data.table.place(1).endswith("t.csv:3")
    assert [argument for _, argument in data.table.found] == (
        ['encoding = "utf-16"'] if encoding == "utf-16" and not given else []
    )


def test_a_wrong_encoding(workspace) -> None:
    (workspace.path / "t.csv").write_bytes("a,b\n1,x\n2,é\n".encode("latin-1"))
    assert "t.csv:3: not UTF-8" in workspace.mistake(f'source = csv("t.csv")\n{ALL}\n{FIELDS}')
    found = workspace.mistake(f'source = csv("t.csv", encoding = "ascii")\n{ALL}\n{FIELDS}')
    assert "t.csv:3: not UTF-8" in found
    (workspace.path / "t.csv").write_bytes(b"a,b\n1,x\n2,\x81\n")
    found = workspace.mistake(f'source = csv("t.csv", encoding = "cp1252")\n{ALL}\n{FIELDS}')
    assert 't.csv:3: not text in the encoding "cp1252"' in found


@pytest.mark.parametrize(("cell", "line"), [("1.5", 3), ("1,5,5", 3), ("x", 3)])
def test_the_line_of_what_is_not_a_number_with_a_decimal_comma(workspace, cell: str, line: int) -> None:
    workspace.write("t.csv", f"a;b\n1,5;x\n{cell};y\n")
    found = workspace.mistake(f'source = csv("t.csv", separator = ";", decimal = ",")\n{ALL}\n{FIELDS}')
    assert f't.csv:{line}, column `a`: "{cell}" is not a number' in found


MARKED: dict[str, Any] = {"csv": "a,b\n1,x\n?,?\n-999,NA\n4,y\n"}


def write_marked(workspace, kind: str) -> None:
    import pyarrow
    from pyarrow import feather, parquet

    if kind == "csv":
        workspace.write("t.csv", MARKED["csv"])
    elif kind == "jsonl":
        workspace.write(
            "t.jsonl", '{"a": 1, "b": "x"}\n{"a": "?", "b": "?"}\n{"a": -999, "b": "NA"}\n{"a": 4, "b": "y"}\n'
        )
    else:
        table = pyarrow.table({"a": [1, None, -999, 4], "b": ["x", "?", "NA", "y"]})
        (parquet.write_table if kind == "parquet" else feather.write_feather)(table, workspace.path / f"t.{kind}")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "feather"])
def test_marks_of_missing_cells_hold_for_numbers_and_names(workspace, kind: str) -> None:
    write_marked(workspace, kind)
    source = f'source = {kind}("t.{kind}", missing = ["?", "-999", "NA"])\n{ALL}\n'
    batch = workspace.everything(f"{source}a: f32 = source.a -> impute(0)")
    assert batch["a"].tolist() == [1, 0, 0, 4]
    assert "`a`" in workspace.mistake(f"{source}a: f32 = source.a")
    found = workspace.mistake(f"{source}b: i64 = source.b -> category")
    assert 'column `b`: "?" stands for a missing value, so its class is missing' in found
    kept = workspace.everything(f'{source}where = source.b != ""\nb: i64 = source.b -> category')
    assert kept["b"].tolist() == [0, 1]
    filled = workspace.everything(f'{source}b: i64 = source.b -> strip -> impute("z") -> category')
    assert filled["b"].tolist() == [0, 2, 2, 1]
