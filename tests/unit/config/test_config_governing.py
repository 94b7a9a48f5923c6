"""`people:`, `approval:` and `journal:`: what they come to, what is shown of them, and what an office gets wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.config.settings import Settings
from bwmgr.errors import ConfigurationError
from bwmgr.model.people import Role
from bwmgr.stores.journal_keys import make_key

BASE = "organisation: {name: Kominfo, timezone: Asia/Jayapura}\ncalendars: {friday: {fri: '11:30-13:00'}}\n"
EVERYTHING = """\
people:
  - {id: sari, name: Sari Dewi, users: [sari, sdewi], roles: [operator]}
  - {id: budi, roles: [approver, auditor], token: {env: BWMGR_TEST_TOKEN}}
approval:
  pre_approve: {policies: [right_size], most_step: 20%, most_rate: 5M, most_per_day: 5, classes: [office]}
  freeze:
    - {start: "2026-12-24T00:00", end: "2026-12-26T00:00", reason: Natal}
    - {calendar: friday, reason: Friday prayer}
journal: {key: {file: journal.pem}, earlier_keys: [journal.pem.pub]}
"""
TOKEN = "token: {env: BWMGR_TEST_TOKEN}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizing:
    headroom_ratio: float = 0.25


def load(folder: Path, text: str) -> Settings:
    (folder / "bwmgr.yaml").write_text(BASE + text, encoding="utf-8")
    return config.load(folder / "bwmgr.yaml", policies={"right_size": Sizing, "lift": Sizing})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BWMGR_TEST_TOKEN", "s3cr3t-token-of-budi")
    make_key(tmp_path / "journal.pem")
    return tmp_path


def test_what_the_sections_come_to(folder: Path) -> None:
    """Times are in the organisation's zone, paths beside the file."""
    settings = load(folder, EVERYTHING)
    sari, budi = settings.people
    assert (sari.name, sari.users, sari.roles) == ("Sari Dewi", ("sari", "sdewi"), (Role.OPERATOR,))
    assert (budi.name, budi.roles, budi.token is not None) == ("budi", (Role.APPROVER, Role.AUDITOR), True)
    rule = settings.approval.pre_approval
    assert rule is not None
    assert (rule.most_step_ratio, rule.most_bps, rule.most_per_day, rule.classes) == (0.2, 5_000_000, 5, ("office",))
    assert settings.approval.freezes[0].start == datetime(2026, 12, 23, 15, tzinfo=UTC)
    assert settings.approval.freezes[1].calendar == "friday"
    assert settings.journal.earlier_keys == (folder / "journal.pem.pub",)


def test_left_out_nothing_changes(folder: Path) -> None:
    """No people, no rule, no freeze, no key."""
    settings = load(folder, "")
    assert (settings.people, settings.approval.pre_approval, settings.approval.freezes) == ((), None, ())
    assert settings.journal.key is None


def test_shown_loads_to_the_same_and_shows_no_secret(folder: Path) -> None:
    """Key and token only as where they come from (fault 53)."""
    settings = load(folder, EVERYTHING)
    text = config.show(settings)
    assert "s3cr3t" not in text
    assert "PRIVATE KEY" not in text
    (folder / "shown.yaml").write_text(text, encoding="utf-8")
    again = config.load(folder / "shown.yaml", policies={"right_size": Sizing, "lift": Sizing})
    assert (again.people, again.approval, again.journal) == (settings.people, settings.approval, settings.journal)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("people: [{id: a, users: [x]}]", "people.a.roles: missing"),
        ("people: [{id: a, roles: [boss], users: [x]}]", "'boss' is not known"),
        ("people: [{id: a, roles: [operator]}]", "nobody could act as this person"),
        ("people: [{id: a, roles: [operator], users: [x]}, {id: b, roles: [approver], users: [x]}]", "x is a already, at"),
        (
            "people: [{id: a, roles: [operator], users: [x]}, {id: a, roles: [approver], users: [y]}]",
            "is an id of people already",
        ),
        ("people: [{id: a, roles: [operator], token: {env: BWMGR_TEST_SHORT}}]", "shorter than 16"),
        (f"people: [{{id: a, roles: [operator], {TOKEN}}}, {{id: b, roles: [approver], {TOKEN}}}]", "is the token of a too"),
        ("people: [{id: a, roles: [operator], token: s3cr3t}]", "a secret is not written here"),
        ("approval: {pre_approve: {policies: [right_size]}}", "most_per_day: missing"),
        (
            "approval: {pre_approve: {policies: [size], most_step: 20%, most_rate: 5M, most_per_day: 5}}",
            "there is no policy 'size'",
        ),
        (
            "approval: {pre_approve: {policies: [lift], most_step: 20%, most_rate: 5M, most_per_day: 5}}",
            "a second person decides",
        ),
        (
            "approval: {pre_approve: {policies: [right_size], most_step: 120%, most_rate: 5M, most_per_day: 5}}",
            "more than the whole",
        ),
        ("approval: {freeze: [{reason: r}]}", "needs start: and end:"),
        ("approval: {freeze: [{calendar: monday, reason: r}]}", "there is no calendar 'monday'"),
        ('approval: {freeze: [{calendar: friday, start: "2026-12-24T00:00", reason: r}]}', "take one of them away"),
        ('approval: {freeze: [{start: "2026-12-24T00:00", end: "2026-12-24T00:00", reason: r}]}', "not after the start"),
        ('approval: {freeze: [{start: "2026-12-24T00:00", end: "2026-12-25T00:00"}]}', "reason: missing"),
        ("journal: {key: {env: BWMGR_TEST_TOKEN}}", "is no private key"),
        ("journal: {earlier_keys: [nowhere.pub]}", "cannot be used as a public key"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str) -> None:
    """With its line, and without the secret (faults 51 and 53)."""
    monkeypatch.setenv("BWMGR_TEST_SHORT", "s3cr3t")
    with pytest.raises(ConfigurationError) as refused:
        load(folder, text)
    assert problem in str(refused.value)
    assert f"{folder}/bwmgr.yaml:3: " in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
