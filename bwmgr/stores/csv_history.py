"""History from a CSV file: `time,link,down_bps,up_bps`, and where given `down_limit_bps,up_limit_bps,interval_seconds`.

Owns the checks of a file and what its rows mean; not the store they go to. Rows pass through a temporary file of 56 octets each;
what stands in memory is their order while it is sorted (about 40 octets a row), and one batch.

Where a row names no interval it is the time since the link's row before, but at most `CAP` times the link's usual (median)
spacing: what lies beyond was not measured. The first row of a link gets the usual spacing; a link's only row 300 s. An empty
`down_bps` or `up_bps` is a gap.
"""

from __future__ import annotations

import csv
import gzip
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import Mistake, UsageError
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.inventory import Inventory
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import LINK_RATE, RateStore

CAP = 1.5
NAMED_MISTAKES = 100
LONE_SECONDS = 300.0
_REQUIRED = ("time", "link", "down_bps", "up_bps")
_NUMBERS = ("down_bps", "up_bps", "down_limit_bps", "up_limit_bps", "interval_seconds")
_ROW = np.dtype([("series", "u4"), ("line", "u4"), ("end_ms", "i8"), *((name, "f8") for name in _NUMBERS)])
_BATCH_ROWS = 200_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class ImportReport:
    """What became of a file: rows stored (each once), and the mistakes in it by line: all counted, the first ones named."""

    rows: int = 0
    mistakes: list[Mistake] = field(default_factory=list)
    mistaken: int = 0

    def note(self, mistake: Mistake) -> None:
        """A file of the wrong kind has as many mistakes as lines; nobody reads them all."""
        self.mistaken += 1
        if len(self.mistakes) < NAMED_MISTAKES:
            self.mistakes.append(mistake)


def import_csv(
    path: Path,
    store: RateStore,
    inventory: Inventory,
    *,
    now: datetime,
    skip_bad: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Stores a file's rows; none if there is a mistake, unless `skip_bad`. Importing again changes nothing.

    `progress` is told the rows read so far. Raises: UsageError where the file cannot be read as such a CSV, StoreError.
    """
    report = ImportReport()
    series = {name: number for number, name in enumerate(inventory.links)}
    with tempfile.TemporaryFile() as spool:
        try:
            with _opened(path) as text:
                _read(text, _Checks(path, series, inventory.organisation.timezone, now, report.note), spool, progress)
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"{path}: {error}") from error
        spool.flush()
        rows = np.memmap(spool, _ROW, mode="r") if spool.tell() else np.empty(0, _ROW)
        parts = _parts(rows)
        for part in parts:
            _note_contradictions(rows[part], path, report.note)
        report.mistakes.sort()
        if report.mistaken and not skip_bad:
            return report
        for part in parts:
            batch = _batch(rows[part], tuple(series))
            store.write(LINK_RATE, batch)
            report.rows += len(batch.rows)
    return report


@dataclass(frozen=True)
class _Checks:
    path: Path
    series: Mapping[str, int]
    timezone: str
    now: datetime
    note: Callable[[Mistake], None]

    def row(self, line: int, cells: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """A record, or None after all its mistakes were noted."""
        found: list[Mistake] = []
        series = self.series.get(cells["link"] or "")
        if series is None:
            found.append(self._mistake(line, "link", Said("no link {link!r} in the inventory", link=cells["link"] or "")))
        end_ms = self._time(line, cells["time"] or "", found)
        numbers = [self._number(line, name, cells.get(name) or "", found) for name in _NUMBERS]
        for mistake in found:
            self.note(mistake)
        return None if found else (series, line, end_ms, *numbers)

    def _time(self, line: int, text: str, found: list[Mistake]) -> int:
        try:
            moment = datetime.fromisoformat(text.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.timezone))
            end_ms = (moment - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, OverflowError):
            found.append(self._mistake(line, "time", Said("not a time: {text!r}; write 2026-02-01T07:30:00+07:00", text=text)))
            return 0
        if moment > self.now:
            found.append(self._mistake(line, "time", Said("{text} is in the future", text=text)))
        elif end_ms < 0:
            found.append(self._mistake(line, "time", Said("{text} is before 1970", text=text)))
        return end_ms

    def _number(self, line: int, name: str, text: str, found: list[Mistake]) -> float:
        if not text.strip():
            return math.nan
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= 0) or (name == "interval_seconds" and not 0.01 <= number < 4e7):
            found.append(self._mistake(line, name, Said("not a number that can be: {text!r}", text=text)))
        return number

    def _mistake(self, line: int, key: str, problem: str) -> Mistake:
        return Mistake(file=str(self.path), line=line, key=key, problem=problem)


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="utf-8-sig", newline="") if packed else path.open(encoding="utf-8-sig", newline="")


def _read(text: IO[str], checks: _Checks, spool: IO[bytes], progress: Callable[[int], None] | None) -> None:
    reader = csv.DictReader(text)
    names = reader.fieldnames or []
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise UsageError(
            Said(
                "{file}:1: no column {missing}; needed are {required}",
                file=checks.path,
                missing=", ".join(missing),
                required=", ".join(_REQUIRED),
            )
        )
    kept: list[tuple[Any, ...]] = []
    for count, cells in enumerate(reader, 1):
        row = checks.row(reader.line_num, cells)
        if row is not None:
            kept.append(row)
        if count % 10_000 == 0:
            spool.write(np.array(kept, _ROW).tobytes())
            kept.clear()
            if progress is not None:
                progress(count)
    spool.write(np.array(kept, _ROW).tobytes())


def _parts(rows: NDArray[Any]) -> list[NDArray[np.intp]]:
    """Indexes of whole links, sorted by link, time and line, about `_BATCH_ROWS` at once."""
    if not len(rows):
        return []
    order = np.lexsort((rows["line"], rows["end_ms"], rows["series"]))
    begins = np.flatnonzero(np.diff(rows["series"][order], prepend=-1))
    cuts = begins[np.flatnonzero(np.diff(begins // _BATCH_ROWS)) + 1]
    return np.split(order, cuts)


def _repeated(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Rows of the link and time of the one before."""
    repeated = np.zeros(len(rows), np.bool_)
    repeated[1:] = (rows["series"][1:] == rows["series"][:-1]) & (rows["end_ms"][1:] == rows["end_ms"][:-1])
    return repeated


def _note_contradictions(rows: NDArray[Any], path: Path, note: Callable[[Mistake], None]) -> None:
    """A later line that says otherwise of a link and time than an earlier one is a mistake; the first one counts."""
    for at in np.flatnonzero(_repeated(rows)).tolist():
        first, second = rows[at - 1], rows[at]
        if not all(np.array_equal(first[name], second[name], equal_nan=True) for name in _NUMBERS):
            problem = f"another value for this link and time than line {first['line']}"
            note(Mistake(file=str(path), line=int(second["line"]), key="time", problem=problem))


def _batch(rows: NDArray[Any], names: tuple[str, ...]) -> RateBatch:
    """Whole links, each row once."""
    rows = rows[~_repeated(rows)]
    bounds = np.flatnonzero(np.diff(rows["series"], prepend=-1)).tolist()
    seconds = np.concatenate([_intervals(part) for part in np.split(rows, bounds[1:])])
    rates = _rates(rows, seconds)
    rates["series"] = rows["series"]
    return RateBatch(series=names, rows=rates)


def _intervals(rows: NDArray[Any]) -> NDArray[np.float64]:
    spacing = np.diff(rows["end_ms"]) / 1000
    usual = float(np.median(spacing)) if len(spacing) else LONE_SECONDS
    inferred = np.minimum(np.append(usual, spacing), CAP * usual)
    given = rows["interval_seconds"]
    seconds: NDArray[np.float64] = np.where(np.isnan(given), inferred, given)
    return seconds


def _rates(part: NDArray[Any], seconds: NDArray[np.float64]) -> NDArray[Any]:
    rates = np.zeros(len(part), RATE)
    gap = np.isnan(part["down_bps"]) | np.isnan(part["up_bps"])
    rates["reason"] = np.where(gap, GapReason.NOT_RECORDED, GapReason.NONE)
    rates["quality"] = Quality.IMPORTED
    rates["end_ms"] = part["end_ms"]
    rates["interval_ticks"] = np.clip(np.rint(seconds * 100), 1, 2**32 - 1)
    for name in ("down", "up"):
        rates[f"{name}_bps"] = np.where(gap, np.nan, part[f"{name}_bps"])
        limit = part[f"{name}_limit_bps"]
        rates[f"{name}_limit_bps"] = np.where(np.isnan(limit), np.inf, limit)
        rates[f"{name}_discards_ps"] = rates[f"{name}_errors_ps"] = np.nan
    return rates
