"""`bwmgr --help` is quick because it loads next to nothing, and every command that it lists is there."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module

import click
import pytest

from bwmgr.cli import _COMMANDS, bwmgr

HEAVY = (
    "numpy",
    "pandas",
    "pyarrow",
    "duckdb",
    "pydantic",
    "rich",
    "matplotlib",
    "pysnmp",
    "structlog",
    "apscheduler",
    "babel",
    "prometheus_client",
    "holidays",
    "jinja2",
    "cryptography",
    "yaml",
    "sqlite3",
    "asyncio",
    "multiprocessing",
    "concurrent.futures",
    "http.server",
    "pyroute2",
    "librouteros",
    "httpx",
)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    """Asserted by what is imported, not by the clock; `bench/start.py` measures the time."""
    program = (
        "import sys, runpy; sys.argv = ['bwmgr', *sys.argv[1:]]\n"
        "try: runpy.run_module('bwmgr', run_name='__main__')\n"
        "except SystemExit: pass\n"
        f"print('LOADED', [name for name in {list(HEAVY)!r} if name in sys.modules])"
    )
    uncovered = {name: text for name, text in os.environ.items() if not name.startswith("COV")}  # it would import more
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=uncovered)
    assert done.stdout.rstrip().endswith("LOADED []"), done.stdout + done.stderr


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_listed_command_is_there(name: str) -> None:
    """Each can be loaded, has a help text, and its one-line help in the list is not empty."""
    module, attribute = _COMMANDS[name][0].split(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.help
    assert _COMMANDS[name][1]


def test_an_unknown_command_is_refused_with_exit_code_2() -> None:
    assert bwmgr.get_command(click.Context(bwmgr), "bandwidth") is None


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_lists_the_commands(shell: str) -> None:
    """What the shell's completion script asks for is answered without reading a configuration."""
    environment = {**os.environ, "_BWMGR_COMPLETE": f"{shell}_complete", "COMP_WORDS": "bwmgr st", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "bwmgr"], env=environment, capture_output=True, text=True, check=False)
    assert "status" in done.stdout
