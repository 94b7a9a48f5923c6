"""init, config check, show, schema and completion as a person at a terminal uses them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr

MISTAKEN = Path(__file__).parents[2] / "cases" / "config" / "several"


def run(*arguments: str) -> Result:
    return CliRunner(env={"SNMP_COMMUNITY": "s3cr3t-community"}).invoke(bwmgr, arguments)


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The whole program, as its entry point runs it."""
    command = [sys.executable, "-c", "from bwmgr.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False, timeout=60)


@pytest.mark.parametrize(("language", "said"), [("id", "jaminan minimum"), ("en", "guaranteed")])
def test_init_writes_what_is_right(tmp_path: Path, language: str, said: str) -> None:
    """The starter passes its own check, in the language that was asked for."""
    assert run("--lang", language, "init", str(tmp_path / "new")).exit_code == 0
    path = tmp_path / "new" / "bwmgr.yaml"
    text = path.read_text(encoding="utf-8")
    assert said in text
    assert f"language: {language}\n" in text
    checked = run("-c", str(path), "config", "check")
    assert (checked.exit_code, "links 1" in checked.output) == (0, True), checked.output


def test_init_never_overwrites(tmp_path: Path) -> None:
    """A file that is there stays as it is; the command says so and fails."""
    (tmp_path / "bwmgr.yaml").write_text("mine", encoding="utf-8")
    result = program("--lang", "en", "init", str(tmp_path))
    assert result.returncode == 2
    assert "exists and is left as it is" in result.stderr
    assert (tmp_path / "bwmgr.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(("options", "expected"), [((), "expected.id.txt"), (("--lang", "en"), "expected.txt")], ids=["id", "en"])
def test_check_says_everything_at_once(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], expected: str) -> None:
    """Fault 51: exit code 2, every mistake on its line on stderr, nothing on stdout, no traceback; in both languages."""
    monkeypatch.chdir(MISTAKEN)
    result = program(*options, "config", "check")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (MISTAKEN / expected).read_text(encoding="utf-8")


def test_check_where_secrets_are_not(tmp_path: Path) -> None:
    """--no-secrets checks a file on a machine that has none of its secrets; without it each is a mistake at its line."""
    assert run("init", str(tmp_path)).exit_code == 0
    path = str(tmp_path / "bwmgr.yaml")
    assert program("-c", path, "config", "check", "--no-secrets", SNMP_COMMUNITY="").returncode == 0
    without = program("--lang", "en", "-c", path, "config", "check", SNMP_COMMUNITY="")
    assert without.returncode == 2
    assert "credentials.default.community: the environment variable SNMP_COMMUNITY is empty" in without.stderr


def test_check_as_json_and_csv(tmp_path: Path) -> None:
    """What there is, for programs."""
    run("init", str(tmp_path))
    path = str(tmp_path / "bwmgr.yaml")
    assert json.loads(run("-c", path, "config", "check", "--format", "json").output)["links"] == 1
    assert run("-c", path, "config", "check", "--format", "csv").output.splitlines()[0].startswith("links,devices")


def test_show_masks(tmp_path: Path) -> None:
    """Fault 53: secrets are shown as where they come from, as YAML and as JSON."""
    run("init", str(tmp_path))
    for form in ("yaml", "json"):
        result = run("-c", str(tmp_path / "bwmgr.yaml"), "config", "show", "--format", form)
        assert result.exit_code == 0
        assert "s3cr3t" not in result.output
        assert "SNMP_COMMUNITY" in result.output
    assert json.loads(result.output)["credentials"]["default"]["community"] == {"env": "SNMP_COMMUNITY"}


def test_schema_is_json() -> None:
    """Editors can read what is printed."""
    assert json.loads(run("config", "schema").output)["title"] == "bwmgr configuration"


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """No configuration: the file is named once, exit code 2."""
    result = program("--lang", "en", "-c", str(tmp_path / "none.yaml"), "config", "check")
    assert result.returncode == 2
    assert "none.yaml: cannot be read: No such file or directory" in result.stderr
    assert result.stderr.count("none.yaml") == 1


COMPLETE = """\
source /dev/stdin <<< "$(bwmgr completion bash)"
complete -p bwmgr > /dev/null || exit 9
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_bwmgr_completion bwmgr
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(("words", "expected"), [("bwmgr con", {"config"}), ("bwmgr config s", {"show", "schema"})])
def test_bash_completes(tmp_path: Path, words: str, expected: set[str]) -> None:
    """What `completion bash` prints, sourced by a real bash, completes commands."""
    (tmp_path / "bwmgr").write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from bwmgr.cli import main; main()' \"$@\"\n")
    (tmp_path / "bwmgr").chmod(0o755)
    script = COMPLETE.format(words=words)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert set(done.stdout.split()) == expected, done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_it(tmp_path: Path) -> None:
    """What `completion zsh` prints is a script that zsh defines its completion function from."""
    script = run("completion", "zsh").output
    (tmp_path / "c.zsh").write_text(script, encoding="utf-8")
    command = f"autoload -U compinit; compinit -u -D; source {tmp_path}/c.zsh; whence -w _bwmgr_completion"
    done = subprocess.run(["zsh", "-fc", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == "_bwmgr_completion: function"
