"""Runs every benchmark of this folder, one after the other, and keeps their figures in bench-results/.

Each benchmark is a script of its own (`python bench/NAME.py --help`); `--quick` makes each a smoke of some seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke: does it run, are the figures sane")
    parser.add_argument("names", nargs="*", help="only these (snmp_poll, store ...)")
    arguments = parser.parse_args()
    scripts = sorted(path for path in HERE.glob("*.py") if path.name != Path(__file__).name)
    chosen = [path for path in scripts if not arguments.names or path.stem in arguments.names]
    results = HERE.parent / "bench-results"
    results.mkdir(exist_ok=True)
    failed = [path.stem for path in chosen if not _run(path, quick=arguments.quick, results=results)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(script: Path, *, quick: bool, results: Path) -> bool:
    print(f"\n== {script.stem}", flush=True)
    started = time.monotonic()
    command = [sys.executable, str(script), *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="")
    print(f"   ({time.monotonic() - started:.0f} s)", flush=True)
    (results / f"{script.stem}.txt").write_text(done.stdout)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
