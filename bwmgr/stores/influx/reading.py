"""Rows back out of InfluxQL: the points of both directions, and rates and gaps, put together again.

Owns the queries and the joining; pure but for `Client.query`. What waits in the spool is the store's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.stores import FLOW_USAGE
from bwmgr.stores.embedded.layouts import Layout
from bwmgr.stores.influx.client import Client, Series, identifier, literal
from bwmgr.stores.influx.schema import BOTH, DIRECTIONS, FLOW_TAGS, KEPT, OPTIONAL, SINGLE, FlowFlags, flow_parts

SERIES_AT_ONCE = 200
"""Names in one query's condition."""
_FLOW_FIELDS = ("octets", "octets_over", "packets", "flows", "flags")
_CORE = 3
_NEWEST = " ORDER BY time DESC LIMIT 1"

Table = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Window:
    """What is asked: seconds since 1970, half-open; None: all time. `newest`: only the last row of each series."""

    layout: Layout
    dtype: np.dtype[Any]
    start: int | None = None
    end: int | None = None
    newest: bool = False
    lately: bool = False
    """Only what is not older than `LATELY`: 3 Core refuses to look through more than some days."""


LATELY = "time >= now() - 2d"


def lately(client: Client) -> bool:
    """Whether the newest rows are looked for among those of the last days only. Raises: StoreUnavailable."""
    return client.server.major == _CORE


def names(client: Client, measurement: str) -> set[str]:
    """Every series that the server has of a measurement."""
    if measurement == FLOW_USAGE:
        return {"|".join(key) for key in _flow_keys(client)}
    kept = KEPT[measurement]
    sources = ", ".join(identifier(source) for source in (kept.measurement, kept.gaps) if source)
    answer = client.query(f'SHOW TAG VALUES FROM {sources} WITH KEY = "link"{client.all_time}')
    return {value for series in answer for _, value in series.get("values", ())}


def rows(client: Client, window: Window, series: Sequence[str]) -> RateBatch:
    """The server's rows of these series, sorted by (series, end_ms), a rate before all gaps of its second."""
    place = {name: position for position, name in enumerate(series)}
    pieces = [
        _piece(client, window, series[first : first + SERIES_AT_ONCE], place) for first in range(0, len(series), SERIES_AT_ONCE)
    ]
    found = np.concatenate(pieces) if pieces else np.empty(0, window.layout.dtype)
    return RateBatch(series=tuple(series), rows=settled(found, window.layout))


def settled(found: Rows, layout: Layout) -> Rows:
    """One row for each (series, end_ms), sorted by both: a rate beats a gap, then the later of the array wins."""
    rank = np.zeros(len(found), np.int8) if layout.gap_column is None else (found[layout.gap_column] == 0).astype(np.int8)
    order = np.lexsort((rank, found["end_ms"], found["series"]))
    ordered: Rows = found[order]
    same = (ordered["series"][1:] == ordered["series"][:-1]) & (ordered["end_ms"][1:] == ordered["end_ms"][:-1])
    return ordered[np.append(~same, True)] if len(ordered) else ordered


def _piece(client: Client, window: Window, series: Sequence[str], place: Mapping[str, int]) -> Rows:
    measurement = window.layout.measurement
    if measurement == FLOW_USAGE:
        return _flow_rows(client, window, series, place)
    kept = KEPT[measurement]
    where = _where(window, [f'"link" = {literal(name)}' for name in series])
    gaps = _rate_rows(client, window, kept.gaps or "", where, place, gap=True)
    return np.concatenate((gaps, _rate_rows(client, window, kept.measurement, where, place, gap=False)))


def _rate_rows(client: Client, window: Window, source: str, where: str, place: Mapping[str, int], *, gap: bool) -> Rows:
    both = [name for name in BOTH if not (gap and name == "bps") and _asked(window, f"down_{name}", f"up_{name}")]
    single = [name for name in SINGLE if _asked(window, name)]
    fields = ["holds", *(["reason_code"] if gap else []), *(BOTH[name] for name in both), *(SINGLE[name] for name in single)]
    answer = list(client.query(_select(window, fields, source, where, ("link", "direction"))))
    tables = {direction: _table(answer, place, direction, fields) for direction in DIRECTIONS}
    keys = {direction: table["series"] << 40 | table["time"] for direction, table in tables.items()}
    every = np.unique(np.concatenate(list(keys.values())))
    made = np.zeros(len(every), window.layout.dtype)
    made["series"], made["end_ms"] = every >> 40, (every & (2**40 - 1)) * 1000
    for direction in DIRECTIONS:
        table, at = tables[direction], np.searchsorted(every, keys[direction])
        for name in BOTH:
            made[f"{direction}_{name}"] = np.inf if name == "limit_bps" else np.nan
        for name in both:
            made[f"{direction}_{name}"][at] = _both(table, name)
        if direction == DIRECTIONS[0]:
            for name in single:
                made[name][at] = _whole(table[SINGLE[name]])
        if gap:
            made["reason"][at] = _whole(table["reason_code"])
    return made


def _both(table: Table, name: str) -> NDArray[np.float64]:
    column: NDArray[np.float64] = table[BOTH[name]].astype(np.float64)
    if (flag := OPTIONAL.get(name)) is not None:
        absent = np.inf if name == "limit_bps" else np.nan
        column = np.where(_whole(table["holds"]) & int(flag), column, absent)
    return column


def _table(answer: Iterable[Series], place: Mapping[str, int], direction: str, fields: Sequence[str]) -> Table:
    """The points of one direction, as columns; `series` is the place in the answer."""
    chosen = [(place[tags["link"]], part["values"]) for part in answer if (tags := part["tags"])["direction"] == direction]
    values = list(chain.from_iterable(points for _, points in chosen))
    columns = list(zip(*values, strict=True)) or [()] * (len(fields) + 1)
    positions = np.repeat(np.array([position for position, _ in chosen], np.int64), [len(points) for _, points in chosen])
    table: Table = {"series": positions, "time": np.array(columns[0], np.int64)}
    for name, column in zip(fields, columns[1:], strict=True):
        table[name] = np.array(column, object)
    return table


def _whole(column: NDArray[Any]) -> NDArray[np.int64]:
    """Integers, none lost to a float; 0 where a point has no such field."""
    return np.where(column == None, 0, column).astype(np.int64)  # noqa: E711  element by element


def _flow_rows(client: Client, window: Window, series: Sequence[str], place: Mapping[str, int]) -> Rows:
    wanted = set(series)
    links = sorted({flow_parts(name)[0] for name in series if name.count("|") >= len(FLOW_TAGS) - 1})
    where = _where(window, [f'"link" = {literal(link)}' for link in links])
    made = [np.empty(0, window.layout.dtype)]
    for part in client.query(_select(window, _FLOW_FIELDS, FLOW_USAGE, where, FLOW_TAGS)) if links else ():
        name = "|".join(part["tags"][tag] for tag in FLOW_TAGS)
        if name in wanted:
            made.append(_flow_part(part, place[name], window.layout.dtype))
    return np.concatenate(made)


def _flow_part(part: Series, position: int, dtype: np.dtype[Any]) -> Rows:
    points = np.array(part["values"], object).reshape(-1, len(_FLOW_FIELDS) + 1)
    time, octets, over, packets, flows, flags = (_whole(column) for column in points.T)
    found = np.zeros(len(points), dtype)
    found["series"], found["end_ms"] = position, time * 1000
    beyond = over.astype(np.uint64) + np.uint64(2**63)
    found["octets"] = np.where(flags & FlowFlags.OVER, beyond, octets.astype(np.uint64))
    found["packets"], found["flows"], found["sampled"] = packets, flows, flags & FlowFlags.SAMPLED
    return found


def _flow_keys(client: Client) -> Iterable[tuple[str, ...]]:
    where = f" WHERE {LATELY}" if lately(client) else ""
    for part in client.query(_select(None, ("flags",), FLOW_USAGE, where, FLOW_TAGS)):
        yield tuple(part["tags"][tag] for tag in FLOW_TAGS)


def _select(window: Window | None, fields: Iterable[str], source: str, where: str, groups: Iterable[str]) -> str:
    """Points of each group; the newest one only where no window is given, or it says so. Names and strings are quoted."""
    newest = _NEWEST if window is None or window.newest else ""
    return f"SELECT {_list(fields)} FROM {identifier(source)}{where} GROUP BY {_list(groups)}{newest}"  # noqa: S608


def _where(window: Window, chosen: Sequence[str]) -> str:
    bounds = [f"time >= {window.start}s"] if window.start is not None else []
    bounds += [f"time < {window.end}s"] if window.end is not None else []
    bounds += [LATELY] if window.lately else []
    conditions = [*bounds, *([f"({' OR '.join(chosen)})"] if chosen else [])]
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _asked(window: Window, *columns: str) -> bool:
    return any(column in (window.dtype.names or ()) for column in columns)


def _list(fields: Iterable[str]) -> str:
    return ", ".join(identifier(field) for field in fields)
