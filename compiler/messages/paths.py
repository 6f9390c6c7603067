"""Labels and the paths they give: reserved, taken, nested, shared."""

from __future__ import annotations

import re
from typing import Any

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span
from .wording import describe


def reserved_label(name: str, span: Span) -> Diagnostic:
    why = "names that begin with `_` are reserved" if name.startswith("_") else f"PyTorch or Python reserves `{name}`"
    helps = (f"append an underscore: `{name.lstrip('_')}_`",)
    return Diagnostic("E0312", f"`{name}` cannot be the name of a layer", span, why, helps=helps)


def path_taken(path: str, first: Span, span: Span) -> Diagnostic:
    plain = path.replace("#", "")
    helps = ("give one of them a different label, or bind one instance to share its weights",)
    return Diagnostic(
        "E0306", f"two layers are both called `{plain}`", span, "second", (Label(first, "first"),), helps=helps
    )


def path_inside(path: str, outer: str, first: Span, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0306",
        f"`{path}` would be inside `{outer}`, which is already a layer or block",
        span,
        "inside",
        (Label(first, f"`{outer}`"),),
        helps=(f"give it a label outside `{outer}`, or move it into the block",),
    )


def path_around(path: str, first: Span, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0306",
        f"another layer already has a label inside `{path}`",
        span,
        f"`{path}` is a layer or block itself",
        (Label(first, "inside"),),
        helps=("give one of them a different label, or move the inner one into the block",),
    )


def unlabelled_again(kind: str, first: Span, span: Span) -> Diagnostic:
    return Diagnostic(
        "W0404",
        f"several `{kind}` without a label are named by their order",
        span,
        "second",
        (Label(first, "first"),),
        notes=("inserting one renames those after it, and their saved weights no longer load",),
        helps=(f"label them: `name: {kind}(..)`",),
    )


def unlabelled_weight(path: str, span: Span) -> Diagnostic:
    plain = path.replace("#", "_")
    return Diagnostic(
        "W0402",
        f"foreign weights are loaded into `{plain}`, a name derived from the layer's kind",
        span,
        "no label",
        helps=(f"label it, `{plain}: ..`, so that edits cannot change its name",),
    )


def branches_share(path: str, training: str, evaluation: str, first: Span, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0310",
        f"the branches of `if training` use `{path.replace('#', '')}` differently",
        span,
        f"`{evaluation}` in evaluation",
        (Label(first, f"`{training}` in training"),),
        helps=("make them equal to share the weights, or give one of them a different label",),
    )


def label_in_repeat(path: str, span: Span) -> Diagnostic:
    label = re.sub(r"(\.\d+)+$", "", path)  # of a loop or group inside
    helps = (f"put the body in its own braces: `label: repeat n {{ {{ {label}: .. }} }}`",)
    return Diagnostic(
        "E0306", f"every repetition would have a layer called `{path}`", span, "one path, many layers", helps=helps
    )


def label_on_shape(label: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0313",
        f"a shape cannot be labelled `{label}`",
        span,
        "a label names a layer, not a value",
        helps=(f"bind the value: `{label} = ..`",),
    )


def lowercase_owns_weights(name: str, span: Span) -> Diagnostic:
    helps = (f"capitalise the name: `{name[:1].upper()}{name[1:]}`",)
    return Diagnostic("E0314", f"block `{name}` owns parameters", span, "lower-case names never do", helps=helps)


def shared_differs(path: str, before: Any, now: Any, span: Span, first: Span) -> Diagnostic:
    message = f"`{path}.{now.name if hasattr(now, 'name') else now.leaf}` would have two shapes"
    label = f"here {describe(now.shape)}, before {describe(before.shape)}"
    return Diagnostic(
        "E0302",
        message,
        span,
        label,
        (Label(first, "created here"),),
        helps=("all uses of a shared layer need inputs of the same width",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0302": Explanation(
            "one path with two shapes",
            "A shared layer has one set of parameters, so all its uses must agree.",
            programs.body("fc = Linear(8)\ny = (x -> fc) + (x -> Linear(4) -> fc)"),
            programs.body("fc = Linear(8)\ny = (x -> fc) + (x -> Linear(8) -> fc)"),
        ),
        "E0306": Explanation(
            "two layers with one path, or one inside another",
            "A label is a key of the checkpoint and is never renamed silently. To share weights, bind one instance.",
            programs.body("h = x -> fc: Linear(8)\ny = h -> fc: Linear(8)"),
            programs.body("h = x -> fc1: Linear(8)\ny = h -> fc2: Linear(8)"),
        ),
        "E0310": Explanation(
            "the branches of `if training` use one path differently",
            "Both branches own the same weights, so one path must mean the same layer in both.",
            programs.body("y = x -> if training { fc: Linear(8) } else { fc: Linear(8, bias = false) }"),
            programs.body("y = x -> if training { fc: Linear(8) } else { fc: Linear(8) }"),
        ),
        "E0312": Explanation(
            "label or instance name that PyTorch or Python reserves",
            "Labels become attributes of an `nn.Module`, where `train` or `class` would clash. Append `_`.",
            programs.body("y = x -> train: Linear(8)"),
            programs.body("y = x -> train_: Linear(8)"),
        ),
        "E0313": Explanation(
            "label on a stated shape",
            "A stated shape checks and documents a value; it owns nothing that could be named.",
            programs.body("y = x -> h: [B, 8]"),
            programs.body("y = x -> [B, 8]"),
        ),
        "E0314": Explanation(
            "lower-case block that owns parameters",
            "Capitalised names own weights, lower-case names never do: a reader can see where every parameter of a spec is.",
            "dlspec 1\n\nblock head(x: [B, D]) -> [B, 8] {\n  x -> Linear(8)\n}\n\n"
            "model M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x -> head\n}\n",
            "dlspec 1\n\nblock Head(x: [B, D]) -> [B, 8] {\n  x -> Linear(8)\n}\n\n"
            "model M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x -> Head\n}\n",
        ),
        "W0402": Explanation(
            "unlabelled weight where foreign weights are mapped",
            "Names by order change when a layer is inserted, so a map should not depend on them. Label the layer.",
            programs.body("y = x -> Linear(8)") + '\nweights theirs for M {\n  "**" <- "**"\n}\n',
            programs.body("y = x -> fc: Linear(8)") + '\nweights theirs for M {\n  "**" <- "**"\n}\n',
        ),
        "W0404": Explanation(
            "several unlabelled layers of one name in a body",
            "They are called `linear`, `linear_2`, ..; inserting one renames those after it, and checkpoints no longer fit.",
            programs.body("y = x -> Linear(8) -> relu -> Linear(8)"),
            programs.body("y = x -> fc1: Linear(8) -> relu -> fc2: Linear(8)"),
        ),
    }
