"""What a code means and why, with a program that has it and one that does not."""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    meaning: str
    why: str
    wrong: str = ""
    right: str = ""
    #: The command that finds it, where a check cannot: the wrong program checks clean.
    when: str = ""
    #: What a command prints, and the commands that get out of it: lines that begin with `$` are typed. `..` stands for lines that
    #: differ. A test types them (tests/cli/test_failure_pages.py).
    example: str = ""
