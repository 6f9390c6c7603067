"""Trees to text and to JSON, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlc.compiler.messages.source import Source, Span
from dlc.compiler.text import syntax as s
from dlc.compiler.text import top_level
from dlc.compiler.text.parse import parse, parse_pipe, parse_setting
from dlc.compiler.text.printer import print_expression, print_file
from dlc.compiler.text.tree_json import ast_from_json, ast_schema, ast_to_json

SPECS = sorted((Path(__file__).parent.parent / "language").glob("*/*.dlspec"))
HERE = Span("x", 0, 0)


def read(path: Path) -> top_level.File:
    file, diagnostics = parse(Source(path.name, path.read_text(encoding="utf-8")))
    assert file is not None, diagnostics
    return file


def bare(data: Any) -> Any:
    """A tree as JSON without places, comments and parentheses."""
    if isinstance(data, dict):
        if data.get("type") == "Paren":
            return bare(data["value"])
        return {k: bare(v) for k, v in data.items() if k not in ("span", "op_span", "comments")}
    return [bare(item) for item in data] if isinstance(data, list) else data


def meaning(file: top_level.File) -> Any:
    return bare(ast_to_json(file)["tree"])


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_printed_file_means_the_same(path: Path) -> None:
    file = read(path)
    text = print_file(file)
    again, diagnostics = parse(Source("x", text))
    assert again is not None, diagnostics
    assert meaning(again) == meaning(file)
    assert print_file(again) == text


@pytest.mark.parametrize(
    "text",
    [
        "(tokens -> wte) + pos -> dropout(drop)",
        "x[:, :-1, none, ..., a + 1:b]",
        "-x ** -2 + (a or b and not c) * 3",
        "if n == 3 { a -> b } else if m { (c,) } else { [] }",
        "a.b: Linear(3 * D, bias = false).h -> [B, T, (3, H)] => [3, B, T, H] -> relu",
        "x -> for (i, j) in [(1, 2), (3, 4)] { if i < j { Linear(i) } else { relu } } -> repeat 3 { { A -> B } }",
        '"a \\"quoted\\" \\\\ \\n\\t string" + 10k + 5 epochs + 1e-3 + 0..n',
        "2 ** 3 ** n",
        "(2 ** 3) ** n",
        "a - (b - c) - d",
    ],
)
def test_expression_prints_as_written(text: str) -> None:
    pipe, diagnostics = parse_pipe(Source("x", text))
    assert pipe is not None, diagnostics
    assert print_expression(pipe) == text


def test_setting_prints_as_written() -> None:
    setting, _ = parse_setting(Source("x", "train.step.gen.optimizer=Adam( 1e-3 )"))
    assert setting is not None
    assert print_expression(setting) == "train.step.gen.optimizer = Adam(1e-3)"


# ---- any tree --------------------------------------------------------------------------------------------------------

names = st.sampled_from(["x", "y", "B", "train", "emit", "block", "data", "set", "model"])
name_nodes = names.map(lambda n: s.Name(HERE, n))
atoms: st.SearchStrategy[Any] = st.one_of(
    names.map(lambda n: s.Ref(HERE, n)),
    st.integers(0, 2**63).map(lambda n: s.Number(HERE, n, str(n))),
    st.floats(0, 1e300).map(lambda v: s.Number(HERE, v, repr(v) if "e" in repr(v) or "." in repr(v) else f"{v}.0")),
    st.builds(lambda n, u: s.Quantity(HERE, s.Number(HERE, n, str(n)), u), st.integers(0, 99), name_nodes),
    st.text(max_size=6).filter(lambda t: "\r" not in t).map(lambda t: s.String(HERE, t)),
    st.booleans().map(lambda b: s.Bool(HERE, b)),
    st.just(s.NoneLiteral(HERE)),
    st.just(s.Ellipsis(HERE)),
)
paths = st.lists(name_nodes, min_size=1, max_size=3).map(lambda n: s.Path(HERE, tuple(n)))


def tuples(of: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[Any]:
    return st.lists(of, min_size=least, max_size=3).map(tuple)


def grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kwargs = st.builds(lambda n, v: s.Kwarg(HERE, n, v), name_nodes, inner)
    args = tuples(st.one_of(inner, kwargs)).map(lambda items: s.Args(HERE, items))
    slices = st.builds(lambda a, b: s.Slice(HERE, a, b), st.none() | inner, st.none() | inner)
    shapes = tuples(inner).map(lambda items: s.Shape(HERE, items))
    applies = st.builds(
        lambda p, a, n: s.Apply(HERE, p, a, n if a is not None else None),
        paths,
        st.none() | args,
        st.none() | name_nodes,
    )
    groups = tuples(st.deferred(lambda: stages), 1).map(lambda items: s.Group(HERE, items))
    ifs = st.builds(
        lambda c, t, e, last: s.IfStage(HERE, c, t, s.IfStage(HERE, c, t, last) if e else last),
        inner,
        groups,
        st.booleans(),
        st.none() | groups,
    )
    units = st.one_of(
        shapes.map(lambda shape: s.Ascribe(HERE, shape)),
        st.builds(lambda a, b: s.Rearrange(HERE, a, b), shapes, shapes),
        applies,
        groups,
        ifs,
        st.builds(lambda c, b: s.Repeat(HERE, c, b), inner, groups),
        st.builds(lambda n, i, b: s.For(HERE, n, i, b), tuples(name_nodes, 1), inner, groups),
    )
    stages = st.one_of(applies, units, st.builds(lambda p, u: s.Labelled(HERE, p, u), paths, units))
    operators = ["+", "-", "*", "/", "//", "%", "@", "**", "==", "<", ">=", "and", "or", ".."]
    return st.one_of(
        tuples(inner).map(lambda items: s.List(HERE, items)),
        tuples(inner, 1).map(lambda items: s.Tuple(HERE, items)),
        st.builds(lambda v, n: s.Attr(HERE, v, n), inner, name_nodes),
        st.builds(lambda c, a: s.Call(HERE, c, a), inner, args),
        st.builds(lambda v, i: s.Index(HERE, v, i), inner, tuples(inner | slices, 1)),
        st.builds(lambda op, v: s.Unary(HERE, op, v), st.sampled_from(["-", "not"]), inner),
        st.builds(lambda op, a, b: s.Binary(HERE, op, HERE, a, b), st.sampled_from(operators), inner, inner),
        st.builds(lambda c, a, b: s.IfExpr(HERE, c, a, b), inner, inner, inner),
        st.builds(
            lambda v, stages: s.Pipeline(HERE, v, stages),
            inner.filter(lambda v: not isinstance(v, s.Pipeline)),
            tuples(stages, 1),
        ),
        st.builds(lambda p, u: s.LabelledValue(HERE, p, u), paths, units),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(atoms, grow, max_leaves=12))
def test_any_expression_prints_to_text_that_reads_back(tree: Any) -> None:
    text = print_expression(tree)
    again, diagnostics = parse_pipe(Source("x", text))
    assert again is not None, (text, diagnostics)
    file = top_level.File(HERE, None, (top_level.Param(HERE, s.Name(HERE, "a"), None, tree),), ())
    other = top_level.File(HERE, None, (top_level.Param(HERE, s.Name(HERE, "a"), None, again),), ())
    assert meaning(other) == meaning(file), text


# ---- JSON ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_json_round_trip(path: Path) -> None:
    file = read(path)
    assert ast_from_json(json.loads(json.dumps(ast_to_json(file)))) == file


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"format": 1, "file": "x", "tree": []},
        {"format": 2, "file": "x", "tree": {}},
        {"format": 1, "file": "x", "tree": {"type": "File"}},
        {"format": 1, "file": "x", "tree": {"type": "Nothing"}},
        {"format": 1, "file": "x", "tree": {"type": "Ref", "span": [0, 1], "name": "a"}},
        {"format": 1, "file": "x", "tree": {"type": "File", "span": [0], "version": None, "items": [], "comments": []}},
        {"format": 1, "file": "x", "tree": {"type": "File", "span": [0, 1], "version": 1, "items": [], "comments": []}},
    ],
)
def test_json_that_is_no_tree(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ast_from_json(data)


def test_schema_describes_each_node_and_accepts_the_examples() -> None:
    schema = ast_schema()
    used: set[str] = set()
    for path in SPECS:
        conforms(ast_to_json(read(path)), schema, schema, used)
    # the examples use every kind of node, but for what stands where a statement has a mistake: such a tree is not written
    assert used == set(schema["$defs"]) - {"Gap"}


def named_alike(data: Any, option: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether what both say of their kind is the same: other forms need no look inside."""
    form = root["$defs"][option["$ref"].rpartition("/")[2]] if "$ref" in option else option
    fixed = {key: value["const"] for key, value in form.get("properties", {}).items() if "const" in value}
    return not isinstance(data, dict) or all(data.get(key) == value for key, value in fixed.items())  # pyright: ignore[reportUnknownMemberType]


def conforms(data: Any, schema: dict[str, Any], root: dict[str, Any], used: set[str]) -> None:
    """As much of JSON Schema as the schema uses."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        conforms(data, root["$defs"][name], root, used)
        used.add(name)
    elif "anyOf" in schema:
        failures: list[AssertionError] = []
        for option in schema["anyOf"]:
            if not named_alike(data, option, root):
                continue
            try:
                return conforms(data, option, root, used)
            except AssertionError as failure:
                failures.append(failure)
        raise AssertionError(failures)
    elif "const" in schema:
        assert data == schema["const"]
    elif schema["type"] == "object":
        assert isinstance(data, dict)
        assert data.keys() == set(schema["required"])
        for key, value in data.items():
            conforms(value, schema["properties"][key], root, used)
    elif schema["type"] == "array":
        assert isinstance(data, list)
        for item in data:
            conforms(item, schema["items"], root, used)
    else:
        kinds = {"string": str, "integer": int, "number": float, "boolean": bool, "null": type(None)}
        assert type(data) is kinds[schema["type"]]
    return None
