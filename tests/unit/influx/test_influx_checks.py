"""What `doctor` says of an InfluxDB store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bwmgr.config.settings import StoreSettings
from bwmgr.daemon.findings import Severity
from bwmgr.daemon.influx_checks import check_influx
from bwmgr.model.secret import Secret
from bwmgr.stores import LINK_RATE
from bwmgr.stores.influx.spool import Spool
from tests.unit.influx.conftest import WriteServer, batch


def _found(url: str, folder: Path, **more: Any) -> list[tuple[str, Severity, str]]:
    settings = StoreSettings(kind="influxdb", path=folder, url=url, database="bwmgr", **more)
    return [(one.code, one.severity, one.finding.format_map(one.values)) for one in check_influx(settings)]


def test_a_store_in_the_folder_is_not_its_business(tmp_path: Path) -> None:
    assert not list(check_influx(StoreSettings(path=tmp_path)))


def test_the_server_is_named_with_its_version(write_server: WriteServer, tmp_path: Path) -> None:
    assert _found(write_server.url, tmp_path) == [("influx_server", Severity.INFO, "it is InfluxDB 1.8.10")]


def test_what_waits_and_what_was_refused_are_told(write_server: WriteServer, tmp_path: Path) -> None:
    """Beside the server, with how much and how long."""
    spool = Spool(tmp_path / "influx-spool")
    spool.add(LINK_RATE, batch(3))
    spool.quarantine([b"a b=1"], "400")
    assert [code for code, _, _ in _found(write_server.url, tmp_path)] == [
        "influx_server",
        "influx_spool",
        "influx_refused_lines",
    ]


def test_a_server_that_is_away_is_an_error(tmp_path: Path) -> None:
    """With the reason, and without the password."""
    ((code, severity, text),) = _found("http://127.0.0.1:1", tmp_path, username="noc", password=Secret("rahasia"))
    assert (code, severity) == ("influx_away", Severity.ERROR)
    assert "rahasia" not in text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [((401, '{"error":"unauthorized"}'), "influx_refuses"), ((200, '{"results":[]}'), "influx_writes_only")],
)
def test_a_server_that_cannot_be_used_is_an_error(
    write_server: WriteServer, tmp_path: Path, answer: tuple[int, str], expected: str
) -> None:
    """fault 62: what answers anything with success has not read the question; a refusal takes a person."""
    write_server.probe, write_server.version = answer, ""
    assert [(code, severity) for code, severity, _ in _found(write_server.url, tmp_path)] == [(expected, Severity.ERROR)]
