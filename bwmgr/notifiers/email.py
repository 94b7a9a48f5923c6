"""A message by e-mail (RFC 5321, RFC 5322): plain text, encrypted on the way unless the relay is this machine.

Owns what a mail server's answers mean: 4xx later, 5xx a person's to mend. The message's identity stays the same where it is sent
again, so that mail servers can tell.
"""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from bwmgr.errors import NotifyRefused, NotifyUnavailable
from bwmgr.model.notice import Email
from bwmgr.model.said import Said
from bwmgr.notifiers import TIMEOUT_SECONDS, Message


def send_email(receiver: str, channel: Email, message: Message) -> str:
    """Gives the addresses that were refused, where others were not. Raises: NotifyUnavailable, NotifyRefused."""
    try:
        with _connected(channel) as server:
            if channel.user is not None and channel.password is not None:
                server.login(channel.user, channel.password.reveal())
            refused = server.send_message(_written(channel, message))
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _answered(receiver, code, said) from None
    except smtplib.SMTPResponseException as error:
        raise _answered(receiver, error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPNotSupportedError as error:
        raise NotifyRefused(receiver, Said("the mail server cannot do that: {why}", why=str(error))) from None
    except ssl.SSLCertVerificationError as error:
        raise NotifyRefused(
            receiver, Said("the mail server's certificate is not trusted: {why}", why=error.verify_message)
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        raise NotifyUnavailable(
            receiver, Said("the mail server does not answer ({kind}: {why})", kind=type(error).__name__, why=str(error))
        ) from None
    return "" if not refused else Said("refused: {addresses}", addresses=", ".join(sorted(refused)))


def _connected(channel: Email) -> smtplib.SMTP:
    if channel.security == "tls":
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=TIMEOUT_SECONDS, context=_context(channel))
    server = smtplib.SMTP(channel.host, channel.port, timeout=TIMEOUT_SECONDS)
    try:
        if channel.security == "starttls":
            server.starttls(context=_context(channel))
    except BaseException:
        server.close()
        raise
    return server


def _context(channel: Email) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if channel.ca is None else str(channel.ca))


def _written(channel: Email, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = channel.sender, ", ".join(channel.recipients)
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{parseaddr(channel.sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation message answers it
    mail.set_content(message.text + "\n")
    for one in message.attachments:
        family, _, subtype = one.kind.partition("/")
        mail.add_attachment(one.content, maintype=family, subtype=subtype, filename=one.name)
    return mail


def _answered(receiver: str, code: int, said: bytes | str) -> NotifyUnavailable | NotifyRefused:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    problem = Said("the mail server says {code}: {text}", code=str(code), text=text)
    return NotifyRefused(receiver, problem) if code >= 500 else NotifyUnavailable(receiver, problem)
