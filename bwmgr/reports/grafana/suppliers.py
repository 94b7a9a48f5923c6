"""Providers side by side, on the same measurements: what is promised, what comes, how steadily, at what price."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from bwmgr.reports.grafana import curves, lists
from bwmgr.reports.grafana.board import asked, board, tag_values
from bwmgr.reports.grafana.influxql import STEP, InfluxQuery, chosen, is_, select
from bwmgr.reports.grafana.lists import ListQuery
from bwmgr.reports.grafana.panels import BPS, HALF, LOAD_STEPS, PER_SECOND, RATIO, WIDE, PanelBuilder, bars, lines
from bwmgr.reports.grafana.tables import Column, joined, quotient, rows
from bwmgr.reports.grafana.target import Target

_CHOSEN = chosen("link")
_HOUR = 3600


def suppliers(target: Target) -> Dashboard:
    """The dashboard `providers`, over whole hours: a share of an hour that is not over would look like an outage."""
    words = target.words
    return board(
        target,
        "providers",
        words.text("Providers"),
        words.text("Contracts side by side: promised and measured, availability, steadiness, price of a Mbit/s."),
        [
            ("", [_contracts(target), _use(target)]),
            (words.text("Availability and steadiness"), _steadiness(target)),
        ],
        variables=[asked("link", words.text("Contract"), tag_values("link", measurement="uplink_rate"))],
        since="now-7d/h",
        until="now-1h/h",
        refresh="5m",
    )


def _contracts(target: Target) -> PanelBuilder:
    words = target.words
    fields = 'percentile("rate_bps", 95) AS "p95", max("rate_bps") AS "peak"'
    text = select(fields, "uplink_rate", is_("direction", "down"), _CHOSEN, by=("link",))
    return rows(
        words.text("Contracts (download)"),
        [InfluxQuery(ref="A", text=text, table=True), ListQuery(ref="B", rows=lists.contracts(target.inventory))],
        [
            Column(field="link", title=words.text("Contract")),
            Column(field="provider", title=words.text("Provider")),
            Column(field="promised_bps", title=words.text("Promised"), unit=BPS),
            Column(field="p95", title=words.text("P95"), unit=BPS),
            Column(field="peak", title=words.text("Peak"), unit=BPS),
            Column(field="reached", title=words.text("Peak to promised"), unit=RATIO, colours=LOAD_STEPS, gauge=True),
            Column(field="monthly_price", title=words.text("Price a month"), unit=_money(target)),
            Column(field="price_promised", title=words.text("Price of a Mbit/s promised"), unit=_money(target)),
            Column(field="price_used", title=words.text("Price of a Mbit/s used (P95)"), unit=_money(target)),
            Column(field="sla_ratio", title=words.text("Availability promised"), unit=RATIO),
        ],
        [
            joined("link"),
            quotient("peak", "promised_bps", "reached"),
            quotient("monthly_per_mega", "promised_bps", "price_promised"),
            quotient("monthly_per_mega", "p95", "price_used"),
        ],
        height=5,
        hidden=("monthly_per_mega",),
    )


def _use(target: Target) -> PanelBuilder:
    words = target.words
    return lines(
        words.text("Each contract"),
        list(curves.each(target, "uplink_rate", "link", _CHOSEN, limit=words.text("contract"))),
        width=WIDE,
        height=12,
        below=curves.MIRRORED,
        dashed=curves.DASHED,
        step_seconds=target.poll_seconds,
    )


def _steadiness(target: Target) -> list[PanelBuilder]:
    words = target.words
    down = (is_("direction", "down"), _CHOSEN)
    lost = [
        InfluxQuery(ref=ref, text=select(f'mean("{field}")', "uplink_rate", *down, by=(STEP, "link"), fill="none"), alias=alias)
        for ref, field, alias in (
            ("A", "discards_ps", f"$tag_link {words.text('discards')}"),
            ("B", "errors_ps", f"$tag_link {words.text('errors')}"),
        )
    ]
    swing = select('stddev("rate_bps") / mean("rate_bps")', "uplink_rate", *down, by=("link",))
    return [
        lines(
            words.text("Availability by the hour"),
            [InfluxQuery(ref="A", text=curves.measured_share(*down), alias="$tag_link")],
            unit=RATIO,
            width=HALF,
            step_seconds=_HOUR,
            about=words.text(
                "Time with a measured rate. An outage of our own poller counts too: compare with the data completeness."
            ),
        ).max(1),
        bars(words.text("Swing: standard deviation to mean"), [InfluxQuery(ref="A", text=swing, alias="$tag_link")], unit=RATIO),
        lines(words.text("Discards and errors (download)"), lost, unit=PER_SECOND, width=WIDE, height=8),
    ]


def _money(target: Target) -> str:
    return f"currency:{_SIGNS.get(target.words.currency, target.words.currency)}"


_SIGNS = {"IDR": "Rp"}
