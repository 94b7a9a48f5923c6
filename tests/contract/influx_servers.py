"""InfluxDB stores for the contract tests: one real server of each installed version, a database of its own for each test."""

from __future__ import annotations

import tempfile
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from bwmgr.measure.columns import RateBatch
from bwmgr.stores.influx import Access, InfluxStore
from bwmgr.testing.influxd import Influxd, influxd_programs

_numbers = count()
_running: list[Influxd] = []


class Delivered(InfluxStore):
    """Every write is on the server before the next step."""

    def write(self, measurement: str, batch: RateBatch) -> None:
        super().write(measurement, batch)
        assert self.flush(5.0), self.spool_state()


def opened(version: str, folder: Path, *, delivered: bool) -> InfluxStore:
    """A store on an empty database of the running server of `version`; skips where that is not installed."""
    kind = Delivered if delivered else InfluxStore
    access = Access(url=_url(version), database=f"contract {next(_numbers)}")
    return kind(access, folder)


def stop() -> None:
    """Ends what runs."""
    while _running:
        _running.pop().kill()
    _url.cache_clear()


@cache
def _url(version: str) -> str:
    program = influxd_programs().get(version)
    if program is None:
        pytest.skip(f"influxd {version} is not installed (tools/influxd18.sh, or the package influxdb)")
    server = Influxd(program, Path(tempfile.mkdtemp(prefix="bwmgr-influxd-")))
    server.start()
    _running.append(server)
    return server.url
