"""In which language the program says what went wrong: `--lang`, else the configuration's, even a refused one, else Indonesian."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bwmgr import cli, config

INDONESIAN = [
    ":2: snmp.interval: bukan lama waktu: '60'; tulis angka dan satuan, misalnya 60s, 5m, 12h, atau 30d",
    ":4: devices[0].id: belum ada; tulis id: nama pendek yang unik, misalnya dinkes",
    ":4: devices[0].prot: kunci tidak dikenal; maksud Anda 'port'?",
]
ENGLISH = [
    ":2: snmp.interval: not a duration: '60'; write a number and a unit, such as 60s, 5m, 12h or 30d",
    ":4: devices[0].id: missing; write id: a short name of its own, such as dinkes",
    ":4: devices[0].prot: unknown key; did you mean 'port'?",
]
Run = Callable[..., str]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program as its entry point does; gives what it says on stderr, having left with exit code 2."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["bwmgr", *arguments])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        out, err = capsys.readouterr()
        assert (leaving.value.code, out) == (2, "")
        return err

    return run


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str], str]:
    """A configuration with three mistakes and this of its language."""

    def write(language: str) -> str:
        path = tmp_path / "bwmgr.yaml"
        organisation = f"organisation: {{name: Kominfo{language}}}"
        lines = [organisation, "snmp: {interval: 60}", "devices:", "  - {address: 10.0.0.1, prot: 161}"]
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The starter's configuration in this language."""
    monkeypatch.setenv("SNMP_COMMUNITY", "s3cr3t-community")

    def write(language: str) -> str:
        path = tmp_path / "bwmgr.yaml"
        path.write_text(config.starter(language), encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("option", "language", "expected"),
    [
        ((), ", language: id", INDONESIAN),
        ((), ", language: en", ENGLISH),
        ((), "", INDONESIAN),
        (("--lang", "en"), ", language: id", ENGLISH),
        (("--lang", "id"), ", language: en", INDONESIAN),
    ],
    ids=["id", "en", "none", "en-asked", "id-asked"],
)
def test_a_broken_configuration_says_its_mistakes_in_its_own_language(
    refused: Run, broken: Callable[[str], str], option: tuple[str, ...], language: str, expected: list[str]
) -> None:
    """Fault 51: file, line and key stay; what is wrong and what would be right is in the language that is asked for."""
    path = broken(language)
    said = refused(*option, "-c", path, "config", "check").splitlines()
    assert [line.removeprefix(path) for line in said] == expected


def test_a_language_that_is_itself_a_mistake_is_none(refused: Run, broken: Callable[[str], str]) -> None:
    """What the file says wrongly about its language is said in Indonesian."""
    said = refused("-c", broken(", language: jv"), "config", "check")
    assert "organisation.language: 'jv' tidak dikenal; tulis salah satu dari id, en" in said


@pytest.mark.parametrize(
    ("option", "expected"),
    [((), "tidak dapat dibaca: berkas atau folder tidak ada"), (("--lang", "en"), "cannot be read: No such file or directory")],
    ids=["default", "en-asked"],
)
def test_a_missing_file_is_said_in_indonesian_by_default(
    refused: Run, tmp_path: Path, option: tuple[str, ...], expected: str
) -> None:
    """Where there is no configuration nothing says which language."""
    path = tmp_path / "none.yaml"
    assert refused(*option, "-c", str(path), "status") == f"{path}: {expected}\n"


@pytest.mark.parametrize(("language", "expected"), [("id", "dalam konfigurasi"), ("en", "in the configuration")])
def test_what_a_command_refuses_is_said_in_the_language_of_the_configuration(
    refused: Run, right: Callable[[str], str], language: str, expected: str
) -> None:
    """A question that cannot be answered: one line that names the link."""
    said = refused("-c", right(language), "usage", "nowhere")
    assert said.startswith("bwmgr: ")
    assert said.endswith(f"'nowhere' {expected}\n")


def test_what_is_asked_for_on_the_command_line_comes_first(refused: Run, right: Callable[[str], str]) -> None:
    """`--lang` rules over the configuration here too."""
    assert refused("--lang", "en", "-c", right("id"), "usage", "nowhere") == "bwmgr: no link 'nowhere' in the configuration\n"
