"""The daemon's monthly report: on its day, to each receiver once, again where the server was away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from bwmgr.daemon.application import Application
from bwmgr.daemon.monthly import the_month
from bwmgr.daemon.monthly_due import waits
from bwmgr.daemon.monthly_sending import run_due
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.errors import NotifyUnavailable, UsageError
from bwmgr.measure.columns import RateBatch
from bwmgr.stores import LINK_RATE
from bwmgr.testing.clock import ManualClock
from tests.unit.documents.test_monthly_report import CONFIGURATION, END, history

pytest.importorskip("weasyprint", reason="the packages for PDF documents are not installed", exc_type=OSError)


class Mailbox:
    """What arrived; answers with `answer`."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd names it so
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return self.answer


class Server(Controller):
    """On a port that the kernel chose."""

    def _trigger_server(self) -> None:
        self.port = _port(self)
        super()._trigger_server()


def _port(controller: Controller) -> int:
    assert controller.server is not None
    return int(controller.server.sockets[0].getsockname()[1])


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    server = Server(box, hostname="127.0.0.1", port=0)
    server.start()
    yield box, _port(server)
    server.stop()


def configured(folder: Path, port: int, clock: ManualClock) -> Application:
    telling = f"""\
documents: {{monthly: {{day: 3, at: "06:00", email: [kepala], pages: {{dinkes: kepala}}}}}}
notify: {{receivers: [{{id: kepala, email: {{host: 127.0.0.1, port: {port}, from: noc@example.go.id, to: [kepala@example.go.id],
  security: none}}}}]}}
"""
    (folder / "bwmgr.yaml").write_text(CONFIGURATION + telling, encoding="utf-8")
    return Application(load_settings(folder / "bwmgr.yaml"), clock=clock)


def test_on_its_day_the_month_goes_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mailbox: tuple[Mailbox, int]
) -> None:
    """Not before its day and hour; a server that is busy gets it later; each letter once, with its files."""
    monkeypatch.setenv("SNMP_COMMUNITY", "publik-sekali")
    box, port = mailbox
    clock = ManualClock(END + timedelta(days=2, hours=5.9))
    with closing(configured(tmp_path, port, clock)) as application:
        application.store.write(LINK_RATE, RateBatch(series=("dinkes",), rows=history(2.0)))
        assert not waits(application)
        clock.advance(600)
        assert waits(application)
        box.answer = "451 busy"
        monkeypatch.setattr("time.sleep", lambda _: None)
        with pytest.raises(NotifyUnavailable):
            run_due(application)
        box.answer = "250 OK"
        assert run_due(application) == {"files": 0.0, "sent": 2.0, "refused": 0.0}
        assert not waits(application)
        assert run_due(application)["sent"] == 0.0
    names = [[part.get_filename() for part in mail.iter_attachments()] for mail in box.mails]
    assert names == [["2026-01-laporan.pdf", "2026-01-laporan.xlsx"], ["2026-01-dinkes.pdf"]]
    assert [mail["Subject"] for mail in box.mails] == [
        "Laporan bulanan pemakaian internet, Januari 2026: Diskominfo Kotawaringin Timur",
        "Laporan bulanan pemakaian internet, Januari 2026: Dinas Kesehatan",
    ]
    assert next(box.mails[0].iter_attachments()).get_content().startswith(b"%PDF-")
    assert (tmp_path / "var" / "reports" / "monthly" / "2026-01" / "opd" / "dinkes.pdf").exists()


def test_a_refused_letter_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mailbox: tuple[Mailbox, int]
) -> None:
    """A server's no is written down, and nobody is asked for ever."""
    monkeypatch.setenv("SNMP_COMMUNITY", "publik-sekali")
    box, port = mailbox
    box.answer = "554 no"
    with closing(configured(tmp_path, port, ManualClock(END + timedelta(days=3)))) as application:
        application.store.write(LINK_RATE, RateBatch(series=("dinkes",), rows=history(2.0)))
        assert run_due(application)["refused"] == 2.0
        assert not waits(application)


def test_a_month_before_bwmgr_came_is_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first office month has no report of the one before; asked for by hand it is said why."""
    monkeypatch.setenv("SNMP_COMMUNITY", "publik-sekali")
    with closing(configured(tmp_path, 9, ManualClock(END + timedelta(days=3)))) as application:
        assert run_due(application) == {"files": 0.0, "sent": 0.0, "refused": 0.0}
        assert not waits(application)
        with pytest.raises(UsageError, match="nothing was measured in 2026-01"):
            the_month(application, "2026-01", by="sari")
