"""Pictures of what bwmgr prints on a terminal, for README and docs: `docs/images/*.svg`.

Runs the demo in a temporary folder behind a pseudo-terminal of fixed width, so that the picture can be made again; with
`--scenarios`, draws what the scenarios' golden files hold. A picture holds no reference to fonts elsewhere.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "images" / "demo.svg"
SCENARIOS = {
    "pool": ("bwmgr pool", "kota-metro/pool.txt"),
    "coverage": ("bwmgr coverage --kind opd", "kota-metro/coverage.txt"),
    "providers": ("bwmgr providers compare", "bangka-barat/compare.txt"),
    "needs": ("bwmgr needs usulan.csv", "kotawaringin-timur/needs.txt"),
}
"""Name of the picture, what was typed, and the golden file of `tests/cases/scenarios` that holds what came of it."""
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def terminal_output(command: list[str], columns: int) -> str:
    """What the command prints to a terminal of so many columns. Raises: CalledProcessError where it fails."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "COLORTERM": "truecolor"}
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment) as running:  # noqa: S603 - this program
        os.close(theirs)
        printed = b"".join(_pieces(ours))
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)
    return printed.decode().replace("\r\n", "\n")


def _pieces(descriptor: int) -> list[bytes]:
    """All that comes until the other side is closed, which Linux reports as EIO."""
    pieces = []
    try:
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
    except OSError:
        pass
    os.close(descriptor)
    return pieces


def picture(printed: str, columns: int, lines: int, title: str = "make demo") -> str:
    """An SVG of the first `lines` lines."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    for line in printed.splitlines()[:lines]:
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop")
    return _FONT_FACE.sub("", console.export_svg(title=title, theme=DIMMED_MONOKAI))


def draw_scenarios() -> None:
    for name, (command, golden) in SCENARIOS.items():
        printed = (ROOT / "tests" / "cases" / "scenarios" / golden).read_text(encoding="utf-8")
        columns = max(map(len, printed.splitlines()))
        (TARGET.parent / f"{name}.svg").write_text(picture(printed, columns, 60, command), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", action="store_true", help="only what the scenarios' golden files hold")
    parser.add_argument("--columns", type=int, default=150)
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    options = parser.parse_args()
    if options.scenarios:
        draw_scenarios()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bwmgr", "demo", "--dir", f"{folder}/demo"]
        printed = terminal_output(command, options.columns)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(picture(printed, options.columns, options.lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
