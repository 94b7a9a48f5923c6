"""The health of poller and collector: is what the other dashboards show complete, and did it come in time."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.models.dashboard import Dashboard

from bwmgr.model.samples import GapReason
from bwmgr.reports.grafana import curves
from bwmgr.reports.grafana.board import asked, board, tag_values
from bwmgr.reports.grafana.influxql import STEP, InfluxQuery, chosen, is_, select
from bwmgr.reports.grafana.panels import (
    BPS,
    COUNT,
    GOOD_STEPS,
    HALF,
    MILLISECONDS,
    PER_SECOND,
    RATIO,
    SECONDS,
    THIRD,
    WIDE,
    PanelBuilder,
    figure,
    lines,
)
from bwmgr.reports.grafana.tables import Column, largest, rows
from bwmgr.reports.grafana.target import Target

_DEVICE = chosen("device")
_MOST = 20
_SHOWN = (
    GapReason.TIMEOUT,
    GapReason.LATE,
    GapReason.REBOOT,
    GapReason.IMPLAUSIBLE,
    GapReason.UNRESOLVED,
    GapReason.AUTHENTICATION,
    GapReason.SUSPENDED,
)
"""Reasons that tell of trouble; the others come with a first reading or a setting."""


def health(target: Target) -> Dashboard:
    """The dashboard `health`."""
    words = target.words
    return board(
        target,
        "health",
        words.text("Poller and collector"),
        words.text("Whether the figures are complete, why some are missing, and how fast routers answer."),
        [
            ("", [*_figures(target), _gaps(target)]),
            (words.text("Poller"), _poller(target)),
            (words.text("Nodes"), _nodes(target)),
            (words.text("Collectors"), _collectors(target)),
            (words.text("Devices"), [_slowest(target), _answers(target)]),
        ],
        variables=[asked("device", words.text("Device"), tag_values("device", measurement="link_state"))],
    )


def _figures(target: Target) -> list[PanelBuilder]:
    words = target.words
    step = select('mean("interval_s")', "link_rate", is_("direction", "down"), _DEVICE, by=(STEP,), fill="none")
    partial = select('count("quality")', "link_rate", "\"quality\" = 'partial'", _DEVICE, is_("direction", "down"))
    return [
        figure(
            words.text("Data completeness"),
            InfluxQuery(ref="A", text=curves.completeness(_DEVICE)),
            unit=RATIO,
            steps_=GOOD_STEPS,
            width=8,
            last=False,
            decimals=2,
        ),
        figure(words.text("Seconds between readings"), InfluxQuery(ref="A", text=step), unit=SECONDS, width=8),
        figure(words.text("Doubtful readings"), InfluxQuery(ref="A", text=partial), unit=COUNT, width=8).no_value("0"),
    ]


def _gaps(target: Target) -> PanelBuilder:
    words = target.words
    queries = [
        InfluxQuery(
            ref=chr(ord("A") + place),
            text=select(
                'count("reason_code")',
                "link_gap",
                is_("direction", "down"),
                f"\"reason\" = '{reason.name.lower()}'",
                by=(STEP,),
                fill="none",
            ),
            alias=words.gap(reason),
        )
        for place, reason in enumerate(_SHOWN)
    ]
    return lines(
        words.text("Readings that gave no rate, by reason"), queries, unit=COUNT, width=WIDE, stacked=True, step_seconds=300
    )


def _poller(target: Target) -> list[PanelBuilder]:
    words = target.words
    parts = {"duration_s": words.text("cycle"), "worked_s": words.text("work in it"), "write_s": words.text("writing")}
    answered = {"devices": words.text("devices"), "answered": words.text("answered"), "gaps": words.text("gaps")}
    waiting = {
        "unwritten_batches": words.text("in the poller's memory"),
        "lost_batches": words.text("given up by the poller"),
        "spool_segments": words.text("on the disk"),
        "spool_dropped": words.text("given up on the disk"),
    }
    cycle = lines(
        words.text("Time a cycle takes"),
        _fields("poller", "max", parts),
        unit=SECONDS,
        width=THIRD,
        line_at=float(target.poll_seconds),
        about=words.text("The red line is the interval: a cycle that is longer makes the next one late."),
    )
    return [
        cycle,
        lines(words.text("Devices and gaps"), _fields("poller", "last", answered), unit=COUNT, width=THIRD),
        lines(
            words.text("What waits for the store"),
            _fields("poller", "max", waiting),
            unit=COUNT,
            width=THIRD,
            about=words.text("Batches. What waits while the server is away is seen here once it is back: ask bwmgr doctor."),
        ),
    ]  # fmt: skip


def _nodes(target: Target) -> list[PanelBuilder]:
    """A node's sum is only as good as the share of its links that have a rate."""
    words = target.words
    share = select('sum("links_measured") / sum("links")', "node_usage", is_("direction", "down"), by=(STEP, "node"), fill="none")
    fields = 'last("links_measured") AS "measured", last("links") AS "links", last("rate_bps") AS "rate"'
    newest = select(fields, "node_usage", is_("direction", "down"), by=("node",))
    return [
        lines(
            words.text("Links with a rate, by node"), [InfluxQuery(ref="A", text=share, alias="$tag_node")], unit=RATIO, height=10
        ),
        rows(
            words.text("Nodes, newest reading"),
            [InfluxQuery(ref="A", text=newest, table=True)],
            [
                Column(field="node", title=words.text("Node")),
                Column(field="measured", title=words.text("Links with a rate"), unit=COUNT),
                Column(field="links", title=words.text("Links"), unit=COUNT),
                Column(field="rate", title=words.text("Sum of rates (download)"), unit=BPS),
            ],
            [],
            width=HALF,
            height=10,
            sort="rate",
        ),
    ]


def _collectors(target: Target) -> list[PanelBuilder]:
    words = target.words
    snmp = {"requests": words.text("requests"), "replies": words.text("replies"), "dropped": words.text("dropped")}
    flows = {"datagrams": words.text("datagrams"), "lost": words.text("lost")}
    per_second = [
        InfluxQuery(
            ref=ref,
            text=select(
                f'non_negative_derivative(last("{field}"), 1s)', "collector", is_("job", "flows"), by=(STEP,), fill="none"
            ),
            alias=said,
        )
        for ref, (field, said) in zip("AB", flows.items(), strict=True)
    ]
    return [
        lines(words.text("SNMP, of each cycle"), _fields("collector", "mean", snmp, is_("job", "snmp")), unit=COUNT),
        lines(words.text("Flow datagrams a second"), per_second, unit=PER_SECOND, step_seconds=300),
    ]


def _fields(measurement: str, how: str, fields: Mapping[str, str], *conditions: str) -> list[InfluxQuery]:
    """A query for each field, named as `fields` says."""
    return [
        InfluxQuery(
            ref=chr(ord("A") + place),
            text=select(f'{how}("{field}")', measurement, *conditions, by=(STEP,), fill="none"),
            alias=said,
        )
        for place, (field, said) in enumerate(fields.items())
    ]


def _slowest(target: Target) -> PanelBuilder:
    words = target.words
    fields = 'count("oper_up") / count("reason") AS "complete", percentile("rtt_ms", 95) AS "p95", max("rtt_ms") AS "most"'
    return rows(
        words.text("Slowest devices"),
        [InfluxQuery(ref="A", text=select(fields, "link_state", _DEVICE, by=("device",)), table=True)],
        [
            Column(field="device", title=words.text("Device")),
            Column(field="complete", title=words.text("Data completeness"), unit=RATIO, colours=GOOD_STEPS),
            Column(field="p95", title=words.text("Time to answer, P95"), unit=MILLISECONDS),
            Column(field="most", title=words.text("Longest"), unit=MILLISECONDS),
        ],
        largest("p95", _MOST),
        width=HALF,
        height=10,
    )


def _answers(target: Target) -> PanelBuilder:
    words = target.words
    fields = (("A", 'percentile("rtt_ms", 50)', words.text("half of the devices")), ("B", 'percentile("rtt_ms", 95)', "P95"))
    queries = [
        InfluxQuery(ref=ref, text=select(field, "link_state", _DEVICE, by=(STEP,), fill="none"), alias=said)
        for ref, field, said in fields
    ]
    return lines(words.text("Time to answer"), queries, unit=MILLISECONDS, height=10)
