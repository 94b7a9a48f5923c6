"""Every query of every dashboard, asked of real InfluxDB servers that hold the virtual regency."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from bwmgr.cli import bwmgr
from bwmgr.errors import StoreUnavailable
from bwmgr.reports.grafana.alerts import rules
from bwmgr.reports.grafana.asking import answers, chosen_values, filled, rule_queries
from bwmgr.reports.grafana.board import kecamatan
from bwmgr.reports.grafana.files import dashboards
from bwmgr.testing.influx_versions import VERSIONS, missing, store_yaml
from bwmgr.testing.influxd2 import TOKEN
from tests.system.grafana_servers import Loaded, loaded, target

pytestmark = pytest.mark.system
PICTURES = Path(__file__).resolve().parents[2] / "tools" / "grafana_pictures.py"


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    if reason := missing(request.param):
        pytest.skip(reason)
    with loaded(request.param, tmp_path_factory.mktemp(f"influxd-{request.param}")) as found:
        yield found


@pytest.mark.parametrize("name", sorted(dashboards(target())))
def test_every_query_returns_rows(server: Loaded, name: str) -> None:
    """Of each panel, variable and annotation: no objection, and rows."""
    found = list(answers(dashboards(target())[name], server.client.query, start=server.start, end=server.end))
    empty = [f"{one.asked.place}: {one.objection or 'no rows'}: {one.asked.text}" for one in found if not one.rows]
    assert found
    assert not empty, "\n".join(empty)


def test_every_query_of_a_rule_returns_rows(server: Loaded) -> None:
    """Over all data, whatever span a rule looks at: the regency has not five weeks."""
    asked = list(rule_queries(rules(target())))
    counts = {
        one.place: sum(len(series["values"]) for series in server.client.query(_over_all(one.text, server))) for one in asked
    }
    assert len(counts) > 8
    assert not [place for place, rows in counts.items() if not rows]


def _over_all(text: str, server: Loaded) -> str:
    return filled(text, {}, start=server.start, end=server.end)


def test_variables_narrow(server: Loaded) -> None:
    """A kecamatan, an OPD or a link chosen: only its links come back."""
    said = target()
    panel = next(panel for panel in dashboards(said)["noc"]["panels"] if panel["title"] == "Fullest links (download)")
    every = {"kind": ".*", "kecamatan": ".*", "opd": ".*", "link": ".*"}
    place = dict(kecamatan(said))["Tirta Hulu"]
    for chosen, expected in (
        ({"kecamatan": place}, set(place.split("|"))),
        ({"opd": "dinkes"}, {"dinkes"}),
        ({"link": "(rsud)"}, {"rsud"}),
    ):
        text = filled(panel["targets"][0]["query"], every | chosen, start=server.start, end=server.end)
        assert {series["tags"]["link"] for series in server.client.query(text)} == expected


def test_check_asks_the_server(server: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`grafana check --ask` finds nothing wrong with what `grafana install` has written; without a server it fails."""
    configuration, folder = tmp_path / "bwmgr.yaml", str(tmp_path / "provisioning")
    monkeypatch.setenv("BWMGR_TEST_TOKEN", TOKEN)
    configuration.write_text(
        f"store: {{kind: influxdb, {store_yaml(server.client.access, '{env: BWMGR_TEST_TOKEN}')}}}\n"
        "organisation: {name: Diskominfo, timezone: Asia/Jakarta, language: en}\n",
        encoding="utf-8",
    )
    command = ["-c", str(configuration), "grafana"]
    assert CliRunner().invoke(bwmgr, [*command, "install", folder]).exit_code == 0
    answer = CliRunner().invoke(bwmgr, [*command, "check", folder, "--ask"])
    assert answer.exit_code == 0, answer.output
    away = CliRunner().invoke(bwmgr, [*command, "check", folder, "--ask", "--url", "http://127.0.0.1:9"])
    assert isinstance(away.exception, StoreUnavailable)


def test_every_panel_can_be_looked_at(server: Loaded, tmp_path: Path) -> None:
    """No Grafana is at hand, so tools/grafana_pictures.py draws the answers: the page that has most kinds of panels."""
    pictures = runpy.run_path(str(PICTURES))
    dashboard = dashboards(target())["opd"]
    chosen = {**chosen_values(dashboard), "link": "dinkes"}
    pictures["draw"](dashboard, partial(pictures["Answers"], server=server, chosen=chosen), tmp_path / "opd.png")
    assert (tmp_path / "opd.png").stat().st_size > 20_000
