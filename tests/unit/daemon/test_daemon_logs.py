"""Logs: structured, on stderr, without secrets, and not drowned by one dead device."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from bwmgr.config.settings import Settings, StoreSettings
from bwmgr.daemon import logs
from bwmgr.model.inventory import Inventory
from bwmgr.model.secret import Secret

COMMUNITY = Secret("s3cret-community", "env:SNMP_COMMUNITY")


@pytest.fixture(autouse=True)
def _default_logs_after() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_json_logs_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Constant text as `event`, data as fields, time and level beside them; nothing on stdout."""
    logs.configure("json", "info")
    structlog.get_logger().info("daemon started", links=3, name="Kecamatan Baamang\nsecond line")
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == ""
    assert json.loads(line) | {"timestamp": ""} == {
        "event": "daemon started",
        "level": "info",
        "links": 3,
        "name": "Kecamatan Baamang\nsecond line",
        "timestamp": "",
    }


def test_text_logs_stay_on_their_line_whatever_a_device_says(capsys: pytest.CaptureFixture[str]) -> None:
    """A name with a newline or a terminal's escape sequence writes no line and moves no cursor."""
    logs.configure("text", "info")
    structlog.get_logger().warning("device does not answer", detail="evil\n2026-01-01 [error] forged \x1b[2J")
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "\x1b[2J" not in err


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_reaches_a_log(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Fault 53: neither as a value, nor inside a library's message, nor in a traceback."""
    logs.configure(form, "debug", [COMMUNITY])
    log = structlog.get_logger()
    log.error("refused", community=COMMUNITY, detail=f"bad community {COMMUNITY.reveal()} from peer")
    try:
        raise ValueError(f"cannot send {COMMUNITY.reveal()}")
    except ValueError:
        log.exception("failed")
    err = capsys.readouterr().err
    assert COMMUNITY.reveal() not in err
    assert "bad community ***" in err
    assert "ValueError" in err


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text", "warning")
    structlog.get_logger().info("chatter")
    assert capsys.readouterr().err == ""


def test_secrets_of_a_configuration_are_all_its_communities_keys_and_tokens(make_inventory: Callable[..., Inventory]) -> None:
    store = StoreSettings(path=Path("var"), token=Secret("influx-token"))
    found = logs.secrets_of(Settings(inventory=make_inventory(), store=store, source=Path("bwmgr.yaml")))
    assert [secret.reveal() for secret in found] == ["influx-token", "public-community"]


def test_a_short_secret_does_not_mask_every_word() -> None:
    """A community of one letter is not searched for in texts."""
    assert logs.masked("a cat", [Secret("a")]) == "a cat"


def test_a_repeated_warning_is_due_once_an_hour_with_the_number_left_out() -> None:
    """One dead device every minute is one line an hour; another device's trouble is not held back by it."""
    now = 0.0
    repeats = logs.Repeats(lambda: now)
    assert repeats.due("silent", "router-1") == 0
    for minute in range(1, 60):
        now = 60.0 * minute
        assert repeats.due("silent", "router-1") is None
    assert repeats.due("silent", "router-2") == 0
    now = 3600.0
    assert repeats.due("silent", "router-1") == 59


def test_trouble_that_is_over_is_told_at_once_when_it_comes_again() -> None:
    repeats = logs.Repeats(lambda: 0.0)
    repeats.due("silent", "router-1")
    assert repeats.forget("silent", "router-1")
    assert not repeats.forget("silent", "router-1")
    assert repeats.due("silent", "router-1") == 0
