"""The wall of the NOC: is all well, and if not, where to look first."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from bwmgr.measure.windows import SATURATED_RATIO
from bwmgr.reports.grafana import curves, lists
from bwmgr.reports.grafana.board import board, link_filter, link_variables, narrowed, page_url
from bwmgr.reports.grafana.influxql import STEP, InfluxQuery, is_, select
from bwmgr.reports.grafana.lists import ListQuery
from bwmgr.reports.grafana.panels import (
    BPS,
    COUNT,
    GOOD_STEPS,
    HALF,
    LOAD_STEPS,
    NONE_IS_GOOD,
    RATIO,
    THIRD,
    PanelBuilder,
    figure,
    lines,
)
from bwmgr.reports.grafana.recommendations import open_table
from bwmgr.reports.grafana.tables import Column, joined, largest, place_map, rows
from bwmgr.reports.grafana.target import Target

_WORST = 15
_FLOW_STEP_SECONDS = 300
_LATELY = "15m"
_CYCLES = 5
"""Intervals in which a healthy link has a newest rate."""


def noc(target: Target) -> Dashboard:
    """The dashboard `noc`."""
    words = target.words
    return board(
        target,
        "noc",
        words.text("NOC wall"),
        words.text("What comes in against what is contracted, which links are full or silent, what waits for a decision."),
        [
            ("", _figures(target)),
            (words.text("Contracts"), _contracts(target)),
            (words.text("Links"), [_worst(target), _silent(target)]),
            (words.text("Recommendations"), [open_table(target, *narrowed())]),
            *([(words.text("Map"), [_map(target)])] if lists.places(target.inventory) else []),
        ],
        variables=link_variables(target),
    )


def _figures(target: Target) -> list[PanelBuilder]:
    words = target.words
    down = is_("direction", "down")
    uplinks = select('mean("rate_bps") AS "rate", mean("limit_bps") AS "limit"', "uplink_rate", down, by=(STEP, "link"))
    used = select('sum("rate") / sum("limit")', f"({uplinks})", by=(STEP,), fill="none")
    newest = select('last("utilisation") AS "load"', "link_rate", down, *link_filter(), by=("link",))
    full = select('count("load")', f"({newest})", f'"load" >= {SATURATED_RATIO}')
    seen = select('count("load")', f"({newest})")
    lately = f"{_CYCLES * target.poll_seconds}s"
    return [
        figure(words.text("Total download"), _of(curves.summed("rate_bps", "uplink_rate", down)), unit=BPS),
        figure(words.text("Total upload"), _of(curves.summed("rate_bps", "uplink_rate", is_("direction", "up"))), unit=BPS),
        figure(words.text("Of the contracts in use"), _of(used), unit=RATIO, steps_=LOAD_STEPS, decimals=1),
        figure(words.text("Links at their limit"), _of(full), unit=COUNT, steps_=NONE_IS_GOOD).time_from(lately).no_value("0"),
        figure(words.text("Links with a rate"), _of(seen), unit=COUNT).time_from(lately).no_value("0"),
        figure(
            words.text("Data completeness"),
            _of(curves.completeness(*narrowed())),
            unit=RATIO,
            steps_=GOOD_STEPS,
            last=False,
            decimals=2,
            about=words.text("Readings that gave a rate, of all that were due, over the time shown."),
        ),
    ]


def _contracts(target: Target) -> list[PanelBuilder]:
    words = target.words
    classes = {"domestic": words.text("domestic"), "international": words.text("international")}
    by_class = [
        InfluxQuery(ref=ref, text=curves.flows_bps("direction", is_("traffic_class", name), is_("direction", "down")), alias=said)
        for ref, (name, said) in zip("AB", classes.items(), strict=True)
    ]
    return [
        lines(
            words.text("Total against contract"),
            list(curves.total(target, "uplink_rate", words.text("contract"))),
            width=16,
            below=curves.MIRRORED,
            dashed=curves.DASHED,
            step_seconds=target.poll_seconds,
            about=words.text("Download above, upload below. P95 in the legend is that of the points drawn, not of the readings."),
        ),
        lines(
            words.text("Domestic and international (download)"),
            by_class,
            width=THIRD,
            stacked=True,
            step_seconds=_FLOW_STEP_SECONDS,
            about=words.text(
                "From flows, which count less than the interface does: 5 to 15 % apart is normal. "
                "The last step is not complete yet."
            ),
        ),
    ]


def _worst(target: Target) -> PanelBuilder:
    words = target.words
    fields = 'percentile("utilisation", 95) AS "p95", mean("utilisation") AS "mean", last("rate_bps") AS "rate"'
    text = select(f'{fields}, last("limit_bps") AS "limit"', "link_rate", is_("direction", "down"), *link_filter(), by=("link",))
    return rows(
        words.text("Fullest links (download)"),
        [InfluxQuery(ref="A", text=text, table=True), ListQuery(ref="B", rows=lists.names(target.inventory))],
        [
            Column(field="link", title=words.text("Link"), url=page_url(target, "opd", "link")),
            Column(field="name", title=words.text("Name")),
            Column(field="kecamatan", title=words.text("Kecamatan")),
            Column(field="p95", title=words.text("Load, P95"), unit=RATIO, colours=LOAD_STEPS, gauge=True),
            Column(field="mean", title=words.text("Load, mean"), unit=RATIO),
            Column(field="rate", title=words.text("Last rate"), unit=BPS),
            Column(field="limit", title=words.text("Limit"), unit=BPS),
        ],
        [joined("link"), *largest("p95", _WORST)],
        width=HALF + 3,
        height=12,
    )


def _silent(target: Target) -> PanelBuilder:
    words = target.words
    text = select(
        'count("reason_code") AS "gaps", last("reason") AS "why"',
        "link_gap",
        is_("direction", "down"),
        *narrowed(),
        by=("link",),
    )
    return rows(
        words.text("Silent links, last 15 minutes"),
        [InfluxQuery(ref="A", text=text, table=True), ListQuery(ref="B", rows=lists.names(target.inventory))],
        [
            Column(field="link", title=words.text("Link"), url=page_url(target, "opd", "link")),
            Column(field="name", title=words.text("Name")),
            Column(field="gaps", title=words.text("Readings missed"), unit=COUNT),
            Column(field="why", title=words.text("Reason")),
        ],
        [joined("link"), *largest("gaps", _WORST)],
        width=HALF - 3,
        height=12,
        hidden=("kecamatan",),
        last=_LATELY,
    )


def _map(target: Target) -> PanelBuilder:
    words = target.words
    text = select(
        'mean("utilisation") AS "load", last("rate_bps") AS "rate"',
        "link_rate",
        is_("direction", "down"),
        *link_filter(),
        by=("link",),
    )
    measured, places = InfluxQuery(ref="A", text=text, table=True), ListQuery(ref="B", rows=lists.places(target.inventory))
    return place_map(words.text("Links by place, coloured by load"), [measured, places], "link", "load", width=24, height=14)


def _of(text: str) -> InfluxQuery:
    return InfluxQuery(ref="A", text=text)
