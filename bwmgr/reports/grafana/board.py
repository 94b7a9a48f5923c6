"""A dashboard's frame: title, time, variables, links to the other dashboards.

Owns the variables (kind, kecamatan, OPD, link) and which dashboard links where; what stands in it is each dashboard's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from bwmgr.model.inventory import LinkKind
from bwmgr.reports.grafana.influxql import alternatives, chosen, listed
from bwmgr.reports.grafana.panels import PanelBuilder
from bwmgr.reports.grafana.target import SOURCE_UID, Target

ALL = ".*"
_TAG = "bwmgr"

Variable = dashboard.QueryVariable | dashboard.CustomVariable


def board(
    target: Target,
    name: str,
    title: str,
    about: str,
    sections: Sequence[tuple[str, Sequence[PanelBuilder]]],
    *,
    variables: Iterable[Variable] = (),
    annotations: Iterable[dashboard.AnnotationQuery] = (),
    since: str = "now-24h",
    until: str = "now",
    refresh: str = "1m",
) -> Dashboard:
    """The dashboard `name`; a section without a heading stands at the top."""
    built = dashboard.Dashboard(title).uid(target.uid(name)).description(about).tags([_TAG, target.words.language])
    built.timezone(target.timezone).time(since, until).refresh(refresh).tooltip(DashboardCursorSync.CROSSHAIR)
    built.week_start("monday").editable().links([_others(target)])
    for variable in variables:
        built.with_variable(variable)
    for annotation in annotations:
        built.annotation(annotation)
    for heading, panels in sections:
        if heading:
            built.with_row(dashboard.Row(heading))
        for panel in panels:
            built.with_panel(panel)
    found = built.build()
    for number, placed in enumerate(found.panels or [], 1):
        placed.id_val = number  # the library leaves them out, and Grafana would make up new ones at each load
    return found


def page_url(target: Target, name: str, variable: str) -> str:
    """A click on a cell: another dashboard, with the cell's value chosen in a variable, over the same time."""
    return f"/d/{target.uid(name)}?var-{variable}=${{__value.raw}}&${{__url_time_range}}"


def narrowed() -> tuple[str, ...]:
    """The conditions that kecamatan, OPD and link put on anything with a tag `link`."""
    return (listed("link", "kecamatan"), listed("link", "opd"), chosen("link"))


def link_filter() -> tuple[str, ...]:
    """The conditions that the four variables put on links' rates, which alone have a tag `kind`."""
    return (chosen("kind"), *narrowed())


def link_variables(target: Target, *, kind: str | None = None, one: bool = False) -> tuple[Variable, ...]:
    """Kind, kecamatan, OPD and link, each narrowing the next. `kind`: the one of this page; `one`: a single link is chosen."""
    words = target.words
    kinds = (
        _custom("kind", words.text("Kind"), [(kind, kind)]) if kind else _asked("kind", words.text("Kind"), tag_values("kind"))
    )
    among = (chosen("kind"), listed("link", "kecamatan"), listed("link", "opd"))
    return (
        kinds,
        _custom("kecamatan", words.text("Kecamatan"), kecamatan(target)),
        _custom("opd", words.text("OPD"), agencies(target)),
        _asked("link", words.text("Link"), tag_values("link", *among), one=one),
    )


def tag_values(tag: str, *conditions: str, measurement: str = "link_rate") -> str:
    """InfluxQL for the values of a tag under conditions on other tags."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f'SHOW TAG VALUES FROM "{measurement}" WITH KEY = "{tag}"{where}'


def kecamatan(target: Target) -> list[tuple[str, str]]:
    """(name, its links as a regular expression) of each kecamatan that has links."""
    found: dict[str, list[str]] = defaultdict(list)
    for link in target.inventory.links.values():
        if link.site.kecamatan:
            found[link.site.kecamatan].append(link.id)
    return [(name, alternatives(ids)) for name, ids in sorted(found.items())]


def agencies(target: Target) -> list[tuple[str, str]]:
    """(name, its links as a regular expression) of each OPD: its own link, and what belongs to it."""
    links = target.inventory.links.values()
    found = {link.id: (link.name, [link.id]) for link in links if link.kind is LinkKind.OPD}
    for link in links:
        if link.opd in found and link.opd != link.id:
            found[link.opd][1].append(link.id)
    return sorted((name, alternatives(ids)) for name, ids in found.values())


def asked(name: str, label: str, query: str, *, one: bool = False) -> Variable:
    """A variable whose values the server is asked for."""
    return _asked(name, label, query, one=one)


def _asked(name: str, label: str, query: str, *, one: bool = False) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(label).query(query).definition(query)
    variable.datasource(DataSourceRef(type_val="influxdb", uid=SOURCE_UID))
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if one:
        return variable.multi(False).include_all(False)
    return variable.multi(True).include_all(True).all_value(ALL).current(_all())


def _custom(name: str, label: str, options: Sequence[tuple[str, str]]) -> dashboard.CustomVariable:
    text = ", ".join(f"{_comma_free(shown)} : {_comma_free(value)}" for shown, value in options)
    variable = dashboard.CustomVariable(name).label(label).values(text)
    return variable.multi(True).include_all(True).all_value(ALL).current(_all())


def _comma_free(text: str) -> str:
    return text.replace(",", "\\,")


def _all() -> VariableOption:
    return VariableOption(selected=True, text="All", value="$__all")


def _others(target: Target) -> dashboard.DashboardLink:
    link = dashboard.DashboardLink(target.words.text("bwmgr dashboards")).type(DashboardLinkType.DASHBOARDS)
    return link.tags([_TAG, target.words.language]).as_dropdown(True).include_vars(True).keep_time(True)
