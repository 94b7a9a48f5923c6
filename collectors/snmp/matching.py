"""What matched replies say: their values go into the request table, what is odd about them is told.

Owns the comparison of an answer with what its columns may hold. Which reply belongs to which request is decided before
(`exchange`), what is done about an odd one after (`collector`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.snmp.batch import Batch
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


def _allowed() -> NDArray[np.bool_]:
    table = np.zeros((256, 256), np.bool_)
    for column, found in OBJECTS.items():
        table[column, list(found.tags)] = True
    table[UPTIME, list(OBJECTS[Column.DISCONTINUITY].tags)] = True
    return table


ALLOWED = _allowed()
"""[column, tag]: may a value of that column bear that tag."""


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
