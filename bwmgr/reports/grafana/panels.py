"""The kinds of panel that the dashboards are made of: one look for all of them.

Owns units, legends, colours and sizes; which figures they show is the dashboards', tables are `tables`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, piechart, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphThresholdsStyleMode,
    GraphTransform,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    Panel,
    Threshold,
    ThresholdsMode,
    ValueMapping,
)
from grafana_foundation_sdk.models.piechart import PieChartLegendValues

from bwmgr.measure.windows import SATURATED_RATIO
from bwmgr.reports.grafana.target import SOURCE_UID

BPS, RATIO, SECONDS, MILLISECONDS, PER_SECOND, OCTETS, COUNT = "bps", "percentunit", "s", "ms", "cps", "decbytes", "short"
LEGEND_FIGURES = ["min", "mean", "max", "p95", "lastNotNull"]
GREEN, AMBER, RED, BLUE = "green", "orange", "red", "blue"
WIDE, HALF, THIRD, SIXTH = 24, 12, 8, 4

Queries = Sequence[Builder[Dataquery]]
PanelBuilder = Builder[Panel]
Steps = Sequence[tuple[float | None, str]]

LOAD_STEPS: Steps = ((None, GREEN), (0.8, AMBER), (SATURATED_RATIO, RED))
"""Colours of a utilisation: red from where the policies call a link saturated."""
GOOD_STEPS: Steps = ((None, RED), (0.95, AMBER), (0.99, GREEN))
"""Colours of a completeness or an availability."""
PLAIN: Steps = ((None, BLUE),)
NONE_IS_GOOD: Steps = ((None, GREEN), (1, AMBER))


class Sized(Protocol):
    """What all of the library's panel builders have."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def height(self, h: int) -> Self: ...
    def span(self, w: int) -> Self: ...
    def datasource(self, datasource: DataSourceRef) -> Self: ...
    def targets(self, targets: list[Builder[Dataquery]]) -> Self: ...


P = TypeVar("P", bound=Sized)


def dressed(panel: P, title: str, queries: Queries, *, width: int, height: int, about: str = "") -> P:
    """The panel with what all of them have; `about` is the text behind the panel's (i)."""
    panel.title(title).span(width).height(height).targets(list(queries))
    panel.datasource(DataSourceRef(type_val="influxdb", uid=SOURCE_UID))
    return panel.description(about) if about else panel


def lines(
    title: str,
    queries: Queries,
    *,
    unit: str = BPS,
    width: int = HALF,
    height: int = 9,
    below: Sequence[str] = (),
    dashed: Sequence[str] = (),
    marked: Sequence[str] = (),
    bands: Mapping[str, str] | None = None,
    edges: Sequence[str] = (),
    stacked: bool = False,
    line_at: float | None = None,
    step_seconds: int | None = None,
    about: str = "",
) -> timeseries.Panel:
    """Curves over time. Queries named in `below` hang under the zero line, those in `dashed` are limits,
    those in `marked` proposals, drawn as dots. `bands`: the upper edge's query -> the name of the curve that it is filled down
    to; those in `edges` are the lower edges.

    `line_at` draws a line across; `step_seconds` is the shortest step asked for.
    """
    panel = dressed(timeseries.Panel(), title, queries, width=width, height=height, about=about)
    panel.unit(unit).legend(_legend(height)).tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    panel.line_width(1).fill_opacity(30 if stacked else 12).show_points(VisibilityMode.NEVER).axis_grid_show(True)
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if step_seconds is not None:
        panel.interval(f"{step_seconds}s")
    if line_at is not None:
        panel.thresholds(steps(((None, "transparent"), (line_at, RED))))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    for ref in below:
        panel.override_by_query(ref, [_property("custom.transform", GraphTransform.NEGATIVE_Y)])
    for ref in dashed:
        panel.override_by_query(ref, _limit_look())
    for ref in marked:
        panel.override_by_query(ref, _mark_look())
    for ref in (*(bands or ()), *edges):
        panel.override_by_query(ref, _edge_look((bands or {}).get(ref)))
    return panel


def figure(
    title: str,
    query: Builder[Dataquery],
    *,
    unit: str,
    steps_: Steps = PLAIN,
    width: int = SIXTH,
    height: int = 4,
    last: bool = True,
    decimals: int | None = None,
    about: str = "",
) -> stat.Panel:
    """One big figure: the newest, or the mean of all; behind it its curve."""
    panel = dressed(stat.Panel(), title, [query], width=width, height=height, about=about)
    panel.unit(unit).thresholds(steps(steps_)).color_mode(BigValueColorMode.VALUE).graph_mode(BigValueGraphMode.AREA)
    if decimals is not None:
        panel.decimals(decimals)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull" if last else "mean"]).values(False).fields(""))


def bars(title: str, queries: Queries, *, unit: str, width: int = HALF, height: int = 9, steps_: Steps = PLAIN) -> bargauge.Panel:
    """A bar for each series, its length the newest value."""
    panel = dressed(bargauge.Panel(), title, queries, width=width, height=height)
    panel.unit(unit).thresholds(steps(steps_)).orientation(VizOrientation.HORIZONTAL).min(0)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(""))


def pie(title: str, queries: Queries, *, unit: str, width: int = THIRD, height: int = 9) -> piechart.Panel:
    """The share of each series in their sum."""
    panel = dressed(piechart.Panel(), title, queries, width=width, height=height)
    panel.unit(unit).reduce_options(common.ReduceDataOptions().calcs(["sum"]).values(False).fields(""))
    return panel.legend(
        piechart.PieChartLegendOptions()
        .show_legend(True)
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.RIGHT)
        .values([PieChartLegendValues.PERCENT, PieChartLegendValues.VALUE])
    )


def timeline(title: str, queries: Queries, mappings: list[ValueMapping], *, width: int = WIDE, height: int = 6) -> PanelBuilder:
    """States over time, a bar for each series."""
    panel = dressed(statetimeline.Panel(), title, queries, width=width, height=height)
    panel.mappings(mappings).show_value(VisibilityMode.NEVER).merge_values(True).row_height(0.8)
    return panel.legend(common.VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM).calcs([]))


def steps(colours: Steps) -> dashboard.ThresholdsConfig:
    """Colours by value, the first one from minus infinity on."""
    found = [Threshold(value=value, color=colour) for value, colour in colours]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def coloured() -> dashboard.FieldColor:
    """By threshold."""
    return dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS)


def _legend(height: int) -> common.VizLegendOptions:
    place = LegendPlacement.BOTTOM if height < 12 else LegendPlacement.RIGHT
    legend = common.VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.TABLE).placement(place)
    return legend.calcs(LEGEND_FIGURES)


def _limit_look() -> list[DynamicConfigValue]:
    return [
        _property("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
        _property("custom.fillOpacity", 0),
        _property("custom.lineWidth", 2),
        _property("custom.stacking", {"mode": "none", "group": "limit"}),
        _property("custom.spanNulls", True),
        _property("custom.showPoints", "auto"),  # what is told once an hour may be a single point
    ]


def _mark_look() -> list[DynamicConfigValue]:
    """A proposal is made at one instant: a curve of one point would not be seen."""
    return [_property("custom.drawStyle", "points"), _property("custom.pointSize", 10), _property("custom.showPoints", "always")]


def _edge_look(filled_down_to: str | None) -> list[DynamicConfigValue]:
    look = [_property("custom.lineWidth", 1), _property("custom.fillOpacity", 0), _property("custom.spanNulls", True)]
    look.append(_property("custom.showPoints", "auto"))
    if filled_down_to is not None:
        look += [_property("custom.fillBelowTo", filled_down_to), _property("custom.fillOpacity", 20)]
    return look


def _property(name: str, content: object) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=name, value=content)
