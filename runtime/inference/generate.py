"""Continuing a sequence with an exported model, a token at a time. Works without torch.

A cached form (`dlc export --cached`) is fed the prompt once and then each new token alone; what it keeps goes from step to
step where ONNX Runtime made it, without a copy through Python. Any other export computes the whole sequence again for each
token: the same tokens, in time that grows with the length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..data.arrays.batches import InputPipeline
from ..data.tokenizing import Unusable
from ..failure import BadInput, RunFailure
from . import prompts
from .answers import Answer
from .file_facts import FileFacts
from .key_values import KeyValues
from .ports import Array, Port
from .prompts import PromptWriter
from .providers import Provider, failed

A = TypeVar("A")
B = TypeVar("B")


class TokenModel(Protocol):
    """What generation needs of a session (`session.py`, which lies above)."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    cached: KeyValues | None
    bounds: dict[str, tuple[int, int | None]]  # least and most of a dimension
    about: FileFacts
    pipeline: InputPipeline | None
    answers: dict[str, Answer]
    provider: Provider

    @property
    def raw(self) -> Any:
        """ONNX Runtime's own session."""

    def predict(self, inputs: Mapping[str, ArrayLike], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Arrays by output name."""
        ...


def generate(
    session: TokenModel,
    prompt: Sequence[int],
    count: int,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    seed: int = 0,
    below: int | None = None,
) -> Iterator[int]:
    """`count` tokens that follow `prompt`, each as soon as it is known.

    At temperature 0 the likeliest token, otherwise one drawn by softmax(logits / temperature), among the `top_k` likeliest
    if given; `below` leaves out larger token numbers, which a model with room to spare never learned. Where the model takes no more positions (`T <= n`), it continues from the later half of the last n tokens.
    Raises BadInput for a model that does not say a next token.
    """
    if temperature < 0:
        raise BadInput(
            f"the temperature is {temperature:g}; it must be 0 or more",
            helps=("use 0 for the most likely token, 1 to sample as the model predicts",),
        )
    if not len(prompt):
        raise BadInput("the prompt is empty", helps=("give at least one token",))
    sequence = _Sequence(session)
    random = np.random.default_rng(seed)
    tokens = [int(token) for token in prompt]
    fed = tokens
    for _ in range(count):
        logits = sequence.following(fed, tokens)
        chosen = choose(logits[:below], temperature, top_k, random)
        tokens.append(chosen)
        fed = [chosen]
        yield chosen


def choose(logits: Array, temperature: float, top_k: int | None, random: np.random.Generator) -> int:
    """A token by its logit [V]. Raises RunFailure for logits that are not numbers."""
    if not logits.size:
        raise RunFailure(
            "the model gives no next token: its logits are empty", helps=("generate with `below` of at least 1",)
        )
    if np.isnan(logits).any():
        raise RunFailure(
            "the model gives no next token: its logits are not numbers",
            helps=(
                "export again: `dlc export` names weights that are not finite",
                'if the file is in half precision, export it with `precision = "f32"`',
            ),
        )
    if temperature == 0:
        return int(logits.argmax())
    scores = logits.astype(np.float64) / temperature
    if top_k is not None and top_k < len(scores):
        least = np.partition(scores, -top_k)[-top_k]
        scores = np.where(scores < least, -np.inf, scores)
    shares = np.exp(scores - scores.max())
    return int(random.choice(len(shares), p=shares / shares.sum()))


class _Sequence:
    """One sequence in a session: its tokens go in, the logits of the token that follows come out."""

    def __init__(self, session: TokenModel) -> None:
        self.session = session
        self.port = _tokens(session)
        self.output = _logits(session)
        length = self.port.shape[1]
        self.most: int | None = session.bounds.get(str(length), (1, None))[1]
        if isinstance(length, int):
            raise BadInput(
                f"the model takes exactly {length} tokens", helps=("export without `fix { .. }` for the sequence",)
            )
        self.seen = 0  # positions that are kept
        self.kept: dict[str, Any] = {}  # their keys and values, in ONNX Runtime's own memory

    def following(self, fed: Sequence[int], whole: Sequence[int]) -> Array:
        """Logits after `whole`, of which `fed` are the tokens that were not fed before."""
        if self.session.cached is None:
            fed = whole[-self.most :] if self.most is not None else whole
            return self._last(self.session.predict({self.port.name: self._array(fed)}, [self.output])[self.output])
        if self.most is not None and self.seen + len(fed) > self.most:
            fed, self.seen = whole[-max(self.most // 2, 1) :], 0
        return self._step(self._array(fed))

    def _step(self, tokens: Array) -> Array:
        import onnxruntime

        kept, device = self.session.cached, self.session.provider.device
        assert kept is not None
        if self.seen == 0:
            made = onnxruntime.OrtValue.ortvalue_from_numpy
            self.kept = {name: made(array, device, 0) for name, array in kept.empty(1).items()}
        outputs = [self.output, *kept.pairs]
        binding = self.session.raw.io_binding()
        binding.bind_cpu_input(self.port.name, tokens)
        for name, value in self.kept.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output(self.output, "cpu")
        for name in kept.pairs:
            binding.bind_output(name, device)
        try:
            self.session.raw.run_with_iobinding(binding)
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions share no base class
            raise failed(error) from None
        found = dict(zip(outputs, binding.get_outputs(), strict=True))
        self.kept = {name: found[made] for made, name in kept.pairs.items()}
        self.seen += tokens.shape[1]
        return self._last(found[self.output].numpy())

    def _array(self, tokens: Sequence[int]) -> Array:
        return np.asarray([tokens], self.port.dtype)

    @staticmethod
    def _last(logits: Array) -> Array:
        """Of [1, T, V] or [1, V], those of the last position."""
        return logits[0, -1] if logits.ndim == 3 else logits[0]


def _tokens(session: TokenModel) -> Port:
    kept = set(session.cached.pairs.values()) if session.cached is not None else set[str]()
    ports = [port for port in session.inputs if port.name not in kept]
    if len(ports) == 1 and len(ports[0].shape) == 2 and np.dtype(ports[0].dtype).kind in "iu":
        return ports[0]
    listed = ", ".join(f"`{port}`" for port in ports)
    raise BadInput(
        f"the model does not take tokens: its inputs are {listed}",
        helps=("export a model with one input of token ids, such as `tokens: i64[B, T]`",),
    )


def _logits(session: TokenModel) -> str:
    kept = session.cached.pairs if session.cached is not None else {}
    ports = [port for port in session.outputs if port.name not in kept]
    scores = [port for port in ports if port.name in session.answers and session.answers[port.name].kind == "scores"]
    chosen = scores or [port for port in ports if port.name == "logits"] or ports
    if len(chosen) == 1 and len(chosen[0].shape) in (2, 3) and np.dtype(chosen[0].dtype).kind == "f":
        return chosen[0].name
    listed = ", ".join(f"`{port}`" for port in ports)
    raise BadInput(
        f"the model does not predict a next token: its outputs are {listed}",
        helps=("export the output that holds a score for each token under the name `logits`",),
    )


class TokenTexts:
    """The text of each token, where the file knows it: of a model of characters, or one with a tokenizer. Else tokens are written as
    numbers. `below` is how many tokens there are."""

    def __init__(self, session: TokenModel) -> None:
        port, self.about = _tokens(session).name, session.about
        self.names = session.about.vocabulary().get(port)
        self.writer: PromptWriter | None = None
        found = session.about.tokens()
        if found is None and session.pipeline is not None:
            found = prompts.of_pipeline(session.pipeline, port)
        if found is not None:
            self.writer = session.about.writer(found)
        self.below = self.writer.tokenizer.size if self.writer else len(self.names) if self.names is not None else None

    @property
    def known(self) -> bool:
        return self.writer is not None or self.names is not None

    def read(self, text: str) -> list[int]:
        """Tokens of a text; BadInput for what the model does not know."""
        if self.writer is not None:
            return self._guarded(self.writer.read, text)
        if self.names is None:
            return self._numbers(text)
        numbers = {name: number for number, name in enumerate(self.names)}
        unknown = sorted(set(text) - numbers.keys())
        if unknown:
            listed = " ".join(map(repr, unknown[:8]))
            known = "".join(sorted(name for name in self.names if name.isprintable()))
            raise BadInput(
                f"the prompt has characters that the training text does not contain: {listed}",
                notes=(f"it contains {known[:200]}",),
                helps=("leave them out of the prompt",),
            )
        return [numbers[character] for character in text]

    def _guarded(self, call: Callable[[A], B], given: A) -> B:
        try:
            return call(given)
        except Unusable as why:
            raise self.about.refuse("dlc.tokenizer", f"cannot be used: {why}") from None

    def ends(self, token: int) -> bool:
        """Whether a token is the end of a text."""
        return self.writer is not None and self.writer.ends(token)

    def write(self, token: int) -> str:
        if self.writer is not None:
            return self._guarded(self.writer.write, token)
        if self.names is None:
            return f"{token} "
        return self.names[token] if token < len(self.names) else "\N{REPLACEMENT CHARACTER}"

    @staticmethod
    def _numbers(text: str) -> list[int]:
        try:
            return [int(word) for word in text.split()]
        except ValueError:
            raise BadInput(
                f"the model has no vocabulary, and `{text[:40]}` is not a list of token numbers",
                helps=(
                    'give token ids: `--prompt "464 3290"`',
                    "a run trained on characters, or with a tokenizer, exports what its tokens stand for",
                ),
            ) from None
