"""The queries of a dashboard, filled in as Grafana would, and what the server answers to each.

Owns the little of Grafana's language that our own queries use: `$timeFilter`, `$__interval`, `${variable:regex}`,
`${variable:pipe}`. Sends nothing itself: the caller brings the function that asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bwmgr.errors import StoreError, StoreUnavailable

Json = Mapping[str, Any]
Ask = Callable[[str], Iterable[Mapping[str, Any]]]
"""InfluxQL in, series out (`columns`, `values`, `tags`)."""

_VARIABLE = re.compile(r"\$\{(\w+):(regex|pipe)\}")
_LEFT_OPEN = re.compile(r"\$\{?\w+(?::\w+)?\}?")
_STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400)
_POINTS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Where a query stands, and its text as it stands there. `since`: the panel's own time range, such as `15m`; `least`: its
    shortest step."""

    dashboard: str
    place: str
    text: str
    since: str | None = None
    least: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What came back: `rows` in all series, or the server's objection."""

    asked: Asked
    rows: int
    objection: str = ""


def queries(dashboard: Json) -> Iterator[Asked]:
    """Every query that goes to InfluxDB: of variables, annotations and panels."""
    title = str(dashboard["title"])
    for variable in dashboard["templating"].get("list", []):
        if variable["type"] == "query":
            yield Asked(dashboard=title, place=f"variable {variable['name']}", text=variable["query"])
    for annotation in dashboard["annotations"].get("list", []):
        yield Asked(dashboard=title, place=f"annotation {annotation['name']}", text=annotation["target"]["query"])
    for panel in dashboard.get("panels", []):
        for target in panel.get("targets", []):
            if "query" in target:
                place = f"panel {panel['title']} {target['refId']}"
                yield Asked(
                    dashboard=title, place=place, text=target["query"], since=panel.get("timeFrom"), least=panel.get("interval")
                )


def rule_queries(rules: Json) -> Iterator[Asked]:
    """Every query that the rules of an alerting file send to InfluxDB."""
    for group in rules["groups"]:
        for rule in group["rules"]:
            for step in rule["data"]:
                if "query" in step["model"]:
                    yield Asked(dashboard=rule["title"], place=f"rule {rule['uid']} {step['refId']}", text=step["model"]["query"])


def chosen_values(dashboard: Json) -> dict[str, str]:
    """Variable -> what it says before anyone chooses: all of it."""
    return {variable["name"]: variable.get("allValue") or ".*" for variable in dashboard["templating"].get("list", [])}


def filled(text: str, values: Mapping[str, str], *, start: int, end: int, least: int = 1) -> str:
    """The query as the server gets it; `values` are regular expressions.

    `start` and `end` are seconds since 1970, `least` is the shortest step in seconds.

    Raises: KeyError for a variable that the dashboard has not, ValueError where something of Grafana's is left over.
    """
    step = next((step for step in _STEPS if step >= least and (end - start) / step <= _POINTS), _STEPS[-1])
    found = text.replace("$timeFilter", f"time >= {start}s AND time <= {end}s")
    found = found.replace("$__interval_ms", str(step * 1000)).replace("$__interval", f"{step}s")
    found = _VARIABLE.sub(lambda match: values[match[1]], found)
    if left := _LEFT_OPEN.search(found):
        raise ValueError(f"{left[0]} is nothing that Grafana fills in here: {text}")
    return found


def answers(dashboard: Json, ask: Ask, *, start: int, end: int, values: Mapping[str, str] | None = None) -> Iterator[Answered]:
    """Asks every query of the dashboard over [start, end]. Raises: StoreUnavailable where nobody answers."""
    chosen = {**chosen_values(dashboard), **(values or {})}
    for asked in queries(dashboard):
        since = start if asked.since is None else end - seconds(asked.since)
        text = filled(asked.text, chosen, start=since, end=end, least=seconds(asked.least or "1s"))
        try:
            rows = sum(len(series["values"]) for series in ask(text))
        except StoreUnavailable:
            raise
        except StoreError as objection:
            yield Answered(asked=asked, rows=0, objection=str(objection))
        else:
            yield Answered(asked=asked, rows=rows)


def seconds(duration: str) -> int:
    """`15m`, `24h`, `30d` in seconds."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[duration[-1]]
