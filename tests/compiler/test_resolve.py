"""From files to named definitions: imports, `extends`, parameters, settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.resolve.parameters import value_of_param
from dlc.compiler.resolve.project import Definition, ParamSlot, Project, resolve
from dlc.compiler.text import top_level

LANGUAGE = Path(__file__).parent.parent / "language"

BASE = """param ctx = 1024
param act: one_of("gelu", "relu") = "gelu"
block Mlp(drop: float)(x: [B, D]) -> [B, D] { x -> Linear(D) -> dropout(drop) }
model Net(d = 8, depth = 2, rate = 0.1, name = "net")(x: [B, 4]) -> (y: [B, d]) { y = x -> Linear(d) -> Mlp(rate) }
data Rows { source = csv("rows.csv"); x: f32[4] = source.x }
train {
  model = Net
  data  = Rows
  batch = 32
  step gen { clip = norm(1.0) }
  phase head { duration = 1 epochs }
}
export { onnx = "net.onnx" }
variant small { ctx = 64; Net.d = 4 }
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files into a project of its own and gives the path of the first."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text("")

    def files(**texts: str) -> Path:
        for name, text in texts.items():
            path = root / (name.replace("__", "/") + ".dlspec")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root / (next(iter(texts)).replace("__", "/") + ".dlspec")

    return files


def found(project: Project) -> list[tuple[str, str]]:
    """Code and marked text of every diagnostic."""
    return [(d.code, project.sources[d.span.file].text[d.span.start : d.span.end]) for d in project.report.diagnostics]


def clean(path: Path, *overrides: str, variant: str | None = None) -> Project:
    project = resolve(path, overrides, variant)
    assert found(project) == []
    return project


def key(project: Project, section: str, name: str) -> str:
    node = project.sections(section)[0].node
    item = next(item for item in node.entries.items if isinstance(item, top_level.Key) and item.name.text == name)
    return project.sources[item.value.span.file].text[item.value.span.start : item.value.span.end]


def test_every_example_resolves() -> None:
    specs = sorted(LANGUAGE.glob("*/*.dlspec"))
    assert len(specs) >= 21
    for spec in specs:
        assert found(resolve(spec, root=LANGUAGE)) == []


# ---- names -----------------------------------------------------------------------------------------------------------


def test_definitions_parameters_and_sections(write: Write) -> None:
    project = clean(write(base="dlspec 1\n" + BASE))
    assert project.edition == "1"
    assert [definition.kind for definition in project.root.definitions.values()] == ["block", "model", "data"]
    assert [section.kind for section in (*project.sections("train"), *project.sections("export"))] == [
        "train",
        "export",
    ]
    assert value_of_param(project.root, "ctx") == 1024
    assert isinstance(project.root.lookup("Mlp"), Definition)
    assert isinstance(project.root.lookup("act"), ParamSlot)
    assert project.root.lookup("nothing") is None
    assert list(project.variants) == ["small"]


def test_a_parameter_is_computed_from_those_above(write: Write) -> None:
    path = write(
        base="param a = 4\nparam b = if a > 3 { [a, 2 * a] } else { [1] }\nparam c = max(b[1], sqrt(4)) + pi\n"
    )
    assert value_of_param(clean(path).root, "c") == pytest.approx(11.14159265)
    assert value_of_param(clean(path, "a=10").root, "b") == (10, 20)


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("param a = b\nparam b = 1", [("E0301", "b")]),
        ("param a = a", [("E0301", "a")]),
        ("param depth = 1\nparam a = dept + 1", [("E0301", "dept")]),
        ("param a = 1\nparam a = 2", [("E0311", "a")]),
        ("param a: int = 0.5", [("E0304", "0.5")]),
        ("param a: int = 7 / 2", [("E0206", "7 / 2")]),
        ("param a: integer = 5", [("E0304", "integer")]),
        ("param a: bool = 1\nparam b: string = true", [("E0304", "1"), ("E0304", "true")]),
        ('param a: one_of("x", "y") = "z"', [("E0304", '"z"')]),
        ("param a = 1 / 0", [("E0211", "1 / 0")]),
        ("param a = x -> relu", [("E0208", "x -> relu")]),
        ("param a = [1, 2][2]", [("E0202", "2")]),
        ("param a = 1 and true", [("E0304", "1")]),
        ("block A(x: [B]) -> [B] { x }\nparam A = 1", [("E0311", "A")]),
        ("train { }\ntrain { }", [("E0311", "train")]),
        ("train a { }\ntrain a { }", [("E0311", "a")]),
        ("dlspec 2\nparam a = 1", [("E0101", "2")]),
        ("override block A(x: [B]) -> [B] { x }", [("E0301", "A")]),
    ],
)
def test_mistakes_in_one_file(write: Write, text: str, errors: list[tuple[str, str]]) -> None:
    assert found(resolve(write(base=text))) == errors


@pytest.mark.parametrize(
    "body",
    [
        "block A(ctx: int)(x: [B]) -> [B] { x }",
        "block A(n: int, n: int)(x: [B]) -> [B] { x }",
        "block A(n: int)(n: [B]) -> [B] { n }",
        "block A(n: int)(x: [B]) -> [B] { n = x; n }",
        "block A(x: [B]) -> [B] { ctx = x; ctx }",
        "block A(x: [B]) -> [B] { [y, ctx] = x; y }",
        "block A(x: [B]) -> [B] { x -> for ctx in 0..3 { relu } }",
        "block A(n: int) = for (n, m) in [(1, 2)] { relu }",
        "block A(x: [B, T]) -> [B, T] { y = scan(axis = 1, x_t = x, ctx = carry(x)) { x_t } ; y }",
    ],
)
def test_names_of_two_levels_differ(write: Write, body: str) -> None:
    codes = [code for code, _ in found(resolve(write(base="param ctx = 4\n" + body)))]
    assert codes == ["E0311"]


def test_an_input_or_binding_may_be_bound_again(write: Write) -> None:
    clean(write(base="param ctx = 4\nblock A(n: int)(x: [B]) -> [B] { x = x -> relu; y = x; y += x; y }"))


# ---- imports ---------------------------------------------------------------------------------------------------------


def test_an_import_brings_definitions_and_their_parameters(write: Write) -> None:
    path = write(main='from "parts/base.dlspec" import Net as N, Rows, ctx\nparam twice = 2 * ctx', parts__base=BASE)
    project = clean(path)
    net = project.root.lookup("N")
    assert isinstance(net, Definition)
    assert net.name == "Net"
    assert net.scope is not project.root
    assert value_of_param(net.scope, "ctx") == 1024
    assert value_of_param(project.root, "twice") == 2048
    assert value_of_param(clean(path, "ctx=8").root, "twice") == 16


def test_arguments_make_a_module_of_its_own(write: Write) -> None:
    path = write(
        main='param n = 3\nfrom "base.dlspec" (ctx = n * 4) import Net\nfrom "base.dlspec" import Rows', base=BASE
    )
    project = clean(path, "n=5")
    net, rows = project.root.lookup("Net"), project.root.lookup("Rows")
    assert isinstance(net, Definition)
    assert isinstance(rows, Definition)
    assert value_of_param(net.scope, "ctx") == 20
    assert value_of_param(rows.scope, "ctx") == 1024


def test_one_file_imported_twice_is_one_module(write: Write) -> None:
    project = clean(write(main='from "base.dlspec" import Net\nfrom "./base.dlspec" import Rows', base=BASE))
    net, rows = project.root.lookup("Net"), project.root.lookup("Rows")
    assert isinstance(net, Definition)
    assert isinstance(rows, Definition)
    assert net.scope is rows.scope


@pytest.mark.parametrize(
    ("line", "errors", "says"),
    [
        ('from "bse.dlspec" import Net', [("E0315", '"bse.dlspec"')], "did you mean `base.dlspec`?"),
        ('from "base.dlspec" import Nt', [("E0315", "Nt")], "did you mean `Net`?"),
        ('from "base.dlspec" (ctxx = 3) import Net', [("E0304", "ctxx")], "did you mean `ctx`?"),
        ('from "base.dlspec" (3) import Net', [("E0304", "3")], "ctx = 2048"),
        ('from "base.dlspec" (ctx = 1, ctx = 2) import Net', [("E0304", "ctx")], ""),
        ('from "base.dlspec" (ctx = 0.5) import Net', [("E0304", "0.5")], ""),
        ('from "/etc/passwd" import Net', [("E0315", '"/etc/passwd"')], "relative"),
        ('from "../../secret.dlspec" import Net', [("E0315", '"../../secret.dlspec"')], "root"),
        ('from "." import Net', [("E0315", '"."')], ""),
        ("from std.nothing import Net", [("E0315", "std.nothing")], ""),
        ("from parts.base import Net", [("E0315", "parts.base")], "quotes"),
        ('from "main.dlspec" import Net', [("E0315", '"main.dlspec"')], ""),
        ('extends "nothing.dlspec"', [("E0315", '"nothing.dlspec"')], ""),
        ('extends "main.dlspec"', [("E0315", '"main.dlspec"')], ""),
        ('extends "base.dlspec"\nextends "base.dlspec"', [("E0315", 'extends "base.dlspec"')], "import what"),
    ],
)
def test_imports_that_fail(write: Write, tmp_path: Path, line: str, errors: list[tuple[str, str]], says: str) -> None:
    (tmp_path / "secret.dlspec").write_text(BASE)
    project = resolve(write(main=line + "\n", base=BASE))
    assert found(project) == errors
    (diagnostic,) = project.report.diagnostics
    assert says in " ".join((diagnostic.message, *diagnostic.helps))


def test_a_link_does_not_lead_out_of_the_project(write: Write, tmp_path: Path) -> None:
    path = write(main='from "link.dlspec" import Net\nfrom "loop.dlspec" import A')
    (tmp_path / "secret.dlspec").write_text(BASE)
    (path.parent / "link.dlspec").symlink_to(tmp_path / "secret.dlspec")
    (path.parent / "loop.dlspec").symlink_to(path.parent / "loop.dlspec")
    assert [code for code, _ in found(resolve(path))] == ["E0315", "E0315"]


def test_a_cycle_names_its_files(write: Write) -> None:
    path = write(
        a='from "b.dlspec" import B\nblock A(x: [B]) -> [B] { x }',
        b='from "a.dlspec" import A\nblock B(x: [N]) -> [N] { x }',
    )
    (diagnostic,) = resolve(path).report.diagnostics
    assert diagnostic.code == "E0315"
    assert diagnostic.message.endswith("a.dlspec -> " + str(path.parent / "b.dlspec") + " -> " + str(path))


def test_a_broken_import_makes_no_further_noise(write: Write) -> None:
    path = write(main='from "base.dlspec" import Net, n\nparam m = n + 1\n', base="param n = \n")
    assert [code for code, _ in found(resolve(path))] == ["E0101"]


def test_several_mistakes_are_all_reported(write: Write) -> None:
    path = write(main='from "no.dlspec" import A\nparam x = 1 / 0\nparam y: int = "a"\nset train.batch = 3\n')
    assert [code for code, _ in found(resolve(path, ["z=1"]))] == ["E0315", "E0301", "E0301", "E0211", "E0304"]


@pytest.mark.parametrize("name", ["nothing.dlspec", ".", "a\0b"])
def test_a_spec_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    project = resolve(tmp_path / name, ["a=1"], "small")
    assert [d.code for d in project.report.diagnostics] == ["E0315"]


# ---- extends ---------------------------------------------------------------------------------------------------------


def test_extends_merges_names_and_sections(write: Write) -> None:
    path = write(
        change='extends "parts/base.dlspec"\noverride block Mlp(drop: float)(x: [B, D]) -> [B, D] { x }\n'
        "block New(x: [B]) -> [B] { x }\nset ctx = 16\nset train.batch = 8\nset Net.d = 2\n",
        parts__base='from "other.dlspec" import Other\n' + BASE,
        parts__other="block Other(x: [B]) -> [B] { x }",
    )
    project = clean(path)
    mlp, net = project.root.definitions["Mlp"], project.root.definitions["Net"]
    assert mlp.override_of is not None
    assert mlp.override_of.node.span.file != mlp.node.span.file
    assert net.scope.lookup("Mlp") is mlp
    assert net.scope.lookup("New") is not None
    assert net.scope.lookup("Other") is not None
    assert value_of_param(project.root, "ctx") == 16
    assert key(project, "train", "batch") == "8"
    assert list(project.settings) == ["train.batch", "Net.d"]
    assert value_of_param(clean(path, "ctx=4", variant="small").root, "ctx") == 4


@pytest.mark.parametrize(
    ("line", "errors"),
    [
        ("override block MLP(drop: float)(x: [B, D]) -> [B, D] { x }", [("E0301", "MLP")]),
        ("block Mlp(drop: float)(x: [B, D]) -> [B, D] { x }", [("E0311", "Mlp")]),
        ("param ctx = 3", [("E0311", "ctx")]),
        ("train { }", [("E0311", "train")]),
        ("set cxt = 3", [("E0301", "cxt")]),
        ("set ctx = 3\nset ctx = 4", [("E0408", "ctx = 4")]),
        ("variant small { ctx = 2 }", [("E0311", "small")]),
        ("variant large { Net.dd = 2 }", [("E0301", "Net.dd")]),
    ],
)
def test_extends_that_fails(write: Write, line: str, errors: list[tuple[str, str]]) -> None:
    assert found(resolve(write(change=f'extends "base.dlspec"\n{line}\n', base=BASE))) == errors


# ---- settings --------------------------------------------------------------------------------------------------------


def test_the_command_line_beats_a_variant_beats_set(write: Write) -> None:
    path = write(base=BASE + "set ctx = 2\nset Net.d = 2\nset train.batch = 2\n")
    assert value_of_param(clean(path).root, "ctx") == 2
    project = clean(path, variant="small")
    assert value_of_param(project.root, "ctx") == 64
    assert project.settings["Net.d"].origin == "variant"
    project = clean(path, "ctx=7", "Net.d=5", "train.batch=1", variant="small")
    assert value_of_param(project.root, "ctx") == 7
    assert project.settings["Net.d"].origin == "command line"
    assert project.settings["Net.d"].span.file == "argument 2"
    assert key(project, "train", "batch") == "1"


@pytest.mark.parametrize(
    ("override", "full"),
    [
        ("depth=4", "Net.depth"),
        ("seed=7", "train.seed"),
        ("train.duration=5 epochs", "train.duration"),
        ("train.step.gen.clip=norm(2.0)", "train.step.gen.clip"),
        ("train.phase.head.duration=3 epochs", "train.phase.head.duration"),
        ("train.runtime.workers=2", "train.runtime.workers"),
        ('export.onnx="other.onnx"', "export.onnx"),
        ('Rows.source=csv("more.csv")', "Rows.source"),
    ],
)
def test_settings_of_the_command_line(write: Write, override: str, full: str) -> None:
    assert list(clean(write(base=BASE), override).settings) == [full]


def test_a_key_of_a_step_is_set_in_place(write: Write) -> None:
    project = clean(write(base=BASE), "train.step.gen.clip=norm(2.0)", "train.step.gen.loss=mse(a, b)", "seed=3")
    items = project.sections("train")[0].node.entries.items
    step = next(item for item in items if isinstance(item, top_level.SubFor) and item.name.text == "step")
    assert [item.name.text for item in step.entries.items] == ["clip", "loss"]
    assert items[-1].name.text == "seed"
    assert items[-1].span.file == "argument 3"


@pytest.mark.parametrize(
    ("override", "errors", "says"),
    [
        ("n_layer=24", [("E0301", "n_layer")], "this spec has `ctx`, `act`, `Net.d`, `Net.depth`"),
        ("dept=3", [("E0301", "dept")], "did you mean `Net.depth`?"),
        ("Net.dept=3", [("E0301", "Net.dept")], "did you mean `Net.depth`?"),
        ("Net.depth.x=3", [("E0301", "Net.depth.x")], ""),
        ("Mlp.drop=0.5", [("E0301", "Mlp.drop")], "block"),
        ("search.method=grid()", [("E0301", "search.method")], "no `search` section"),
        ("train.step.disc.clip=1", [("E0301", "disc")], "gen"),
        ("Rows.x=1", [("E0301", "x")], "field"),
        ("depth=2.5", [("E0304", "2.5")], "an integer"),
        ("depth=7/2", [("E0206", "7/2")], "an integer"),
        ("rate=none", [("E0304", "none")], "a number"),
        ("name=3", [("E0304", "3")], "a string"),
        ("ctx=1.5", [("E0304", "1.5")], "an integer"),
        ("ctx=2*ctx", [("E0301", "ctx")], "itself"),
        ('act="rel"', [("E0304", '"rel"')], "did you mean `relu`?"),
        ("act=relu", [("E0301", "relu")], "quote strings"),
        ("ctx", [("E0101", "")], ""),
        ("ctx=", [("E0101", "")], ""),
    ],
)
def test_settings_that_fail(write: Write, override: str, errors: list[tuple[str, str]], says: str) -> None:
    project = resolve(write(base=BASE), [override])
    assert found(project) == errors
    (diagnostic,) = project.report.diagnostics
    assert diagnostic.span.file == "argument 1"
    assert says in " ".join((diagnostic.message, *diagnostic.notes, *diagnostic.helps))


def test_a_wrong_override_shows_the_default(write: Write) -> None:
    (diagnostic,) = resolve(write(base=BASE), ["depth=2.5"]).report.diagnostics
    assert [label.text for label in diagnostic.labels] == ["default 2"]


def test_a_bare_name_that_fits_twice_lists_both(write: Write) -> None:
    path = write(base="train a { }\ntrain b { }\nmodel M(seed = 1)(x: [B, 2]) -> (y: [B, 2]) { y = x }")
    (diagnostic,) = resolve(path, ["seed=7"]).report.diagnostics
    assert diagnostic.message == "`seed` could be several settings: `M.seed`, `train.a.seed`, `train.b.seed`"
    assert list(clean(path, "train.b.seed=7").settings) == ["train.b.seed"]


def test_a_named_section_needs_no_name_when_it_is_the_only_one(write: Write) -> None:
    path = write(base="train gpt { batch = 2 }")
    assert list(clean(path, "train.batch=4").settings) == ["train.gpt.batch"]
    assert [code for code, _ in found(resolve(path, ["train.batch=4", "train.gpt.batch=5"]))] == ["E0408"]


def test_an_unknown_variant(write: Write) -> None:
    (diagnostic,) = resolve(write(base=BASE), variant="smal").report.diagnostics
    assert (diagnostic.code, diagnostic.helps) == ("E0301", ("did you mean `small`?",))


def test_an_override_that_nothing_reads(write: Write) -> None:
    project = clean(
        write(base="param a = 1\nparam b = a\nparam c = 1\n" + BASE), "a=2", "c=3", "Net.d=3", "Net.depth=3"
    )
    value_of_param(project.root, "b")
    project.mark_used("Net.d")
    project.report_unused()
    assert found(project) == [("E0406", "Net.depth=3"), ("E0406", "c=3")]


def test_values_are_read_where_they_are_written(write: Write) -> None:
    path = write(main='param n = 3\nfrom "base.dlspec" import ctx\n', base="param n = 100\nparam ctx = n")
    values: list[Any] = [value_of_param(clean(path, *given).root, "ctx") for given in ([], ["ctx=n"], ["ctx=n", "n=5"])]
    assert values == [100, 3, 5]


def test_long_chains_of_parameters(write: Write) -> None:
    lines = ["param p0 = 1", *(f"param p{i} = p{i - 1} + 1" for i in range(1, 3000))]
    path = write(main="\n".join(lines) + "\nmodel M(n = p2999)(x: [B, 2]) -> (y: [B, 2]) { y = x }\n")
    project = clean(path, "M.n=3")
    assert value_of_param(project.root, "p2999") == 3000
    assert all(slot.used for slot in project.root.slots())
