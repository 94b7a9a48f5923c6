"""Rates and durations as people write them, and secrets that do not show themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.model.secret import Secret
from bwmgr.model.units import duration_text, parse_duration, parse_rate, rate_text


@pytest.mark.parametrize(
    ("text", "rate_bps"),
    [
        ("10M", 10**7),
        ("1.5G", 1_500_000_000),
        ("512k", 512_000),
        ("512K", 512_000),
        ("64000", 64_000),
        (0, 0),
        ("2 Mbps", 2 * 10**6),
    ],
)
def test_rates_are_si(text: str | int, rate_bps: int) -> None:
    """Prefixes are powers of 1000; a plain number is bit/s."""
    assert parse_rate(text) == rate_bps


@pytest.mark.parametrize("text", ["-1M", "10MB", "10 Mi", "", "fast", "1.5", True, "1e6", "nan"])
def test_what_is_no_rate_is_refused(text: str | bool) -> None:
    """Negative, bytes, binary prefixes, parts of a bit and words; YAML's true is no 1."""
    with pytest.raises(ValueError, match=r"not a (rate|whole number)"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("5m", 300), ("30d", 2_592_000), ("500ms", 0.5), ("1.5h", 5400), ("1w", 604_800)]
)
def test_durations_have_a_unit(text: str, seconds: float) -> None:
    """Seconds of a number with a unit."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["60", 60, "-5m", "5 months", "", False])
def test_what_is_no_duration_is_refused(text: str | int | bool) -> None:
    """A plain number could be anything."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 10**15))
def test_a_rate_written_out_reads_back(rate_bps: int) -> None:
    """`rate_text` is exact."""
    assert parse_rate(rate_text(rate_bps)) == rate_bps


@given(st.integers(0, 10**9))
def test_a_duration_written_out_reads_back(milliseconds: int) -> None:
    """`duration_text` is exact down to a millisecond."""
    assert round(parse_duration(duration_text(milliseconds / 1000)) * 1000) == milliseconds


def test_a_secret_shows_its_source_and_never_its_text() -> None:
    """fault 53: repr, str, format and a container's repr mask it; reveal gives it."""
    secret = Secret("publik-rahasia", "env:SNMP_COMMUNITY")
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), repr(Secret("publik-rahasia"))):
        assert "rahasia" not in shown
    assert "env:SNMP_COMMUNITY" in repr(secret)
    assert secret.reveal() == "publik-rahasia"


def test_secrets_compare_by_text() -> None:
    """Two references to the same text are equal and hash alike; a secret is no string."""
    assert Secret("a", "env:A") == Secret("a", "file:b")
    assert len({Secret("a"), Secret("a", "x"), Secret("b")}) == 2
    assert Secret("a") != "a"
