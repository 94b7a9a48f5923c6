"""InfluxQL as Grafana keeps it in a panel: the query's JSON, and the conditions that variables put into it.

Owns the quoting. InfluxQL is what 1.6 to 3 have in common; Flux is off in 1.8 and gone in 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery

from bwmgr.reports.grafana.target import SOURCE_UID

SOURCE = {"type": "influxdb", "uid": SOURCE_UID}
STEP = "time($__interval)"
_REGEX_SPECIAL = frozenset("\\^$.|?*+()[]{}/")


@dataclass(frozen=True, kw_only=True, slots=True)
class InfluxQuery(Dataquery, Builder[Dataquery]):
    """One query. `alias` names the series (`$tag_link`); `table` asks for rows with tags as columns."""

    ref: str
    text: str
    alias: str = ""
    table: bool = False
    source: str = SOURCE_UID

    def build(self) -> InfluxQuery:
        return self

    def to_json(self) -> dict[str, Any]:
        return {
            "refId": self.ref,
            "datasource": {"type": "influxdb", "uid": self.source},
            "rawQuery": True,
            "query": self.text,
            "resultFormat": "table" if self.table else "time_series",
            **({"alias": self.alias} if self.alias else {}),
        }


def select(fields: str, measurement: str, *conditions: str, by: Iterable[str] = (), fill: str | None = None) -> str:
    """`SELECT fields FROM measurement` within the panel's time and under all conditions; `by` may hold `STEP` and tags."""
    where = " AND ".join(("$timeFilter", *conditions))
    groups = ", ".join(part if part.startswith("time(") else f'"{part}"' for part in by)
    text = f"SELECT {fields} FROM {source(measurement)} WHERE {where}"  # noqa: S608  Grafana fills it in; names are ours
    return text + (f" GROUP BY {groups}" if groups else "") + (f" fill({fill})" if fill else "")


def source(measurement: str) -> str:
    """A measurement's name, or a subquery in parentheses, as it stands after FROM."""
    return measurement if measurement.startswith(("(", '"')) else f'"{measurement}"'


def is_(tag: str, value: str) -> str:
    """The tag has exactly this value."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"\"{tag}\" = '{escaped}'"


def chosen(tag: str, variable: str | None = None) -> str:
    """The tag is among the values chosen in the variable (of the same name, where none is given)."""
    return f'"{tag}" =~ /^${{{variable or tag}:regex}}$/'


def listed(tag: str, variable: str) -> str:
    """The tag is among the ids that the variable's values list, separated by `|` (see `alternatives`)."""
    return f'"{tag}" =~ /^(${{{variable}:pipe}})$/'


def alternatives(ids: Iterable[str]) -> str:
    """Ids as a regular expression that matches each of them and nothing else; no id at all gives one that matches none."""
    return "|".join(sorted(_escaped(one) for one in ids)) or "[^ -~]-"


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in _REGEX_SPECIAL else letter for letter in text)
