"""A provider's file: what is read of it, and what is said of one that is wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bwmgr.daemon.provider_log import ProviderLog, read_log
from bwmgr.errors import UsageError


def read(folder: Path, text: str, form: str = "csv", unit: str | None = None) -> ProviderLog:
    (folder / "log").write_text(text)
    return read_log(folder / "log", form, unit=unit, timezone="Asia/Jakarta")


def test_mrtg_counts_octets_and_grows_coarse(tmp_path: Path) -> None:
    """Newest first, octets a second; the counters' line and the means of longer spans are left out."""
    lines = ["3000 1 2", "3000 10 20 10 20", "2700 11 21 11 21", "2400 12 22 12 22", "600 5 5 5 5"]
    found = read(tmp_path, "\n".join(lines), "mrtg")
    assert found.end_ms.tolist() == [2_700_000, 3_000_000]
    assert (found.first.tolist(), found.second.tolist()) == ([88, 80], [168, 160])
    assert (found.step_ms, found.coarse) == (300_000, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "log:1: columns time and down_bps,up_bps"),
        ("time,in,out\nsoon,1,2\nlater,1,2\n", "log:2: not a time: 'soon'"),
        ("time,in,out\n300,1,2\n600,x,2\n", "log:3: not a rate: 'x'"),
        ("time,in,out\n300,1,2\n600,-1,2\n", "log:3: not a rate: '-1'"),
        ("time,in,out\n300,1,2\n600,nan,2\n", "log:3: not a rate: 'nan'"),
        ("time,in,out\n300,1,2\n", "fewer than two rows"),
        ("", "log:1: columns time"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    """File, line, what stands there."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_a_wrong_mrtg_log_is_said_with_its_line(tmp_path: Path) -> None:
    """Three numbers where five belong; a word; a file that is not there."""
    for text, said in (("1 2 3\n300 1 2\n", "log:2: an MRTG log has five numbers"), ("1 2 3\nhello\n", "log:2: not a line")):
        with pytest.raises(UsageError) as caught:
            read(tmp_path, text, "mrtg")
        assert said in str(caught.value)
    with pytest.raises(UsageError):
        read_log(tmp_path / "none", "mrtg", unit=None, timezone="Asia/Jakarta")


def test_local_times_and_units(tmp_path: Path) -> None:
    """Local time in the organisation's zone, RFC 3339, Unix time; octets where it is said so; empty cells are left out."""
    text = "time;down_bps;up_bps\n1970-01-01 07:05;1;2\n1970-01-01T00:10:00Z;3;4\n900;;\n900;5;6\n"
    found = read(tmp_path, text, unit="octets")
    assert found.end_ms.tolist() == [300_000, 600_000, 900_000]
    assert found.first.tolist() == [8, 24, 40]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["mrtg", "csv"]))
def test_any_file_is_read_or_refused(tmp_path: Path, content: bytes, form: str) -> None:
    """Whatever the octets are: rows, or a sentence."""
    (tmp_path / "any").write_bytes(content)
    with suppress(UsageError):
        found = read_log(tmp_path / "any", form, unit=None, timezone="Asia/Jakarta")
        assert len(found.end_ms) == len(found.first) == len(found.second)
