"""`dlc generate`: text generated from a prompt by an exported model."""

from __future__ import annotations

from pathlib import Path

import click

from . import console
from .choice import OneOf


@click.command("generate")
@click.argument("model", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@click.option("--prompt", metavar="TEXT", required=True, help="Prompt; token ids if the model has no vocabulary.")
@click.option(
    "--tokens",
    "count",
    default=100,
    metavar="N",
    type=click.IntRange(1),
    help="Number of tokens to generate (default: 100).",
)
@click.option(
    "--temperature",
    default=0.0,
    metavar="X",
    type=click.FloatRange(0),
    help="Sampling temperature; 0 is greedy (default: 0).",
)
@click.option(
    "--top-k", "top_k", metavar="K", type=click.IntRange(1), help="Sample from the K most likely tokens (default: all)."
)
@click.option("--seed", default=0, metavar="N", help="Random seed for sampling (default: 0).")
@click.option(
    "--device",
    default="auto",
    metavar="auto|cpu|cuda",
    type=OneOf(["auto", "cpu", "cuda"]),
    help="Device to run on (default: auto).",
)
def command(model: Path, prompt: str, count: int, temperature: float, top_k: int | None, seed: int, device: str) -> int:
    """Generate text from a prompt with an exported model.

    A model exported with `dlc export RUN --cached` generates fast. Does not need torch.
    """
    from ..runtime.failure import BadInput
    from ..runtime.inference.generate import TokenTexts
    from ..runtime.inference.session import Session

    if model.is_dir():
        raise BadInput(f"`{model}` is not an .onnx file", helps=(f"export it first: `dlc export {model} --cached`",))
    session = Session(model, "cpu" if device == "cpu" else "cuda" if device == "cuda" else "auto")
    texts = TokenTexts(session)
    tokens = texts.read(prompt)
    console.part(prompt if texts.known else f"{prompt} ")
    for token in session.generate(tokens, count, temperature=temperature, top_k=top_k, seed=seed, below=texts.below):
        if texts.ends(token):
            break
        console.part(texts.write(token))
    console.out()
    return 0
