"""How long it takes to share a capacity tree out: 9,000 and 100,000 links in three levels, both directions; HiGHS beside it.

`python bench/allocate.py [--quick]`; exits 1 where a bar is missed. HiGHS (through scipy) solves one linear program on the same
9,000 links: the highest common level, the first of the thousands that a lexicographic optimum takes.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from bwmgr.allocate.certificate import violations
from bwmgr.allocate.functions import growth_of
from bwmgr.allocate.shape import Shape, build_columns
from bwmgr.allocate.solver import solve
from bwmgr.model.bandwidth_function import BandwidthFunction

BARS_SECONDS = {9_000: 0.050, 100_000: 0.5}
FUNCTION = BandwidthFunction(((0, 0), (5e6, 2e6), (1e7, 2e6), (2e7, 4e7)))


def tree(links: int, seed: int, *, functions: bool = False) -> Shape:
    """A province: a root, districts, offices; three links of ten cannot have what they want.

    `functions`: one link of ten grows by a bandwidth function of three pieces.
    """
    rng = np.random.default_rng(seed)
    offices, districts = max(links // 30, 1), max(links // 600, 1)
    node_parent = np.concatenate(([-1], np.zeros(districts, int), 1 + rng.integers(0, districts, offices))).astype(np.intp)
    leaf_parent = (1 + districts + rng.integers(0, offices, links)).astype(np.intp)
    demand = rng.lognormal(16, 1, links)
    total = demand.sum()
    shares = np.concatenate(([0.7], np.full(districts, 0.9 / districts), rng.uniform(0.5, 1.5, offices) / offices))
    return build_columns(
        node_parent=node_parent,
        capacity_bps=total * shares,
        hierarchical=np.arange(len(node_parent)) <= districts,
        leaf_parent=leaf_parent,
        ceiling_bps=np.minimum(demand, rng.lognormal(17, 1, links)),
        cir_bps=np.where(rng.random(links) < 0.5, 0.1 * demand, 0.0),
        growth=growth_of(
            rng.choice([1.0, 2.0, 4.0], links).tolist(), [FUNCTION if functions and not at % 10 else None for at in range(links)]
        ),
        rank=rng.integers(0, 3, links).astype(np.intp),
    )


def best_seconds(what: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        what()
        times.append(time.perf_counter() - began)
    return min(times)


def measure(links: int, repeats: int, *, functions: bool = False) -> bool:
    down, up = tree(links, 1, functions=functions), tree(links, 2, functions=functions)
    seconds = best_seconds(lambda: (solve(down), solve(up)), repeats)
    tracemalloc.start()
    shares = solve(down)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    proof = best_seconds(lambda: violations(down, shares), 1)
    wrong = violations(down, shares)
    bar = None if functions else BARS_SECONDS.get(links)
    met = not wrong and (bar is None or seconds <= bar)
    said = "" if bar is None else f"  bar {1000 * bar:4.0f} ms: {'met' if met else 'MISSED'}"
    print(
        f"{links:>9,} links, 3 levels, both directions{', functions' * functions} {1000 * seconds:8.1f} ms{said}  "
        f"memory {peak / links:4.0f} octets a link  proof {1000 * proof:.0f} ms, {len(wrong)} violations"
    )
    return met


def highs(links: int) -> None:
    try:
        from scipy.optimize import linprog
        from scipy.sparse import csr_array
    except ImportError:
        print("HiGHS: scipy is not installed")
        return
    shape = tree(links, 1)
    below = [np.flatnonzero(level >= 0) for level in shape.paths]
    rows = np.concatenate([shape.paths[depth, at] for depth, at in enumerate(below)])
    sums = csr_array((np.ones(len(rows)), (rows, np.concatenate(below))), shape=(len(shape.capacity_bps), links))
    began = time.perf_counter()
    linprog(-shape.weight, A_ub=sums, b_ub=shape.capacity_bps, bounds=np.stack((np.zeros(links), shape.ceiling_bps), axis=1))
    print(f"{links:>9,} links, HiGHS, one LP, one direction  {1000 * (time.perf_counter() - began):8.1f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke of some seconds")
    quick = parser.parse_args().quick
    sizes = [9_000, 100_000] if quick else [9_000, 100_000, 1_000_000]
    met = [measure(links, 2 if links > 100_000 else 5) for links in sizes]
    met += [measure(links, 3, functions=True) for links in sizes[:2]]
    highs(2_000 if quick else 9_000)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
