"""The public WiFi pool: what all access points use together, and how evenly."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from bwmgr.measure.windows import SATURATED_RATIO
from bwmgr.reports.grafana import curves, lists
from bwmgr.reports.grafana.board import board, link_variables, narrowed, page_url
from bwmgr.reports.grafana.influxql import STEP, InfluxQuery, is_, select
from bwmgr.reports.grafana.lists import ListQuery
from bwmgr.reports.grafana.panels import BPS, COUNT, GOOD_STEPS, HALF, LOAD_STEPS, RATIO, WIDE, PanelBuilder, figure, lines
from bwmgr.reports.grafana.tables import Column, joined, largest, rows
from bwmgr.reports.grafana.target import Target

_CHOSEN = (is_("kind", "wifi"), *narrowed())
_MOST = 30
_FLOW_STEP_SECONDS = 300


def wifi(target: Target) -> Dashboard:
    """The dashboard `wifi`."""
    words = target.words
    return board(
        target,
        "wifi",
        words.text("Public WiFi pool"),
        words.text("All access points together against what they may use, how evenly it is shared, and each of them."),
        [
            ("", [*_figures(target), _pool(target), _evenness(target)]),
            (words.text("Access points"), [_points(target), _each(target)]),
        ],
        variables=link_variables(target, kind="wifi"),
    )


def _figures(target: Target) -> list[PanelBuilder]:
    words = target.words
    down = (is_("direction", "down"), *_CHOSEN)
    one = select('last("rate_bps") AS "rate", last("utilisation") AS "load"', "link_rate", *down, by=("link",))
    lately = f"{5 * target.poll_seconds}s"
    return [
        figure(
            words.text("Pool, download"),
            InfluxQuery(ref="A", text=curves.summed("rate_bps", "link_rate", *down)),
            unit=BPS,
            width=8,
        ),
        figure(words.text("Access points with a rate"), _of(select('count("rate")', f"({one})")), unit=COUNT, width=8)
        .time_from(lately)
        .no_value("0"),
        figure(
            words.text("Access points at their limit"),
            _of(select('count("load")', f"({one})", f'"load" >= {SATURATED_RATIO}')),
            unit=COUNT,
            width=8,
        )
        .time_from(lately)
        .no_value("0"),
    ]


def _pool(target: Target) -> PanelBuilder:
    words = target.words
    return lines(
        words.text("The pool"),
        list(curves.total(target, "link_rate", words.text("limits"), *_CHOSEN)),
        width=HALF,
        height=10,
        below=curves.MIRRORED,
        dashed=curves.DASHED,
        step_seconds=target.poll_seconds,
    )


def _evenness(target: Target) -> PanelBuilder:
    words = target.words
    means = select('mean("rate_bps") AS "rate"', "link_rate", is_("direction", "down"), *_CHOSEN, by=(STEP, "link"))
    squares = f'SELECT "rate" AS "one", "rate" * "rate" AS "square" FROM ({means})'  # noqa: S608  names are ours
    jain = select('sum("one") * sum("one") / (count("one") * sum("square"))', f"({squares})", by=(STEP,), fill="none")
    panel = lines(
        words.text("Evenness"),
        [InfluxQuery(ref="A", text=jain, alias=words.text("Jain's index"))],
        unit=RATIO,
        width=HALF,
        height=10,
        step_seconds=_FLOW_STEP_SECONDS,
        about=words.text(
            "Jain's fairness index of the access points' rates: 100 % where all use the same, 1/n where one has it all."
        ),
    )
    return panel.min(0).max(1)


def _points(target: Target) -> PanelBuilder:
    words = target.words
    fields = 'mean("rate_bps") AS "mean", percentile("rate_bps", 95) AS "p95", percentile("utilisation", 95) AS "load"'
    text = select(fields, "link_rate", is_("direction", "down"), *_CHOSEN, by=("link",))
    answered = select(
        'count("oper_up") / count("reason") AS "complete"',
        "link_state",
        *narrowed(),
        by=("link",),
    )
    return rows(
        words.text("Access points (download)"),
        [
            InfluxQuery(ref="A", text=text, table=True),
            InfluxQuery(ref="B", text=answered, table=True),
            ListQuery(ref="C", rows=lists.names(target.inventory)),
        ],
        [
            Column(field="link", title=words.text("Access point"), url=page_url(target, "opd", "link")),
            Column(field="name", title=words.text("Name")),
            Column(field="kecamatan", title=words.text("Kecamatan")),
            Column(field="mean", title=words.text("Mean"), unit=BPS),
            Column(field="p95", title=words.text("P95"), unit=BPS),
            Column(field="load", title=words.text("Load, P95"), unit=RATIO, colours=LOAD_STEPS, gauge=True),
            Column(field="complete", title=words.text("Data completeness"), unit=RATIO, colours=GOOD_STEPS),
        ],
        [joined("link"), *largest("p95", _MOST)],
        width=WIDE,
        height=12,
    )


def _each(target: Target) -> PanelBuilder:
    return lines(
        target.words.text("Each access point"),
        list(curves.each(target, "link_rate", "link", *_CHOSEN)),
        width=WIDE,
        height=12,
        below=curves.MIRRORED,
        step_seconds=target.poll_seconds,
    )


def _of(text: str) -> InfluxQuery:
    return InfluxQuery(ref="A", text=text)
