"""The command line: one module per command. The only package that prints, draws progress or exits.

app                                the group of commands, and what all of them share
check build fmt diff explain new   a spec: checked, built, laid out, compared, explained, begun
train evaluate runs                runs; `judgement`: how good a model is, as tables; `progress`: what is shown meanwhile
export import_weights              files for and from elsewhere
predict generate                   answers
doctor                             this environment
spec                               the target on the command line, checked and shown
plan, table                        what `dlc build` prints: the plan, the layers
failure, misused, choice           a command that fails, one that cannot be used, an option with a fixed set of values
console                            what is printed, wherever it goes
"""

from __future__ import annotations

from collections.abc import Sequence

from .app import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `dlc` and returns its exit code: 0 done, 1 failed at run time, 2 the input is wrong, 3 diverged,
    130 and 143 interrupted."""
    return run(arguments)
