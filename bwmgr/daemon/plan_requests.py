"""What agencies asked for: a CSV file `link,down,up`, read with all its mistakes at once."""

from __future__ import annotations

import csv
from pathlib import Path

from bwmgr.daemon.unread import why_unread
from bwmgr.errors import ConfigurationError, Mistake
from bwmgr.model.inventory import PerDirection
from bwmgr.model.said import Said, said_by
from bwmgr.model.units import parse_rate

_COLUMNS = ("link", "down", "up")


def read_requests(path: Path) -> dict[str, PerDirection[int | None]]:
    """Link -> rates asked for, bit/s. Rates are written as in the configuration (`20M`); an empty one was not asked for.

    Raises: ConfigurationError with every wrong line: a missing column, a rate that is none, a link that comes twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            [Mistake(file=str(path), line=0, key="", problem=Said("cannot be read: {why}", why=why_unread(error)))]
        ) from error
    reader = csv.DictReader(text.splitlines())
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        wrong = Said(
            "no column {missing}; the first line must be {columns}", missing=", ".join(missing), columns=",".join(_COLUMNS)
        )
        raise ConfigurationError([Mistake(file=str(path), line=1, key="", problem=wrong)])
    found: dict[str, PerDirection[int | None]] = {}
    mistakes: list[Mistake] = []
    for row in reader:
        link = (row["link"] or "").strip()
        if not link or link in found:
            problem = Said("{link!r} comes twice", link=link) if link else Said("is empty; write a link's id")
            mistakes.append(Mistake(file=str(path), line=reader.line_num, key="link", problem=problem))
            continue
        rates: dict[str, int | None] = {}
        for way in ("down", "up"):
            try:
                rates[way] = parse_rate(row[way]) if (row[way] or "").strip() else None
            except ValueError as error:
                mistakes.append(Mistake(file=str(path), line=reader.line_num, key=way, problem=said_by(error)))
        found[link] = PerDirection(down=rates.get("down"), up=rates.get("up"))
    if mistakes:
        raise ConfigurationError(mistakes)
    return found
