"""Commands as a person or a script runs them: what is printed where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bwmgr.testing.site import OCTETS_PER_SECOND, Site

pytestmark = [pytest.mark.system, pytest.mark.clock]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.interval_seconds = 60  # on a busy machine a process begins later than three intervals of a second after another
    made.write()
    yield made
    made.close()


def test_poll_once_twice_gives_rates(site: Site) -> None:
    """State persists between two processes: the first call has only first readings, the second has rates; both exit 0."""
    first, second = site.json("poll", "--once"), site.json("poll", "--once")
    assert first["gaps"] == [{"link": f"link-{number}", "reason": "first_reading"} for number in range(3)]
    assert (first["cycle"]["devices"], first["cycle"]["answered"], first["cycle"]["links_ok"]) == (3, 3, 0)
    assert second["gaps"] == []
    assert second["cycle"] | {"started_at": "", "duration_seconds": 0} == {
        "started_at": "",
        "duration_seconds": 0,
        "devices": 3,
        "answered": 3,
        "links_ok": 3,
        "gaps": 0,
    }
    (status,) = site.json("status", "link-2")["links"]
    assert status["down_bps"] == pytest.approx(24 * OCTETS_PER_SECOND, rel=0.1)


def test_poll_says_what_is_missing_by_its_exit_code(site: Site) -> None:
    """3 where a device is silent, 1 where all are; the gaps name the link and the reason, stderr the number."""
    site.switch(1, on=False)
    part = site.run("poll", "--once", "--format", "json")
    assert part.returncode == 3
    assert {gap["link"]: gap["reason"] for gap in json.loads(part.stdout)["gaps"]}["link-1"] == "timeout"
    assert part.stderr.strip()
    for number in range(3):
        site.switch(number, on=False)
    nothing = site.run("poll", "--once", "--format", "json")
    assert nothing.returncode == 1
    assert json.loads(nothing.stdout)["cycle"]["answered"] == 0


def test_usage_prints_one_object_per_link_and_direction(site: Site) -> None:
    """All keys of the interface, in the order of the links asked for; a window without samples is told on stderr."""
    site.json("poll", "--once")
    site.json("poll", "--once")
    end = datetime.now(UTC) + timedelta(hours=1)  # rows stand a second apart at least: two polls in a hurry reach beyond now
    found = site.json("usage", "link-2", "link-0", "--end", end.isoformat())
    assert [(entry["link"], entry["direction"]) for entry in found] == [
        ("link-2", "down"),
        ("link-2", "up"),
        ("link-0", "down"),
        ("link-0", "up"),
    ]
    keys = "link direction mean_bps p95_bps max_bps octets samples coverage_ratio saturated_ratio method".split()  # noqa: SIM905
    assert set(keys) <= set(found[0])
    assert found[0]["samples"] == 1
    empty = site.run("usage", "link-0", "--start", "2020-01-01", "--end", "2020-02-01", "--format", "json")
    assert (empty.returncode, json.loads(empty.stdout)[0]["mean_bps"]) == (0, None)
    assert empty.stderr.strip()


def test_csv_is_a_table_with_a_header(site: Site) -> None:
    site.json("poll", "--once")
    rows = list(csv.DictReader(io.StringIO(site.run("status", "--format", "csv").stdout)))
    assert [row["link"] for row in rows] == ["link-0", "link-1", "link-2"]
    assert rows[0]["down_limit_bps"] == "20000000"


def test_tables_speak_the_organisations_language_or_the_one_asked_for(site: Site) -> None:
    """Indonesian by default here; `--lang en` before the command."""
    site.json("poll", "--once")
    assert "Kelengkapan data" in site.run("status").stdout
    assert "Data complete" in site.run("--lang", "en", "status").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "link-9"], "no link 'link-9'"),
        (["usage", "link-0", "--calendar", "weekend"], "no calendar 'weekend'"),
        (["usage", "link-0", "--start", "tomorrow"], "not a time"),
        (["usage", "--start", "2026-02-02", "--end", "2026-02-01"], "not after the start"),
        (["poll"], "--once"),
        (["nonsense"], "nonsense"),
    ],
)
def test_a_question_that_makes_no_sense_is_exit_code_2(site: Site, arguments: list[str], said: str) -> None:
    """One line on stderr says what is wrong; nothing on stdout."""
    done = site.run("--lang", "en", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_broken_configuration_is_exit_code_2_with_all_mistakes(site: Site) -> None:
    """Fault 51: each as file:line: key: problem, and nothing started."""
    site.write(limit="20 apples", more="surprise: 1\n")
    done = site.run("poll", "--once")
    assert done.returncode == 2
    assert sum("bwmgr.yaml:" in line for line in done.stderr.splitlines()) >= 4
    assert not (site.folder / "var").exists()


def test_a_missing_configuration_is_said_in_one_line(site: Site) -> None:
    site.path.unlink()
    done = site.run("status")
    assert done.returncode == 2
    assert "bwmgr.yaml" in done.stderr
    assert "Traceback" not in done.stderr
