"""A recipe holds what is asked for and nothing else: each function is called, does something, and is there once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlc.backends.pytorch.recipe import recipe_functions, recipe_source
from dlc.compiler.ir.model import Spec
from dlc.compiler.ir.train import Train
from dlc.runtime import api
from dlc.tests.sizes import thinned

SPECS = Path(__file__).resolve().parents[2] / "specs"
RECORDS = 60_000


def records_of(train: Train) -> int | None:
    """None as in a build without the data: it alone tells how many batches of tokens there are."""
    return None if any(phase.batch.unit == "tokens" for phase in train.phases) else RECORDS


def variants() -> Iterator[str]:
    """Every shipped spec, and each variant of it."""
    for file in sorted(SPECS.glob("*.dlspec")):
        found = re.findall(r"^variant (\w+)", file.read_text("utf-8"), re.MULTILINE)
        yield from (file.name, *(f"{file.name}@{name}" for name in found))


def sections(name: str) -> list[tuple[Spec, Train]]:
    spec = api.load(SPECS / name.partition("@")[0] if "@" not in name else f"{SPECS}/{name}").spec
    return [(spec, train) for train in spec.recipe.trains] if spec.recipe else []


def definitions(source: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def statements(function: ast.FunctionDef) -> list[ast.stmt]:
    """The statements of a function without its docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def does_nothing(function: ast.FunctionDef) -> bool:
    """Whether a function is `return {}`, `return ()` or the like, whatever it calls the result before."""
    result = function.body[-1]
    if not isinstance(result, ast.Return) or len(statements(function)) > 1:
        return False
    match result.value:
        case ast.Dict(keys=[]) | ast.Tuple(elts=[]) | ast.List(elts=[]) | ast.Constant(value=None) | None:
            return True
        case _:
            return False


def alike(function: ast.FunctionDef) -> str:
    """The statements as text in which arguments are numbers: equal for functions that do the same."""
    numbers = {argument.arg: f"argument{at}" for at, argument in enumerate(function.args.args)}
    text = "\n".join(ast.unparse(statement) for statement in statements(function))
    return re.sub(r"\w+", lambda word: numbers.get(word[0], word[0]), text)


def called(spec: Spec, train: Train) -> set[str]:
    """The functions that training and evaluation call by name."""
    offers = recipe_functions(spec, train, records_of(train))
    losses = [function for row in offers.losses for function in row]
    losses += [offers.evaluation.loss] if offers.evaluation.loss else []
    bound = [function for row in offers.groups for function in row]
    bound += [f for f in (*offers.shared, *offers.logged, offers.evaluation.metrics) if f is not None]
    names = {function.name for function in (*losses, *bound)} | {function.counts for function in losses}
    return (names | {offers.evaluation.figures}) - {""}


@pytest.mark.parametrize("name", thinned(variants(), 3))
def test_each_function_is_called_and_there_once(name: str) -> None:
    for spec, train in sections(name):
        functions = definitions(recipe_source(spec, train, records_of(train)))
        assert not [name for name, function in functions.items() if does_nothing(function)]
        bodies = [alike(function) for function in functions.values()]
        assert len(set(bodies)) == len(bodies), [body for body in bodies if bodies.count(body) > 1]
        reached: set[str] = set()
        waiting = called(spec, train)
        assert waiting <= set(functions)
        while waiting:
            reached |= waiting
            words = {node.id for n in waiting for node in ast.walk(functions[n]) if isinstance(node, ast.Name)}
            waiting = (words & set(functions)) - reached
        assert reached == set(functions)


@pytest.mark.parametrize("name", thinned(variants(), 3))
def test_each_function_says_its_types(name: str) -> None:
    for spec, train in sections(name):
        for function in definitions(recipe_source(spec, train, records_of(train))).values():
            assert function.returns is not None
            assert all(argument.annotation is not None for argument in function.args.args)


@pytest.mark.parametrize("name", thinned(variants(), 3))
def test_no_variable_is_bound_twice(name: str) -> None:
    for spec, train in sections(name):
        for function in definitions(recipe_source(spec, train, records_of(train))).values():
            nodes = list(ast.walk(function))
            targets = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id != "_"]
            loops = [n for n in nodes if isinstance(n, (ast.comprehension, ast.For))]
            own = {n.id for loop in loops for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
            bound = [target for target in targets if target not in own]
            assert len(set(bound)) == len(bound), (function.name, bound)


@pytest.mark.parametrize("name", ["clip.dlspec", "wgan_gp.dlspec", *thinned(variants(), 5)])
def test_nothing_is_computed_twice(name: str) -> None:
    """Draws are not the same twice."""
    for spec, train in sections(name):
        for function in definitions(recipe_source(spec, train, records_of(train))).values():
            if "batch" in (argument.arg for argument in function.args.args):
                calls = [ast.unparse(node) for node in ast.walk(function) if isinstance(node, ast.Call)]
                twice = {call for call in calls if calls.count(call) > 1 and "rand" not in call}
                assert not twice, function.name


def test_what_is_as_large_as_a_field_is_counted_as_the_field() -> None:
    ((spec, train),) = sections("ddpm.dlspec")
    count = definitions(recipe_source(spec, train, RECORDS))["loss_count"]
    assert ast.unparse(statements(count)[0]) == "return batch['image'].numel()"


def test_a_loss_is_stated_once() -> None:
    """Training, micro-batches and evaluation call the same function."""
    for name, loss in (("digits_cnn.dlspec", "F.cross_entropy("), ("bert.dlspec@small", "F.cross_entropy(")):
        ((spec, train),) = sections(name)
        source = recipe_source(spec, train, records_of(train))
        assert source.count(loss) == 1
        assert source.count("model(batch[") == 1


def test_the_check_sees_what_it_is_for() -> None:
    """The bad examples are those of an older generator."""
    old = definitions("def figures(parts):\n    '''Metrics.'''\n    return {}\n\n\ndef counts(batch):\n    return ()\n")
    assert all(map(does_nothing, old.values()))
    twice = definitions("def a(x):\n    return f(x)\n\n\ndef b(y):\n    return f(y)\n")
    assert alike(twice["a"]) == alike(twice["b"])
