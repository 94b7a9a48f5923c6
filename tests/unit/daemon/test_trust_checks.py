"""What doctor says of the trail, of people and of receivers."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bwmgr.config.settings import Settings
from bwmgr.daemon import chores
from bwmgr.daemon.application import Application
from bwmgr.daemon.host_checks import check_secrets
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.daemon.trust_checks import check_trust, trusted_secrets
from bwmgr.language import Words
from bwmgr.model.notice import Kind, Notice, Severity
from bwmgr.stores.journal import FILE_NAME
from bwmgr.stores.journal_keys import make_key
from bwmgr.stores.notices import Outbox

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
BASE = "organisation: {name: Kominfo, language: en}\n"
KEY = "journal: {key: {file: journal.pem}}\n"


def settings(folder: Path, text: str) -> Settings:
    if not (folder / "journal.pem").exists():
        make_key(folder / "journal.pem")
    (folder / "bwmgr.yaml").write_text(BASE + text)
    return load_settings(folder / "bwmgr.yaml")


def codes(known: Settings) -> list[str]:
    return [finding.code for finding in check_trust(known)]


def test_a_signed_journal_and_no_receivers_are_fine(tmp_path: Path) -> None:
    """Nothing to say."""
    assert codes(settings(tmp_path, KEY)) == []


def test_an_unsigned_journal_is_said(tmp_path: Path) -> None:
    """With the command that makes a key; no fault, since everything works without."""
    (finding,) = check_trust(settings(tmp_path, ""))
    assert (finding.code, finding.severity, "audit key" in finding.advice) == ("journal_unsigned", "info", True)


def test_a_journal_that_was_taken_away_is_an_error(tmp_path: Path) -> None:
    """The state remembers its last entry."""
    known = settings(tmp_path, KEY)
    application = Application(known)
    application.trail.record("history.imported", "a.csv", by="sari")
    application.close()
    assert codes(known) == []
    for path in known.store.path.glob(f"{FILE_NAME}*"):
        path.unlink()
    assert codes(known) == ["journal_altered"]


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ("[operator]", ["role_empty", "second_person_missing"]),
        ("[operator, approver]", ["second_person_missing"]),
        ("[auditor]", ["role_empty", "role_empty"]),
    ],
)
def test_four_eyes_need_two_people(tmp_path: Path, roles: str, expected: list[str]) -> None:
    """One person with both roles can approve nothing of his own."""
    assert codes(settings(tmp_path, f"{KEY}people: [{{id: a, users: [x], roles: {roles}}}]\n")) == expected


def test_a_receiver_that_is_not_reached_is_said(tmp_path: Path) -> None:
    """With its problem and how to try it; what was given up too; reached again: nothing."""
    known = settings(tmp_path, KEY + "notify: {receivers: [{id: noc, webhook: {url: 'http://127.0.0.1:1'}}]}\n")
    outbox = Outbox(known.store.path)
    notice = Notice(id="a", kind=Kind.EVENT, severity=Severity.INFO, at=NOW, message="x")
    outbox.add([(notice, ["noc"])])
    outbox.failed("noc", ["a"], "401: Unauthorized", NOW, NOW)
    (finding,) = check_trust(known)
    said = finding.row(Words("en"))
    assert (said["code"], "1 notices wait: 401: Unauthorized" in said["finding"]) == ("receiver_unreached", True)
    assert "bwmgr notify test noc" in said["advice"]
    outbox.sent("noc", ["a"], NOW)
    assert codes(known) == []
    outbox.add([(Notice(id="b", kind=Kind.EVENT, severity=Severity.INFO, at=NOW, message="x"), ["noc"])])
    outbox.give_up("noc", NOW + timedelta(days=3))
    outbox.close()
    assert codes(known) == ["notices_dropped"]


def test_a_key_that_others_can_read_is_said(tmp_path: Path) -> None:
    """As any file of a secret."""
    known = settings(tmp_path, KEY)
    assert list(check_secrets([], tmp_path, trusted_secrets(known))) == []
    (tmp_path / "journal.pem").chmod(0o644)
    (finding,) = check_secrets([], tmp_path, trusted_secrets(known))
    assert (finding.code, finding.subject) == ("secret_exposed", str(tmp_path / "journal.pem"))


def test_the_daemon_s_daily_verification_is_seen_by_doctor(tmp_path: Path) -> None:
    """A changed entry is found though nobody types `audit verify`; mended (from a backup), it is well again."""
    known = settings(tmp_path, KEY)
    application = Application(known)
    application.trail.record("history.imported", "a.csv", by="sari")
    assert chores.audit(application) == {"entries": 1, "problems": 0}
    application.close()
    path = known.store.path / FILE_NAME
    whole = path.read_bytes()
    application = Application(known)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER entry_unchanged")
        connection.execute("UPDATE entry SET body = replace(body, 'sari', 'budi')")
    assert chores.audit(application)["problems"] > 0
    application.close()
    (finding,) = check_trust(known)
    said = finding.row(Words("en"))["finding"]
    assert (finding.code, "entry 1 was changed" in said) == ("journal_altered", True)
    for one in known.store.path.glob(f"{FILE_NAME}*"):
        one.unlink()
    path.write_bytes(whole)
    application = Application(known)
    chores.audit(application)
    application.close()
    assert codes(known) == []
