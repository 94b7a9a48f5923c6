"""`store copy` as an operator types it, between the folder and a real influxd, both ways."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.errors import StoreUnavailable, UsageError
from bwmgr.stores.influx import Access
from bwmgr.testing.influx_versions import VERSIONS, access_to, missing, running, store_yaml
from bwmgr.testing.influxd2 import TOKEN

pytestmark = pytest.mark.system
CONFIGURATION = """\
organisation: {{name: Diskominfo, timezone: Asia/Jakarta, language: id}}
store: {{kind: {kind}, path: {path}, {server}}}
devices: []
nodes:
  - {{id: kab, capacity: {{down: 100M, up: 100M}}}}
links:
  - {{id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, networks: [10.20.1.0/24]}}
  - {{id: dinsos, name: Dinas Sosial, kind: opd, parent: kab, networks: [10.20.2.0/24]}}
"""


class Office:
    """A folder with a configuration; `said` runs a command on it."""

    def __init__(self, folder: Path, kind: str, path: str, access: Access | None = None) -> None:
        self.file = folder / f"{kind}-{path}.yaml"
        server = store_yaml(access, "{env: COPY_PASSWORD}") if access else ""
        self.file.write_text(CONFIGURATION.format(kind=kind, path=path, server=server))

    def said(self, *words: str) -> Result:
        return CliRunner().invoke(bwmgr, ["-c", str(self.file), "--lang", "en", *words], env={"COPY_PASSWORD": TOKEN})

    def usage(self) -> object:
        done = self.said("usage", "--start", "2026-02-01", "--end", "2026-02-04", "--format", "json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.mark.parametrize("version", VERSIONS)
def test_there_and_back_again(tmp_path: Path, version: str) -> None:
    """Usage is the same in the folder, on the server, and in another folder filled from it; a second run has nothing to do."""
    if reason := missing(version):
        pytest.skip(reason)
    lines = ["time,link,down_bps,up_bps"]
    lines += [
        f"2026-02-0{day}T{hour:02}:{minute:02}:00,{link},{day * 1000 + hour * 17 + minute},{'' if minute == 35 else minute}"
        for day in (1, 2, 3)
        for hour in range(24)
        for minute in range(0, 60, 5)
        for link in ("dinkes", "dinsos")
    ]
    (tmp_path / "history.csv").write_text("\n".join(lines) + "\n")
    with running(version, tmp_path / "server") as server:
        access = access_to(server, "bwmgr")
        first = Office(tmp_path, "embedded", "var", access)
        assert first.said("import", str(tmp_path / "history.csv")).exit_code == 0
        there = first.said("store", "copy", "embedded", "influxdb")
        assert (there.exit_code, "1,728 rows of 4 days" in there.output) == (0, True), there.output
        assert Office(tmp_path, "influxdb", "var", access).usage() == first.usage()
        again = first.said("store", "copy", "embedded", "influxdb")
        assert "0 rows of 0 days copied and found again; 4 days were there already" in again.output
        back = Office(tmp_path, "embedded", "other", access)
        assert back.said("store", "copy", "influxdb", "embedded").exit_code == 0
    assert back.usage() == first.usage()


def test_what_cannot_be_copied_is_said(tmp_path: Path) -> None:
    """The same store twice, no server in the configuration, a server that is away."""
    office = Office(tmp_path, "embedded", "var")
    away = Office(tmp_path, "embedded", "away", Access(url="http://127.0.0.1:1", database="bwmgr"))
    for one, words, error, problem in (
        (office, ("embedded", "embedded"), UsageError, "are the same store"),
        (office, ("influxdb", "embedded"), UsageError, "store.url is missing"),
        (away, ("influxdb", "embedded"), StoreUnavailable, "127.0.0.1"),
    ):
        raised = one.said("store", "copy", *words).exception
        assert isinstance(raised, error)
        assert problem in str(raised)
        assert TOKEN not in str(raised)
