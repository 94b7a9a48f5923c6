"""`documents:` and `trial:`: read, shown, and every mistake with its line."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
import yaml

from bwmgr.config.reading import parameter_keys
from bwmgr.config.settings import ActiveSection, DocumentsSection, MonthlySection, Settings, Signer
from bwmgr.config.shapes import TRIAL
from bwmgr.config.shown import document as shown_document
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.errors import ConfigurationError
from bwmgr.model.trial import Clauses

HEAD = "organisation: {name: Diskominfo}\n"
TEXT = """\
documents:
  templates: surat
  place: Sampit
  monthly: {day: 5, email: [kepala], pages: {dinkes: kepala}}
  signers: {trial: [{party: Pihak Kesatu, title: PPK, name: "A, S.Kom", number: NIP 1}, {party: Pihak Kedua}]}
notify: {receivers: [{id: kepala, email: {host: 127.0.0.1, from: noc@example.go.id, to: [kepala@example.go.id], security: none}}]}
links: [{id: dinkes, kind: opd, networks: [10.1.0.0/24]}]
trial: {capacity: 90%, rtt: 80ms, asked: 1h, tests: 4, active: {server: 10.9.9.9, rate: 400M, at: ["02:00", "04:30"]}}
"""


def loaded(folder: Path, text: str) -> Settings:
    (folder / "bwmgr.yaml").write_text(HEAD + text, encoding="utf-8")
    return load_settings(folder / "bwmgr.yaml")


def test_who_signs_and_what_a_trial_is_judged_by(tmp_path: Path) -> None:
    """Both sections are read, what is left out keeps its default, and `config show` says the same again."""
    (tmp_path / "surat").mkdir()
    settings = loaded(tmp_path, TEXT)
    assert settings.documents.templates == tmp_path / "surat"
    signers = settings.documents.signers["trial"]
    assert signers == (Signer(party="Pihak Kesatu", title="PPK", name="A, S.Kom", number="NIP 1"), Signer(party="Pihak Kedua"))
    assert settings.documents.monthly == MonthlySection(day=5, email=("kepala",), pages={"dinkes": "kepala"})
    assert settings.clauses == Clauses(capacity_ratio=0.9, rtt_seconds=0.08, asked_seconds=3600.0, tests=4)
    assert settings.active == ActiveSection(server="10.9.9.9", most_bps=400_000_000, at=(time(2), time(4, 30)))
    again = loaded(
        tmp_path, yaml.safe_dump({key: shown_document(settings)[key] for key in ("documents", "trial", "notify", "links")})
    )
    assert (again.documents, again.clauses, again.active) == (settings.documents, settings.clauses, settings.active)


def test_both_may_be_left_out(tmp_path: Path) -> None:
    """Without them there are defaults, no active test, and nothing is shown."""
    settings = loaded(tmp_path, "")
    assert (settings.documents, settings.clauses, settings.active) == (DocumentsSection(), Clauses(), None)
    assert not {"documents", "trial"} & set(shown_document(settings))


def test_every_clause_has_its_key() -> None:
    """A threshold that cannot be set would be a rule nobody can change."""
    assert set(parameter_keys(Clauses).values()) == set(TRIAL.fields) - {"active"}


def test_mistakes_are_named_with_their_line(tmp_path: Path) -> None:
    """A folder that is not there, a time that is none, a share above the whole: all at once."""
    text = (
        TEXT.replace("02:00", "2")
        .replace("90%", "190%")
        .replace("email: [kepala]", "email: [ketua]")
        .replace("dinkes: kep", "x: kep")
    )
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, text)
    said = str(caught.value)
    for expected in (
        "3: documents.templates: there is no folder surat",
        "9: trial.capacity: 190%",
        "9: trial.active.at",
        "no receiver 'ketua' with email",
        "no link 'x'",
    ):
        assert expected in said
