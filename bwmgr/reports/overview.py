"""The overview: one HTML file that shows how the bandwidth was used, and from which figures that follows.

Owns words, order and pictures; the figures are `facts`. The file needs nothing else: style and pictures are inside, no script.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, time
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bwmgr.language import UNKNOWN, Words, mark
from bwmgr.measure.windows import SATURATED_RATIO
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action
from bwmgr.model.inventory import Calendar, Direction
from bwmgr.reports import charts, facts
from bwmgr.reports.facts import Facts, LinkFacts

TOP_LINKS = 10
PROFILES_UP_TO_LINKS = 1000
"""Beyond that the table of all links comes without daily profiles, so that a browser still opens it."""

ACTIONS = {
    Action.RAISE: mark("raise"),
    Action.LOWER: mark("lower"),
    Action.HOLD: mark("hold"),
    Action.RESERVE: mark("reserve"),
    Action.RESTORE: mark("restore"),
    Action.FIX: mark("fix"),
    Action.BUY: mark("buy"),
    Action.SELL: mark("sell"),
}
_DAYS = (mark("Mon"), mark("Tue"), mark("Wed"), mark("Thu"), mark("Fri"), mark("Sat"), mark("Sun"))


def overview(found: Facts, words: Words) -> str:
    """The page, complete, in the language and zone of `words`."""
    environment = Environment(
        loader=PackageLoader("bwmgr.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = _Page(found, words)
    return environment.get_template("overview.html.j2").render(page=page, facts=found, words=words, Direction=Direction)


class _Page:
    """What the template asks for: figures that already are words, and pictures."""

    def __init__(self, found: Facts, words: Words) -> None:
        self.facts, self.words = found, words
        self.saturated_from_ratio = SATURATED_RATIO
        self.thresholds = {
            "saturated_ratio": facts.SATURATED_TIME_RATIO,
            "idle_ratio": facts.IDLE_LIMIT_RATIO,
            "silent_seconds": facts.SILENT_SECONDS,
            "down_ratio": facts.DOWN_TIME_RATIO,
            "flaps": facts.FLAPS,
            "errors": facts.ERRORS_PS,
        }

    @property
    def with_profiles(self) -> bool:
        return len(self.facts.links) <= PROFILES_UP_TO_LINKS

    @cached_property
    def groups(self) -> Sequence[tuple[str, Sequence[tuple[LinkFacts, str]]]]:
        """Links that want attention, each with the figure that says why; empty groups are left out."""
        words, polled = self.words, self.facts.polled
        groups = (
            (words.text("Saturated"), [(link, self._saturated(link)) for link in polled if link.saturated]),
            (words.text("Silent"), [(link, self._silent(link)) for link in polled if link.silent]),
            (words.text("Unreliable"), [(link, self._unreliable(link)) for link in polled if link.unreliable]),
            (words.text("Idle"), [(link, self._idle(link)) for link in polled if link.idle]),
        )
        return [(title, links) for title, links in groups if links]

    @property
    def total_chart(self) -> Markup:
        """The links' sum by hour, against what the contracts promise."""
        down, up = (_or_none(self.facts.hourly_bps[row]) for row in (0, 1))
        contract = self.facts.contracted_bps(Direction.DOWN)
        highest = max([height for height in (*down, *up) if height is not None] + [contract or 0])
        words = self.words
        return charts.line_chart(
            [charts.Series(style="down", heights=down, filled=True), charts.Series(style="up", heights=up)],
            x=charts.Axis(ticks=self._day_ticks()),
            y=self._rate_axis(highest),
            levels=[("contract", contract)] if contract else [],
            title=words.text("Total by hour"),
            description=words.text(
                "Mean download and upload of all links in each hour from {start_at} to {end_at}.",
                start_at=self.facts.start,
                end_at=self.facts.end,
            ),
        )

    @property
    def hour_chart(self) -> Markup:
        """Mean download by hour of the day."""
        heights = _or_none(self.facts.profile_bps)
        words = self.words
        return charts.bar_chart(
            heights,
            x=charts.Axis(ticks=[(hour + 0.5, f"{hour:02}") for hour in range(0, 24, 2)]),
            y=self._rate_axis(max((height for height in heights if height is not None), default=0)),
            marked=self.facts.busy_hour,
            title=words.text("Busy hour"),
            description=words.text("Mean download of all links in each hour of the day, Monday to Friday."),
        )

    @property
    def class_chart(self) -> Markup:
        """Domestic and international download by hour."""
        flows, words = self.facts.flows, self.words
        assert flows is not None
        domestic, international = (_or_none(row) for row in flows.classes)
        zone = ZoneInfo(self.zone)
        local = [datetime.fromtimestamp(hour_ms / 1000, zone) for hour_ms in flows.hours_ms.tolist()]
        step = max(math.ceil(len(local) / 9), 1)
        return charts.line_chart(
            [charts.Series(style="down", heights=domestic, filled=True), charts.Series(style="up", heights=international)],
            x=charts.Axis(ticks=[(position, f"{moment:%H}.00") for position, moment in enumerate(local)][::step]),
            y=self._rate_axis(max(height for height in (*domestic, *international, 0) if height is not None)),
            title=words.text("Domestic and international"),
            description=words.text(
                "Mean download of all links in each hour from {start_at} to {end_at}, by where the other end is.",
                start_at=flows.start,
                end_at=flows.end,
            ),
        )

    @property
    def busy_hours(self) -> str:
        """`09.00-10.00`, or a dash where nothing is known."""
        hour = self.facts.busy_hour
        separator = "." if self.words.language == "id" else ":"
        return UNKNOWN if hour is None else f"{hour:02}{separator}00–{(hour + 1) % 24:02}{separator}00"

    @property
    def busy_hour_bps(self) -> float | None:
        hour = self.facts.busy_hour
        return None if hour is None else float(self.facts.profile_bps[hour])

    def profile(self, link: LinkFacts) -> Markup:
        heights = _or_none(link.profile_bps)
        description = self.words.text("Daily profile of {link_name}", link_name=link.link.name)
        return charts.sparkline(heights, description=description) if any(heights) else Markup("")

    def meter(self, ratio: float | None) -> Markup:
        return charts.meter(ratio)

    def share(self, part: float | None, whole: float | None) -> str:
        """`part` of `whole` as a percentage."""
        return self.words.ratio(part / whole if part is not None and whole else None)

    def difference(self, direction: Direction) -> str:
        """How far the uplinks' octets are from the links', as a share of the links'."""
        links = self.facts.total[direction].octets
        uplinks = sum(uplink.usage[direction].octets for uplink in self.facts.uplinks)
        return self.words.ratio((uplinks - links) / links if links else None)

    def action(self, action: Action) -> str:
        return self.words.text(ACTIONS[action])

    def change(self, current: Bandwidth, proposed: Bandwidth) -> str:
        if current == proposed:
            return self.words.limit(current.mir_bps)
        return f"{self.words.limit(current.mir_bps)} → {self.words.limit(proposed.mir_bps)}"

    def name(self, link: str) -> str:
        """A link's or node's name, its id where it is neither."""
        inventory = self.facts.inventory
        known = inventory.links.get(link) or inventory.nodes.get(link)
        return known.name if known is not None else link

    @property
    def calendars(self) -> Sequence[tuple[str, str, str]]:
        """(name, hours, holidays) of each calendar that a link follows."""
        used = {link.link.calendar for link in self.facts.links}
        found = [calendar for name, calendar in self.facts.inventory.calendars.items() if name in used]
        return [(calendar.id, self._hours(calendar), calendar.holidays or UNKNOWN) for calendar in found]

    @property
    def gaps(self) -> Sequence[tuple[str, int]]:
        return [(self.words.gap(reason), count) for reason, count in self.facts.gaps.most_common()]

    @property
    def zone(self) -> str:
        return self.facts.inventory.organisation.timezone

    def machine_time(self, instant: datetime) -> str:
        """RFC 3339, UTC: for a command that can be pasted."""
        return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def _hours(self, calendar: Calendar) -> str:
        if calendar.weekly is None:
            return self.words.text("always")
        days_of: dict[str, list[str]] = {}
        for day, hours in zip(_DAYS, calendar.weekly, strict=True):
            if hours:
                days_of.setdefault(_spans(hours), []).append(self.words.text(day))
        return "; ".join(f"{', '.join(days)} {hours}" for hours, days in days_of.items())

    def _saturated(self, link: LinkFacts) -> str:
        ratios = {direction: link.usage[direction].saturated_ratio or 0.0 for direction in Direction}
        direction = max(ratios, key=lambda one: ratios[one])
        return self.words.text(
            "{direction} at {full_ratio} of the limit or more for {saturated_ratio} of the time",
            direction=str(direction),
            full_ratio=SATURATED_RATIO,
            saturated_ratio=ratios[direction],
        )

    def _idle(self, link: LinkFacts) -> str:
        return self.words.text("P95 is {highest_ratio} of the limit", highest_ratio=link.worst_utilisation)

    def _silent(self, link: LinkFacts) -> str:
        if link.last_rate_at is None:
            return self.words.text("no rate in the whole window")
        return self.words.text("last rate at {last_at}", last_at=link.last_rate_at)

    def _unreliable(self, link: LinkFacts) -> str:
        words, health = self.words, link.health
        flaps = {"flaps": health.flaps, "watched_seconds": (self.facts.end - self.facts.start).total_seconds()}
        said = [
            (health.flaps >= facts.FLAPS, words.text("went down {flaps} times in {watched_seconds}", **flaps)),
            (health.down_ratio >= facts.DOWN_TIME_RATIO, words.text("down for {down_ratio}", down_ratio=health.down_ratio)),
            (health.errors_ps >= facts.ERRORS_PS, words.text("{errors} errors per second", errors=health.errors_ps)),
            (health.counter32_ratio > 0, words.text("32-bit counters")),
            (health.stuck_ratio >= facts.DOWN_TIME_RATIO, words.text("counters stand still")),
        ]
        return ", ".join(text for holds, text in said if holds)

    def _rate_axis(self, highest: float) -> charts.Axis:
        return charts.Axis(ticks=[(height, self.words.rate(height)) for height in charts.round_ticks(highest)])

    def _day_ticks(self) -> Sequence[tuple[float, str]]:
        """Local midnights, as many as have room."""
        zone = ZoneInfo(self.zone)
        local = [datetime.fromtimestamp(hour_ms / 1000, zone) for hour_ms in self.facts.hours_ms.tolist()]
        midnights = [(position, moment) for position, moment in enumerate(local) if moment.hour == 0]
        step = max(math.ceil(len(midnights) / 9), 1)
        if not midnights:
            return [(position, f"{moment:%H}") for position, moment in enumerate(local)][:: max(len(local) // 8, 1)]
        return [(float(position), f"{moment.day}/{moment.month}") for position, moment in midnights[::step]]


def _or_none(heights: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    return [None if math.isnan(height) else height for height in heights.tolist()]


def _spans(spans: Sequence[tuple[time, time | None]]) -> str:
    return ", ".join(f"{opens:%H:%M}–{f'{closes:%H:%M}' if closes else '24:00'}" for opens, closes in spans)
