"""InfluxDB stores for the contract tests: one real server of each installed version, a database of its own for each test."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from bwmgr.measure.columns import RateBatch
from bwmgr.stores.influx import InfluxStore
from bwmgr.testing.influx_versions import access_to, missing, running
from bwmgr.testing.influxd import Influxd
from bwmgr.testing.influxd2 import Influxd2

_numbers = count()
_running = ExitStack()


class Delivered(InfluxStore):
    """Every write is on the server before the next step."""

    def write(self, measurement: str, batch: RateBatch) -> None:
        super().write(measurement, batch)
        assert self.flush(5.0), self.spool_state()


def opened(version: str, folder: Path, *, delivered: bool) -> InfluxStore:
    """A store on an empty database of the running server of `version`; skips where that is not installed."""
    kind = Delivered if delivered else InfluxStore
    return kind(access_to(_server(version), f"contract {next(_numbers)}"), folder)


def stop() -> None:
    """Ends what runs, and removes what it wrote."""
    _running.close()
    _server.cache_clear()


@cache
def _server(version: str) -> Influxd | Influxd2:
    if reason := missing(version):
        pytest.skip(reason)
    folder = _running.enter_context(tempfile.TemporaryDirectory(prefix="bwmgr-influxd-", ignore_cleanup_errors=True))
    return _running.enter_context(running(version, Path(folder)))
