"""What files from elsewhere may cause: no code but our own, no program, no connection, no file outside the folder.

`watched.py` does the work in a process whose audit hook sees every event of the interpreter.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from .attacks import SECRET, refused

HERE = Path(__file__).parent


def test_hostile_files(tmp_path: Path, sizes: Any) -> None:
    """Ten kinds of published attacks, and files damaged at random: each an answer or a message; the attacks one with a code."""
    work = tmp_path / "a" / "work"
    work.mkdir(parents=True)
    (work.parent / SECRET).write_text("model Secret", "utf-8")
    seed = random.randrange(2**32)
    done = subprocess.run(
        [sys.executable, str(HERE / "watched.py"), str(work), str(seed), str(10_000 if sizes.full else 60)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["events"] == [], f"seed {seed}"
    assert found["wrong"] == [], f"seed {seed}"
    for name, attack in refused().items():
        assert attack.code in found["codes"][name], name
    assert {path.name for path in work.parent.iterdir()} == {SECRET, "work"}
