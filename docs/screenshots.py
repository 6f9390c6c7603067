"""The screenshots of the README, from real runs: `python -m dlc.docs.screenshots` (needs tmux and chromium).

A terminal is what one of 108 columns shows, as an SVG in docs/images: the colours and the words are those of the program. A page is
what a browser shows of it.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).resolve().parent / "images"
COLUMNS = 108

#: Two mistakes: a padding that was forgotten, and a misspelled key.
EDITS = ("s/conv2: Conv(channels, 3, pad = 1,/conv2: Conv(channels, 3,/", "s/optimizer =/optimiser =/")

#: name: (preparation that is not shown, the command that is, lines of the terminal)
SHOTS = {
    "check": (
        "dlc new digits_cnn; sed -i '" + "; ".join(EDITS) + "' digits_cnn.dlspec",
        "dlc check digits_cnn.dlspec",
        40,
    ),
    "train": ("dlc new digits_cnn", "dlc train digits_cnn.dlspec 'train.duration=8 epochs'", 40),
}

#: name: (commands that write `page.html`, width and height of the window)
PAGES = {
    "report": (
        (
            "dlc new digits_cnn; dlc train digits_cnn.dlspec 'train.duration=8 epochs' --device cpu; "
            "dlc evaluate runs/digits_cnn/1 --report page.html"
        ),
        (1000, 1500),
    ),
}


def take(name: str) -> str:
    """Runs the command of a screenshot in a terminal of its own; what the terminal shows when it ends, with colours."""
    before, command, lines = SHOTS[name]
    session = f"dlc-{name}-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(before, shell=True, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=_environment())
        inner = f"cd {folder}; clear; printf '$ %s\\n' {shlex.quote(command)}; {command}; touch done; sleep 60"
        start = ["tmux", "-L", session, "new-session", "-d", "-x", str(COLUMNS), "-y", str(lines), "bash", "-c", inner]
        subprocess.run(start, check=True, env=_environment())
        try:
            while not (Path(folder) / "done").exists():
                time.sleep(0.1)
            time.sleep(0.5)
            shown = subprocess.run(
                ["tmux", "-L", session, "capture-pane", "-e", "-p"], check=True, capture_output=True, text=True
            )
        finally:
            subprocess.run(["tmux", "-L", session, "kill-server"], check=False)
    return shown.stdout.rstrip() + "\n"


def page(name: str, image: Path) -> None:
    """The beginning of a page in a window of a browser."""
    commands, (width, height) = PAGES[name]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(commands, shell=True, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=_environment())
        window = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}"]
        shot = ["chromium", *window, f"--screenshot={image}", f"file://{folder}/page.html"]
        subprocess.run(shot, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}


def svg(title: str, shown: str) -> str:
    """A terminal's contents as an SVG that needs no font or style from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(shown), end="")
    made = console.export_svg(title=title, unique_id=title.split()[-1])
    made = re.sub(r"@font-face \{.*?\}\s*", "", made, flags=re.DOTALL)
    made = made.replace("<svg ", '<svg xml:space="preserve" ', 1)  # some viewers drop blanks at the start of a text
    return made.replace("Fira Code", "ui-monospace, Menlo, Consolas")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in SHOTS:
        (IMAGES / f"{name}.svg").write_text(svg(f"dlc {name}", take(name)), "utf-8")
        print(IMAGES / f"{name}.svg")
    for name in PAGES:
        page(name, IMAGES / f"{name}.png")
        print(IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
