"""What a legal IR is: every IR that the compiler makes is one, and each way to damage one is found and named."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler import check as stage
from dlc.compiler.analysis.verify import verify
from dlc.compiler.check import Compilation, check
from dlc.compiler.ir.model import Parameter, Spec, Value
from dlc.compiler.ir.record import Record
from dlc.compiler.ir.train import Watched
from dlc.compiler.messages.source import Span
from dlc.compiler.sizes.types import TensorType
from dlc.tests.sizes import thinned

ROOT = Path(__file__).resolve().parent.parent.parent
SPECS = sorted(path.stem for path in (ROOT / "specs").glob("*.dlspec"))
LANGUAGE = ROOT / "tests" / "language"
EXAMPLES = sorted(path.stem for path in (LANGUAGE / "examples").glob("*.dlspec"))
SMALL_GPT2 = ("d=32", "depth=2", "heads=2", "vocab=64")


@cache
def made(name: str) -> Spec:
    """An undamaged IR: a shipped spec or an example, GPT-2 a small one."""
    if name in EXAMPLES:
        found = check(LANGUAGE / "examples" / f"{name}.dlspec", root=LANGUAGE)
    else:
        found = check(ROOT / "specs" / f"{name}.dlspec", SMALL_GPT2 if name == "gpt2" else ())
    assert found.spec is not None, found.report.errors
    return found.spec


def put(whole: Any, path: str, value: Any) -> Any:
    """A record with another value at a path: `bodies/name=GPT2/nodes/3/inputs/0`. A step is a field, a key, a position, or
    the first item with a value in a field; a function of what is there gives the value."""
    if not path:
        return value(whole) if callable(value) else value
    step, _, rest = path.partition("/")
    if isinstance(whole, Record):
        return whole.model_copy(update={step: put(getattr(whole, step), rest, value)})
    if isinstance(whole, TensorType):
        return dataclasses.replace(whole, **{step: put(getattr(whole, step), rest, value)})
    if isinstance(whole, dict):
        return {**whole, step: put(whole.get(step), rest, value)}
    if "=" in step:
        field, _, wanted = step.partition("=")
        step = str(next(at for at, item in enumerate(whole) if str(getattr(item, field, None)) == wanted))
    at = int(step) % len(whole)
    return (*whole[:at], put(whole[at], rest, value), *whole[at + 1 :])


def repeated(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*items, items[-1])


def dropped(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return items[:-1]


def renamed(record: Any) -> Any:
    return record.model_copy(update={"name": f"{record.name}_2"})


MLP, EVALUATED, STEP = "bodies/name=DigitsMlp", "bodies/role=metrics", "bodies/role=step"
TRAIN, PHASE, UPDATE = "recipe/trains/0", "recipe/trains/0/phases/0", "recipe/trains/0/phases/0/updates/0"
EXPORT, DATA = "recipe/exports/0", "recipe/data/0"
NOWHERE = Span("elsewhere.dlspec", 0, 1)
LONE = Value(id=77, type=TensorType("f32", ("B",)))  # type: ignore[arg-type]

#: Spec, where, what stands there instead, and what is said of it.
DAMAGES: list[tuple[str, str, Any, str]] = [
    # bodies
    ("digits_mlp", f"{EVALUATED}/nodes/kind=call/body", 99, "there is no body 99"),
    ("digits_mlp", "models/0/body", 99, "model 0 `DigitsMlp`: there is no body 99"),
    ("digits_mlp", "models/0/body", 1, "model 0 `DigitsMlp`: is body 1, a metrics"),
    ("gpt2", "bodies/name=Block/nodes/kind=call/body", 2, "body 2 `Block`: contains itself: 2 > 2"),
    ("gpt2", "bodies/0/instances/0", lambda i: i.model_copy(update={"op": None, "body": 3}), "contains itself: 0 > 3 > 2 > 0"),
    ("gpt2", "bodies/name=GPT2/nodes/kind=repeat/runs/0/body", 2, "enters body 2, a block, where a turn is needed"),
    ("vae", "bodies/name=Vae/nodes/kind=mode/training", 2, "enters body 2, a model, where a branch is needed"),
    # values
    ("digits_mlp", f"{MLP}/nodes/op=relu/inputs/0", 999, "node 2 `relu`: reads value 999, which is not bound before"),
    ("digits_mlp", f"{MLP}/nodes/op=relu/inputs/0", 8, "reads value 8, which is not bound before"),
    ("digits_mlp", f"{MLP}/nodes", lambda nodes: nodes[::-1], "node 0 `Linear`: reads value 7, which is not bound before"),
    ("digits_mlp", f"{MLP}/nodes/op=relu/outputs/0/id", 1, "node 2 `relu`: value 1 is bound twice"),
    ("digits_mlp", f"{MLP}/outputs/0/value", 55, "output `logits` is value 55, which is not bound before"),
    ("gpt2", "bodies/name=GPT2/taps/logits", 55, "tap `logits` is value 55, which is not bound before"),
    ("digits_mlp", f"{MLP}/inputs/0/type/dtype", "f31", "value 0 has the dtype `f31`, which is none"),
    ("digits_mlp", f"{MLP}/inputs/0/type/shape/2", -8, "value 0 has a negative size: `f32[B, 1, -8, 8]`"),
    # what goes in and comes out
    ("digits_mlp", f"{EVALUATED}/nodes/kind=call/inputs", (), "what goes into body 0: 0 values for 1"),
    ("digits_mlp", f"{EVALUATED}/nodes/kind=call/inputs/0", 1, "value 0 is `i64[B]` where `f32[B, 1, 8, 8]` is needed"),
    ("digits_mlp", f"{EVALUATED}/nodes/kind=call/outputs", lambda o: (*o, LONE), "what comes out of body 0: 2 values for 1"),
    ("digits_mlp", f"{EVALUATED}/nodes/kind=call/outputs/0/type/dtype", "f16", "is `f16[B, 10]` where `f32[B, 10]` is needed"),
    ("gpt2", "bodies/name=GPT2/nodes/kind=repeat/outputs/0/type/shape/2", 33, "what comes out of the last turn"),
    ("gpt2", "bodies/name=GPT2/nodes/kind=repeat/runs/0/count", 0, "runs body 3 0 times"),
    ("bert", "bodies/name=Bert/nodes/kind=repeat/runs/0/captures", (), "what goes into body 1: 1 values for 2"),
    ("vae", "bodies/name=evaluation/outputs", repeated, "what comes out of body 1: 1 values for 2"),
    ("mamba", "bodies/role=scan/outputs", dropped, "is carried on"),
    ("mamba", "bodies/name=Mixer/nodes/kind=scan/axis", 7, "has no axis 7"),
    # instances
    ("digits_mlp", f"{MLP}/nodes/op=Linear/instance", "fc9", "node 1 `Linear`: there is no instance `fc9`"),
    ("digits_mlp", f"{MLP}/instances", dropped, "there is no instance `head`"),
    ("gpt2", "bodies/name=GPT2/nodes/kind=weight/name", "gain", "instance `wte` has no parameter `gain`"),
    ("gpt2", "bodies/name=GPT2/nodes/kind=weight/outputs/0/type/shape/0", 65, "the parameter `weight` of `wte` is `f32[64, 32]`"),
    ("gpt2", "bodies/name=Block/nodes/op=LayerNorm/instance", "attn", "instance `attn` is body 0, and not `LayerNorm`"),
    ("gpt2", "bodies/name=Block/nodes/kind=call/instance", "ln_1", "instance `ln_1` is a layer `LayerNorm`, and not body 0"),
    ("gpt2", "bodies/name=Block/nodes/kind=call/instance", "mlp", "instance `mlp` is body 1; body 0 owns other parameters"),
    ("digits_mlp", f"{MLP}/instances/path=fc1/args/out", 64, "instance `fc1` has other arguments than the node"),
    ("gpt2", "bodies/name=Block/instances/path=attn/op", "Linear", "instance `attn` is a layer `Linear` and body 0"),
    ("gpt2", "bodies/name=Block/nodes/kind=call/instances", {"embed": "attn"}, "hands body 0 the instances embed, it needs none"),
    # paths
    ("digits_mlp", f"{MLP}/instances", lambda i: (*i, i[0]), "two instances have the path `fc1`"),
    ("digits_mlp", f"{MLP}/instances/path=head/path", "fc1.head", "the instance at `fc1.head` lies inside of the one at `fc1`"),
    ("gpt2", "bodies/name=GPT2/nodes/kind=repeat/runs/0/strides", {}, "body 4 `GPT2`: two instances have the path `h.0`"),
    # operators and layers
    ("digits_mlp", f"{MLP}/nodes/op=relu/op", "rely", "the catalogue has no `rely`"),
    ("digits_mlp", f"{MLP}/nodes/op=flatten/args", {"from": 1}, "`flatten` has no argument `from`"),
    ("digits_mlp", f"{MLP}/nodes/op=dropout/args", {}, "the argument `p` is missing"),
    ("digits_mlp", f"{MLP}/nodes/op=flatten/args", {}, "the argument `start` is missing"),
    ("digits_mlp", f"{MLP}/nodes/op=dropout/args/p", 1.5, "the argument `p` is `1.5`"),
    ("digits_mlp", f"{MLP}/nodes/op=relu/inputs", (1, 2), "2 inputs, where it takes x"),
    ("digits_mlp", f"{MLP}/nodes/op=relu/outputs/0/type/shape/1", 127, "value 0 is `f32[B, 127]`, the catalogue gives `f32[B, 128]`"),
    ("digits_mlp", f"{MLP}/nodes/op=relu/outputs/0/type/dtype", "bf16", "value 0 is `bf16[B, 128]`, the catalogue gives `f32[B, 128]`"),
    ("digits_mlp", f"{MLP}/nodes/op=relu/outputs", lambda o: (*o, LONE), "gives 2 values, where it has 1"),
    ("digits_mlp", f"{MLP}/instances/path=fc1/parameters", dropped, "its parameter `bias` is missing"),
    ("digits_mlp", f"{MLP}/instances/path=fc1/parameters", lambda p: (*p, Parameter(name="gain", shape=())), "it declares no parameter `gain`"),
    ("digits_mlp", f"{MLP}/instances/path=fc1/parameters/0/shape", (128, 65), "is `f32[128, 65]`, the catalogue declares `f32[128, 64]`"),
    ("dcgan", "bodies/name=Discriminator/nodes/op=Conv/inputs/0", 1, "node 0 `Conv`: reads value 1"),
    ("unet", "bodies/name=Up/nodes/op=concat/args/axis", 3, "`concat`"),
    ("finetune", "bodies/role=metrics/nodes/op=cross_entropy/inputs", (1, 2), "node 1 `cross_entropy`"),
    # spans and sources
    ("digits_mlp", f"{MLP}/span", NOWHERE, "lies outside of `elsewhere.dlspec`, a source that there is not"),
    ("digits_mlp", f"{MLP}/nodes/op=relu/span", lambda s: s._replace(end=99999), "body 0 `DigitsMlp`: the span"),
    ("digits_mlp", "sources", repeated, "sources: two have one name"),
    # data
    ("digits_mlp", f"{DATA}/nodes/1/inputs", (7,), "reads node 7, which is not before it"),
    ("digits_mlp", f"{DATA}/fields/0/node", 50, "field `image`: there is no node 50"),
    ("digits_mlp", f"{DATA}/fields/0/type/shape", lambda s: s[1:], "does not begin with the batch axis `B`"),
    ("digits_mlp", f"{DATA}/fields", repeated, "data `Digits`, fields: two are called `label`"),
    ("digits_mlp", f"{DATA}/source/name", "cvs", "data `Digits`, source: the catalogue has no `cvs`"),
    ("digits_mlp", f"{DATA}/nodes/-1/op", "blurr", "the catalogue has no `blurr`"),
    ("digits_mlp", f"{DATA}/source/args", {}, "data `Digits`, source: the argument `name` is missing"),
    ("digits_mlp", f"{DATA}/source/args/name", 3, "data `Digits`, source: the argument `name` is `3`"),
    ("digits_mlp", f"{DATA}/split/args/seed", "x", "data `Digits`, split: the argument `seed` is `x`"),
    ("digits_mlp", f"{DATA}/nodes/op=source/args", {}, "takes field, not none"),
    ("diabetes", f"{DATA}/nodes/op=standardize/inputs", (), "reads 0 nodes, where 1 is needed"),
    # training
    ("digits_mlp", f"{TRAIN}/data", "Numbers", "train: the data section `Numbers` does not exist"),
    ("digits_mlp", f"{TRAIN}/nets/0/model", 5, "train, net ``: there is no model 5"),
    ("digits_mlp", f"{TRAIN}/inputs/image", "picture", "input `image` is fed by the field `picture` does not exist"),
    ("digits_mlp", f"{TRAIN}/inputs", {}, "train: the model's input `image` is not fed"),
    ("digits_mlp", f"{TRAIN}/phases", (), "train: has no phases"),
    ("finetune", f"{TRAIN}/phases", repeated, "train, phases: two are called `all`"),
    ("digits_mlp", f"{UPDATE}/body", 99, "train, phase, step: there is no body 99"),
    ("digits_mlp", f"{UPDATE}/body", 1, "body 1 is a metrics, where a step is needed"),
    ("digits_mlp", f"{UPDATE}/terms/0/value", 2, "loss `loss`: value 2 is not an output of the body"),
    ("digits_mlp", f"{UPDATE}/terms/0/counts", (0,), "node 0 of `loss` is not a loss"),
    ("digits_mlp", f"{UPDATE}/nets", ("gen",), "the net `gen` does not exist"),
    ("digits_mlp", f"{UPDATE}/lets", ("z",), "the let `z` does not exist"),
    ("digits_mlp", f"{UPDATE}/optimizer/name", "AdamX", "the catalogue has no `AdamX`"),
    ("digits_mlp", f"{UPDATE}/optimizer/args/eps", "tiny", "the argument `eps` is `tiny`"),
    ("digits_mlp", f"{UPDATE}/optimizer/args", {"lr": 0.1}, "is missing"),
    ("digits_mlp", f"{STEP}/inputs/name=label", renamed, "the field `label_2` does not exist"),
    ("digits_mlp", f"{STEP}/instances/0/path", "net", "there is no instance `model`"),
    ("dcgan", f"{TRAIN}/nets", lambda nets: (nets[0], nets[0]), "train, nets: two are called"),
    ("dcgan", f"{TRAIN}/nets/0/name", "maker", "does not exist"),
    ("finetune", f"{TRAIN}/phases/0/freeze/0/selectors/0/text", "conv9.**", "freeze: the selector `conv9.**` chooses no parameter"),
    ("gpt2", f"{UPDATE}/optimizer/schedules/lr/segments/0/kind", "linearly", "the catalogue has no `linearly`"),
    ("gpt2", f"{UPDATE}/optimizer/schedules/lr/segments/0/length", None, "`linear` is without `for`"),
    ("gpt2", f"{UPDATE}/groups/0/selectors/0/text", "<> 2", "group: the selector `<> 2` is not a comparison of a rank"),
    ("gpt2", f"{UPDATE}/groups/0/args", {"momentum": 0.9}, "group: the optimizer's argument `momentum` does not exist"),
    ("digits_mlp", f"{TRAIN}/evaluation/body", 2, "evaluation: body 2 is a step, where a metrics is needed"),
    ("digits_mlp", f"{TRAIN}/evaluation/metrics/0/parts", (1,), "node 1 of `evaluation` is not a metric"),
    ("digits_mlp", f"{TRAIN}/keep/metric", Watched(split="val", name="f1", direction="max"), "keep: the figure `f1` does not exist"),
    ("finetune", f"{TRAIN}/weights", lambda w: {"gen": w[""]}, "weights: the net `gen` does not exist"),
    ("finetune", f"{TRAIN}/weights", lambda w: {"": w[""].model_copy(update={"map": "torchvision"})}, "the weight map `torchvision` does not exist"),
    ("digits_mlp", f"{PHASE}/log/values", ("mu",), "log: the value `mu` does not exist"),
    # export, weights, search
    ("digits_mlp", f"{EXPORT}/model", 3, "export: there is no model 3"),
    ("digits_mlp", f"{EXPORT}/train", "other", "export: the train section `other` does not exist"),
    ("digits_mlp", f"{EXPORT}/net", "gen", "export: the net `gen` does not exist"),
    ("vae", f"{EXPORT}/inputs", ("zz",), "export `encoder`: the model's value `zz` does not exist"),
    ("vae", "recipe/exports/1/tail", 0, "body 0 is a branch, where a step is needed"),
    ("gpt2", f"{EXPORT}/fix", {"Q": 3}, "export, fix: the size `Q` does not exist"),
    ("gpt2", "recipe/maps/0/model", "GPT3", "weights `openai`: the model `GPT3` does not exist"),
    ("gpt2", "recipe/maps/0/rules/0/ours", "q.*.attn.*.weight", "the rule `q.*.attn.*.weight` produces no parameter"),
    ("gpt2", "recipe/maps/0/rules/0/ours", "h.0.attn.*.weight", "have different wildcards"),
    ("gpt2", "recipe/maps", repeated, "weights sections: two are called `openai`"),
    ("o_search", "recipe/searches/0/train", "other", "search: the train section `other` does not exist"),
    ("o_search", "recipe/searches/0/objective/name", "f1", "search, objective: the figure `f1` does not exist"),
    ("o_search", "recipe/searches/0/draws/path=momentum/cases/0/condition/left", ("setting", "x"), "the draw `x` does not exist"),
    ("o_search", "recipe/searches/0/draws/0/cases/0/distribution/name", "chance", "the catalogue has no `chance`"),
    ("o_search", "recipe/searches/0/draws/0/cases/0/distribution/args", {}, "is missing"),
]  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_shipped_specs_are_legal(name: str) -> None:
    assert verify(made(name)) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_legal_also_when_read_back(name: str) -> None:
    spec = made(name)
    assert verify(spec) == []
    assert verify(Spec.model_validate_json(spec.model_dump_json())) == []


@pytest.mark.parametrize("name", sorted({name for name, *_ in DAMAGES}))
def test_what_is_damaged_below_is_legal(name: str) -> None:
    assert verify(made(name)) == []


@pytest.mark.parametrize(
    ("name", "path", "value", "said"), DAMAGES, ids=[f"{name}-{said}" for name, _, _, said in DAMAGES]
)
def test_a_damage_is_found_and_named(name: str, path: str, value: Any, said: str) -> None:
    whole = made(name)
    damaged = put(whole, path, value)
    assert damaged != whole
    faults = [str(fault) for fault in verify(damaged)]
    assert any(said in fault for fault in faults), faults


#: What a damaged file may hold anywhere.
ANYTHING: list[Any] = [
    None, True, -1, 0, 1, 99, 10**30, 1.5, float("inf"), "", "x", "B", "floor(H/2)", "9999999999*B", "@a", "#0", "h.#0",
    [], [1], [[]], ["setting", "x"], {}, {"dim": "B"}, {"dim": 3}, {"dim": "B/"},
]  # fmt: skip


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in items:
        yield (*above, step)
        yield from places(part, (*above, step))


@pytest.mark.parametrize("name", thinned(["vae", "gpt2", "digits_mlp", "wgan_gp", "mamba", "finetune"], 3))
def test_whatever_a_file_holds_is_refused_or_legal(name: str, sizes: Any) -> None:
    """Neither reading a damaged file nor looking through it raises anything but a ValueError of the reader."""
    text, chance = made(name).model_dump_json(), random.Random(name)
    every = list(places(json.loads(text)))
    for _ in range(sizes.cases // 20):
        damaged = json.loads(text)
        *above, last = chance.choice(every)
        around = damaged
        for step in above:
            around = around[step]
        if chance.random() < 0.8:
            around[last] = chance.choice(ANYTHING)
        else:
            del around[last]
        with contextlib.suppress(ValueError):
            verify(Spec.model_validate_json(json.dumps(damaged)))


def test_every_stage_is_followed_by_this_check() -> None:
    """The fixture of this folder: a stage that damages the IR fails whatever test compiles."""

    def damaging(found: Compilation) -> None:
        found.elaborator.bodies[0] = put(found.elaborator.bodies[0], "nodes/op=relu/inputs/0", 999)

    stages = stage.STAGES
    at = stages.index(stage.elaborate) + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "STAGES", (*stages[:at], damaging, *stages[at:]))
        with pytest.raises(AssertionError, match="reads value 999, which is not bound before"):
            check(ROOT / "specs" / "digits_mlp.dlspec")
