"""A provider's own graphs as a file: MRTG's log, or a CSV; read into columns of bit/s.

Owns the two formats. Which of the two columns is our download is not known here: `bwmgr.measure.alignment` tells.
MRTG's log (mrtg-logfile(1)): a line of counters, then lines of `time average-in average-out maximum-in maximum-out` in octets a
second, newest first; the older, the coarser. Only lines of the finest spacing are taken: a mean of two hours fits anything.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bwmgr.daemon.unread import why_unread
from bwmgr.errors import UsageError
from bwmgr.model.said import Said

_FINE = 1.5
_PAIRS = (("down_bps", "up_bps"), ("in_bps", "out_bps"), ("down", "up"), ("in", "out"))


@dataclass(frozen=True, kw_only=True)
class ProviderLog:
    """Rows rising by time; `first` and `second` are bit/s of the file's two columns, in its order."""

    end_ms: NDArray[np.int64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    step_ms: int
    coarse: int
    """Lines left out because they are means of longer spans."""
    sha256: str


def read_log(path: Path, form: str, *, unit: str | None, timezone: str) -> ProviderLog:
    """`form` is `mrtg` or `csv`; `unit` `bits` or `octets` a second (None: as the form usually has it).

    Raises: UsageError with file and line.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(Said("{path}: {why}", path=path, why=why_unread(error))) from error
    rows = sorted(_mrtg(path, text) if form == "mrtg" else _csv(path, text, ZoneInfo(timezone)))
    if len(rows) < 2:
        raise UsageError(Said("{path}: fewer than two rows of rates; is it {form}?", path=path, form=form))
    columns = np.array(rows, np.float64)
    factor = 8.0 if (unit or ("octets" if form == "mrtg" else "bits")) == "octets" else 1.0
    return _finest(columns, factor, hashlib.sha256(content).hexdigest())


def _finest(columns: NDArray[np.float64], factor: float, sha256: str) -> ProviderLog:
    end_ms = (columns[:, 0] * 1000).astype(np.int64)
    apart = np.diff(end_ms)
    step_ms = int(np.median(apart[apart > 0][-1000:])) if (apart > 0).any() else 0
    fine = np.concatenate(([apart[0] <= _FINE * step_ms], (apart > 0) & (apart <= _FINE * step_ms)))
    return ProviderLog(
        end_ms=end_ms[fine],
        first=columns[fine, 1] * factor,
        second=columns[fine, 2] * factor,
        step_ms=step_ms,
        coarse=int((~fine).sum()),
        sha256=sha256,
    )


def _mrtg(path: Path, text: str) -> Iterator[tuple[float, float, float]]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if len(words) == 3 and number == 1:
            continue  # the counters of the last reading
        try:
            at, came_in, went_out = (float(word) for word in words[:3])
        except ValueError as error:
            raise UsageError(
                Said("{path}:{line}: not a line of an MRTG log: {text!r}", path=path, line=str(number), text=line[:60])
            ) from error
        if len(words) != 5 or min(came_in, went_out) < 0:
            raise UsageError(
                Said(
                    "{path}:{line}: an MRTG log has five numbers a line, none below 0; found {text!r}",
                    path=path,
                    line=str(number),
                    text=line[:60],
                )
            )
        yield at, came_in, went_out


def _csv(path: Path, text: str, zone: ZoneInfo) -> Iterator[tuple[float, float, float]]:
    lines = text.splitlines()
    delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    reader = csv.DictReader(lines, delimiter=delimiter)
    names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    pair = next((pair for pair in _PAIRS if set(pair) <= names.keys()), None)
    if "time" not in names or pair is None:
        raise UsageError(
            Said(
                "{path}:1: columns time and down_bps,up_bps (or in_bps,out_bps) are needed; found {columns}",
                path=path,
                columns=", ".join(names) or Said("none"),
            )
        )
    for number, row in enumerate(reader, 2):
        first, second = ((row[names[name]] or "").strip() for name in pair)
        if not first or not second:
            continue
        yield (
            _seconds(path, number, (row[names["time"]] or "").strip(), zone),
            _rate(path, number, first),
            _rate(path, number, second),
        )


def _rate(path: Path, number: int, text: str) -> float:
    try:
        rate = float(text)
    except ValueError as error:
        raise UsageError(
            Said("{path}:{line}: not a rate: {text!r}; write a plain number with a point", path=path, line=str(number), text=text)
        ) from error
    if not 0 <= rate < float("inf"):
        raise UsageError(
            Said(
                "{path}:{line}: not a rate: {text!r}; write a number that is not below 0", path=path, line=str(number), text=text
            )
        )
    return rate


def _seconds(path: Path, number: int, text: str, zone: ZoneInfo) -> float:
    """Unix time, RFC 3339, or local time in the organisation's zone."""
    if text.isdigit():
        return float(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            Said(
                "{path}:{line}: not a time: {text!r}; write 2026-02-01 07:30, RFC 3339 or Unix time",
                path=path,
                line=str(number),
                text=text,
            )
        ) from error
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC).timestamp()
