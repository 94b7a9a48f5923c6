"""What matched replies say: their values go into the request table, what is odd about them is told.

Owns the comparison of an answer with what its columns may hold. Which reply belongs to which request is decided before
(`exchange`), what is done about an odd one after (`collector`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.snmp.batch import PADDING, Batch, words_at, words_of
from collectors.snmp.objects import OBJECTS, Column
from collectors.snmp.plan import UPTIME
from collectors.snmp.requests import RequestTable, Slots


@dataclass(frozen=True)
class Answers:
    """Replies without error to requests with known names: rows of `batch`, and the slots that they answer."""

    buffer: NDArray[np.uint8]
    batch: Batch
    rows: NDArray[np.int64]
    slots: Slots

    def kept(self, chosen: NDArray[np.bool_]) -> Answers:
        return Answers(self.buffer, self.batch, self.rows[chosen], self.slots[chosen])


def _allowed() -> NDArray[np.bool_]:
    table = np.zeros((256, 256), np.bool_)
    for column, found in OBJECTS.items():
        table[column, list(found.tags)] = True
    table[UPTIME, list(OBJECTS[Column.DISCONTINUITY].tags)] = True
    return table


ALLOWED = _allowed()
"""[column, tag]: may a value of that column bear that tag."""


def names_match(table: RequestTable, buffer: NDArray[np.uint8], batch: Batch, slots: Slots) -> NDArray[np.bool_]:
    """Whether each reply of `batch` has, in order, the names that its slot asked for, or is of a slot without known names."""
    first, count = table.slots["first"][slots], table.slots["count"][slots]
    order = np.arange(len(batch.tag))[:, None]
    there = order < np.minimum(count, batch.count)
    variables, at = table.variables, first + order
    words = words_of(buffer)
    start, length = batch.name_start, batch.name_length
    if not there.all():
        at, start, length = np.where(there, at, 0), np.where(there, start, PADDING), np.where(there, length, 0)
    same = (
        (length == variables["name_length"][at])
        & (words_at(words, start) == variables["name_head"][at])
        & (words_at(words, start + length - 8) == variables["name_tail"][at])
    )
    matching: NDArray[np.bool_] = (same | ~there).all(axis=0)
    matching &= batch.count == count
    matching |= table.slots["walk"][slots]
    return matching


def examine(table: RequestTable, answers: Answers) -> Slots:
    """Write the answers' tags and numbers into the table; returns the slots in which not everything is as it should be.

    Odd are a value that is absent or of a wrong type, a name that is another one's, and an ifHighSpeed of 0.
    """
    if not len(answers.rows):
        return answers.slots
    batch, rows, buffer = answers.batch, answers.rows, answers.buffer
    first, count = table.slots["first"][answers.slots], table.slots["count"][answers.slots]
    order = np.arange(int(count.max()))[:, None]
    # one layout for all is what there mostly is, and a plain slice costs less than a mask
    there = slice(None) if int(count.min()) == len(order) else order < count
    variables = (first + order)[there].ravel()
    column, text = table.variables["column"][variables], table.variables["text"][variables]
    tag = batch.tag[: len(order), rows][there].ravel()
    number = batch.number[: len(order), rows][there].ravel()
    odd = ~ALLOWED[column, tag] | (column == Column.HIGH_SPEED) & (number == 0)
    names = np.flatnonzero(text >= 0)
    start, length = (of[: len(order), rows][there].ravel()[names] for of in (batch.start, batch.length))
    same = table.same_texts(buffer, start, length, variables[names]) & ~odd[names]
    number[names] = same
    odd[names] = ~same
    table.variables["tag"][variables] = tag
    table.variables["number"][variables] = number
    if not odd.any():
        return answers.slots[:0]
    return np.unique(table.variables["slot"][variables[odd]])
