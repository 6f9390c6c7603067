"""`python -m tests.mutants SEED COUNT`: takes mutants through everything and prints those that end in a fault, and which messages end
the others after the check."""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .mutate import mutant
from .trial import attempt


def first_line(text: str) -> str:
    """What a message begins with, without the class of the exception."""
    return next((line for line in text.partition(": ")[2].splitlines() if line), "")


def main() -> None:
    seed, count = (int(word) for word in sys.argv[1:])
    outcomes: Counter[str] = Counter()
    for number in range(count):
        what, text = mutant(random.Random(f"{seed}:{number}"))
        with tempfile.TemporaryDirectory() as folder:
            trial = attempt(text, Path(folder))
        message = f": {first_line(trial.text)}" if trial.outcome == "failed" else ""
        outcomes[f"{trial.outcome} {trial.stage}{message}".strip()] += 1
        if trial.outcome in ("fault", "long"):
            print(f"=== {number} {what}: {trial.outcome} at {trial.stage}\n{trial.text}\n{text}", flush=True)
    print(*(f"{found} {outcome}" for outcome, found in outcomes.most_common()), sep="\n")


if __name__ == "__main__":
    main()
