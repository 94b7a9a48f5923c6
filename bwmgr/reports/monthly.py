"""The monthly report: a closed month as PDF for the office, and one page for each agency.

Owns what is said of a month and when a figure is known well enough to be said. The figures are `bwmgr.daemon.monthly`'s; the
workbook is `monthly_workbook`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from bwmgr.language import UNKNOWN, Words, mark
from bwmgr.model.decision import Status
from bwmgr.model.inventory import Direction, LinkKind
from bwmgr.model.monthly import Month, MonthAdvice, MonthLink, MonthOutage, MonthRoot, Use
from bwmgr.model.service import Cause
from bwmgr.reports.documents import figures
from bwmgr.reports.documents.rendering import render_pdf
from bwmgr.reports.overview import ACTIONS
from bwmgr.reports.trial_document import Signs

MOST_ON_A_PAGE = 5
"""Outages, and recommendations, on an agency's page; the workbook has all."""
MOST_LISTED = 400
"""Links in the office's PDF; the workbook has all, thousands of access points too."""
_MEGA = 1e6

STATUSES = {
    Status.PROPOSED: mark("waits"),
    Status.APPROVED: mark("approved"),
    Status.REJECTED: mark("rejected"),
    Status.APPLIED: mark("applied"),
    Status.VERIFIED: mark("applied and verified"),
    Status.ROLLED_BACK: mark("taken back"),
    Status.EXPIRED: mark("expired"),
    Status.SUPERSEDED: mark("replaced by a newer one"),
}
KINDS = {
    LinkKind.OPD: mark("OPD"),
    LinkKind.FACILITY: mark("facility"),
    LinkKind.VILLAGE: mark("village"),
    LinkKind.WIFI: mark("public WiFi"),
    LinkKind.EVENT: mark("event"),
}
CAUSES = {
    Cause.POWER: mark("power"),
    Cause.OPD_DEVICE: mark("OPD's device"),
    Cause.LAST_MILE: mark("last mile"),
    Cause.PROVIDER: mark("provider"),
    Cause.PLANNED: mark("planned"),
    Cause.UNDETERMINED: mark("undetermined"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """What the office adds: who signs, where, by whose templates."""

    signers: Sequence[Signs]
    place: str = ""
    templates: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What the letterhead names; as the base template asks for it."""

    name: str


def office_pdf(month: Month, paper: Paper, words: Words) -> bytes:
    """Everything for the office; the same month and paper give the same bytes. Raises: UsageError where a template is wrong."""
    return render_pdf("monthly", _context(month, paper, words), words=words, templates_folder=paper.templates)


def opd_pdf(month: Month, link: MonthLink, paper: Paper, words: Words) -> bytes:
    """One page for the agency of a link, with its facilities. Raises: UsageError where a template is wrong."""
    given = {**_context(month, paper, words), "link": link, **_of_link(month, link, words)}
    return render_pdf("monthly_opd", given, words=words, templates_folder=paper.templates)


def agencies(month: Month) -> list[MonthLink]:
    """The links that get a page."""
    return [link for link in month.links if link.kind is LinkKind.OPD]


def _context(month: Month, paper: Paper, words: Words) -> Mapping[str, Any]:
    return {
        "month": month,
        "organisation": Head(name=month.organisation),
        "paper": paper,
        "said": Said(month, words),
        "period": words.month(_first(month)),
        "day": (month.closed_at or month.end).astimezone(words.zone).date(),
        "Direction": Direction,
        "UNKNOWN": UNKNOWN,
        "most": MOST_ON_A_PAGE,
    }


def _first(month: Month) -> date:
    return date.fromisoformat(f"{month.month}-01")


class Said:
    """Figures of a month in words; what is not known well enough says so with its completeness."""

    def __init__(self, month: Month, words: Words) -> None:
        self.month, self.words = month, words

    @cached_property
    def listed(self) -> list[MonthLink]:
        """The links that the office's PDF lists: agencies first, no more than somebody leafs through."""
        return sorted(self.month.links, key=lambda link: link.kind is not LinkKind.OPD)[:MOST_LISTED]

    def known(self, ratio: float, text: Callable[[], str]) -> str:
        if ratio >= self.month.complete_ratio:
            return text()
        return self.words.text("not enough data ({coverage_ratio} complete)", coverage_ratio=ratio)

    def enough(self, root: MonthRoot) -> bool:
        """Is a root's demand known well enough to be printed?"""
        return not root.problem and root.coverage_ratio >= self.month.complete_ratio

    def rate(self, use: Use, figure: str) -> str:
        """`mean_bps`, `p95_bps` or `max_bps`."""
        return self.known(use.coverage_ratio, lambda: self.words.rate(getattr(use, figure)))

    def short_rate(self, use: Use, figure: str) -> str:
        """As `rate`, for narrow columns: a dash where it is not known; the completeness stands in a column of its own."""
        return self.words.rate(getattr(use, figure)) if use.coverage_ratio >= self.month.complete_ratio else UNKNOWN

    def of_limit(self, link: MonthLink, direction: Direction) -> str:
        """P95 over the limit in force at the end, over the link's own calendar."""
        use, limit = link.office[direction], link.limit[direction]
        if use.coverage_ratio < self.month.complete_ratio or use.p95_bps is None or not limit:
            return UNKNOWN
        return self.words.ratio(use.p95_bps / limit)

    def volume(self, link: MonthLink) -> str:
        """What was counted: a lower bound where time is missing."""
        octets = self.words.octets(link.octets)
        whole = min(use.coverage_ratio for use in link.always.values()) >= self.month.complete_ratio
        return octets if whole else self.words.text("at least {amount}", amount=octets)

    def quota(self, link: MonthLink) -> str:
        if link.quota_octets is None:
            return self.words.text("no quota")
        share = self.words.ratio(link.octets / link.quota_octets)
        return self.words.text("{used} of {quota_octets} ({share})", used=self.volume(link), quota_octets=link.quota_octets,
                               share=share)  # fmt: skip

    def busy_hour(self, link: MonthLink) -> str:
        hour = link.shape.busy_hour
        if hour is None:
            return UNKNOWN
        separator = "." if self.words.language == "id" else ":"
        hours = f"{hour:02}{separator}00–{(hour + 1) % 24:02}{separator}00"
        return self.known(link.always[Direction.DOWN].coverage_ratio, lambda: hours)

    def availability(self, ratio: float | None, known_ratio: float) -> str:
        return self.known(known_ratio, lambda: UNKNOWN if ratio is None else self.percent(ratio))

    def percent(self, ratio: float | None) -> str:
        """Two decimals: a third of an hour in a month is 0,05 %."""
        if ratio is None:
            return UNKNOWN
        return f"{self.words.number(100 * ratio, decimals=2)}{' ' if self.words.language == 'id' else ''}%"

    def cause(self, outage: MonthOutage) -> str:
        cause = self.words.text(CAUSES[outage.cause])
        return cause if outage.judged_by else self.words.text("{cause} (proposed)", cause=cause)

    def kind(self, link: MonthLink) -> str:
        return self.words.text(KINDS[link.kind])

    def advice(self, advice: MonthAdvice) -> str:
        """`raise download: 20 Mbps → 35 Mbps`."""
        action = self.words.text(ACTIONS[advice.action])
        change = f"{self.words.limit(advice.current_bps)} → {self.words.limit(advice.proposed_bps)}"
        return f"{action} {self.words.direction(advice.direction)}" + (
            f": {change}" if advice.current_bps != advice.proposed_bps else ""
        )

    def became(self, advice: MonthAdvice) -> str:
        """`applied and verified, 12 Januari 2026 (budi)`."""
        status = self.words.text(STATUSES[advice.status])
        if advice.last_at is None:
            return status
        return f"{status}, {self.words.date(advice.last_at)} ({advice.last_by})"

    def longest(self, link: MonthLink) -> list[MonthOutage]:
        """The longest outages, oldest first."""
        found = sorted(link.outages, key=lambda one: one.start - one.end)[:MOST_ON_A_PAGE]
        return sorted(found, key=lambda one: one.start)

    def newest(self, link: MonthLink) -> list[MonthAdvice]:
        """The newest recommendation of each direction."""
        return list({advice.direction: advice for advice in link.advice}.values())

    def reason(self, advice: MonthAdvice) -> str:
        return self.words.reason(advice.reason)

    def per_mbps(self, price: int | None, rate_bps: float | None) -> str:
        """Money per Mbit/s of this rate."""
        return self.words.money(price / (rate_bps / _MEGA) if price is not None and rate_bps else None)

    @property
    def standing(self) -> str:
        """What of the figures may still change."""
        month, words = self.month, self.words
        if month.closed_at is None:
            return words.text("PRELIMINARY: the month is not closed; as of {as_of_at}", as_of_at=month.end)
        if month.revision > 1:
            return words.text("Revision {revision}, closed {closed_at} by {by}. Why: {why}", revision=month.revision,
                              closed_at=month.closed_at, by=month.closed_by, why=month.why)  # fmt: skip
        return words.text("Closed {closed_at} by {by}", closed_at=month.closed_at, by=month.closed_by)


def _of_link(month: Month, link: MonthLink, words: Words) -> Mapping[str, Any]:
    return {
        "days_chart": _days_chart(link, words),
        "hours_chart": _hours_chart(link, words),
        "facilities": [one for one in month.links if one.opd == link.id and one.id != link.id],
    }


def _days_chart(link: MonthLink, words: Words) -> str:
    days = link.shape.days
    starts = [datetime.fromisoformat(day.day) for day in days]
    limit = link.limit.down
    return figures.line_figure(
        [
            figures.Line(label=words.text("highest"), heights=[day.max_bps for day in days]),
            figures.Line(label=words.text("mean"), heights=[day.mean_bps for day in days]),
        ],
        at=list(range(len(days))),
        ticks=[(place, str(day.day)) for place, day in enumerate(starts) if place % 2 == 0],
        written=words.rate,
        levels=[figures.Level(label=words.text("limit"), height=limit)] if limit else [],
        size=(7.0, 1.7),
    )


def _hours_chart(link: MonthLink, words: Words) -> str:
    return figures.bar_figure(
        [figures.Bars(label=words.text("mean, Monday to Friday"), heights=link.shape.profile_bps)],
        ticks=[(hour, f"{hour:02}") for hour in range(0, 24, 2)],
        written=words.rate,
        size=(7.0, 1.5),
    )
