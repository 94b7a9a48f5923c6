"""Rates by the hour, for dashboards over months: by the server itself where it has continuous queries (1.x) or tasks (2.x) and
lets us set them up, by us elsewhere.

Owns which figures an hour has: mean, maximum, number of samples. Never a percentile: that of a month cannot be made from those of
its hours, so it is always made from the rates themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bwmgr.stores import LINK_RATE, UPLINK_RATE
from bwmgr.stores.influx.access import AccessDiffers
from bwmgr.stores.influx.client import Client, identifier
from bwmgr.stores.influx.making import ensure
from bwmgr.stores.influx.points import point
from bwmgr.stores.influx.tasks import ensure_tasks

ROLLED = {LINK_RATE: "link_rate_1h", UPLINK_RATE: "uplink_rate_1h"}
"""Measurement -> where its hours are; the same tags."""
POLICY = "rollup"
"""Retention policy of the hours on 1.x: for ever. Elsewhere they are in the bucket of the rates."""
_NO_TASKS = 3
_HOUR_SECONDS = 3600
REACH = timedelta(hours=12)
"""So far back hours are made anew each hour: what was late because the server was away is in them then."""
_FIGURES = (
    'mean("rate_bps") AS rate_bps_mean, max("rate_bps") AS rate_bps_max, max("utilisation") AS utilisation_max, '
    'count("rate_bps") AS samples'
)


def keep_rollups(client: Client, now: datetime) -> Iterator[bytes]:
    """Sees to it that 1.x and 2.x make them, and gives nothing; elsewhere, and where 2.x does not let us set up a task, gives the
    lines of the last finished hours.

    Raises: StoreUnavailable, StoreError where 1.x does not let us (continuous queries take the right to the database).
    """
    if not client.server.queries:
        return
    if client.is_version_1:
        ensure_queries(client)
    elif client.server.major == _NO_TASKS or not _by_tasks(client):
        yield from hours(client, now)


def _by_tasks(client: Client) -> bool:
    try:
        ensure(client)
        ensure_tasks(client, ROLLED, int(REACH.total_seconds()) // _HOUR_SECONDS)
    except AccessDiffers:  # a token that may read and write one bucket, and no more
        return False
    return True


def ensure_queries(client: Client) -> None:
    """Retention policy and continuous queries, where they are missing; those that are there stay as they are."""
    database = identifier(client.access.name)
    ensure(client)
    if POLICY not in _names(client, f"SHOW RETENTION POLICIES ON {database}"):
        client.run(f"CREATE RETENTION POLICY {POLICY} ON {database} DURATION INF REPLICATION 1")
    there = _names(client, "SHOW CONTINUOUS QUERIES", of=client.access.name)
    for source, target in ROLLED.items():
        if f"bwmgr_{target}" not in there:
            client.run(
                f"CREATE CONTINUOUS QUERY bwmgr_{target} ON {database} "
                f"RESAMPLE EVERY 1h FOR {int(REACH.total_seconds())}s BEGIN {into(client, source)} END"
            )


def into(client: Client, source: str, where: str = "") -> str:
    """The statement that makes the hours of a measurement on the server."""
    database = identifier(client.access.name)
    return f"SELECT {_FIGURES} INTO {database}.{POLICY}.{ROLLED[source]} FROM {source}{where} GROUP BY time(1h), *"  # noqa: S608


def hours(client: Client, now: datetime) -> Iterator[bytes]:
    """Line protocol of the finished hours within `REACH` before `now`, made here."""
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    window = f" WHERE time >= {int((end - REACH).timestamp())}s AND time < {int(end.timestamp())}s"
    for source, target in ROLLED.items():
        text = f"SELECT {_FIGURES} FROM {source}{window} GROUP BY time(1h), * fill(none)"  # noqa: S608  names of our own
        for series in client.query(text):
            tags = {name: value for name, value in series.get("tags", {}).items() if value}
            for second, mean, most, utilisation, samples in series.get("values", ()):
                fields = {
                    "rate_bps_mean": _real(mean),
                    "rate_bps_max": _real(most),
                    "utilisation_max": _real(utilisation),
                    "samples": int(samples),
                }
                yield point(target, tags, fields, datetime.fromtimestamp(second, UTC))


def _real(figure: float | None) -> float | None:
    """JSON writes 5.0 as 5; a field keeps its type."""
    return None if figure is None else float(figure)


def _names(client: Client, text: str, of: str | None = None) -> set[str]:
    return {row[0] for series in client.query(text) if of in (None, series.get("name")) for row in series.get("values", ())}
