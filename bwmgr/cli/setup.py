"""Commands before the first poll: a starter configuration, its check, what it comes to, completion for shells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bwmgr.cli.output import emit, format_option
from bwmgr.errors import UsageError, unwritable
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.cli.session import Session
    from bwmgr.config.settings import Settings
    from bwmgr.language import Words


def _words(session: Session) -> Words:
    """In the language of `--lang`, before there is a configuration that could say."""
    from bwmgr.language import Words

    return Words(session.language or "id", "Asia/Jakarta", "IDR")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def init(session: Session, folder: Path) -> None:
    """Write a starter configuration into DIR; nothing is ever overwritten."""
    from bwmgr.config import starter

    path = folder / "bwmgr.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(starter(session.language or "id"))
    except FileExistsError as error:
        raise UsageError(Said("{path} exists and is left as it is; choose another folder", path=path)) from error
    except OSError as error:
        raise UsageError(unwritable(path, error)) from error
    click.echo(_words(session).text("Written: {path}. Next:", path=str(path)))
    click.echo("  export SNMP_COMMUNITY=...")
    for command in ("discover ADDRESS", "config check", "doctor", "poll --once"):
        click.echo(f"  bwmgr -c {path} {command}")


@click.group()
def config() -> None:
    """Check and show the configuration."""


def _load(session: Session, secrets: bool) -> Settings:
    from bwmgr.daemon.policy_registry import load_settings

    return load_settings(Path(session.path), secrets=secrets)


_no_secrets = click.option("--no-secrets", is_flag=True, help="Do not look secrets up: for a machine that has none.")


@config.command()
@_no_secrets
@format_option
@click.pass_obj
def check(session: Session, no_secrets: bool, form: str) -> None:
    """Validate the configuration: every mistake with its line, exit code 2; else what there is."""
    inventory = _load(session, not no_secrets).inventory
    names = ("links", "devices", "nodes", "providers", "contracts", "calendars", "events")
    counts = {name: len(getattr(inventory, name)) for name in names}
    found = " · ".join(f"{name} {count}" for name, count in counts.items())
    emit(form, counts, [counts], lambda: click.echo(f"{session.path}: OK · {found}"))


@config.command()
@_no_secrets
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.pass_obj
def show(session: Session, no_secrets: bool, form: str) -> None:
    """Effective settings with their defaults; secrets masked."""
    from bwmgr import config as configuration
    from bwmgr.config.shown import document

    settings = _load(session, not no_secrets)
    click.echo(
        json.dumps(document(settings), ensure_ascii=False, indent=2) if form == "json" else configuration.show(settings),
        nl=form == "json",
    )


@config.command()
def schema() -> None:
    """JSON Schema of the configuration, for editors that complete and check as you type."""
    from bwmgr.config import json_schema

    click.echo(json.dumps(json_schema(), indent=1))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Completion for SHELL: `eval "$(bwmgr completion bash)"`, or into the shell's folder for it."""
    from click.shell_completion import get_completion_class

    class_ = get_completion_class(shell)
    if class_ is None:
        raise UsageError(Said("no completion for {shell}", shell=shell))
    click.echo(class_(context.find_root().command, {}, "bwmgr", "_BWMGR_COMPLETE").source())
