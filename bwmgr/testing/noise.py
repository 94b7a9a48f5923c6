"""Chance that can be computed again: noise as a pure function of a key and a place in time.

Owns a hash and two ways of using it. A generator with a state would make what happens at noon depend on who asked at eleven.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.int64]
Floats = NDArray[np.float64]


def key_of(seed: int, *names: str) -> int:
    """A key, below 2^63, for what these names call; another seed gives another."""
    high, low = crc32("/".join(names).encode(), seed & 0xFFFFFFFF), crc32("/".join(reversed(names)).encode(), ~seed & 0xFFFFFFFF)
    return (high & 0x7FFFFFFF) << 32 | low


def uniform(key: int, cells: Cells) -> Floats:
    """Independent values in [0, 1), one a cell: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        mixed = cells.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53


def draw(key: int) -> float:
    """One value in [0, 1) of a key."""
    return float(uniform(key, np.zeros(1, np.int64))[0])


def smooth(key: int, cells: Cells, period: int) -> Floats:
    """Values in [0, 1) that change gently: uniform ones every `period` cells, and a cosine between them."""
    knots, offset = np.divmod(cells, period)
    first = int(knots[0]) if len(knots) else 0
    heights = uniform(key, np.arange(first, first + (int(knots[-1]) - first + 2 if len(knots) else 0), dtype=np.int64))
    before, after = heights[knots - first], heights[knots - first + 1]
    rise: Floats = (1 - np.cos(np.pi * offset / period)) / 2
    value: Floats = before + (after - before) * rise
    return value
