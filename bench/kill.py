"""kill -9 of the daemon a hundred times over (--quick: five): committed cycles lost, octets counted twice; both must be none."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bwmgr.testing.killing import kill_in_a_loop
from bwmgr.testing.site import Site


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 kills")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the moments to kill at; printed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), links=20)
        try:
            found = kill_in_a_loop(site, kills=5 if arguments.quick else arguments.kills, seed=arguments.seed)
        finally:
            site.close()
    print(f"{found.kills} kills, {found.acknowledged} cycles acknowledged (20 links, seed {arguments.seed})")
    print(f"lost rows {found.lost}, overlapping intervals {found.overlapping}, octets too many {found.excess_octets}, "
          f"left-over files {len(found.leftovers)}")  # fmt: skip
    return 1 if found.lost or found.overlapping or found.excess_octets or found.leftovers else 0


if __name__ == "__main__":
    sys.exit(main())
