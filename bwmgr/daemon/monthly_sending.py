"""The month before, closed and reported by the daemon on its day, and sent by e-mail to whom the configuration names.

Owns who was sent what: each receiver once for each revision, tried again until the server takes it; one that
it refuses is written down and not asked again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bwmgr.daemon.monthly import kept_month, the_month, was_measured
from bwmgr.daemon.monthly_due import done_key, done_mark, due_month
from bwmgr.daemon.monthly_files import AGENCIES, OFFICE_FILE, WORKBOOK_FILE, file_name, write_month
from bwmgr.errors import NotifyRefused, NotifyUnavailable
from bwmgr.language import Words
from bwmgr.model.notice import Severity
from bwmgr.notifiers import Attachment, Message, send

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.model.monthly import Month
    from bwmgr.model.notice import Receiver

BY = "daemon"
_FILES = "/files"
"""Stands among the letters once the files are written; no receiver is called so."""
_PDF = "application/pdf"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Letter:
    """What one receiver gets. `key` is its own for ever."""

    key: str
    receiver: str
    files: tuple[str, ...]
    link: str = ""


def run_due(application: Application) -> Mapping[str, float]:
    """Gives files written, e-mails sent and refused. Raises: NotifyUnavailable where a server does not answer now."""
    name, monthly = due_month(application), application.settings.documents.monthly
    if name is None or monthly is None:
        return {"files": 0.0, "sent": 0.0, "refused": 0.0}
    if kept_month(application.state, name) is None and not was_measured(application, name):
        application.state.put(done_key(name), done_mark(monthly))  # bwmgr was not there yet: nothing to close
        return {"files": 0.0, "sent": 0.0, "refused": 0.0}
    month = the_month(application, name, by=BY)
    organisation = application.inventory.organisation
    words = Words(organisation.language, organisation.timezone, organisation.currency)
    files: list[Path] = []
    if _FILES not in told(application, month):
        files = write_month(application.settings, month, folder_of(application, name), words)
        _write_down(application, month, _FILES, "")
    sent = refused = 0
    unavailable: NotifyUnavailable | None = None
    for letter in _unsent(application, month):
        try:
            _send(application, month, letter)
            sent += 1
        except NotifyRefused as error:
            refused += 1
            _write_down(application, month, letter.key, str(error))
        except NotifyUnavailable as error:
            unavailable = error
    if unavailable is not None:
        raise unavailable
    application.state.put(done_key(name), done_mark(monthly))
    return {"files": float(len(files)), "sent": float(sent), "refused": float(refused)}


def folder_of(application: Application, name: str) -> Path:
    """Where the daemon writes a month's files."""
    return application.folder / "reports" / "monthly" / name


def told(application: Application, month: Month) -> Mapping[str, str]:
    """Letter -> empty where it was sent, else why the server refused it."""
    content = application.state.get(_key(month))
    found: dict[str, str] = json.loads(content) if content else {}
    return found


def _unsent(application: Application, month: Month) -> list[_Letter]:
    done = told(application, month)
    return [letter for letter in _letters(application, month) if letter.key not in done]


def _letters(application: Application, month: Month) -> Iterator[_Letter]:
    monthly = application.settings.documents.monthly
    if monthly is None:
        return
    for receiver in monthly.email:
        yield _Letter(key=receiver, receiver=receiver, files=(OFFICE_FILE, WORKBOOK_FILE))
    known = {link.id for link in month.links}
    for link, receiver in monthly.pages.items():
        if link in known:
            yield _Letter(key=f"{receiver}:{link}", receiver=receiver, files=(f"{AGENCIES}/{file_name(link)}.pdf",), link=link)


def _send(application: Application, month: Month, letter: _Letter) -> None:
    receiver = application.settings.notify.receiver(letter.receiver)
    if receiver is None:  # the configuration was changed since it was checked
        return
    send(receiver, _message(application, month, letter, receiver))
    _write_down(application, month, letter.key, "")


def _message(application: Application, month: Month, letter: _Letter, receiver: Receiver) -> Message:
    organisation = application.inventory.organisation
    words = Words(receiver.language or organisation.language, organisation.timezone, organisation.currency)
    period = words.month(month.start)
    about = next((link.name for link in month.links if link.id == letter.link), organisation.name)
    folder = folder_of(application, month.month)
    return Message(
        id=f"month-{month.month}-{month.revision}-{letter.key.replace(':', '-')}",
        at=application.clock.now(),
        severity=Severity.INFO,
        kind="monthly",
        subject=words.text("Monthly report on internet use, {period}: {about}", period=period, about=about),
        text=words.text("The report of {period} is attached. Its figures were closed on {closed_at} and stay as they are.",
                        period=period, closed_at=month.closed_at or month.end),
        organisation=organisation.name,
        attachments=tuple(_attachment(folder, name, month.month) for name in letter.files),
    )  # fmt: skip


def _attachment(folder: Path, name: str, month: str) -> Attachment:
    path = folder / name
    kind = _XLSX if path.suffix == ".xlsx" else _PDF
    return Attachment(name=f"{month}-{path.name}", content=path.read_bytes(), kind=kind)


def _write_down(application: Application, month: Month, what: str, problem: str) -> None:
    found = {**told(application, month), what: problem}
    application.state.put(_key(month), json.dumps(found, ensure_ascii=False).encode())


def _key(month: Month) -> str:
    return f"month-sent:{month.month}:{month.revision}"
