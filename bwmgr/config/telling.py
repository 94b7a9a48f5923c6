"""The key `notify:`: who is told what, by which channel, and when.

Owns what it comes to, how it is shown, and what must hold between its keys. Names and kinds are in `bwmgr.config.shapes`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwmgr.config.named import Named
from bwmgr.config.reading import Record
from bwmgr.config.shown_inventory import given, secret
from bwmgr.model.notice import Channel, Email, Hours, Kind, Receiver, Severity, Telegram, Telling, Webhook
from bwmgr.model.said import Said
from bwmgr.model.secret import Secret
from bwmgr.model.units import duration_text

if TYPE_CHECKING:
    from datetime import time

    from bwmgr.config.settings import Settings

CHANNELS = ("telegram", "email", "webhook")
_DURATIONS = ("every", "silent", "saturated", "event", "keep_trying")


def section(record: Record | None) -> dict[str, Any]:
    """The field of `Settings` that comes of it; none where it is left out."""
    if record is None:
        return {}
    durations = {f"{key}_seconds": record.get(key) for key in _DURATIONS if key in record.values}
    receivers = tuple(_receiver(one) for one in record.get("receivers", []))
    return {"notify": Telling(receivers=receivers, pages=record.get("pages"), **durations)}


def shown(settings: Settings) -> dict[str, Any]:
    """In the configuration's words; secrets only as where they come from."""
    telling, plain = settings.notify, Telling()
    durations = {
        key: duration_text(getattr(telling, f"{key}_seconds"))
        for key in _DURATIONS
        if getattr(telling, f"{key}_seconds") != getattr(plain, f"{key}_seconds")
    }
    found = given(pages=telling.pages, receivers=[_shown(one) for one in telling.receivers], **durations)
    return {"notify": found} if found else {}


def _receiver(record: Record) -> Receiver:
    values: dict[str, Any] = {
        key: record.get(key) for key in ("digest", "quiet", "most_per_hour", "language") if key in record.values
    }
    for key in ("severity", "at_once"):
        if key in record.values:
            values[key] = Severity(record.get(key))
    return Receiver(
        id=record.get("id"), channel=_channel(record), kinds=tuple(Kind(kind) for kind in record.get("kinds", [])), **values
    )  # fmt: skip


def _channel(record: Record) -> Channel:
    if (telegram := record.get("telegram")) is not None:
        return Telegram(**telegram.values)
    if (email := record.get("email")) is not None:
        values = dict(email.values)
        if "ca" in values:
            values["ca"] = (Path(email.source.file).absolute().parent / values["ca"]).resolve()
        return Email(sender=values.pop("from"), recipients=tuple(values.pop("to")), **values)
    values = dict(record.get("webhook").values)
    if "secret_url" in values:
        values["url"] = values.pop("secret_url")
    return Webhook(**values)


def _shown(receiver: Receiver) -> dict[str, Any]:
    plain = Receiver(id="", channel=receiver.channel)
    told = {key: getattr(receiver, key) for key in ("severity", "at_once", "most_per_hour")}
    return {
        "id": receiver.id,
        **_shown_channel(receiver.channel),
        **given(
            kinds=[str(kind) for kind in receiver.kinds],
            digest=None if receiver.digest is None else _clock(receiver.digest),
            quiet=_hours(receiver.quiet),
            language=receiver.language,
            **{
                key: value if key == "most_per_hour" else str(value)
                for key, value in told.items()
                if value != getattr(plain, key)
            },
        ),
    }


def _shown_channel(channel: Channel) -> dict[str, Any]:
    if isinstance(channel, Telegram):
        return {"telegram": given(token=secret(channel.token), chat=channel.chat, api=channel.api)}
    if isinstance(channel, Email):
        keys = {key: getattr(channel, key) for key in ("host", "port", "security", "user")}
        keys["ca"] = None if channel.ca is None else str(channel.ca)
        return {
            "email": {**given(**keys, password=secret(channel.password)), "from": channel.sender, "to": list(channel.recipients)}
        }
    address = {"secret_url": secret(channel.url)} if isinstance(channel.url, Secret) else {"url": channel.url}
    headers = {name: secret(one) for name, one in channel.headers.items()}
    return {"webhook": {**address, **given(headers=headers, template=channel.template, content_type=channel.content_type)}}


def _clock(at: time) -> str:
    return f"{at:%H:%M}"


def _hours(hours: Hours) -> str | None:
    return ", ".join(f"{_clock(opens)}-{'24:00' if closes is None else _clock(closes)}" for opens, closes in hours) or None


class TellChecks(Named):
    def check_telling(self) -> None:
        notify = self.root.get("notify")
        receivers = self._index("receivers", notify.get("receivers", []) if notify else [])
        for receiver in receivers.values():
            keys = receiver.source.entries.keys()
            chosen = [name for name in CHANNELS if name in keys]
            if len(chosen) != 1:
                self.blame(
                    receiver,
                    chosen[1] if chosen else "",
                    Said("write one of {channels} for each receiver", channels=", ".join(CHANNELS)),
                )
            if "at_once" in keys and "digest" not in keys:
                self.blame(
                    receiver, "at_once", Said('says what does not wait for the digest; add digest: "07:30", or take it away')
                )
            self._email(receiver.get("email"))
            self._webhook(receiver.get("webhook"))

    def _email(self, email: Record | None) -> None:
        if email is None:
            return
        if ("user" in email.source.entries) != ("password" in email.source.entries):
            self.blame(email, "user", Said("user and password belong together; write both, or neither"))
        if email.get("security") == "none" and "password" in email.source.entries:
            self.blame(email, "security", Said("a password is not sent in the clear; write starttls or tls"))
        for key, addresses in (("from", [email.get("from", "a@b")]), ("to", email.get("to", ["a@b"]))):
            for address in addresses or [""]:
                if not _is_address(address):
                    self.blame(
                        email, key, Said("{address!r} is no e-mail address; write such as noc@example.go.id", address=address)
                    )

    def _webhook(self, webhook: Record | None) -> None:
        if webhook is None:
            return
        if len({"url", "secret_url"} & webhook.source.entries.keys()) != 1:
            self.blame(webhook, "url", Said("write url:, or secret_url: {{file: PATH}} where the address itself is a secret"))
        url = webhook.get("secret_url")
        if url and url.reveal() and not url.reveal().startswith(("http://", "https://")):
            self.blame(webhook, "secret_url", Said("is no URL; it begins with https://"))
        template = webhook.get("template")
        problem = _template_problem(template) if template is not None else ""
        if problem:
            self.blame(webhook, "template", problem)


def _template_problem(template: str) -> str:
    """What is wrong with a body's template, or nothing."""
    from jinja2 import TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        ImmutableSandboxedEnvironment().parse(template)
    except TemplateSyntaxError as error:
        return Said("is no template: {why}", why=error.message)
    return ""


def _is_address(text: str) -> bool:
    from email.utils import parseaddr

    name, address = parseaddr(text)
    local, at, domain = address.rpartition("@")
    return bool(local and at and domain) and " " not in address and "\n" not in text and (address == text or bool(name))
