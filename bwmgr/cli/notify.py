"""`notify`: who is told, whether it reaches them, and one round by hand."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from bwmgr.cli.output import Column, console, emit, format_option, print_table
from bwmgr.cli.session import Session


@click.group()
def notify() -> None:
    """Telling people: by Telegram, e-mail and webhook, as `notify:` of the configuration says."""


@notify.command("list")
@format_option
@click.pass_obj
def notify_list(session: Session, form: str) -> None:
    """Each receiver: what it is told, what waits for it, when it was last reached, and what went wrong."""
    from bwmgr.daemon.notify_listing import receivers

    with session.application() as application:
        documents = receivers(application)
    words = session.words

    def table() -> None:
        columns = [
            Column(heading=words.text("Receiver"), cell=lambda row: row["receiver"]),
            Column(heading=words.text("Channel"), cell=lambda row: f"{row['channel']} {row['to']}"),
            Column(heading=words.text("Severity"), cell=lambda row: row["severity"]),
            Column(heading=words.text("Digest"), cell=lambda row: row["digest"] or ""),
            Column(heading=words.text("Waiting"), right=True, cell=lambda row: words.number(row["waiting"])),
            Column(heading=words.text("Sent"), right=True, cell=lambda row: words.number(row["sent"])),
            Column(heading=words.text("Last"), cell=lambda row: words.instant(_at(row["sent_at"])) if row["sent_at"] else ""),
            Column(heading=words.text("Problem"), cell=lambda row: row["error"]),
        ]
        if documents:
            print_table(None, columns, documents)
        else:
            console().print(words.text("Nobody is told anything: add notify: to the configuration."))

    emit(form, documents, documents, table)


@notify.command("test")
@click.argument("names", metavar="[RECEIVER]...", nargs=-1)
@format_option
@click.pass_obj
def notify_test(session: Session, names: tuple[str, ...], form: str) -> None:
    """Send a test message now to RECEIVER, or to all. Exit 1: none was reached, 3: not all."""
    from bwmgr.daemon.notify_listing import try_out

    with session.application() as application:
        results = try_out(application, names, session.language)
    words = session.words

    def table() -> None:
        for one in results:
            said = words.text("reached") if one["ok"] else words.text("not reached")
            console().print(": ".join(filter(None, (one["receiver"], said, words.said(one["detail"])))))

    emit(form, results, results, table)
    if bad := sum(not one["ok"] for one in results):
        sys.exit(1 if bad == len(results) else 3)


@notify.command("run")
@format_option
@click.pass_obj
def notify_run(session: Session, form: str) -> None:
    """One round now, as the daemon does it: look for what is worth telling, and send what is due."""
    from bwmgr.daemon.notify import tell

    with session.application() as application:
        done = tell(application)
    document = {"new": done.new, "sent": dict(done.sent), "failed": dict(done.failed)}
    rows = [{"receiver": name, "sent": sent, "problem": done.failed.get(name, "")} for name, sent in done.sent.items()]

    def table() -> None:
        words = session.words
        console().print(words.text("New: {new}. Messages sent: {sent}.", new=done.new, sent=sum(done.sent.values())))
        for name, problem in done.failed.items():
            console().print(f"{name}: {words.said(problem)}")

    emit(form, document, rows, table)
    if done.failed:
        sys.exit(3)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
