"""Queries that several dashboards ask: sums over links and uplinks, loads, completeness.

Owns how a figure is asked of the server; how it looks is `panels`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bwmgr.reports.grafana.influxql import STEP, InfluxQuery, is_, select
from bwmgr.reports.grafana.target import Target

DOWN, UP = "A", "B"
LIMIT_DOWN, LIMIT_UP = "C", "D"
MIRRORED = (UP, LIMIT_UP)
DASHED = (LIMIT_DOWN, LIMIT_UP)
_WAYS = (("down", DOWN, LIMIT_DOWN), ("up", UP, LIMIT_UP))


def total(target: Target, measurement: str, limit: str, *conditions: str) -> Iterator[InfluxQuery]:
    """The sum of all series that meet the conditions, each direction, and of their limits under the name `limit`."""
    for direction, rate_ref, limit_ref in _WAYS:
        said = target.words.direction(direction)
        where = (is_("direction", direction), *conditions)
        yield InfluxQuery(ref=rate_ref, text=summed("rate_bps", measurement, *where), alias=said)
        yield InfluxQuery(ref=limit_ref, text=summed("limit_bps", measurement, *where), alias=f"{limit} ({said})")


def each(target: Target, measurement: str, tag: str, *conditions: str, limit: str = "") -> Iterator[InfluxQuery]:
    """Every series by itself, each direction, named after `tag`; with its limit where that has a name."""
    for direction, rate_ref, limit_ref in _WAYS:
        said = target.words.direction(direction)
        where = (is_("direction", direction), *conditions)
        rate = select('mean("rate_bps")', measurement, *where, by=(STEP, tag), fill="null")
        yield InfluxQuery(ref=rate_ref, text=rate, alias=f"$tag_{tag} {said}")
        if limit:
            text = select('last("limit_bps")', measurement, *where, by=(STEP, tag), fill="none")
            yield InfluxQuery(ref=limit_ref, text=text, alias=f"$tag_{tag} {limit} ({said})")


def summed(field: str, measurement: str, *conditions: str, by: str = "link") -> str:
    """Of each step: the sum over the series of their means. A series that is silent adds nothing."""
    inner = select(f'mean("{field}") AS "one"', measurement, *conditions, by=(STEP, by))
    return select('sum("one")', f"({inner})", by=(STEP,), fill="none")


def flows_bps(tag: str, *conditions: str) -> str:
    """Flow octets of each step as bit/s, by a tag."""
    return select('sum("octets") * 8000.0 / $__interval_ms', "flow_usage", *conditions, by=(STEP, tag), fill="none")


def completeness(*conditions: str) -> str:
    """Of each step: answered readings to all that were due."""
    return select('count("oper_up") / count("reason")', "link_state", *conditions, by=(STEP,), fill="none")


def measured_share(*conditions: str) -> str:
    """Of each step: the share of its time for which uplinks have a rate; none counts as zero."""
    return select('sum("interval_s") * 1000.0 / $__interval_ms', "uplink_rate", *conditions, by=(STEP, "link"), fill="0")
