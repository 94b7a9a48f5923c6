"""The capacity tree: what each node carries, and where it binds."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from bwmgr.measure.windows import SATURATED_RATIO
from bwmgr.reports.grafana import curves, lists
from bwmgr.reports.grafana.board import asked, board, page_url, tag_values
from bwmgr.reports.grafana.influxql import STEP, InfluxQuery, chosen, is_, select
from bwmgr.reports.grafana.lists import ListQuery
from bwmgr.reports.grafana.panels import BPS, COUNT, HALF, LOAD_STEPS, RATIO, WIDE, PanelBuilder, lines
from bwmgr.reports.grafana.tables import Column, joined, largest, rows
from bwmgr.reports.grafana.target import Target

_NODE = chosen("node")
_MOST = 20


def tree(target: Target) -> Dashboard:
    """The dashboard `tree`."""
    words = target.words
    return board(
        target,
        "tree",
        words.text("Capacity tree"),
        words.text("What hangs on each node of the tree against its capacity, and which links are held by their limits there."),
        [
            ("", [_nodes(target)]),
            (words.text("Over time"), _curves(target)),
            (words.text("Held by their limit"), [_held(target)]),
        ],
        variables=[asked("node", words.text("Node"), tag_values("node", measurement="node_usage"))],
    )


def _nodes(target: Target) -> PanelBuilder:
    words = target.words
    fields = 'percentile("rate_bps", 95) AS "p95", max("rate_bps") AS "peak", max("utilisation") AS "load"'
    fields += ', last("capacity_bps") AS "capacity", last("links") AS "links", last("links_measured") AS "measured"'
    text = select(fields, "node_usage", is_("direction", "down"), _NODE, by=("node",))
    return rows(
        words.text("Nodes (download)"),
        [InfluxQuery(ref="A", text=text, table=True), ListQuery(ref="B", rows=lists.nodes(target.inventory))],
        [
            Column(field="node", title=words.text("Node")),
            Column(field="name", title=words.text("Name")),
            Column(field="parent", title=words.text("Below")),
            Column(field="links", title=words.text("Links"), unit=COUNT),
            Column(field="measured", title=words.text("Links with a rate"), unit=COUNT),
            Column(field="capacity", title=words.text("Capacity"), unit=BPS),
            Column(field="p95", title=words.text("P95 of the sum"), unit=BPS),
            Column(field="peak", title=words.text("Peak"), unit=BPS),
            Column(field="load", title=words.text("Load at the peak"), unit=RATIO, colours=LOAD_STEPS, gauge=True),
        ],
        [joined("node"), *largest("load", _MOST)],
        width=WIDE,
        height=8,
        about=words.text("The sum of all links below. A node binds where the load at its peak nears 100 %."),
    )


def _curves(target: Target) -> list[PanelBuilder]:
    words = target.words
    down = (is_("direction", "down"), _NODE)
    load = select('mean("utilisation")', "node_usage", *down, by=(STEP, "node"), fill="none")
    return [
        lines(
            words.text("Use of each node"),
            list(curves.each(target, "node_usage", "node", _NODE)),
            width=HALF,
            height=11,
            below=curves.MIRRORED,
            step_seconds=target.poll_seconds,
        ),
        lines(
            words.text("Load of each node (download)"),
            [InfluxQuery(ref="A", text=load, alias="$tag_node")],
            unit=RATIO,
            width=HALF,
            height=11,
            line_at=SATURATED_RATIO,
            step_seconds=target.poll_seconds,
        ),
    ]


def _held(target: Target) -> PanelBuilder:
    words = target.words
    inner = select(
        '"utilisation" AS "load", "limit_bps" AS "limit"', "link_rate", is_("direction", "down"), _NODE, by=("link", "node")
    )
    text = select(
        'count("load") AS "times", last("limit") AS "limit"', f"({inner})", f'"load" >= {SATURATED_RATIO}', by=("link", "node")
    )
    return rows(
        words.text("Links at their limit, by number of readings"),
        [InfluxQuery(ref="A", text=text, table=True), ListQuery(ref="B", rows=lists.names(target.inventory))],
        [
            Column(field="link", title=words.text("Link"), url=page_url(target, "opd", "link")),
            Column(field="name", title=words.text("Name")),
            Column(field="node", title=words.text("Node")),
            Column(field="times", title=words.text("Readings at the limit"), unit=COUNT),
            Column(field="limit", title=words.text("Limit"), unit=BPS),
        ],
        [joined("link"), *largest("times", _MOST)],
        height=8,
        hidden=("kecamatan",),
    )
