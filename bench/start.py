"""How long `bwmgr --help` takes beside an interpreter that does nothing but import click: median of many, and the ratio.

The bar is 3. What keeps it is that no command's module is loaded before it is run (tests/unit/cli/test_cli_start.py).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

BAR = 3.0
_PEERS = {
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "bwmgr --help": [sys.executable, "-m", "bwmgr", "--help"],
    "bwmgr --version": [sys.executable, "-m", "bwmgr", "--version"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few runs")
    runs = 5 if parser.parse_args().quick else 41
    seconds: dict[str, list[float]] = {name: [] for name in _PEERS}
    for _ in range(runs):  # in turns, so that whatever else the machine does falls on all alike
        for name, command in _PEERS.items():
            seconds[name].append(_timed(command))
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    baseline, *ours = medians.values()
    for name, median in medians.items():
        print(f"{name:26} median {1000 * median:6.1f} ms   ratio {median / baseline:4.2f}   ({runs} runs)")
    worst = max(ours) / baseline
    print(f"bar: ratio at most {BAR:g}: {'held' if worst <= BAR else 'BROKEN'}")
    return 0 if worst <= BAR else 1


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
