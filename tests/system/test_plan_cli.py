"""`plan` as an office runs it: the questions of two regencies, each answered by one command on its shipped configuration."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bwmgr import config
from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.daemon.application import Application
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.errors import ConfigurationError, UsageError
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.history import write_history
from bwmgr.testing.regency import Regency

pytestmark = pytest.mark.system

CONFIGS = Path(__file__).parents[2] / "configs"
END = datetime(2026, 2, 2, tzinfo=UTC)
WEEKS = 4


class Office:
    """A shipped configuration with weeks of history in a folder of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.clock = ManualClock(END)
        self.path = CONFIGS / f"{name}.yaml"
        shipped = config.load(self.path, policies=parameter_classes())
        self.settings = replace(shipped, store=replace(shipped.store, path=folder))
        application = Application(self.settings, clock=self.clock)
        regency = Regency(application.inventory, self.clock)
        write_history(application.store, regency, start=END - timedelta(weeks=WEEKS), end=END, interval_seconds=900)
        application.close()

    def run(self, *arguments: str) -> Result:
        done = self._invoke(*arguments)
        assert done.exit_code == 0, done.output
        return done

    def error(self, *arguments: str) -> str:
        """What is wrong with `plan` and these options: a mistake of the user's (exit code 2)."""
        done = self._invoke("plan", *arguments)
        assert isinstance(done.exception, UsageError | ConfigurationError)
        return str(done.exception)

    def json(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("plan", *arguments, "--format", "json").stdout)
        return found

    def _invoke(self, *arguments: str) -> Result:
        session = Session(path=str(self.path), clock=self.clock, _settings=self.settings)
        return CliRunner().invoke(bwmgr, ["-c", str(self.path), *arguments], obj=session)


@pytest.fixture(scope="module", autouse=True)
def _community() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNMP_COMMUNITY", "kata-sandi-percobaan")
        yield


@pytest.fixture(scope="module")
def bangka_barat(tmp_path_factory: pytest.TempPathFactory, _community: Any) -> Office:
    return Office("bangka-barat", tmp_path_factory.mktemp("bangka-barat"))


@pytest.fixture(scope="module")
def kotawaringin_timur(tmp_path_factory: pytest.TempPathFactory, _community: Any) -> Office:
    return Office("kotawaringin-timur", tmp_path_factory.mktemp("kotawaringin-timur"))


def test_bangka_barat_which_offer_is_the_most_efficient(bangka_barat: Office) -> None:
    """Three offers on the measured demand: all suffice, so the cheapest is chosen, and the table says so in Indonesian."""
    (root,) = bangka_barat.json()["roots"]
    offers = {offer["contract"]: offer for offer in root["offers"]}
    assert {name: offer["price_per_mbps"] for name, offer in offers.items()} == {
        "penyedia-a-2021": 3_333_333,
        "penyedia-b-2022": 2_500_000,
        "penyedia-c-2022": 2_571_429,
    }
    assert offers["penyedia-a-2021"]["current"]
    suffices = [offer for offer in offers.values() if offer["meets_target"]]
    assert root["mix"]["price_per_year"] == min(offer["price_per_year"] for offer in suffices)
    said = bangka_barat.run("plan").stdout
    assert "Paling efisien: penyedia-c-2022, Rp900.000.000 setahun." in said
    assert "Penawaran terhadap kebutuhan terukur" in said


def test_kotawaringin_timur_what_is_the_optimum(kotawaringin_timur: Office) -> None:
    """The optimum of each direction with its interval; Rp1.920.000.000 are shared out to the rupiah, used, idle and by link."""
    (root,) = kotawaringin_timur.json()["roots"]
    down, up = root["directions"]
    assert up["optimum_bps"] < down["optimum_bps"] < down["contract_bps"]
    assert down["interval"]["low_bps"] <= down["optimum_bps"] <= down["interval"]["high_bps"]
    assert down["diversity_factor"] > 1
    assert down["optimum_bps"] <= down["max_bps"]
    assert (down["weeks"], down["weeks_asked"]) == (WEEKS, 13)
    money = root["money"]
    assert money["price_per_year"] == 1_920_000_000
    assert money["used_price_per_year"] + money["idle_price_per_year"] == 1_920_000_000
    assert sum(link["used_price_per_year"] for link in root["links"]) == money["used_price_per_year"]
    sizes = [link["down"]["right_size_bps"] for link in root["links"]]
    assert sum(sizes) == down["right_sizes_bps"]
    assert len(root["links"]) == 36
    said = kotawaringin_timur.run("--lang", "en", "plan")
    assert "Optimum figure of Diskominfo" in said.stdout
    assert "4 whole weeks of history; 13 are asked for" in said.stderr


def test_a_laxer_target_buys_less(kotawaringin_timur: Office) -> None:
    """5 % unmet needs less capacity than 1 %."""
    strict, lax = (kotawaringin_timur.json("--target", target)["roots"][0]["directions"][0] for target in ("0.01", "0.05"))
    assert lax["optimum_bps"] < strict["optimum_bps"]


def test_a_strict_target_on_a_short_history_is_refused(kotawaringin_timur: Office) -> None:
    """0.1 % from four weeks is a question that cannot be answered: the message says what would do."""
    assert "needs 13 weeks of history; there are 4" in kotawaringin_timur.error("--target", "0.001")


def test_what_agencies_asked_for_stands_beside(kotawaringin_timur: Office, tmp_path: Path) -> None:
    """A CSV of requests becomes a column; the chart is an SVG; CSV out has a row for each link and direction."""
    asked, chart = tmp_path / "requests.csv", tmp_path / "plan.svg"
    asked.write_text("link,down,up\ninspektorat,50M,\n")
    done = kotawaringin_timur.run("plan", "--requests", str(asked), "--chart", str(chart), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["what"] for row in rows].count("link") == 72
    (row,) = [row for row in rows if row["id"] == "inspektorat" and row["direction"] == "down"]
    assert row["requested_bps"] == "50000000"
    assert 0 < int(row["size_bps"]) < 50_000_000
    assert chart.read_text().startswith("<?xml")
    assert "optimum" in chart.read_text()
    assert "Diusulkan" in kotawaringin_timur.run("plan", "--requests", str(asked)).stdout


def test_every_wrong_line_of_the_requests_is_named(kotawaringin_timur: Office, tmp_path: Path) -> None:
    """A rate that is none, a link twice, an unknown link and a missing column, each with file and line."""
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("link,down,up\ninspektorat,fast,1M\ninspektorat,1M,1M\n,1M,1M\n")
    done = kotawaringin_timur.error("--requests", str(wrong))
    assert f"{wrong}:2: down: not a rate" in done
    assert f"{wrong}:3: link: 'inspektorat' comes twice" in done
    assert f"{wrong}:4: link: is empty" in done
    wrong.write_text("link,down\ninspektorat,1M\n")
    assert "no column up" in kotawaringin_timur.error("--requests", str(wrong))
    wrong.write_text("link,down,up\nnobody,1M,1M\n")
    assert "not in the configuration: nobody" in kotawaringin_timur.error("--requests", str(wrong))
    assert "cannot be read" in kotawaringin_timur.error("--requests", str(tmp_path / "nowhere.csv"))


def test_a_window_without_history_says_so(kotawaringin_timur: Office) -> None:
    """Nothing stored in the window: an error, not a figure."""
    said = kotawaringin_timur.error("--start", "2020-01-01", "--end", "2020-02-01")
    assert "no link below pusat has history" in said
