"""The trail as an office leaves it: each command in the journal, with who, when and why, and `audit` as an auditor types it."""

from __future__ import annotations

import json
import os
import pwd
import sqlite3
from csv import DictReader
from datetime import UTC, datetime
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.daemon.application import Application
from bwmgr.daemon.journal_config import changed, enter_configuration, enter_refusal
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.errors import ConfigurationError, Mistake, StoreUnavailable, UsageError
from bwmgr.model.journal import Actor
from bwmgr.stores.state import StateStore
from bwmgr.testing.clock import ManualClock

NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
ME = pwd.getpwuid(os.getuid()).pw_name
CONFIGURATION = """\
organisation: {name: Diskominfo Kotawaringin Timur, timezone: Asia/Jakarta, language: en}
store: {kind: embedded, path: var}
credentials: {default: {version: 2c, community: {env: COMMUNITY}}}
nodes: [{id: kab, capacity: {down: 100M, up: 100M}}]
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, networks: [10.20.1.0/24], limit: {down: 20M, up: 20M},
     cir: {down: 5M, up: 5M}, mir: {down: 50M, up: 50M}}
"""


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with a key of its own."""
    monkeypatch.setenv("COMMUNITY", "s3cr3t-community")
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(bwmgr, ["audit", "key", "journal.pem"])
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION + made.stdout)
    return tmp_path / "bwmgr.yaml"


def said(office: Path, *words: str) -> Result:
    return CliRunner().invoke(bwmgr, ["-c", str(office), *words], obj=Session(clock=ManualClock(NOW)))


def entries(office: Path, *words: str) -> list[dict[str, Any]]:
    result = said(office, "audit", "list", "--format", "json", *words)
    assert result.exception is None, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def lifted(office: Path, note: str = "rapat") -> str:
    done = said(office, "lift", "dinkes", "--down", "50M", "--until", "17:00", "--by", "sari", "--note", note, "--format", "json")
    assert done.exception is None, done.output
    return str(json.loads(done.stdout)[0]["id"])


def test_every_step_has_its_entry(office: Path) -> None:
    """Asked for, recommended, approved, ended: who, when, why, in order, signed and chained."""
    name = lifted(office)
    said(office, "recommendations", "approve", name, "--by", "budi", "--note", "setuju")
    said(office, "lift", "dinkes", "--end", "--by", "sari")
    found = entries(office)
    assert [(entry["action"], entry["actor"]["name"]) for entry in found] == [
        ("order.given", "sari"),
        ("recommendation.proposed", "sari"),
        ("recommendation.approved", "budi"),
        ("order.ended", "sari"),
    ]
    assert {(entry["actor"]["user"], entry["at"]) for entry in found} == {(ME, "2026-02-02T03:00:00.000000Z")}
    assert found[0]["details"]["note"] == "rapat"
    assert (found[2]["subject"], found[2]["details"]["note"], found[2]["details"]["from"]) == (name, "setuju", "proposed")
    assert all(entry["signature"] for entry in found)
    assert [entry["actor"]["name"] for entry in entries(office, "--act", "recommendation.", "--by", "budi")] == ["budi"]
    table = said(office, "audit", "list", "--about", name).stdout
    assert "recommendation approved" in table
    assert "note: setuju" in table


def test_verify_says_whole_and_then_names_what_was_changed(office: Path) -> None:
    """Exit 0; exit 1 with the entry, in the office's language, and as JSON."""
    name = lifted(office)
    said(office, "recommendations", "reject", name, "--by", "budi")
    whole = said(office, "audit", "verify")
    assert (whole.exit_code, "The journal is whole" in whole.stdout) == (0, True)
    connection = sqlite3.connect(office.parent / "var" / "journal.sqlite", isolation_level=None)
    connection.execute("DROP TRIGGER entry_unchanged")
    connection.execute("UPDATE entry SET body = replace(body, 'budi', 'sari') WHERE number = 3")
    connection.close()
    broken = said(office, "--lang", "id", "audit", "verify")
    assert broken.exit_code == 1
    assert "Entri 3:" in broken.stdout
    document = json.loads(said(office, "audit", "verify", "--format", "json").stdout)
    assert (document["ok"], document["problems"][0]["entry"], document["problems"][0]["code"]) == (False, 3, "changed")


def test_a_head_kept_elsewhere_finds_a_cut_end(office: Path) -> None:
    """Also where the file was put back as it had been, and the state that remembers it too."""
    lifted(office)
    folder = office.parent / "var"
    before = {path.name: path.read_bytes() for path in folder.glob("*.sqlite*")}
    said(office, "lift", "dinkes", "--end", "--by", "sari")
    assert said(office, "audit", "head", "-o", "head.json").exception is None
    assert said(office, "audit", "verify", "--head", "head.json").exit_code == 0
    for path in folder.glob("*.sqlite*"):
        path.unlink()
    for name, content in before.items():
        (folder / name).write_bytes(content)
    assert said(office, "audit", "verify").exit_code == 0
    cut = said(office, "audit", "verify", "--head", "head.json")
    assert (cut.exit_code, "cut off" in cut.stdout) == (1, True)


def test_a_journal_put_back_is_noticed_by_the_state_and_by_the_next_act(office: Path) -> None:
    """The state remembers the last entry: `verify` says so, and the next act leaves an entry about it first."""
    lifted(office)
    folder = office.parent / "var"
    before = {path.name: path.read_bytes() for path in folder.glob("journal.sqlite*")}
    said(office, "lift", "dinkes", "--end", "--by", "sari")
    for path in folder.glob("journal.sqlite*"):
        path.unlink()
    for name, content in before.items():
        (folder / name).write_bytes(content)
    assert said(office, "audit", "verify").exit_code == 1
    lifted(office, "lagi")
    assert [entry["action"] for entry in entries(office)][2:4] == ["journal.altered", "order.given"]


def test_the_auditor_s_own_key_is_believed(office: Path) -> None:
    """A public key from elsewhere: the organisation's fits, another does not."""
    lifted(office)
    CliRunner().invoke(bwmgr, ["audit", "key", "other.pem"])
    assert said(office, "audit", "verify", "--key", "journal.pem.pub").exit_code == 0
    other = said(office, "audit", "verify", "--key", "other.pem.pub")
    assert (other.exit_code, "another key" in other.stdout) == (1, True)


def test_without_a_key_entries_are_chained_and_said_to_be_unsigned(office: Path) -> None:
    """Nothing is refused; the verification says that no signature was judged."""
    office.write_text(CONFIGURATION)
    lifted(office)
    document = json.loads(said(office, "audit", "verify", "--format", "json").stdout)
    assert (document["ok"], document["signed"], document["unsigned"], document["keys"]) == (True, 0, 2, [])
    assert "signatures were not judged" in said(office, "audit", "verify").stdout


def test_csv_can_be_checked_by_anybody_and_runs_no_formula(office: Path) -> None:
    """`body` has the hash beside it; a remark that begins with = stays text."""
    lifted(office, "=HYPERLINK(1)")
    done = said(office, "audit", "export", "--format", "csv", "-o", "audit.csv", "--start", "2026-02-01")
    assert done.exception is None
    rows = list(DictReader(StringIO((office.parent / "audit.csv").read_text("utf-8-sig"))))
    assert [sha256(row["body"].encode()).hexdigest() for row in rows] == [row["hash"] for row in rows]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert [row["action"] for row in rows] == ["order.given", "recommendation.proposed"]
    assert entries(office)[-1]["action"] == "journal.exported"


def test_pdf_is_for_signing_and_filing(office: Path) -> None:
    """The verification of this moment, the head, and every entry, in the office's language."""
    pypdf = pytest.importorskip("pypdf")
    name = lifted(office)
    done = said(office, "--lang", "id", "audit", "export", "-o", "audit.pdf")
    assert done.exception is None, done.output
    pages = pypdf.PdfReader(office.parent / "audit.pdf").pages
    text = "".join("".join(page.extract_text().split()) for page in pages).lower()
    for part in ("Jejak audit", "Diskominfo Kotawaringin Timur", name, "sari", entries(office)[1]["hash"]):
        assert "".join(part.split()).lower() in text


def test_an_import_is_in_the_journal_with_the_file_s_hash(office: Path) -> None:
    """So that whoever recomputes knows which file it was."""
    text = "time,link,down_bps,up_bps\n2026-02-01T00:05:00Z,dinkes,1000,1000\n2026-02-01T00:10:00Z,dinkes,1000,1000\n"
    Path("h.csv").write_text(text)
    assert said(office, "import", "h.csv").exception is None
    (entry,) = entries(office, "--act", "history.imported")
    assert (entry["subject"], entry["details"]["sha256"]) == ("h.csv", sha256(text.encode()).hexdigest())


def test_roles_hold_for_commands(office: Path) -> None:
    """With `people:` the operator asks, is refused as an approver, and cannot sign as somebody else."""
    office.write_text(office.read_text() + f"people: [{{id: sari, users: [{ME}], roles: [operator]}}, {{id: budi, users: [budi_],"
                      " roles: [approver]}]\n")  # fmt: skip
    name = lifted(office)
    assert entries(office)[0]["actor"] == {"name": "sari", "user": ME, "role": "operator"}
    for by in ((), ("--by", "budi")):
        refused = said(office, "recommendations", "approve", name, *by)
        assert isinstance(refused.exception, UsageError)
    assert [entry["action"] for entry in entries(office)] == ["order.given", "recommendation.proposed"]


def test_an_author_under_another_name_cannot_approve(office: Path) -> None:
    """The same person with both roles is the author still."""
    lifted(office)
    office.write_text(office.read_text() + f"people: [{{id: dewi, name: sari, users: [{ME}], roles: [operator, approver]}}]\n")
    (waiting,) = json.loads(said(office, "recommendations", "list", "--format", "json").stdout)
    refused = said(office, "recommendations", "approve", waiting["id"])
    assert isinstance(refused.exception, UsageError)
    assert "is its author" in str(refused.exception)


@pytest.fixture
def application(office: Path) -> Application:
    return Application(load_settings(office), clock=ManualClock(NOW))


def test_secrets_are_never_in_the_journal(application: Application) -> None:
    """Wherever they stand in what is entered (fault 53)."""
    details = {"lines": ["set community=s3cr3t-community"], "s3cr3t-community": {"note": "is s3cr3t-community"}}
    application.trail.record("device.sending", "s3cr3t-community", details, by=Actor(name="sari"))
    (entry,) = application.trail.journal.entries()
    assert "s3cr3t" not in entry.body
    assert entry.note.details["lines"] == ["set community=***"]
    application.close()
    for path in application.folder.glob("journal.sqlite*"):
        assert b"s3cr3t" not in path.read_bytes()


def test_a_crash_between_the_two_files_loses_no_entry(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the state holds is entered by whoever comes next, once, also where it had arrived already (fault 46)."""
    application.state.put("x", b"1")
    application.trail.record("history.imported", "a.csv", by="sari")
    monkeypatch.setattr(StateStore, "entered", lambda *_: (_ for _ in ()).throw(StoreUnavailable("killed here")))
    with pytest.raises(StoreUnavailable):
        application.trail.record("history.imported", "b.csv", by="sari")
    monkeypatch.undo()
    assert len(application.state.unentered(10)) == 1
    application.close()
    assert [entry.note.subject for entry in application.trail.journal.entries()] == ["a.csv", "b.csv"]
    assert application.state.unentered(10) == []
    application.close()


def test_nothing_is_sent_where_the_journal_cannot_be_written(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the act is refused in words, and its note waits (fault 45)."""
    monkeypatch.setattr("bwmgr.stores.journal.STATE_OCTETS", 1 << 62)
    with pytest.raises(StoreUnavailable, match="free some"):
        application.trail.record("device.sending", "core", by="sari")
    assert len(application.state.unentered(10)) == 1
    monkeypatch.undo()
    application.close()


def test_the_configuration_s_changes_are_in_the_journal(office: Path) -> None:
    """Over a restart too; what was refused with its mistakes; secrets only as where they come from."""
    first = Application(load_settings(office), clock=ManualClock(NOW))
    enter_configuration(first, "config.started")
    first.close()
    office.write_text(office.read_text().replace("limit: {down: 20M, up: 20M}", "limit: {down: 30M, up: 20M}"))
    second = Application(load_settings(office), clock=ManualClock(NOW))
    enter_configuration(second, "config.reloaded")
    enter_refusal(second, ConfigurationError([Mistake(file="bwmgr.yaml", line=3, key="links", problem="wrong")]))
    one, two, three = second.trail.journal.entries()
    second.close()
    assert (one.note.action, one.note.details["changes"]) == ("config.started", [])
    assert two.note.details["changes"] == ["links.dinkes.limit.down: 20M -> 30M"]
    assert three.note.details == {"mistakes": 1, "first": ["bwmgr.yaml:3: links: wrong"]}
    assert "s3cr3t" not in one.body + two.body


def test_what_differs_is_named_by_its_path() -> None:
    """Added, taken away, changed; a list of names as a whole; very many are cut."""
    before = {"a": {"x": 1, "y": [1, 2]}, "links": [{"id": "l", "k": 1}, {"id": "m"}]}
    after = {"a": {"x": 2, "y": [1]}, "links": [{"id": "l", "k": 1, "n": "new"}]}
    assert list(changed(before, after)) == [
        "a.x: 1 -> 2",
        "a.y: [1, 2] -> [1]",
        "links.l.n: – -> new",
        'links.m: {"id": "m"} -> –',
    ]


def test_the_auditor_verifies_a_copy_on_another_machine(office: Path, tmp_path: Path) -> None:
    """The file, the public key and an old head are enough: no configuration, no data folder."""
    lifted(office)
    said(office, "audit", "head", "-o", "head.json")
    copy = tmp_path / "from-usb.sqlite"
    connection = sqlite3.connect(office.parent / "var" / "journal.sqlite")
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    words = ("audit", "verify", "--journal", str(copy), "--key", "journal.pem.pub", "--head", "head.json")
    nowhere = tmp_path / "nowhere.yaml"
    assert said(nowhere, *words).exit_code == 0
    head = json.loads(Path("head.json").read_text())
    Path("forged.json").write_text(json.dumps({**head, "hash": "0" * 64}))
    forged = said(nowhere, *words[:-1], "forged.json")
    assert (forged.exit_code, "did not sign" in forged.stdout) == (1, True)


def test_a_name_that_is_no_utf_8_is_entered_all_the_same(application: Application) -> None:
    """A file's name may hold any octets."""
    application.trail.record("history.imported", "h\udcff.csv", {"file": "h\udcff.csv"}, by="sari")
    (entry,) = application.trail.journal.entries()
    assert (entry.note.subject, entry.note.details) == ("h?.csv", {"file": "h?.csv"})
    application.close()
