"""The outbox: once to each receiver, bounded, over restarts; a condition is told once, when it has lasted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bwmgr.errors import StoreError, StoreUnavailable
from bwmgr.model.decision import Reason
from bwmgr.model.notice import Kind, Notice, Severity
from bwmgr.stores.notices import KEPT, Addressed, Change, Outbox

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def notice(name: str, severity: Severity = Severity.WARNING, at: datetime = NOW) -> Notice:
    return Notice(
        id=name, kind=Kind.SILENCE, severity=severity, at=at, message="{device} is silent", values={"device": name, "count": 3},
        reason=Reason(code="x", message="why", values={"p95_bps": 1.5}), page="/links",
    )  # fmt: skip


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path)
    yield opened
    opened.close()


def ids(outbox: Outbox, receiver: str, now: datetime = NOW) -> list[str]:
    return [one.id for one in outbox.waiting(receiver, now)]


def test_a_notice_waits_for_each_receiver_until_it_has_arrived(outbox: Outbox) -> None:
    """As it was given; the same again is not new; what one has got the other still waits for."""
    assert outbox.add([(notice("a"), ["noc", "mail"])]) == 1
    assert outbox.add([(notice("a"), ["noc", "mail"])]) == 0
    assert outbox.waiting("noc", NOW) == [notice("a")]
    outbox.sent("noc", ["a"], NOW)
    assert (ids(outbox, "noc"), ids(outbox, "mail")) == ([], ["a"])
    assert outbox.add([(notice("a"), ["noc"])]) == 0
    assert ids(outbox, "noc") == []


def test_it_is_all_there_after_a_restart(outbox: Outbox, tmp_path: Path) -> None:
    """What waits, what has arrived, and how long a receiver is left alone (fault 46)."""
    outbox.add([(notice("a"), ["noc"]), (notice("b"), ["noc"]), (notice("c"), ["mail"])])
    outbox.sent("noc", ["a"], NOW)
    outbox.failed("mail", ["c"], "no answer", NOW, NOW + 5 * MINUTE)
    again = Outbox(tmp_path)
    assert (ids(again, "noc"), ids(again, "mail"), ids(again, "mail", NOW + 5 * MINUTE)) == (["b"], [], ["c"])
    assert (again.messages_since("noc", NOW), again.failures("mail")) == (1, 1)
    again.close()


def test_what_failed_is_tried_after_what_was_not(outbox: Outbox) -> None:
    """One that is refused for ever does not keep the others from going; a success ends the row of failures."""
    outbox.add([(notice("bad"), ["noc"]), (notice("good", at=NOW + MINUTE), ["noc"])])
    assert ids(outbox, "noc") == ["bad", "good"]
    outbox.failed("noc", ["bad"], "no", NOW, NOW)
    assert ids(outbox, "noc") == ["good", "bad"]
    outbox.sent("noc", ["good"], NOW)
    assert outbox.failures("noc") == 0
    tally = outbox.tallies()["noc"]
    assert (tally.waiting, tally.sent, tally.failed, tally.error, tally.sent_at) == (1, 1, 1, "", NOW)


def test_it_is_bounded_and_keeps_what_is_severe_and_new(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that was away for weeks does not fill the disk; what is dropped is counted."""
    monkeypatch.setattr("bwmgr.stores.notices.MOST_WAITING", 3)
    outbox.add([(notice("old", Severity.CRITICAL), ["noc"])])
    outbox.add([(notice(f"n{number}", Severity.INFO, NOW + number * MINUTE), ["noc"]) for number in range(5)])
    assert ids(outbox, "noc") == ["old", "n3", "n4"]
    assert outbox.tallies()["noc"].dropped == 3


def test_what_cannot_be_delivered_for_long_is_given_up(outbox: Outbox) -> None:
    """And counted."""
    outbox.add([(notice("a"), ["noc"]), (notice("b", at=NOW + MINUTE), ["noc"])])
    assert outbox.give_up("noc", NOW + MINUTE) == 1
    assert ids(outbox, "noc") == ["b"]
    assert outbox.tallies()["noc"].dropped == 1


def test_receivers_that_are_no_more_are_forgotten(outbox: Outbox) -> None:
    """With what waits for them; and what was settled long ago."""
    outbox.add([(notice("a"), ["noc", "gone"])])
    outbox.sent("noc", ["a"], NOW)
    outbox.tidy(["noc"], NOW)
    assert set(outbox.tallies()) == {"noc"}
    outbox.tidy(["noc"], NOW + KEPT + MINUTE)
    assert outbox.add([(notice("a"), [])]) == 1


class Teller:
    """Makes a notice of every condition, and remembers what was over."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def __call__(self, change: Change) -> Addressed:
        self.changes.append(change)
        return [(notice(f"{key} {len(self.changes)}"), ["noc"]) for key in change.told]


def test_a_condition_is_told_once_when_it_has_lasted(outbox: Outbox) -> None:
    """After its patience, with how long it stands; not again; its end is said only where its beginning was."""
    tell = Teller()
    patience = 15 * MINUTE
    assert [outbox.look("silence", ["a"], NOW + number * 5 * MINUTE, patience, tell) for number in range(6)] == [0, 0, 0, 1, 0, 0]
    assert tell.changes[3].told == {"a": patience}
    outbox.look("silence", ["b"], NOW + 30 * MINUTE, patience, tell)
    assert tell.changes[-1].over == {"a": 30 * MINUTE}
    outbox.look("silence", [], NOW + 31 * MINUTE, patience, tell)
    assert tell.changes[-1].over == {}
    assert outbox.looked_at("silence") == NOW + 31 * MINUTE


def test_what_flaps_is_not_told_again_and_again(outbox: Outbox) -> None:
    """Back within the hour is the same trouble; later it is a new one."""
    tell = Teller()
    assert outbox.look("silence", ["a"], NOW, timedelta(), tell) == 1
    outbox.look("silence", [], NOW + MINUTE, timedelta(), tell)
    assert outbox.look("silence", ["a"], NOW + 2 * MINUTE, timedelta(), tell) == 0
    outbox.look("silence", [], NOW + 3 * MINUTE, timedelta(), tell)
    assert outbox.look("silence", ["a"], NOW + 90 * MINUTE, timedelta(), tell) == 1


def test_a_short_one_begins_anew(outbox: Outbox) -> None:
    """Ten minutes silent, a minute well, ten minutes silent: never fifteen."""
    tell = Teller()
    for minute, standing in ((0, ["a"]), (10, []), (11, ["a"]), (21, ["a"])):
        assert outbox.look("silence", standing, NOW + minute * MINUTE, 15 * MINUTE, tell) == 0


def test_kinds_are_apart(outbox: Outbox) -> None:
    """What is not looked for is not over."""
    tell = Teller()
    outbox.look("silence", ["a"], NOW, timedelta(), tell)
    outbox.look("saturation", [], NOW, timedelta(), tell)
    assert tell.changes[-1].over == {}


def test_a_notice_that_cannot_be_made_leaves_its_condition_untold(outbox: Outbox) -> None:
    """All of a look or nothing of it."""

    def broken(change: Change) -> Addressed:
        raise StoreUnavailable("killed here")

    with pytest.raises(StoreUnavailable):
        outbox.look("silence", ["a"], NOW, timedelta(), broken)
    assert outbox.look("silence", ["a"], NOW, timedelta(), Teller()) == 1


def test_a_full_disk_and_another_version_are_said(outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As other state (fault 45)."""
    monkeypatch.setattr("bwmgr.stores.notices.STATE_OCTETS", 1 << 62)
    with pytest.raises(StoreUnavailable, match="free some"):
        outbox.add([(notice("a"), ["noc"])])
    with sqlite3.connect(tmp_path / "notices.sqlite") as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match="schema version 9"):
        Outbox(tmp_path)
