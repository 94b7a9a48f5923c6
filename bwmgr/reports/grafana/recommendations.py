"""What the policies recommend: the open queue as a table, and each recommendation as a mark on a curve.

A status is a tag, so a recommendation that moves on stands in several series; the newest point of an id is what it is now.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef

from bwmgr.reports.grafana.board import page_url
from bwmgr.reports.grafana.influxql import InfluxQuery, select
from bwmgr.reports.grafana.panels import BPS, WIDE, PanelBuilder
from bwmgr.reports.grafana.tables import Column, newest_of, only, rows
from bwmgr.reports.grafana.target import SOURCE_UID, Target

_TAGS = ("link", "direction", "policy", "action", "status")
_FIELDS = ("current_mir_bps", "proposed_mir_bps", "proposed_cir_bps", "reason", "expected")
_OPEN_FOR = "30d"


def open_table(target: Target, *conditions: str, width: int = WIDE) -> PanelBuilder:
    """Recommendations of the last 30 days whose newest status is still `proposed`."""
    words = target.words
    wanted = ", ".join(f'"{name}"' for name in ("id", *_TAGS, *_FIELDS))
    text = select(wanted, "recommendation", *conditions)
    return rows(
        words.text("Open recommendations"),
        [InfluxQuery(ref="A", text=text, table=True)],
        [
            Column(field=_now("link"), title=words.text("Link"), url=page_url(target, "opd", "link")),
            Column(field=_now("direction"), title=words.text("Direction")),
            Column(field=_now("action"), title=words.text("Action")),
            Column(field=_now("current_mir_bps"), title=words.text("Limit today"), unit=BPS),
            Column(field=_now("proposed_mir_bps"), title=words.text("Limit proposed"), unit=BPS),
            Column(field=_now("proposed_cir_bps"), title=words.text("Guarantee proposed"), unit=BPS),
            Column(field=_now("policy"), title=words.text("Policy")),
            Column(field=_now("reason"), title=words.text("Why")),
            Column(field=_now("expected"), title=words.text("Expected effect")),
        ],
        [newest_of("id", (*_TAGS, *_FIELDS)), only(_now("status"), "proposed")],
        width=width,
        height=7,
        hidden=("id", _now("status")),
        last=_OPEN_FOR,
    )


def marks(target: Target, *conditions: str) -> dashboard.AnnotationQuery:
    """Every recommendation as a mark at the instant when it was made, with its reason."""
    text = select('"reason", "action", "policy", "status"', "recommendation", *conditions)
    annotation = dashboard.AnnotationQuery().name(target.words.text("Recommendations")).icon_color("purple").enable(True)
    return annotation.datasource(DataSourceRef(type_val="influxdb", uid=SOURCE_UID)).target(_Marks(text))


class _Marks(Dataquery, Builder[Dataquery]):
    """An annotation's query, whose columns Grafana is told by name."""

    def __init__(self, text: str) -> None:
        self._query = InfluxQuery(ref="Anno", text=text, table=True)

    def build(self) -> _Marks:
        return self

    def to_json(self) -> dict[str, object]:
        columns = {"titleColumn": "action", "textColumn": "reason", "tagsColumn": "policy,status"}
        return {**self._query.to_json(), **columns, "fromAnnotations": True}


def _now(field: str) -> str:
    return f"{field} (lastNotNull)"
