"""Tables and the map: rows of several queries joined by a key, columns named and coloured.

Grafana joins them in the browser; the inventory's side of a join is a list from `lists`. An inner join keeps what both sides
know, so that a list of all links shrinks to the links that the variables choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import common, geomap, table
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    FrameGeometrySourceMode,
    TableCellDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from bwmgr.reports.grafana.lists import ListQuery
from bwmgr.reports.grafana.panels import (
    LOAD_STEPS,
    WIDE,
    PanelBuilder,
    Queries,
    Steps,
    coloured,
    dressed,
    steps,
)

_MIXED = DataSourceRef(type_val="datasource", uid="-- Mixed --")
_TIME = "Time"
_SORTED = 50

Transformations = list[DataTransformerConfig]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column: the field that it shows, its heading, how its figures are written, and where a click leads."""

    field: str
    title: str
    unit: str | None = None
    colours: Steps | None = None
    gauge: bool = False
    url: str | None = None


def joined(key: str, mode: Literal["inner", "outer"] = "inner") -> DataTransformerConfig:
    """All frames side by side where they have the same `key`."""
    return DataTransformerConfig(id_val="joinByField", options={"byField": key, "mode": mode})


def quotient(left: str, right: str, name: str) -> DataTransformerConfig:
    """A new column: one field divided by another."""
    return DataTransformerConfig(
        id_val="calculateField",
        options={
            "mode": "binary",
            "alias": name,
            "binary": {"left": left, "operator": "/", "right": right},
            "replaceFields": False,
        },
    )


def largest(field: str, most: int) -> Transformations:
    """The `most` rows with the largest values of a field, in falling order."""
    return [
        DataTransformerConfig(id_val="sortBy", options={"fields": {}, "sort": [{"field": field, "desc": True}]}),
        DataTransformerConfig(id_val="limit", options={"limitField": str(most)}),
    ]


def newest_of(key: str, fields: Sequence[str]) -> DataTransformerConfig:
    """One row for each value of `key`, with the newest of each field under the name `FIELD (lastNotNull)`."""
    grouped: dict[str, object] = {key: {"operation": "groupby", "aggregations": []}}
    grouped |= {field: {"operation": "aggregate", "aggregations": ["lastNotNull"]} for field in fields}
    return DataTransformerConfig(id_val="groupBy", options={"fields": grouped})


def only(field: str, value: str) -> DataTransformerConfig:
    """The rows whose field has this value."""
    wanted = {"fieldName": field, "config": {"id": "equal", "options": {"value": value}}}
    return DataTransformerConfig(id_val="filterByValue", options={"type": "include", "match": "all", "filters": [wanted]})


def rows(
    title: str,
    queries: Queries,
    columns: Sequence[Column],
    transformations: Transformations,
    *,
    width: int = WIDE,
    height: int = 9,
    hidden: Sequence[str] = (),
    last: str | None = None,
    sort: str | None = None,
    about: str = "",
) -> PanelBuilder:
    """A table with exactly these columns in this order; `hidden`: fields of the queries that are not shown.

    `last`: a time range of the panel's own, such as `15m`; `sort`: the field whose largest 50 rows come first.
    """
    panel = dressed(table.Panel(), title, queries, width=width, height=height, about=about)
    if any(isinstance(query, ListQuery) for query in queries):
        panel.datasource(_MIXED)
    if last is not None:
        panel.time_from(last)
    if sort is not None:
        transformations = [*transformations, *largest(sort, _SORTED)]
    panel.transformations([*transformations, _organized(columns, hidden)]).show_header(True)
    for column in columns:
        if properties := list(_properties(column)):
            panel.override_by_name(column.title, properties)
    return panel


def place_map(title: str, queries: Queries, key: str, size: str, *, width: int, height: int) -> PanelBuilder:
    """Rows with `latitude` and `longitude` on a map, coloured by the field `size`."""
    panel = dressed(geomap.Panel(), title, queries, width=width, height=height).datasource(_MIXED)
    panel.transformations([joined(key)]).unit("percentunit").thresholds(steps(LOAD_STEPS)).color_scheme(coloured())
    where = common.FrameGeometrySource().mode(FrameGeometrySourceMode.COORDS).latitude("latitude").longitude("longitude")
    look = {"size": {"fixed": 8}, "opacity": 0.9, "color": {"field": size, "fixed": "dark-green"}, "symbol": {"mode": "fixed"}}
    layer = common.MapLayerOptions().type("markers").name(title).location(where).tooltip(True)
    layer.config({"style": look, "showLegend": True})
    panel.layers([layer]).view(geomap.MapViewConfig().id("fit").all_layers(True).lat(0).lon(0).zoom(10))
    return panel.basemap(common.MapLayerOptions().type("default").name("Basemap"))


def _organized(columns: Sequence[Column], hidden: Sequence[str]) -> DataTransformerConfig:
    return DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys((_TIME, "time", *hidden), True),
            "indexByName": {column.field: place for place, column in enumerate(columns)},
            "renameByName": {column.field: column.title for column in columns},
        },
    )


def _properties(column: Column) -> list[DynamicConfigValue]:
    found: Mapping[str, object] = {
        "unit": column.unit,
        "thresholds": steps(column.colours).build() if column.colours else None,
        "custom.cellOptions": _cell(column),
        "links": [{"title": column.title, "url": column.url}] if column.url else None,
    }
    return [DynamicConfigValue(id_val=name, value=content) for name, content in found.items() if content is not None]


def _cell(column: Column) -> object:
    if column.gauge:
        return {"type": TableCellDisplayMode.GAUGE.value, "mode": "basic"}
    return {"type": TableCellDisplayMode.COLOR_TEXT.value} if column.colours else None
