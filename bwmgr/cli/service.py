"""`daemon`: runs until it is told to stop."""

from __future__ import annotations

import os
import sys

import click

from bwmgr.cli.session import Session


@click.command()
@click.pass_obj
def daemon(session: Session) -> None:
    """Poll, recommend and keep house until SIGTERM; SIGHUP reloads the configuration whole, or keeps the old one.

    Logs go to stderr, metrics and health to daemon.metrics of the configuration.
    """
    from bwmgr.daemon import logs
    from bwmgr.daemon.service import Service

    settings = session.settings
    logs.configure(settings.daemon.log_format, settings.daemon.log_level, logs.secrets_of(settings))
    with session.application() as application, application.lock():
        if not Service(application, session.load).run():
            sys.stderr.flush()
            os._exit(1)  # a thread that hangs in a cycle would keep the interpreter from ending
