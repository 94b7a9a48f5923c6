"""Every query of every dashboard, asked of real InfluxDB servers that hold the virtual regency."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bwmgr.reports.grafana.asking import answers
from bwmgr.reports.grafana.files import files
from bwmgr.testing.influxd import influxd_programs
from tests.system.grafana_servers import Loaded, loaded, target

pytestmark = pytest.mark.system


@pytest.fixture(scope="module", params=["1.6", "1.8"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    program = influxd_programs().get(request.param)
    if program is None:
        pytest.skip(f"influxd {request.param} is not installed (tools/influxd18.sh, or the package influxdb)")
    with loaded(program, tmp_path_factory.mktemp(f"influxd-{request.param}")) as found:
        yield found


def _dashboards(language: str) -> dict[str, Any]:
    return {path.stem: json.loads(text) for path, text in files(target(language)).items() if path.suffix == ".json"}


@pytest.mark.parametrize("name", sorted(_dashboards("en")))
def test_every_query_returns_rows(server: Loaded, name: str) -> None:
    """Of each panel, variable and annotation: no objection, and rows."""
    found = list(answers(_dashboards("en")[name], server.client.query, start=server.start, end=server.end))
    empty = [f"{one.asked.place}: {one.objection or 'no rows'}: {one.asked.text}" for one in found if not one.rows]
    assert found
    assert not empty, "\n".join(empty)
