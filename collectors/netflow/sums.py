"""Sums by key: an open-addressing hash table whose rows are looked up and added to by whole columns.

Owns the table, its growth and its bound, and nothing of what keys mean. A key is a number of 64 bits above 0. Adding a million
rows costs about 20 ms, where sorting them costs 80.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Integers = NDArray[np.int64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio (Knuth, TAOCP 3, section 6.4)
_FIRST_BITS = 12


class Sums:
    """`columns` sums for each key, and `labels` columns that say what a key means.

    Exact while no more than `most` keys come; rows of further ones are given back.
    """

    def __init__(self, columns: int, *, labels: int = 0, most: int = 1 << 20) -> None:
        self.most = most
        self.count = 0
        """Keys held."""
        self._columns = columns
        self._labels = labels
        self._allocate(_FIRST_BITS)

    def add(self, keys: Keys, *amounts: Integers, labels: tuple[Keys, ...] = ()) -> NDArray[np.bool_] | None:
        """Adds each row's amounts to its key's sums. None where all were, else which rows were not, for want of room."""
        slots = self._slots_of(keys)
        missing = slots < 0
        refused = None
        if missing.any():
            before = self._keys
            self._insert(_distinct(keys[missing]))
            if self._keys is before:
                slots[missing] = self._slots_of(keys[missing])
            else:
                slots = self._slots_of(keys)
            for mark, label in zip(self._marks, labels, strict=True):
                mark[slots[missing]] = label[missing]  # a refused row's slot is -1: it spoils nothing that is read
            refused = slots < 0
            if refused.any():
                slots, amounts = slots[~refused], tuple(amount[~refused] for amount in amounts)
            else:
                refused = None
        for column, amount in zip(self._sums, amounts, strict=True):
            np.add.at(column, slots, amount)
        return refused

    def rows(self) -> tuple[Keys, tuple[Integers, ...]]:
        """All keys and their sums, in no order."""
        used = np.flatnonzero(self._keys)
        return self._keys[used], tuple(column[used] for column in self._sums)

    def labels(self) -> tuple[Keys, ...]:
        """What the keys of `rows` mean, aligned with them."""
        used = np.flatnonzero(self._keys)
        return tuple(column[:-1][used] for column in self._marks)

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Drops all keys but the chosen ones; `chosen` is aligned with `rows`. The table shrinks to what it then holds."""
        keys, sums = self.rows()
        labels = self.labels()
        self.clear()
        if chosen.any():
            self.add(keys[chosen], *(column[chosen] for column in sums), labels=tuple(label[chosen] for label in labels))

    def clear(self) -> None:
        """Nothing is held."""
        self.count = 0
        self._allocate(_FIRST_BITS)

    def _allocate(self, bits: int) -> None:
        self._shift = np.uint64(64 - bits)
        self._keys = np.zeros(1 << bits, np.uint64)
        self._sums = tuple(np.zeros(1 << bits, np.int64) for _ in range(self._columns))
        self._marks = tuple(np.zeros((1 << bits) + 1, np.uint64) for _ in range(self._labels))

    def _insert(self, new: Keys) -> None:
        """Takes in keys that are distinct and not there yet, as many as may be. The table stays at most half full."""
        new = new[: max(self.most - self.count, 0)]
        if 2 * (self.count + len(new)) > len(self._keys):
            self._grow(self.count + len(new))
        self._place(new)

    def _grow(self, count: int) -> None:
        keys, sums = self.rows()
        labels = self.labels()
        self._allocate(max(_FIRST_BITS, (4 * count - 1).bit_length()))
        self.count = 0
        self._place(keys)
        slots = self._slots_of(keys)
        for column, kept in zip((*self._sums, *self._marks), (*sums, *labels), strict=True):
            column[slots] = kept

    def _place(self, new: Keys) -> None:
        """Linear probing; of several keys that want one empty slot the last gets it, and the others go on."""
        mask = len(self._keys) - 1
        slots = self._home(new)
        while len(new):
            empty = self._keys[slots] == 0
            self._keys[slots[empty]] = new[empty]
            placed = self._keys[slots] == new
            self.count += int(placed.sum())
            new, slots = new[~placed], (slots[~placed] + 1) & mask

    def _slots_of(self, keys: Keys) -> Integers:
        """The slot of each key, -1 where it is not in the table."""
        mask = len(self._keys) - 1
        slots = self._home(keys)
        found = self._keys[slots]
        looking = np.flatnonzero(found != keys)
        while len(looking):
            absent = self._keys[slots[looking]] == 0
            slots[looking[absent]] = -1
            looking = looking[~absent]
            slots[looking] = (slots[looking] + 1) & mask
            looking = looking[self._keys[slots[looking]] != keys[looking]]
        return slots

    def _home(self, keys: Keys) -> Integers:
        home: Integers = ((keys * _MULTIPLIER) >> self._shift).astype(np.int64)
        return home


def _distinct(keys: Keys) -> Keys:
    """As np.unique, whose hashing takes twenty times longer here."""
    ordered = np.sort(keys)
    distinct: Keys = ordered[np.append(True, ordered[1:] != ordered[:-1])]
    return distinct
