"""Everything in a pack, checked: hashes and signature first, then each figure again from the samples.

Owns which file holds which figures. Goes on after a difference, so that all of them are named.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from . import months, opening
from .archive import Archive, Finding
from .need import Need, need, sized, verdict
from .samples import Sample, Spans, rates, read, usage
from .service import UNHEARD, outages, seconds, slots
from .sharing import shares
from .trail import JOURNAL, closed_months, entries
from .trail import findings as trail_findings

METHODS, SERIES = "methods.json", "series.csv"
USAGE, AVAILABILITY, OUTAGES, NEEDS, SHARING = "usage.csv", "availability.csv", "outages.csv", "needs.csv", "allocation.json"
REQUESTS = "requests.csv"
LINKS, UPLINKS = "link_rate", "uplink_rate"
_CLOSE = 1e-9
_USAGE_FIGURES = ("samples", "octets", "mean_bps", "p95_bps", "max_bps", "coverage_ratio", "enough", "saturated_ratio")
_AVAILABLE = ("up_seconds", "down_seconds", "unknown_seconds", "availability_ratio")
_NEED_FIGURES = ("kind", "samples", "low_bps", "high_bps", "held_ratio")

Row = dict[str, str]


class Outcome(NamedTuple):
    """What was found wrong, how many figures were recomputed, of how many samples, and whose key signed."""

    findings: list[Finding]
    figures: int
    samples: int
    public_key: str


def check(path: Path, *, key: str = "", progress: Callable[[float], None] = lambda _: None) -> Outcome:
    """Checks the pack at `path`; `key`: the public key it must bear. `progress` hears the share done.

    Raises: NoPack.
    """
    archive = Archive(path)
    checker = _Checker(archive)
    checker.findings += archive.findings(key)
    try:
        checker.run(progress)
    except (KeyError, TypeError, ValueError, csv.Error, AttributeError) as error:
        checker.findings.append(Finding("unreadable", checker.at, f"{type(error).__name__}: {error}"))
    return Outcome(checker.findings, checker.figures, checker.samples, archive.public_key)


class _Checker:
    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.findings: list[Finding] = []
        self.figures = self.samples = 0
        self.at = ""
        self.sized: dict[tuple[str, str], float | None] = {}

    def run(self, progress: Callable[[float], None]) -> None:
        self.at = METHODS
        self.methods = self.archive.json(METHODS)
        self.period = self.methods["start_ms"], self.methods["end_ms"]
        self._calendars()
        self.spans = {name: Spans(spans) for name, spans in self.methods["calendars"].items()}
        self.tables = {file: self._by_series(file) for file in (USAGE, AVAILABILITY, OUTAGES, NEEDS, REQUESTS)}
        self.closed = {name: self.archive.read(name) for name in self.archive.under(months.FOLDER)}
        self.at = months.FOLDER
        self.months = months.months(self.closed, *self.period)
        self.at = SERIES
        series = self._table(SERIES)
        self.witnesses = self._witnesses(series) if self.methods["witnesses"] else None
        for number, row in enumerate(series, 1):
            self._series(row)
            progress(number / len(series))
        for file, rows in self.tables.items():
            self.findings += [Finding("no samples", file, name) for _, name in rows]
        self._sharing()
        self._trail()

    def _calendars(self) -> None:
        """The open time of each calendar follows from its rule."""
        where = opening.zone(self.archive.manifest["timezone"])
        for name, rule in self.methods["calendar_rules"].items() if where is not None else ():
            if where is not None:
                same = opening.spans(rule, where, *self.period) == self.methods["calendars"][name]
                self._figure(METHODS, f"calendar {name}", "its rule" if same else "other hours", "its rule")

    def _witnesses(self, series: Sequence[Row]) -> Sequence[int]:
        """When any device answered, rising: by the first two columns of all samples."""
        found = array("q")
        for row in series:
            try:
                content = self.archive.read(row["file"])
                lines = (line.split(b",", 2) for line in content.splitlines()[1:])
                found.extend(int(line[0]) for line in lines if int(line[1]) not in UNHEARD)
            except (KeyError, ValueError, IndexError):
                continue  # said when its figures are due
        return sorted(set(found))

    def _series(self, row: Row) -> None:
        """All figures of one series, from its samples alone; a file that cannot be read is named, and the others go on."""
        self.at = file = row["file"]
        key = (row["measurement"], row["series"])
        lines = {name: rows.pop(key, []) for name, rows in self.tables.items()}
        try:
            samples = read(self.archive.read(file))
        except (KeyError, ValueError, IndexError) as error:
            self.findings.append(Finding("unreadable", file, f"{type(error).__name__}: {error}"))
            return
        self.samples += len(samples)
        self._times(file, samples)
        counted = {name: rates(samples, spans) for name, spans in self.spans.items()}
        for line in lines[USAGE]:
            found = usage(counted[line["calendar"]], line["direction"], self.spans[line["calendar"]], self.methods)
            self._compare(USAGE, _label(key, line), found, line, _USAGE_FIGURES)
        for line in lines[NEEDS]:
            given = {name: _number(line[name]) for name in ("sqrt_bps", "log_bps")}
            wanted = need(counted[line["calendar"]], line["direction"], given, self.methods["percentile"])
            self._compare(NEEDS, _label(key, line), wanted, line, _NEED_FIGURES)
            self.sized[key[1], line["direction"]] = sized(wanted, _number(line["highest_limit_bps"]))
            for request in lines[REQUESTS]:
                if request["direction"] == line["direction"]:
                    self._request(key, request, wanted, line, counted[line["calendar"]])
        self._service(key, samples, lines[AVAILABILITY], lines[OUTAGES])
        for month in self.months if key[0] == LINKS else ():
            for what, found, printed in months.again(month, key[1], samples, self.methods["calendars"], self.methods):
                for name in months.FIGURES:
                    self._figure(month.file, f"{what} {name}", found[name], printed[name])
        if len(lines[USAGE]) != 2 * len(set(row["calendars"].split())) or len(lines[AVAILABILITY]) != 1:
            self.findings.append(Finding("no figures", SERIES, key[1]))

    def _request(self, key: tuple[str, str], request: Row, wanted: Need, line: Row, counted: Sequence[Sample]) -> None:
        coverage = usage(counted, line["direction"], self.spans[line["calendar"]], self.methods)["coverage_ratio"] or 0.0
        mine = verdict(_number(request["requested_bps"]), wanted, coverage, _number(line["highest_limit_bps"]), self.methods)
        self._figure(REQUESTS, f"{key[1]} {line['direction']} verdict", mine, request["verdict"])

    def _times(self, file: str, samples: Sequence[Sample]) -> None:
        """Rows in rising order of time, each once, all within the period."""
        times = [sample.end_ms for sample in samples]
        inside = all(self.period[0] <= at < self.period[1] for at in times)
        if not inside or any(later <= earlier for earlier, later in pairwise(times)):
            self.findings.append(Finding("times", file))

    def _service(self, key: tuple[str, str], samples: Sequence[Sample], available: Sequence[Row], without: Sequence[Row]) -> None:
        known = slots(samples, self.witnesses, usual=key[0] == UPLINKS)
        for line in available:
            self._compare(AVAILABILITY, key[1], seconds(known, *self.period), line, _AVAILABLE)
        mine = {str(one.start): one for one in outages(known, self.methods["outage_seconds"])}
        theirs = {line["start_ms"]: line for line in without}
        for start in sorted({*mine, *theirs}):
            one, line = mine.get(start), theirs.get(start, {})
            self._figure(OUTAGES, f"{key[1]} {start} end_ms", one and str(one.end), line.get("end_ms"))
            self._figure(OUTAGES, f"{key[1]} {start} sign", one and one.sign, line.get("sign"))

    def _sharing(self) -> None:
        self.at = SHARING
        for direction, problem in self.archive.json(SHARING).items():
            mine = shares(problem)
            for link in problem["links"]:
                demand = self.sized.get((link["id"], direction))
                if demand is not None:
                    self._figure(SHARING, f"{link['id']} {direction} demand_bps", demand, link["demand_bps"])
                what = f"{link['id']} {direction} allocation_bps"
                self._figure(SHARING, what, mine[link["id"]], link["allocation_bps"], 1.0)

    def _trail(self) -> None:
        """The journal's chain and signature, and that each closed month in the pack is one that the journal knows."""
        self.at = JOURNAL
        journal = entries(self.archive.read(JOURNAL))
        self.figures += len(journal)
        self.findings += trail_findings(journal, {str(self.archive.signature.get("key")): self.archive.public_key})
        known = closed_months(journal)
        for name, content in self.closed.items():
            self.figures += 1
            if hashlib.sha256(content).hexdigest() not in known:
                self.findings.append(Finding("not in journal", name))

    def _compare(self, file: str, label: str, found: dict[str, Any], line: Row, names: Sequence[str]) -> None:
        for name in names:
            given = line[name] if name == "kind" else _number(line[name])
            self._figure(file, f"{label} {name}", found[name], given or None if name == "kind" else given)

    def _figure(self, file: str, what: str, mine: Any, theirs: Any, within: float = 0.0) -> None:
        self.figures += 1
        if not _same(mine, theirs, within):
            self.findings.append(Finding("figure", file, what, mine, theirs))

    def _by_series(self, file: str) -> dict[tuple[str, str], list[Row]]:
        self.at = file
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self._table(file):
            found.setdefault((row["measurement"], row["series"]), []).append(row)
        return found

    def _table(self, file: str) -> list[Row]:
        return list(csv.DictReader(io.StringIO(self.archive.read(file).decode("utf-8"), newline="")))


def _label(key: tuple[str, str], line: Row) -> str:
    return f"{key[1]} {line['direction']} {line['calendar']}"


def _number(cell: str) -> Any:
    return float(cell) if cell else None


def _same(mine: Any, theirs: Any, within: float) -> bool:
    """To one part in a thousand million: sums of doubles in another order differ in the last places."""
    if isinstance(mine, str) or isinstance(theirs, str) or mine is None or theirs is None:
        return bool(mine == theirs)
    return math.isclose(mine, theirs, rel_tol=_CLOSE, abs_tol=max(within, _CLOSE))
