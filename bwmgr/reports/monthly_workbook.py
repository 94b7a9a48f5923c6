"""The monthly report as a workbook: every figure of the month in cells that can be sorted and summed.

Owns sheets and columns. Figures from too little time are left empty, with their completeness beside them; rates are in Mbps.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from bwmgr.language import Words, mark
from bwmgr.model.inventory import Direction
from bwmgr.model.monthly import Month, MonthLink, Use
from bwmgr.reports.documents.tables import Cell, Sheet, TableColumn, xlsx
from bwmgr.reports.monthly import Said

_ROOT_HEADINGS = (mark("Capacity"), mark("P95 of demand"), mark("Optimum"))
_MONEY_HEADINGS = (mark("Price of the month"), mark("Price of what was used"), mark("Price of what was idle"))
_MEGA = 1e6
_GIGA = 1e9


def workbook(month: Month, words: Words) -> bytes:
    """The XLSX; the same month gives the same bytes."""
    made = _Book(month, words)
    return xlsx(
        [made.links(), made.roots(), made.days(), made.outages(), made.recommendations()],
        title=f"{words.text('Monthly report')} {month.month}",
        author=month.organisation,
    )


class _Book:
    def __init__(self, month: Month, words: Words) -> None:
        self.month, self.words, self.said = month, words, Said(month, words)

    def links(self) -> Sheet:
        words = self.words
        columns = [
            TableColumn(heading="id"),
            TableColumn(heading=words.text("Name"), width=38),
            TableColumn(heading=words.text("Kind")),
        ]
        for way in Direction:
            named = self.words.direction(way)
            columns += [
                self._rate(words.text("Limit"), named),
                self._rate(words.text("Guaranteed"), named),
                self._rate(words.text("Right size by demand"), named),
                self._rate(words.text("Mean, working hours"), named),
                self._rate(words.text("P95, working hours"), named),
                self._rate(words.text("Mean, all hours"), named),
                self._rate(words.text("P95, all hours"), named),
                self._rate(words.text("Highest"), named),
                TableColumn(heading=f"{words.text('At the limit')}, {named}", form="ratio"),
                TableColumn(heading=f"{words.text('Volume')}, {named} (GB)", form="rate"),
                TableColumn(heading=f"{words.text('Complete')}, {named}", form="ratio"),
            ]
        columns += [
            TableColumn(heading=words.text("Busy hour"), form="count"),
            TableColumn(heading=f"{words.text('Quota')} (GB)", form="rate"),
            TableColumn(heading=words.text("Number of outages"), form="count"),
            TableColumn(heading=words.text("Hours without service"), form="rate"),
            TableColumn(heading=words.text("Availability"), form="rate"),
            TableColumn(heading=words.text("Availability is known of"), form="ratio"),
            TableColumn(heading=words.text("Cost of use"), form="money", width=18),
        ]
        notes = [
            self.said.standing,
            words.text("Empty: not enough data. A figure from less than {complete_ratio} of the time is not written.",
                 complete_ratio=self.month.complete_ratio),
        ]  # fmt: skip
        return Sheet(
            name=words.text("Links"), columns=columns, rows=[list(self._link(one)) for one in self.month.links], notes=notes
        )

    def _link(self, link: MonthLink) -> Iterator[Cell]:
        yield from (link.id, link.name, self.said.kind(link))
        for way in Direction:
            office, always = link.office[way], link.always[way]
            yield from (_mbps(link.limit[way]), _mbps(link.cir[way]), _mbps(link.right_size[way]))
            yield from (self._known(office, office.mean_bps), self._known(office, office.p95_bps))
            yield from (self._known(always, always.mean_bps), self._known(always, always.p95_bps))
            yield from (self._known(always, always.max_bps), always.saturated_ratio, always.octets / _GIGA, always.coverage_ratio)
        enough = link.known_ratio >= self.month.complete_ratio
        yield link.shape.busy_hour if link.always[Direction.DOWN].coverage_ratio >= self.month.complete_ratio else None
        yield None if link.quota_octets is None else link.quota_octets / _GIGA
        yield from (len(link.outages), link.down_seconds / 3600)
        yield 100 * link.availability_ratio if enough and link.availability_ratio is not None else None
        yield from (link.known_ratio, link.used_price)

    def roots(self) -> Sheet:
        words = self.words
        columns = [
            TableColumn(heading=words.text("Root"), width=24),
            TableColumn(heading=words.text("Contracts"), width=24),
            *(self._rate(words.text(heading), self.words.direction(way)) for heading in _ROOT_HEADINGS for way in Direction),
            *(TableColumn(heading=words.text(heading), form="money", width=18) for heading in _MONEY_HEADINGS),
            TableColumn(heading=f"{words.text('Used')} (Mbps)", form="rate"),
            TableColumn(heading=f"{words.text('Idle')} (Mbps)", form="rate"),
            TableColumn(heading=words.text("Complete"), form="ratio"),
        ]
        rows: list[list[Cell]] = []
        for root in self.month.roots:
            enough = root.coverage_ratio >= self.month.complete_ratio
            rates = [_mbps(pair[way]) for pair in (root.capacity, root.p95, root.optimum) for way in Direction]
            rates = [rate if enough or place < len(Direction) else None for place, rate in enumerate(rates)]
            money: list[Cell] = [root.price, root.used_price if enough else None, root.idle_price if enough else None]
            used = [_mbps(root.used_bps), _mbps(root.idle_bps)] if enough else [None, None]
            rows.append([root.name, ", ".join(root.contracts), *rates, *money, *used, root.coverage_ratio])
        return Sheet(name=words.text("Cost"), columns=columns, rows=rows, notes=[self.said.standing])

    def days(self) -> Sheet:
        words = self.words
        columns = [
            TableColumn(heading=words.text("Name"), width=38),
            TableColumn(heading=words.text("Day")),
            self._rate(words.text("Mean"), self.words.direction("down")),
            self._rate(words.text("Highest"), self.words.direction("down")),
        ]
        rows: list[list[Cell]] = [
            [link.name, day.day, _mbps(day.mean_bps), _mbps(day.max_bps)] for link in self.month.links for day in link.shape.days
        ]
        return Sheet(name=words.text("Days"), columns=columns, rows=rows)

    def outages(self) -> Sheet:
        words = self.words
        columns = [
            TableColumn(heading=words.text("Name"), width=38),
            TableColumn(heading=words.text("Began"), form="instant", width=18),
            TableColumn(heading=words.text("Ended"), form="instant", width=18),
            TableColumn(heading=words.text("Hours"), form="rate"),
            TableColumn(heading=words.text("Cause"), width=22),
            TableColumn(heading=words.text("Determined by")),
        ]
        series = [(one.name, one.outages) for one in self.month.links] + [(one.series, one.outages) for one in self.month.uplinks]
        rows: list[list[Cell]] = [
            [name, self._local(one.start), self._local(one.end), (one.end - one.start) / timedelta(hours=1), self.said.cause(one),
             one.judged_by]
            for name, found in series
            for one in found
        ]  # fmt: skip
        return Sheet(name=words.text("Outages"), columns=columns, rows=rows)

    def recommendations(self) -> Sheet:
        words = self.words
        columns = [
            TableColumn(heading="id"),
            TableColumn(heading=words.text("Name"), width=38),
            TableColumn(heading=words.text("Made"), form="instant", width=18),
            TableColumn(heading=words.text("Recommendation"), width=34),
            TableColumn(heading=words.text("Reason"), width=60),
            TableColumn(heading=words.text("What became of it"), width=40),
            TableColumn(heading=words.text("Note"), width=30),
        ]
        rows: list[list[Cell]] = [
            [one.id, link.name, self._local(one.created_at), self.said.advice(one), self.said.reason(one), self.said.became(one),
             one.last_note]
            for link in self.month.links
            for one in link.advice
        ]  # fmt: skip
        return Sheet(name=words.text("Recommendations"), columns=columns, rows=rows)

    def _rate(self, heading: str, direction: str) -> TableColumn:
        return TableColumn(heading=f"{heading}, {direction} (Mbps)", form="rate", width=12)

    def _known(self, use: Use, rate_bps: float | None) -> float | None:
        return _mbps(rate_bps) if use.coverage_ratio >= self.month.complete_ratio else None

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self.words.zone)


def _mbps(rate_bps: float | None) -> float | None:
    return None if rate_bps is None else rate_bps / _MEGA
