"""`python -m tests.mutants SEED COUNT`: takes mutants through everything and prints those that end in a fault."""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .mutate import mutant
from .trial import attempt


def main() -> None:
    seed, count = (int(word) for word in sys.argv[1:])
    outcomes: Counter[str] = Counter()
    for number in range(count):
        what, text = mutant(random.Random(f"{seed}:{number}"))
        with tempfile.TemporaryDirectory() as folder:
            trial = attempt(text, Path(folder))
        outcomes[f"{trial.outcome} {trial.stage}".strip()] += 1
        if trial.outcome in ("fault", "long"):
            print(f"=== {number} {what}: {trial.outcome} at {trial.stage}\n{trial.text}\n{text}", flush=True)
    print(*(f"{outcome}: {found}" for outcome, found in outcomes.most_common()), sep="\n")


if __name__ == "__main__":
    main()
