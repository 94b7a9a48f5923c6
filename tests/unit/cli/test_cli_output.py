"""What commands print: one JSON document, CSV that a spreadsheet opens safely, tables; and times as people type them."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner, Result

from bwmgr.cli.instants import instant, window
from bwmgr.cli.output import Column, emit, format_option, print_table
from bwmgr.errors import UsageError

ROWS = [
    {"link": "dinkes", "name": "Dinas Kesehatan, Sampit", "down_bps": 19_800_000, "quality": ["partial"], "at": None},
    {"link": "formula", "name": "=HYPERLINK(0)", "down_bps": 0, "quality": [], "at": None},
]


@click.command()
@format_option
def show(form: str) -> None:
    def table() -> None:
        columns = [
            Column(heading="Tautan", cell=lambda row: row["name"]),
            Column(heading="%", cell=lambda row: "97,5", right=True),
        ]
        print_table("Judul", columns, ROWS)

    emit(form, {"links": ROWS}, ROWS, table)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(show, arguments)


def test_json_is_one_document() -> None:
    """Numbers stay numbers, text stays UTF-8, nothing else is on stdout."""
    assert json.loads(run("--format", "json").stdout) == {"links": ROWS}


def test_csv_has_a_header_and_no_formula() -> None:
    """A text that a spreadsheet would run as a formula is quoted; a list is JSON in its cell; None is empty."""
    rows = list(csv.DictReader(io.StringIO(run("--format", "csv").stdout)))
    assert [row["name"] for row in rows] == ["Dinas Kesehatan, Sampit", "'=HYPERLINK(0)"]
    assert (rows[0]["quality"], rows[0]["at"], rows[1]["down_bps"]) == ('["partial"]', "", "0")


def test_a_table_into_a_pipe_has_whole_cells() -> None:
    """No cell is cut where stdout is no terminal."""
    text = run().stdout
    assert "Judul" in text
    assert "Dinas Kesehatan, Sampit" in text
    assert "97,5" in text


def test_an_unknown_format_is_refused() -> None:
    assert run("--format", "xml").exit_code == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-01", datetime(2026, 1, 31, 15, tzinfo=UTC)),
        ("2026-02-01T07:30", datetime(2026, 1, 31, 22, 30, tzinfo=UTC)),
        ("2026-02-01 07:30:15", datetime(2026, 1, 31, 22, 30, 15, tzinfo=UTC)),
        ("2026-02-01T00:30:00Z", datetime(2026, 2, 1, 0, 30, tzinfo=UTC)),
        (" 2026-02-01T00:30:00+07:00 ", datetime(2026, 1, 31, 17, 30, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_the_organisations(text: str, expected: datetime) -> None:
    """Fault 58: a month of Jayapura (UTC+9) starts at 15:00 UTC of the day before."""
    assert instant(text, "Asia/Jayapura") == expected


def test_nonsense_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(UsageError, match="write 2026-02-01"):
        instant("yesterday", "Asia/Jakarta")


def test_a_window_defaults_to_the_time_before_now() -> None:
    now = datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert window(None, None, "Asia/Jakarta", now, 3600) == (datetime(2026, 3, 2, 0, tzinfo=UTC), now)


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(UsageError, match="not after the start"):
        window("2026-02-02", "2026-02-01", "Asia/Jakarta", datetime(2026, 3, 2, tzinfo=UTC), 3600)
