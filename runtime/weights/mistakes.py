"""Mistakes in foreign weights; the span is the place in the spec that asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...compiler.messages.diagnostics import Diagnostic, Helps
from ...compiler.messages.source import Span

MISSING = "not found"  # the label of weights that are not on this machine (yet)


def no_file(span: Span, path: Path, close: str | None) -> Diagnostic:
    helps = (f"did you mean `{close}`?",) if close else ("paths are relative to the spec",)
    return Diagnostic("E0412", f"there is no weights file `{path}`", span, MISSING, helps=helps)


def no_weights_inside(span: Span, folder: Path, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0412",
        f"there are no weights in `{folder}`",
        span,
        MISSING,
        notes=(f"looked for {', '.join(names)}, or a single *.safetensors file",),
        helps=('name the file itself: `file("..")`',),
    )


def no_repository(span: Span, repository: str) -> Diagnostic:
    return Diagnostic(
        "E0412",
        f'"{repository}" is neither a directory nor a repository name',
        span,
        MISSING,
        helps=('name a repository as `hf("organisation/name")`',),
    )


def not_cached(span: Span, repository: str, cache: Path) -> Diagnostic:
    return Diagnostic(
        "E0412",
        f"`{repository}` is not in the Hugging Face cache",
        span,
        MISSING,
        notes=(f"looked in `{cache}`",),
        helps=(f"download it: `hf download {repository}` (from the package `huggingface_hub`)",),
    )


def no_torchvision_model(span: Span, model: str, close: Sequence[str]) -> Diagnostic:
    helps = (f"did you mean `{close[0]}`?",) if close else ("use a classifier of torchvision, such as `resnet50`",)
    return Diagnostic("E0412", f"torchvision has no weights for `{model}`", span, "", helps=helps)


def no_torchvision_weights(span: Span, model: str, weights: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0412",
        f"torchvision's `{model}` has no weights `{weights}`",
        span,
        "",
        helps=(f"use {' or '.join(f'`{name}`' for name in known)}",),
    )


def not_downloaded(span: Span, model: str, weights: str, path: Path) -> Diagnostic:
    url = f"https://download.pytorch.org/models/{path.name}"
    return Diagnostic(
        "E0412",
        f"the weights {weights} of torchvision's `{model}` are not in the cache of torch.hub",
        span,
        MISSING,
        notes=(f"looked for `{path}`",),
        helps=(f"download them: `curl --create-dirs -o {path} {url}`",),
    )


def unreadable(span: Span, path: Path, why: str, help: str) -> Diagnostic:
    return Diagnostic(
        "E0412",
        f"`{path}` cannot be read as weights: {why}",
        span,
        "",
        helps=(help,),
    )


def not_finite(span: Span, path: Path, words: Sequence[str], names: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f'"{name}"' for name in names[:4]) + (", .." if len(names) > 4 else "")
    return Diagnostic(
        "E0606",
        f"`{path}` holds weights that are not numbers",
        span,
        "",
        notes=tuple(words),
        helps=(
            "use a checkpoint from before the training diverged",
            f"keep the initial values of these: `skip = [{listed}]`",
        ),
    )


# ---- maps ----------------------------------------------------------------------------------------------------------------------


def does_not_fit(span: Span, where: str, summary: str, notes: Sequence[str], helps: Helps) -> Diagnostic:
    """A plan that is not total; `summary` counts, `notes` list both sides."""
    return Diagnostic("E0405", f"{where} does not fit: {summary}", span, "", (), tuple(notes), helps)


def not_made(span: Span, path: str) -> Diagnostic:
    return Diagnostic(
        "E0405",
        f"no rule of the map places `{path}`",
        span,
        "not invertible",
        helps=(f'add a rule for it: `"{path}" <- "NAME"`', "or write the spec's own names: `--weights own`"),
    )


def not_invertible(span: Span, path: str, what: str) -> Diagnostic:
    return Diagnostic(
        "E0405",
        f"the map cannot be inverted at `{path}`: the sizes of {what} are unknown",
        span,
        "not invertible",
        helps=('give every size: `concat("a"[:512], "b"[:256])`, or keep the file that the weights came from',),
    )


def untied(span: Span, name: str, paths: Sequence[str]) -> Diagnostic:
    listed = " and ".join(f"`{path}`" for path in paths)
    return Diagnostic(
        "E0405",
        f"{listed} both become `{name}`, and their values differ",
        span,
        "not invertible",
        notes=("they were a single tensor in the file, and diverged as two here",),
        helps=("write both under the spec's own names: `--weights own`",),
    )


def partly_made(span: Span, name: str, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E0405",
        f"the rules do not produce all of `{name}` {list(shape)}",
        span,
        "not invertible",
        helps=("make the slices of a tensor adjacent: `[:512]`, `[512:1024]`, `[1024:]`",),
    )
