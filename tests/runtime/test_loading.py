"""Imports without the cycle collector: it is as it was afterwards, and does not look at what was imported."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from dlc.runtime.loading import loading

with loading():
    assert not gc.isenabled()
assert gc.isenabled() and gc.get_freeze_count() == 0, "nothing was imported"
with loading():
    import decimal
assert gc.isenabled() and gc.get_freeze_count() > 0
try:
    with loading():
        import there_is_none
except ImportError:
    assert gc.isenabled()
gc.disable()
with loading():
    import wave
assert not gc.isenabled(), "whoever had it off keeps it off"
"""


def test_loading() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
