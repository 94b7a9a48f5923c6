"""`import` and `store` as an operator types them: exit codes, what is said, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.errors import UsageError

CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: Asia/Jakarta, language: id}
store: {kind: embedded, path: var}
devices: []
nodes:
  - {id: kab, capacity: {down: 100M, up: 100M}}
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, networks: [10.20.1.0/24]}
"""
HEAD = "time,link,down_bps,up_bps\n"
GOOD = "2026-02-01T07:00:00,dinkes,100,10\n2026-02-01T07:05:00,dinkes,200,20\n"


@pytest.fixture
def office(tmp_path: Path) -> Path:
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION)
    return tmp_path


def _said(office: Path, *words: str) -> Result:
    return CliRunner().invoke(bwmgr, ["-c", str(office / "bwmgr.yaml"), *words])


def test_a_good_file_is_imported_once(office: Path) -> None:
    """Exit 0, the rows are said in Indonesian or English, and usage knows them."""
    (office / "history.csv").write_text(HEAD + GOOD)
    first, again = (_said(office, "--lang", language, "import", str(office / "history.csv")) for language in ("id", "en"))
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "2 baris diimpor" in first.stderr
    assert "2 rows imported" in again.stderr
    usage = _said(office, "usage", "dinkes", "--start", "2026-02-01", "--end", "2026-02-02", "--format", "json")
    assert [(entry["direction"], entry["samples"], entry["max_bps"]) for entry in json.loads(usage.stdout)] == [
        ("down", 2, 200),
        ("up", 2, 20),
    ]


def test_bad_rows_refuse_the_file_or_are_skipped(office: Path) -> None:
    """Exit 1 and nothing stored, or with --skip-bad exit 3; mistakes by line, and how many more."""
    (office / "history.csv").write_text(HEAD + GOOD + "2026-02-01T07:10:00,nobody,1,1\n" * 130)
    refused = _said(office, "import", str(office / "history.csv"))
    assert refused.exit_code == 1
    assert "history.csv:4: link: no link 'nobody' in the inventory" in refused.stderr
    assert "dan 30 kesalahan lagi" in refused.stderr
    assert "130 kesalahan dalam berkas" in refused.stderr
    skipped = _said(office, "import", "--skip-bad", str(office / "history.csv"))
    assert skipped.exit_code == 3
    assert "2 baris diimpor" in skipped.stderr


def test_a_file_without_the_columns_is_a_wrong_question(office: Path) -> None:
    """A UsageError, which the program's main turns into exit 2, with the columns that are needed."""
    (office / "history.csv").write_text("when,who\n1,2\n")
    done = _said(office, "import", str(office / "history.csv"))
    assert isinstance(done.exception, UsageError)
    assert "needed are time, link, down_bps, up_bps" in str(done.exception)


def test_the_folder_is_measured_compacted_and_copied(office: Path) -> None:
    """`store sizes`, `store compact` and `store backup`; a backup overwrites nothing."""
    (office / "history.csv").write_text(HEAD + GOOD)
    _said(office, "import", str(office / "history.csv"))
    compacted = _said(office, "--lang", "en", "store", "compact")
    assert compacted.exit_code == 0
    assert "1 days with 2 rows" in compacted.stderr
    sizes = json.loads(_said(office, "store", "sizes", "--format", "json").stdout)
    assert sizes["days"] == sum(path.stat().st_size for path in (office / "var").glob("*.parquet"))
    assert _said(office, "store", "backup", str(office / "copy")).exit_code == 0
    assert {path.name for path in (office / "var").glob("*.parquet")} <= {path.name for path in (office / "copy").iterdir()}
    assert _said(office, "store", "backup", str(office / "copy")).exit_code in (1, 2)
