"""Mistakes as an office makes them: each folder of tests/cases/config is a configuration and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.errors import ConfigurationError
from bwmgr.language import Words
from bwmgr.model.said import Said

CASES = sorted(Path(__file__).parents[2].joinpath("cases", "config").iterdir())
INDONESIAN = Words("id")


def refusal(folder: Path, policies: dict[str, type], monkeypatch: pytest.MonkeyPatch) -> ConfigurationError:
    """What `config check` finds from within the folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BWMGR_TEST_COMMUNITY", "s3cr3t-community")
    monkeypatch.setenv("BWMGR_TEST_SHORT", "k3y")
    monkeypatch.delenv("BWMGR_TEST_NONE", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        config.load(Path("bwmgr.yaml"), policies=policies)
    return caught.value


def said(folder: Path, policies: dict[str, type], monkeypatch: pytest.MonkeyPatch) -> str:
    """Every mistake on its line, as it is printed in English."""
    return f"{refusal(folder, policies, monkeypatch)}\n".replace(str(folder), "DIR")


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_what_is_said(folder: Path, policies: dict[str, type], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 51: every mistake of the file, all at once, each at its file, line and key, with what would be right."""
    assert said(folder, policies, monkeypatch) == (folder / "expected.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_what_is_said_in_indonesian(folder: Path, policies: dict[str, type], monkeypatch: pytest.MonkeyPatch) -> None:
    """No mistake that the cases hold is left in English, nor any part of one but its figures, names and samples."""
    mistakes = refusal(folder, policies, monkeypatch).mistakes
    assert [str(mistake) for mistake in mistakes if not is_translated(mistake.problem)] == []


def is_translated(problem: str) -> bool:
    """A sentence that Indonesian has other words for, as have the sentences that are among its values."""
    parts = [part for part in problem.values.values() if isinstance(part, Said)] if isinstance(problem, Said) else []
    return isinstance(problem, Said) and INDONESIAN.said(problem) != problem and all(map(is_translated, parts))


def test_no_secret_is_said(policies: dict[str, type], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 53: neither a secret written out in plain text nor one that was looked up is repeated."""
    everything = "".join(said(folder, policies, monkeypatch) for folder in CASES)
    assert [word for word in ("geheim", "s3cr3t", "k3y") if word in everything] == []


def test_there_are_many() -> None:
    """The table covers what INTERFACE section 2 forbids."""
    assert sum(len((folder / "expected.txt").read_text(encoding="utf-8").splitlines()) for folder in CASES) > 150
