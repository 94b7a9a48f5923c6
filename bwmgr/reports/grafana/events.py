"""Events: what was promised for each, what its links may use, what is measured.

Dated reservations are few, so each has its own row of panels, made from the configuration: install again after a change.
"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from bwmgr.model.inventory import Event
from bwmgr.reports.grafana import curves, lists
from bwmgr.reports.grafana.board import board
from bwmgr.reports.grafana.influxql import InfluxQuery, alternatives, is_, select
from bwmgr.reports.grafana.lists import ListQuery
from bwmgr.reports.grafana.panels import BPS, HALF, WIDE, PanelBuilder, lines
from bwmgr.reports.grafana.tables import Column, rows
from bwmgr.reports.grafana.target import Target

_OF_EVENTS = is_("kind", "event")


def events(target: Target) -> Dashboard:
    """The dashboard `events`."""
    words = target.words
    dated = target.inventory.events.values()
    return board(
        target,
        "events",
        words.text("Events"),
        words.text("Dated reservations: promised, reserved and measured."),
        [
            ("", [_calendar(target)] if dated else []),
            *((event.id, _of_event(target, event)) for event in dated),
            (words.text("All links of the kind event"), [_all(target)]),
        ],
        since="now-7d",
    )


def _calendar(target: Target) -> PanelBuilder:
    words = target.words
    return rows(
        words.text("Reservations"),
        [ListQuery(ref="A", rows=lists.events(target.inventory, words))],
        [
            Column(field="event", title=words.text("Event")),
            Column(field="links", title=words.text("Links")),
            Column(field="start", title=words.text("From")),
            Column(field="end", title=words.text("Until")),
            Column(field="promised_down_bps", title=words.text("Promised, download"), unit=BPS),
            Column(field="promised_up_bps", title=words.text("Promised, upload"), unit=BPS),
        ],
        [],
        height=5,
    )


def _of_event(target: Target, event: Event) -> list[PanelBuilder]:
    words = target.words
    chosen = f'"link" =~ /^({alternatives(event.links)})$/'
    by_way = {"down": event.down_bps, "up": event.up_bps}
    return [
        lines(
            words.text("{event}: measured against promised ({way})", event=event.id, way=words.direction(direction)),
            [
                InfluxQuery(
                    ref="A",
                    text=curves.summed("rate_bps", "link_rate", is_("direction", direction), chosen),
                    alias=words.text("measured"),
                ),
                InfluxQuery(
                    ref="B",
                    text=curves.summed("limit_bps", "link_rate", is_("direction", direction), chosen),
                    alias=words.text("reserved (limits in force)"),
                ),
            ],
            width=HALF,
            dashed=("B",),
            line_at=promised,
            step_seconds=target.poll_seconds,
            about=words.text("The red line is what was promised."),
        )
        for direction, promised in by_way.items()
    ]


def _all(target: Target) -> PanelBuilder:
    words = target.words
    text = select(
        'max("rate_bps") AS "peak", percentile("rate_bps", 95) AS "p95", last("limit_bps") AS "limit"',
        "link_rate",
        _OF_EVENTS,
        is_("direction", "down"),
        by=("link",),
    )
    return rows(
        words.text("Links of events (download)"),
        [InfluxQuery(ref="A", text=text, table=True)],
        [
            Column(field="link", title=words.text("Link")),
            Column(field="limit", title=words.text("Limit"), unit=BPS),
            Column(field="p95", title=words.text("P95"), unit=BPS),
            Column(field="peak", title=words.text("Peak"), unit=BPS),
        ],
        [],
        width=WIDE,
        height=6,
    )
