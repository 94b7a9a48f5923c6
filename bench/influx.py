"""The InfluxDB store beside influxdb-client's own ways: points per second, and processor seconds per 100,000 points.

A cycle of 9,000 links is 27,000 points (rates of both directions, and the state). The bar: its line protocol costs at most 0.05 s
of CPU, and that of the raw counters as much again. What is sent goes to each real influxd that is installed (Debian's 1.6; 1.8
and 2.7 by tools/influxd18.sh and tools/influxd2.sh); the servers' own time counts in points per second only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bwmgr.measure.columns import RATE, READING, RateBatch
from bwmgr.stores import LINK_RATE
from bwmgr.stores.influx import InfluxStore
from bwmgr.stores.influx.counters import CounterLines
from bwmgr.stores.influx.lines import Renderer
from bwmgr.stores.influx.reading import Window
from bwmgr.stores.influx.reading import rows as stored_rows
from bwmgr.testing.influx_versions import access_to, installed, running
from bwmgr.testing.influxd import Influxd
from bwmgr.testing.influxd2 import ORGANISATION, Influxd2

BAR_CYCLE_SECONDS = 0.05
START_MS = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
_PER = 100_000
_POINTS_A_LINK = 3


@dataclass(frozen=True)
class Spent:
    """What one way cost for so many points."""

    points: int
    cpu_seconds: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.points / self.seconds:9,.0f} points/s   {self.cpu_seconds / self.points * _PER:6.3f} CPU s per 100,000 points"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="900 links: does it run")
    quick = parser.parse_args().quick
    links, cycles = (900, 5) if quick else (9000, 20)
    renderer = Renderer(_tags(links))
    cpu = _rendering(renderer, links)
    held = [_told("line protocol", links, cpu), _told("line protocol of raw counters", links, _counters(links))]
    for version in installed():
        with tempfile.TemporaryDirectory() as folder, running(version, Path(folder)) as server:
            _compare(version, server, links, cycles)
    return 0 if all(held) else 1


def cycle(links: int, number: int) -> RateBatch:
    """A minute of all links, as a poller measures it; one in a hundred is a gap."""
    random = np.random.default_rng(number)
    rows = np.zeros(links, RATE)
    rows["series"], rows["end_ms"] = np.arange(links), START_MS + number * 60_000 + random.integers(0, 60_000, links)
    for direction in ("down", "up"):
        rows[f"{direction}_limit_bps"] = random.choice([5e6, 20e6, 100e6], links)
        rows[f"{direction}_bps"] = random.random(links) * rows[f"{direction}_limit_bps"]
        rows[f"{direction}_discards_ps"] = random.choice([0, 0, 0, 0.25], links)
    rows["rtt_us"], rows["interval_ticks"] = random.integers(300, 90_000, links), random.integers(5990, 6010, links)
    rows["if_high_speed_mbps"], rows["reason"] = 1000, (random.random(links) < 0.01) * 2
    return RateBatch(series=tuple(f"link-{position:05}" for position in range(links)), rows=rows)


def _tags(links: int) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (LINK_RATE, f"link-{n:05}"): {"kind": "opd", "node": f"kec-{n % 30}", "device": f"rb-{n:05}", "opd": f"opd-{n % 40}"}
        for n in range(links)
    }


def _told(what: str, links: int, cpu: float) -> bool:
    held = cpu <= BAR_CYCLE_SECONDS
    print(f"{what} of a cycle of {links:,} links: {cpu:.3f} CPU s (bar {BAR_CYCLE_SECONDS}): {'held' if held else 'BROKEN'}")
    return held


def _counters(links: int) -> float:
    """The median CPU of a cycle's raw counters, every optional one there."""
    lines = CounterLines(
        [
            {"source": f"rb-{n:05}", "ifName": "ether1", "ifDescr": "ether1", "ifIndex": "1", "link": f"l-{n:05}"}
            for n in range(links)
        ]
    )
    spent = []
    for number in range(15):
        rows, random = np.zeros(links, READING), np.random.default_rng(number)
        rows["interface"], rows["at_ms"], rows["counter_bits"], rows["present"] = (
            np.arange(links),
            START_MS + number * 60_000,
            64,
            255,
        )
        for column in ("in_octets", "out_octets", "in_packets", "out_packets"):
            rows[column] = random.integers(0, 2**45, links)
        rows["oper_status"] = rows["admin_status"] = 1
        rows["if_high_speed_mbps"], rows["in_errors"] = 1000, random.choice([0, 0, 0, 7], links)
        began = time.process_time()
        lines.body(rows)
        spent.append(time.process_time() - began)
    return median(spent)


def _rendering(renderer: Renderer, links: int) -> float:
    """The median CPU of a cycle, prefixes cached as they are after the first one."""
    renderer.body(LINK_RATE, cycle(links, 0))
    spent = []
    for number in range(1, 16):
        batch = cycle(links, number)
        began = time.process_time()
        renderer.body(LINK_RATE, batch)
        spent.append(time.process_time() - began)
    return median(spent)


def _compare(version: str, server: Influxd | Influxd2, links: int, cycles: int) -> None:
    print(f"\nInfluxDB {version}")
    clients = [("influxdb-client, Point", _as_points), ("influxdb-client, DataFrame", _as_frame)] if version != "1.6" else []
    _ours(server, 10, 1)  # imports are not what is measured
    ways: list[tuple[str, Callable[[], Spent]]] = [
        ("ours, spool to server", lambda: _ours(server, links, cycles)),
        ("ours, read back", lambda: _read(server, links)),
        *((name, partial(_client, server, links, cycles // 5, made)) for name, made in clients),
    ]
    for name, way in ways:
        print(f"  {name:28} {way()}", flush=True)


def _ours(server: Influxd | Influxd2, links: int, cycles: int) -> Spent:
    batches = [cycle(links, number) for number in range(cycles)]
    with tempfile.TemporaryDirectory() as folder:
        store = InfluxStore(access_to(server, "ours"), Path(folder), tags=_tags(links))
        with _spent(cycles * links * _POINTS_A_LINK) as result:
            for batch in batches:
                store.write(LINK_RATE, batch)
            if not store.flush(300):
                raise SystemExit(f"not delivered: {store.spool_state()}")
        store.close()
    return result()


def _read(server: Influxd | Influxd2, links: int) -> Spent:
    """Both directions of a tenth of the links, all cycles."""
    from bwmgr.stores.embedded.layouts import layout_of
    from bwmgr.stores.influx.client import Client

    layout, client = layout_of(LINK_RATE), Client(access_to(server, "ours"))
    names = [f"link-{position:05}" for position in range(links // 10)]
    with _spent(0) as result:
        found = stored_rows(client, Window(layout=layout, dtype=layout.dtype), names)
    client.close()
    spent = result()
    return Spent(points=2 * len(found.rows), cpu_seconds=spent.cpu_seconds, seconds=spent.seconds)


def _client(server: Influxd | Influxd2, links: int, cycles: int, made: Callable[[RateBatch], dict[str, Any]]) -> Spent:
    """The client's synchronous way, rates of both directions only: it retries nothing and keeps nothing on the disk.

    1.6 does not have the endpoint that it needs.
    """
    from influxdb_client import InfluxDBClient, WritePrecision
    from influxdb_client.client.write_api import SYNCHRONOUS

    batches = [cycle(links, number) for number in range(cycles)]
    token, org, bucket = (server.token.reveal(), ORGANISATION, "ours") if isinstance(server, Influxd2) else ("", "-", "ours/")
    with InfluxDBClient(url=server.url, token=token, org=org, enable_gzip=True) as client:
        writer = client.write_api(write_options=SYNCHRONOUS)
        made(batches[0])
        with _spent(cycles * links * 2) as result:
            for batch in batches:
                writer.write(bucket=bucket, write_precision=WritePrecision.S, **made(batch))
    return result()


def _as_points(batch: RateBatch) -> dict[str, Any]:
    from influxdb_client import Point, WritePrecision

    tags, points = _tags(len(batch.rows)), []
    for row in batch.rows:
        name = batch.series[row["series"]]
        for direction in ("down", "up"):
            point = Point("client_point").tag("link", name).tag("direction", direction)
            for tag, value in tags[LINK_RATE, name].items():
                point.tag(tag, value)
            point.field("rate_bps", float(row[f"{direction}_bps"])).field("limit_bps", float(row[f"{direction}_limit_bps"]))
            point.field("discards_ps", float(row[f"{direction}_discards_ps"])).field("quality", "ok")
            points.append(point.time(int(row["end_ms"] // 1000), WritePrecision.S))
    return {"record": points}


def _as_frame(batch: RateBatch) -> dict[str, Any]:
    import pandas as pd

    rows, names = batch.rows, np.array(batch.series)[batch.rows["series"]]
    known = pd.DataFrame.from_records([tags for _, tags in sorted(_tags(len(rows)).items())])
    frames = []
    for direction in ("down", "up"):
        frame = known.assign(link=names, direction=direction, quality="ok")
        for field in ("bps", "limit_bps", "discards_ps"):
            frame[field] = rows[f"{direction}_{field}"].astype(float)
        frames.append(frame.set_index(pd.to_datetime(rows["end_ms"] // 1000, unit="s", utc=True)))
    tags = [*known.columns, "link", "direction"]
    return {"record": pd.concat(frames), "data_frame_measurement_name": "client_frame", "data_frame_tag_columns": tags}


@contextmanager
def _spent(points: int) -> Iterator[Callable[[], Spent]]:
    cpu, wall = time.process_time(), time.perf_counter()
    ended: list[float] = []
    yield lambda: Spent(points=points, cpu_seconds=ended[0], seconds=ended[1])
    ended += [time.process_time() - cpu, time.perf_counter() - wall]


if __name__ == "__main__":
    sys.exit(main())
