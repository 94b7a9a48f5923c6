"""Each channel against a real server on loopback: what arrives, what is tried again, what is a person's to mend."""

from __future__ import annotations

import json
import logging
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from bwmgr.errors import NotifyError, NotifyRefused, NotifyUnavailable
from bwmgr.language import Words
from bwmgr.model.notice import Email, Receiver, Severity, Telegram, Webhook
from bwmgr.model.secret import Secret
from bwmgr.notifiers import Message, send
from bwmgr.testing.bot_api import WebPeer

TOKEN = "123456:AAs3cr3t-token"
MESSAGE = Message(
    id="0123456789abcdef", at=datetime(2026, 3, 2, 1, 0, tzinfo=UTC), severity=Severity.WARNING, kind="silence",
    subject="Diskominfo: rtr-dinkes tidak menjawab", text="rtr-dinkes tidak menjawab sejak 08.00 WIB. https://bwmgr.example/links",
    link="https://bwmgr.example/links", organisation="Diskominfo",
)  # fmt: skip


class Waited:
    """In place of sleeping: remembers for how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def peer() -> Iterator[WebPeer]:
    with WebPeer(TOKEN) as opened:
        yield opened


def telegram(peer: WebPeer, token: str = TOKEN, chat: str = "-100123") -> Receiver:
    return Receiver(id="noc", channel=Telegram(token=Secret(token), chat=chat, api=peer.url))


def hook(peer: WebPeer, **more: Any) -> Receiver:
    return Receiver(id="wa", channel=Webhook(**{"url": f"{peer.url}/send", **more}))


def test_a_telegram_message_arrives_as_plain_text(peer: WebPeer) -> None:
    """No markup: a link called `*` or `<b>` is only a name; no preview of the page behind the link."""
    assert send(telegram(peer), MESSAGE) == ""
    ((_, _, body),) = peer.requests
    assert json.loads(body) == {"chat_id": "-100123", "text": MESSAGE.text, "link_preview_options": {"is_disabled": True}}


def test_telegram_s_429_is_obeyed(peer: WebPeer) -> None:
    """A short wait is waited, a long one is left to the next round with the seconds that it said."""
    waited = Waited()
    peer.too_many(3)
    assert send(telegram(peer), MESSAGE, sleep=waited) == ""
    assert waited.seconds == [3.0]
    peer.too_many(35)
    with pytest.raises(NotifyUnavailable, match="retry after 35") as later:
        send(telegram(peer), MESSAGE, sleep=waited)
    assert (later.value.retry_after_seconds, waited.seconds) == (35.0, [3.0])


def test_a_server_that_is_ill_is_tried_again(peer: WebPeer) -> None:
    """Twice ill, then well; three times ill is for later."""
    waited = Waited()
    for _ in range(2):
        peer.say(502, "<html>Bad Gateway</html>")
    assert send(telegram(peer), MESSAGE, sleep=waited) == ""
    assert waited.seconds == [0.5, 1.0]
    for _ in range(3):
        peer.say(500)
    with pytest.raises(NotifyUnavailable):
        send(telegram(peer), MESSAGE, sleep=waited)


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was kicked from the group chat"}, "was kicked"),
        (400, {"ok": False, "description": "x", "parameters": {"migrate_to_chat_id": -1009}}, 'write chat: "-1009"'),
        (404, "not json", "nothing that its Bot API would say"),
        (302, "", "302"),
    ],
)
def test_what_a_person_must_mend_is_not_tried_again(peer: WebPeer, status: int, body: Any, problem: str) -> None:
    """Once asked, refused with what would be right."""
    peer.say(status, body)
    with pytest.raises(NotifyRefused, match=problem):
        send(telegram(peer), MESSAGE, sleep=Waited())
    assert len(peer.requests) == 1


def test_a_wrong_token_or_chat_is_refused(peer: WebPeer) -> None:
    """As the Bot API does."""
    with pytest.raises(NotifyRefused, match="401: Unauthorized"):
        send(telegram(peer, token="1:wrong"), MESSAGE)
    with pytest.raises(NotifyRefused, match="chat not found"):
        send(telegram(peer, chat="-5"), MESSAGE)


def test_a_long_text_is_cut_to_what_telegram_takes(peer: WebPeer) -> None:
    """4096 UTF-16 units, also where each character takes two."""
    for text in ("x" * 5000, "📡" * 3000):
        assert send(telegram(peer), Message(**{**_fields(MESSAGE), "text": text})) == ""
    assert [len(text.encode("utf-16-le")) // 2 for text in peer.texts] == [4096, 4095]


def _fields(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__dataclass_fields__}


@pytest.mark.parametrize("trouble", ["refused", "answered", "moved", "nonsense"])
def test_the_token_is_in_no_error_and_no_log(
    peer: WebPeer, trouble: str, caplog: pytest.LogCaptureFixture, free_port: int
) -> None:
    """It stands in the URL; libraries like to show URLs; a server may repeat it (fault 53)."""
    caplog.set_level(logging.DEBUG)
    receiver = telegram(peer)
    if trouble == "refused":
        receiver = Receiver(id="noc", channel=Telegram(token=Secret(TOKEN), chat="1", api=f"http://127.0.0.1:{free_port}"))
    elif trouble == "answered":
        peer.say(400, {"ok": False, "description": f"no bot {TOKEN}"})
    elif trouble == "moved":
        peer.say(301, f"moved to {TOKEN}", Location=f"http://x/{TOKEN}")
    else:
        receiver = Receiver(id="noc", channel=Telegram(token=Secret(TOKEN), chat="1", api="http://127.0.0.1:99999"))
    with pytest.raises(NotifyError) as failed:
        send(receiver, MESSAGE, sleep=Waited())
    chain = [failed.value, failed.value.__cause__]
    assert failed.value.__suppress_context__
    assert TOKEN not in "".join(map(repr, chain)) + caplog.text + repr(receiver)


@pytest.fixture
def free_port() -> int:
    """Where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_a_webhook_gets_everything_there_is_to_say(peer: WebPeer) -> None:
    """Without a template: one JSON object; the header that a gateway asks for; the same key where it is sent again."""
    assert send(hook(peer, headers={"Authorization": Secret("s3cr3t")}), MESSAGE) == ""
    ((path, headers, body),) = peer.requests
    assert (path, headers["Authorization"], headers["Idempotency-Key"]) == ("/send", "s3cr3t", MESSAGE.id)
    said = json.loads(body)
    assert (said["text"], said["severity"], said["at"]) == (MESSAGE.text, "warning", "2026-03-02T01:00:00Z")


def test_a_whatsapp_gateway_gets_what_it_asks_for(peer: WebPeer) -> None:
    """By a template; a name with quotes stays inside its text."""
    template = '{"target": "62811", "message": {{ text | tojson }}}'
    message = Message(**{**_fields(MESSAGE), "text": 'SMA "1"\n}, {"target": "1"'})
    send(hook(peer, template=template), message)
    assert json.loads(peer.requests[0][2]) == {"target": "62811", "message": message.text}
    send(
        hook(peer, template="target=62811&message={{ text | urlencode }}", content_type="application/x-www-form-urlencoded"),
        MESSAGE,
    )
    assert peer.requests[1][2].startswith(b"target=62811&message=rtr-dinkes%20tidak")


@pytest.mark.parametrize(
    ("template", "problem"),
    [('{"a": {{ text }}}', "gives no JSON"), ("{{ nothing }}", "'nothing' is undefined"), ("{{ text.__class__ }}", "unsafe")],
)
def test_a_template_that_cannot_be_filled_in_is_said(peer: WebPeer, template: str, problem: str) -> None:
    """And nothing is sent."""
    with pytest.raises(NotifyRefused, match=problem):
        send(hook(peer, template=template), MESSAGE)
    assert peer.requests == []


def test_retry_after_of_a_webhook_is_obeyed(peer: WebPeer) -> None:
    """In seconds or as a date (RFC 9110, section 10.2.3)."""
    peer.say(503, "", Retry_After="120")
    with pytest.raises(NotifyUnavailable) as later:
        send(hook(peer), MESSAGE, sleep=Waited())
    assert later.value.retry_after_seconds == 120
    soon = datetime.now(UTC) + timedelta(seconds=90)
    peer.say(429, "", Retry_After=f"{soon:%a, %d %b %Y %H:%M:%S} GMT")
    with pytest.raises(NotifyUnavailable) as later:
        send(hook(peer), MESSAGE, sleep=Waited())
    assert later.value.retry_after_seconds == pytest.approx(90, abs=5)


def test_a_header_that_cannot_be_sent_is_refused_without_being_shown(peer: WebPeer) -> None:
    """A secret with a line break in it."""
    with pytest.raises(NotifyRefused) as refused:
        send(hook(peer, headers={"Authorization": Secret("s3cr3t\r\nX: y")}), MESSAGE)
    assert "s3cr3t" not in str(refused.value)


def test_what_a_gateway_repeats_of_a_secret_is_masked_in_any_language(peer: WebPeer) -> None:
    """Its answer is a value of our sentence: without the secret, and the sentence can still be said in Indonesian."""
    peer.say(401, "no such key: s3cr3t-key\n")
    with pytest.raises(NotifyRefused) as refused:
        send(hook(peer, headers={"Authorization": Secret("s3cr3t-key")}), MESSAGE)
    assert str(refused.value) == "wa: it says 401: no such key: ***"
    assert Words("id").error(refused.value) == "wa: jawabannya 401: no such key: ***"


class Mailbox:
    """What a mail server does with what it is sent."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: list[str] = []
        self.unknown: set[str] = set()

    async def handle_RCPT(  # noqa: N802  # aiosmtpd names it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


class Server(Controller):
    """A mail server on a port that the kernel chose."""

    def _trigger_server(self) -> None:
        self.port = _port(self)
        super()._trigger_server()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def relay(mailbox: Mailbox) -> Iterator[Receiver]:
    """A mail server on this machine, in the clear."""
    controller = Server(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    channel = Email(
        host="127.0.0.1", port=_port(controller), security="none", sender="bwmgr@example.go.id",
        recipients=("Kabid <kabid@example.go.id>", "noc@example.go.id"),
    )  # fmt: skip
    yield Receiver(id="mail", channel=channel)
    controller.stop()


def _port(controller: Controller) -> int:
    assert controller.server is not None
    return int(controller.server.sockets[0].getsockname()[1])


def test_a_mail_arrives(relay: Receiver, mailbox: Mailbox) -> None:
    """To all recipients, in UTF-8, with an identity that stays the same, and marked so that no vacation message answers."""
    message = Message(**{**_fields(MESSAGE), "text": "Kapasitas 35 Mbps — terpakai 97,5 %", "subject": "Baris\r\nBcc: x@y"})
    assert send(relay, message) == ""
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Message-ID"]) == (
        "Kabid <kabid@example.go.id>, noc@example.go.id",
        "<0123456789abcdef@example.go.id>",
    )
    assert (mail["Subject"], mail["Bcc"], mail["Auto-Submitted"]) == ("Baris Bcc: x@y", None, "auto-generated")
    assert mail.get_content().strip() == "Kapasitas 35 Mbps — terpakai 97,5 %"


def test_a_mail_server_that_says_later_is_tried_again(relay: Receiver, mailbox: Mailbox) -> None:
    """4xx; after three times it is left to the next round."""
    waited = Waited()
    mailbox.answers = ["451 greylisted", "451 greylisted"]
    assert send(relay, MESSAGE, sleep=waited) == ""
    assert len(mailbox.mails) == 1
    mailbox.answers = ["451 greylisted"] * 3
    with pytest.raises(NotifyUnavailable, match="451"):
        send(relay, MESSAGE, sleep=waited)


def test_a_mail_server_that_refuses_is_not_asked_again(relay: Receiver, mailbox: Mailbox) -> None:
    """5xx of the message, or of all recipients; where one of two is refused, the other has it and nobody gets it twice."""
    mailbox.answers = ["554 spam"]
    with pytest.raises(NotifyRefused, match="554"):
        send(relay, MESSAGE, sleep=Waited())
    mailbox.unknown = {"noc@example.go.id"}
    assert send(relay, MESSAGE) == "refused: noc@example.go.id"
    mailbox.unknown.add("kabid@example.go.id")
    with pytest.raises(NotifyRefused, match="no such mailbox"):
        send(relay, MESSAGE)
    assert len(mailbox.mails) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself: (certificate, key)."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


def _login(server: Any, session: Any, envelope: Any, mechanism: str, auth: Any) -> AuthResult:
    return AuthResult(success=(auth.login, auth.password) == (b"bwmgr", b"s3cr3t-password"), handled=False)


@pytest.fixture
def encrypted(mailbox: Mailbox, certificate: tuple[Path, Path]) -> Iterator[Controller]:
    """A mail server that wants STARTTLS and a password."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    controller = Server(
        mailbox,
        hostname="127.0.0.1",
        port=0,
        tls_context=context,
        require_starttls=True,
        authenticator=_login,
        auth_required=True,
    )
    controller.start()
    yield controller
    controller.stop()


def _mail(controller: Controller, ca: Path | None, password: str = "s3cr3t-password") -> Receiver:
    channel = Email(
        host="127.0.0.1", port=_port(controller), user="bwmgr", password=Secret(password), ca=ca, sender="a@example.go.id",
        recipients=("b@example.go.id",),
    )  # fmt: skip
    return Receiver(id="mail", channel=channel)


def test_a_mail_goes_encrypted_and_with_a_password(
    encrypted: Controller, mailbox: Mailbox, certificate: tuple[Path, Path]
) -> None:
    """STARTTLS by a known authority; an unknown one and a wrong password are refused, and the password is not shown."""
    assert send(_mail(encrypted, certificate[0]), MESSAGE) == ""
    assert len(mailbox.mails) == 1
    with pytest.raises(NotifyRefused, match="certificate is not trusted"):
        send(_mail(encrypted, None), MESSAGE)
    with pytest.raises(NotifyRefused, match="535") as refused:
        send(_mail(encrypted, certificate[0], "s3cr3t-wrong"), MESSAGE)
    assert "s3cr3t" not in str(refused.value)


def test_a_password_is_not_sent_to_a_server_without_encryption(relay: Receiver) -> None:
    """Where STARTTLS is not offered nothing goes."""
    assert isinstance(relay.channel, Email)
    channel = Email(
        host="127.0.0.1", port=relay.channel.port, user="u", password=Secret("s3cr3t"), sender="a@b.c", recipients=("d@e.f",)
    )
    with pytest.raises(NotifyRefused, match="cannot do that"):
        send(Receiver(id="mail", channel=channel), MESSAGE)


def test_a_mail_server_that_is_away_is_for_later(free_port: int) -> None:
    """Nobody listens."""
    channel = Email(host="127.0.0.1", port=free_port, security="none", sender="a@b.c", recipients=("d@e.f",))
    with pytest.raises(NotifyUnavailable, match="does not answer"):
        send(Receiver(id="mail", channel=channel), MESSAGE, sleep=Waited())
