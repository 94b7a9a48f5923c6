"""One OPD or any other link: its use against its limit, its quality, who uses it for what, what is recommended for it."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard, ValueMap, ValueMapping, ValueMappingResult

from bwmgr.measure.windows import SATURATED_RATIO
from bwmgr.reports.grafana import curves, lists
from bwmgr.reports.grafana.board import board, link_variables
from bwmgr.reports.grafana.influxql import STEP, InfluxQuery, chosen, is_, select
from bwmgr.reports.grafana.lists import ListQuery
from bwmgr.reports.grafana.panels import (
    BPS,
    COUNT,
    GOOD_STEPS,
    GREEN,
    HALF,
    LOAD_STEPS,
    MILLISECONDS,
    OCTETS,
    PER_SECOND,
    RATIO,
    RED,
    THIRD,
    WIDE,
    PanelBuilder,
    figure,
    lines,
    pie,
    timeline,
)
from bwmgr.reports.grafana.recommendations import marks, open_table
from bwmgr.reports.grafana.tables import Column, joined, rows
from bwmgr.reports.grafana.target import Target

_LINK = chosen("link")
_FLOW_STEP_SECONDS = 300
_WAYS = ("down", "up")
_PROPOSED = ("E", "F")
_GUARANTEED, _CEILING = ("G", "H"), ("I", "J")
_LOW, _HIGH = ("K", "L"), ("M", "N")
_UPLOAD = tuple(refs[1] for refs in (_PROPOSED, _GUARANTEED, _CEILING, _LOW, _HIGH))


def opd(target: Target) -> Dashboard:
    """The dashboard `opd`."""
    words = target.words
    return board(
        target,
        "opd",
        words.text("OPD and link"),
        words.text("One link: use against limit, guarantee and proposal; quality; applications; recommendations as marks."),
        [
            ("", [*_figures(target), _terms(target), _usage(target)]),
            (words.text("What it is used for (flows)"), _flows(target)),
            (words.text("Quality"), _quality(target)),
            (words.text("Recommendations"), [open_table(target, _LINK)]),
        ],
        variables=link_variables(target, one=True),
        annotations=[marks(target, _LINK)],
    )


def _figures(target: Target) -> list[PanelBuilder]:
    words = target.words
    down = (is_("direction", "down"), _LINK)
    rate = select('last("rate_bps")', "link_rate", *down, by=(STEP,), fill="none")
    load = select('percentile("utilisation", 95)', "link_rate", *down)
    loads = select('"utilisation" AS "load"', "link_rate", *down)
    full = select('count("load")', f"({loads})", f'"load" >= {SATURATED_RATIO}')
    return [
        figure(words.text("Download now"), InfluxQuery(ref="A", text=rate), unit=BPS),
        figure(
            words.text("Load, P95"),
            InfluxQuery(ref="A", text=load),
            unit=RATIO,
            steps_=LOAD_STEPS,
            decimals=1,
            about=words.text("Of all readings shown, around the clock; for working hours ask: {command}", command="bwmgr usage"),
        ),
        figure(words.text("Readings at the limit"), InfluxQuery(ref="A", text=full), unit=COUNT).no_value("0"),
        figure(
            words.text("Data completeness"),
            InfluxQuery(ref="A", text=curves.completeness(_LINK)),
            unit=RATIO,
            steps_=GOOD_STEPS,
            last=False,
            decimals=2,
        ),
    ]


def _terms(target: Target) -> PanelBuilder:
    words = target.words
    text = select('last("limit_bps") AS "limit"', "link_rate", is_("direction", "down"), _LINK, by=("link",))
    return rows(
        words.text("Terms"),
        [InfluxQuery(ref="A", text=text, table=True), ListQuery(ref="B", rows=lists.links(target.inventory))],
        [
            Column(field="name", title=words.text("Name")),
            Column(field="kecamatan", title=words.text("Kecamatan")),
            Column(field="cir_down_bps", title=words.text("CIR, download"), unit=BPS),
            Column(field="limit", title=words.text("Limit, download"), unit=BPS),
            Column(field="mir_down_bps", title=words.text("MIR, download"), unit=BPS),
        ],
        [joined("link")],
        width=THIRD,
        height=4,
        hidden=("link", "cir_up_bps", "mir_up_bps", "medium"),
    )


def _usage(target: Target) -> PanelBuilder:
    words = target.words
    low, high = words.text("demand, at least"), words.text("demand, at most")
    queries = [
        *curves.total(target, "link_rate", words.text("limit"), _LINK),
        *_told(target, "recommendation", "proposed_mir_bps", words.text("proposed limit"), _PROPOSED),
        *_told(target, "allocation", "cir_bps", words.text("CIR"), _GUARANTEED),
        *_told(target, "allocation", "mir_bps", words.text("MIR"), _CEILING),
        *_told(target, "allocation", "demand_low_bps", low, _LOW),
        *_told(target, "allocation", "demand_high_bps", high, _HIGH),
    ]
    return lines(
        words.text("Use against limit, CIR, MIR and demand"),
        queries,
        width=WIDE,
        height=14,
        below=(*curves.MIRRORED, *_UPLOAD),
        dashed=(*curves.DASHED, *_GUARANTEED, *_CEILING),
        marked=_PROPOSED,
        bands={high_ref: _named(target, low, way) for high_ref, way in zip(_HIGH, _WAYS, strict=True)},
        edges=_LOW,
        step_seconds=target.poll_seconds,
        about=words.text(
            "A link at its limit shows the limit, not what would be used. Its demand lies in the band, as the last run of the "
            "policies knew it; where the band has no upper end, it may be any more. P95 in the legend is that of the points "
            "drawn, not of the readings."
        ),
    )


def _told(target: Target, measurement: str, field: str, said: str, refs: tuple[str, str]) -> list[InfluxQuery]:
    """The newest value of each step, both directions."""
    return [
        InfluxQuery(
            ref=ref,
            text=select(f'last("{field}")', measurement, is_("direction", way), _LINK, by=(STEP,), fill="none"),
            alias=_named(target, said, way),
        )
        for ref, way in zip(refs, _WAYS, strict=True)
    ]


def _named(target: Target, said: str, way: str) -> str:
    return f"{said} ({target.words.direction(way)})"


def _flows(target: Target) -> list[PanelBuilder]:
    words = target.words
    down = (is_("direction", "down"), _LINK)
    by_class = select('sum("octets")', "flow_usage", *down, by=("traffic_class",))
    by_application = curves.flows_bps("application", *down)
    top = select('sum("octets") AS "octets", sum("flows") AS "flows"', "flow_usage", *down, by=("application", "traffic_class"))
    return [
        lines(
            words.text("Applications (download)"),
            [InfluxQuery(ref="A", text=by_application, alias="$tag_application")],
            width=HALF,
            height=10,
            stacked=True,
            step_seconds=_FLOW_STEP_SECONDS,
            about=words.text("From flows; the last step is not complete yet."),
        ),
        rows(
            words.text("Top applications (download)"),
            [InfluxQuery(ref="A", text=top, table=True)],
            [
                Column(field="application", title=words.text("Application")),
                Column(field="traffic_class", title=words.text("Traffic class")),
                Column(field="octets", title=words.text("Amount"), unit=OCTETS),
                Column(field="flows", title=words.text("Flows"), unit=COUNT),
            ],
            [],
            width=THIRD,
            height=10,
            sort="octets",
        ),
        pie(
            words.text("By traffic class"),
            [InfluxQuery(ref="A", text=by_class, alias="$tag_traffic_class")],
            unit=OCTETS,
            width=4,
            height=10,
        ),
    ]


def _quality(target: Target) -> list[PanelBuilder]:
    words = target.words
    lost = [
        InfluxQuery(
            ref=ref,
            text=select(f'mean("{field}")', "link_rate", is_("direction", way), _LINK, by=(STEP,), fill="none"),
            alias=f"{said}, {words.direction(way)}",
        )
        for ref, field, said, way in (
            ("A", "discards_ps", words.text("discards"), "down"),
            ("B", "discards_ps", words.text("discards"), "up"),
            ("C", "errors_ps", words.text("errors"), "down"),
            ("D", "errors_ps", words.text("errors"), "up"),
        )
    ]
    answer = select('mean("rtt_ms")', "link_state", _LINK, by=(STEP,), fill="none")
    state = select('last("oper_up")', "link_state", _LINK, by=(STEP, "link"), fill="none")
    return [
        lines(words.text("Discards and errors"), lost, unit=PER_SECOND, height=8),
        lines(
            words.text("Router's time to answer"),
            [InfluxQuery(ref="A", text=answer, alias=words.text("answer"))],
            unit=MILLISECONDS,
            height=8,
        ),
        timeline(words.text("Port"), [InfluxQuery(ref="A", text=state, alias="$tag_link")], _up_or_down(target), height=4),
    ]


def _up_or_down(target: Target) -> list[ValueMapping]:
    words = target.words
    up = ValueMappingResult(text=words.text("up"), color=GREEN, index=0)
    down = ValueMappingResult(text=words.text("down"), color=RED, index=1)
    return [ValueMap(options={"true": up, "false": down})]
