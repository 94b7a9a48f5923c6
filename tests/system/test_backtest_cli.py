"""`backtest` as an office runs it: on a shipped configuration with a week of history."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bwmgr import config
from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.daemon.application import Application
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.errors import UsageError
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.history import write_history
from bwmgr.testing.regency import Regency

pytestmark = pytest.mark.system

CONFIGS = Path(__file__).parents[2] / "configs"
END = datetime(2026, 2, 2, tzinfo=UTC)
RULES = ["no_limits", "contract", "recent_maximum", "water_level", "common_level", "policies", "oracle"]


class Office:
    """A shipped configuration with three days of history."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.path = ManualClock(END), CONFIGS / "kotawaringin-timur.yaml"
        shipped = config.load(self.path, policies=parameter_classes())
        self.settings = replace(shipped, store=replace(shipped.store, path=folder))
        application = Application(self.settings, clock=self.clock)
        regency = Regency(application.inventory, self.clock)
        write_history(application.store, regency, start=END - timedelta(days=3), end=END, interval_seconds=900)
        application.close()

    def run(self, *arguments: str, language: str = "en") -> Result:
        session = Session(path=str(self.path), clock=self.clock, _settings=self.settings)
        return CliRunner().invoke(bwmgr, ["-c", str(self.path), "--lang", language, "backtest", *arguments], obj=session)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNMP_COMMUNITY", "kata-sandi-percobaan")
        yield Office(tmp_path_factory.mktemp("backtest"))


class TestBacktest:
    def test_json_holds_every_rule_in_both_directions_with_ratios_between_0_and_1(self, office: Office) -> None:
        """The oracle regrets nothing, changes of a limit belong to the rules that set some."""
        done = office.run("--start", "2026-01-31", "--end", "2026-02-02", "--format", "json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        assert [(row["direction"], row["rule"]) for row in found["results"]] == [(w, r) for w in ("down", "up") for r in RULES]
        for row in found["results"]:
            assert 0 <= row["unmet_ratio"] <= 1
            assert 0 <= row["satisfaction_p5_ratio"] <= 1
            assert 0 <= row["satisfaction_ratio"] <= 1
            assert row["limit_below_cir_minutes"] == 0
        oracle = found["results"][6]
        assert oracle["regret_ratio"] == 0
        assert oracle["changes_per_link_day"] is None

    def test_the_table_speaks_indonesian(self, office: Office) -> None:
        """The same figures in words of the office."""
        done = office.run("--start", "2026-02-01", "--end", "2026-02-02", "--policy", "idle", language="id")
        assert done.exit_code == 0, done.output
        assert "tanpa batas" in done.stdout
        assert "kontrak apa adanya" in done.stdout

    def test_csv_and_a_chart_that_needs_no_colour(self, office: Office, tmp_path: Path) -> None:
        """A row for each direction and rule; the picture tells rules apart by hatching and by line style."""
        chart = tmp_path / "backtest.svg"
        arguments = ("--start", "2026-02-01", "--end", "2026-02-02", "--policy", "fair_share", "--bottleneck", "fifo")
        done = office.run(*arguments, "--format", "csv", "--chart", str(chart))
        assert done.exit_code == 0, done.output
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert {row["rule"] for row in rows} == set(RULES)
        assert {row["bottleneck"] for row in rows} == {"fifo"}
        drawn = chart.read_text()
        assert "stroke-dasharray" in drawn
        assert "<pattern" in drawn

    def test_an_unknown_policy_and_a_time_without_history_are_mistakes_of_the_user(self, office: Office) -> None:
        """Both say what would be right."""
        wrong = office.run("--policy", "generous")
        assert isinstance(wrong.exception, UsageError)
        assert "right_size" in str(wrong.exception)
        early = office.run("--start", "2020-01-01", "--end", "2020-01-02")
        assert isinstance(early.exception, UsageError)
        assert "no link has history" in str(early.exception)
