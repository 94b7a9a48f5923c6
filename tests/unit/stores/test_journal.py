"""The journal: it only grows, every entry hangs on the one before, and whoever changes it is found."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bwmgr.errors import StoreError, StoreUnavailable, UsageError
from bwmgr.model.journal import FIRST, Actor, Note, body_of, hash_of
from bwmgr.stores.journal import FILE_NAME, Journal
from bwmgr.stores.journal_check import MOST_PROBLEMS, check, head_document, read_head
from bwmgr.stores.journal_keys import SigningKey, make_key, public_path, signing_key, verifying_key

NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
TRIGGERS = ("entry_unchanged", "entry_undeleted", "entry_follows")
COPIED = "name, action, subject, body, hash, signature FROM entry"


def note(number: int, **details: object) -> Note:
    return Note(
        id=f"{number:032x}", at=NOW + timedelta(seconds=number), actor=Actor(name="budi", user="budi", role="approver"),
        action="recommendation.approved", subject=f"link-{number}", details=details,
    )  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[SigningKey, SigningKey]:
    """The organisation's, and somebody else's."""
    folder = tmp_path_factory.mktemp("keys")
    return make_key(folder / "own"), make_key(folder / "other")


@pytest.fixture
def written(tmp_path: Path, keys: tuple[SigningKey, SigningKey]) -> Path:
    """A folder with ten signed entries."""
    journal = Journal(tmp_path, keys[0])
    journal.append([note(number, mir_bps=number) for number in range(1, 11)])
    journal.close()
    return tmp_path


def tampered(folder: Path, *statements: str) -> None:
    """As somebody with the file and SQLite's shell would: the triggers are taken away first."""
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    for name in TRIGGERS:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def found(folder: Path, keys: tuple[SigningKey, SigningKey], **more: object) -> list[tuple[int, str]]:
    done = check(Journal(folder), [keys[0].public], **more)  # type: ignore[arg-type]
    return [(problem.entry, problem.code) for problem in done.problems]


def test_entries_are_chained_and_signed(written: Path, keys: tuple[SigningKey, SigningKey]) -> None:
    """Each bears the hash of the one before; SHA-256 and Ed25519 over the text alone, so that any tool can repeat it."""
    entries = Journal(written).entries()
    assert [entry.number for entry in entries] == list(range(1, 11))
    assert [entry.previous for entry in entries] == [FIRST, *(entry.hash for entry in entries[:-1])]
    assert all(hash_of(entry.body) == entry.hash and entry.key == keys[0].id for entry in entries)
    assert all(keys[0].public.signed(entry.signature, entry.hash) for entry in entries)
    done = check(Journal(written), [keys[0].public])
    assert (done.entries, done.signed, done.unsigned, done.problems) == (10, 10, 0, [])
    assert json.loads(entries[0].body)["actor"] == {"name": "budi", "role": "approver", "user": "budi"}


def test_what_was_entered_is_found_again(written: Path) -> None:
    """By time, kind, subject and how many; an entry comes back as it was given."""
    journal = Journal(written)
    (entry,) = journal.entries(subject="link-3")
    assert entry.note == note(3, mir_bps=3)
    assert [entry.number for entry in journal.entries(newest=2)] == [9, 10]
    assert [entry.number for entry in journal.entries(start=NOW + timedelta(seconds=9))] == [9, 10]
    assert len(journal.entries(action="recommendation.")) == 10
    assert journal.entries(action="recommendation_") == []
    assert journal.entries(name="sari") == []


def test_the_same_note_twice_is_one_entry(written: Path, keys: tuple[SigningKey, SigningKey]) -> None:
    """After a crash notes are given again: those that had arrived are left out, the others go on (fault 46)."""
    journal = Journal(written, keys[0])
    assert [entry.number for entry in journal.append([note(9), note(10), note(11)])] == [11]
    assert found(written, keys) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET name = 'sari' WHERE number = 3",
        "DELETE FROM entry WHERE number = 3",
        "DELETE FROM entry",
        f"INSERT OR REPLACE INTO entry SELECT 3, 'x', at, {COPIED} WHERE number = 4",
        f"INSERT OR REPLACE INTO entry SELECT 11, id, at, {COPIED} WHERE number = 4",
        f"INSERT INTO entry SELECT 13, 'x', at, {COPIED} WHERE number = 4",
    ],
)
def test_the_file_itself_refuses_changes(written: Path, statement: str) -> None:
    """Whatever program writes to it: only the next entry is taken."""
    connection = sqlite3.connect(written / FILE_NAME, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="only grows"):
        connection.execute(statement)
    connection.close()


SWAP = (
    "UPDATE entry SET number = -1 WHERE number = 4",
    "UPDATE entry SET number = 4 WHERE number = 5",
    "UPDATE entry SET number = 5 WHERE number = -1",
)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (("UPDATE entry SET body = replace(body, 'budi', 'sari') WHERE number = 3",), (3, "changed")),
        (("UPDATE entry SET name = 'sari' WHERE number = 3",), (3, "changed")),
        (("UPDATE entry SET hash = replace(hash, '0', '1') WHERE number = 3",), (3, "changed")),
        (("UPDATE entry SET body = 'x' WHERE number = 3",), (3, "unreadable")),
        (("UPDATE entry SET body = X'ff00' WHERE number = 3",), (3, "unreadable")),
        (("UPDATE entry SET signature = '' WHERE number = 3",), (3, "bad_signature")),
        (("DELETE FROM entry WHERE number = 3",), (3, "missing")),
        (("DELETE FROM entry WHERE number = 1",), (1, "missing")),
        (SWAP, (4, "misplaced")),
        (("DELETE FROM entry WHERE number > 8",), (9, "cut_off")),
    ],
)
def test_whoever_goes_around_the_triggers_is_found(
    written: Path, keys: tuple[SigningKey, SigningKey], statements: tuple[str, ...], expected: tuple[int, str]
) -> None:
    """Changed, missing, reordered, cut off: the entry is named, the first of all findings."""
    tampered(written, *statements)
    assert found(written, keys)[0] == expected


def rewritten(folder: Path, key: SigningKey | None, change: Callable[[Note], Note], *, number: int) -> None:
    """A forger's work of art: from `number` on the whole chain is made anew, by whatever key he has."""
    entries = Journal(folder).entries()
    previous = entries[number - 2].hash
    statements = []
    for entry in entries[number - 1 :]:
        body = body_of(entry.number, change(entry.note), previous, key.id if key else "")
        previous = hash_of(body)
        signature = key.sign(previous) if key else ""
        statements.append(
            f"UPDATE entry SET body = '{body}', hash = '{previous}', signature = '{signature}' WHERE number = {entry.number}"
        )
    tampered(folder, *statements)


def test_a_chain_signed_anew_by_another_key_is_found(written: Path, keys: tuple[SigningKey, SigningKey]) -> None:
    """All hashes fit; only the key is not the organisation's."""
    rewritten(written, keys[1], lambda note: note, number=7)
    assert found(written, keys) == [(number, "foreign_key") for number in (7, 8, 9, 10)]


def test_a_chain_made_anew_without_a_key_is_found(written: Path, keys: tuple[SigningKey, SigningKey]) -> None:
    """Unsigned entries are those from before the first key alone; where none is signed, a key that is known should have."""
    rewritten(written, None, lambda note: note, number=7)
    assert found(written, keys) == [(number, "unsigned") for number in (7, 8, 9, 10)]


def test_a_journal_all_of_which_lost_its_signatures_is_found(tmp_path: Path, keys: tuple[SigningKey, SigningKey]) -> None:
    """Nothing in it is signed, and the organisation has a key."""
    Journal(tmp_path).append([note(1), note(2)])
    assert found(tmp_path, keys) == [(2, "never_signed")]


def test_a_key_that_comes_later_is_no_fault(tmp_path: Path, keys: tuple[SigningKey, SigningKey]) -> None:
    """What was written before there was a key is chained to the first signed entry, and counted as unsigned."""
    Journal(tmp_path).append([note(1), note(2)])
    Journal(tmp_path, keys[0]).append([note(3)])
    done = check(Journal(tmp_path), [keys[0].public])
    assert (done.unsigned, done.signed, done.problems) == (2, 1, [])


def test_a_tail_cut_off_with_all_traces_is_found_by_a_head_kept_elsewhere(
    written: Path, keys: tuple[SigningKey, SigningKey]
) -> None:
    """SQLite's own count was set back too: the file alone is flawless, the head is not in it."""
    kept = Journal(written).head()
    assert kept is not None
    head = read_head(json.dumps(head_document(kept)), "head.json")
    assert found(written, keys, heads=[head]) == []
    tampered(written, "DELETE FROM entry WHERE number > 8", "UPDATE sqlite_sequence SET seq = 8")
    assert found(written, keys) == []
    assert found(written, keys, heads=[head]) == [(10, "cut_off")]
    Journal(written, keys[0]).append([note(number, other=True) for number in (21, 22, 23)])
    assert found(written, keys, heads=[head]) == [(10, "other_than_kept")]


def test_only_the_first_of_very_many_problems_are_listed(tmp_path: Path, keys: tuple[SigningKey, SigningKey]) -> None:
    """All are counted."""
    Journal(tmp_path, keys[1]).append([note(number) for number in range(1, 151)])
    done = check(Journal(tmp_path), [keys[0].public])
    assert (len(done.problems), done.found) == (MOST_PROBLEMS, 150)


def test_many_writers_at_once_make_one_chain(tmp_path: Path, keys: tuple[SigningKey, SigningKey]) -> None:
    """As commands and the daemon do: each with a connection of its own."""

    def write(writer: int) -> None:
        journal = Journal(tmp_path, keys[0])
        for number in range(10):
            journal.append([note(1000 * writer + number)])
        journal.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(1, 5)))
    done = check(Journal(tmp_path), [keys[0].public])
    assert (done.entries, done.problems) == (40, [])


def test_nothing_is_written_where_one_note_is_no_json(written: Path, keys: tuple[SigningKey, SigningKey]) -> None:
    """All of them or none."""
    with pytest.raises((ValueError, TypeError)):
        Journal(written, keys[0]).append([note(11), note(12, wrong=float("nan"))])
    assert len(Journal(written).entries()) == 10


def test_an_empty_journal_is_whole(tmp_path: Path) -> None:
    """Reading makes no file."""
    done = check(Journal(tmp_path), [])
    assert (done.entries, done.head, done.problems) == (0, None, [])
    assert Journal(tmp_path).head() is None
    assert not (tmp_path / FILE_NAME).exists()


def test_another_version_is_refused(written: Path) -> None:
    """In words."""
    connection = sqlite3.connect(written / FILE_NAME)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(StoreError, match="schema version 9"):
        Journal(written).entries()


def test_a_full_disk_is_said_before_anything_is_written(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with other small state (fault 45)."""
    monkeypatch.setattr("bwmgr.stores.journal.STATE_OCTETS", 1 << 62)
    with pytest.raises(StoreUnavailable, match="free some"):
        Journal(written).append([note(11)])


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """0600, made once, never overwritten; its public half beside it."""
    key = make_key(tmp_path / "journal.pem")
    assert stat.S_IMODE((tmp_path / "journal.pem").stat().st_mode) == 0o600
    assert verifying_key(public_path(tmp_path / "journal.pem")).id == key.id
    assert signing_key((tmp_path / "journal.pem").read_text(), "it").id == key.id
    with pytest.raises(UsageError, match="never overwritten"):
        make_key(tmp_path / "journal.pem")
    assert key.id in repr(key)


@pytest.mark.parametrize("text", ["", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    """With the command that makes one."""
    with pytest.raises(UsageError, match="audit key") as refused:
        signing_key(text, "/etc/bwmgr/journal.pem")
    assert "secret" not in str(refused.value)
    (tmp_path / "pub").write_text(text)
    with pytest.raises(UsageError, match="public key"):
        verifying_key(tmp_path / "pub")
    with pytest.raises(UsageError, match="audit head"):
        read_head(text, "head.json")
