"""The command line's top: one clear message and the right exit code for every kind of error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bwmgr import cli
from bwmgr.cli.session import Session
from bwmgr.config.settings import Settings, StoreSettings
from bwmgr.errors import BwmgrError, ConfigurationError, Mistake, StoreLocked, UsageError
from bwmgr.model.inventory import Inventory


@pytest.fixture
def exit_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Runs `main` where the command raises; gives the exit code."""

    def run(error: BaseException) -> int:
        def command(**_: Any) -> None:
            raise error

        monkeypatch.setattr(cli, "bwmgr", command)
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        return int(leaving.value.code or 0)

    return run


def test_every_mistake_of_a_configuration_is_printed(
    exit_of: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Fault 51: all at once, file:line: key: problem; exit 2."""
    mistakes = [Mistake(file="bwmgr.yaml", line=line, key="cir", problem="above its mir") for line in (3, 9)]
    assert exit_of(ConfigurationError(mistakes)) == 2
    assert capsys.readouterr().err.splitlines() == [f"bwmgr.yaml:{line}: cir: above its mir" for line in (3, 9)]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("no link 'x'"), 2, "no link 'x'"),
        (BwmgrError("the store is away"), 1, "the store is away"),
        (
            StoreLocked("var", 4711),
            1,
            "var sedang dipakai bwmgr lain (pid 4711): hentikan bwmgr itu, atau pakai folder data lain",
        ),
    ],
)
def test_an_expected_error_is_one_line(
    exit_of: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], error: BwmgrError, code: int, said: str
) -> None:
    """Fault 50: a second daemon says the pid of the first. In Indonesian, where nothing asks for another language."""
    assert exit_of(error) == code
    assert capsys.readouterr().err == f"bwmgr: {said}\n"


def test_a_defect_is_one_line_and_a_hint(
    exit_of: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """No traceback unless asked for; exit 1."""
    assert exit_of(KeyError("surprise")) == 1
    err = capsys.readouterr().err
    assert err.startswith("bwmgr: unexpected KeyError: 'surprise'\n")
    assert "BWMGR_DEBUG=1" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback_without_secrets(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make_inventory: Callable[..., Inventory],
) -> None:
    """Fault 53: a traceback is for a bug report, so no community may be in it."""
    monkeypatch.setenv("BWMGR_DEBUG", "1")
    settings = Settings(inventory=make_inventory(), store=StoreSettings(path=Path("var")), source=Path("bwmgr.yaml"))
    session = Session(_settings=settings)
    try:
        raise RuntimeError("sending public-community failed")
    except RuntimeError as error:
        cli._report_defect(session, error)
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "sending *** failed" in err
    assert "public-community" not in err.replace('"sending public-community failed"', "")  # the source line that is quoted


def test_a_reader_that_has_gone_is_no_error(exit_of: Callable[[BaseException], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """`bwmgr status | head` ends quietly."""
    moved: list[int] = []
    monkeypatch.setattr(cli.os, "dup2", lambda _, target: moved.append(target))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=lambda: 77))
    assert exit_of(BrokenPipeError()) == 0
    assert moved == [77]
