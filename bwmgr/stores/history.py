"""Usage and health over any window, from any store: rates read in bounded pieces, figures made by `bwmgr.measure`.

Owns which calendar's time is read for which series; no arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bwmgr.errors import UsageError
from bwmgr.measure import calendars as calendar_spans
from bwmgr.measure import health, windows
from bwmgr.model.inventory import Calendar, Direction
from bwmgr.model.said import Said
from bwmgr.model.usage import LinkHealth, UsageWindow
from bwmgr.stores import LINK_RATE, RateStore


class History:
    """Reads `store`. Calendars are resolved in `timezone`."""

    def __init__(self, store: RateStore, calendars: Mapping[str, Calendar], timezone: str) -> None:
        self._store = store
        self._calendars = calendars
        self._timezone = timezone

    def usage(
        self,
        series: Sequence[str],
        *,
        start: datetime,
        end: datetime,
        calendar: str | Mapping[str, str] = "always",
        percentile: float = 95.0,
        measurement: str = LINK_RATE,
    ) -> list[UsageWindow]:
        """Windows in the order of `series`, down then up of each. A mapping names each series' own calendar.

        Raises: UsageError for a calendar that is not there.
        """
        found: dict[tuple[str, Direction], UsageWindow] = {}
        for name, members in _by_calendar(series, calendar).items():
            spans = calendar_spans.spans(self._calendar(name), self._timezone, start, end)
            pieces = self._store.chunks(measurement, start=start, end=end, series=members, columns=windows.COLUMNS, within=spans)
            for batch in pieces:
                for window in windows.usage_windows(
                    batch, start=start, end=end, calendar=name, spans=spans, percentile=percentile
                ):
                    found[window.link, window.direction] = window
        return [found[name, direction] for name in series for direction in Direction]

    def health(self, series: Sequence[str], *, start: datetime, end: datetime, measurement: str = LINK_RATE) -> list[LinkHealth]:
        """What the rows of each series say of the link itself, in the order of `series`."""
        pieces = self._store.chunks(measurement, start=start, end=end, series=list(dict.fromkeys(series)), columns=health.COLUMNS)
        found = {entry.link: entry for batch in pieces for entry in health.link_health(batch, start=start, end=end)}
        return [found[name] for name in series]

    def _calendar(self, name: str) -> Calendar:
        if name not in self._calendars:
            raise UsageError(Said("no calendar {name!r}; there are {known}", name=name, known=", ".join(self._calendars)))
        return self._calendars[name]


def _by_calendar(series: Sequence[str], calendar: str | Mapping[str, str]) -> dict[str, list[str]]:
    """Calendar -> its series, each once, in order."""
    groups: dict[str, dict[str, None]] = {}
    for name in series:
        groups.setdefault(calendar if isinstance(calendar, str) else calendar[name], {})[name] = None
    return {name: list(members) for name, members in groups.items()}
